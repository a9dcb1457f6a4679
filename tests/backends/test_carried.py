"""The carried backend: what becomes of work that agents do, over plain TCP."""

from __future__ import annotations

import asyncio
import os
import threading
from typing import ClassVar

import pytest

from asyncflow import WorkerDied, WorkflowEngine
from asyncflow.backends.carried import TLS, Agent, CarriedBackend


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


class Elsewhere:
    """Stands for a value that only a worker can get at."""

    def __init__(self, key: int) -> None:
        self.key = key

    def __reduce__(self) -> str:
        raise AssertionError("this was pickled as it is")


class Derived(Elsewhere):
    """One of a kind below."""


def fetched(key: int) -> tuple[int, int]:
    return key, os.getpid()


class WithReducers(CarriedBackend):
    """As a plugin does, whose cluster has values of its own."""

    reducers: ClassVar = {Elsewhere: lambda value: (fetched, (value.key,))}


async def test_an_argument_of_a_clusters_own_kind_becomes_its_value_in_the_worker_process() -> None:
    async with WorkflowEngine(WithReducers(agents=1, workers=1)) as engine:
        values = engine.submit(lambda *values: values, Elsewhere(1), [Derived(2), b"x" * 100_000])
        first, [second, long] = await values
        assert (first[0], second[0], long) == (1, 2, b"x" * 100_000)
        assert first[1] == second[1] != os.getpid()
        with pytest.raises(TypeError, match="cannot pickle"):
            await engine.submit(lambda values: values, [threading.Lock()])


class Noted(CarriedBackend):
    """Notes which agents come and go."""

    def __init__(self) -> None:
        super().__init__(agents=2, workers=1)
        self.heard: list[tuple[str, str]] = []
        self.all_here = asyncio.Event()

    def joined(self, agent: Agent) -> None:
        self.heard.append(("joined", agent.name))
        if len(self.heard) == 2:
            self.all_here.set()

    def left(self, agent: Agent) -> None:
        self.heard.append(("left", agent.name))


async def test_a_plugin_hears_of_each_agent_that_comes_and_goes() -> None:
    backend = Noted()
    async with WorkflowEngine(backend) as engine:
        await asyncio.gather(*[engine.submit(add, 1, 2) for _ in range(2)])  # agents start with work for them
        await backend.all_here.wait()
        assert sorted(backend.heard) == [("joined", "local-1"), ("joined", "local-2")]
    assert sorted(backend.heard[2:]) == [("left", "local-1"), ("left", "local-2")]


@pytest.mark.parametrize("is_encrypted", [False, True], ids=["plain", "encrypted"])
def test_agents_end_though_the_loop_of_their_engine_was_closed(is_encrypted: bool) -> None:
    tls = TLS.for_this_run() if is_encrypted else None
    engine = WorkflowEngine(CarriedBackend(agents=1, workers=1, tls=tls))

    async def main() -> int:
        await engine.start()
        return await engine.submit(os.getppid)

    agents = [asyncio.run(main()) for _ in range(2)]
    asyncio.run(engine.shutdown())
    assert agents[0] != agents[1]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("ssh node1", r"commands='ssh node1': .*commands=\[\['ssh', 'node1'\]\]"),
        (["ssh", "node1"], r"commands=\['ssh', 'node1'\]: that is one command"),
        (["ssh node1", ["ssh", "node2"]], "commands: 'ssh node1' is no command"),
        ([["ssh", 1]], "commands: .*is no command"),
    ],
)
def test_commands_that_are_none_are_refused_when_the_backend_is_made(
    given: list[list[str]], told: str
) -> None:
    with pytest.raises(TypeError, match=told):
        CarriedBackend(agents=0, commands=given)


@pytest.mark.parametrize("listen", ["0.0.0.0", "0.0.0.0:http", ":7700", ""])
def test_an_address_without_a_port_is_refused_when_the_backend_is_made(listen: str) -> None:
    with pytest.raises(ValueError, match=rf"listen='{listen}': that is no address: HOST:PORT is needed"):
        CarriedBackend(listen=listen)
