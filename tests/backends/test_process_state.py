"""What a worker process keeps from task to task, and what it does not: the state of the process."""

from __future__ import annotations

import importlib
import os
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from asyncflow import WorkflowEngine

_SETS = """
import contextvars, decimal, os, resource, signal, socket, sys, warnings

os.environ["ASYNCFLOW_SETS"] = "set"
os.umask(0o002)
os.chdir("/")
signal.signal(signal.SIGALRM, signal.SIG_IGN)
sys.path.append("/sets")
warnings.filterwarnings("ignore", "as the module says")
socket.setdefaulttimeout(2.5)
sys.setrecursionlimit(4321)
decimal.getcontext().prec = 9
variable = contextvars.ContextVar("variable", default="not set")
variable.set("set")
resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))

def seen():
    umask = os.umask(0)
    os.umask(umask)
    return (
        os.environ.get("ASYNCFLOW_SETS"), umask, os.getcwd(), signal.getsignal(signal.SIGALRM) == signal.SIG_IGN,
        "/sets" in sys.path, any("as the" in str(each[1]) for each in warnings.filters), socket.getdefaulttimeout(),
        sys.getrecursionlimit(), decimal.getcontext().prec, variable.get(), resource.getrlimit(resource.RLIMIT_CORE)[0],
    )
"""
_ALL = ("set", 0o002, "/", True, True, True, 2.5, 4321, 9, "set", 0)


def look(module: str) -> Any:
    """Import a module in the worker only."""
    return importlib.import_module(module).seen()


def look_by_statement() -> Any:
    import sets_when_imported  # type: ignore[import-not-found]

    return sets_when_imported.seen()


async def look_later(module: str) -> Any:
    return importlib.import_module(module).seen()


def change_and_look(module: str) -> Any:
    """Make a mess before the import, which is not the module's."""
    os.environ["ASYNCFLOW_MESS"] = "mess"
    sys.path.insert(0, "/mess")
    sys.setrecursionlimit(9999)
    return importlib.import_module(module).seen()


def mess() -> Any:
    return os.environ.get("ASYNCFLOW_MESS"), "/mess" in sys.path


@pytest.fixture
def module(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "sets_when_imported.py").write_text(_SETS)
    sys.path.insert(0, str(tmp_path))
    yield "sets_when_imported"
    sys.path.remove(str(tmp_path))


@pytest.mark.parametrize("how", [look, look_later, change_and_look, look_by_statement])
async def test_what_a_module_sets_while_it_is_imported_stays(module: str, how: Any) -> None:
    args = () if how is look_by_statement else (module,)
    async with WorkflowEngine(backend="process", workers=1) as engine:
        assert await engine.submit(how, *args) == _ALL
        for _ in range(2):
            assert await engine.submit(look, module) == _ALL
        assert await engine.submit(mess) == (None, False)


def fail_to_import() -> None:
    import sets_and_fails  # type: ignore[import-not-found] # noqa: F401


async def test_an_import_that_fails_is_told_as_ever(tmp_path: Path) -> None:
    (tmp_path / "sets_and_fails.py").write_text("import not_there_at_all")
    sys.path.insert(0, str(tmp_path))
    async with WorkflowEngine(backend="process", workers=1) as engine:
        for _ in range(2):
            with pytest.raises(ModuleNotFoundError, match="not_there_at_all") as told:
                await engine.submit(fail_to_import)
            assert "sets_and_fails" in str(told.value.__notes__)
            assert "find_and_load" not in str(told.value.__notes__)
    sys.path.remove(str(tmp_path))


def leave_shared_memory() -> tuple[str, int]:
    """Make a segment and forget it. Returns its name, and the number of the process that is to remove it."""
    from multiprocessing import resource_tracker, shared_memory

    made = shared_memory.SharedMemory(create=True, size=1 << 16)
    return made.name, resource_tracker._resource_tracker._pid  # type: ignore[attr-defined]


def leave_shared_memory_and_die(told: str) -> None:
    Path(told).write_text(" ".join(map(str, leave_shared_memory())))
    os._exit(3)


@pytest.mark.parametrize("dies", [False, True])
async def test_shared_memory_that_a_task_has_left_is_removed_when_its_worker_ends(
    dies: bool, tmp_path: Path
) -> None:
    async with WorkflowEngine(backend="process", workers=1) as engine:
        if dies:
            with pytest.raises(Exception, match="exit code 3"):
                await engine.submit(leave_shared_memory_and_die, str(tmp_path / "told"))
            name, tracker = (tmp_path / "told").read_text().split()
        else:
            name, tracker = map(str, await engine.submit(leave_shared_memory))
    over = threading.Event()
    threading.Thread(target=lambda: (wait_for(int(tracker)), over.set())).start()
    assert over.wait(20)
    assert not Path("/dev/shm", name).exists()


def wait_for(pid: int) -> None:
    """Wait for the end of a process that is no child."""
    import select

    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    select.select([fd], [], [])
    os.close(fd)


def add(a: int, b: int) -> int:
    return a + b


async def test_a_time_out_for_all_new_sockets_is_none_for_the_engines_own() -> None:
    socket.setdefaulttimeout(1e-4)  # less than a worker waits for its first call
    try:
        async with WorkflowEngine(backend="process", workers=1) as engine:
            first = await engine.submit(os.getpid)
            assert await engine.submit(add, 1, 2) == 3
            assert await engine.submit(os.getpid) == first
    finally:
        socket.setdefaulttimeout(None)
