"""`engine.explain()` says in a few lines what holds up a run; `future.explain()`, since when and where."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from asyncflow import UpstreamFailed, WorkflowEngine, WrongLoop
from asyncflow.backend import WAITS
from asyncflow.testing import ManualBackend

from .kit import never_called, turns


def lines(engine: WorkflowEngine) -> dict[str, str]:
    """What is explained of a run, by what it is about."""
    _, *told = engine.explain().splitlines()
    return dict(line.strip().split(": ", 1) for line in told)


async def test_run_that_waits_says_for_what_and_behind_what_most_do(
    engine: WorkflowEngine, hands: ManualBackend
) -> None:
    first = engine.submit(never_called)
    for _ in range(5):
        engine.function_task(never_called).with_options(after=first)()
    await hands.received("never_called")
    hands.begin(1)
    told = lines(engine)
    assert told["waiting"] == "5 for others; most behind never_called (#1): 5"
    assert re.fullmatch(r"never_called \(#1\) for \S+ \S+ on .*", told["running"])
    assert told["workers busy"] == "backend 'manual' 1"
    await engine.shutdown(wait=False)


async def test_run_that_waits_for_a_limit_says_who_holds_it(
    engine: WorkflowEngine, hands: ManualBackend
) -> None:
    engine.limit("api", concurrency=1)
    task = engine.function_task(never_called, limits="api")
    for _ in range(4):
        task()
    await hands.received("never_called")
    told = lines(engine)
    assert told["waiting"] == "3 for limits"
    assert told["limits"] == "'api', 1 of 1 are in use, by never_called (#1) (3 tasks waiting)"
    await engine.shutdown(wait=False)


async def test_run_that_waits_for_another_attempt_says_which_and_when() -> None:
    async with WorkflowEngine("sequential") as engine:

        def flaky() -> None:
            raise OSError("no answer")

        future = engine.function_task(flaky, retries=1, retry_delay=1000)()
        while not future.attempts:
            await asyncio.sleep(0)
        await turns()
        told = lines(engine)
        assert told["waiting"] == "1 for their next attempt"
        assert re.fullmatch(
            r"1 to come, the next is flaky \(#1\) in 1[67] min \d+ s, after OSError: no answer",
            told["retries"],
        )
        assert told["running"] == "nothing"
        await engine.shutdown(wait=False)


async def test_run_whose_workers_are_busy_says_how_many_wait_for_one() -> None:
    let_go = threading.Event()
    async with WorkflowEngine("thread", workers=2) as engine:
        futures = [engine.submit(let_go.wait) for _ in range(10)]
        while engine.explain().count(" for 0 s on ") + engine.explain().count("s on asyncflow") < 2:
            await asyncio.sleep(0)
        told = lines(engine)
        assert told["waiting"] == "8 for backend 'thread' to take them"
        assert told["workers busy"] == "backend 'thread' 2 of 2"
        let_go.set()
        await asyncio.gather(*futures)
        assert engine.explain() == repr(engine)


async def test_engine_that_does_not_run_says_so() -> None:
    engine = WorkflowEngine("sequential")
    assert engine.explain() == repr(engine)


async def test_engine_explains_on_its_own_thread_alone() -> None:
    async with WorkflowEngine("sequential") as engine:
        with ThreadPoolExecutor() as others, pytest.raises(WrongLoop):
            others.submit(engine.explain).result()


async def test_engine_that_records_nothing_explains_too(hands: ManualBackend) -> None:
    async with WorkflowEngine(hands, report_limit=0) as engine:
        future = engine.submit(never_called)
        await hands.received("never_called")
        hands.begin(1)
        assert lines(engine)["running"] == "never_called (#1) on backend 'manual'"
        assert "called at" in future.explain()
        await engine.shutdown(wait=False)


@pytest.mark.parametrize("backend", ["thread", "sequential", "process"])
async def test_future_says_where_it_ran_and_for_how_long(backend: str) -> None:
    async with WorkflowEngine(backend, workers=None if backend == "sequential" else 1) as engine:
        future = engine.submit(abs, -1)
        assert "has not run yet" in future.explain()
        await future
        assert re.search(r"\n  called \S+ \S+ ago, ran for \S+ \S+ on \S+", future.explain())

        async def body() -> None:
            await asyncio.sleep(0)

        on_loop = engine.block(body)()
        await on_loop
        assert re.search(r"ran for .* on the event loop\n", on_loop.explain())


async def test_future_names_the_attempts_that_have_failed() -> None:
    tries: list[int] = []

    def flaky() -> None:
        tries.append(1)
        if len(tries) < 3:
            raise OSError(f"no answer {len(tries)}")

    async with WorkflowEngine("sequential") as engine:
        future = engine.function_task(flaky, retries=5, retry_delay=0)()
        await future
        told = future.explain()
    assert "succeeded on backend 'sequential', attempt 3 of 6" in told
    assert "\n  attempt 1 failed: OSError: no answer 1\n  attempt 2 failed: OSError: no answer 2\n" in told


async def test_future_that_did_not_run_shows_the_way_to_what_failed() -> None:
    def fails() -> None:
        raise ValueError

    def same(value: Any) -> Any:
        return value

    async with WorkflowEngine("sequential") as engine:
        last = engine.submit(same, engine.submit(same, engine.submit(fails)))
        with pytest.raises(UpstreamFailed):
            await last
        assert "\n  fails (#1) -> same (#2) -> same (#3)\n" in last.explain()


CLUSTER = "the cluster at tcp://10.0.0.1:8786 has given 0 of 4 slots"


@pytest.fixture
def without_slots(hands: ManualBackend) -> Iterator[ManualBackend]:
    """A backend that has nothing to run tasks on."""
    hands.waits = CLUSTER
    yield hands
    hands.waits = None


async def test_task_that_waits_for_a_slot_says_so_until_there_is_one(
    engine: WorkflowEngine, without_slots: ManualBackend
) -> None:
    future = engine.submit(int)
    follows = engine.function_task(never_called)(future)
    await without_slots.received(1)
    assert f"could run, but backend 'manual' has no slot for it: {CLUSTER}" in future.explain()
    assert "waits for 1 of 1 dependencies" in follows.explain()
    told = lines(engine)
    assert told["slots"] == f"backend 'manual' has none: {CLUSTER}"
    assert told["waiting"].startswith("1 for backend 'manual' to take them, 1 for others")
    without_slots.waits = None
    assert "which has not begun it" in future.explain()
    assert "slots" not in lines(engine)
    await engine.shutdown(wait=False)


async def test_that_tasks_wait_for_slots_is_warned_of_once(
    engine: WorkflowEngine, without_slots: ManualBackend, caplog: pytest.LogCaptureFixture
) -> None:
    without_slots.tell(WAITS, 0)
    await turns()
    assert caplog.messages == []  # nothing waits for them
    futures = [engine.submit(int) for _ in range(12)]
    await without_slots.received(12)
    for _ in range(2):
        without_slots.tell(WAITS, 0)
        await turns()
    assert caplog.messages == [f"12 tasks wait for slots: {CLUSTER}"]
    assert {future.state for future in futures} == {"SUBMITTED"}
    await engine.shutdown(wait=False)
