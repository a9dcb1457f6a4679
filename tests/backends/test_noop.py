"""The noop backend: the contract, and its stand-ins."""

from __future__ import annotations

import asyncio
import pickle
from typing import Any

import pytest

from asyncflow import WorkflowEngine
from asyncflow.backends.noop import NoopBackend
from asyncflow.testing.conformance import BackendConformance


class TestNoop(BackendConformance):
    """Nothing runs."""

    executes = False

    def make_backend(self) -> NoopBackend:
        return NoopBackend()


def never_called(*args: Any) -> Any:
    raise AssertionError(f"called with {args}")


async def never_called_later(*args: Any) -> Any:
    never_called(*args)


@pytest.fixture
async def engine() -> Any:
    async with WorkflowEngine("noop") as engine:
        yield engine


@pytest.mark.parametrize("body", [never_called, never_called_later])
async def test_no_function_is_called(engine: WorkflowEngine, body: Any) -> None:
    await engine.submit(body, 1, 2)


@pytest.mark.parametrize("body", [never_called, never_called_later])
async def test_a_dry_run_of_any_engine_calls_no_function(body: Any) -> None:
    async with WorkflowEngine("thread", dry_run=True) as engine:
        await engine.submit(body)


async def test_blocks_run_and_go_on_with_stand_ins(engine: WorkflowEngine) -> None:
    steps: list[str] = []
    load = engine.function_task(never_called, name="load")

    @engine.block
    async def pipeline() -> Any:
        rows = await load("a.csv")
        for row in rows:
            steps.append(str(row))
        return await load(rows["first"].name, rows + 1)

    result = await pipeline()
    assert steps == ["<stand-in for load#2[0]>"]
    assert repr(result) == "<stand-in for load#3>"


async def test_a_stand_in_tells_what_it_stands_for(engine: WorkflowEngine) -> None:
    value = await engine.submit(never_called)
    assert (
        repr(value.model["weights"](3).shape) == "<stand-in for never_called#1.model['weights'](...).shape>"
    )


async def test_a_stand_in_takes_what_code_does_to_results(engine: WorkflowEngine) -> None:
    value = await engine.submit(never_called)
    kind = type(value)
    for made in (
        value + 1,
        1 + value,
        -value,
        value @ value,
        value[0],
        value.any,
        value(),
        round(value),
        abs(value),
    ):
        assert type(made) is kind
    assert (int(value), float(value), len(value), bool(value), 5 in value) == (1, 1.0, 1, True, True)
    assert (value < 1, value > 1, value <= 1, value >= 1) == (False, False, True, True)
    assert list(range(9))[value] == 1
    [item] = value
    assert type(item) is kind


async def test_a_stand_in_refuses_protocols_that_would_take_it_for_something_else(
    engine: WorkflowEngine,
) -> None:
    value = await engine.submit(never_called)
    for name in ("__array__", "__await__", "__fspath__", "__enter__", "__next__"):
        assert not hasattr(value, name)
    with pytest.raises(TypeError):
        pickle.dumps(value, protocol=0)


async def test_all_that_is_submitted_is_over_at_once(engine: WorkflowEngine) -> None:
    futures = [engine.submit(never_called, number) for number in range(100)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert all(future.done() for future in futures)
