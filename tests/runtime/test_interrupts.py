"""Ctrl-C as Python's shells have it: it comes out of the loop wherever that was, and the next input goes on with it."""

from __future__ import annotations

import asyncio
import dis
import gc
import logging
import os
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from types import CodeType
from typing import Any

import pytest

from asyncflow import TaskFuture, WorkflowEngine
from asyncflow._runtime.carrier import Carrier
from asyncflow._runtime.run import Run
from asyncflow._turns import Awaited, Call
from asyncflow.backends.carried.crews import Crews
from asyncflow.backends.executor import ExecutorBackend
from asyncflow.errors import CommandFailed
from asyncflow.testing import ManualBackend

from .kit import turns

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
    "slices": (*_STEPS, "sequential.py"),
    "thread": ("thread.py", "dispatch.py", "reports.py", "inbox.py"),
    "executor": ("executor.py", "dispatch.py", "reports.py", "inbox.py"),
    "process": (
        "worker_pool.py",
        "handed_out.py",
        "processes.py",
        "results.py",
        "worker_process.py",
        "waiting.py",
        "descriptors.py",
    ),
    "carried": (
        "crews.py",
        "idle.py",
        "program_folder.py",
        "agents.py",
        "outcomes.py",
        "pieces.py",
        "started.py",
        "waiting.py",
        "handed_out.py",
    ),
    "commands": (
        "asyncio_tasks.py",
        "commands.py",
        "command.py",
        "streams.py",
        "ending.py",
        "dispatch.py",
        "descriptors.py",
    ),
}
_OF_SHUTDOWN = (
    "base.py",
    "starting.py",
    "lifecycle.py",
    "stopping.py",
    "run.py",
    "scheduler.py",
    "thread.py",
    "step_loop.py",
    "worker_pool.py",
    "processes.py",
    "worker_process.py",
)
_PLACES = [
    *[("sequential", first, 307) for first in range(1, 307, 52)],
    *[("slices", first, 307) for first in range(13, 307, 52)],
    *[("thread", first, 89) for first in range(1, 89, 18)],
    *[("executor", first, 89) for first in range(1, 89, 18)],
    *[("process", first, 1999) for first in range(1, 1999, 500)],
    *[("carried", first, 1499) for first in (84, 108, 500, 900)],
    *[("commands", first, 211) for first in range(1, 211, 53)],
]
_SHUTDOWNS = [
    *[("sequential", wait, first, 97) for wait in (False, True) for first in range(1, 97, 33)],
    *[("thread", wait, first, 113) for wait in (False, True) for first in range(1, 113, 38)],
    *[("process", wait, first, 411) for wait in (False, True) for first in (1, 150)],
]


@cache
def _places(code: CodeType) -> set[int]:
    """Where Python looks for signals: behind calls, where a function begins or goes on, and where a loop goes round."""
    found, before = set(), None
    handlers = getattr(dis.Bytecode(code), "exception_entries", ())

    def handler(offset: int) -> int:
        return max((each.target for each in handlers if each.start <= offset < each.end), default=0)

    for each in dis.get_instructions(code):
        if each.opname in ("CACHE", "EXTENDED_ARG"):
            continue
        # It is raised by the call, not by what comes behind it, which may be a `finally` of the same `try`.
        if before is not None and handler(before) == handler(each.offset):
            found.add(each.offset)
        looks = each.opname in ("RESUME", "CALL", "CALL_FUNCTION_EX", "CALL_KW")
        before = each.offset if looks else None
        if "JUMP_BACKWARD" in each.opname and "NO_INTERRUPT" not in each.opname:
            found.add(each.argval)
    return found


def _is_ours(handle: Any) -> bool:
    """Whether asyncio is just about to call something of the engine's, a driver or a body that waits."""
    called = handle._callback
    return isinstance(called, Call) or isinstance(getattr(called, "__self__", None), (Carrier, Awaited))


class Shell:
    """Runs inputs one after another on one loop. One is interrupted at a place in the engine's own code.

    Args:
        at: how many such places are passed before.
        rooms: the files of those places.
    """

    def __init__(self, at: int, rooms: tuple[str, ...]) -> None:
        self.passed = 0
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
            return self._in(frame) if _is_ours(frame.f_locals["self"]) else None
        if not file.endswith((*self._rooms, "_turns.py")) or "asyncflow" not in file:
            return None
        caller = frame
        while caller is not None:
            if caller.f_code.co_name in ("call", "cancel", "catch_up"):
                return None  # the user's own frame, which the interrupt ends
            caller = caller.f_back
        return self._in(frame)

    def _in(self, frame: Any) -> Any:
        frame.f_trace_opcodes = True
        return self._trace_instructions

    def _trace_instructions(self, frame: Any, event: str, arg: Any) -> Any:
        if event == "opcode" and frame.f_lasti in _places(frame.f_code):
            self.passed += 1
            if self.passed == self._at:
                sys.settrace(None)
                raise KeyboardInterrupt
        return self._trace_instructions


