"""A run that is followed by its journal, from another process."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncflow import WorkflowEngine
from asyncflow._record.lines import Written, line_of
from asyncflow.events import (
    Event,
    EventsLost,
    RunBegan,
    RunEnded,
    StreamBegan,
    StreamCounted,
    TaskAttemptFailed,
    TaskCalled,
    TaskEnded,
    TaskReturned,
    TaskStarted,
)
from asyncflow.live import summary, watch, watching
from asyncflow.live.followed import CountsOfEvents
from asyncflow.live.progress import Items

BEGAN = RunBegan(1000.0, "r", {"here": 2, "the event loop": None})
ENDS = ("SUCCEEDED", "FAILED", "UPSTREAM_FAILED", "SKIPPED", "CANCELLED")


def called(id: int, name: str) -> TaskCalled:
    return TaskCalled(1000.0, id, name, "function", "here", "", "x.py:1", None, 0, (), ())


def ended(id: int, state: str) -> TaskEnded:
    return TaskEnded(
        1002.0, id, state, 1001.0, 1002.0, "w", 0, "ValueError: no" if state == "FAILED" else "", ()
    )


@st.composite
def stories(draw: st.DrawFn) -> tuple[list[Written], Counter[tuple[str, str]]]:
    """Events of some tasks, each task's in order, and how they end."""
    queues: list[list[Written]] = []
    ends: Counter[tuple[str, str]] = Counter()
    for id in range(1, draw(st.integers(1, 12)) + 1):
        name = draw(st.sampled_from("fg"))
        story: list[Written] = [called(id, name)]
        for step in draw(st.lists(st.sampled_from(["start", "return", "fail"]), max_size=4)):
            story.append(
                TaskStarted(1001.0, id, "w")
                if step == "start"
                else TaskReturned(1001.0, id)
                if step == "return"
                else TaskAttemptFailed(1001.5, id, "OSError: x", 0.1, 1001.0, 1001.4, "w")
            )
        state = draw(st.none() | st.sampled_from(ENDS))
        if state is not None:
            story.append(ended(id, state))
            ends[name, state] += 1
        queues.append(story)
    told: list[Written] = []
    while any(queues):
        queue = draw(st.sampled_from([each for each in queues if each]))
        told.append(queue.pop(0))
    return told, ends


@given(stories())
def test_counts_add_up_after_any_order_of_events(
    given: tuple[Sequence[Written], Counter[tuple[str, str]]],
) -> None:
    told, ends = given
    counts = CountsOfEvents(BEGAN)
    for at, event in enumerate(told):
        counts.tell(event)
        progress = counts.take(1003.0)
        for each in progress.functions:
            assert each.waiting + each.running + each.over == each.called
            assert min(each.waiting, each.running, each.done, each.failed, each.other) >= 0
        assert progress.sums.called == sum(isinstance(each, TaskCalled) for each in told[: at + 1])
        assert progress.eta is None or progress.eta.least >= 0
    for each in counts.take(1003.0).functions:
        assert each.done == ends[each.name, "SUCCEEDED"]
        assert each.failed == ends[each.name, "FAILED"]
        assert each.other == sum(ends[each.name, state] for state in ENDS[2:])


@given(stories(), st.data())
def test_what_may_be_over_counts_neither_as_waiting_nor_as_running(
    given: tuple[Sequence[Written], Counter[tuple[str, str]]], data: st.DataObject
) -> None:
    told, ends = given
    lost = data.draw(st.lists(st.booleans(), min_size=len(told), max_size=len(told)))
    counts, known = CountsOfEvents(BEGAN), dict[int, bool]()  # whether it is known how each task stands
    for event, is_lost in zip(told, lost, strict=True):
        assert hasattr(event, "id")
        if is_lost:
            counts.tell(EventsLost(1002.0, 1))
            known = {id: is_known and id < 0 for id, is_known in known.items()}
        else:
            counts.tell(event)
            key = -event.id if isinstance(event, TaskEnded) else event.id  # what is over stays so
            is_called = isinstance(event, TaskCalled) or event.id in known
            known.pop(event.id, None)
            if is_called:
                known[key] = True
        progress = counts.take(1003.0)
        assert progress.sums.called == sum(known.values())
        for each in progress.functions:
            assert each.waiting + each.running + each.over == each.called
            assert min(each.waiting, each.running, each.done, each.failed, each.other) >= 0
    assert progress.sums.over <= sum(ends.values())


def test_what_was_lost_of_a_journal_is_passed_over() -> None:
    counts = CountsOfEvents(BEGAN)
    for event in (TaskStarted(1001.0, 7, "w"), ended(7, "FAILED"), TaskReturned(1001.0, 7)):
        counts.tell(event)
    assert counts.take(1002.0).functions == []


async def test_single_tasks_are_shown_with_their_labels() -> None:
    engine = WorkflowEngine(workers=2)
    heard: list[Event] = []
    engine.subscribe(heard.extend)
    held = threading.Event()

    @engine.function_task
    def fit(number: int) -> None:
        if number:
            raise ValueError(number)
        held.wait()

    async with engine:
        holds, *failing = fit.map([0, 1, 2], label=["a.csv", "b.csv", ""])
        await asyncio.gather(*failing, return_exceptions=True)
        while not any(isinstance(each, TaskStarted) and each.id == holds.id for each in heard):
            await asyncio.sleep(0)
        first, *others = heard
        assert isinstance(first, RunBegan)
        counts = CountsOfEvents(first)
        for event in others:
            counts.tell(event)
        progress = counts.take(first.time + 10)
        assert [each.name for each in progress.slowest] == [f"fit[a.csv] (#{holds.id})"]
        shown = [each.name for each in progress.failures]
        assert shown == ["fit[b.csv]", "fit"]
        told = summary(engine.report())
        assert f"fit[b.csv] (#{failing[0].id}), fit (#{failing[1].id})" in told
        held.set()
        await holds


