"""Limits: never more at once than they allow, whoever waits goes on when it can, and nothing is held in vain."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from asyncflow import WorkflowEngine
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
