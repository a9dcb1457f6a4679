"""Jobs that wait for jobs: a wait that can never end is an error at once, and every other goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from asyncflow import Deadlock, WorkflowEngine
from asyncflow.serve import Job, Service

Wait = Callable[[Job[Any]], Awaitable[Any]]


async def plainly(job: Job[Any]) -> Any:
    return await job.result()


async def in_a_gather(job: Job[Any]) -> Any:
    return (await asyncio.gather(job.result(), asyncio.sleep(0)))[0]


async def in_a_task(job: Job[Any]) -> Any:
    return await asyncio.shield(asyncio.create_task(job.result()))


async def in_a_group(job: Job[Any]) -> Any:
    try:
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(job.result())
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return waiting.result()


WAITS = [plainly, in_a_gather, in_a_task, in_a_group]


class Nested:
    """A service whose jobs submit the next to it, and wait for that."""

    def __init__(self, engine: WorkflowEngine, wait: Wait, concurrency: int) -> None:
        @engine.block
        async def inner(left: int) -> int:
            return 1 + await wait(self.service.submit(left - 1))

        @engine.block
        async def nested(left: int) -> int:
            return await inner(left) if left else 0

        self.service: Service[int] = engine.serve(nested, concurrency=concurrency)


@pytest.mark.parametrize("wait", WAITS)
async def test_a_job_that_waits_for_one_behind_it_is_told_so_and_makes_room(wait: Wait) -> None:
    async with WorkflowEngine() as engine, asyncio.timeout(30):
        service = Nested(engine, wait, concurrency=2).service
        job, bystander = service.submit(2, id="first"), service.submit(0)
        with pytest.raises(Deadlock, match="of service 'nested', which waits for it, to have its turn"):
            await job.result()
        assert await bystander.result() == 0
        await asyncio.gather(*(each.ended() for each in service.jobs()))
        assert [each.state for each in service.jobs()].count("SUCCEEDED") >= 2


@pytest.mark.parametrize("wait", WAITS)
async def test_a_job_waits_for_others_of_its_service_as_long_as_there_is_room(wait: Wait) -> None:
    async with WorkflowEngine() as engine, asyncio.timeout(30):
        assert await Nested(engine, wait, concurrency=6).service.submit(5).result() == 5


async def test_a_job_that_waits_for_itself_is_told_so() -> None:
    async with WorkflowEngine() as engine, asyncio.timeout(30):

        @engine.block
        async def own() -> object:
            return await service.job("me").result()

        service: Service[object] = engine.serve(own)
        with pytest.raises(Deadlock, match=r"^job 'me' of service 'own' would wait for itself"):
            await service.submit(id="me").result()


async def test_jobs_of_two_services_that_wait_for_one_another_are_told_with_the_circle() -> None:
    async with WorkflowEngine() as engine, asyncio.timeout(30):
        begun = asyncio.Barrier(2)

        @engine.block
        async def half(other: str) -> str:
            await begun.wait()
            return await services[other].job("x").result()

        services = {
            name: engine.serve(half.with_options(name=name), concurrency=1) for name in ("left", "right")
        }
        jobs = [services["left"].submit("right", id="x"), services["right"].submit("left", id="x")]
        errors = await asyncio.gather(*(job.result() for job in jobs), return_exceptions=True)
        assert all(isinstance(error, Deadlock) for error in errors)
        told = {str(error).split("\n")[1].strip() for error in errors}
        assert told & {
            "left[x] -> right[x] -> left[x]: each waits for the next",
            "right[x] -> left[x] -> right[x]: each waits for the next",
        }


async def test_a_wait_that_others_may_end_goes_on() -> None:
    async with WorkflowEngine() as engine, asyncio.timeout(30):
        aside: list[asyncio.Task[str]] = []

        @engine.block
        async def answer(how: str) -> str:
            if how == "plain":
                return "plain"
            behind = asyncio.create_task(service.submit("plain").result())
            aside.append(behind)
            if how == "first":
                await asyncio.wait({behind, asyncio.create_task(other.submit("plain").result())},
                                   return_when=asyncio.FIRST_COMPLETED)  # fmt: skip
            return how

        service: Service[str] = engine.serve(answer, concurrency=1)
        other: Service[str] = engine.serve(answer, concurrency=1)
        for how in ("first", "aside"):
            assert await service.submit(how).result() == how
        assert await asyncio.gather(*aside) == ["plain", "plain"]


async def test_a_job_that_is_being_cancelled_makes_room() -> None:
    async with WorkflowEngine() as engine, asyncio.timeout(30):
        begun, stopping, go_on = asyncio.Event(), asyncio.Event(), asyncio.Event()

        @engine.block
        async def stubborn(kind: str) -> str:
            if kind == "waits":
                return await service.submit("quick").result()
            if kind == "slow":
                try:
                    begun.set()
                    await asyncio.Event().wait()
                finally:
                    stopping.set()
                    await go_on.wait()
            return kind

        service: Service[str] = engine.serve(stubborn, concurrency=2)
        slow = service.submit("slow")
        await begun.wait()
        cancelling = asyncio.create_task(slow.cancel())
        await stopping.wait()
        waits = service.submit("waits")
        while not waits._awaits:
            await asyncio.sleep(0)
        await asyncio.sleep(0)  # it was looked at
        go_on.set()
        assert await waits.result() == "quick"
        assert await cancelling


async def test_a_drain_inside_a_job_of_the_service_would_wait_for_itself() -> None:
    async with WorkflowEngine() as engine, asyncio.timeout(30):

        @engine.block
        async def drains() -> None:
            await service.drain()

        service: Service[None] = engine.serve(drains)
        with pytest.raises(
            RuntimeError, match=r"drain\(\) inside job 'x' of service 'drains' would wait for itself"
        ):
            await service.submit(id="x").result()
        assert not service.is_closed
