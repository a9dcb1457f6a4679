"""What the logger `asyncflow` and its children say at INFO and DEBUG, and that by default they say nothing."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from asyncflow import TaskFuture, UpstreamFailed, WorkerDied, WorkflowEngine
from asyncflow._record.journal import Journal
from asyncflow._runtime import log
from asyncflow.backend import SUCCEEDED
from asyncflow.testing import ManualBackend

from .kit import script

BACKENDS = ["sequential", "thread", "process"]


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Iterator[Said]:
    with caplog.at_level(logging.DEBUG, "asyncflow"):
        yield Said(caplog)


class Said:
    """Lines of one logger."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self._caplog = caplog

    def by(self, name: str, level: int) -> list[str]:
        return [
            re.sub(
                r"\b[0-9a-f]{12}\b", "NAME", re.sub(r"(?<=after )[0-9.e-]+ s", "TIME", record.getMessage())
            )
            for record in self._caplog.records
            if (record.name, record.levelno) == (f"asyncflow.{name}", level)
        ]


def fails(*_: Any) -> None:
    raise ValueError("need 2 rows")


def passed_on(*values: Any) -> Any:
    return values


async def ended(*futures: TaskFuture[Any]) -> None:
    await asyncio.wait(futures)
    for future in futures:
        if not future.cancelled():
            future.exception()


# -- runs -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", BACKENDS)
async def test_a_run_is_logged_at_its_beginning_and_end_with_counts(backend: str, said: Said) -> None:
    async with WorkflowEngine(backend, workers=2) as engine:
        task = engine.function_task(passed_on)
        first = engine.function_task(fails)()
        await ended(task(1), task(2), first, second := task(first), task(second))
    many = 1 if backend == "sequential" else 2
    assert said.by("run", logging.INFO) == [
        f"run NAME began: the event loop, this machine (2 at once), backend '{backend}' ({many} at once)",
        "run NAME ended after TIME with 5 tasks: 2 succeeded, 1 failed, 2 did not run because others failed\n"
        "  2 did not run because of fails (#1)",
    ]
    assert said.by("run", logging.DEBUG) == []


async def test_cancelled_tasks_are_counted(said: Said) -> None:
    async with WorkflowEngine("sequential") as engine:
        waits = engine.function_task(asyncio.Event().wait)
        futures = [waits(), waits(), waits()]
        await asyncio.sleep(0)
        futures[0].cancel()
        await engine.settled(futures[0])
        await engine.shutdown(wait=False)
    assert (
        said.by("run", logging.INFO)[-1]
        == "run NAME ended after TIME with 3 tasks: 0 succeeded, 3 were cancelled"
    )
    assert "'wait' (#1) was cancelled" in said.by("task", logging.DEBUG)


async def test_a_run_without_tasks_or_records_is_logged_all_the_same(said: Said) -> None:
    async with WorkflowEngine("sequential", report_limit=0):
        pass
    assert said.by("run", logging.INFO)[-1] == "run ended after TIME with 0 tasks"


async def test_a_dry_run_says_so_and_a_plan_says_nothing(said: Said) -> None:
    async with WorkflowEngine("sequential", dry_run=True) as engine:
        await engine.submit(len, [])
    assert said.by("run", logging.INFO)[-1] == "dry run NAME ended after TIME with 1 task: 1 succeeded"
    lines = len(said.by("run", logging.INFO))
    await engine.plan(engine.function_task(fails))
    assert len(said.by("run", logging.INFO)) == lines


async def test_a_run_that_cannot_begin_says_why(said: Said) -> None:
    class Broken(ManualBackend):
        async def start(self, report: Any) -> None:
            raise OSError("no room")

    with pytest.raises(OSError, match="no room"):
        await WorkflowEngine.create(Broken())
    assert said.by("run", logging.INFO) == ["run NAME could not begin: OSError: no room"]


def test_a_run_whose_loop_was_closed_is_logged_as_over(said: Said) -> None:
    async def main() -> None:
        engine = await WorkflowEngine.create("sequential")
        await engine.submit(len, [])

    asyncio.run(main())
    gc.collect()
    assert said.by("run", logging.INFO)[-1] == "run NAME ended after TIME with 1 task: 1 succeeded"


async def test_reports_about_tasks_that_are_over_are_counted_at_the_end(
    said: Said, hands: ManualBackend
) -> None:
    async with WorkflowEngine(hands) as engine:
        future = engine.submit(len, [])
        work = await hands.received(1)
        hands.succeed(1, 0)
        hands.tell(SUCCEEDED, work.id, 0)
        await future
    assert said.by("run", logging.DEBUG) == ["run NAME: reports about tasks unknown or over: 1"]


