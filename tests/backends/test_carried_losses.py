"""What becomes of work when its agent is lost: nothing is lost with it in silence, and nothing runs twice."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

from asyncflow import TaskFuture, WorkerDied, WorkflowEngine
from asyncflow.backends.carried import Agent, CarriedBackend
from asyncflow.testing import Door, Gate
from asyncflow.testing import bad_tasks as bad


def note(path: str, number: int) -> int:
    """Write down that this task has begun: one line, in one piece, whoever else writes."""
    file = os.open(path, os.O_WRONLY | os.O_APPEND)
    os.write(file, b"%d\n" % number)
    os.close(file)
    return number


def noted(path: Path) -> Counter[int]:
    return Counter(int(line) for line in path.read_text().split())


class Watched(CarriedBackend):
    """Tells which agents are there."""

    def __init__(self, agents: int, workers: int = 1) -> None:
        super().__init__(agents, workers=workers)
        self.there: dict[str, Agent] = {}
        self.somebody = asyncio.Event()  # is there
        self.one_left = asyncio.Event()

    def joined(self, agent: Agent) -> None:
        self.there[agent.name] = agent
        self.somebody.set()

    def left(self, agent: Agent) -> None:
        del self.there[agent.name]
        self.one_left.set()
        if not self.there:
            self.somebody.clear()


def through(door: Door) -> int:
    """Wait at a gate.

    Returns:
        The agent whose worker this is.
    """
    door.pass_through()
    return os.getppid()


def died(future: TaskFuture[int]) -> WorkerDied | None:
    """How a task was lost; None for one that has a value."""
    error = future.exception()
    assert error is None or isinstance(error, WorkerDied), error
    return error


async def test_what_a_killed_agent_may_have_begun_fails_and_names_it_and_all_else_is_done_elsewhere() -> None:
    backend = Watched(agents=1)
    with Gate() as gate:
        async with WorkflowEngine(backend) as engine:
            running = engine.submit(through, gate.door)
            behind = [engine.submit(through, gate.door) for _ in range(5)]
            await gate.reached(1)
            [agent] = backend.there.values()
            os.kill(agent.pid, signal.SIGKILL)
            with pytest.raises(WorkerDied, match=r"'through' \(#1\) was lost with its machine") as caught:
                await running
            assert caught.value.may_have_begun
            assert agent.name in str(caught.value)
            assert "signal SIGKILL" in str(caught.value)
            gate.open(5)
            parents = await asyncio.gather(*behind)
            assert agent.pid not in parents


async def test_of_a_chain_on_a_lost_agent_the_head_fails_and_the_links_with_it() -> None:
    backend = Watched(agents=1)
    with Gate() as gate:
        async with WorkflowEngine(backend) as engine:
            head = engine.submit(through, gate.door)
            link = engine.submit(bad.add, head, 1)
            last = engine.submit(bad.add, link, 1)
            await gate.reached(1)
            [agent] = backend.there.values()
            os.kill(agent.pid, signal.SIGKILL)
            await asyncio.wait([head, link, last])
            assert died(head) is not None
            assert [type(each.exception()).__name__ for each in (link, last)] == ["UpstreamFailed"] * 2


def through_and_note(door: Door, path: str) -> int:
    door.pass_through()
    return note(path, 1)


def note_after(path: str, before: int) -> int:
    return note(path, before + 1)


async def test_what_follows_a_task_that_is_retried_after_a_loss_runs_once(tmp_path: Path) -> None:
    backend, path = Watched(agents=1), tmp_path / "begun"
    path.touch()
    with Gate() as gate:
        async with WorkflowEngine(backend) as engine:
            head = engine.function_task(through_and_note, retries=1)(gate.door, str(path))
            link = engine.submit(note_after, str(path), head)
            last = engine.submit(note_after, str(path), link)
            await gate.reached(1)
            [agent] = backend.there.values()
            os.kill(agent.pid, signal.SIGKILL)
            await backend.one_left.wait()
            gate.open(2)
            assert await last == 3
            assert noted(path) == {1: 1, 2: 1, 3: 1}


async def test_a_large_call_that_is_not_there_yet_when_its_agent_is_lost_is_done_elsewhere() -> None:
    backend = Watched(agents=1)
    data = bytes(200 << 20)
    async with WorkflowEngine(backend) as engine:
        assert await engine.submit(len, b"") == 0
        [agent] = backend.there.values()
        os.kill(agent.pid, signal.SIGSTOP)  # it takes nothing more
        length = engine.submit(len, data)
        await asyncio.sleep(0)
        while not agent.given:
            await asyncio.sleep(0)
        os.kill(agent.pid, signal.SIGKILL)
        assert await length == len(data)


async def random_kills(folder: Path, kills: int, tasks: int) -> None:
    """Kill agents and workers while many tasks run, and count what has run."""
    chance = random.Random(kills)
    path = folder / "begun"
    path.touch()
    backend = Watched(agents=2, workers=2)
    lost = 0
    async with WorkflowEngine(backend) as engine:
        for each in range(kills):
            futures = [
                engine.submit(note, str(path), number)
                for number in range(each * (tasks // kills), (each + 1) * (tasks // kills))
            ]
            await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)
            await backend.somebody.wait()
            agent = chance.choice(list(backend.there.values()))
            victims = [agent.pid]
            if chance.random() < 0.5:
                children = Path(f"/proc/{agent.pid}/task/{agent.pid}/children")
                victims = [int(pid) for pid in children.read_text().split()] or victims
            with suppress(ProcessLookupError):
                os.kill(chance.choice(victims), signal.SIGKILL)
            await asyncio.wait(futures)
            lost += sum(died(future) is not None for future in futures)
            begun = noted(path)
            assert max(begun.values()) == 1, "a task has run twice"
            for future in futures:
                assert future.exception() is not None or begun[future.result()] == 1
    assert lost < tasks


async def test_whatever_is_killed_each_task_ends_and_none_runs_twice(tmp_path: Path) -> None:
    await random_kills(tmp_path, kills=6, tasks=900)


@pytest.mark.soak
async def test_of_ten_thousand_tasks_and_two_hundred_kills_none_is_lost_and_none_runs_twice(
    tmp_path: Path,
) -> None:
    await random_kills(tmp_path, kills=200, tasks=10_000)
