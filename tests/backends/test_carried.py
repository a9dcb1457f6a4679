"""The carried backend: what becomes of work that agents do, over plain TCP."""

from __future__ import annotations

import asyncio
import os

import pytest

from asyncflow import WorkerDied, WorkflowEngine
from asyncflow.backends.carried import Agent, CarriedBackend


def add(left: int, right: int) -> int:
    return left + right


def ends_with(code: int) -> None:
    os._exit(code)


async def test_calls_chains_and_large_values_go_to_agents_and_back() -> None:
    async with WorkflowEngine(CarriedBackend(agents=2, workers=1)) as engine:
        assert await engine.submit(add, 1, 2) == 3
        assert await asyncio.gather(*[engine.submit(add, n, 1) for n in range(300)]) == [*range(1, 301)]
        link = engine.submit(add, 0, 0)
        for _ in range(300):
            link = engine.submit(add, link, 1)
        assert await link == 300
        assert await engine.submit(complex, 1, 2) == 1 + 2j
        assert await engine.submit(bytes, 20 << 20) == bytes(20 << 20)
        assert await engine.submit(len, bytes(20 << 20)) == 20 << 20
        with pytest.raises(WorkerDied, match="exit code 3"):
            await engine.submit(ends_with, 3)
        assert await engine.submit(add, 1, 2) == 3


async def test_a_backend_by_name_has_the_workers_that_the_engine_was_given() -> None:
    async with WorkflowEngine(backend="carried", workers=2) as engine:
        assert await engine.submit(add, 1, 2) == 3


async def test_an_idle_agent_is_let_go_and_another_started_when_work_comes() -> None:
    released: asyncio.Queue[str] = asyncio.Queue()

    class Watched(CarriedBackend):
        async def release(self, agent: Agent) -> None:
            released.put_nowait(agent.name)

    async with WorkflowEngine(Watched(agents=1, workers=1, idle_after=0.2)) as engine:
        first = await engine.submit(os.getppid)
        assert await released.get() == "local-1"
        second = await engine.submit(os.getppid)
        assert first != second
