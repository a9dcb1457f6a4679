"""A service: jobs belong to it, each id is one job, any number may wait, and what it keeps is bounded."""

from __future__ import annotations

import asyncio
import gc
import threading
import traceback
import weakref
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, cast

import pytest

from asyncflow import WorkflowEngine
from asyncflow.errors import IdConflict, JobCancelled, ServiceClosed, ServiceFull, UnknownJob, WrongLoop
from asyncflow.serve import Job, JobCounts

BACKENDS = ["thread", "process"]


def add(a: int, b: int = 1) -> int:
    return a + b


def fail(a: int) -> int:
    raise ValueError(f"not {a}")


class Held:
    """A block that waits, job by job, until it may go on."""

    def __init__(self, engine: WorkflowEngine) -> None:
        self.begun: list[str] = []
        self.gates: dict[str, asyncio.Event] = {}

        @engine.block
        async def held(name: str) -> str:
            self.begun.append(name)
            await self.gates.setdefault(name, asyncio.Event()).wait()
            return name.upper()

        self.task = held

    def open(self, name: str) -> None:
        self.gates.setdefault(name, asyncio.Event()).set()


async def turns(done: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not done():
            await asyncio.sleep(0)


# -- jobs -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", BACKENDS)
async def test_a_job_gives_its_value_to_all_who_wait_and_again(backend: str) -> None:
    async with WorkflowEngine(backend, workers=2) as engine:
        service = engine.serve(engine.function_task(add))
        job = service.submit(2, b=3)
        assert await asyncio.gather(*(job.result() for _ in range(10))) == [5] * 10
        assert (job.state, await job.result(), service.job(job.id)) == ("SUCCEEDED", 5, job)


async def test_each_waiter_gets_the_failure_with_the_traceback_that_it_had() -> None:
    async with WorkflowEngine() as engine:
        job = engine.serve(engine.function_task(fail)).submit(1)
        lengths = []
        for _ in range(3):
            with pytest.raises(ValueError, match="not 1") as caught:
                await job.result()
            lengths.append(len(traceback.extract_tb(caught.value.__traceback__)))
        assert len(set(lengths)) == 1
        assert job.state == "FAILED"


async def test_a_waiter_that_leaves_cancels_nothing() -> None:
    async with WorkflowEngine() as engine:
        held = Held(engine)
        job = engine.serve(held.task).submit("a")
        waiting = asyncio.create_task(job.result())
        await turns(lambda: held.begun)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        held.open("a")
        assert await job.result() == "A"


async def test_a_job_outlives_the_block_that_has_submitted_it() -> None:
    async with WorkflowEngine() as engine:
        held = Held(engine)
        service = engine.serve(held.task)

        @engine.block
        async def submitter() -> str:
            return service.submit("a").id

        name = await submitter()
        held.open("a")
        assert await service.job(name).result() == "A"


async def test_arguments_that_do_not_fit_are_told_to_who_submits() -> None:
    async with WorkflowEngine() as engine:
        service = engine.serve(engine.function_task(add))
        with pytest.raises(TypeError, match=r"add\(\) got an unexpected keyword argument 'c'"):
            service.submit(1, c=2)
        with pytest.raises(TypeError, match="text is needed"):
            service.submit(1, id=7)  # type: ignore[arg-type]
        assert service.jobs() == []


async def test_a_job_that_cannot_be_called_fails_and_can_be_cancelled_as_any_other() -> None:
    async with WorkflowEngine() as engine:
        service = engine.serve(engine.function_task(add))
        job = service.submit(number for number in "ab")
        assert not await job.cancel() and job.state == "FAILED"
        with pytest.raises(TypeError, match="'add' was given a generator in argument 'a'"):
            await job.result()


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"state": "failed"}, "state='failed'.: one of QUEUED, RUNNING, "),
        ({"limit": -1}, "limit=-1: a whole number is needed"),
        ({"limit": "5"}, "limit='5': a whole number is needed"),
    ],
)
async def test_jobs_that_cannot_be_asked_for_are_told_and_not_simply_none(
    asked: dict[str, Any], told: str
) -> None:
    async with WorkflowEngine() as engine:
        with pytest.raises((ValueError, TypeError), match=told):
            engine.serve(engine.function_task(add)).jobs(**asked)


# -- one id is one job ------------------------------------------------------------------------------------


