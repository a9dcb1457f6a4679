"""A body that holds up the event loop is named in a warning, with the line on which it stands."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from asyncflow import WorkflowEngine
from asyncflow._runtime.loop_watch import LoopWatch
from asyncflow._runtime.run import Run

MOST = 20.0  # seconds, for a warning that does not come


class Warned(logging.Handler):
    """Lets a body go on that waits to be named."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []
        self.heard = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())
        self.heard.set()


@pytest.fixture
def warned(monkeypatch: pytest.MonkeyPatch) -> Iterator[Warned]:
    monkeypatch.setattr(Run, "patience", 0.02)
    handler = Warned()
    logging.getLogger("asyncflow").addHandler(handler)
    yield handler
    logging.getLogger("asyncflow").removeHandler(handler)


def held_up(warned: Warned) -> bool:
    return warned.heard.wait(MOST)


@pytest.mark.parametrize("waits_first", [False, True], ids=["at its beginning", "after it has waited"])
@pytest.mark.parametrize("kind", ["function_task", "block"])
async def test_body_that_holds_up_the_loop_is_named_with_its_line(
    warned: Warned, kind: str, waits_first: bool
) -> None:
    async with WorkflowEngine("sequential") as engine:

        async def slow() -> bool:
            if waits_first:
                await asyncio.sleep(0.001)
            return held_up(warned)

        assert await getattr(engine, kind)(slow)()
    line = slow.__code__.co_firstlineno + 3
    assert "'slow' (#1) has held up the event loop for more than" in warned.lines[0]
    assert f"test_loop_watch.py:{line}, in slow, and in there " in warned.lines[0]


async def test_plain_block_that_holds_up_the_loop_is_named(warned: Warned) -> None:
    async with WorkflowEngine("sequential") as engine:

        @engine.block
        def slow() -> bool:
            return held_up(warned)

        assert await slow()
    assert "have it await, or do the work in a task" in warned.lines[0]


async def test_body_is_named_once_and_the_next_one_again(warned: Warned) -> None:
    again = threading.Event()
    async with WorkflowEngine("sequential") as engine:

        async def slow() -> None:
            assert held_up(warned)
            again.wait(0.1)  # in which it could be named again
            warned.heard.clear()

        await engine.submit(slow)
        await engine.submit(slow)
    assert [line.split(" has ")[0] for line in warned.lines] == ["'slow' (#1)", "'slow' (#2)"]


def test_only_a_step_that_lasts_from_one_look_to_the_next_is_named(warned: Warned) -> None:
    task: Any = object()
    watch = LoopWatch(1.0, lambda: None)
    watch._warn = lambda each: warned.lines.append("warned")  # type: ignore[method-assign]
    watch.sleeps = False
    for _ in range(3):
        watch.begins(task)
        assert watch.look()  # each of these is another step
    assert warned.lines == []
    assert watch.look()
    assert watch.look()
    assert warned.lines == ["warned"]
    watch.body = None
    assert not watch.look()
    assert watch.sleeps


async def test_body_that_waits_is_no_burden(warned: Warned) -> None:
    async with WorkflowEngine("sequential") as engine:
        await engine.submit(asyncio.sleep, 0.1)
    assert warned.lines == []


async def test_thread_that_watches_sleeps_while_nothing_runs_on_the_loop_and_ends_with_the_run(
    warned: Warned,
) -> None:
    async with WorkflowEngine("sequential") as engine:

        async def short() -> None: ...

        run: Any = engine._run
        watch, nothing_ran, loop = run.coroutines.watch, asyncio.Event(), asyncio.get_running_loop()

        def look(look: Callable[[], bool] = watch.look) -> bool:
            looks_again = look()
            if not looks_again:
                loop.call_soon_threadsafe(nothing_ran.set)
            return looks_again

        watch.look = look
        await engine.submit(short)
        await nothing_ran.wait()
        assert watch.sleeps
        thread = watch._thread
        assert thread.is_alive()
        await engine.submit(short)
        assert not watch.sleeps
    assert not thread.is_alive()


async def test_run_without_bodies_has_no_thread_that_watches() -> None:
    async with WorkflowEngine("sequential") as engine:
        assert await engine.submit(abs, -1) == 1
        run: Any = engine._run
        assert run.coroutines.watch._thread is None


async def test_dry_run_watches_nothing(warned: Warned) -> None:
    async with WorkflowEngine(dry_run=True) as engine:

        @engine.block
        async def body() -> None: ...

        await body()
        run: Any = engine._run
        assert run.coroutines.watch._thread is None
