"""The thread backend: the contract, and what is special to worker threads."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from typing import Any

import pytest

from asyncflow import WorkflowEngine
from asyncflow.backends.thread import ThreadBackend, usable_cpus
from asyncflow.testing import Gate
from asyncflow.testing import bad_tasks as bad
from asyncflow.testing.conformance import BackendConformance, Piece, Record


class TestThread(BackendConformance):
    """Worker threads of our own."""

    def make_backend(self) -> ThreadBackend:
        return ThreadBackend(workers=self.workers)


def ours() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("asyncflow-")]


def ident() -> int:
    return threading.get_ident()


def test_there_are_as_many_workers_as_usable_cpus_unless_told_otherwise() -> None:
    assert ThreadBackend().workers == usable_cpus() >= 1
    assert ThreadBackend(workers=7).workers == 7


async def test_workers_option_of_the_engine_sets_how_many_run_at_once() -> None:
    with Gate() as gate:
        async with WorkflowEngine("thread", workers=3) as engine:
            futures = [engine.submit(bad.through, gate.door, number) for number in range(4)]
            await gate.reached(3)
            assert [future.state for future in futures] == ["RUNNING"] * 3 + ["SUBMITTED"]
            assert len(ours()) == 3
            gate.open()
            await gate.reached(4)
            gate.close()


async def test_threads_are_started_when_work_needs_them_and_not_before() -> None:
    async with WorkflowEngine("thread", workers=8) as engine:
        assert ours() == []
        await engine.submit(bad.add, 1, 2)
        assert len(ours()) == 1
        with Gate() as gate:
            futures = [engine.submit(bad.through, gate.door) for _ in range(3)]
            await gate.reached(3)
            assert len(ours()) == 3
            gate.close()
            for future in futures:
                await future


async def test_a_thread_runs_one_task_after_another() -> None:
    async with WorkflowEngine("thread", workers=1) as engine:
        idents = {await engine.submit(ident) for _ in range(10)}
    assert len(idents) == 1
    assert idents != {ident()}


async def test_threads_are_daemons() -> None:
    async with WorkflowEngine("thread") as engine:
        await engine.submit(bad.add, 1, 2)
        assert all(thread.daemon for thread in ours())


def test_a_task_that_never_ends_does_not_keep_the_interpreter_from_ending() -> None:
    script = """if True:
        import asyncio, threading
        from asyncflow import WorkflowEngine

        begun = threading.Event()

        def never():
            begun.set()
            threading.Event().wait()

        async def main():
            engine = WorkflowEngine("thread", grace=0.01)
            await engine.start()
            future = engine.submit(never)
            await asyncio.to_thread(begun.wait)
            await engine.shutdown(wait=False)
            print(future.state)

        asyncio.run(main())
    """
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, timeout=30)
    assert done.stdout == b"CANCELLING\n"
    assert b"'never' (#1) still runs on backend 'thread'; left behind after 0.01 s" in done.stderr


async def test_what_is_left_behind_is_not_heard_by_the_next_start() -> None:
    backend = ThreadBackend(workers=1)
    first = Record()
    with Gate() as gate:
        piece = Piece(bad.through, (gate.door,))
        await backend.start(first.report)
        backend.submit([piece])
        await gate.reached()
        assert await backend.shutdown(grace=0.01) == [piece.id]
        second = Record()
        await backend.start(second.report)
        following = Piece(bad.add, (1, 2))
        backend.submit([following])
        await second.over(following)  # on a thread of its own, though the one of before is still busy
        gate.open()
        await first.over(piece)
    assert second.ends(piece) == []
    assert await backend.shutdown(grace=5) == []


async def test_a_shutdown_is_bounded_while_a_thread_is_just_taking_work() -> None:
    taken, go_on = threading.Event(), threading.Event()

    class Waiting(dict[int, Any]):
        """Holds a thread up at the moment when the work is in its hands and has not begun."""

        def pop(self, *args: Any) -> Any:
            work = super().pop(*args)
            if threading.current_thread() is not threading.main_thread():
                taken.set()
                go_on.wait()
            return work

    backend, record = ThreadBackend(workers=1), Record()
    await backend.start(record.report)
    assert backend._threads is not None
    backend._threads._waiting = Waiting()
    piece = Piece(bad.add, (1, 2))
    backend.submit([piece])
    taken.wait()
    assert await backend.shutdown(grace=0.01) == [piece.id]
    go_on.set()
    await record.over(piece)


async def test_a_function_whose_module_has_no_name_may_fail_like_any_other() -> None:
    names: dict[str, Any] = {"__name__": None}
    exec("def fail():\n    raise ValueError", names)
    async with WorkflowEngine("thread", workers=1) as engine:
        with pytest.raises(ValueError):
            await engine.submit(names["fail"])
        assert await engine.submit(int) == 0


@pytest.mark.parametrize("allowed", [0, 1, 2])
async def test_where_threads_cannot_be_started_those_that_can_run_all_and_nothing_that_failed_is_run(
    allowed: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    start, ran, scarce = threading.Thread.start, [], True

    def refuse(thread: threading.Thread) -> None:
        if scarce and len(ours()) >= allowed:
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    async with WorkflowEngine("thread", workers=3) as engine:
        first = [engine.submit(ran.append, number) for number in range(20)]
        results = await asyncio.gather(*first, return_exceptions=True)
        assert {future.state.value for future in first} == {"SUCCEEDED" if allowed else "FAILED"}
        assert len(ran) == (20 if allowed else 0)
        assert allowed or all(isinstance(error, RuntimeError) for error in results)
        scarce = False
        await asyncio.gather(*[engine.submit(ran.append, 20 + number) for number in range(20)])
        assert sorted(ran) == list(range(40 if allowed else 20))[: len(ran)] if allowed else len(ran) == 20
    said = [
        record.getMessage() for record in caplog.records if "threads could be started" in record.getMessage()
    ]
    assert len(said) == (1 if allowed else 0)
