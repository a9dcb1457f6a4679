"""Results that stay with the agents which have made them."""

from __future__ import annotations

import asyncio
import gc
import os
import pickle
import signal
import time
from pathlib import Path
from random import Random
from typing import Any

import pytest

from asyncflow import ResultLost, UpstreamFailed, WorkerDied, WorkflowEngine
from asyncflow.backends.carried import TLS, CarriedBackend, Lease
from asyncflow.backends.carried.addresses import is_loopback, split
from asyncflow.backends.carried.dial import dial
from asyncflow.testing import Gate

MANY = 3 << 20


class Rows:
    """What is sent without a copy, as an array is."""

    def __init__(self, data: Any) -> None:
        self.data = data

    def __reduce_ex__(self, protocol: Any) -> Any:
        return Rows, (pickle.PickleBuffer(self.data),)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Rows) and bytes(self.data) == bytes(other.data)

    __hash__ = None  # type: ignore[assignment]


def make(byte: int, size: int = MANY) -> Rows:
    return Rows(bytearray([byte]) * size)


def first(rows: Rows) -> int:
    data = memoryview(rows.data)
    return int(data[0])


def firsts(many: list[Rows]) -> list[int]:
    return [first(rows) for rows in many]


def changed(rows: Rows) -> int:
    data = memoryview(rows.data)
    data[0] += 1
    return int(data[0])


def handed_on(rows: Rows) -> Rows:
    return rows


def files_of_agents(backend: CarriedBackend) -> int:
    """How many memory files the agents hold that are none of their workers' pages."""
    assert backend._crews is not None
    pids = [agent.pid for agent in backend._crews.all]
    names = []
    for pid in pids:
        folder = f"/proc/{pid}/fd"
        for number in os.listdir(folder):
            try:
                names.append(os.readlink(f"{folder}/{number}"))
            except OSError:  # it was closed meanwhile
                continue
    return sum(name.startswith("/memfd:asyncflow (") for name in names)


async def until(condition: Any) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


async def test_dependents_of_one_machine_share_a_result_and_change_it_for_themselves_alone() -> None:
    backend = CarriedBackend(agents=2, workers=1)
    async with WorkflowEngine(backend) as engine:
        rows = engine.submit(make, 7)
        await engine.settled(rows)
        assert "its result is kept on" in rows.explain()
        told = [engine.submit(changed, rows) for _ in range(4)]
        assert await asyncio.gather(*told) == [8, 8, 8, 8]
        assert await engine.submit(first, rows) == 7
        assert await rows == make(7)


async def test_a_result_is_handed_on_from_task_to_task_and_inside_of_containers() -> None:
    async with WorkflowEngine(CarriedBackend(agents=2, workers=1)) as engine:
        rows = [engine.submit(make, byte) for byte in range(5)]
        again = [engine.submit(handed_on, each) for each in rows]
        assert await engine.submit(firsts, [*rows, *again]) == [0, 1, 2, 3, 4, 0, 1, 2, 3, 4]
        long = engine.submit(bytes, MANY)
        await engine.settled(long)
        assert await engine.submit(len, long) == MANY
        assert await long == bytes(MANY)


async def test_a_hundred_kept_results_come_to_one_task() -> None:
    async with WorkflowEngine(CarriedBackend(agents=1, workers=2)) as engine:
        small = engine.function_task(make, keep=True)
        rows = [small(byte, 10) for byte in range(100)]
        assert await engine.submit(firsts, rows) == [*range(100)]


@pytest.mark.parametrize(
    ("keep", "size", "is_kept"), [(True, 1, True), (False, MANY, False), (None, 1, False)]
)
async def test_what_a_task_says_goes_before_the_size(keep: bool | None, size: int, is_kept: bool) -> None:
    async with WorkflowEngine(CarriedBackend(agents=1, workers=1)) as engine:
        task = engine.function_task(make, keep=keep)
        plain = engine.function_task(pow, keep=keep)
        rows, number = task(3, size), plain(2, 5)
        assert await engine.submit(first, rows) == 3
        assert await engine.submit(pow, number, 2) == 1024
        report = {each.id: each for each in engine.report().tasks}
        assert bool(report[rows.id].kept_on) == bool(report[number.id].kept_on and is_kept) == is_kept
        assert (await rows, await number) == (make(3, size), 32)


