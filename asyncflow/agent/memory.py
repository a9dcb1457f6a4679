"""How much memory the processes of this machine may have: what it has, or what their control group may."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Final

_PROC: Final = Path("/proc")
_GROUPS: Final = Path("/sys/fs/cgroup")


def usable_memory(proc: Path = _PROC, groups: Path = _GROUPS) -> int:
    """Bytes that this process, and others in its control group, can have together.

    Args:
        proc: where the kernel tells of this process.
        groups: where it tells of control groups; of version 2, or the `memory` of version 1.
    """
    limits = [_total(proc / "meminfo")]
    for line in _read(proc / "self" / "cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:
            root, name = groups, "memory.max"
        elif "memory" in controllers.split(","):
            root, name = groups / "memory", "memory.limit_in_bytes"
        else:
            continue
        # In a container the path may be that outside, of which only the end is there; the groups around count, too.
        group = PurePosixPath(path)
        for each in (group, *group.parents):
            with suppress(ValueError):  # "max", or it is not there
                limits.append(int(_read(root / str(each).lstrip("/") / name)))
    return min(limits)


def _total(meminfo: Path) -> int:
    for line in _read(meminfo).splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) * 1024
    return 1 << 62  # there is no such file here


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
