"""Limits: never more at once than they allow, whoever waits goes on when it can, and nothing is held in vain."""

from __future__ import annotations

import asyncio
import gc
import re
import sys
import threading
import time
import weakref
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest

from asyncflow import TaskFuture, WorkflowEngine
from asyncflow._core.limits import Limit


@pytest.fixture(params=["sequential", "thread", "process"])
async def engine(request: pytest.FixtureRequest) -> AsyncIterator[WorkflowEngine]:
    async with WorkflowEngine(backend=request.param) as engine:
        yield engine


@asynccontextmanager
async def cut_short() -> AsyncIterator[WorkflowEngine]:
    """An engine that waits for nothing at its end."""
    engine = await WorkflowEngine.create()
    try:
        yield engine
    finally:
        await engine.shutdown(wait=False)


def one_at_a_time(path: str) -> None:
    """Fails if another one is at it."""
    inside = Path(path, "inside")
    inside.mkdir()
    time.sleep(0.001)
    inside.rmdir()


async def aone_at_a_time(path: str) -> None:
    inside = Path(path, "inside")
    inside.mkdir()
    await asyncio.sleep(0.001)
    inside.rmdir()


@pytest.mark.parametrize("body", [one_at_a_time, aone_at_a_time])
@pytest.mark.parametrize("options", [{"limits": "api"}, {"max_concurrent": 1}])
async def test_no_more_run_at_once_than_a_limit_allows(
    engine: WorkflowEngine, tmp_path: Path, body: Any, options: Any
) -> None:
    engine.limit("api", concurrency=1)
    task = engine.function_task(body, **options)
    await asyncio.gather(*[task(str(tmp_path)) for _ in range(20)])


async def test_blocks_and_commands_wait_for_limits_too(tmp_path: Path) -> None:
    engine = WorkflowEngine()
    api = engine.limit("api", concurrency=1)

    @engine.executable_task(limits="api")
    def command() -> str:
        return f"mkdir {tmp_path}/inside && rmdir {tmp_path}/inside"

    @engine.block(limits="api")
    async def block() -> None:
        await aone_at_a_time(str(tmp_path))

    async with engine:
        await asyncio.gather(*[each() for _ in range(5) for each in (command, block)])
    assert api.used == 0


class Held:
    """Bodies that go on when they are told to."""

    def __init__(self, engine: WorkflowEngine, **options: Any) -> None:
        self.begun: list[str] = []
        self.go: dict[str, asyncio.Future[None]] = {}
        self.task = engine.function_task(self.body, **options)

    async def body(self, name: str, fails: bool = False) -> str:
        self.begun.append(name)
        self.go[name] = asyncio.get_running_loop().create_future()
        await self.go[name]
        return name


async def turns() -> None:
    """Give all that can happen on the loop the time to happen."""
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.mark.parametrize("end", ["value", "error", "cancel", "timeout"])
async def test_however_a_task_ends_the_next_one_goes_on(end: str) -> None:
    async with cut_short() as engine:
        api = engine.limit("api", concurrency=1)
        held = Held(engine, limits="api")
        first = held.task.with_options(timeout=0.01)("a") if end == "timeout" else held.task("a")
        second = held.task("b")
        await turns()
        assert held.begun == ["a"] and api.used == 1
        if end == "value":
            held.go["a"].set_result(None)
        elif end == "error":
            held.go["a"].set_exception(ValueError())
        elif end == "cancel":
            first.cancel()
        await asyncio.wait([first])
        await turns()
        assert held.begun == ["a", "b"]
        held.go["b"].set_result(None)
        assert await second == "b"
        assert api.used == 0
        first.exception() if not first.cancelled() else None


async def test_who_is_cancelled_while_it_waits_holds_nobody_up() -> None:
    async with cut_short() as engine:
        engine.limit("api", concurrency=2)
        held = Held(engine)
        one, two = held.task.with_options(limits="api"), held.task.with_options(limits={"api": 2})
        one("a")
        heavy, light = two("heavy"), one("light")
        await turns()
        assert held.begun == ["a"]
        heavy.cancel()
        await turns()
        assert held.begun == ["a", "light"]
        assert not light.done()


async def test_while_a_retry_waits_its_limit_is_free() -> None:
    async with cut_short() as engine:
        api = engine.limit("api", concurrency=1)
        held = Held(engine, limits="api", retries=1, retry_delay=1000)
        failing = held.task("a")
        await turns()
        held.go["a"].set_exception(ValueError())
        await turns()
        assert api.used == 0 and not failing.done()
        held.task("b")
        await turns()
        assert held.begun == ["a", "b"]