async def test_a_backend_keeps_from_the_size_on_that_it_was_given() -> None:
    async with WorkflowEngine(CarriedBackend(agents=1, workers=1, keep_from=None)) as engine:
        rows = engine.submit(make, 1)
        assert await engine.submit(first, rows) == 1
        assert engine.report().tasks[0].kept_on == ""
    async with WorkflowEngine(CarriedBackend(agents=1, workers=1, keep_from=40_000)) as engine:
        rows = engine.submit(make, 1, 50_000)
        assert await engine.submit(first, rows) == 1
        assert engine.report().tasks[0].bytes_kept >= 50_000


async def test_beyond_its_bound_an_agent_sends_results_to_the_engine_until_it_has_room_again() -> None:
    backend = CarriedBackend(agents=1, workers=1, keep_at_most=3 * MANY)

    def where() -> list[bool]:
        return [bool(task.kept_on) for task in engine.report().named("make")]

    async with WorkflowEngine(backend) as engine:
        made = [engine.submit(make, byte) for byte in range(5)]
        assert await engine.submit(firsts, made) == [0, 1, 2, 3, 4]
        assert where() == [True, True, False, False, False]  # each takes a little more than its data
        assert [rows.data[0] for rows in await asyncio.gather(*made)] == [0, 1, 2, 3, 4]
        made.clear()
        await until(lambda: files_of_agents(backend) == 0)
        again = engine.submit(make, 9)
        assert await engine.submit(first, again) == 9
        assert where()[-1]


async def test_it_is_freed_with_the_last_future_and_not_before() -> None:
    backend = CarriedBackend(agents=1, workers=1)
    async with WorkflowEngine(backend) as engine:
        assert await engine.submit(first, make(1, 10)) == 1
        before = files_of_agents(backend)
        rows = [engine.submit(make, byte) for byte in range(4)]
        await asyncio.gather(*map(engine.settled, rows))
        assert files_of_agents(backend) == before + 4
        del rows[1:]
        gc.collect()
        await until(lambda: files_of_agents(backend) == before + 1)
        assert await engine.submit(first, rows[0]) == 0
        del rows
        await until(lambda: files_of_agents(backend) == before)


async def test_a_worker_that_dies_takes_no_result_with_it() -> None:
    async with WorkflowEngine(CarriedBackend(agents=1, workers=1)) as engine:
        rows, worker = engine.submit(make, 9), engine.submit(os.getpid)
        await engine.settled(rows)
        os.kill(await worker, signal.SIGKILL)
        assert await engine.submit(first, rows) == 9
        assert await rows == make(9)


async def test_a_result_is_lost_with_its_agent_and_the_error_names_both() -> None:
    backend = CarriedBackend(agents=1, workers=1)
    async with WorkflowEngine(backend) as engine:
        rows = engine.submit(make, 9)
        await engine.settled(rows)
        assert backend._crews is not None
        (agent,) = backend._crews.all
        os.kill(agent.pid, signal.SIGKILL)
        await until(lambda: agent not in backend._crews.all)  # type: ignore[union-attr]
        with pytest.raises(
            ResultLost, match=rf"result of 'make' \(#1\), kept on {agent.host}, is lost: agent local-1"
        ):
            await rows
        with pytest.raises(UpstreamFailed, match=r"'first' .* did not run: 'make' \(#1\)"):
            await engine.submit(first, rows)