async def test_the_same_id_and_arguments_are_the_same_job_whatever_its_state() -> None:
    async with WorkflowEngine() as engine:
        held = Held(engine)
        service = engine.serve(held.task, concurrency=1)
        running, queued = service.submit("a", id="1"), service.submit("b", id="2")
        assert service.submit("a", id="1") is running and service.submit("b", id="2") is queued
        with pytest.raises(IdConflict, match="service 'held' has a job '1' with other arguments"):
            service.submit("b", id="1")
        held.open("a"), held.open("b")
        assert await queued.result() == "B"
        assert service.submit("a", id="1") is running
        assert held.begun == ["a", "b"]


async def test_arguments_are_the_same_by_name_by_place_and_by_default() -> None:
    async with WorkflowEngine("sequential") as engine:
        service = engine.serve(engine.function_task(add))
        job = service.submit(1, id="x")
        assert service.submit(1, 1, id="x") is service.submit(b=1, a=1, id="x") is job
        with pytest.raises(IdConflict):
            service.submit(a=1, b=2, id="x")


@pytest.mark.parametrize("backend", BACKENDS)
async def test_an_id_that_is_raced_runs_once(backend: str) -> None:
    async with WorkflowEngine(backend, workers=2) as engine:
        service = engine.serve(engine.function_task(add))

        async def submit(number: int) -> int:
            await asyncio.sleep(0)
            return await service.submit(number % 5, id=str(number % 5)).result()

        values = await asyncio.gather(*(submit(number) for number in range(1000)))
        assert values == [number % 5 + 1 for number in range(1000)]
        await engine.shutdown()
        assert len(engine.report().tasks) == 5


async def test_equal_arguments_of_other_kinds_are_others_and_no_number_is_itself() -> None:
    async with WorkflowEngine() as engine:
        service = engine.serve(engine.function_task(lambda each: repr(each)))
        job = service.submit({"each": [1, float("nan")]}, id="x")
        for other in (True, 1.0):
            with pytest.raises(IdConflict):
                service.submit({"each": [other, float("nan")]}, id="x")
        assert service.submit({"each": [1, float("nan")]}, id="x") is job


async def test_arguments_that_cannot_be_compared_are_others() -> None:
    class Odd:
        def __eq__(self, other: object) -> bool:
            raise ValueError("ambiguous")

        __hash__ = None  # type: ignore[assignment]

    async with WorkflowEngine() as engine:
        service = engine.serve(engine.function_task(lambda x: 1))
        service.submit(Odd(), id="a")
        with pytest.raises(IdConflict):
            service.submit(Odd(), id="a")


# -- bounds -----------------------------------------------------------------------------------------------


async def test_no_more_run_and_wait_than_may() -> None:
    async with WorkflowEngine() as engine:
        held = Held(engine)
        service = engine.serve(held.task, concurrency=2, queue=1)
        jobs = [service.submit(name, id=name) for name in "abc"]
        with pytest.raises(ServiceFull, match=r"service 'held' is full: 2 jobs run and 1 wait") as caught:
            service.submit("d")
        assert caught.value.retry_after > 0
        assert service.submit("a", id="a") is jobs[0]
        await turns(lambda: len(held.begun) == 2)
        assert [job.state for job in jobs] == ["RUNNING", "RUNNING", "QUEUED"]
        assert [job.id for job in service.jobs(state="QUEUED")] == ["c"]
        held.open("b")
        await jobs[1].result()
        await turns(lambda: len(held.begun) == 3)
        held.open("a"), held.open("c")
        assert await jobs[2].result() == "C"


async def test_what_is_kept_is_bounded() -> None:
    async with WorkflowEngine("sequential") as engine:
        service = engine.serve(engine.function_task(add), keep_most=10)
        first = service.submit(0, id="first")
        await first.result()
        for number in range(100):
            await service.submit(number).result()
        assert len(service.jobs(limit=1000)) == 10
        assert await first.result() == 1  # who holds a job has its value
        with pytest.raises(
            UnknownJob, match="was given up: it is longer over than jobs are kept"
        ) as given_up:
            service.job("first")
        assert given_up.value.was_there
        with pytest.raises(UnknownJob, match="was never submitted") as never:
            service.job("other")
        assert not never.value.was_there


