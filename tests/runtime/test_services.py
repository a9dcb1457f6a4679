"""Services: they start when they are needed, are watched while they live, and stop when nobody needs them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from asyncflow import (
    ServiceNotReady,
    ServiceOptions,
    TaskOptions,
    UpstreamFailed,
    WorkflowEngine,
    first_success,
    outcome,
)
from asyncflow.testing import Gate
from asyncflow.testing.gate import Door

from .kit import in_no_time, turns

BACKENDS = ["sequential", "thread", "process", "executor"]


@pytest.fixture(params=BACKENDS)
async def engine(request: pytest.FixtureRequest) -> AsyncIterator[WorkflowEngine]:
    with ThreadPoolExecutor(2) as pool:
        async with WorkflowEngine(pool if request.param == "executor" else request.param) as engine:
            yield engine


class Told:
    """What services of a test have done, in order."""

    def __init__(self, engine: WorkflowEngine) -> None:
        self.engine = engine
        self.lines: list[str] = []

    def service(self, name: str, **options: Any) -> Any:
        """A service that notes its start and its end."""

        async def body(*needs: object) -> AsyncIterator[str]:
            self.lines.append(f"{name} up")
            yield name
            self.lines.append(f"{name} down")

        return self.engine.service(body, name=name, **options)


def use(value: str, *more: object) -> str:
    return f"used {value}"


# -- when it starts ---------------------------------------------------------------------------------------


async def test_dependents_get_what_a_service_yields(engine: WorkflowEngine) -> None:
    told = Told(engine)
    task = engine.function_task(use)
    db = told.service("db")()
    assert await asyncio.gather(*(task(db) for _ in range(3))) == ["used db"] * 3
    assert told.lines == ["db up"]
    await engine.shutdown()
    assert told.lines == ["db up", "db down"]


async def test_a_service_in_threads_is_started_and_cleaned_up(engine: WorkflowEngine) -> None:
    lines = []

    @engine.service
    def db() -> Iterator[str]:
        lines.append("up")
        yield "db"
        lines.append("down")

    assert await engine.function_task(use)(db()) == "used db"
    await engine.shutdown()
    assert lines == ["up", "down"]


async def test_a_service_starts_when_the_first_that_needs_it_has_all_else(engine: WorkflowEngine) -> None:
    told = Told(engine)
    gate = asyncio.get_running_loop().create_future()
    db = told.service("db")()
    user = engine.function_task(use)(db, gate)
    await turns()
    assert (told.lines, db.state, user.state) == ([], "READY", "PENDING")
    assert "is a service: it is started when a task that has all else needs it" in db.explain()
    assert "waiting: 1 for a task that needs them, 1 for others" in engine.explain()
    gate.set_result(None)
    assert await user == "used db"
    assert told.lines == ["db up"]
    assert "succeeded on this machine; the service is up, and 0 tasks use it" in db.explain()
    assert " on this machine\n" in db.explain()


async def test_a_service_that_is_awaited_starts(engine: WorkflowEngine) -> None:
    told = Told(engine)
    assert await told.service("db")() == "db"
    assert await asyncio.wait_for(told.service("other")(), 10) == "other"


async def test_each_call_is_a_service_of_its_own(engine: WorkflowEngine) -> None:
    told = Told(engine)
    db = told.service("db")
    await asyncio.gather(db(), db())
    assert told.lines == ["db up", "db up"]


async def test_a_service_that_nobody_needs_never_starts_and_nobody_waits_for_it() -> None:
    async with WorkflowEngine() as engine:
        told = Told(engine)
        db = told.service("db")()
        waits = told.service("waits")(db)
    assert told.lines == []
    assert (db.state, waits.state) == ("CANCELLED", "CANCELLED")


async def test_a_service_whose_only_user_is_cancelled_before_never_starts(engine: WorkflowEngine) -> None:
    told = Told(engine)
    gate = asyncio.get_running_loop().create_future()
    db = told.service("db")()
    user = engine.function_task(use)(db, gate)
    user.cancel()
    gate.set_result(None)
    await engine.settled(user)
    await turns()
    assert told.lines == []


async def test_services_that_need_others_start_after_them_and_stop_before_them(
    engine: WorkflowEngine,
) -> None:
    told = Told(engine)
    network = told.service("network")()
    db = told.service("db")(network)
    cache = told.service("cache")(db, network)
    assert await engine.function_task(use)(cache) == "used cache"
    await engine.shutdown()
    assert told.lines == ["network up", "db up", "cache up", "cache down", "db down", "network down"]


async def test_services_are_found_in_containers_after_and_in_what_blocks_return(
    engine: WorkflowEngine,
) -> None:
    told = Told(engine)

    @engine.function_task
    def count(services: list[str]) -> int:
        return len(services)

    @engine.block
    def setup() -> Any:
        return [told.service("c", stop_after="run")()]

    assert await count([told.service("a")()]) == 1
    assert await engine.function_task(use).with_options(after=told.service("b")())("x") == "used x"
    assert await setup() == ["c"]
    assert told.lines == ["a up", "b up", "c up"]


async def test_a_future_that_goes_by_how_a_service_starts_has_it_started(engine: WorkflowEngine) -> None:
    told = Told(engine)

    @engine.service
    async def broken() -> AsyncIterator[str]:
        raise OSError("no disk")
        yield "never"

    assert (await outcome(told.service("db")())).value == "db"
    assert isinstance((await outcome(broken())).error, OSError)
    assert await first_success([broken(), told.service("other")()]) == "other"


# -- when it stops ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["returns", "raises", "is cancelled"])
async def test_a_service_stops_when_the_block_in_which_it_was_called_is_over(
    engine: WorkflowEngine, how: str
) -> None:
    told = Told(engine)
    ready = asyncio.Event()

    @engine.block
    async def pipeline() -> None:
        assert await engine.function_task(use)(told.service("db")()) == "used db"
        ready.set()
        if how == "raises":
            raise OSError("no answer")
        if how == "is cancelled":
            await asyncio.Event().wait()

    running = pipeline()
    await ready.wait()
    if how == "is cancelled":
        running.cancel()
    await asyncio.wait([running])
    await engine.settled(running)
    await engine.shutdown()
    if how == "raises":
        running.exception()
    assert told.lines == ["db up", "db down"]


async def test_a_service_outlives_its_block_for_those_that_still_use_it() -> None:
    async with WorkflowEngine() as engine:
        told = Told(engine)
        gate = asyncio.Event()
        users = []

        @engine.function_task
        async def hold(db: str) -> None:
            told.lines.append("used")
            await gate.wait()
            told.lines.append("over")

        @engine.block
        async def pipeline() -> None:
            users.append(hold(told.service("db")()))
            while told.lines[-1:] != ["used"]:
                await asyncio.sleep(0)

        await pipeline()
        await turns()
        assert told.lines == ["db up", "used"]
        gate.set()
        await users[0]
    assert told.lines == ["db up", "used", "over", "db down"]


async def test_a_service_that_stops_after_its_users_does_so_when_the_last_is_over() -> None:
    async with WorkflowEngine() as engine:
        told = Told(engine)
        gates = [asyncio.Event(), asyncio.Event()]

        @engine.function_task
        async def hold(db: str, number: int) -> None:
            await gates[number].wait()

        db = told.service("db", stop_after="users")()
        users = [hold(db, 0), hold(db, 1)]
        await db
        gates[0].set()
        await users[0]
        await turns()
        assert told.lines == ["db up"]
        gates[1].set()
        await users[1]
        await turns()
        assert told.lines == ["db up", "db down"]


async def test_a_service_that_was_stopped_starts_again_for_those_that_come(engine: WorkflowEngine) -> None:
    told = Told(engine)
    numbers = iter(range(10))

    @engine.service(stop_after="users")
    async def db() -> AsyncIterator[int]:
        yield next(numbers)
        told.lines.append("down")

    task = engine.function_task(use)
    service = db()
    assert await task(service) == "used 0"
    while not told.lines:
        await asyncio.sleep(0)
    assert await task([service], service) == "used [1]"
    assert await service == 0


async def test_a_service_of_the_run_outlives_the_block_in_which_it_was_called(engine: WorkflowEngine) -> None:
    told = Told(engine)

    @engine.block
    async def pipeline() -> str:
        return await told.service("db", stop_after="run")()

    assert await pipeline() == "db"
    await turns()
    assert told.lines == ["db up"]
    await engine.shutdown()
    assert told.lines == ["db up", "db down"]


async def test_a_service_that_its_block_has_not_needed_is_over_with_it(engine: WorkflowEngine) -> None:
    services = []

    @engine.block
    async def pipeline() -> None:
        services.append(Told(engine).service("db")())

    await pipeline()
    await turns()
    assert services[0].state == "CANCELLED"


@pytest.mark.parametrize("wait", [True, False])
async def test_services_stop_in_reverse_order_at_a_shutdown(wait: bool) -> None:
    engine = await WorkflowEngine.create()
    told = Told(engine)
    for name in "abc":
        await told.service(name)()
    await engine.shutdown(wait=wait)
    assert told.lines == ["a up", "b up", "c up", "c down", "b down", "a down"]


async def test_services_stop_after_the_work_that_uses_them_has_stopped() -> None:
    engine = await WorkflowEngine.create()
    told = Told(engine)
    started = asyncio.Event()

    @engine.function_task
    async def stubborn(db: str) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.01)
            told.lines.append("user over")

    stubborn(told.service("db")())
    await started.wait()
    await engine.shutdown(wait=False)
    assert told.lines == ["db up", "user over", "db down"]


async def test_a_shutdown_during_a_start_stops_it(engine: WorkflowEngine) -> None:
    lines, starting = [], asyncio.Event()

    @engine.service
    async def db() -> AsyncIterator[str]:
        lines.append("starting")
        starting.set()
        try:
            await asyncio.Event().wait()
            yield "never"
        finally:
            lines.append("cleaned up")

    service = db()
    user = engine.function_task(use)(service)
    await starting.wait()
    await engine.shutdown(wait=False)
    assert lines == ["starting", "cleaned up"]
    assert (service.state, user.state) == ("CANCELLED", "CANCELLED")


async def test_a_start_in_a_thread_that_is_cancelled_is_cleaned_up_when_it_is_over() -> None:
    lines = []
    with Gate() as gate:
        async with WorkflowEngine() as engine:

            @engine.service
            def db(door: Door) -> Iterator[str]:
                door.pass_through()
                lines.append("up")
                yield "db"
                lines.append("down")

            service = db(gate.door)
            waiting = asyncio.ensure_future(asyncio.wait([service]))
            await gate.reached()
            service.cancel()
            await waiting
            assert service.state == "CANCELLING"
            gate.open()
            await engine.settled(service)
            assert service.state == "CANCELLED"
    assert lines == ["up", "down"]


async def test_a_service_of_which_the_start_is_cancelled_cancels_what_needs_it(
    engine: WorkflowEngine,
) -> None:
    begun = asyncio.Event()

    @engine.service
    async def db() -> AsyncIterator[str]:
        begun.set()
        await asyncio.Event().wait()
        yield "never"

    service = db()
    user = engine.function_task(use)(service)
    await begun.wait()
    assert service.state == "RUNNING"
    service.cancel()
    await asyncio.wait([user])
    await engine.settled(service)
    assert (service.state, user.state) == ("CANCELLED", "CANCELLED")


# -- what goes wrong --------------------------------------------------------------------------------------


async def test_a_service_that_fails_to_start_fails_what_needs_it(engine: WorkflowEngine) -> None:
    @engine.service
    async def db() -> AsyncIterator[str]:
        raise OSError("no disk")
        yield "never"

    with pytest.raises(UpstreamFailed, match=r"'db' \(#1\) failed|OSError: no disk"):
        await engine.function_task(use)(db())


@in_no_time
async def test_a_service_that_fails_to_start_is_started_again_with_retries() -> None:
    async with WorkflowEngine() as engine:
        starts = []

        @engine.service(retries=2, retry_delay=1)
        async def db() -> AsyncIterator[str]:
            starts.append(asyncio.get_running_loop().time())
            if len(starts) < 3:
                raise OSError("no disk")
            yield "db"

        began = asyncio.get_running_loop().time()
        service = db()
        assert await engine.function_task(use)(service) == "used db"
        assert service.attempts == 3
        assert [round(each - began) for each in starts] == [0, 1, 2]


@in_no_time
async def test_a_service_that_is_not_ready_in_time_has_failed_and_is_cleaned_up() -> None:
    async with WorkflowEngine() as engine:
        lines = []

        @engine.service(ready_timeout=3)
        async def db() -> AsyncIterator[str]:
            try:
                await asyncio.sleep(100)
                yield "never"
            finally:
                lines.append("cleaned up")

        with pytest.raises(
            ServiceNotReady, match=r"service 'db' \(#1\): it was not ready after ready_timeout=3 s"
        ):
            await db()
        assert lines == ["cleaned up"]


async def test_a_service_that_does_not_yield_has_failed(engine: WorkflowEngine) -> None:
    @engine.service
    async def db(yields: bool) -> AsyncIterator[str]:
        if yields:
            yield "db"

    with pytest.raises(ServiceNotReady, match="it ended without a yield"):
        await db(False)


async def test_a_service_that_yields_twice_is_told_so_when_it_is_stopped(
    engine: WorkflowEngine, caplog: pytest.LogCaptureFixture
) -> None:
    @engine.service
    async def db() -> AsyncIterator[str]:
        yield "one"
        yield "two"

    assert await db() == "one"
    await engine.shutdown()
    assert "service 'db' (#1) did not end cleanly: RuntimeError: it yields more than once" in caplog.text


@in_no_time
async def test_a_clean_up_has_as_long_as_grace_and_no_longer(caplog: pytest.LogCaptureFixture) -> None:
    async with WorkflowEngine(grace=2) as engine:

        @engine.service
        async def db() -> AsyncIterator[str]:
            yield "db"
            await asyncio.sleep(1000)

        await db()
        began = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - began == pytest.approx(2)
    assert (
        "service 'db' (#1) did not end cleanly: TimeoutError: its clean-up was not over after 2 s"
        in caplog.text
    )


async def test_a_failed_clean_up_is_logged_and_the_others_are_stopped(
    engine: WorkflowEngine, caplog: pytest.LogCaptureFixture
) -> None:
    told = Told(engine)

    @engine.service
    async def db() -> AsyncIterator[str]:
        yield "db"
        raise OSError("no disk")

    await told.service("before")()
    await db()
    await engine.shutdown()
    assert told.lines == ["before up", "before down"]
    errors = [each.getMessage() for each in caplog.records if each.levelno == logging.ERROR]
    assert errors == ["service 'db' (#2) did not end cleanly: OSError: no disk"]


async def test_a_service_that_yields_a_future_is_refused(engine: WorkflowEngine) -> None:
    @engine.service
    async def db() -> AsyncIterator[Any]:
        yield engine.function_task(use)("x")

    with pytest.raises(TypeError, match="which is not its value"):
        await db()


async def test_what_a_decorator_is_given_that_does_not_yield_is_refused() -> None:
    engine = WorkflowEngine()
    with pytest.raises(TypeError, match=r"@engine\.service got 'use', which does not yield"):
        engine.service(use)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="'db': backend='thread': a service runs beside the engine"):

        @engine.service(backend="thread")  # type: ignore[call-arg]
        async def db() -> AsyncIterator[str]:
            yield "db"


async def test_context_variables_of_the_call_are_there_from_the_start_to_the_clean_up(
    engine: WorkflowEngine,
) -> None:
    from contextvars import ContextVar

    variable = ContextVar("variable", default="none")
    seen = []

    @engine.service
    async def db() -> AsyncIterator[str]:
        seen.append(variable.get())
        yield "db"
        seen.append(variable.get())

    variable.set("call")
    service = db()
    variable.set("later")
    await service
    await engine.shutdown()
    assert seen == ["call", "call"]


@pytest.mark.parametrize("retries", [0, 1])
async def test_a_service_that_is_over_is_kept_by_nobody(retries: int) -> None:
    import gc
    import weakref

    class Connection: ...

    async with WorkflowEngine() as engine:

        @engine.service(stop_after="users")
        async def db() -> AsyncIterator[Connection]:
            yield Connection()

        @engine.function_task(retries=retries)
        async def look(connection: Connection) -> weakref.ref[Connection]:
            return weakref.ref(connection)

        user = look(db())
        reference = await user
        await turns()
        gc.collect()
        assert reference() is None


async def test_settled_waits_until_a_service_has_ended() -> None:
    async with WorkflowEngine() as engine:
        told = Told(engine)
        service = told.service("db", stop_after="users")()
        assert await engine.function_task(use)(service) == "used db"
        await engine.settled(service)
        assert told.lines == ["db up", "db down"]


@in_no_time
async def test_a_shutdown_says_what_it_waits_for_and_no_service_that_nobody_needs(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with WorkflowEngine() as engine:
        Told(engine).service("db")()

        @engine.function_task
        async def work() -> None:
            await asyncio.sleep(10)

        work()
    assert "waits for 1 task: 'work' (#2, RUNNING)" in caplog.text


def test_services_that_were_not_cleaned_up_because_the_loop_was_closed_are_named(
    caplog: pytest.LogCaptureFixture,
) -> None:
    engine = WorkflowEngine()
    told = Told(engine)

    async def main() -> None:
        await told.service("db")()

    loop = asyncio.new_event_loop()
    loop.run_until_complete(main())
    for task in asyncio.all_tasks(loop):
        task._log_destroy_pending = False  # type: ignore[attr-defined]
    loop.close()

    async def other() -> None:
        await told.service("other")()
        await engine.shutdown()

    asyncio.run(other())
    assert "the event loop was closed before these services were cleaned up: 'db' (#1)" in caplog.text


async def test_defaults_of_an_engine_hold_for_its_services_as_far_as_these_can_have_them() -> None:
    defaults = [TaskOptions(timeout=3, retries=2), ServiceOptions(stop_after="run")]
    async with WorkflowEngine(defaults=defaults) as engine:
        told = Told(engine)
        attempts = []

        @engine.service(retry_delay=0)
        async def db() -> AsyncIterator[str]:
            attempts.append(1)
            if len(attempts) < 3:
                raise OSError("no disk")
            yield "db"

        @engine.block
        async def pipeline() -> None:
            await told.service("other")()
            assert await db() == "db"

        await pipeline()
        await turns()
        assert told.lines == ["other up"]
