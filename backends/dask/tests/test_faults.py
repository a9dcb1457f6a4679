"""Workers, nannies, schedulers and engines that are killed: it is told at once, nothing runs twice, nothing is left."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from asyncflow_dask import DaskBackend, leases
from distributed import Client
from kit import Commanded, add, children, command, commanded, has_ended, marks, parent, stands, where

from asyncflow import WorkerDied, WorkflowEngine
from asyncflow.testing import Gate, deadline


@pytest.fixture(autouse=True)
def _no_test_hangs() -> Iterator[None]:
    with deadline(90):
        yield


@pytest.fixture
def gate() -> Iterator[Gate]:
    with Gate() as made:
        yield made


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Commanded]:
    """Two nannies with a worker each."""
    with commanded(tmp_path, 2) as made:
        yield made


@pytest.mark.parametrize("killed", ["worker", "nanny"])
async def test_a_worker_that_is_killed_is_told_within_a_second_and_replaced(
    cluster: Commanded, gate: Gate, tmp_path: Path, killed: str
) -> None:
    async with WorkflowEngine(DaskBackend(cluster.address, slots=2)) as engine:
        held = engine.submit(stands, gate.door, tmp_path / "told")
        await gate.reached()
        process, agent = json.loads((tmp_path / "told").read_text())
        worker = parent(agent)
        os.kill(worker if killed == "worker" else parent(worker), signal.SIGKILL)
        async with asyncio.timeout(5):  # a second, on a machine that does nothing else
            with pytest.raises(WorkerDied) as caught:
                await held
        assert caught.value.may_have_begun
        await has_ended(worker, agent, process)
        folder = tmp_path / "marks"
        folder.mkdir()
        assert await asyncio.gather(*[engine.submit(marks, folder, n) for n in range(100)]) == [*range(100)]
        if killed == "worker":  # whose nanny starts another: both slots are there again
            again = [engine.submit(stands, gate.door, tmp_path / f"again-{n}") for n in range(2)]
            await gate.reached(3)  # the one that was killed has been there, too
            gate.close()
            assert len({*await asyncio.gather(*again)}) == 2


async def test_of_tasks_behind_a_worker_that_is_killed_none_is_lost_and_none_runs_twice(
    cluster: Commanded, tmp_path: Path
) -> None:
    folder = tmp_path / "marks"
    folder.mkdir()
    async with WorkflowEngine(DaskBackend(cluster.address, slots=2)) as engine:
        _, agent = await engine.submit(where)
        futures = [engine.submit(marks, folder, number) for number in range(2000)]
        await futures[200]
        os.kill(parent(agent), signal.SIGKILL)
        results = await asyncio.gather(*futures, return_exceptions=True)
        died = [number for number, result in enumerate(results) if isinstance(result, WorkerDied)]
        assert [result for result in results if not isinstance(result, WorkerDied)] == [
            number for number in range(2000) if number not in {*died}
        ]
        assert {int(mark.name) for mark in folder.iterdir()} >= {*range(2000)} - {*died}


@pytest.mark.parametrize("when", ["at once", "when its client has given up"])
async def test_tasks_wait_for_a_scheduler_that_was_killed_until_there_is_one_again(
    cluster: Commanded, gate: Gate, tmp_path: Path, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = DaskBackend(cluster.address, slots=2)
    if when != "at once":
        monkeypatch.setattr(leases, "_CONNECT", 2.0)
    async with WorkflowEngine(backend) as engine:
        held = engine.submit(stands, gate.door, tmp_path / "told")
        await gate.reached()
        process, agent = json.loads((tmp_path / "told").read_text())
        assert cluster.scheduler is not None
        cluster.scheduler.kill()
        cluster.scheduler.wait()
        with pytest.raises(WorkerDied):  # its Dask worker ends without a scheduler
            await held
        await has_ended(agent, process)
        future = engine.submit(add, 1, 2)
        while when != "at once" and "could not begin" not in future.explain():
            await asyncio.sleep(0.05)
        cluster.start_scheduler()
        cluster.start_worker()
        assert await future == 3


HOST = """
import asyncio, os, signal, sys
from pathlib import Path
from asyncflow import WorkflowEngine
from asyncflow_dask import DaskBackend

def stays(folder, number):
    (Path(folder) / f"{number}").write_text(f"{os.getpid()} {os.getppid()}")
    (Path(folder) / f"{number}").rename(Path(folder) / f"ready-{number}")
    while True:
        signal.pause()

async def main():
    address = sys.argv[2] if len(sys.argv) > 2 else None
    async with WorkflowEngine(DaskBackend(address, slots=2)) as engine:
        tasks = [engine.submit(stays, sys.argv[1], number) for number in range(2)]
        while len(list(Path(sys.argv[1]).glob("ready-*"))) < 2:
            await asyncio.sleep(0.01)
        print("ready", flush=True)
        await asyncio.gather(*tasks)

asyncio.run(main())
"""


async def started(folder: Path, *arguments: str) -> tuple[subprocess.Popen[bytes], list[int], list[int]]:
    """An engine in a program of its own, with two tasks that run; their processes and agents."""
    folder.mkdir()
    host = subprocess.Popen(
        [sys.executable, "-c", HOST, str(folder), *arguments], stdout=subprocess.PIPE, process_group=0
    )
    assert host.stdout is not None
    assert await asyncio.to_thread(host.stdout.readline) == b"ready\n"
    pids = [[int(pid) for pid in file.read_text().split()] for file in folder.iterdir()]
    return host, [worker for worker, _ in pids], [agent for _, agent in pids]


def kill(host: subprocess.Popen[bytes]) -> None:
    host.kill()
    host.wait()
    assert host.stdout is not None
    host.stdout.close()


async def test_of_an_engine_that_was_killed_no_lease_no_agent_and_no_worker_is_left_on_a_shared_cluster(
    cluster: Commanded, tmp_path: Path
) -> None:
    async with Client(cluster.address, asynchronous=True, set_as_default=False) as client:
        host, workers, agents = await started(tmp_path / "host", cluster.address)
        leases = await client.processing()
        assert sum(map(len, leases.values())) == 2
        kill(host)
        await has_ended(*workers, *agents)
        assert not any((await client.processing()).values())
        assert await client.submit(sum, [1, 2]) == 3  # both Dask workers are free
        async with WorkflowEngine(DaskBackend(cluster.address, slots=2)) as engine:
            assert await engine.submit(add, 1, 2) == 3


async def test_of_an_engine_that_was_killed_its_own_cluster_is_not_left(tmp_path: Path) -> None:
    host, workers, agents = await started(tmp_path / "host")
    (cluster,) = [pid for pid in children(host.pid) if "asyncflow_dask" in command(pid)]
    below = children(cluster)
    kill(host)
    await has_ended(*workers, *agents, *below, cluster)


async def test_two_engines_share_a_cluster_and_a_slot_goes_from_one_that_is_idle_to_the_other(
    tmp_path: Path, gate: Gate
) -> None:
    with commanded(tmp_path, 1) as cluster:
        first = WorkflowEngine(DaskBackend(cluster.address, idle_after=0.5))
        second = WorkflowEngine(DaskBackend(cluster.address, idle_after=0.5))
        async with first, second:
            held = first.submit(stands, gate.door, tmp_path / "told")
            await gate.reached()
            waits = second.submit(add, 1, 2)
            third = second.submit(add, 3, 4)
            gate.close()
            await held
            assert await asyncio.gather(waits, third) == [3, 7]  # when the first has given its slot back
            assert await first.submit(add, 5, 6) == 11