async def test_events_of_a_real_run_count_what_its_report_does() -> None:
    engine = WorkflowEngine(workers=2)
    heard: list[Event] = []
    engine.subscribe(heard.extend)

    @engine.function_task
    def fit(number: int) -> int:
        if number % 3 == 0:
            raise ValueError(number)
        return number

    @engine.block
    async def main() -> None:
        await asyncio.gather(*fit.map(range(9)), return_exceptions=True)

    async with engine:
        await main()
    first, *others = heard
    assert isinstance(first, RunBegan)
    counts = CountsOfEvents(first)
    for event in others:
        counts.tell(event)
    progress = counts.take(0.0)
    assert progress.is_over
    assert (progress.sums.done, progress.sums.failed) == (6, 3)
    assert {each.name: each.called for each in progress.functions} == {"main": 1, "fit": 9}
    assert abs(progress.lasts - engine.report().total) < 0.001


def test_streams_that_a_journal_tells_of_are_a_total() -> None:
    counts = CountsOfEvents(BEGAN)
    counts.tell(StreamBegan(1000.0, 1, "f", "x.py:1", 0, 4, False, 10))
    for id in (1, 2, 3):
        counts.tell(called(id, "f"))
    counts.tell(ended(1, "SUCCEEDED"))
    counts.tell(StreamCounted(1002.0, 1, 3, 1, 0, 0, 1002.0, "open"))
    progress = counts.take(1003.0)
    assert (progress.sums.over, progress.sums.total, progress.sums.is_known) == (1, 10, True)
    assert progress.items == [Items("f", "item", 1, 2, 0, 0, 10)]
    counts.tell(StreamCounted(1002.0, 1, 3, 3, 3, 0, 1002.0, "left"))
    assert counts.take(1003.0).sums.total == 3


# -- a file -----------------------------------------------------------------------------------------------


def written(path: Path, *events: Written) -> None:
    path.write_bytes(b"".join(line_of(event, "r") for event in events))


def test_a_run_that_is_over_is_summed_up_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "run.jsonl"
    written(path, BEGAN, called(1, "fit"), ended(1, "SUCCEEDED"), RunEnded(1003.0, 0.0))
    assert watch(path) is True
    assert "asyncflow: 1 succeeded in 3 s" in capsys.readouterr().err
    written(path, BEGAN, called(1, "fit"), ended(1, "FAILED"), RunEnded(1003.0, 0.0))
    assert watch(path) is False
    assert "ValueError × 1: fit (#1)" in capsys.readouterr().err


def test_what_cannot_be_followed_is_told(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    path.touch()
    with pytest.raises(LookupError, match="there is no run yet"):
        watch(path)
    written(path, BEGAN)
    with pytest.raises(LookupError, match="there is no run 'other'"):
        watch(path, run="other")
    path.write_text("no journal\n")
    with pytest.raises(ValueError, match="line 1"):
        watch(path)
    with pytest.raises(OSError):
        watch(tmp_path / "none")
    with pytest.raises(TypeError, match="takes a path"):
        watch(1)  # type: ignore[arg-type]


def test_a_run_is_followed_until_it_ends(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "_PAUSE", 0.02)
    path = tmp_path / "run.jsonl"
    engine = WorkflowEngine(journal=path)
    looked = threading.Event()
    monkeypatch.setattr("asyncflow.live.painters.Lines.paint", lambda self, progress: looked.set())

    @engine.function_task
    def fit(number: int) -> int:
        assert looked.wait(60)  # somebody watches
        return number

    async def main() -> None:
        async with engine:
            future = fit(1)
            while not path.exists() or not path.stat().st_size:
                await asyncio.sleep(0.01)
            watched = asyncio.ensure_future(asyncio.to_thread(watch, path))
            await future
        assert await watched is True

    asyncio.run(main())
    assert "asyncflow: 1 succeeded in" in capsys.readouterr().err


def test_an_engine_that_was_killed_is_not_waited_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "_PAUSE", 0.05)
    path = tmp_path / "run.jsonl"
    program = (
        "import sys, time\n"
        "from asyncflow import WorkflowEngine\n"
        "engine = WorkflowEngine(journal=sys.argv[1])\n"
        "@engine.function_task\n"
        "def fit(x): print('begun', flush=True); time.sleep(600)\n"
        "@engine.block\n"
        "async def main(): await fit(1)\n"
        "engine.run(main)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE) as engine:
        assert engine.stdout is not None
        assert engine.stdout.readline() == b"begun\n"
        killer = threading.Timer(0.3, os.kill, (engine.pid, signal.SIGKILL))
        killer.start()
        assert watch(path) is False
        killer.join()
    told = capsys.readouterr().err
    assert "1 not over" in told
    assert "its engine is gone, and has not ended the run" in told
