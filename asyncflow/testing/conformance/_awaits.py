"""A future is awaited in every way that asyncio knows, and in some that cannot work."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from ... import CircularDependency, ForeignFuture, State, TaskFuture, WorkflowEngine, WrongLoop
from .. import bad_tasks as bad
from .. import failing_tasks
from ._base import Conformance, Engine, applies, asynchronous, failure_of


def in_a_thread(work: Callable[[], object]) -> object:
    """What a function returns or raises in a thread of its own; the event loop stands still meanwhile."""
    ended: list[object] = []

    def run() -> None:
        try:
            ended.append(work())
        except BaseException as error:
            ended.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return ended[0]


@asynchronous
class Awaits(Conformance):
    """``wait_for``, ``timeout``, ``gather``, ``shield``, ``wait``, ``as_completed``, task groups, other loops."""

    def never(self, engine: Engine) -> Any:
        """A task that waits for what will not come."""
        awaited: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        return engine.submit(bad.same, awaited)

    async def test_wait_for_gives_the_value_or_cancels_in_time(self, engine: Engine) -> None:
        value = await asyncio.wait_for(engine.submit(bad.add, 1, 2), timeout=30)
        if self.executes:
            assert value == 3
        future = self.never(engine)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(future, timeout=0.01)
        assert future.cancelled()
        await engine.settled(future)
        assert future.state is State.CANCELLED

    @applies(overlaps=True)
    async def test_wait_for_does_not_wait_for_work_that_goes_on(self, engine: Engine) -> None:
        gate = self.gate()
        future = engine.submit(bad.through, gate.door)
        await gate.reached()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(future, timeout=0.01)
        assert future.cancelled()
        gate.open()
        await engine.settled(future)
        assert future.state is State.CANCELLED

    async def test_timeout_ends_the_wait_and_cancels_the_future(self, engine: Engine) -> None:
        future = self.never(engine)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await future
        assert future.cancelled()

    async def test_gather_gives_all_in_order_with_the_errors_where_they_belong(self, engine: Engine) -> None:
        futures = [
            engine.submit(bad.add, 1, 1),
            engine.submit(failing_tasks.fail, "plain"),
            engine.submit(bad.add, 2, 2),
        ]
        results = await asyncio.gather(*futures, return_exceptions=True)
        if self.executes:
            assert results == [2, futures[1].exception(), 4]
            with pytest.raises(ValueError, match="need 2 rows"):
                await asyncio.gather(*futures)

    async def test_a_gather_that_is_cancelled_cancels_all(self, engine: Engine) -> None:
        futures = [self.never(engine) for _ in range(3)]
        gathered = asyncio.gather(*futures)
        gathered.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gathered
        assert all(future.cancelled() for future in futures)

    async def test_shield_keeps_the_task_from_being_cancelled(self, engine: Engine) -> None:
        awaited: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        future = engine.submit(bad.same, awaited)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(future), timeout=0.01)
        assert not future.done()
        awaited.set_result(5)
        value = await future
        if self.executes:
            assert value == 5

    @pytest.mark.parametrize(
        "when", [asyncio.FIRST_COMPLETED, asyncio.FIRST_EXCEPTION, asyncio.ALL_COMPLETED]
    )
    async def test_wait_returns_when_it_is_told_to(self, engine: Engine, when: str) -> None:
        good, failing, never = (
            engine.submit(bad.add, 1, 2),
            engine.submit(failing_tasks.fail, "plain"),
            self.never(engine),
        )
        if when == asyncio.ALL_COMPLETED or not self.executes:
            asyncio.get_running_loop().call_soon(never.cancel)
        done, pending = await asyncio.wait([good, failing, never], return_when=when)
        if when == asyncio.ALL_COMPLETED:
            assert not pending
        elif when == asyncio.FIRST_EXCEPTION and self.executes:
            assert failing in done
            assert never in pending
        assert done
        never.cancel()
        await asyncio.wait([good, failing])
        if self.executes:
            assert isinstance(failing.exception(), ValueError)

    async def test_as_completed_gives_each_once(self, engine: Engine) -> None:
        futures = [engine.submit(bad.add, number, 1) for number in range(20)]
        results = [await each for each in asyncio.as_completed(futures)]
        assert len(results) == 20
        if self.executes:
            assert sorted(results) == list(range(1, 21))

    @applies(executes=True)
    async def test_a_task_group_cancels_the_others_when_one_fails(self, engine: Engine) -> None:
        async def awaiting(future: TaskFuture[object]) -> object:
            return await future

        never, failing = self.never(engine), engine.submit(failing_tasks.fail, "plain")
        with pytest.raises(ExceptionGroup) as caught:
            async with asyncio.TaskGroup() as group:
                group.create_task(awaiting(never))
                group.create_task(awaiting(failing))
        assert caught.value.exceptions == (failing.exception(),)
        assert never.cancelled()

    async def test_many_may_await_one(self, engine: Engine) -> None:
        future = engine.submit(bad.add, 1, 2)

        async def awaiting() -> object:
            return await future

        results = await asyncio.gather(*(awaiting() for _ in range(100)))
        assert all(result is results[0] for result in results)

    async def test_another_thread_is_told_to_go_through_the_loop(self, engine: Engine) -> None:
        future = self.never(engine)
        assert isinstance(in_a_thread(lambda: engine.submit(bad.add, 1, 2)), WrongLoop)
        assert isinstance(in_a_thread(future.cancel), WrongLoop)
        assert isinstance(in_a_thread(future.result), asyncio.InvalidStateError)
        assert not future.done()
        future.cancel()

    async def test_another_thread_may_go_through_the_loop(self, engine: Engine) -> None:
        async def call() -> object:
            return await engine.submit(bad.add, 1, 2)

        loop = asyncio.get_running_loop()
        scheduled = await asyncio.to_thread(asyncio.run_coroutine_threadsafe, call(), loop)
        value = await asyncio.wrap_future(scheduled)
        if self.executes:
            assert value == 3

    async def test_another_loop_gets_a_clear_error(self, engine: Engine) -> None:
        future = self.never(engine)

        async def elsewhere() -> object:
            return await future

        async def called_elsewhere() -> object:
            return engine.submit(bad.add, 1, 2)

        assert isinstance(in_a_thread(lambda: asyncio.run(called_elsewhere())), WrongLoop)
        error = in_a_thread(lambda: asyncio.run(elsewhere()))
        assert isinstance(error, RuntimeError)
        assert "different loop" in str(error)
        future.cancel()

    @applies(executes=True, in_process=True)
    async def test_a_task_that_calls_a_task_is_told_how(self, engine: Engine) -> None:
        task = engine.function_task(bad.add)

        def calls() -> object:
            return task(1, 2)

        assert isinstance(await failure_of(engine.submit(calls)), WrongLoop)

    async def test_the_future_of_another_engine_is_refused(self, engine: Engine) -> None:
        async with WorkflowEngine(self.make_backend()) as theirs:
            future = theirs.submit(bad.add, 1, 2)
            with pytest.raises(ForeignFuture, match="another engine"):
                engine.submit(bad.same, [future])
            await future

    async def test_a_block_that_would_wait_for_itself_is_told_so(self, engine: Engine) -> None:
        own: list[TaskFuture[object]] = []

        async def by_await() -> object:
            await asyncio.sleep(0)
            return await own[-1]

        async def by_argument() -> object:
            await asyncio.sleep(0)
            return await engine.submit(bad.same, own[-1])

        async def by_return() -> object:
            await asyncio.sleep(0)
            return [own[-1]]

        for block in (by_await, by_argument, by_return):
            own.append(engine.block(block)())
            assert isinstance(await failure_of(own[-1]), CircularDependency)
