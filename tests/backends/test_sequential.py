"""The sequential backend: the contract, and what it is for."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

import pytest

from asyncflow import WorkflowEngine, WrongLoop
from asyncflow.backends.sequential import SequentialBackend
from asyncflow.testing import bad_tasks as bad
from asyncflow.testing.conformance import BackendConformance


class TestSequential(BackendConformance):
    """One task after another."""

    workers = 1

    def make_backend(self) -> SequentialBackend:
        return SequentialBackend()


@pytest.fixture
async def engine() -> Any:
    async with WorkflowEngine("sequential") as engine:
        yield engine


async def test_tasks_run_in_the_order_of_their_calls(engine: WorkflowEngine) -> None:
    seen: list[int] = []
    note = engine.function_task(seen.append)
    await asyncio.gather(*(note(number) for number in range(100)))
    assert seen == list(range(100))


async def test_of_those_that_could_run_the_one_called_first_does(engine: WorkflowEngine) -> None:
    seen: list[str] = []

    @engine.function_task
    def note(name: str, *_: Any) -> None:
        seen.append(name)

    first = note("first")
    early = note("called early, ready late", first)
    late = [note(f"called late {number}") for number in range(3)]
    await asyncio.gather(first, early, *late)
    assert seen == ["first", "called early, ready late", *(f"called late {number}" for number in range(3))]


async def test_tasks_run_on_the_threads_of_the_loop(engine: WorkflowEngine) -> None:
    before = threading.active_count()
    assert await engine.submit(threading.get_ident) == threading.get_ident()
    assert threading.active_count() == before


async def test_the_loop_gets_its_turn_between_two_tasks(engine: WorkflowEngine) -> None:
    seen: list[str] = []

    @engine.function_task
    def note(number: int) -> None:
        loop.call_soon(seen.append, f"turn after {number}")
        seen.append(f"task {number}")

    loop = asyncio.get_running_loop()
    await asyncio.gather(*map(note, range(3)))
    assert seen.index("turn after 0") < seen.index("task 2")


async def test_a_body_finds_no_loop_running_and_the_loop_is_back_after(engine: WorkflowEngine) -> None:
    def look() -> str:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return "none"
        return "one"

    def fall() -> None:
        raise ValueError(look())

    loop = asyncio.get_running_loop()
    assert await engine.submit(look) == "none"
    with pytest.raises(ValueError, match="none"):
        await engine.submit(fall)
    assert asyncio.get_running_loop() is loop


async def test_a_task_called_inside_a_task_is_refused_with_words_that_help(engine: WorkflowEngine) -> None:
    inner = engine.function_task(bad.add)

    def outer() -> Any:
        return inner(1, 2)

    with pytest.raises(
        WrongLoop, match=r"'add' was called inside a task.*\n.*add\.fn\(\.\.\.\)\n.*@engine\.block"
    ):
        await engine.submit(outer)


async def test_it_is_refused_when_others_on_the_loop_have_just_called_some(engine: WorkflowEngine) -> None:
    made: list[Any] = []
    outer = engine.submit(lambda: engine.submit(bad.add, 1, 2))
    # its turn comes before the function's, and that of what it calls after it
    asyncio.get_running_loop().call_soon(lambda: made.append(engine.submit(bad.add, 1, 2)))
    with pytest.raises(WrongLoop, match="'add' was called inside a task"):
        await outer
    assert await made[0] == 3


def test_what_a_closed_loop_has_left_does_not_stop_the_next_one() -> None:
    engine = WorkflowEngine("sequential")

    async def leave() -> None:
        await engine.start()
        engine.submit(bad.add, 1, 2)
        await asyncio.sleep(0)  # submitted, and its turn has not come

    async def use() -> int:
        async with engine:
            return await engine.submit(bad.add, 20, 22)

    asyncio.run(leave())
    assert asyncio.run(use()) == 42


def test_the_debugger_works_in_a_task(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent("""
            from asyncflow import WorkflowEngine

            engine = WorkflowEngine("sequential")

            @engine.function_task
            def secret(number):
                doubled = number * 2
                breakpoint()
                return doubled

            print("result:", engine.run(secret, 21))
        """)
    )
    done = subprocess.run(
        [sys.executable, script],
        input=b"p 'doubled is', doubled\nup\nc\n",
        capture_output=True,
        check=True,
        timeout=30,
    )
    assert b"('doubled is', 42)" in done.stdout
    assert b"result: 42" in done.stdout