async def test_cancelled_and_failing_tasks_leave_nothing_behind() -> None:
    backend = CarriedBackend(agents=1, workers=1)
    async with WorkflowEngine(backend) as engine:
        assert await engine.submit(first, make(1, 10)) == 1
        before = files_of_agents(backend)
        rows = engine.submit(make, 9)
        failing = engine.submit(pow, engine.submit(make, 8), 2)
        rows.cancel()
        with pytest.raises(TypeError):
            await failing
        await engine.settled(rows)
        del rows, failing
        gc.collect()
        assert await engine.submit(first, make(1, 10)) == 1
        await until(lambda: files_of_agents(backend) == before)


async def test_what_is_awaited_takes_no_more_memory_than_it_has() -> None:
    async with WorkflowEngine(CarriedBackend(agents=1, workers=1)) as engine:
        rows = engine.submit(make, 1, 64 << 20)
        await engine.settled(rows)
        before = _bytes_here()
        value = await rows
        assert _bytes_here() - before < 20 << 20  # it is mapped, and was not looked at
        assert first(value) == 1


async def test_a_hundred_megabytes_from_task_to_task_are_no_burden_to_the_engine() -> None:
    async with WorkflowEngine(CarriedBackend(agents=1, workers=2)) as engine:
        assert await engine.submit(first, engine.submit(handed_on, engine.submit(make, 1, 10))) == 1
        Path("/proc/self/clear_refs").write_text("5")  # the highest mark begins anew
        before = _bytes_here()
        rows = engine.submit(make, 5, 100_000_000)
        await engine.settled(rows)  # or all three were one chain
        again = engine.submit(handed_on, rows)
        await engine.settled(again)
        assert await engine.submit(first, again) == 5
        (peak,) = [
            int(line.split()[1]) * 1024
            for line in Path("/proc/self/status").read_text().splitlines()
            if line.startswith("VmHWM:")
        ]
        assert peak - before < 20_000_000


def _bytes_here() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096


# -- several machines -------------------------------------------------------------------------------------


def apart(backend: CarriedBackend) -> None:
    """From now on agents and engine are on machines of their own, as far as they know."""
    assert backend._crews is not None
    for number, agent in enumerate(backend._crews.all):
        agent.node = f"node {number}"
    backend._crews.kept._node = "the engine's"


async def started(backend: CarriedBackend, engine: WorkflowEngine, agents: int) -> None:
    with Gate() as gate:  # each has a worker, and none takes a second call before all have one
        waiting = [engine.submit(gate.door.pass_through) for _ in range(2 * agents)]
        await gate.reached(agents)
    await asyncio.gather(*waiting)
    apart(backend)


async def test_between_machines_a_result_is_brought_once_and_freed_everywhere() -> None:
    backend = CarriedBackend(agents=2, workers=1)
    async with WorkflowEngine(backend) as engine:
        await started(backend, engine, 2)
        before = files_of_agents(backend)
        rows = [engine.submit(make, byte) for byte in range(2)]
        await asyncio.gather(*map(engine.settled, rows))
        told = [engine.submit(firsts, rows) for _ in range(6)]
        assert await asyncio.gather(*told) == [[0, 1]] * 6
        assert await asyncio.gather(*rows) == [make(0), make(1)]
        assert files_of_agents(backend) <= before + 4
        del rows, told
        await until(lambda: files_of_agents(backend) == before)


async def test_work_goes_where_the_bytes_are() -> None:
    backend = CarriedBackend(agents=2, workers=1)
    async with WorkflowEngine(backend) as engine:
        await started(backend, engine, 2)
        rows = [engine.submit(make, byte) for byte in range(6)]
        await asyncio.gather(*map(engine.settled, rows))
        for each in rows:
            await engine.submit(first, each)
            await engine.submit(firsts, [each])
        report = {task.id: task for task in engine.report().tasks}
        agent_of = {each.id: report[each.id].worker for each in rows}
        for task in report.values():
            if task.name in ("first", "firsts"):
                assert task.worker == agent_of[task.dependencies[0]]


