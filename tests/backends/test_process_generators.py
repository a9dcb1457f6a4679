"""Generators in worker processes, here and under agents: what becomes of a process that holds some."""

from __future__ import annotations

import asyncio
import gc
import importlib
import itertools
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from asyncflow import TaskTimeout, WorkerDied, WorkflowEngine
from asyncflow.backends.carried import Agent, CarriedBackend
from asyncflow.backends.process import ProcessBackend
from asyncflow.testing import Gate
from asyncflow.testing import bad_tasks as bad
from asyncflow.testing import untidy_tasks as untidy
from asyncflow.testing import yielding_tasks as yielding


def pid() -> int:
    return os.getpid()


def kept() -> int:
    """How many generators the process that this runs in holds."""
    generators = sys.modules.get("asyncflow._worker.generators")
    return 0 if generators is None else len(generators._KEPT)


def slowly(seconds: float) -> int:
    time.sleep(seconds)
    return os.getpid()


def large(n: int) -> Iterator[bytes]:
    for number in range(n):
        yield bytes([number]) * (2 << 20)


def endless(*_: object) -> Iterator[int]:
    while True:
        yield os.getpid()


async def some(values: Any, n: int = 150) -> set[int]:
    """What comes next of a generator, which is more than it was ahead by."""
    return {[await anext(values) for _ in range(n)][-1]}


async def test_a_process_that_holds_generators_is_replaced_when_it_holds_none() -> None:
    async with WorkflowEngine(ProcessBackend(workers=1, recycle_after=3)) as engine:
        task = engine.function_task(endless)
        async with task() as first, task() as second:
            values, others = aiter(first), aiter(second)
            [old] = await some(values)
            assert await some(others) != set()
            later = [await engine.submit(pid) for _ in range(6)]
            assert await some(values) == {old}
            assert old not in later[3:]
            assert len({*later}) >= 2
        pool = engine._run.backends["process"]._pool
        while any(worker.pid == old for worker in pool._processes.all):
            pool._processes.gone.clear()
            await pool._processes.gone.wait()


async def test_a_generator_goes_on_in_a_process_that_is_in_disorder_and_nothing_else_does() -> None:
    async with WorkflowEngine(ProcessBackend(workers=1)) as engine, engine.function_task(endless)() as stream:
        values = aiter(stream)
        [old] = await some(values)
        await engine.submit(untidy.close_descriptor, 1)
        assert await engine.submit(pid) != old
        assert await some(values) == {old}
        assert await engine.submit(untidy.descriptor_is_open, 1)


async def test_a_generator_goes_on_where_modules_were_loaded_again(tmp_path: Path) -> None:
    module = tmp_path / "loaded_again.py"
    module.write_text("def value(): return 1\n")
    sys.path.insert(0, str(tmp_path))
    try:
        loaded = importlib.import_module("loaded_again")
        engine = WorkflowEngine(ProcessBackend(workers=1))
        async with engine, engine.function_task(endless)() as stream:
            values = aiter(stream)
            [old] = await some(values)
            assert await engine.submit(loaded.value) == 1
            module.write_text("def value(): return 'two'\n")
            importlib.reload(loaded)
            assert await engine.submit(loaded.value) == "two"
            assert await some(values) == {old}
    finally:
        sys.path.remove(str(tmp_path))
        sys.modules.pop("loaded_again", None)


@pytest.mark.parametrize("backend", [ProcessBackend, CarriedBackend])
async def test_a_process_holds_no_generator_that_nobody_reads(backend: Any, tmp_path: Path) -> None:
    async def later() -> AsyncIterator[int]:
        for number in itertools.count():
            yield number

    async with WorkflowEngine(backend(workers=1)) as engine:
        engine.submit(pid)
        for body in (yielding.rows, yielding.rows_and_failure):
            with pytest.raises((ValueError, StopAsyncIteration)):
                values = aiter(engine.function_task(body)(200))
                while True:
                    await anext(values)
        for left in (engine.function_task(endless), engine.function_task(later, backend=backend.name)):
            async with left() as stream:
                async for _ in stream:
                    break
            async for _ in left():  # a bare break
                break
            reading = asyncio.ensure_future(some(aiter(left()), 10_000_000))
            await engine.submit(pid)
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading
        gc.collect()
        await asyncio.sleep(0)
        while await engine.submit(kept):
            pass


