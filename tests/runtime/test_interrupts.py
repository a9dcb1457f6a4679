"""Ctrl-C as Python's shells have it: it comes out of the loop wherever that was, and the next input goes on with it."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from asyncflow import TaskFuture, WorkflowEngine
from asyncflow._runtime.body import Carrier
from asyncflow._turns import Call
from asyncflow.backends.executor import ExecutorBackend
from asyncflow.errors import CommandFailed

_STEPS = (
    "coroutines.py",
    "body.py",
    "run.py",
    "step_loop.py",
    "scheduler.py",
    "inputs.py",
    "inbox.py",
    "dispatch.py",
    "reports.py",
)
_ROOMS = {
    "sequential": (*_STEPS, "sequential.py"),
    "thread": ("thread.py", "dispatch.py", "reports.py", "inbox.py"),
    "executor": ("executor.py", "dispatch.py", "reports.py", "inbox.py"),
    "process": (
        "worker_pool.py",
        "handed_out.py",
        "processes.py",
        "results.py",
        "worker_process.py",
        "waiting.py",
    ),
    "commands": ("commands.py", "ending.py", "dispatch.py"),
}
_PLACES = [
    *[("sequential", first, 53) for first in range(1, 53, 6)],
    *[("thread", first, 48) for first in range(1, 48, 6)],
    *[("executor", first, 60) for first in range(1, 60, 7)],
    *[("process", first, 1800) for first in range(1, 1800, 225)],
    *[("commands", first, 70) for first in range(1, 70, 14)],
]


def _is_ours(handle: Any) -> bool:
    """Whether asyncio is just about to call something of the engine's, and not a body."""
    called = handle._callback
    carrier = getattr(called, "__self__", None)
    if isinstance(carrier, Carrier):
        body: Any = carrier.get_coro()
        return getattr(body.cr_await, "__name__", "") == "_turn"
    return isinstance(called, Call)


class Shell:
    """Runs inputs one after another on one loop. One is interrupted at a line of the engine's own.

    Args:
        at: how many such lines run before.
        rooms: the files of those lines.
    """

    def __init__(self, at: int, rooms: tuple[str, ...]) -> None:
        self.lines = 0
        self._rooms = rooms
        self._at = at
        self.loop = asyncio.new_event_loop()
        self.loop.set_exception_handler(lambda loop, context: None)  # plain asyncio complains of its tasks

    def run(self, coroutine: Any) -> Any:
        return self.loop.run_until_complete(asyncio.wait_for(coroutine, 15))

    def run_interrupted(self, coroutine: Any) -> None:
        cell = self.loop.create_task(coroutine)
        before = sys.gettrace()
        sys.settrace(self._trace)
        try:
            self.loop.run_until_complete(cell)
        except KeyboardInterrupt:
            cell.cancel()
        finally:
            sys.settrace(before)

    def _trace(self, frame: Any, event: str, arg: Any) -> Any:
        name, file = frame.f_code.co_name, frame.f_code.co_filename
        if name == "_run" and file.endswith("asyncio/events.py"):
            return self._trace_lines if _is_ours(frame.f_locals["self"]) else None
        if not file.endswith((*self._rooms, "_turns.py")) or "asyncflow" not in file:
            return None
        if frame.f_code.co_name in ("_ended", "_begun", "_run") and "commands.py" in frame.f_code.co_filename:
            return None  # just where descriptors are opened or closed, one may stay
        caller = frame
        while caller is not None:
            if caller.f_code.co_name in ("call", "cancel", "catch_up"):
                return None  # the user's own frame, which the interrupt ends
            caller = caller.f_back
        return self._trace_lines

    def _trace_lines(self, frame: Any, event: str, arg: Any) -> Any:
        if event == "line":
            self.lines += 1
            if self.lines == self._at:
                sys.settrace(None)
                raise KeyboardInterrupt
        return self._trace_lines


def _engine(place: str, ran: Path) -> WorkflowEngine:
    ran.mkdir()
    if place == "executor":
        return WorkflowEngine(ExecutorBackend(make=lambda: ThreadPoolExecutor(2)))
    return WorkflowEngine("thread" if place == "commands" else place, workers=2, work_dir=ran)


def _go_on_after(place: str, at: int, ran: Path) -> int:
    """Interrupt a run, make other calls, shut down; tell how many lines of the engine's own there are."""
    engine, shell = _engine(place, ran), Shell(at, _ROOMS[place])
    futures: list[TaskFuture[Any]] = []

    @engine.function_task
    async def quick(value: int) -> int:
        return value

    @engine.function_task
    async def waits(value: int) -> int:
        await asyncio.sleep(0)
        return value

    @engine.function_task
    async def fails(value: int) -> int:
        raise ValueError(value)

    @engine.function_task
    def plain(value: int) -> int:
        return value

    @engine.function_task
    def once(number: int, *values: int) -> int:
        (ran / str(number)).touch(exist_ok=False)
        return number

    @engine.executable_task
    def command(number: int) -> list[str]:
        return ["mkdir", str(ran / str(number))]

    @engine.block
    async def block(value: int) -> list[int]:
        return [plain(value), quick(waits(value))]  # type: ignore[list-item]

    async def cell() -> None:
        futures.extend(task(quick(1)) for task in (quick, waits, plain, block))
        futures.append(quick(fails(1)))
        futures.extend([once(1), once(2, once(3, once(4))), once(5, fails(2))])
        if place == "commands":
            futures.extend([command(6), command(7), once(8, command(9))])  # type: ignore[arg-type]
        await asyncio.wait(futures)
        futures.append(once(10))
        await asyncio.wait(futures)

    async def next_cell() -> list[Any]:
        return await asyncio.gather(quick(2), waits(2), plain(2), block(2))

    shell.run(engine.start())
    shell.run_interrupted(cell())
    assert shell.run(next_cell()) == [2, 2, 2, [2, 2]]
    if futures:
        shell.run(asyncio.wait(futures))
    shell.run(engine.shutdown())
    for future in futures:
        assert future.state.terminal
        if not future.cancelled():
            assert "FileExistsError" not in repr(future.exception())  # run twice
            assert not isinstance(future.exception(), CommandFailed)
    shell.loop.run_until_complete(asyncio.sleep(0))
    shell.loop.close()
    gc.collect()  # coroutines that were not begun complain, which is to be here
    return shell.lines


@pytest.fixture
def quiet() -> Iterator[None]:
    """What asyncio and the engine log of the interrupts is none of the tests' business."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("place", "first", "stride"), _PLACES)
def test_the_engine_goes_on_after_an_interrupt_at_any_line_of_its_own(
    place: str, first: int, stride: int, quiet: None, tmp_path: Path
) -> None:
    for at in range(first, _go_on_after(place, 0, tmp_path / "0"), stride):
        _go_on_after(place, at, tmp_path / str(at))