async def test_a_copy_survives_the_agent_that_has_made_the_result() -> None:
    backend = CarriedBackend(agents=2, workers=1)
    async with WorkflowEngine(backend) as engine:
        await started(backend, engine, 2)
        rows = [engine.submit(make, byte) for byte in range(2)]
        await asyncio.gather(*map(engine.settled, rows))
        assert await engine.submit(firsts, rows) == [0, 1]
        crews = backend._crews
        assert crews is not None
        (copied,) = [each for each in crews.kept._results.values() if len(each.copies) == 2]
        maker, *_ = copied.copies
        os.kill(maker.pid, signal.SIGKILL)
        await until(lambda: maker not in crews.all)
        values = await asyncio.gather(*rows, return_exceptions=True)
        assert sorted(type(each).__name__ for each in values) == ["Rows", "Rows"]


async def test_a_result_that_is_lost_on_its_way_to_another_machine_is_lost_for_its_dependents() -> None:
    backend = CarriedBackend(agents=2, workers=1)
    async with WorkflowEngine(backend) as engine:
        await started(backend, engine, 2)
        rows = [engine.submit(make, byte, 200 << 20) for byte in range(2)]
        await asyncio.gather(*map(engine.settled, rows))
        crews = backend._crews
        assert crews is not None
        for result in crews.kept._results.values():
            (maker,) = result.copies
        told = engine.submit(firsts, rows)
        await until(lambda: any(agent.given for agent in crews.all))
        (busy,) = [agent for agent in crews.all if agent.given]
        (source,) = [agent for agent in crews.all if not agent.given]
        os.kill(source.pid, signal.SIGKILL)
        with pytest.raises(UpstreamFailed, match="kept on"):
            await told
        assert busy in crews.all
        del maker


async def test_between_machines_the_bytes_do_not_go_through_the_engine() -> None:
    backend = CarriedBackend(agents=2, workers=1)
    async with WorkflowEngine(backend) as engine:
        await started(backend, engine, 2)
        rows = [engine.submit(make, byte) for byte in range(2)]
        await asyncio.gather(*map(engine.settled, rows))
        assert backend._crews is not None
        came: list[int] = []
        for agent in backend._crews.all:
            agent.inlet.take = lambda number, offset, data: came.append(len(data))  # type: ignore[method-assign]
        assert await engine.submit(firsts, rows) == [0, 1]
        assert came == []


@pytest.mark.parametrize("how", ["does not serve", "cannot be reached"])
async def test_where_agents_do_not_reach_each_other_the_engine_hands_on(how: str) -> None:
    backend = CarriedBackend(agents=2, workers=1)
    async with WorkflowEngine(backend) as engine:
        await started(backend, engine, 2)
        rows = [engine.submit(make, byte) for byte in range(2)]
        await asyncio.gather(*map(engine.settled, rows))
        assert backend._crews is not None
        kept = backend._crews.kept
        for agent in backend._crews.all:
            way: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            way.set_result(None if how == "does not serve" else (["127.0.0.1:9"], None))
            kept._ways[agent] = way
        assert await engine.submit(firsts, rows) == [0, 1]


async def test_agents_that_encrypt_hand_on_results_encrypted() -> None:
    pytest.importorskip("cryptography")
    backend = CarriedBackend(agents=2, workers=1, listen="0.0.0.0:0", tls=TLS.for_this_run())
    async with WorkflowEngine(backend) as engine:
        await started(backend, engine, 2)
        rows = [engine.submit(make, byte) for byte in range(2)]
        await asyncio.gather(*map(engine.settled, rows))
        assert await engine.submit(firsts, rows) == [0, 1]
        assert backend._crews is not None
        ways = [way.result() for way in backend._crews.kept._ways.values()]
        assert ways
        for addresses, certificate in ways:
            assert all(is_loopback(split(each)[0]) for each in addresses) or certificate is not None


