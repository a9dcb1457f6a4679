"""The Dask backend: which clusters it works on, what it asks of them, and what its users are told."""

from __future__ import annotations

import ast
import asyncio
import logging
import os
import pickle
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncflow_dask
import pytest
from asyncflow_dask import DaskBackend, leases
from distributed import Client, LocalCluster, Security
from distributed.utils import get_ip
from kit import Commanded, add, command, commanded, parent, where

from asyncflow import WorkflowEngine
from asyncflow.testing import Gate, deadline


@pytest.fixture(autouse=True)
def _no_test_hangs() -> Iterator[None]:
    with deadline(90):
        yield


def shared() -> tuple[str, Security | None]:
    """The cluster of the session."""
    way: tuple[str, Security | None] = pickle.loads(Path(os.environ["ASYNCFLOW_DASK_TESTS"]).read_bytes())
    return way


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[Commanded]:
    """A cluster without encryption, with one worker."""
    with commanded(tmp_path, 1) as made:
        yield made


# -- clusters ---------------------------------------------------------------------------------------------


def test_one_line_is_enough_and_a_script_needs_no_guard(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent("""
            from asyncflow import WorkflowEngine

            engine = WorkflowEngine(backend="dask", workers=2)

            @engine.function_task
            def square(n):
                return n * n

            @engine.block
            async def squares():
                return sum([await square(n) for n in range(5)])

            print(engine.run(squares))
        """)
    )
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=80, check=False
    )
    assert (done.stdout, done.stderr) == ("30\n", "")


async def test_a_client_and_a_cluster_that_are_given_are_left_as_they_are() -> None:
    address, security = shared()
    with Client(address, security=security, set_as_default=False) as client:
        async with WorkflowEngine(DaskBackend(client, slots=1)) as engine:
            assert await engine.submit(add, 1, 2) == 3
        assert client.submit(sum, [1, 2]).result() == 3
    async with LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0", asynchronous=True
    ) as cluster:
        async with WorkflowEngine(DaskBackend(cluster)) as engine:
            assert await engine.submit(add, 1, 2) == 3
        assert cluster.status.name == "running"


async def test_the_file_of_a_scheduler_leads_to_it_and_memory_and_resources_are_amounts(
    tmp_path: Path, plain: Commanded
) -> None:
    file = tmp_path / "way.json"
    file.write_text(f'{{"address": "{plain.address}"}}')
    backend = DaskBackend(file, slots=2, cores=2, memory="1 GiB")
    assert backend.workers == 4
    assert backend.amounts == {"cores": 4, "memory": 2 << 30}
    async with WorkflowEngine(backend) as engine:
        assert await engine.submit(add, 1, 2) == 3


async def test_agents_connect_encrypted_to_the_address_from_which_the_scheduler_is_reached(
    tmp_path: Path,
) -> None:
    here = get_ip()
    if here.startswith("127."):
        pytest.skip("this machine has no other address")
    with commanded(tmp_path, 1, here) as cluster:
        backend = DaskBackend(cluster.address, slots=1)
        async with WorkflowEngine(backend) as engine:
            assert await engine.submit(add, 1, 2) == 3
            lease = backend._door.lease
            assert lease is not None
            assert [address.rpartition(":")[0] for address in lease.addresses] == [here]
            assert "BEGIN CERTIFICATE" in (lease.certificate or "")


async def test_a_lease_waits_for_a_worker_that_has_what_it_needs(plain: Commanded) -> None:
    async with WorkflowEngine(DaskBackend(plain.address, slots=1, resources={"GPU": 1})) as engine:
        future = engine.submit(where)
        plain.start_worker("--resources", "GPU=1", "--name", "with-gpu")
        _, agent = await future
        assert "with-gpu" in command(parent(parent(agent)))  # the worker's nanny


async def test_a_slot_with_several_cores_runs_as_many_tasks_at_once() -> None:
    address, security = shared()
    backend = DaskBackend(address, slots=1, cores=3, security=security)
    with Gate() as gate:
        async with WorkflowEngine(backend) as engine:
            futures = [engine.submit(passes, gate.door) for _ in range(3)]
            await gate.reached(3)
            gate.close()
            agents = {agent for _, agent in await asyncio.gather(*futures)}
            assert len(agents) == 1


def passes(door: Any) -> tuple[int, int]:
    door.pass_through()
    return where()


async def test_an_adaptive_cluster_grows_with_the_work_and_shrinks_when_slots_are_given_back() -> None:
    async with LocalCluster(
        n_workers=0, threads_per_worker=1, processes=True, dashboard_address="127.0.0.1:0", asynchronous=True
    ) as cluster:
        cluster.adapt(minimum=0, maximum=3, interval="100 ms", wait_count=2)
        with Gate() as gate:
            async with WorkflowEngine(DaskBackend(cluster, idle_after=0.5)) as engine:
                futures = [engine.submit(passes, gate.door) for _ in range(3)]
                await gate.reached(3)
                assert len(cluster.scheduler.workers) == 3
                gate.close()
                assert len({agent for _, agent in await asyncio.gather(*futures)}) == 3
                while cluster.scheduler.workers:  # each is given back when it has been idle
                    await asyncio.sleep(0.05)
                assert await engine.submit(add, 1, 2) == 3  # and asked for again