# -- failures ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", BACKENDS)
async def test_a_failure_is_logged_once_at_its_root_and_what_did_not_run_at_debug(
    backend: str, said: Said
) -> None:
    async with WorkflowEngine(backend, workers=1) as engine:
        task = engine.function_task(passed_on)
        future = task(task(engine.function_task(fails)([1])))
        with pytest.raises(UpstreamFailed):
            await future
    assert said.by("task", logging.INFO) == [
        "'fails' (#1) failed: ValueError: need 2 rows; called as fails([1])"
    ]
    assert said.by("task", logging.DEBUG) == [
        "'passed_on' (#2) did not run because of fails (#1)",
        "'passed_on' (#3) did not run because of fails (#1)",
    ]


async def test_of_a_million_failures_the_first_are_at_info(
    said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "_FAILURES", 2)
    async with WorkflowEngine("sequential") as engine:
        await ended(*[engine.submit(fails) for _ in range(5)])
    assert [line.partition(":")[0] for line in said.by("task", logging.INFO)] == [
        "'fails' (#1) failed",
        "'fails' (#2) failed",
        "2 tasks have failed; further failures of this run are logged at DEBUG",
    ]
    assert len(said.by("task", logging.DEBUG)) == 3


# -- workers ----------------------------------------------------------------------------------------------


def dies() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def test_a_worker_that_dies_is_logged_with_what_it_ran(said: Said) -> None:
    async with WorkflowEngine("process", workers=1) as engine:
        with pytest.raises(WorkerDied) as caught:
            await engine.submit(dies)
        await engine.submit(len, [])
    pid = caught.value.pid
    assert said.by("worker", logging.INFO) == [
        f"process {pid} died by signal SIGKILL while it ran 'dies' (#1)"
    ]
    started, died, ended_well = said.by("worker", logging.DEBUG)
    assert started == f"process {pid} was started"
    assert re.fullmatch(r"process \d+ was started", died)
    assert re.fullmatch(r"process \d+ has ended, after 1 tasks", ended_well)


async def test_an_idle_worker_that_dies_is_logged(said: Said) -> None:
    async with WorkflowEngine("process", workers=1) as engine:
        pid = await engine.submit(os.getpid)
        os.kill(pid, signal.SIGKILL)
        assert await engine.submit(os.getpid) != pid
    assert said.by("worker", logging.INFO) == [f"process {pid} died by signal SIGKILL while it was idle"]


async def test_threads_are_logged_at_debug(said: Said) -> None:
    async with WorkflowEngine("thread", workers=1) as engine:
        await engine.submit(len, [])
    assert said.by("worker", logging.DEBUG) == ["thread asyncflow-1 was started", "1 threads have ended"]
    assert said.by("worker", logging.INFO) == []


# -- lost events ------------------------------------------------------------------------------------------


def test_lost_events_are_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: Any) -> None:
    monkeypatch.setattr("asyncflow._record.journal._MOST", 0)
    journal = Journal(tmp_path / "run.jsonl", 5.0)
    with caplog.at_level(logging.INFO, "asyncflow"):
        journal([1, 2, 3])  # type: ignore[list-item]
        journal.close()
    assert (
        f"journal {str(tmp_path / 'run.jsonl')!r}: 3 events are lost: it did not keep up" in caplog.messages
    )


# -- what it costs ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", BACKENDS)
async def test_of_a_task_that_goes_well_nothing_is_logged(backend: str, said: Said) -> None:
    async with WorkflowEngine(backend, workers=1) as engine:
        task = engine.function_task(passed_on)
        await asyncio.gather(*[task(task(number)) for number in range(20)])
    assert said.by("task", logging.INFO) + said.by("task", logging.DEBUG) == []


async def test_no_text_is_made_of_what_nobody_sees(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> str:
        raise AssertionError("text was made")

    monkeypatch.setattr(log, "brief", never)
    monkeypatch.setattr(log, "spelled", never)
    monkeypatch.setattr(log, "counted", never)
    async with WorkflowEngine("sequential") as engine:
        first = engine.submit(fails)
        await ended(first, engine.submit(passed_on, first))


def test_nothing_is_printed_by_default() -> None:
    done = script(
        """
        import asyncio, os
        from asyncflow import WorkflowEngine, WorkerDied

        async def main():
            async with WorkflowEngine("process", workers=1) as engine:
                for fn in (lambda: 1 / 0, lambda: os.kill(os.getpid(), 9)):
                    try:
                        await engine.submit(fn)
                    except (ZeroDivisionError, WorkerDied):
                        pass

        asyncio.run(main())
        """
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
