"""Each attempt of a task is in the report, and what was waited for between attempts and for limits."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest

from asyncflow import Report, State, WorkflowEngine
from asyncflow.events import Event, TaskAdmitted, TaskAttemptFailed, TaskEnded

from .kit import Heard, turns

KINDS = ["function", "coroutine", "block", "command"]


def counted(path: str, good: int) -> str:
    """Fails up to its n-th call; a file counts, since attempts may be in other processes."""
    with open(path, "a+") as file:
        file.write("x")
        file.seek(0)
        seen = len(file.read())
    if seen < good:
        raise OSError(f"reset {seen}")
    return f"{seen}"


async def acounted(path: str, good: int) -> str:
    return counted(path, good)


def made(engine: WorkflowEngine, kind: str, **options: Any) -> Any:
    if kind == "command":
        return engine.executable_task(
            lambda path, good: f"echo x >> {path} && test $(wc -l < {path}) = {good}", name="fetch", **options
        )
    if kind == "block":
        return engine.block(acounted, name="fetch", **options)
    return engine.function_task(acounted if kind == "coroutine" else counted, name="fetch", **options)


@pytest.mark.parametrize("backend", ["sequential", "thread", "process"])
@pytest.mark.parametrize("kind", KINDS)
async def test_each_attempt_is_told_with_its_times_its_worker_and_its_error(
    backend: str, kind: str, tmp_path: Path
) -> None:
    events: list[Event] = []
    options: Any = {"journal": tmp_path / "journal", "work_dir": tmp_path / "work"}
    async with WorkflowEngine(backend, **options) as engine:
        engine.subscribe(events.extend)
        future = made(engine, kind, retries=5, retry_delay=[0.02, 0])(str(tmp_path / "count"), 3)
        await future
    report = engine.report()
    task = report.task(future.id)
    assert future.attempts == task.attempts == len(task.tries) == 3
    first, second, third = task.tries
    assert (first.number, second.number, third.number) == (1, 2, 3)
    assert (first.state, second.state, third.state) == (State.FAILED, State.FAILED, State.SUCCEEDED)
    assert first.error and second.error and not third.error
    assert (first.delay, second.delay) == (0.02, 0)
    assert first.worker == task.worker
    assert first.worker or kind == "command"  # which are told of no worker
    for each in task.tries:
        assert each.submitted is not None and each.started is not None and each.finished is not None
        assert each.submitted <= each.started <= each.finished
    assert first.finished is not None and second.started is not None
    assert second.started - first.finished >= 0.02
    assert task.waits["retry"] == pytest.approx(0.02, abs=1e-6)
    assert sum(task.waits.values()) == pytest.approx(task.seconds)
    assert report.counts == {"SUCCEEDED": 1}
    assert Report.from_json(report.to_json()) == report
    in_journal = Report.from_journal(tmp_path / "journal").task(future.id)
    assert [each.error for each in in_journal.tries] == [each.error for each in task.tries]
    assert in_journal.waits == pytest.approx(task.waits, abs=1e-5)
    ends = [type(each) for each in events if isinstance(each, TaskAttemptFailed | TaskEnded)]
    assert ends == [TaskAttemptFailed, TaskAttemptFailed, TaskEnded]
    (told,) = [each["args"] for each in report.to_chrome_trace()["traceEvents"] if each["ph"] == "X"]
    assert [each["error"] for each in told["failed attempts"]] == [first.error, second.error]
    json.dumps(told)


async def test_an_attempt_whose_worker_died_is_told_too(tmp_path: Path) -> None:
    mark = tmp_path / "mark"

    def dies() -> None:
        if not mark.exists():
            mark.touch()
            os.kill(os.getpid(), 9)

    async with WorkflowEngine("process") as engine:
        future = engine.function_task(dies, retries=1, retry_delay=0)()
        await future
    first, second = engine.report().task(future.id).tries
    assert first.error.startswith("WorkerDied") and second.state is State.SUCCEEDED


async def test_who_is_cancelled_during_a_delay_has_no_other_attempt() -> None:
    async with WorkflowEngine() as engine:
        heard = Heard(engine)
        future = made(engine, "coroutine", retries=1, retry_delay=1000)("/", 3)
        await heard.of(TaskAttemptFailed)
        assert future.state is State.READY
        waiting = engine.report().task(future.id)
        future.cancel()
    over = engine.report().task(future.id)
    for told in waiting, over:
        (attempt,) = told.tries
        assert attempt.state is State.FAILED and attempt.error.startswith("IsADirectoryError")
        assert told.waits["retry"] > 0 and told.started is None
    assert over.state is State.CANCELLED


@pytest.mark.parametrize("kind", KINDS)
async def test_time_that_is_waited_for_a_limit_counts_as_such(kind: str, tmp_path: Path) -> None:
    events: list[Event] = []
    gate = asyncio.Event()
    async with WorkflowEngine() as engine:
        engine.subscribe(events.extend)
        engine.limit("api", concurrency=1)
        first = engine.function_task(gate.wait, limits="api")()
        await asyncio.sleep(0)
        second = made(engine, kind, limits="api")(str(tmp_path / "count"), 1)
        await turns()  # it waits from here on
        await asyncio.sleep(0.05)
        waiting = engine.report().task(second.id).waits
        gate.set()
        await asyncio.gather(first, second)
    over = engine.report().task(second.id).waits
    assert 0.04 < waiting["limit"] <= over["limit"]
    assert over["queue"] < over["limit"]
    assert [each.id for each in events if isinstance(each, TaskAdmitted)] == [
        second.id
    ]  # the first never waited


async def test_attempts_count_once_among_tasks_that_are_told_of_no_longer(tmp_path: Path) -> None:
    async with WorkflowEngine(report_limit=1) as engine:
        for number in range(3):
            await made(engine, "coroutine", retries=5, retry_delay=0)(str(tmp_path / str(number)), 3)
        for _ in range(5000):
            await engine.submit(abs, 1)
    report = engine.report()
    assert report.dropped
    assert report.functions["fetch"].states == {"SUCCEEDED": 3}
