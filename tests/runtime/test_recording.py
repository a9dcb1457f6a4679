"""What a run keeps of what happens, and whom it tells."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import subprocess
import sys
import threading
import tracemalloc
import weakref
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest

from asyncflow import InputFile, OutputFile, Report, WorkflowEngine, WrongLoop
from asyncflow._record.from_logs import history_of
from asyncflow._record.history import History
from asyncflow._record.journal import Journal
from asyncflow._record.snapshot import Snapshot
from asyncflow.events import Event, RunBegan, RunEnded, TaskCalled, TaskEnded, TaskStarted
from asyncflow.live import summary, watch
from asyncflow.testing.gate import Gate
from asyncflow.testing.manual import ManualBackend

from .kit import never_called, turns

SECONDS = 120
"""For each test: a hundred thousand tasks take long on a machine that does much else."""


def same(value: Any) -> Any:
    return value


def kinds(events: Sequence[Event]) -> list[str]:
    return [type(event).__name__ for event in events]


# -- reports ----------------------------------------------------------------------------------------------


def test_report_of_an_engine_that_never_ran_is_empty() -> None:
    report = WorkflowEngine().report()
    assert len(report.tasks) == 0
    assert report.counts == {}
    assert "0 tasks" in str(report)


async def test_report_can_be_asked_for_at_any_time() -> None:
    async with WorkflowEngine("thread") as engine:
        assert engine.report().counts == {}
        future = engine.submit(same, 1)
        assert engine.report().counts == {"READY": 1}
        await future
        assert engine.report().counts == {"SUCCEEDED": 1}
        assert not engine.report().is_over
    assert engine.report().is_over
    assert engine.report() == engine.report()


async def test_backend_that_runs_one_task_after_another_has_one_worker() -> None:
    async with WorkflowEngine("sequential") as engine:
        await asyncio.gather(engine.submit(same, 1), engine.submit(same, 2))
        report = engine.report()
    assert report.workers["backend 'sequential'"] == 1
    assert report.efficiency is not None
    assert 0 < report.efficiency <= 1


async def test_second_run_has_a_report_of_its_own() -> None:
    engine = WorkflowEngine("thread")
    async with engine:
        await engine.submit(same, 1)
    first = engine.report()
    async with engine:
        pass
    assert len(first.tasks) == 1
    assert len(engine.report().tasks) == 0
    assert engine.report().run != first.run


async def test_report_from_another_thread_is_refused_while_the_run_goes_on() -> None:
    async with WorkflowEngine("thread") as engine:
        with pytest.raises(WrongLoop, match=r"report\(\) was called from another thread"):
            await asyncio.to_thread(engine.report)
    assert await asyncio.to_thread(engine.report) == engine.report()


async def test_so_is_it_while_the_run_ends_and_listening_from_there() -> None:
    refused: list[str] = []

    async def asks(engine: WorkflowEngine) -> None:
        for question in (engine.report, lambda: engine.subscribe(print)):
            try:
                await asyncio.to_thread(question)
            except WrongLoop as error:
                refused.append(str(error).partition(" was")[0])

    async with WorkflowEngine("thread") as engine:

        @engine.function_task
        async def cleans_up() -> None:
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                await asks(engine)

        cleans_up()
        await turns()
        await asks(engine)
        await engine.shutdown(wait=False)
    # Whoever comes while one run ends is for the next.
    assert refused == ["report()", "subscribe()", "report()"]


async def test_engine_that_records_nothing_says_so() -> None:
    async with WorkflowEngine("thread", report_limit=0) as engine:
        assert await engine.submit(same, 1) == 1
        with pytest.raises(ValueError, match="report_limit=0 nothing is recorded"):
            engine.report()
        with pytest.raises(ValueError, match="report_limit=0 nothing is recorded"):
            engine.subscribe(print)
    with pytest.raises(ValueError, match="report_limit=0 nothing is recorded"):
        WorkflowEngine(report_limit=0, journal="run.jsonl")
    with pytest.raises(ValueError, match="report_limit=-1"):
        WorkflowEngine(report_limit=-1)


async def test_called_at_is_the_users_line_however_the_call_was_made() -> None:
    async with WorkflowEngine("thread") as engine:
        task = engine.function_task(same)
        await asyncio.gather(task(1), engine.submit(same, 2), *task.map([3, 4]), task(5))
        report = engine.report()
    assert {told.called_at.rpartition(", in ")[2] for told in report.tasks} == {
        "test_called_at_is_the_users_line_however_the_call_was_made"
    }
    assert len({told.called_at for told in report.tasks}) == 1
    assert len(report.tasks) == 5


async def test_blocks_and_workflows_are_told() -> None:
    async with WorkflowEngine("thread") as engine:

        @engine.block
        async def inner() -> Any:
            return await engine.submit(same, 1)

        @engine.block
        async def outer() -> Any:
            return await inner()

        with engine.workflow_scope("nightly"):
            await outer()
        await engine.submit(same, 2)
        report = engine.report()
    assert [(task.name, task.kind, task.block, task.workflow) for task in report.tasks] == [
        ("outer", "block", None, "nightly"),
        ("inner", "block", 1, "nightly"),
        ("same", "function", 2, "nightly"),
        ("same", "function", None, None),
    ]


async def test_what_others_do_is_told_as_awaited() -> None:
    async with WorkflowEngine("thread") as engine:
        given: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        future = engine.submit(same, [given])
        after = engine.submit(same, 3)
        await turns()
        given.set_result(7)
        assert await future == [7]
        await after
        report = engine.report()
    told = {task.name: task for task in report.tasks}
    assert told["Future"].kind == "awaitable"
    first, awaited, last = report.tasks
    assert first.dependencies == (awaited.id,)
    assert (first.name, last.name) == ("same", "same")
    assert awaited.called_at == first.called_at


async def test_call_that_is_refused_leaves_no_row() -> None:
    async with WorkflowEngine("thread") as one, WorkflowEngine("thread") as other:
        future = other.submit(same, 1)
        with pytest.raises(Exception, match="of another engine"):
            one.submit(same, future)
        await one.submit(same, 2)
        await future
        assert [task.id for task in one.report().tasks] == [2]


async def test_files_that_are_brought_and_published_are_counted(tmp_path: Path) -> None:
    source, target = tmp_path / "in.txt", tmp_path / "out.txt"
    source.write_bytes(b"x" * 1000)
    async with WorkflowEngine("thread", work_dir=tmp_path / "work") as engine:

        @engine.function_task
        def double(file: Path, out: Path) -> None:
            out.write_bytes(file.read_bytes() * 2)

        made = double(InputFile(source), OutputFile("out.txt", to=target))
        size = engine.submit(lambda path: path.stat().st_size, made.outputs["out.txt"])
        assert await size == 2000
        report = engine.report()
    first, second = report.tasks
    assert (first.bytes_in, first.bytes_out) == (1000, 2000)
    assert first.waits["staging"] > 0
    assert second.dependencies == (first.id,)  # and not what gave it the path


async def test_dry_run_has_a_report() -> None:
    async with WorkflowEngine("process", dry_run=True) as engine:
        await engine.submit(same, engine.submit(same, asyncio.sleep(0)))
        await engine.submit(same, 1)
    report = engine.report()
    assert report.counts == {"SUCCEEDED": 4}
    assert [task.name for task in report.tasks] == ["same", "sleep", "same", "same"]
    assert [task.dependencies for task in report.tasks] == [(2,), (), (1,), ()]


async def test_task_that_ran_out_of_time_is_told_with_the_time_that_it_really_took() -> None:
    gate = Gate()
    try:
        async with WorkflowEngine("thread", workers=1) as engine:
            slow = engine.function_task(gate.door.pass_through, timeout=0.01)()
            with pytest.raises(TimeoutError):
                await slow
            [task] = engine.report().tasks
            assert task.state == "CANCELLING"
            assert task.over is None
            gate.open()
            await engine.settled(slow)
            [task] = engine.report().tasks
    finally:
        gate.close()
    assert task.state == "FAILED"
    assert task.error.startswith("TaskTimeout: 'pass_through' (#1) ran longer than 0.01 s")
    assert task.finished is not None
    assert task.over is not None
    assert task.over >= task.finished


# -- bounds -----------------------------------------------------------------------------------------------


async def test_report_tells_of_the_latest_tasks_and_sums_up_the_rest() -> None:
    async with WorkflowEngine("thread", report_limit=1000) as engine:
        for _ in range(20):
            await asyncio.gather(*(engine.submit(same, number) for number in range(500)))
    report = engine.report()
    assert 1000 <= len(report.tasks) < 4000
    assert report.counts == {"SUCCEEDED": 10_000}
    assert report.functions["same"].count == 10_000
    assert report.tasks[-1].id == 10_000


async def test_engine_does_not_grow_with_the_tasks_that_it_has_run() -> None:
    async def some(engine: WorkflowEngine, bursts: int) -> None:
        for _ in range(bursts):
            await asyncio.gather(*(engine.submit(same, number) for number in range(1024)))
        engine.report()  # gives up at once what is given up a part at a time
        gc.collect()

    async with WorkflowEngine("thread", report_limit=1000) as engine:
        await some(engine, 8)
        tracemalloc.start()
        try:
            await some(engine, 8)
            before, _ = tracemalloc.get_traced_memory()
            await some(engine, 32)
            after, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert after - before < 32 * 1024  # a byte a task; tables have one of two sizes, 18 KiB apart


async def test_record_keeps_neither_functions_nor_results() -> None:
    class Large:
        pass

    async with WorkflowEngine("thread") as engine:

        def looking_at(value: Any) -> Any:
            return engine.function_task(lambda: value is None)

        @engine.block
        async def making() -> Any:
            await engine.submit(same, 1)
            return Large()

        given = Large()
        assert await looking_at(given)() is False
        kept = [weakref.ref(given), weakref.ref(await making())]
        del given
        await turns()
        gc.collect()
        assert [each() for each in kept] == [None, None]


async def test_what_is_kept_of_a_task_takes_less_than_a_hundred_bytes() -> None:
    count = 20_000
    async with WorkflowEngine("thread", report_limit=1_000_000) as engine:
        nothing = engine.function_task(lambda *_: None)
        row = [nothing() for _ in range(100)]
        await asyncio.gather(*row)
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            for _ in range(count // 100):  # each waits for three
                row = [nothing(*row[max(0, place - 1) : place + 2]) for place in range(100)]
            await asyncio.gather(*row)
            del row
            gc.collect()
            after, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert len(engine.report().tasks) == count + 100
    assert (after - before) / count < 100


# -- listeners --------------------------------------------------------------------------------------------


async def test_listener_is_told_what_happens_in_order() -> None:
    told: list[Event] = []
    engine = WorkflowEngine("sequential")
    engine.subscribe(told.extend)
    async with engine:
        await engine.submit(same, 1)
    assert kinds(told) == [
        "RunBegan",
        "TaskCalled",
        "TaskSubmitted",
        "TaskStarted",
        "TaskEnded",
        "RunEnded",
    ]
    assert [event.time for event in told] == sorted(event.time for event in told)


async def test_start_of_a_task_is_told_while_nothing_else_happens() -> None:
    gate, started = Gate(), asyncio.Event()

    def listen(events: Sequence[Event]) -> None:
        if any(isinstance(event, TaskStarted) for event in events):
            started.set()

    engine = WorkflowEngine("thread", workers=1)
    engine.subscribe(listen)
    try:
        async with engine:
            future = engine.submit(gate.door.pass_through)
            await started.wait()
            gate.open()
            await future
    finally:
        gate.close()


async def test_listener_that_comes_late_hears_from_then_on_and_of_the_run() -> None:
    told: list[Event] = []
    async with WorkflowEngine("thread") as engine:
        await engine.submit(same, 1)
        engine.subscribe(told.extend)
        await engine.submit(same, 2)
    assert [event.id for event in told if isinstance(event, TaskCalled)] == [2]
    assert [event.id for event in told if isinstance(event, TaskEnded)] == [2]
    assert isinstance(told[0], RunBegan)
    assert isinstance(told[-1], RunEnded)


async def test_listener_that_leaves_hears_nothing_more() -> None:
    told: list[Event] = []
    async with WorkflowEngine("thread") as engine:
        leave = engine.subscribe(told.extend)
        await engine.submit(same, 1)
        leave()
        heard = len(told)
        await engine.submit(same, 2)
        leave()
    assert len(told) == heard


async def test_listener_hears_of_all_runs_of_its_engine() -> None:
    told: list[Event] = []
    engine = WorkflowEngine("thread")
    engine.subscribe(told.extend)
    for _ in range(2):
        async with engine:
            await engine.submit(same, 1)
    assert kinds(told).count("RunBegan") == kinds(told).count("RunEnded") == 2
    assert len({event.run for event in told if isinstance(event, RunBegan)}) == 2


async def test_listener_that_raises_is_unplugged_and_the_run_goes_on(caplog: Any) -> None:
    told: list[Event] = []

    def wrong(events: Sequence[Event]) -> None:
        raise ValueError("no")

    async with WorkflowEngine("thread") as engine:
        engine.subscribe(wrong)
        engine.subscribe(told.extend)
        assert await engine.submit(same, engine.submit(same, 1)) == 1
    assert [record.message.partition(" at 0x")[0] for record in caplog.records] == [
        "<function test_listener_that_raises_is_unplugged_and_the_run_goes_on.<locals>.wrong"
    ]
    assert kinds(told).count("TaskEnded") == 2


async def test_listener_may_call_tasks() -> None:
    engine = WorkflowEngine("thread")
    called: list[Any] = []

    def again(events: Sequence[Event]) -> None:
        for event in events:
            if isinstance(event, TaskEnded) and len(called) < 3:
                called.append(engine.submit(same, event.id))

    engine.subscribe(again)
    async with engine:
        await engine.submit(same, 0)
        while len(called) < 3 or not all(future.done() for future in called):
            await asyncio.wait(list(called) or [asyncio.ensure_future(turns())])
    assert [future.result() for future in called] == [1, 2, 3]


async def test_starts_are_told_at_once_only_if_somebody_listens() -> None:
    hands = ManualBackend()
    async with WorkflowEngine(hands, report_limit=100) as engine:
        nothing = engine.function_task(same)
        for _ in range(3):  # more than fit into one segment of the record
            futures = [nothing(number) for number in range(1000)]
            await hands.received(futures[-1].id)
            assert not any(hands.work(future.id).tells_start for future in futures)
            for future in futures:
                hands.succeed(future.id)
            await asyncio.gather(*futures)
        engine.subscribe(print)
        last = nothing(1)
        work = await hands.received(last.id)
        assert work.tells_start
        hands.succeed(last.id)
        await last


def test_listener_has_to_be_a_plain_function() -> None:
    async def later(events: Sequence[Event]) -> None: ...

    for wrong in (later, None, 3):
        with pytest.raises(TypeError, match="a plain function is needed"):
            WorkflowEngine().subscribe(wrong)  # type: ignore[arg-type]


async def test_nothing_is_told_of_a_task_that_never_ran_but_its_call_and_end() -> None:
    told: list[Event] = []
    engine = WorkflowEngine("thread")
    engine.subscribe(told.extend)
    async with engine:
        given: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        future = engine.submit(never_called, given)
        await turns()
        future.cancel()
        await turns()
    mine = [event for event in told if getattr(event, "id", 0) == 1]
    assert kinds(mine) == ["TaskCalled", "TaskEnded"]
    assert mine[-1].state == "CANCELLED"  # type: ignore[union-attr]


async def test_listeners_hear_the_same_also_if_one_calls_the_engine_meanwhile() -> None:
    first: list[Event] = []
    second: list[Event] = []
    called: list[Any] = []
    async with WorkflowEngine("thread") as engine:

        def asking(events: Sequence[Event]) -> None:
            first.extend(events)
            if not called and "TaskCalled" in kinds(events):
                called.append(engine.submit(same, 2))
                engine.report()  # which takes stock, and so has something to tell

        engine.subscribe(asking)
        engine.subscribe(second.extend)
        await engine.submit(same, 1)
        await asyncio.wait(called)
    assert first == second
    assert [event.id for event in first if isinstance(event, TaskCalled)] == [1, 2]


async def test_listener_that_another_has_sent_away_hears_nothing_more() -> None:
    told: list[Event] = []
    async with WorkflowEngine("thread") as engine:
        engine.subscribe(lambda events: leave() if "TaskCalled" in kinds(events) else None)
        leave = engine.subscribe(told.extend)
        await engine.submit(same, 1)
    assert kinds(told) == ["RunBegan"]


async def test_every_task_is_told_to_end_once_whatever_has_run_it() -> None:
    told: list[Event] = []
    async with WorkflowEngine("thread") as engine:
        engine.subscribe(told.extend)

        @engine.block
        def wiring() -> Any:
            return engine.submit(same, 1)

        @engine.block
        async def waiting() -> Any:
            return await engine.submit(same, 2)

        @engine.block
        async def plain() -> int:
            return 3

        @engine.function_task
        async def coroutine() -> int:
            return 4

        assert await asyncio.gather(wiring(), waiting(), plain(), coroutine()) == [1, 2, 3, 4]
        report = engine.report()
    ends = [event for event in told if isinstance(event, TaskEnded)]
    assert sorted(event.id for event in ends) == [task.id for task in report.tasks]
    for event in ends:
        task = report.task(event.id)
        assert event.started is not None
        assert event.started - report.began == pytest.approx(task.started, abs=1e-5)


async def test_block_that_is_cancelled_while_it_waits_for_what_it_returned_has_run_its_body_only() -> None:
    path: list[Event] = []
    async with WorkflowEngine("thread") as engine:
        engine.subscribe(path.extend)
        given: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        @engine.block
        def wiring() -> Any:
            return engine.submit(never_called, given)

        block = wiring()
        await turns()
        (running,) = (task for task in engine.report().tasks if task.kind == "block")
        assert running.finished is not None
        block.cancel()
        await turns()
        report = engine.report()
    task = report.task(block.id)
    assert (task.started, task.finished) == (running.started, running.finished)
    (end,) = (event for event in path if isinstance(event, TaskEnded) and event.id == block.id)
    assert end.finished is not None
    assert end.finished - report.began == pytest.approx(task.finished, abs=1e-5)


async def test_listener_that_comes_when_another_has_left_hears_from_then_on() -> None:
    told: list[Event] = []
    async with WorkflowEngine("thread") as engine:
        leave = engine.subscribe(list)
        await engine.submit(same, 1)
        leave()
        await engine.submit(same, 2)
        engine.subscribe(told.extend)
        await engine.submit(same, 3)
    assert {event.id for event in told if not isinstance(event, RunBegan | RunEnded)} == {3}


async def test_failures_are_told_as_such_also_where_a_segment_of_the_record_ends() -> None:
    told: list[Event] = []
    hands = ManualBackend()
    async with WorkflowEngine(hands, report_limit=1) as engine:
        engine.subscribe(told.extend)
        fails = engine.function_task(same)
        first = fails(0)
        await hands.received(first.id)
        hands.begin(first.id)
        rest = [fails(number) for number in range(2000)]
        hands.fail(first.id, ValueError("no"))
        engine.report()  # takes the end together with the calls, of which there are more than a segment has
        assert isinstance(first.exception(), ValueError)
        await hands.received(rest[-1].id)
        for future in rest:
            hands.succeed(future.id)
        await asyncio.wait(rest)
        assert engine.report().counts == {"SUCCEEDED": 2000, "FAILED": 1}
    ends = [event for event in told if isinstance(event, TaskEnded)]
    assert [event.state for event in ends if event.id == first.id] == ["FAILED"]
    assert len(ends) == 2001


async def test_task_that_is_cancelled_and_comes_back_is_over_and_has_not_come_back() -> None:
    told: list[Event] = []
    hands = ManualBackend()
    async with WorkflowEngine(hands) as engine:
        engine.subscribe(told.extend)
        future = engine.submit(same, 1)
        await hands.received(future.id)
        future.cancel()
        hands.give_back(future.id)
        await turns()
        assert engine.report().counts == {"CANCELLED": 1}
    assert kinds(told) == ["RunBegan", "TaskCalled", "TaskSubmitted", "TaskEnded", "RunEnded"]


async def test_leaving_twice_is_leaving_once() -> None:
    told: list[Event] = []
    async with WorkflowEngine("thread") as engine:
        listener = told.extend
        leave = engine.subscribe(listener)
        engine.subscribe(listener)
        leave()
        leave()
        await engine.submit(same, 1)
    assert kinds(told).count("TaskEnded") == 1


async def test_body_on_the_loop_that_asks_has_begun_when_it_did() -> None:
    told: list[Event] = []

    async with WorkflowEngine("thread") as engine:
        engine.subscribe(told.extend)

        @engine.function_task
        async def asking() -> float:
            now = perf_counter()
            while perf_counter() - now < 0.001:
                pass
            (task,) = engine.report().tasks
            assert task.started is not None
            assert task.worker == "the event loop"
            return task.started

        started = await asking()
        (task,) = engine.report().tasks
    assert task.started == started
    (event,) = (event for event in told if isinstance(event, TaskStarted))
    assert event.worker == "the event loop"


async def test_what_asks_on_the_loop_leaves_nothing_behind() -> None:
    async with WorkflowEngine("thread", report_limit=1) as engine:

        @engine.function_task
        async def asking() -> str:
            return held.state

        @engine.block
        def wiring() -> Any:
            return engine.submit(same, 1)

        given: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        held = engine.submit(never_called, given)
        for _ in range(2000):
            await asking()
            await wiring()
        run = engine._run
        assert run is not None
        assert run.record is not None
        assert 1 < len(run.record.running) < 2000
        held.cancel()


async def test_what_is_left_behind_changes_no_report_when_it_ends() -> None:
    begun, go_on, ended = asyncio.Event(), threading.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def stubborn() -> None:
        loop.call_soon_threadsafe(begun.set)
        go_on.wait()

    engine = WorkflowEngine("thread", grace=0.001)
    async with engine:
        engine.submit(stubborn)
        await begun.wait()
        (thread,) = (each for each in threading.enumerate() if each.name == "asyncflow-1")
        await engine.shutdown(wait=False)
    report = engine.report()
    assert report.counts == {"CANCELLING": 1}
    assert report.tasks[0].finished is None
    go_on.set()
    await asyncio.to_thread(thread.join)
    loop.call_soon(ended.set)
    await ended.wait()
    assert engine.report() == report


# -- journals ---------------------------------------------------------------------------------------------


async def test_engines_may_share_a_journal(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    async with WorkflowEngine("thread", journal=path) as one, WorkflowEngine("thread", journal=path) as other:
        await one.submit(same, 1)
        await other.submit(len, "x")
        await one.submit(same, 2)
    for engine in (one, other):
        told = Report.from_journal(path, engine.report().run)
        assert [task.name for task in told.tasks] == [task.name for task in engine.report().tasks]
        assert told.is_over


async def test_journal_that_was_cut_off_takes_another_run(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    engine = WorkflowEngine("thread", journal=path)
    async with engine:
        await engine.submit(same, 1)
    first = engine.report().run
    path.write_bytes(path.read_bytes()[:-10])
    async with engine:
        await asyncio.gather(engine.submit(same, 1), engine.submit(same, 2))
    assert Report.from_journal(path).counts == {"SUCCEEDED": 2}
    assert Report.from_journal(path, first).counts == {"SUCCEEDED": 1}


def test_journal_can_be_closed_where_it_writes(tmp_path: Path) -> None:
    """The collector may find an engine on any thread."""
    journal = Journal(tmp_path / "run.jsonl")

    class Closing(list[Event]):
        def __iter__(self) -> Any:
            journal.close()
            return super().__iter__()

    journal(Closing([RunBegan(1.0, "a", {})]))
    journal._thread.join()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(journal._file)
    assert len((tmp_path / "run.jsonl").read_bytes().splitlines()) == 1


async def test_run_that_could_not_start_lets_go_of_its_journal(tmp_path: Path) -> None:
    class Broken(ManualBackend):
        async def start(self, report: Any) -> None:
            raise OSError("no")

    path = tmp_path / "run.jsonl"
    engine = WorkflowEngine(Broken(), journal=path)
    for _ in range(2):
        with pytest.raises(OSError, match="no"):
            await engine.__aenter__()
    assert not [thread for thread in threading.enumerate() if thread.name == "asyncflow-journal"]
    assert path.read_bytes().count(b"RunBegan") == path.read_bytes().count(b"RunEnded") == 2


async def test_runs_are_added_to_a_journal_and_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    engine = WorkflowEngine("thread", journal=path)
    names = []
    for number in (1, 2):
        async with engine:
            await asyncio.gather(*(engine.submit(same, each) for each in range(number)))
        names.append(engine.report().run)
    assert len(Report.from_journal(path).tasks) == 2
    assert len(Report.from_journal(path, names[0]).tasks) == 1
    with pytest.raises(LookupError, match="there is no run 'x'"):
        Report.from_journal(path, "x")
    lines = path.read_text().splitlines()
    assert {json.loads(line)["event"] for line in lines} >= {
        "RunBegan",
        "TaskCalled",
        "TaskEnded",
        "RunEnded",
    }


def test_journal_that_cannot_be_opened_is_told_at_the_start(tmp_path: Path) -> None:
    async def main() -> None:
        with pytest.raises(FileNotFoundError, match=r"nowhere/run\.jsonl"):
            async with WorkflowEngine("thread", journal=tmp_path / "nowhere" / "run.jsonl"):
                raise AssertionError("it must not come here")

    before = threading.enumerate()  # other libraries leave some of theirs
    asyncio.run(main())
    assert [thread.name for thread in threading.enumerate() if thread not in before] == []


async def test_disk_that_stalls_holds_up_the_shutdown_and_not_the_loop(tmp_path: Path) -> None:
    pipe = tmp_path / "run.jsonl"
    os.mkfifo(pipe)
    disk = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    os.set_blocking(disk, True)
    engine = WorkflowEngine("thread", journal=pipe)
    await asyncio.gather(*(engine.submit(same, number) for number in range(1000)))  # more than a pipe takes
    shutting = asyncio.create_task(engine.shutdown())
    await turns(100)
    assert not shutting.done()
    with open(disk, "rb") as file:
        told = await asyncio.to_thread(file.read)
    await shutting
    assert told.count(b'"event": "TaskEnded"') == 1000
    assert b'"event": "RunEnded"' in told


async def test_full_disk_costs_the_journal_what_is_told_meanwhile_and_not_the_run(caplog: Any) -> None:
    async with WorkflowEngine("thread", journal="/dev/full") as engine:
        assert await engine.submit(same, engine.submit(same, 1)) == 1
    (told,) = [record.message for record in caplog.records]
    assert told.startswith("journal '/dev/full' cannot be written, until there is room again: ")


async def test_journal_whose_file_somebody_else_has_closed_says_so_and_ends(
    tmp_path: Path, caplog: Any
) -> None:
    journal = Journal(tmp_path / "run.jsonl")
    os.close(journal._file)
    journal([RunBegan(1.0, "a", {})])
    journal.close()
    assert [record.levelname for record in caplog.records] == ["ERROR"]


async def test_journal_goes_on_when_the_disk_has_room_again_and_says_how_much_it_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    path, written, is_full = tmp_path / "run.jsonl", threading.Semaphore(0), True
    write = os.write

    def scarce(file: int, data: bytes) -> int:
        try:
            if is_full:
                raise OSError("No space left on device")
            return write(file, data)
        finally:
            written.release()

    journal = Journal(path)
    monkeypatch.setattr("asyncflow._record.journal.os.write", scarce)
    for number in (1, 2):
        journal([RunBegan(1.0, "a", {}), RunEnded(float(number), 0.0)])
        written.acquire()
    is_full = False
    journal([RunBegan(3.0, "a", {}), RunEnded(4.0, 0.0)])
    journal.close()
    lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    assert [line["event"] for line in lines] == ["EventsLost", "RunBegan", "RunEnded"]
    assert lines[0]["events"] == 4
    assert len(caplog.records) == 1


async def test_what_a_stalled_disk_does_not_take_is_bounded_and_the_journal_says_how_much_it_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    monkeypatch.setattr("asyncflow._record.journal._MOST", 500)
    pipe = tmp_path / "run.jsonl"
    os.mkfifo(pipe)
    disk = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    os.set_blocking(disk, True)
    engine = WorkflowEngine("sequential", journal=pipe)
    for _ in range(100):
        await asyncio.gather(*(engine.submit(same, number) for number in range(100)))
    shutting = asyncio.create_task(engine.shutdown())
    with open(disk, "rb") as file:
        told = await asyncio.to_thread(file.read)
    await shutting
    (message,) = [record.message for record in caplog.records]
    assert message.endswith("does not keep up; events are left out")
    copy = tmp_path / "copy.jsonl"
    copy.write_bytes(told)
    caplog.clear()
    report = Report.from_journal(copy)
    assert 0 < len(report.tasks) < 10_000
    assert "lacks" in caplog.text and "events of this run" in caplog.text
    assert report.is_over and report.counts.keys() <= {"SUCCEEDED"}  # and none is PENDING for ever
    assert report.lost and f"at least {report.lost:,} more are not written down" in str(report).replace(
        "\n  ", " "
    )
    lost = next(id for id, name in report._history.lost.items() if name)
    with pytest.raises(
        LookupError, match=rf"^what became of same \(#{lost}\) is not written down: the journal lacks"
    ):
        report.task(lost)
    assert Report.from_json(report.to_json()).lost == report.lost
    assert "not written down" in summary(report).splitlines()[0]
    assert watch(copy) is False


@pytest.mark.parametrize("has_reader", [False, True])
async def test_a_journal_that_takes_nothing_ends_no_later_than_the_grace_and_is_told_once(
    tmp_path: Path, has_reader: bool, caplog: Any
) -> None:
    pipe = tmp_path / "run.jsonl"
    os.mkfifo(pipe)
    disk = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK) if has_reader else None
    engine = WorkflowEngine("sequential", journal=pipe, grace=0.01)
    await asyncio.gather(*(engine.submit(same, number) for number in range(1000)))  # more than a pipe takes
    await engine.shutdown()
    (message,) = [record.message for record in caplog.records]
    assert "takes nothing; the last" in message
    if disk is not None:
        os.set_blocking(disk, True)
        with open(disk, "rb") as file:
            await asyncio.to_thread(file.read)
    for thread in threading.enumerate():
        if thread.name == "asyncflow-journal":
            thread.join()


KILLED = """
import os, signal, sys
from asyncflow import WorkflowEngine