async def test_a_slice_that_is_too_slow_closes_its_generator(tmp_path: Path) -> None:
    log = tmp_path / "log"

    def slow() -> Iterator[int]:
        try:
            yield from range(100)
            time.sleep(600)
        finally:
            log.write_text("closed")

    async with WorkflowEngine(ProcessBackend(workers=1)) as engine:
        with pytest.raises(TaskTimeout, match="slow"):
            async for _ in engine.function_task(slow, timeout=0.3)():
                pass
        assert log.read_text() == "closed"
        assert await engine.submit(kept) == 0


async def test_what_a_generator_prints_and_leaves_in_disorder_is_seen_to_after_each_slice(
    capfd: pytest.CaptureFixture[str],
) -> None:
    def goes() -> Iterator[str]:
        for number in range(130):
            os.chdir("/")
            if number in (0, 129):
                print("value", number)
            yield os.getcwd()

    async with WorkflowEngine(ProcessBackend(workers=1)) as engine:
        assert {value async for value in engine.function_task(goes)()} == {"/"}
        assert await engine.submit(os.getcwd) == os.getcwd()
    assert capfd.readouterr().out == "value 0\nvalue 129\n"


async def test_the_engine_may_end_at_any_moment_of_a_generator() -> None:
    for number in (0, 2, 4):
        engine = WorkflowEngine(ProcessBackend(workers=2))
        async with engine:
            values = aiter(engine.function_task(endless)())
            for _ in range(number * 40):
                await anext(values)
            reading = asyncio.ensure_future(anext(values))
            await asyncio.sleep(0)
            await engine.shutdown(wait=False)
            await asyncio.wait([reading])
            reading.cancelled() or reading.exception()


async def test_what_others_can_do_as_well_is_not_in_the_way_of_a_generator() -> None:
    async with WorkflowEngine(ProcessBackend(workers=2)) as engine, engine.function_task(endless)() as stream:
        assert len({*await asyncio.gather(*(engine.submit(slowly, 0.05) for _ in range(2)))}) <= 2
        values = aiter(stream)
        [process] = await some(values)
        gate = Gate()
        with gate:
            blocked = engine.submit(bad.through, gate.door)
            await gate.reached()
            assert await some(values, 1000) == {process}
            gate.open()
            await blocked


# -- under agents -------------------------------------------------------------------------------------------


class Watched(CarriedBackend):
    """Tells of its agents."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.there: dict[str, Agent] = {}
        self.released: list[str] = []
        self.one_less = asyncio.Event()

    def joined(self, agent: Agent) -> None:
        self.there[agent.name] = agent

    async def release(self, agent: Agent) -> None:
        self.released.append(agent.name)
        self.one_less.set()


async def test_a_generator_is_lost_with_its_agent_and_another_agent_has_the_next() -> None:
    backend = Watched(agents=2, workers=1)
    async with WorkflowEngine(backend) as engine:
        task = engine.function_task(yielding.endless)
        values = aiter(task(Path(os.devnull)))
        _, process = await anext(values)
        with open(f"/proc/{process}/stat") as file:
            agent = int(file.read().rsplit(")", 1)[1].split()[1])
        os.kill(agent, signal.SIGKILL)
        got = [0]
        with pytest.raises(WorkerDied, match="lost with its machine"):
            async for number, _ in values:
                got.append(number)
        assert got == [*range(len(got))]
        assert [value async for value in engine.function_task(yielding.rows)(200)] == [*range(200)]


async def test_an_idle_agent_that_holds_a_generator_stays() -> None:
    backend = Watched(agents=1, workers=1, idle_after=0.1)
    async with WorkflowEngine(backend) as engine:
        async with engine.function_task(endless)() as stream:
            values = aiter(stream)
            [process] = await some(values)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(backend.one_less.wait(), 0.4)
            assert await some(values) == {process}
        await backend.one_less.wait()


@pytest.mark.parametrize("backend", [ProcessBackend, CarriedBackend])
async def test_large_values_come_as_small_ones_do(backend: Any) -> None:
    async with WorkflowEngine(backend(workers=1)) as engine:
        values = [value async for value in engine.function_task(large)(10)]
    assert values == [*large(10)]


@pytest.mark.parametrize("backend", [ProcessBackend, CarriedBackend])
async def test_a_generator_may_end_its_process_when_it_is_closed(
    backend: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def leaves() -> Iterator[int]:
        try:
            yield from itertools.count()
        finally:
            os._exit(3)

    async with WorkflowEngine(backend(workers=1)) as engine:
        async with engine.function_task(leaves)() as values:
            async for _ in values:
                break
        assert await engine.submit(kept) == 0
        if backend is ProcessBackend:
            assert not engine._run.backends["process"]._pool._generators
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
