"""Amounts: cores, memory, GPUs and others, of which an engine or a backend has so much."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from asyncflow import (
    BlockOptions,
    TaskOptions,
    TaskTimeout,
    UpstreamFailed,
    WorkerDied,
    WorkflowEngine,
    current,
)
from asyncflow.backends.process import ProcessBackend
from asyncflow.events import TaskStarted
from asyncflow.testing import ManualBackend

from .kit import Heard, never_called, turns

PLACES = ["thread", "process", "sequential", "executor", "coroutines"]


def engine_on(place: str, **options: Any) -> WorkflowEngine:
    if place == "executor":
        return WorkflowEngine(ThreadPoolExecutor(4), **options)
    if place in ("sequential", "coroutines"):
        return WorkflowEngine("sequential", **options)
    return WorkflowEngine(place, workers=4, **options)


def my_gpus() -> tuple[int, ...]:
    return current().gpus


async def my_gpus_on_the_loop() -> tuple[int, ...]:
    await asyncio.sleep(0)
    return current().gpus


# -- never exceeded -------------------------------------------------------------------------------------------------


def now_and_later(folder: str, weight: int) -> int:
    """How much runs at this moment, by files that each has while it does."""
    mine = Path(folder, f"{time.monotonic_ns()}-{threading.get_ident()}-{os.getpid()}.{weight}")
    mine.touch()
    used = 0
    for _ in range(5):
        time.sleep(0.001)
        used = max(used, sum(int(each.suffix[1:]) for each in Path(folder).iterdir()))
    mine.unlink()
    return used


async def as_coroutine(folder: str, weight: int) -> int:
    mine = Path(folder, f"{id(asyncio.current_task())}.{weight}")
    mine.touch()
    used = 0
    for _ in range(5):
        await asyncio.sleep(0.001)
        used = max(used, sum(int(each.suffix[1:]) for each in Path(folder).iterdir()))
    mine.unlink()
    return used


@pytest.mark.parametrize("place", PLACES)
async def test_what_runs_at_once_never_needs_more_than_there_is(place: str, tmp_path: Path) -> None:
    fn = as_coroutine if place == "coroutines" else now_and_later
    async with engine_on(place, amounts={"cores": 3, "licence": 2}) as engine:
        engine.limit("api", concurrency=4)
        tasks = [
            engine.function_task(fn, cores=each, amounts={"licence": 1}, limits="api") for each in (1, 2, 3)
        ]
        futures = [task(str(tmp_path), at + 1) for _ in range(4) for at, task in enumerate(tasks)]
        assert max(await asyncio.gather(*futures)) <= 3
        assert [each.used for each in engine._amounts.values()] == [0, 0]


async def test_amount_is_given_back_on_each_end(hands: ManualBackend) -> None:
    engine = WorkflowEngine(hands, amounts={"memory": 8e9})
    async with engine:
        task = engine.function_task(never_called, memory=8e9)
        first, second, third, last = (task() for _ in range(4))
        await hands.received("never_called")
        assert "amount 'memory': it needs 8 GB, and 8 GB of 8 GB are in use" in second.explain()
        hands.fail(1, ValueError())
        with pytest.raises(ValueError):
            await first
        await hands.received("never_called")
        second.cancel()
        hands.stop(2)
        await hands.received("never_called")
        hands.succeed(3)
        await third
        await hands.received("never_called")
        hands.succeed(4)
        await last
        assert engine._amounts["memory"].used == 0


# -- how much -------------------------------------------------------------------------------------------------------


async def test_retry_may_ask_for_more() -> None:
    asked: list[tuple[int, str]] = []
    had: list[float] = []

    def memory(attempt: int, error: BaseException | None) -> float:
        asked.append((attempt, repr(error)))
        return 1e9 * 2 ** (attempt - 1)

    async with WorkflowEngine("sequential", amounts={"memory": 8e9}) as engine:

        @engine.function_task(memory=memory, retries=3, retry_delay=0)
        def fit() -> str:
            had.append(engine._amounts["memory"].used)
            if len(had) < 3:
                raise MemoryError(len(had))
            return "fits"

        assert await fit() == "fits"
    assert asked == [(1, "None"), (2, "MemoryError(1)"), (3, "MemoryError(2)")]
    assert had == [1e9, 2e9, 4e9]


async def test_retry_that_asks_for_more_than_there_is_fails() -> None:
    async with WorkflowEngine("sequential", amounts={"cores": 2}) as engine:

        @engine.function_task(cores=lambda attempt, error: 2**attempt, retries=3, retry_delay=0)
        def fit() -> None:
            raise OSError

        with pytest.raises(ValueError, match="amount 'cores': 4 can never be met, since there is 2 at most"):
            await fit()


async def test_amount_of_a_backend_goes_before_that_of_the_engine() -> None:
    class Large(ManualBackend):
        amounts = MappingProxyType({"cores": 64})

    large = Large()
    engine = WorkflowEngine(backends={"here": "sequential", "large": large}, amounts={"cores": 2})
    async with engine:
        with pytest.raises(ValueError, match="'abs': amount 'cores': 8 can never be met"):
            engine.function_task(abs, cores=8)(-1)
        future = engine.function_task(abs, cores=8, backend="large")(-1)
        await large.received("abs")
        large.succeed(1, 1)
        assert await future == 1


async def test_defaults_of_an_engine_may_have_amounts() -> None:
    async with WorkflowEngine("sequential", amounts={"cores": 1}, defaults=TaskOptions(cores=1)) as engine:
        assert engine.function_task(never_called)._definition.needs is not None
        assert engine.function_task(never_called, cores=0)._definition.needs is None
        assert await engine.submit(abs, -1) == 1


# -- GPUs -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", PLACES)
async def test_task_is_told_which_gpus_are_its_own(place: str) -> None:
    fn = my_gpus_on_the_loop if place == "coroutines" else my_gpus
    async with engine_on(place, amounts={"gpu": 3}) as engine:
        assert await engine.function_task(fn, gpus=2)() == (0, 1)
        assert await engine.function_task(fn)() == ()
        assert await engine.function_task(fn, amounts={"gpu": 3})() == (0, 1, 2)
        assert await engine.function_task(fn, gpus=lambda attempt, error: attempt)() == (0,)


def hold_gpus(folder: str, gpus: Sequence[int] | None = None) -> int:
    """Fails where somebody else has one of these GPUs."""
    mine = [Path(folder, str(each)) for each in (current().gpus if gpus is None else gpus)]
    for each in mine:
        each.touch(exist_ok=False)
    time.sleep(0.002)
    for each in mine:
        each.unlink()
    return len(mine)


@pytest.mark.parametrize("place", [each for each in PLACES if each != "coroutines"])
async def test_no_two_tasks_have_one_gpu_at_once(place: str, tmp_path: Path) -> None:
    async with engine_on(place, amounts={"gpus": 3}) as engine:
        tasks = [engine.function_task(hold_gpus, gpus=each) for each in (1, 2, 3)]
        assert sum(await asyncio.gather(*(task(str(tmp_path)) for _ in range(8) for task in tasks))) == 48


def killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def too_long() -> None:
    time.sleep(60)


async def test_gpus_come_back_when_a_worker_is_killed_a_task_times_out_or_is_cancelled() -> None:
    async with WorkflowEngine("process", workers=2, amounts={"gpus": 2}) as engine:
        with pytest.raises(WorkerDied):
            await engine.function_task(killed, gpus=2)()
        with pytest.raises(TaskTimeout):
            await engine.function_task(too_long, gpus=2, timeout=0.05)()
        heard = Heard(engine)
        cancelled = engine.function_task(too_long, gpus=2)()
        await heard.of(TaskStarted)
        cancelled.cancel()
        assert await engine.function_task(my_gpus, gpus=2)() == (0, 1)
        with pytest.raises(UpstreamFailed):
            await engine.function_task(abs, gpus=1)(engine.submit(killed))
        assert engine._amounts["gpus"].used == 0


async def test_gpus_of_a_thread_that_cannot_be_stopped_stay_its_own() -> None:
    let_go = threading.Event()
    async with WorkflowEngine("thread", workers=2, amounts={"gpus": 2}) as engine:
        with pytest.raises(TaskTimeout):
            await engine.function_task(let_go.wait, gpus=1, timeout=0.01)()
        assert await engine.function_task(my_gpus, gpus=1)() == (1,)
        let_go.set()
        assert await engine.function_task(my_gpus, gpus=2)() == (0, 1)


def visible() -> str | None:
    return os.environ.get("CUDA_VISIBLE_DEVICES")


async def test_worker_process_sees_only_the_gpus_of_its_task_and_all_of_them_after(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5,7")
    async with WorkflowEngine(ProcessBackend(workers=1), amounts={"gpus": 3}) as engine:
        assert await engine.function_task(visible, gpus=2)() == "4,5"
        assert await engine.submit(visible) == "4,5,7"
        assert visible() == "4,5,7"


async def test_process_of_any_executor_sees_only_the_gpus_of_its_task() -> None:
    with ProcessPoolExecutor(1) as pool:
        async with WorkflowEngine(pool, amounts={"gpus": 2}) as engine:
            assert await engine.function_task(visible, gpus=2)() == "0,1"
            assert await engine.submit(visible) is None


async def test_command_sees_only_the_gpus_of_its_task() -> None:
    async with WorkflowEngine("sequential", amounts={"gpus": 2}) as engine:

        @engine.executable_task(gpus=1)
        def shows() -> str:
            assert len(current().gpus) in (1, 2)
            return "echo $CUDA_VISIBLE_DEVICES"

        assert await shows() == "0\n"
        assert await shows.with_options(gpus=2)() == "0,1\n"
        assert await shows.with_options(env={"CUDA_VISIBLE_DEVICES": "x"})() == "x\n"


# -- mistakes -------------------------------------------------------------------------------------------------------


async def test_amount_that_nobody_has_is_an_error_at_the_call() -> None:
    async with WorkflowEngine("sequential", amounts={"gpus": 2}) as engine:
        task = engine.function_task(abs, amounts={"gpuz": 1})
        with pytest.raises(
            LookupError, match=r"'abs' asks for gpuz=1, of which nobody .* Did you mean 'gpus'\?"
        ):
            task(-1)
        with pytest.raises(LookupError, match=r"'abs' asks for cores=2.*\n.*amounts=\{'cores': \.\.\.\}"):
            engine.function_task(abs, cores=2)(-1)
        with pytest.raises(ValueError, match="'abs': amount 'gpus': 3 can never be met, since there is 2"):
            engine.function_task(abs, gpus=3)(-1)


async def test_amount_that_nobody_has_is_a_finding_of_the_plan() -> None:
    engine = WorkflowEngine("sequential", amounts={"gpus": 2})
    for options in {"cores": 2}, {"gpus": 3}:
        plan = await engine.plan(engine.function_task(abs, **options), -1)
        assert any("'abs'" in str(finding) for finding in plan.findings)
    future = engine.function_task(abs, gpus=2)
    assert not (await engine.plan(future, -1)).findings


@pytest.mark.parametrize("option", ["cores", "memory", "gpus", "amounts"])
def test_block_has_no_amounts(option: str) -> None:
    with pytest.raises(TypeError, match="does no work of its own; give it to the tasks inside"):
        BlockOptions(**{option: 1})  # type: ignore[misc]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"cores": "2"}, r"cores='2': a number is needed, or a function"),
        ({"cores": -1}, r"cores=-1: a number is needed, 0 or more"),
        ({"memory": float("inf")}, r"memory=inf: a number is needed"),
        ({"gpus": 0.5}, r"gpus=0\.5: a whole number is needed"),
        ({"amounts": {"gpu": 0.5}}, r"amounts\['gpu'\]=0\.5: a whole number"),
        ({"amounts": 3}, r"amounts=3: a dict is needed"),
        ({"amounts": {"gpu": 1, "gpus": 1}}, r"'gpus' is there twice"),
        ({"cores": 1, "amounts": {"cores": 1}}, r"'abs': cores=1 and amounts=.*: give one of the two"),
    ],
)
def test_wrong_amount_is_refused_where_it_is_given(options: dict[str, Any], told: str) -> None:
    engine = WorkflowEngine("sequential")
    with pytest.raises((TypeError, ValueError), match=told):
        engine.function_task(abs, **options)


@pytest.mark.parametrize("amounts", [{"gpus": 0}, {"gpus": 1.5}, {"cores": -1}, {"cores": "all"}, 3, {1: 1}])
def test_wrong_amount_of_an_engine_is_refused_when_it_is_made(amounts: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="amounts"):
        WorkflowEngine(amounts=amounts)


async def test_function_that_says_how_many_gpus_may_not_share_one() -> None:
    async with WorkflowEngine("sequential", amounts={"gpus": 2}) as engine:
        with pytest.raises(
            ValueError, match=r"gpus=0\.5: a whole number is needed, as no two tasks share one"
        ):
            await engine.function_task(abs, gpus=lambda attempt, error: 0.5)(-1)  # type: ignore[arg-type,return-value]
        await turns()