async def test_who_does_not_know_the_token_gets_no_result_from_an_agent() -> None:
    backend = CarriedBackend(agents=2, workers=1)
    async with WorkflowEngine(backend) as engine:
        await started(backend, engine, 2)
        rows = [engine.submit(make, byte) for byte in range(2)]
        await asyncio.gather(*map(engine.settled, rows))
        assert await engine.submit(firsts, rows) == [0, 1]
        assert backend._crews is not None
        ((addresses, certificate), *_) = [way.result() for way in backend._crews.kept._ways.values()]
        with pytest.raises(ConnectionError):
            await dial(Lease(tuple(addresses), b"another secret" * 3, certificate), within=2)


async def test_what_is_being_fetched_from_an_agent_that_dies_is_lost() -> None:
    backend = CarriedBackend(agents=1, workers=1)
    async with WorkflowEngine(backend) as engine:
        rows = engine.submit(make, 1)
        await engine.settled(rows)
        apart(backend)
        assert backend._crews is not None
        kept = backend._crews.kept
        (agent,) = backend._crews.all
        os.kill(agent.pid, signal.SIGSTOP)  # it does not answer
        waiting = [asyncio.ensure_future(asyncio.shield(rows)) for _ in range(2)]
        await until(lambda: kept._coming)
        os.kill(agent.pid, signal.SIGKILL)
        for each in await asyncio.gather(*waiting, return_exceptions=True):
            assert isinstance(each, ResultLost)


async def test_a_task_that_is_cancelled_while_its_input_is_brought_does_not_run() -> None:
    backend = CarriedBackend(agents=2, workers=1)
    async with WorkflowEngine(backend) as engine:
        await started(backend, engine, 2)
        rows = [engine.submit(make, byte, 100 << 20) for byte in range(2)]
        await asyncio.gather(*map(engine.settled, rows))
        told = engine.submit(firsts, rows)
        assert backend._crews is not None
        kept = backend._crews.kept
        await until(lambda: kept._bringing)
        told.cancel()
        await engine.settled(told)
        assert (told.state, told.attempts) == ("CANCELLED", 0)
        assert await engine.submit(firsts, rows) == [0, 1]


async def test_whatever_agents_are_killed_each_task_has_its_value_or_an_error_that_tells_why() -> None:
    random = Random(5)
    backend = CarriedBackend(agents=2, workers=1)
    async with WorkflowEngine(backend) as engine:
        task = engine.function_task(total, keep=True)
        numbers: list[Any] = []
        wanted: list[int] = []
        for number in range(120):
            needs = random.sample(range(number), min(number, random.randint(0, 3)))
            numbers.append(task(number, [numbers[each] for each in needs]))
            wanted.append(number + sum(wanted[each] for each in needs))
        for _ in range(3):
            await asyncio.sleep(0.3 * random.random())
            assert backend._crews is not None
            for agent in backend._crews.all[:1]:
                os.kill(agent.pid, signal.SIGKILL)
        ends = await asyncio.gather(*numbers, return_exceptions=True)
        for end, value in zip(ends, wanted, strict=True):
            assert end == value or isinstance(end, (ResultLost, WorkerDied, UpstreamFailed))
        assert await engine.submit(pow, 2, 5) == 32


def total(own: int, others: list[int]) -> int:
    time.sleep(0.005)
    return own + sum(others)


async def test_bytes_that_are_under_way_are_taken_for_no_other_result() -> None:
    """An agent gives the number of a file that it lets go to the next one."""
    backend = CarriedBackend(agents=2, workers=1)
    async with WorkflowEngine(backend) as engine:
        await started(backend, engine, 2)
        other = engine.submit(make, 100)
        await engine.settled(other)
        for byte in range(8):
            rows = engine.submit(make, byte)
            await engine.settled(rows)
            crews = backend._crews
            assert crews is not None
            told = engine.submit(firsts, [rows, other])
            await until(lambda crews=crews, told=told: crews.kept._bringing or told.done())
            told.cancel()
            del rows, told
            again = engine.submit(make, byte + 10)
            assert await engine.submit(firsts, [again, other]) == [byte + 10, 100]
            assert first(await again) == byte + 10
