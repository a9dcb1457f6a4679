"""Code that would wait for what waits for it is told so where it would begin to wait, and does not hang."""

from __future__ import annotations

from typing import Any

import pytest

from asyncflow import CircularDependency, TaskFuture, WorkflowEngine

from .kit import turns

Futures = dict[str, TaskFuture[Any]]


def same(value: Any) -> Any:
    return value


async def test_task_inside_a_block_cannot_wait_for_what_waits_for_the_block() -> None:
    futures: Futures = {}
    async with WorkflowEngine("sequential") as engine:

        @engine.block
        async def inside() -> str:
            await turns()
            with pytest.raises(
                CircularDependency, match=r"'same' \(#4\) would wait for 'same' \(#3\), which waits"
            ):
                engine.submit(same, futures["after"])
            return "went on"

        futures["after"] = engine.submit(same, engine.submit(same, inside()))
        assert await futures["after"] == "went on"


async def test_block_cannot_await_what_waits_for_it_over_any_number_of_steps() -> None:
    futures: Futures = {}
    async with WorkflowEngine("sequential") as engine:

        @engine.block
        async def inside() -> str:
            with pytest.raises(
                CircularDependency, match=r"'inside' \(#1\) would wait for 'same' \(#\d+\), which"
            ):
                await futures["after"]
            return "went on"

        future: TaskFuture[Any] = inside()
        for _ in range(50):
            future = engine.submit(same, future)
        futures["after"] = future
        assert await future == "went on"


async def test_coroutine_task_cannot_await_what_waits_for_it() -> None:
    futures: Futures = {}
    async with WorkflowEngine("sequential") as engine:

        @engine.function_task
        async def inside() -> str:
            with pytest.raises(
                CircularDependency, match=r"'inside' \(#1\) would wait for 'same' \(#2\), which"
            ):
                await futures["after"]
            return "went on"

        futures["after"] = engine.submit(same, inside())
        assert await futures["after"] == "went on"


async def test_block_cannot_return_what_waits_for_it() -> None:
    futures: Futures = {}
    async with WorkflowEngine("sequential") as engine:

        @engine.block
        def inside() -> TaskFuture[Any]:
            return futures["after"]

        block = inside()
        futures["after"] = engine.submit(same, block)
        with pytest.raises(CircularDependency):
            await block


async def test_task_outside_that_waits_for_the_same_may_be_awaited_inside() -> None:
    futures: Futures = {}
    async with WorkflowEngine("sequential") as engine:

        @engine.block
        async def inside() -> Any:
            return await engine.submit(same, futures["beside"])

        futures["beside"] = engine.submit(same, engine.submit(same, 1))
        assert await engine.submit(same, inside()) == 1