async def test_scaling_in_under_load_fails_what_runs_there_and_nothing_else() -> None:
    async with (
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            dashboard_address="127.0.0.1:0",
            asynchronous=True,
        ) as cluster,
        WorkflowEngine(DaskBackend(cluster, slots=2)) as engine,
    ):
        futures = [engine.submit(add, number, 1) for number in range(3000)]
        await futures[100]
        await cluster.scheduler.retire_workers(n=1, close_workers=True, remove=True)
        results = await asyncio.gather(*futures, return_exceptions=True)
        lost = [result for result in results if isinstance(result, BaseException)]
        assert {type(error).__name__ for error in lost} <= {"WorkerDied"}
        assert [result for result in results if isinstance(result, int)] == [
            number + 1 for number, result in enumerate(results) if isinstance(result, int)
        ]
        assert await engine.submit(add, 1, 2) == 3


# -- what is told -----------------------------------------------------------------------------------------


async def test_tasks_that_wait_for_slots_say_so(tmp_path: Path) -> None:
    with commanded(tmp_path, 0) as cluster:
        async with WorkflowEngine(DaskBackend(cluster.address, slots=4)) as engine:
            futures = [engine.submit(add, number, 1) for number in range(12)]
            await asyncio.sleep(0)
            assert (
                f"could run, but backend 'dask' has no slot for it: the Dask cluster at {cluster.address} has given 0 "
                "of 4 that were asked for since 0 s"
            ) in futures[0].explain()
            assert "has given 0 of 4" in engine.explain()
            cluster.start_worker()
            assert await asyncio.gather(*futures) == [*range(1, 13)]
            assert "no slot" not in engine.explain()


async def test_why_leases_cannot_begin_is_told_at_once(
    plain: Commanded, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(leases, "hold", cannot_begin)
    async with WorkflowEngine(DaskBackend(plain.address, slots=1)) as engine:
        future = engine.submit(add, 1, 2)
        while not caplog.messages:
            await asyncio.sleep(0.01)
        (message,) = [each for each in caplog.messages if "slots" in each]
        assert message.startswith(
            f"1 task waits for slots: the Dask cluster at {plain.address} has given 0 of 1"
        )
        assert message.endswith("; the last could not begin: OSError: no space left on device")
        monkeypatch.undo()
        assert await future == 3


cannot_begin: Any = eval("lambda *_: (_ for _ in ()).throw(OSError('no space left on device'))")


async def test_a_scheduler_that_is_not_there_is_an_error_of_each_task(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(leases, "_CONNECT", 0.5)
    async with WorkflowEngine(DaskBackend("tcp://127.0.0.1:9")) as engine:
        with pytest.raises(
            ConnectionError, match=r"the Dask scheduler at tcp://127.0.0.1:9 cannot be reached: .*"
        ):
            await engine.submit(add, 1, 2)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (
            {"client": 8786},
            TypeError,
            "client=8786: expected the address of a Dask scheduler, a Cluster or a Client",
        ),
        ({"slots": 0}, ValueError, "slots=0: at least one is needed"),
        ({"cores": 1.5}, TypeError, "cores=1.5: a whole number is needed, 1 or more"),
        (
            {"memory": "16 giga"},
            ValueError,
            "memory='16 giga': bytes are needed, as 16 \\* 2\\*\\*30 or '16GiB'",
        ),
        ({"memory": 0}, ValueError, "memory=0: bytes are needed"),
        (
            {"resources": {"GPU": "1"}},
            TypeError,
            "resources={'GPU': '1'}: of 'GPU' a number above 0 is needed",
        ),
        ({"slots": 1, "workers": 1}, ValueError, "slots=1 and workers=1: give one of the two"),
    ],
)
def test_options_that_cannot_be_are_refused(options: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        DaskBackend(**options)


async def test_the_secret_of_a_lease_is_nowhere_to_be_seen(
    plain: Commanded, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    backend = DaskBackend(plain.address, slots=1)
    async with WorkflowEngine(backend) as engine:
        process, agent = await engine.submit(where)
        lease = backend._door.lease
        assert lease is not None
        async with Client(plain.address, asynchronous=True, set_as_default=False) as client:
            seen = [
                *map(str, [await client.processing(), await client.scheduler.identity(n_workers=-1)]),
                str(await client.run_on_scheduler(everything_shown)),
                str(await client.get_events()),
                *(command(pid) for pid in (process, agent)),
                *(Path(f"/proc/{pid}/environ").read_text(errors="replace") for pid in (process, agent)),
            ]
    seen += [plain.log.read_text(), caplog.text, repr(lease), repr(backend)]
    assert "asyncflow-lease" in seen[0] + seen[2]
    for text in seen:
        assert lease.token.hex() not in text
        assert repr(lease.token)[2:-1] not in text


everything_shown: Any = eval(
    "lambda dask_scheduler: [(repr(key), repr(task), repr(task.run_spec), task.annotations, "
    "dask_scheduler.story(key)) for key, task in dask_scheduler.tasks.items()]"
)


# -- what it is made of -----------------------------------------------------------------------------------

ALLOWED = {"asyncflow.backend", "asyncflow.errors", "asyncflow.testing", "asyncflow.backends.carried"}


def test_of_asyncflow_it_imports_what_plugins_may() -> None:
    (folder,) = asyncflow_dask.__path__
    imported = {
        name
        for file in Path(folder).glob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom) and not node.level
            else []
        )
        if name.partition(".")[0] == "asyncflow"
    }
    assert imported
    assert imported <= ALLOWED