async def test_one_limit_may_be_several_engines_at_once() -> None:
    limit = Limit("shared", concurrency=1)
    async with cut_short() as one, cut_short() as other:
        first, second = Held(one, limits=limit), Held(other, limits={limit: 1})
        first.task("a"), second.task("b")
        await turns()
        assert (first.begun, second.begun) == (["a"], [])
        first.go["a"].set_result(None)
        await turns()
        assert second.begun == ["b"]


async def test_a_limit_that_is_changed_lets_others_go_on_at_once() -> None:
    async with cut_short() as engine:
        api = engine.limit("api", concurrency=1)
        held = Held(engine, limits="api")
        for name in "abc":
            held.task(name)
        await turns()
        api.change(concurrency=2)
        await turns()
        assert held.begun == ["a", "b"]


async def test_a_weight_may_follow_from_the_arguments_with_all_values_in_them() -> None:
    async with cut_short() as engine:
        memory = engine.limit("memory", concurrency=10)
        seen: list[Any] = []

        @engine.function_task
        def size() -> int:
            return 7

        def weight(rows: int) -> int:
            seen.append(rows)
            return rows

        @engine.function_task(limits={"memory": weight})
        async def load(rows: int) -> float:
            return memory.used

        assert await load(size()) == 7
        assert await load(0) == 0  # nothing of it is needed
        with pytest.raises(ValueError, match="11 can never be met"):
            await load(11)
        assert seen == [7, 0, 11]


async def test_what_can_never_be_met_is_refused_at_the_call() -> None:
    async with cut_short() as engine:
        engine.limit("gpu", concurrency=2)
        task = engine.function_task(one_at_a_time, limits={"gpu": 3})
        with pytest.raises(
            ValueError, match=r"^'one_at_a_time': limit 'gpu': 3 can never be met, since there is 2 at most"
        ):
            task("x")
        with pytest.raises(
            LookupError, match=r"^'one_at_a_time': no limit is called 'gqu'\. Did you mean 'gpu'"
        ):
            engine.function_task(one_at_a_time, limits="gqu")("x")


async def test_a_task_that_waits_for_a_limit_says_since_when_who_holds_it_and_who_is_before_it() -> None:
    limit = Limit("api", concurrency=4)
    async with cut_short() as one, cut_short() as other:
        first, second = Held(one, limits=limit), Held(other, limits=limit)
        for name in "abc":
            first.task(name)
        second.task("d")
        await turns()
        waits = [first.task("e"), second.task.with_options(label="f")("f")]
        await turns()
        told = re.sub(r"waited [\d.]+ (µs|ms|s)", "waited # s", waits[0].explain().splitlines()[0])
        assert told == (
            "'body' (#4) could run, and has waited # s for limit 'api': it needs 1, and 4 of 4 are in use, "
            "by body (#1), body (#2), body (#3) and 1 more"
        )
        assert waits[1].explain().splitlines()[0].endswith("and 1 more; 1 task before it")
        first.go["a"].set_result(None)
        await turns()
        assert waits[0].explain().startswith("'body' (#4) runs on the event loop\n")
        assert "before it" not in waits[1].explain()


async def test_a_limit_changed_below_what_somebody_waits_for_says_so_and_lets_others_go_on() -> None:
    async with cut_short() as engine:
        memory = engine.limit("memory", concurrency=5)
        held = Held(engine)
        held.task.with_options(limits={"memory": 3})("runs")
        heavy, light = (
            held.task.with_options(limits={"memory": weight})(f"weight {weight}") for weight in (5, 1)
        )
        await turns()
        memory.change(concurrency=4)
        with pytest.raises(ValueError, match="limit 'memory': 5 can never be met, since there is 4 at most"):
            await heavy
        await turns()
        assert held.begun == ["runs", "weight 1"] and not light.done()


async def test_a_limit_may_be_changed_on_any_thread() -> None:
    async with cut_short() as engine:
        api = engine.limit("api", concurrency=1)
        held = Held(engine, limits="api")
        held.task("a")
        second = held.task("b")
        await turns()
        begun = asyncio.ensure_future(_until(lambda: "b" in held.begun))
        await asyncio.to_thread(api.change, concurrency=2)
        await asyncio.wait_for(begun, 5)
        assert not second.done()


async def _until(holds: Callable[[], bool]) -> None:
    while not holds():
        await asyncio.sleep(0)


