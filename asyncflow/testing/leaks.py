"""Nothing may be left: what a block of code opened and did not close is an error that names it.

Looked at are descriptors, threads, child processes (and theirs), shared memory, temporary files, the tasks of the
running event loop, and what asyncio itself logged as an error. Only POSIX tells of all of these.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import multiprocessing.forkserver
import multiprocessing.resource_tracker
import multiprocessing.util
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

_PATIENCE: Final = 5.0  # seconds; a thread or process that was told to end needs a moment
_LOOK_AGAIN: Final = 0.02
_SHARED_MEMORY: Final = Path("/dev/shm")
_PROC: Final = Path("/proc")


class Leaked(AssertionError):
    """Something was left behind."""


@contextmanager
def no_leaks(
    *, patience: float | None = None, spared: Callable[[str], bool] = lambda found: False
) -> Iterator[None]:
    """Check that a block of code leaves nothing behind.

    Temporary files go to a folder of its own meanwhile, so that other programs are not blamed on the block.

    Args:
        patience: seconds that what was told to end may take; None for five.
        spared: whether something, as it would be shown, is somebody else's, as connections that a library keeps.

    Raises:
        Leaked: with the name of all that is new. Not if the block itself fails.
    """
    with _own_temporary_folder() as folder, _asyncio_errors() as complaints:
        before = _Snapshot.take(folder)
        yield
        until = time.monotonic() + (_PATIENCE if patience is None else patience)
        left = _left(before, folder, until, spared)
    if left or complaints:
        raise Leaked("left behind:\n  " + "\n  ".join([*left, *complaints]))


def number_of_processes() -> int:
    """How many processes descend from this one now, besides the servants of `multiprocessing`."""
    return len(_processes())


def number_of_descriptors() -> int:
    """How many descriptors this process has open now, besides those to these servants."""
    return len(_descriptors())


class _Snapshot(NamedTuple):
    """All that there is, each with what identifies it and how it is shown."""

    descriptors: dict[object, str]
    threads: dict[object, str]
    processes: dict[object, str]
    shared_memory: dict[object, str]
    files: dict[object, str]
    tasks: dict[object, str]

    @classmethod
    def take(cls, folder: Path) -> _Snapshot:
        """Look now."""
        return cls(
            _descriptors(),
            {thread.ident: f"thread {thread.name!r}" for thread in threading.enumerate()},
            _processes(),
            _shared_memory(),
            {path: f"temporary file {path.name!r}" for path in folder.rglob("*")},
            _tasks(),
        )

    def new_since(self, before: _Snapshot) -> list[str]:
        """What is here and was not."""
        return [
            shown
            for mine, theirs in zip(self, before, strict=True)
            for key, shown in mine.items()
            if key not in theirs
        ]


def _left(before: _Snapshot, folder: Path, until: float, spared: Callable[[str], bool]) -> list[str]:
    left = [found for found in _Snapshot.take(folder).new_since(before) if not spared(found)]
    while left and time.monotonic() < until:
        gc.collect()  # what is in a circle closes its descriptors only now
        left = [found for found in _Snapshot.take(folder).new_since(before) if not spared(found)]
        if left:
            time.sleep(_LOOK_AGAIN)
    return left


def _descriptors() -> dict[Any, str]:
    found = {}
    services = _service_descriptors()
    for name in os.listdir("/proc/self/fd" if _PROC.exists() else "/dev/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{name}") if _PROC.exists() else str(os.fstat(int(name)))
        except OSError:
            continue  # the one that listed the folder
        if int(name) not in services:
            found[name, target] = f"descriptor {name}: {target}"
    return found


def _service_descriptors() -> set[int | None]:
    """Those to the servants that `multiprocessing` starts once and keeps."""
    forkserver: Any = multiprocessing.forkserver._forkserver
    tracker: Any = multiprocessing.resource_tracker._resource_tracker
    return {forkserver._forkserver_alive_fd, tracker._fd}


def _service_processes() -> set[int | None]:
    forkserver: Any = multiprocessing.forkserver._forkserver
    tracker: Any = multiprocessing.resource_tracker._resource_tracker
    return {forkserver._forkserver_pid, tracker._pid}


def _processes() -> dict[Any, str]:
    services = _service_processes()
    return {
        (pid, started): f"process {pid}: {_command(pid)}"
        for pid, started in _descendants()
        if pid not in services
    }


def _has_children() -> bool:
    """Whether there is any child, alive or not: most often there is none, and all processes need not be read."""
    if not _PROC.exists():
        return False
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _read(path: str) -> str:
    # A thousand of these a second: `Path.read_text` takes four times as long.
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return os.read(descriptor, 4096).decode(errors="replace")
    finally:
        os.close(descriptor)


def _descendants() -> set[tuple[int, str]]:
    """Children and theirs: process id and start time."""
    if not _has_children():
        return set()
    by_parent: dict[int, list[tuple[int, str]]] = {}
    for name in os.listdir(_PROC):
        if not name.isdecimal():
            continue
        try:
            stat = _read(f"{_PROC}/{name}/stat")
        except OSError:
            continue  # over meanwhile
        # The name, in parentheses, may hold anything; what follows are state, parent, ..., start time as the 22nd.
        fields = stat.rpartition(")")[2].split()
        by_parent.setdefault(int(fields[1]), []).append((int(name), fields[19]))
    found: set[tuple[int, str]] = set()
    queue = [os.getpid()]
    while queue:
        children = by_parent.get(queue.pop(), [])
        found.update(children)
        queue.extend(pid for pid, _ in children)
    return found


def _command(pid: int) -> str:
    try:
        said = (
            (_PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        )
        return said or (_PROC / str(pid) / "stat").read_text().split(")")[0] + "), a zombie"
    except OSError:
        return "gone"


def _shared_memory() -> dict[object, str]:
    """What this process and its children hold, by inode: a semaphore is mapped under a name of its first moment.

    What nobody holds is not counted, since a file does not tell who has made it.
    """
    try:
        names = {entry.inode(): entry.name for entry in os.scandir(_SHARED_MEMORY)}
    except FileNotFoundError:
        return {}
    if not names:
        return {}
    ours = [os.getpid(), *(pid for pid, _ in _descendants())]
    held = names.keys() & {inode for pid in ours for inode in _held(_PROC / str(pid))}
    return {(names[inode], inode): f"shared memory {names[inode]!r}" for inode in held}


def _held(process: Path) -> set[int]:
    """The inodes of shared memory that a process has mapped or open; none of one that is over."""
    found = set()
    try:
        for line in (process / "maps").read_text().splitlines():
            # Addresses, permissions, offset, device, inode, path.
            fields = line.split(maxsplit=5)
            if fields[-1].startswith(f"{_SHARED_MEMORY}/"):
                found.add(int(fields[4]))
        for link in (process / "fd").iterdir():
            with suppress(OSError):  # closed meanwhile
                if os.readlink(link).startswith(f"{_SHARED_MEMORY}/"):
                    found.add(link.stat().st_ino)
    except OSError:
        return set()
    return found


def _tasks() -> dict[object, str]:
    try:
        return {task: f"asyncio task {task!r}" for task in asyncio.all_tasks()}
    except RuntimeError:
        return {}  # no loop runs


@contextmanager
def _own_temporary_folder() -> Iterator[Path]:
    multiprocessing.util.get_temp_dir()  # made once and kept, with a server's socket in it: not to be made in here
    before, variable = tempfile.tempdir, os.environ.get("TMPDIR")
    folder = tempfile.mkdtemp(prefix="no-leaks-")
    tempfile.tempdir = os.environ["TMPDIR"] = folder
    try:
        yield Path(folder)
    finally:
        tempfile.tempdir = before
        if variable is None:
            del os.environ["TMPDIR"]
        else:
            os.environ["TMPDIR"] = variable
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _asyncio_errors() -> Iterator[list[str]]:
    """What asyncio says when a callback raises or a task is lost; such errors reach nobody else."""
    said: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(f"asyncio's word: {self.format(record)}")

    listener = Listener(logging.ERROR)
    logging.getLogger("asyncio").addHandler(listener)
    try:
        yield said
    finally:
        logging.getLogger("asyncio").removeHandler(listener)