@pytest.mark.parametrize("count", [500, pytest.param(20_000, marks=pytest.mark.soak)])
async def test_of_many_jobs_few_are_kept_and_of_each_other_it_is_known_that_it_was_there(count: int) -> None:
    async with WorkflowEngine("sequential") as engine:
        service = engine.serve(engine.function_task(add), keep_most=100, queue=count)
        for number in range(count):
            service.submit(number, id=str(number))
        await service.job(str(count - 1)).result()
        made = [each for each in gc.get_objects() if type(each) is Job and each._service is service]
        assert len(service.jobs(limit=count)) == len(made) == 100
        for number in range(count - 100):
            with pytest.raises(UnknownJob, match="was given up"):
                service.job(str(number))
            with pytest.raises(UnknownJob, match=r"was never submitted$"):
                service.job(f"never {number}")
        assert {await service.job(str(number)).result() for number in range(count - 100, count)} == set(
            range(count - 99, count + 1)
        )


@pytest.mark.fake_clock
async def test_arguments_that_nobody_can_come_with_again_are_let_go() -> None:
    class Large:
        pass

    async with WorkflowEngine() as engine:
        service = engine.serve(engine.function_task(lambda large: type(large).__name__))
        kept, let_go = Large(), Large()
        watched = [weakref.ref(kept), weakref.ref(let_go)]
        jobs = [service.submit(kept, id="x"), service.submit(let_go)]
        assert [await job.result() for job in jobs] == ["Large", "Large"]
        del kept, let_go
        await turns(lambda: gc.collect() == 0)
        assert [each() is None for each in watched] == [False, True]


async def test_a_job_is_kept_for_its_time() -> None:
    async with WorkflowEngine("sequential") as engine:
        service = engine.serve(engine.function_task(add), keep=timedelta(minutes=1))
        job = service.submit(1)
        await job.result()
        await asyncio.sleep(59)
        assert service.job(job.id) is job
        await asyncio.sleep(2)
        assert not service._jobs  # by itself: nobody has asked
        with pytest.raises(UnknownJob):
            service.job(job.id)


@pytest.mark.fake_clock
async def test_a_job_says_how_long_it_runs_and_its_service_how_many_there_are() -> None:
    async with WorkflowEngine() as engine:
        held = Held(engine)
        service = engine.serve(held.task, concurrency=1)
        job, queued = service.submit("a"), service.submit("b")
        await turns(lambda: held.begun)
        await asyncio.sleep(3)
        assert job.seconds == pytest.approx(3) and queued.seconds is None
        assert service.counts == (1, 1, 0)
        held.open("a")
        await job.result()
        await queued.cancel()
        await asyncio.sleep(5)
        assert job.seconds == pytest.approx(3)
        assert service.counts == JobCounts(running=0, waiting=0, kept=2)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"concurrency": 0}, "concurrency=0: at least one is needed"),
        ({"queue": -1}, "queue=-1: a whole number is needed, 0 or more"),
        ({"keep": -1}, "keep=-1"),
        ({"keep_most": 0}, "keep_most=0"),
    ],
)
def test_wrong_options_are_told_by_name(options: dict[str, Any], told: str) -> None:
    engine = WorkflowEngine()
    with pytest.raises((TypeError, ValueError), match=told):
        engine.serve(engine.function_task(add), **options)


def test_what_cannot_be_served_is_told() -> None:
    engine, other = WorkflowEngine(), WorkflowEngine()
    with pytest.raises(
        TypeError, match=r"serve\(\) got add, a plain function; .*decorate the function first"
    ):
        engine.serve(add)  # type: ignore[arg-type]

    def many() -> Iterator[int]:
        yield 1

    with pytest.raises(TypeError, match=r"which yields many values, and a job has one"):
        engine.serve(cast("Any", engine.function_task(many)))
    with pytest.raises(ValueError, match=r"of another engine; say:  add\.on\(engine\)"):
        engine.serve(other.function_task(add))


# -- cancels ----------------------------------------------------------------------------------------------


async def test_a_job_that_waits_for_its_turn_is_cancelled_at_once() -> None:
    async with WorkflowEngine() as engine:
        held = Held(engine)
        service = engine.serve(held.task, concurrency=1)
        running, queued = service.submit("a"), service.submit("b")
        assert await queued.cancel() and queued.state == "CANCELLED"
        with pytest.raises(JobCancelled, match=f"job '{queued.id}' of service 'held' was cancelled"):
            await queued.result()
        held.open("a")
        assert await running.result() == "A"
        assert held.begun == ["a"] and not await running.cancel()