def test_two_event_loops_at_once_are_refused_a_limit_and_one_after_another_are_not() -> None:
    limit = Limit("api", concurrency=1)

    async def one(inside: Callable[[], Any] = int) -> Any:
        async with WorkflowEngine() as engine:

            @engine.function_task(limits=limit)
            async def task() -> Any:
                return await asyncio.to_thread(inside)

            return await task()

    with pytest.raises(RuntimeError, match="limit 'api' is in use on another event loop"):
        asyncio.run(one(lambda: asyncio.run(one())))
    assert limit.used == 0
    assert asyncio.run(one()) == 0


def test_what_a_closed_loop_has_left_uses_no_limit() -> None:
    limit, engine, door = Limit("api", concurrency=1), WorkflowEngine(), threading.Event()
    wait = engine.function_task(door.wait, name="wait", limits=limit)

    async def left() -> None:
        wait(), wait()
        await turns()

    async def other() -> None:
        async with WorkflowEngine() as another:
            await asyncio.wait_for(another.function_task(aone, limits=limit)(), 5)
            async with engine:
                await asyncio.wait_for(wait(), 5)
        assert limit.used == 0

    asyncio.run(left())
    assert limit.used == 1
    door.set()
    asyncio.run(other())


def test_a_limit_keeps_no_event_loop_and_no_task() -> None:
    limit = Limit("api", concurrency=1)
    gone: list[weakref.ref[Any]] = []

    async def main() -> None:
        async with WorkflowEngine() as engine:

            @engine.function_task(limits=limit)
            async def task() -> None: ...

            gone.append(weakref.ref(asyncio.get_running_loop()))
            gone.extend(weakref.ref(future) for future in [task() for _ in range(3)])
            await engine.shutdown()

    asyncio.run(main())
    gc.collect()
    assert [each() for each in gone] == [None] * 4


@pytest.mark.parametrize("raised", [ZeroDivisionError(), SystemExit(3)])
async def test_a_weight_that_cannot_be_told_fails_its_task_alone(raised: BaseException) -> None:
    def weight(name: str) -> float:
        if name == "bad":
            raise raised
        return 1

    async with cut_short() as engine:
        api = engine.limit("api", concurrency=1)
        held = Held(engine, limits={"api": weight})
        bad, good = held.task("bad"), held.task("good")
        await asyncio.wait([bad])
        error = bad.exception()
        assert error is raised or (error is not None and error.__cause__ is raised)
        await turns()
        assert held.begun == ["good"] and api.used == 1
        held.go["good"].set_result(None)
        await good


@pytest.mark.parametrize("seed", range(4))
async def test_wherever_tasks_are_cancelled_every_slot_comes_free(engine: WorkflowEngine, seed: int) -> None:
    random = Random(seed)
    api = engine.limit("api", concurrency=2)
    memory = engine.limit("memory", concurrency=1)

    async def body(fails: bool) -> None:
        await asyncio.sleep(0)
        if fails:
            raise OSError

    def function(fails: bool) -> None:
        if fails:
            raise OSError

    options: Any = {"limits": {"api": 0.3, "memory": lambda fails: 0.1 + fails * 0.2}}
    tasks = [
        engine.function_task(each, **options, retries=2, retry_delay=delay)
        for each in (body, function)
        for delay in (0, 0.001)
    ]
    tasks.append(engine.block(body, **options, retries=1, retry_delay=0))
    futures: list[TaskFuture[Any]] = []
    for _ in range(250):
        futures.append(random.choice(tasks)(random.random() < 0.4))
        if random.random() < 0.3:
            await asyncio.sleep(0)
        random.choice(futures).cancel()
    for _ in range(250):
        random.choice(futures).cancel()
        await asyncio.sleep(0)
    await asyncio.wait(futures)
    for future in futures:
        await engine.settled(future)
        future.cancelled() or future.exception()
    assert api.used == memory.used == 0
    await asyncio.gather(*[task.with_options(limits={"api": 2, "memory": 1})(False) for task in tasks])


async def test_who_wait_for_a_rate_cost_no_more_the_more_they_are() -> None:
    costs = []
    for count in (500, 2000):
        engine = await WorkflowEngine.create()
        engine.limit("api", rate=1e9, burst=1)
        task = engine.function_task(aone, limits="api")
        looks = 0

        def count_calls(frame: Any, event: str, arg: Any) -> None:
            nonlocal looks
            looks += event == "call"

        sys.setprofile(count_calls)
        try:
            await asyncio.gather(*[task() for _ in range(count)])
        finally:
            sys.setprofile(None)
        await engine.shutdown()
        costs.append(looks / count)
    assert costs[1] < 1.5 * costs[0]


async def aone() -> None: ...
