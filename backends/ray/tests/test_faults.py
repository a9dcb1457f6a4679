"""What becomes of tasks when parts of the cluster are killed, and of the cluster when the engine is."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import ray
from asyncflow_ray import RayBackend
from conftest import TestCluster, agents, processes, wait_until_no_agent_is_left

from asyncflow import WorkerDied, WorkflowEngine
from asyncflow.testing import Gate
from asyncflow.testing import bad_tasks as bad


@pytest.fixture
async def engine(cluster: TestCluster) -> AsyncIterator[WorkflowEngine]:
    """Two agents of one worker each."""
    async with WorkflowEngine(RayBackend(slots=2)) as engine:
        yield engine
    wait_until_no_agent_is_left()


async def all_work(engine: WorkflowEngine, many: int = 200) -> None:
    assert await asyncio.gather(*(engine.submit(bad.add, n, 1) for n in range(many))) == [*range(1, many + 1)]


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


async def family(engine: WorkflowEngine) -> tuple[int, int, int]:
    """A worker process, its agent, and the actor that supervises that."""
    worker = await engine.submit(bad.process_id)
    agent = parent_of(worker)
    return worker, agent, parent_of(agent)


@pytest.mark.parametrize("member", ["worker", "agent", "actor"])
async def test_what_a_part_of_a_node_ran_fails_when_it_is_killed_and_all_else_is_done(
    engine: WorkflowEngine, member: str
) -> None:
    await all_work(engine)
    with Gate() as gate:
        running = [engine.submit(bad.through, gate.door, bad.process_id) for _ in range(2)]
        await gate.reached(2)
        waiting = [engine.submit(bad.add, n, 1) for n in range(200)]
        worker = processes("asyncflow._worker")[0]
        agent = parent_of(worker)
        victim = {"worker": worker, "agent": agent, "actor": parent_of(agent)}[member]
        os.kill(victim, signal.SIGKILL)
        over, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        [lost] = over
        error = lost.exception()
        assert isinstance(error, WorkerDied), error
        gate.open()
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
        # One that was sent ahead may have begun with the agent that is gone; nothing else is lost.
        wrong = [(n, found) for n, found in enumerate(outcomes) if found != n + 1]
        assert all(isinstance(found, WorkerDied) and found.may_have_begun for _, found in wrong), wrong
        assert not wrong or member != "worker"
    await all_work(engine)


async def test_a_node_that_comes_is_used_and_what_it_ran_is_told_to_have_died_when_it_goes(
    cluster: TestCluster,
) -> None:
    with Gate() as gate:
        async with WorkflowEngine(RayBackend()) as engine:
            held = [engine.submit(bad.through, gate.door, n) for n in range(5)]
            await gate.reached(4)  # all that the two nodes have room for
            cluster.order("add", 1, 0)
            await gate.reached(5)  # the node that has come
            cluster.order("remove")
            over, _ = await asyncio.wait(held, return_when=asyncio.FIRST_COMPLETED)
            [lost] = over
            assert isinstance(lost.exception(), WorkerDied)
            gate.close()
            outcomes = await asyncio.gather(*held, return_exceptions=True)
            assert len([found for found in outcomes if isinstance(found, int)]) == 4
            await all_work(engine)
    wait_until_no_agent_is_left()


@ray.remote(num_cpus=1)
class _Other:
    """Somebody else's work."""

    def is_there(self) -> bool:
        return True


async def test_what_others_had_of_a_node_is_used_once_it_is_free(cluster: TestCluster) -> None:
    other = _Other.remote()
    assert ray.get(other.is_there.remote())
    with Gate() as gate:
        async with WorkflowEngine(RayBackend()) as engine:
            held = [engine.submit(bad.through, gate.door, n) for n in range(4)]
            await gate.reached(3)
            ray.kill(other)
            await gate.reached(4)
            gate.close()
            assert await asyncio.gather(*held) == [0, 1, 2, 3]
    wait_until_no_agent_is_left()


_RUNS = """
import asyncio, sys
from asyncflow import WorkflowEngine
from asyncflow.testing import bad_tasks as bad
from asyncflow.testing.gate import Door
from asyncflow_ray import RayBackend

async def main():
    async with WorkflowEngine(RayBackend(sys.argv[1], slots=2)) as engine:
        await asyncio.gather(*(engine.submit(bad.through, Door(*sys.argv[2:])) for _ in range(50)))

asyncio.run(main())
"""


async def test_no_actor_agent_or_worker_outlives_an_engine_that_is_killed(cluster: TestCluster) -> None:
    with Gate() as gate:
        door = [gate.door._came, gate.door._let]
        program = subprocess.Popen([sys.executable, "-c", _RUNS, cluster.address, *door])
        await gate.reached(2)
        assert len(agents()) == 4
        program.kill()
        program.wait()
        wait_until_no_agent_is_left()
    alive = [actor for actor in ray._private.state.actors().values() if actor["State"] != "DEAD"]
    assert not alive


async def test_two_engines_share_a_cluster(cluster: TestCluster) -> None:
    async with WorkflowEngine(RayBackend(slots=2)) as one, WorkflowEngine(RayBackend(slots=2)) as other:
        await asyncio.gather(all_work(one, 1000), all_work(other, 1000))
    wait_until_no_agent_is_left()


async def test_an_engine_gets_what_another_one_gives_back_when_it_is_idle(cluster: TestCluster) -> None:
    async with (
        WorkflowEngine(RayBackend(slots=2, cores=2, idle_after=0.2)) as one,
        WorkflowEngine(RayBackend(slots=2, cores=2, idle_after=0.2)) as other,
    ):
        with Gate() as gate:
            held = [one.submit(bad.through, gate.door) for _ in range(4)]
            await gate.reached(4)
            future = other.submit(bad.add, 1, 2)
            done, _ = await asyncio.wait([future], timeout=0.5)
            assert not done
            assert "no node with 2 CPUs free" in str(future.explain()) or "reached" in str(future.explain())
            gate.close()
            await asyncio.gather(*held)
        assert await future == 3
    wait_until_no_agent_is_left()


async def test_a_reference_becomes_its_value_in_the_worker_and_is_let_go(engine: WorkflowEngine) -> None:
    numpy = pytest.importorskip("numpy")
    array, number = ray.put(numpy.ones(1_000_000)), ray.put(20)
    look: Callable[..., object] = lambda array, numbers: (  # noqa: E731
        type(array).__name__,
        float(array.sum()),
        array.flags.writeable,
        numbers,
    )
    # Not writeable: it is the store's own memory, and no copy.
    assert await engine.submit(look, array, [number, {"more": number}]) == (
        "ndarray",
        1e6,
        False,
        [20, {"more": 20}],
    )


def test_a_ray_that_was_started_here_ends_with_the_engine(tmp_path: Path) -> None:
    program = """
import asyncio, ray
from asyncflow import WorkflowEngine

async def main():
    async with WorkflowEngine("ray", workers=1) as engine:
        print(await engine.submit(pow, 2, 5))
    print(ray.is_initialized())

asyncio.run(main())
"""
    ran = subprocess.run(
        [sys.executable, "-c", program],
        env={name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (ran.stdout, ran.returncode) == ("32\nFalse\n", 0), ran.stderr
    assert ran.stderr == ""
