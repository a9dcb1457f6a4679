"""What tasks put into `worker_local` stays on their worker, from one task to the next, wherever they run."""

from __future__ import annotations

import asyncio
import os
import threading
from typing import Any

import pytest

from asyncflow import State, WorkerDied, WorkflowEngine, worker_local
from asyncflow.backends.process import ProcessBackend

from .test_current import POOLS
from .test_current import engine as engine  # noqa: PLC0414 - a fixture


def count() -> int:
    worker_local.seen = getattr(worker_local, "seen", 0) + 1
    return int(worker_local.seen)


async def count_later() -> int:
    await asyncio.sleep(0)
    return await asyncio.create_task(count_beside())


async def count_beside() -> int:
    return count()


@pytest.mark.parametrize("body", [count, count_later])
async def test_what_one_task_puts_there_the_next_one_finds(body: Any) -> None:
    for place in ("thread", "process", "sequential", *POOLS.values()):
        if isinstance(place, str):
            async with WorkflowEngine(place, workers=1) as engine:
                assert [await engine.submit(body) for _ in range(3)] == [1, 2, 3]
        else:
            with place(1) as pool:
                async with WorkflowEngine(pool) as engine:
                    assert [await engine.submit(body) for _ in range(3)] == [1, 2, 3]


async def test_each_worker_has_its_own() -> None:
    barrier = threading.Barrier(2)

    def meet() -> int:
        barrier.wait()
        return count()

    async with WorkflowEngine("thread", workers=2) as engine:
        for each in (1, 2, 3):
            assert await asyncio.gather(engine.submit(meet), engine.submit(meet)) == [each, each]


async def test_coroutine_tasks_and_plain_ones_of_one_engine_are_on_different_workers() -> None:
    async with WorkflowEngine("sequential") as engine:
        assert [await engine.submit(each) for each in (count, count_later, count, count_later)] == [
            1,
            1,
            2,
            2,
        ]


async def test_blocks_and_functions_of_commands_are_on_the_event_loop() -> None:
    async with WorkflowEngine("thread") as engine:

        @engine.executable_task
        def command() -> list[str]:
            return ["echo", str(count())]

        @engine.block
        async def block() -> int:
            return count()

        assert (await block(), await command(), await engine.submit(count_later)) == (1, "2\n", 3)


@pytest.mark.parametrize("place", ["thread", "process", "sequential"])
async def test_it_is_empty_when_the_engine_starts_again(place: str) -> None:
    engine = WorkflowEngine(place, workers=1)
    for _ in range(2):
        async with engine:
            assert [await engine.submit(count), await engine.submit(count_later)][0] == 1


async def test_engines_on_one_loop_share_what_the_loop_keeps_until_the_last_has_ended() -> None:
    async with WorkflowEngine() as one:
        async with WorkflowEngine() as other:
            assert (await one.submit(count_later), await other.submit(count_later)) == (1, 2)
        assert await one.submit(count_later) == 3
    async with WorkflowEngine() as engine:
        assert await engine.submit(count_later) == 1


async def test_a_new_process_begins_with_nothing() -> None:
    async with WorkflowEngine(ProcessBackend(1, recycle_after=2)) as engine:
        assert [await engine.submit(count) for _ in range(5)] == [1, 2, 1, 2, 1]
    async with WorkflowEngine("process", workers=1) as engine:
        assert [await engine.submit(count) for _ in range(2)] == [1, 2]
        died = engine.submit(os._exit, 9)
        with pytest.raises(WorkerDied):
            await died
        assert died.state is State.FAILED
        assert await engine.submit(count) == 1


async def test_what_is_put_back_after_a_task_leaves_it_alone() -> None:
    def change_much() -> None:
        worker_local.folder = "/"
        os.chdir("/")
        os.environ["SEEN"] = "1"

    def look() -> tuple[str, str | None, bool]:
        return worker_local.folder, os.environ.get("SEEN"), os.getcwd() == "/"

    async with WorkflowEngine("process", workers=1) as engine:
        await engine.submit(change_much)
        assert await engine.submit(look) == ("/", None, False)


async def test_a_name_that_is_not_there_is_an_error_that_tells_how_to_ask(engine: WorkflowEngine) -> None:
    def ask() -> str:
        try:
            return str(worker_local.cache)
        except AttributeError as error:
            return str(error)

    told = await engine.submit(ask)
    assert told == "this worker keeps no 'cache' yet; give a default:  getattr(worker_local, 'cache', None)"


async def test_names_can_be_listed_and_removed(engine: WorkflowEngine) -> None:
    def use() -> tuple[list[str], str, bool]:
        worker_local.b, worker_local.a = 1, 2
        names, told = dir(worker_local), repr(worker_local)
        del worker_local.a, worker_local.b
        return names, told, hasattr(worker_local, "a")

    assert await engine.submit(use) == (["a", "b"], "<worker_local: a, b>", False)


def test_outside_of_workers_it_belongs_to_the_thread() -> None:
    worker_local.mine = 1
    seen: list[bool] = []
    thread = threading.Thread(target=lambda: seen.append(hasattr(worker_local, "mine")))
    thread.start()
    thread.join()
    assert (worker_local.mine, seen) == (1, [False])
    del worker_local.mine