async def test_a_cancel_returns_when_the_work_has_stopped() -> None:
    begun, opened = threading.Event(), threading.Event()

    def wait() -> None:
        begun.set()
        opened.wait(60)

    async with WorkflowEngine() as engine:
        service = engine.serve(engine.function_task(wait), concurrency=1)
        job, waiting = service.submit(), asyncio.create_task(service.submit(id="next").ended())
        await asyncio.to_thread(begun.wait, 60)
        cancelling = asyncio.create_task(job.cancel())
        await turns(lambda: job.state == "CANCELLING")
        assert not cancelling.done() and service.job("next").state == "QUEUED"
        opened.set()
        assert await cancelling and job.state == "CANCELLED"
        await waiting


# -- its end ----------------------------------------------------------------------------------------------


async def test_a_drain_lets_jobs_end_and_takes_no_more() -> None:
    async with WorkflowEngine() as engine:
        held = Held(engine)
        service = engine.serve(held.task, concurrency=1)
        running, queued = service.submit("a"), service.submit("b")
        waiter = asyncio.create_task(queued.result())
        await turns(lambda: held.begun)
        draining = asyncio.create_task(service.drain())
        with pytest.raises(JobCancelled):
            await waiter
        with pytest.raises(ServiceClosed, match="service 'held' takes no more jobs"):
            service.submit("c")
        held.open("a")
        await draining
        assert (running.state, queued.state) == ("SUCCEEDED", "CANCELLED")
        assert await running.result() == "A" and service.job(running.id) is running


async def test_a_drain_cancels_what_still_runs_after_its_time() -> None:
    async with WorkflowEngine() as engine:
        held = Held(engine)
        service = engine.serve(held.task)
        jobs = [service.submit(name) for name in "abc"]
        await turns(lambda: len(held.begun) == 3)
        await service.drain(timeout=0.01)
        assert {job.state for job in jobs} == {"CANCELLED"}


async def test_a_drain_does_not_wait_for_ever_for_what_cannot_be_stopped() -> None:
    opened = threading.Event()
    async with WorkflowEngine(grace=0.01) as engine:
        service = engine.serve(engine.function_task(lambda: opened.wait(60)))
        job = service.submit()
        await service.drain(timeout=0.01)
        assert job.state == "CANCELLING"
        opened.set()
        await job.ended()
        assert job.state == "CANCELLED"


@pytest.mark.parametrize("wait", [True, False])
async def test_a_shutdown_answers_all_who_wait(wait: bool) -> None:
    engine = WorkflowEngine()
    await engine.start()
    held = Held(engine)
    service = engine.serve(held.task, concurrency=1)
    waiters = [asyncio.create_task(service.submit(name).result()) for name in "ab"]
    await turns(lambda: held.begun)
    held.open("a")
    await engine.shutdown(wait=wait)
    values = await asyncio.gather(*waiters, return_exceptions=True)
    assert isinstance(values[1], JobCancelled)
    assert values[0] == "A" or (not wait and isinstance(values[0], JobCancelled))
    with pytest.raises(ServiceClosed):
        service.submit("c")


async def test_many_that_wait_are_answered_when_none_of_them_can_be_called_any_more() -> None:
    async with WorkflowEngine(on_failure="stop") as engine:
        service = engine.serve(engine.function_task(fail), concurrency=1, queue=3000)
        jobs = [service.submit(number) for number in range(3000)]
        ends = await asyncio.gather(*(job.result() for job in jobs), return_exceptions=True)
        assert all(isinstance(end, Exception) for end in ends) and len(ends) == 3000


@pytest.mark.parametrize(
    ("timeout", "told"),
    [("30", "timeout='30': it takes seconds"), (-1, "timeout=-1: it takes seconds, 0 or more")],
)
async def test_a_drain_without_a_time_takes_on_jobs_as_before(timeout: Any, told: str) -> None:
    async with WorkflowEngine() as engine:
        service = engine.serve(engine.function_task(add))
        with pytest.raises((ValueError, TypeError), match=told):
            await service.drain(timeout)
        assert await service.submit(1).result() == 2
        await service.drain(timedelta(seconds=30))
        assert service.is_closed


