"""What this machine has and allows: the facts, and what would go wrong."""

from __future__ import annotations

import os
import platform
import re
import resource
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .._show.words import plain, size

_SCARCE_DISK: Final = 1 << 30
_SCARCE_MEMORY: Final = 512 << 20
_CGROUP: Final = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class Fact:
    """Something about this machine.

    Args:
        name: of it.
        value: in words.
        problem: what would go wrong because of it; "" if nothing.
        mend: what to do about that.
    """

    name: str
    value: str
    problem: str = ""
    mend: str = ""


def facts() -> Iterator[Fact]:
    """What this machine has and allows."""
    yield _system()
    yield from _cpus()
    yield from _memory()
    for name, folder in _folders().items():
        yield from _disk(name, folder)
    yield _shared_memory()
    yield from _limits()
    yield _containing()
    yield _terminal()


def _system() -> Fact:
    release = platform.release()
    value = f"{platform.system()} {release}, {platform.machine()}"
    found = re.match(r"(\d+)\.(\d+)", release)
    if platform.system() != "Linux":
        return Fact("system", value, "worker processes need Linux", "use threads:  --backend thread")
    if found and (int(found[1]), int(found[2])) < (5, 3):
        return Fact(
            "system", value, "worker processes need Linux 5.3 or later", "use threads:  --backend thread"
        )
    return Fact("system", value)


def _cpus() -> Iterator[Fact]:
    from ..backends.thread import usable_cpus

    usable, all_there = usable_cpus(), os.cpu_count() or 1
    yield Fact("CPUs", f"{usable} usable of {all_there}")
    quota = _cgroup("cpu.max").split()
    if len(quota) == 2 and quota[0] != "max":
        may = int(quota[0]) / int(quota[1])
        problem = f"{usable} workers would share the time of {may:.3g} CPUs" if may < usable - 0.5 else ""
        yield Fact(
            "CPU quota", f"{may:.3g} CPUs", problem, f"--workers {max(1, round(may))}" if problem else ""
        )
    with suppress(OSError):
        yield Fact("load", f"{os.getloadavg()[0]:.3g} processes ran or wanted to, in the last minute")


def _memory() -> Iterator[Fact]:
    told = {}
    with suppress(OSError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            name, _, rest = line.partition(":")
            told[name] = int(rest.split()[0]) * 1024
    free = told.get("MemAvailable")
    if free is not None:
        scarce = "tasks with large values may be killed by the kernel" if free < _SCARCE_MEMORY else ""
        value = f"{size(free)} free of {size(told.get('MemTotal', 0))}"
        yield Fact("memory", value, scarce, "fewer workers, or a larger machine" if scarce else "")
    most, used = _cgroup("memory.max").strip(), _cgroup("memory.current").strip()
    if most.isdigit() and used.isdigit():
        left = int(most) - int(used)
        scarce = "the kernel kills what goes beyond it" if left < _SCARCE_MEMORY else ""
        value = f"{size(max(left, 0))} left of {size(int(most))}"
        yield Fact(
            "memory of the control group", value, scarce, "fewer workers, or a larger limit" if scarce else ""
        )


def _folders() -> dict[str, str]:
    from ..engine import WorkflowEngine

    folders = {"temporary files": tempfile.gettempdir()}
    with suppress(Exception):  # a wrong setting is another fact
        work_dir = WorkflowEngine()._settings.work_dir
        if work_dir is not None:
            folders["work_dir"] = str(work_dir)
    return {**folders, "this folder": os.curdir}


def _disk(name: str, folder: str) -> Iterator[Fact]:
    shown = plain(os.path.abspath(folder))
    try:
        usage, stat = shutil.disk_usage(folder), os.statvfs(folder)
    except OSError as error:
        yield Fact(name, shown, f"it cannot be used: {error.strerror}", f"mkdir -p {shown}")
        return
    problem, mend, other = "", "", "another one:  TMPDIR=..., or work_dir=..."
    if not os.access(folder, os.W_OK | os.X_OK):
        problem, mend = "it cannot be written to", other
    elif usage.free < _SCARCE_DISK:
        problem, mend = "sandboxes and results may not fit", f"asyncflow clean, or {other}"
    elif stat.f_files and stat.f_favail < 10_000:
        problem, mend = f"only {stat.f_favail:,} files more fit on it", f"asyncflow clean, or {other}"
    elif name != "this folder" and stat.f_flag & os.ST_NOEXEC:
        problem, mend = "programs in sandboxes cannot be started there", other
    yield Fact(name, f"{shown}: {size(usage.free)} free of {size(usage.total)}", problem, mend)


def _shared_memory() -> Fact:
    try:
        usage = shutil.disk_usage("/dev/shm")
    except OSError:
        problem = "multiprocessing in tasks may fail; asyncflow itself does not need it"
        return Fact("/dev/shm", "not there", problem, "mount it")
    scarce = usage.total <= 64 << 20
    problem = (
        "data loaders and multiprocessing in tasks may fail; asyncflow itself does not need it"
        if scarce
        else ""
    )
    return Fact("/dev/shm", size(usage.total), problem, "of a container:  --shm-size=1g" if scarce else "")


def _limits() -> Iterator[Fact]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    few = soft != resource.RLIM_INFINITY and soft < 1024
    problem = "many workers, commands or files at once may need more" if few else ""
    yield Fact(
        "open files", f"{_limit(soft)}, at most {_limit(hard)}", problem, "ulimit -n 4096" if few else ""
    )
    soft, hard = resource.getrlimit(resource.RLIMIT_NPROC)
    few = soft != resource.RLIM_INFINITY and soft < 512
    problem = "workers and threads may not start" if few else ""
    yield Fact(
        "processes", f"{_limit(soft)}, at most {_limit(hard)}", problem, "ulimit -u 4096" if few else ""
    )
    most, now = _cgroup("pids.max").strip(), _cgroup("pids.current").strip()
    if most.isdigit() and now.isdigit():
        left = int(most) - int(now)
        problem, mend = ("workers and threads may not start", "a larger limit") if left < 256 else ("", "")
        yield Fact("processes of the control group", f"{left:,} left of {int(most):,}", problem, mend)


def _containing() -> Fact:
    group = _group()
    if group is None:
        return Fact("control groups", "version 2 is not there; contain_commands=True cannot be had")
    able = os.access(group, os.W_OK) and os.access(group / "cgroup.procs", os.W_OK)
    return Fact("control groups", f"contain_commands=True can {'be had' if able else 'not be had'}")


def _terminal() -> Fact:
    encoding = sys.stdout.encoding or "ascii"
    where = f"{shutil.get_terminal_size().columns} columns" if sys.stdout.isatty() else "none"
    problem = "some letters cannot be shown" if encoding.lower().replace("-", "") != "utf8" else ""
    return Fact("terminal", f"{where}, {encoding}", problem, "PYTHONIOENCODING=utf-8" if problem else "")


def _limit(number: int) -> str:
    return "unlimited" if number == resource.RLIM_INFINITY else f"{number:,}"


def _group() -> Path | None:
    """The control group of this process; None where there is no version 2 of them."""
    with suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            if line.startswith("0::"):
                group = _CGROUP / line[3:].lstrip("/")
                return group if (group / "cgroup.procs").exists() else None
    return None


def _cgroup(name: str) -> str:
    """A limit of the control group that holds this process most tightly; "" if there is none."""
    group = _group()
    while group is not None and group.is_relative_to(_CGROUP):
        with suppress(OSError):
            told = (group / name).read_text()
            if not told.startswith("max"):
                return told
        group = group.parent if group != _CGROUP else None
    return ""
