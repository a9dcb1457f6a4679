"""One instance of a backend serves one engine at a time: a second one is refused, and hurts the first in nothing."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from asyncflow import BackendInUse, WorkflowEngine
from asyncflow.backend import ExecutionBackend, Report
from asyncflow.backends.carried import CarriedBackend
from asyncflow.backends.executor import ExecutorBackend
from asyncflow.backends.process import ProcessBackend
from asyncflow.backends.sequential import SequentialBackend
from asyncflow.backends.thread import ThreadBackend

MAKERS = {
    "carried": lambda: CarriedBackend(workers=1),
    "executor": lambda: ExecutorBackend(make=lambda: ThreadPoolExecutor(1)),
    "process": lambda: ProcessBackend(1),
    "sequential": SequentialBackend,
    "thread": lambda: ThreadBackend(1),
}


@pytest.fixture(params=MAKERS)
def backend(request: pytest.FixtureRequest) -> ExecutionBackend:
    make: Callable[[], ExecutionBackend] = MAKERS[request.param]
    return make()


class Counted(ThreadBackend):
    """Threads, and how often they were started and shut down."""

    starts = ends = 0

    async def start(self, report: Report) -> None:
        self.starts += 1
        await super().start(report)

    async def shutdown(self, *, grace: float) -> list[int]:
        self.ends += 1
        return await super().shutdown(grace=grace)


async def test_a_second_engine_is_refused_at_its_start_and_the_first_goes_on(
    backend: ExecutionBackend,
) -> None:
    async with WorkflowEngine(backend) as first:
        assert await first.submit(divmod, 7, 3) == (2, 1)
        second = WorkflowEngine(backends={"mine": backend})
        with pytest.raises(BackendInUse) as caught:
            await second.start()
        kind = type(backend).__name__
        assert str(caught.value).splitlines() == [
            f"backend 'mine' cannot be started here: this {kind} is in use by another engine, which runs: "
            f"<WorkflowEngine {backend.name}: 1 tasks called, 0 not over>.",
            f"  Make a {kind}(...) for each engine; or shut the other one down first:  await other.shutdown()",
        ]
        assert await first.submit(divmod, 8, 3) == (2, 2)
        await second.shutdown()
        assert await first.submit(divmod, 9, 3) == (3, 0)


async def test_it_may_be_taken_over_after_a_shutdown_and_back(backend: ExecutionBackend) -> None:
    first, second = WorkflowEngine(backend), WorkflowEngine(backend)
    for engine in (first, second, first):
        async with engine:
            assert await engine.submit(divmod, 7, 3) == (2, 1)


async def test_one_that_was_left_running_may_be_taken_over(backend: ExecutionBackend) -> None:
    first, second = WorkflowEngine(backend), WorkflowEngine(backend)
    async with first:
        assert await first.submit(divmod, 7, 3) == (2, 1)
        await first._shut_down(True, skip_backends=True)
        async with second:
            assert await second.submit(divmod, 7, 3) == (2, 1)
            await first.shutdown()  # which is over, and has nothing to do with it any more
            assert await second.submit(divmod, 8, 3) == (2, 2)


def test_one_whose_loop_was_closed_may_be_taken_over_by_an_engine_on_another(
    backend: ExecutionBackend,
) -> None:
    engines = []

    async def main() -> None:
        engine = WorkflowEngine(backend)
        engines.append(engine)
        assert await engine.submit(divmod, 7, 3) == (2, 1)

    async def tidy() -> None:
        async with WorkflowEngine(backend) as engine:
            assert await engine.submit(divmod, 7, 3) == (2, 1)
            engines.clear()
            gc.collect()  # which abandons the one that was on the loop before
            assert await engine.submit(divmod, 8, 3) == (2, 2)

    asyncio.run(main())
    asyncio.run(tidy())


async def test_a_call_that_would_start_the_second_engine_fails_with_the_same() -> None:
    backend = ThreadBackend(1)
    async with WorkflowEngine(backend):
        second = WorkflowEngine(backend)
        with pytest.raises(BackendInUse):
            await second.submit(int)
        await second.shutdown()


async def test_what_the_second_engine_has_started_before_is_shut_down() -> None:
    shared, own = ThreadBackend(1), Counted(1)
    second = WorkflowEngine(backends={"own": own, "shared": shared})
    async with WorkflowEngine(shared):
        with pytest.raises(BackendInUse):
            await second.start()
        assert (own.starts, own.ends) == (1, 1)
    async with WorkflowEngine(own) as third:
        assert await third.submit(int) == 0


async def test_a_start_that_failed_keeps_no_backend() -> None:
    class Unlucky(ThreadBackend):
        async def start(self, report: Report) -> None:
            raise OSError("no luck")

    good = ThreadBackend(1)
    for _ in range(2):
        with pytest.raises(OSError, match="no luck"):
            await WorkflowEngine(backends={"good": good, "bad": Unlucky(1)}).start()
    async with WorkflowEngine(good) as engine:
        assert await engine.submit(int) == 0


async def test_a_start_that_was_cancelled_begins_again_with_its_backend() -> None:
    class Slow(ThreadBackend):
        async def start(self, report: Report) -> None:
            await asyncio.sleep(0)
            await super().start(report)

    backend = Slow(1)
    engine = WorkflowEngine(backend)
    future = engine.submit(int)
    starting = engine._starting._task
    assert starting is not None
    await asyncio.sleep(0)
    starting.cancel()
    assert await future == 0
    await engine.shutdown()


async def test_two_starts_and_creates_of_one_engine_are_one() -> None:
    backend = Counted(1)
    engine = WorkflowEngine(backend)
    await asyncio.gather(engine.start(), engine.start(), engine.__aenter__())
    await engine.start()
    await engine.shutdown()
    assert (backend.starts, backend.ends) == (1, 1)
    created = await WorkflowEngine.create(backend)
    with pytest.raises(BackendInUse):
        await WorkflowEngine.create(backend)
    assert await created.submit(int) == 0
    await created.shutdown()


async def test_under_two_names_of_one_engine_it_is_started_and_shut_down_once() -> None:
    backend = Counted(1)
    engine = WorkflowEngine(backends={"a": backend, "b": backend})
    async with engine:
        assert await engine.function_task(divmod, backend="b")(7, 3) == (2, 1)  # type: ignore[arg-type]
        assert await engine.submit(divmod, 7, 3) == (2, 1)
    assert (backend.starts, backend.ends) == (1, 1)


async def test_an_engine_on_another_thread_is_refused_as_well() -> None:
    backend, caught = ThreadBackend(1), []

    async def start() -> None:
        try:
            await WorkflowEngine(backend).start()
        except BackendInUse as error:
            caught.append(error)

    async with WorkflowEngine(backend) as engine:
        thread = threading.Thread(target=asyncio.run, args=(start(),))
        thread.start()
        await asyncio.to_thread(thread.join)
        assert await engine.submit(int) == 0
    assert [error.kind for error in caught] == ["ThreadBackend"]


async def test_a_child_that_the_program_forks_may_have_one_of_its_own_start() -> None:
    backend = SequentialBackend()
    async with WorkflowEngine(backend) as engine:
        assert await engine.submit(int) == 0
        child = os.fork()
        if not child:
            code = 1
            try:
                asyncio.events._set_running_loop(None)
                code = asyncio.run(_in_child(backend))
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert await engine.submit(int) == 0


async def _in_child(backend: ExecutionBackend) -> int:
    async with WorkflowEngine(backend) as engine:
        return await engine.submit(int)


async def test_dry_runs_and_plans_do_not_touch_it() -> None:
    backend = Counted(1)
    async with WorkflowEngine(backend) as engine:
        async with WorkflowEngine(backend, dry_run=True) as dry:
            dry.submit(int)
        await engine.plan(int)
        assert await engine.submit(int) == 0
    assert (backend.starts, backend.ends) == (1, 1)
