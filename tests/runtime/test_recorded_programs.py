"""Random programs on threads, with failures, cancels, blocks and questions: what is told of them is what happened."""

from __future__ import annotations

import asyncio
import random
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from profiles import examples

from asyncflow import Limit, Plan, Report, TaskFuture, WorkflowEngine
from asyncflow.events import Event, TaskCalled, TaskEnded
from asyncflow.report import AttemptReport

from .kit import turns


def same(*values: Any) -> int:
    return len(values)


def fail(*values: Any) -> int:
    raise ValueError("no")


class Program:
    """One, while it runs.

    Args:
        engine: runs it.
        chance: decides what it does.
    """

    def __init__(self, engine: WorkflowEngine, chance: random.Random) -> None:
        self._engine = engine
        self._chance = chance
        self.called: list[TaskFuture[Any]] = []
        few = Limit("few", concurrency=2)
        self._wiring = engine.block(self._wire, retries=1, retry_delay=0)
        self._waiting = engine.block(self._wait)
        self._coroutine = engine.function_task(self._ask, retries=2, retry_delay=[0, 0.001], limits=few)
        self._failing = engine.function_task(fail, retries=2, retry_delay=0, limits=few)

    def _wire(self, depth: int, *values: Any) -> Any:
        inside = [self.call(depth + 1) for _ in range(self._chance.randrange(3))]
        if self._chance.random() < 0.1:
            raise RuntimeError("of the body")
        return inside

    async def _wait(self, depth: int, *values: Any) -> Any:
        inside = [self.call(depth + 1) for _ in range(self._chance.randrange(3))]
        if inside and self._chance.random() < 0.5:
            with suppress(ValueError, RuntimeError):
                await inside[0]
        return inside[1:]

    async def _ask(self, *values: Any) -> int:
        if self._chance.random() < 0.3:
            await asyncio.sleep(0)
        elif self._chance.random() < 0.5:
            self._engine.report()
        if self._chance.random() < 0.2:
            raise ValueError("no")
        return len(values)

    def call(self, depth: int = 0) -> TaskFuture[Any]:
        """Call something, perhaps with what was called before."""
        before = (
            []
            if depth
            else self._chance.sample(self.called, min(len(self.called), self._chance.randrange(3)))
        )
        kind = self._chance.randrange(4 if depth > 3 else 8)
        if kind < 2:
            future = self._engine.submit(same, *before)
        elif kind == 2:
            task = self._failing if self._chance.random() < 0.5 else self._engine.function_task(fail)
            future = task(*before)
        elif kind == 3:
            future = self._coroutine(*before)
        elif kind < 6:
            future = self._wiring(depth, *before)
        else:
            future = self._waiting(depth, *before)
        self.called.append(future)
        return future

    async def run(self) -> None:
        """All of it."""
        for _ in range(self._chance.randint(1, 20)):
            self.call()
            fate = self._chance.random()
            if fate < 0.2:
                await turns()
            elif fate < 0.4:
                self._chance.choice(self.called).cancel()
            elif fate < 0.5:
                await asyncio.wait([self._chance.choice(self.called)])
        if self._chance.random() < 0.3:
            await self._engine.shutdown(wait=False)


async def ran(
    seed: int, segment: int, journal: Path
) -> tuple[Report, list[list[Event]], Sequence[TaskFuture[Any]]]:
    told: list[list[Event]] = []
    chance = random.Random(seed)
    engine = WorkflowEngine(
        "thread", workers=2, report_limit=200_000 if segment > 100 else 1, journal=journal
    )
    engine.subscribe(lambda events: told.append(list(events)))
    async with engine:
        run = engine._run
        assert run is not None
        assert run.record is not None
        run.record.size = segment
        program = Program(engine, chance)
        await program.run()
    for future in program.called:
        with suppress(asyncio.CancelledError):
            future.exception()  # somebody has looked at it
    return engine.report(), told, program.called


def _roughly(attempt: AttemptReport) -> Any:
    """The same attempt, but for what rounding makes of its times."""
    return tuple(pytest.approx(each, abs=1e-5) if isinstance(each, float) else each for each in attempt)


@pytest.mark.parametrize("segment", [3, 1000])
@given(seed=st.integers(0, 2**32))
@settings(examples(25))
def test_what_is_told_of_a_program_is_what_happened(segment: int, seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "run.jsonl")
        report, told, called = asyncio.run(ran(seed, segment, path))
        journal = Report.from_journal(path)
    states = {future.id: future.state for future in called}
    for batch in told:
        assert [event.time for event in batch] == sorted(event.time for event in batch)
    events = [event for batch in told for event in batch]
    assert [event.id for event in events if isinstance(event, TaskCalled)] == sorted(states)
    ends = [(event.id, event.state) for event in events if isinstance(event, TaskEnded)]
    assert sorted(ends) == sorted(states.items())
    assert {task.id: task.state for task in journal.tasks} == states
    assert {task.id: task.state for task in report.tasks}.items() <= states.items()
    assert sum(report.counts.values()) == len(states) == len(report.tasks) + report.dropped
    assert report.counts == journal.counts
    rows = {task.id for task in report.tasks}
    for task in report.tasks:
        in_journal = journal.task(task.id)
        assert (in_journal.attempts, in_journal.dependencies) == (task.attempts, task.dependencies)
        if rows.issuperset(task.dependencies):  # else the journal knows more of when it was ready
            assert in_journal.waits == pytest.approx(task.waits, abs=1e-5)
        assert task.over is not None
        assert in_journal.tries == tuple(_roughly(each) for each in task.tries)
        assert [each.number for each in task.tries] == list(range(1, len(task.tries) + 1))
        assert task.seconds == pytest.approx(task.over - task.called)
    assert sum(report.ledger.values()) == pytest.approx(report.total)
    if tasks := [task for task in report.tasks if task.kind != "block"]:
        assert len(Plan.from_wfformat(report.to_wfformat()).tasks) == len(tasks)
