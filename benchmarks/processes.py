"""What the operating system tells of a process and its workers: memory and wake-ups. Linux tells it in ``/proc``."""

from __future__ import annotations

import gc
import os
import resource
import sys
from contextlib import suppress
from pathlib import Path

TOLD = sys.platform == "linux" and Path("/proc/self/smaps_rollup").exists()
"""Whether this system tells all of it."""

_PAGE = resource.getpagesize()


def tree(pid: int) -> list[int]:
    """A process and all that it has started, directly or not."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with suppress(OSError):  # it has ended meanwhile
                stat = Path("/proc", entry, "stat").read_text()
                parent = int(stat.rpartition(")")[2].split()[1])  # the name before it may hold anything
                children.setdefault(parent, []).append(int(entry))
    found = [pid]
    for each in found:  # grows while it is walked
        found.extend(children.get(each, ()))
    return found


def resident(pid: int | None = None) -> int:
    """Bytes of memory that a process holds, this one by default, after a garbage collection."""
    if pid is None:
        gc.collect()
        pid = os.getpid()
    if not TOLD:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # the next best thing
        return peak if sys.platform == "darwin" else peak * 1024
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE


def resident_workers() -> int:
    """Bytes of memory that the processes hold which this one has started."""
    total = 0
    for pid in tree(os.getpid())[1:] if TOLD else ():
        with suppress(OSError):
            total += resident(pid)
    return total


class Holdings:
    """Memory that a process and its workers hold together; a page that several of them map counts once.

    Shared memory may be held by a descriptor alone, or be on its way in a socket, and belong to no process that one
    could ask. So what the whole system has more of it than when this was made counts, if that is more.
    """

    def __init__(self) -> None:
        self._before = _shared_by_all()

    def of_tree(self, pid: int) -> int:
        """Bytes, now."""
        own = mapped = 0
        for each in tree(pid):
            with suppress(OSError):
                sizes = _sizes(Path(f"/proc/{each}/smaps_rollup"))
                mapped += sizes.get("Pss_Shmem", 0)
                own += sizes.get("Pss", 0) - sizes.get("Pss_Shmem", 0)
        return own + max(mapped, _shared_by_all() - self._before)


def _shared_by_all() -> int:
    return _sizes(Path("/proc/meminfo"))["Shmem"] if TOLD else 0


def _sizes(file: Path) -> dict[str, int]:
    """Lines like ``Name:  12 kB``, in bytes."""
    words = [line.split() for line in file.read_text().splitlines()]
    return {each[0].rstrip(":"): int(each[1]) * 1024 for each in words if each[-1] == "kB"}


def sleeps() -> int:
    """How often any thread of this process and its workers has gone to sleep, so far: each is a wake-up to come."""
    total = 0
    for pid in tree(os.getpid()) if TOLD else ():
        with suppress(OSError):
            for status in Path(f"/proc/{pid}/task").glob("*/status"):
                for line in status.read_text().splitlines():
                    if line.startswith("voluntary_ctxt_switches:"):
                        total += int(line.split()[1])
    return total
