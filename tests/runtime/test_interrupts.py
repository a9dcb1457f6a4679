"""Ctrl-C as Python's shells have it: it comes out of the loop wherever that was, and the next input goes on with it."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from asyncflow import TaskFuture, WorkflowEngine

_ROOMS = ("coroutines.py", "run.py", "scheduler.py", "inputs.py", "inbox.py", "sequential.py")
_STRIDE = 53


class Shell:
    """Runs inputs one after another on one loop. One is interrupted at a line of the engine's own.

    Args:
        at: how many such lines run before.
    """

    def __init__(self, at: int) -> None:
        self.lines = 0
        self._at = at
        self.loop = asyncio.new_event_loop()
        self.loop.set_exception_handler(lambda loop, context: None)  # plain asyncio complains of its tasks

    def run(self, coroutine: Any) -> Any:
        return self.loop.run_until_complete(asyncio.wait_for(coroutine, 5))

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
        if not frame.f_code.co_filename.endswith(_ROOMS) or "asyncflow" not in frame.f_code.co_filename:
            return None
        if frame.f_code.co_name in ("_main", "_flush_now", "_run_next", "_look"):
            return None  # at their first line they have not begun, and asyncio has lost what it was to call
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


def _go_on_after(at: int) -> int:
    """Interrupt a run, make other calls, shut down; tell how many lines of the engine's own there are."""
    engine, shell = WorkflowEngine("sequential"), Shell(at)
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

    @engine.block
    async def block(value: int) -> list[int]:
        return [plain(value), quick(waits(value))]  # type: ignore[list-item]

    async def cell() -> None:
        futures.extend(task(quick(1)) for task in (quick, waits, plain, block))
        futures.append(quick(fails(1)))
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
        future.cancelled() or future.exception()
    shell.loop.run_until_complete(asyncio.sleep(0))
    shell.loop.close()
    return shell.lines


@pytest.fixture
def quiet() -> Iterator[None]:
    """What asyncio and the engine log of the interrupts is none of the tests' business."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("first", range(1, _STRIDE, 6))
def test_the_engine_goes_on_after_an_interrupt_at_any_line_of_its_own(first: int, quiet: None) -> None:
    for at in range(first, _go_on_after(0), _STRIDE):
        _go_on_after(at)