def test_a_service_goes_on_where_its_engine_does_after_a_loop_that_was_closed_with_jobs_open() -> None:
    engine = WorkflowEngine()
    held = Held(engine)
    service = engine.serve(held.task, concurrency=2)

    async def leaves_them() -> list[Job[str]]:
        jobs = [service.submit(name, id=name) for name in "ab"]
        waiting = asyncio.create_task(jobs[0].result())
        await turns(lambda: len(held.begun) == 2)
        assert not waiting.done()
        return jobs

    async def goes_on() -> str:
        assert [job.state for job in service.jobs()] == ["CANCELLED", "CANCELLED"]
        for job in lost:
            with pytest.raises(JobCancelled):
                await job.result()
        held.open("c")
        async with engine:
            return await service.submit("c").result()

    lost = asyncio.run(leaves_them())
    with pytest.raises(WrongLoop, match="its engine's event loop is closed"):
        service.threadsafe.job("a")
    assert asyncio.run(goes_on()) == "C"
    assert service.counts == JobCounts(running=0, waiting=0, kept=3)


async def test_a_job_is_not_waited_for_where_nobody_would_be_woken() -> None:
    async with WorkflowEngine() as engine:
        held = Held(engine)
        service = engine.serve(held.task)
        job = service.submit("a")
        for wait in (job.result, job.cancel, service.drain):

            async def elsewhere(wait: Callable[[], Any] = wait) -> None:
                await wait()

            with pytest.raises(WrongLoop, match="threads use the service's threadsafe"):
                await asyncio.to_thread(asyncio.run, elsewhere())
        for ask in (service.jobs, lambda: service.job(job.id)):
            with pytest.raises(WrongLoop, match="threads use the service's threadsafe"):
                await asyncio.to_thread(ask)
        held.open("a")
        assert await job.result() == "A"
        assert await asyncio.to_thread(asyncio.run, job.result()) == "A"


# -- in a plan --------------------------------------------------------------------------------------------


async def test_in_a_plan_jobs_are_rehearsed_and_are_no_jobs_of_the_service() -> None:
    ran: list[int] = []
    async with WorkflowEngine() as engine:

        @engine.function_task
        def double(number: int) -> int:
            ran.append(number)
            return 2 * number

        service = engine.serve(double, concurrency=1)

        @engine.block
        async def flow() -> int:
            jobs = [service.submit(number, id=str(number)) for number in (1, 2, 2)]
            assert jobs[1] is jobs[2] is service.job("2") is service.jobs()[0]
            values = [await job.result() for job in jobs]
            await service.drain()
            return sum(values)

        plan = await engine.plan(flow)
        assert [task.name for task in plan.tasks if task.kind != "block"] == ["double", "double"]
        plan.check()
        assert ran == [] and service.jobs() == [] and not service.is_closed
        assert await service.submit(3, id="2").result() == 6


async def test_a_plan_does_not_wait_for_jobs_that_nobody_waits_for(caplog: pytest.LogCaptureFixture) -> None:
    async with WorkflowEngine() as engine:
        service = engine.serve(engine.function_task(add))

        @engine.block
        async def flow() -> Job[int]:
            return service.submit(1)

        plan = await engine.plan(flow)
        assert len(plan.tasks) == 2 and service.jobs() == []
        await asyncio.sleep(0)
    assert not caplog.records


# -- other threads ----------------------------------------------------------------------------------------


async def test_other_threads_submit_wait_and_cancel() -> None:
    async with WorkflowEngine() as engine:
        held = Held(engine)
        service, slow = engine.serve(engine.function_task(add)), engine.serve(held.task)

        def elsewhere() -> list[object]:
            job = service.threadsafe.submit(2, b=5, id="x")
            stuck = slow.threadsafe.submit("a")
            with pytest.raises(TimeoutError):
                stuck.result(0.01)
            with pytest.raises(UnknownJob):
                service.threadsafe.job("y")
            return [job.result(30), job.id, service.threadsafe.job("x").state, stuck.cancel(), stuck.state]

        assert await asyncio.to_thread(elsewhere) == [7, "x", "SUCCEEDED", True, "CANCELLED"]
        with pytest.raises(WrongLoop, match="this is the thread of its engine's event loop"):
            service.threadsafe.submit(1)
    with pytest.raises(WrongLoop, match="service 'add' cannot be asked from here"):
        engine.serve(engine.function_task(add)).threadsafe.submit(1)


async def test_a_plain_function_is_no_service_and_is_named() -> None:
    def count(text: str) -> int:
        return len(text)

    async with WorkflowEngine() as engine:
        with pytest.raises(
            TypeError, match=r"serve\(\) got .*count, a plain function; a task or block is needed"
        ):
            engine.serve(cast("Any", count))