def _engine(place: str, ran: Path) -> WorkflowEngine:
    ran.mkdir()
    if place == "executor":
        return WorkflowEngine(ExecutorBackend(make=lambda: ThreadPoolExecutor(2)))
    backend = {"commands": "thread", "slices": "sequential"}.get(place, place)
    return WorkflowEngine(backend, workers=2, work_dir=ran, grace=2)


def _descriptors() -> set[tuple[str, str]]:
    """What this process has open."""
    folder = Path("/proc/self/fd")
    return {
        (each, str(os.readlink(folder / each))) for each in os.listdir(folder) if (folder / each).exists()
    }


def _go_on_after(place: str, at: int, ran: Path) -> int:
    """Interrupt a run, make other calls, shut down; tell how many places there are in the engine's own code."""
    before = _descriptors()
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
    assert sorted(_descriptors() - before) == []
    return shell.passed


def _shut_down_after(place: str, wait: bool, at: int, ran: Path) -> int:
    """Interrupt a shutdown, ask for another; tell how many places there are in the engine's own code."""
    engine, shell = _engine(place, ran), Shell(at, _OF_SHUTDOWN)
    threads = threading.active_count()
    futures: list[TaskFuture[Any]] = []

    @engine.function_task
    async def waits(value: int) -> int:
        if not wait:
            await asyncio.Event().wait()
        await asyncio.sleep(0.001)
        return value

    @engine.function_task
    def plain(value: int) -> int:
        return value

    @engine.block
    async def block() -> int:
        return await waits(1) + await plain(2)

    async def cell() -> None:
        futures.extend([block(), waits(1), plain(waits(2)), *map(plain, range(4))])
        await asyncio.sleep(0.005)

    shell.run(engine.start())
    shell.run(cell())

    async def shut_down() -> None:
        await engine.shutdown(wait=wait)
        if others := asyncio.all_tasks() - {
            asyncio.current_task()
        }:  # the first shutdown, if it goes on beside
            await asyncio.wait(others, timeout=0.1)

    shell.run_interrupted(engine.shutdown(wait=wait))
    shell.run(shut_down())
    assert all(future.done() and future.state.terminal for future in futures)
    assert threading.active_count() <= threads
    shell.loop.run_until_complete(asyncio.sleep(0))
    shell.loop.close()
    gc.collect()
    return shell.passed


@pytest.fixture
def quiet() -> Iterator[None]:
    """What asyncio and the engine log of the interrupts is none of the tests' business."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("place", "first", "stride"), _PLACES)
def test_the_engine_goes_on_after_an_interrupt_at_any_place_in_its_own_code(
    place: str, first: int, stride: int, quiet: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if place == "slices":  # the loop has its turn after each body
        monkeypatch.setattr(Run, "slice_seconds", 0.0)
    for at in range(first, _go_on_after(place, 0, tmp_path / "0"), stride):
        _go_on_after(place, at, tmp_path / str(at))


@pytest.mark.filterwarnings("ignore")
def test_an_interrupt_just_before_a_message_of_an_agent_is_looked_at_leaves_no_task_pending(
    quiet: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    received = Crews._received.__code__
    first = {min(_places(received))}
    monkeypatch.setitem(globals(), "_places", lambda code: first if code is received else set())
    _go_on_after("carried", 5, tmp_path / "5")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("place", "wait", "first", "stride"), _SHUTDOWNS)
def test_after_an_interrupt_of_a_shutdown_another_ends_it_and_nothing_is_pending(
    place: str, wait: bool, first: int, stride: int, quiet: None, tmp_path: Path
) -> None:
    for at in range(first, _shut_down_after(place, wait, 0, tmp_path / "0"), stride):
        _shut_down_after(place, wait, at, tmp_path / str(at))


async def test_a_retry_on_that_looks_at_other_tasks_takes_no_report_from_under_the_one_at_hand(
    hands: ManualBackend, caplog: pytest.LogCaptureFixture
) -> None:
    others: list[TaskFuture[Any]] = []
    async with WorkflowEngine(hands) as engine:

        @engine.function_task(
            retries=1, retry_on=lambda error: any(other.state == "FAILED" for other in others)
        )
        def fails() -> None: ...

        @engine.function_task
        def succeeds() -> None: ...

        failing, others[:] = fails(), [succeeds(), succeeds()]
        await turns()
        with hands.together():
            hands.fail("fails", ValueError("no"))
            for _ in others:
                hands.succeed("succeeds", None)
        with pytest.raises(ValueError, match="no"):
            await failing
        assert await asyncio.gather(*others) == [None, None]
    assert not caplog.records
