"""What a report tells of a run on the backend: everything, and nothing that was not so."""

from __future__ import annotations

import asyncio
from math import fsum
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest

from ... import Report, State, WorkflowEngine
from ...events import Event, TaskCalled, TaskEnded
from .. import bad_tasks as bad
from .. import failing_tasks
from ._base import Conformance, Engine, applies, asynchronous, failure_of

_TIMES = ("called", "ready", "staged", "submitted", "started", "finished", "over")


async def workload(engine: Engine) -> None:
    """A bit of everything: chains, a fan, a block, a coroutine, a failure with what depends on it, a cancel."""
    ends = [engine.submit(bad.add, 0, number) for number in range(20)]
    for _ in range(10):
        ends = [engine.submit(bad.add, future, 1) for future in ends]
    total = engine.submit(bad.total, ends)

    async def wire(number: int) -> Any:
        first = engine.submit(bad.add, number, 1)
        return engine.submit(bad.add_later, await first, 1)

    inside = engine.block(wire, name="inside")
    blocks = [inside(number) for number in range(5)]
    failed = engine.submit(failing_tasks.fail, "plain")
    after = engine.submit(bad.add, failed, 1)
    gone = engine.submit(bad.add, failed, 2)
    gone.cancel()
    await asyncio.wait([total, *blocks, failed, after])
    for future in (failed, after):
        future.exception()  # looked at


def times_of(task: object) -> list[float]:
    """Those that are known, in order."""
    return [time for name in _TIMES if (time := getattr(task, name)) is not None]


@asynchronous
class Reports(Conformance):
    """Times, states, ledgers; also from a journal."""

    async def test_every_call_is_in_the_report_with_its_state_and_what_it_waited_for(self) -> None:
        async with self.make_engine() as engine:
            one = engine.submit(bad.add, 0, 1)
            two = engine.submit(bad.add, one, 1)
            three = engine.function_task(bad.add).with_options(after=one)(two, two)
            await three
            report = engine.report()
        assert [(task.id, task.name, task.state) for task in report.tasks] == [
            (number, "add", State.SUCCEEDED) for number in (1, 2, 3)
        ]
        assert [task.dependencies for task in report.tasks] == [(), (1,), (2, 2, 1)]
        assert {task.attempts for task in report.tasks} == {1}
        assert {task.called_at.rpartition(", in ")[2] for task in report.tasks} == {
            "test_every_call_is_in_the_report_with_its_state_and_what_it_waited_for"
        }

    @applies(executes=True)
    async def test_states_are_counted_and_failures_say_why(self) -> None:
        async with self.make_engine() as engine:
            await workload(engine)
        report = engine.report()
        assert report.is_over
        assert report.counts == {"SUCCEEDED": 236, "FAILED": 1, "UPSTREAM_FAILED": 1, "CANCELLED": 1}
        [failed] = [task for task in report.tasks if task.state is State.FAILED]
        [after] = [task for task in report.tasks if task.state is State.UPSTREAM_FAILED]
        assert failed.error.startswith("ValueError")
        assert after.roots == (failed.id,)
        assert report.first_failure is not None
        assert report.first_failure.task == failed

    async def test_times_of_a_task_never_go_back_and_its_waits_are_all_of_its_time(self) -> None:
        async with self.make_engine() as engine:
            await workload(engine)
        for task in engine.report().tasks:
            told = times_of(task)
            assert told == sorted(told)
            assert task.over is not None
            assert fsum(task.waits.values()) == pytest.approx(task.over - task.called, abs=1e-9)

    async def test_ledger_is_the_wall_time(self) -> None:
        before = perf_counter()
        async with self.make_engine() as engine:
            entered = perf_counter()
            await workload(engine)
            early = perf_counter()
            report = engine.report()
            late = perf_counter()
        after = perf_counter()
        # No tolerance is needed: the clock was looked at before and after.
        assert early - entered <= report.total <= late - before
        assert fsum(report.ledger.values()) == pytest.approx(report.total, rel=1e-6)
        assert early - entered <= fsum(report.ledger.values()) * (1 + 1e-6)
        whole = engine.report()
        assert late - entered <= whole.total <= after - before
        assert fsum(whole.ledger.values()) == pytest.approx(whole.total, rel=1e-6)
        assert fsum(step.seconds for step in whole.critical_path) == pytest.approx(whole.total, rel=1e-6)

    @applies(overlaps=True)
    async def test_time_that_a_task_holds_on_is_time_that_it_runs(self) -> None:
        gate = self.gate()
        async with self.make_engine() as engine:
            future = engine.submit(bad.through, gate.door)
            await gate.reached()
            reached = perf_counter()
            for _ in range(1000):
                await asyncio.sleep(0)
            opened = perf_counter()
            gate.close()
            await future
            [task] = engine.report().tasks
        assert task.waits["run"] >= opened - reached

    @applies(overlaps=True, reports_starts=True)
    async def test_running_task_is_told_of_as_running(self) -> None:
        gate = self.gate()
        async with self.make_engine() as engine:
            future = engine.submit(bad.through, gate.door)
            await gate.reached()
            await self.knows_that_it_runs(engine, future)
            [task] = engine.report().tasks
            assert task.state is State.RUNNING
            assert task.started is not None
            assert task.over is None
            gate.close()
            await future

    @applies(executes=True, reports_runs=True)
    async def test_each_task_names_its_worker(self) -> None:
        async with self.make_engine() as engine:
            await asyncio.gather(*(engine.submit(bad.add, number, 1) for number in range(50)))
            failing = engine.submit(failing_tasks.fail, "plain")
            await failure_of(failing)
            workers = {task.worker for task in engine.report().tasks}
        assert "" not in workers
        assert 1 <= len(workers) <= self.workers

    async def test_nothing_of_a_task_is_told_twice_and_nothing_left_out(self) -> None:
        told: list[Event] = []
        engine = self.make_engine()
        engine.subscribe(told.extend)
        async with engine:
            await workload(engine)
        report = engine.report()
        called = [event for event in told if isinstance(event, TaskCalled)]
        ended = {event.id: event for event in told if isinstance(event, TaskEnded)}
        assert [event.id for event in called] == [task.id for task in report.tasks]
        assert sum(isinstance(event, TaskEnded) for event in told) == len(ended) == len(called)
        for task, call in zip(report.tasks, called, strict=True):
            assert ended[task.id].state == task.state
            assert call.dependencies == task.dependencies
            assert (call.name, call.called_at, call.block or None) == (task.name, task.called_at, task.block)

    async def test_journal_tells_what_the_report_tells(self, tmp_path: Path) -> None:
        path = tmp_path / "run.jsonl"
        async with WorkflowEngine(self.backend, grace=self.grace, journal=path) as engine:
            await workload(engine)
        report, read = engine.report(), Report.from_journal(path)
        assert read.run == report.run
        assert read.is_over
        assert read.counts == report.counts
        for mine, other in zip(report.tasks, read.tasks, strict=True):
            assert (
                mine.id,
                mine.name,
                mine.state,
                mine.worker,
                mine.error,
                mine.roots,
                mine.dependencies,
            ) == (
                other.id,
                other.name,
                other.state,
                other.worker,
                other.error,
                other.roots,
                other.dependencies,
            )
            assert other.waits == pytest.approx(mine.waits, abs=1e-5)
