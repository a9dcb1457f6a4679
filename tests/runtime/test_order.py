"""Which of the tasks that could run goes first, from the call to the worker."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from asyncflow import InputFile, OutputFile, WorkflowEngine, outcome
from asyncflow._engine.function_task import FunctionTask
from asyncflow.backend import STARTED
from asyncflow.report import Report
from asyncflow.testing import ManualBackend

from .kit import in_no_time, turns

PLACES = ["thread", "process", "sequential", "executor", "coroutines"]


def note(path: str, name: str, *_: object) -> str:
    """Adds a name to a file, since tasks may be in another process. It takes so long that nothing is handed ahead."""
    with open(path, "a") as file:
        file.write(name + " ")
    time.sleep(0.01)
    return name


async def anote(path: str, name: str, *_: object) -> str:
    with open(path, "a") as file:
        file.write(name + " ")
    await asyncio.sleep(0)
    return name


class Place:
    """An engine whose tasks run one at a time, and what they have noted."""

    def __init__(self, engine: WorkflowEngine, body: Callable[..., Any], path: Path) -> None:
        self.engine = engine
        self.task: FunctionTask[..., Any, Any] = engine.function_task(body)
        self._path = path

    def call(self, name: str, *after: object, **options: Any) -> Any:
        return self.task.with_options(**options)(str(self._path), name, *after)

    async def ran(self, *futures: Any) -> list[str]:
        """The names in the order in which they ran, once these futures are done."""
        await asyncio.gather(*futures)
        return self._path.read_text().split()


@pytest.fixture(params=PLACES)
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    kind, path = request.param, tmp_path / "ran"
    with ThreadPoolExecutor(1) as executor:
        if kind == "coroutines":
            made, body = WorkflowEngine(max_coroutines=1), anote
        else:
            made, body = WorkflowEngine(executor if kind == "executor" else kind), note
            if kind in ("thread", "process"):
                made = WorkflowEngine(kind, workers=1)
        async with made as engine:
            yield Place(engine, body, path)


async def test_the_highest_priority_goes_first(place: Place) -> None:
    given = {"a": 0, "b": -1, "c": 3, "d": None, "e": 3, "f": 0.5}
    calls = [place.call(name, priority=priority) for name, priority in given.items()]
    assert await place.ran(*calls) == ["c", "e", "f", "a", "d", "b"]


async def test_what_a_task_waits_for_goes_before_what_is_less_urgent_than_that_task(place: Place) -> None:
    low = [place.call(name) for name in "abc"]
    middle = place.call("middle", priority=1)
    urgent = place.call("urgent", place.call("between", low[2]), priority=2)
    assert await place.ran(*low, middle, urgent) == ["c", "between", "urgent", "middle", "a", "b"]


async def test_a_dependent_that_is_called_later_raises_what_it_waits_for(place: Place) -> None:
    urgent = place.call("urgent", priority=1)
    calls = [place.call(f"{number}") for number in range(30)]
    await urgent
    last = place.call("last", calls[-1], priority=5)
    ran = await place.ran(*calls, last)
    assert ran.index("29") < ran.index("28")


async def test_what_is_waited_for_by_way_of_its_outcome_is_raised_too(place: Place) -> None:
    calls = [place.call(name) for name in "abc"]
    urgent = place.call("urgent", place.call("between", outcome(calls[2])), priority=2)
    assert await place.ran(*calls, urgent) == ["c", "between", "urgent", "a", "b"]


async def test_calls_in_a_block_have_its_priority(place: Place) -> None:
    @place.engine.block(priority=2)
    async def block() -> None:
        given = {"lower": 1, "own": -1, "inside": None, "higher": 3}
        await asyncio.gather(*[place.call(name, priority=priority) for name, priority in given.items()])

    assert await place.ran(block()) == ["higher", "inside", "lower", "own"]


async def test_priorities_go_for_what_waits_for_limits(place: Place) -> None:
    place.engine.limit("one", concurrency=1)
    given = {"a": 0, "b": -1, "c": 3, "d": None, "e": 3}
    calls = [place.call(name, priority=priority, limits="one") for name, priority in given.items()]
    last = place.call("f", limits="one")
    assert await place.ran(*calls, last) == ["c", "e", "a", "d", "f", "b"]


async def test_who_waits_for_a_limit_is_raised_by_what_waits_for_it(place: Place) -> None:
    place.engine.limit("one", concurrency=1)
    calls = [place.call(name, limits="one") for name in "abcd"]
    urgent = place.call("urgent", calls[3], priority=1)
    ran = await place.ran(*calls, urgent)
    assert ran.index("d") < 2  # one may have begun in the same moment
    assert ran.index("urgent") < 3


async def test_with_priorities_too_light_tasks_do_not_overtake_a_heavy_one() -> None:
    engine = WorkflowEngine()
    engine.limit("slots", concurrency=2)
    begun: list[str] = []

    @engine.function_task(priority=1)
    async def job(name: str) -> None:
        begun.append(name)
        await asyncio.sleep(0)

    async with engine:
        given = {"a": 1, "heavy": 2, "b": 1, "c": 1}
        await asyncio.gather(
            *[job.with_options(limits={"slots": each})(name) for name, each in given.items()]
        )
    assert begun == ["a", "heavy", "b", "c"]


async def test_with_and_without_limits_tasks_stand_in_one_order(place: Place) -> None:
    place.engine.limit("many", concurrency=100)
    await place.call("first", priority=1)
    calls = [
        place.call(f"{priority}", priority=priority, limits=limits, retries=retries)
        for priority, limits, retries in (
            (1, None, 0),
            (2, "many", 0),
            (3, None, 2),
            (4, "many", 2),
            (5, None, 0),
        )
    ]
    ran = await place.ran(*calls)
    assert ran[1:] in (["5", "4", "3", "2", "1"], ["5", "3", "4", "2", "1"], ["5", "3", "1", "4", "2"])


async def test_with_priorities_a_task_is_tried_again_as_without(place: Place, tmp_path: Path) -> None:
    place.engine.limit("one", concurrency=1)

    def fails_once(path: str) -> int:
        with open(path, "a+") as file:
            file.write("x")
            file.seek(0)
            count = len(file.read())
        if count == 1:
            raise ValueError
        return count

    task = place.engine.function_task(fails_once, retries=1, retry_delay=0, priority=1)
    limited = task.with_options(limits="one")
    assert await asyncio.gather(task(str(tmp_path / "1")), limited(str(tmp_path / "2"))) == [2, 2]


async def test_what_was_called_before_the_first_priority_came_goes_by_it_too(tmp_path: Path) -> None:
    engine = WorkflowEngine("sequential")
    place = Place(engine, note, tmp_path / "ran")
    async with engine:
        calls = [place.call(name, retries=1) for name in "ab"]
        await calls[0]
        again = place.task.with_options(retries=1)
        calls += [
            again(str(tmp_path / "ran"), "c"),
            place.call("urgent", priority=1),
            again(str(tmp_path / "ran"), "d"),
        ]
        assert await place.ran(*calls) == ["a", "b", "urgent", "c", "d"]


async def test_without_any_priority_too_what_was_begun_is_finished_first() -> None:
    engine = WorkflowEngine(max_coroutines=1)
    ran: list[str] = []

    @engine.function_task
    async def step(name: str, *_: object) -> None:
        ran.append(name)

    async with engine:
        firsts = [step(f"{number}a") for number in range(3)]
        await asyncio.gather(*[step(f"{number}b", first) for number, first in enumerate(firsts)])
    assert ran == ["0a", "0b", "1a", "1b", "2a", "2b"]


async def test_with_priorities_a_backend_is_handed_no_more_than_its_workers_do() -> None:
    hands = ManualBackend()
    hands.workers = 2
    engine = WorkflowEngine(hands)
    task = engine.function_task(note, priority=0)
    async with engine:
        calls = [task.with_options(name=name)("", name) for name in "abcd"]
        await turns()
        assert hands.waiting == ["a", "b"]
        calls.append(task.with_options(name="urgent", priority=1)("", "urgent"))
        await turns()
        assert hands.waiting == ["a", "b"]
        await engine.shutdown(wait=False)
    assert all(call.cancelled() for call in calls)


async def test_files_are_brought_by_priority_too(tmp_path: Path) -> None:
    (tmp_path / "in").write_text("x")
    async with WorkflowEngine("sequential") as engine:
        ran: list[str] = []

        @engine.function_task
        def read(name: str, file: Any, *_: object, out: Any = OutputFile("out")) -> None:
            ran.append(name)
            Path(out).write_text(name)

        source = InputFile(tmp_path / "in")
        low = [read(name, source) for name in "ab"]
        urgent = read.with_options(priority=1)("urgent", source, low[1])
        plain = engine.function_task(ran.append)("plain")
        await asyncio.gather(*low, urgent, plain)
    assert sorted(ran) == ["a", "b", "plain", "urgent"]
    assert ran.index("urgent") > ran.index("b")


@pytest.mark.parametrize("limited_by", ["an option of the engine", "a limit"])
@in_no_time
async def test_with_ageing_what_is_not_urgent_has_its_turn(limited_by: str) -> None:
    is_limit = limited_by == "a limit"
    engine = WorkflowEngine(max_coroutines=None if is_limit else 1, ageing=1.0)
    engine.limit("one", concurrency=1)
    begun: list[str] = []

    @engine.function_task(limits="one" if is_limit else None)
    async def work(name: str) -> None:
        begun.append(name)
        await asyncio.sleep(0.5)

    async with engine:
        urgent = work.with_options(priority=3)
        calls = [urgent("urgent"), work("low")]
        while not calls[1].done():
            calls += [urgent("urgent"), urgent("urgent")]
            await asyncio.sleep(0.5)
        await engine.shutdown(wait=False)
    assert 3 <= begun.index("low") <= 20


# -- what is told of it -----------------------------------------------------------------------------------


async def test_explain_tells_a_priority_and_one_that_was_inherited() -> None:
    engine = WorkflowEngine(max_coroutines=1)

    @engine.function_task
    async def step(*_: object) -> None: ...

    async with engine:
        plain, low, own = step(), step(), step.with_options(priority=2.5)()
        urgent = step.with_options(priority=7)(low, own)
        told = [each.explain().splitlines()[-1] for each in (low, own, urgent)]
        assert told == [
            "  no priority of its own, but something waits for it of priority 7",
            "  priority 2.5, but something waits for it of priority 7",
            "  priority 7",
        ]
        assert plain.explain().endswith("  story: PENDING -> READY")
        await asyncio.gather(plain, urgent)


async def test_a_report_tells_priorities_and_so_does_one_of_a_journal(tmp_path: Path) -> None:
    engine = WorkflowEngine(journal=tmp_path / "journal")

    @engine.function_task
    async def step() -> None: ...

    @engine.block(priority=2)
    async def block() -> None:
        await asyncio.gather(step(), step.with_options(priority=-1)())

    async with engine:
        await asyncio.gather(step(), block())
    report = engine.report()
    for told in (report, Report.from_json(report.to_json()), Report.from_journal(tmp_path / "journal")):
        assert [task.priority for task in told.tasks] == [0, 2, 2, -1]
    assert '"priority": -1' in (tmp_path / "journal").read_text()


@pytest.mark.parametrize("given", ["high", True, [1], float("nan"), float("inf")])
def test_what_is_no_priority_is_refused_where_it_is_given(given: Any) -> None:
    engine = WorkflowEngine()
    with pytest.raises((TypeError, ValueError), match=r"'note': priority=.*number is needed"):
        engine.function_task(note, priority=given)
    with pytest.raises((TypeError, ValueError), match=r"'note': priority=.*number is needed"):
        engine.function_task(note).with_options(priority=given)


@pytest.mark.parametrize("given", [0, -1, "1", float("inf")])
def test_what_is_no_time_to_age_in_is_refused(given: Any) -> None:
    with pytest.raises((TypeError, ValueError), match=r"ageing=.*seconds"):
        WorkflowEngine(ageing=given)


async def test_reports_that_come_while_others_are_looked_at_disturb_nothing() -> None:
    engine = WorkflowEngine("thread", workers=2)
    task = engine.function_task(lambda x: x, name="same", priority=1)
    async with engine:
        assert await task(0) == 0
        events = engine._run.inbox._events  # type: ignore[union-attr]

        def another(
            phase: str, info: object
        ) -> None:  # as a worker thread that has its turn in the midst of it
            events.append((STARTED, 1 << 40, None))

        threshold = gc.get_threshold()
        gc.callbacks.append(another)
        gc.set_threshold(1)
        try:
            assert await asyncio.gather(*map(task, range(200))) == [*range(200)]
        finally:
            gc.set_threshold(*threshold)
            gc.callbacks.remove(another)