engine = WorkflowEngine("process", workers=2, journal=sys.argv[1])

@engine.function_task
def work(number):
    return number

@engine.function_task
def last(numbers):
    signal.pause()

@engine.block
async def main():
    return await last([work(number) for number in range(50)])

engine.run(main)
"""


def test_journal_of_a_process_that_was_killed_gives_a_report(tmp_path: Path) -> None:
    pipe, path = tmp_path / "pipe", tmp_path / "run.jsonl"
    os.mkfifo(pipe)  # so that there is no need to look again and again at how far a file has come
    program = tmp_path / "killed.py"
    program.write_text(KILLED)
    told = b""
    with (
        subprocess.Popen([sys.executable, program, pipe]) as process,
        open(pipe, "rb", buffering=0) as journal,
    ):
        while b'"id": 52, "worker"' not in told:
            told += journal.read(100_000) or b""
        os.kill(process.pid, signal.SIGKILL)
        while more := journal.read(100_000):
            told += more
    path.write_bytes(told)
    report = Report.from_journal(path)
    assert not report.is_over
    assert report.counts["SUCCEEDED"] == 50
    assert [task.name for task in report.tasks if task.state == "RUNNING"] == ["main", "last"]
    assert "killed.py" in report.task(52).called_at
    assert str(report)


async def test_report_taken_on_the_way_stays_as_it_was() -> None:
    gate = asyncio.Event()
    async with WorkflowEngine("thread", report_limit=1) as engine:
        first = engine.function_task(gate.wait)()
        waiting = engine.submit(same, first)
        await turns()
        unread, read = engine.report(), engine.report()
        text, json = read.counts, read.to_json()
        gate.set()
        await waiting
        for _ in range(3):  # more than a segment has each time, so that the first are forgotten
            await asyncio.gather(*(engine.submit(same, number) for number in range(2000)))
        assert engine.report().dropped > 2
        assert unread.counts == read.counts == text
        assert json_but_for_the_moment(unread.to_json()) == json_but_for_the_moment(json)
        assert unread.task(waiting.id).state == "PENDING"


def json_but_for_the_moment(text: str) -> object:
    told = json.loads(text)
    return {name: value for name, value in told.items() if name != "now"}


async def test_asking_for_a_report_reads_no_log(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[object] = []

    def reading(told: Snapshot) -> History:
        read.append(told)
        return history_of(told)

    monkeypatch.setattr("asyncflow.report.report.history_of", reading)
    async with WorkflowEngine("thread") as engine:
        await asyncio.gather(*(engine.submit(same, number) for number in range(100)))
        report = engine.report()
        assert not read
        assert len(report.tasks) == 100
        assert str(report).startswith("Report: 100 tasks")
        assert len(read) == 1
        report = engine.report()
        assert "100 tasks" in await asyncio.to_thread(str, report)  # nothing of it is the loop's
