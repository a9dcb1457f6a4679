"""Cancelling and timeouts: the state tells the truth, and no slot is lost."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from ... import State, TaskTimeout, UpstreamFailed
from .. import bad_tasks as bad
from .. import failing_tasks
from ._base import Conformance, Engine, applies, asynchronous, failure_of, own_engine


@asynchronous
class Cancels(Conformance):
    """A task is cancelled in each of its states."""

    async def test_a_waiting_task_is_cancelled_without_starting(self, engine: Engine) -> None:
        awaited: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        future = engine.submit(bad.same, awaited)
        assert future.cancel("not wanted")
        assert future.cancelled()
        await engine.settled(future)
        assert (future.state, future.attempts) == (State.CANCELLED, 0)
        assert not future.cancel()
        assert not awaited.cancelled()

    async def test_a_ready_task_is_cancelled_without_starting(self, engine: Engine) -> None:
        future = engine.submit(failing_tasks.fail, "plain")
        assert future.state == "READY"
        future.cancel()
        await engine.settled(future)
        assert (future.state, future.attempts) == (State.CANCELLED, 0)

    async def test_dependents_of_a_cancelled_task_are_cancelled(self, engine: Engine) -> None:
        awaited: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        first = engine.submit(bad.same, awaited)
        chain = [first]
        for _ in range(5):
            chain.append(engine.submit(bad.same, chain[-1]))
        first.cancel()
        await asyncio.wait(chain)
        assert all(future.cancelled() for future in chain)
        assert {future.state for future in chain} == {State.CANCELLED}

    @applies(runs_coroutines=False)
    async def test_a_task_held_by_a_limit_is_cancelled_and_frees_nobodys_slot(self) -> None:
        running, most = 0, 0

        async def count(let: asyncio.Event) -> None:
            nonlocal running, most
            running += 1
            most = max(most, running)
            await let.wait()
            running -= 1

        async with self.make_engine(max_coroutines=2) as engine:
            let = asyncio.Event()
            futures = [engine.submit(count, let) for _ in range(10)]
            while running < 2:
                await asyncio.sleep(0)
            for future in futures[2:6]:
                assert future.state == "READY"
                future.cancel()
            let.set()
            await asyncio.wait(futures)
            assert [future.cancelled() for future in futures] == [False] * 2 + [True] * 4 + [False] * 4
            assert most == 2
            await self.check_next_tasks(engine)

    @applies(executes=True, runs_coroutines=False)
    async def test_a_coroutine_gets_its_cancelled_error_and_may_clean_up(self, engine: Engine) -> None:
        begun, clean_up = asyncio.Event(), asyncio.Event()
        steps: list[str] = []

        async def careful() -> None:
            try:
                begun.set()
                await asyncio.get_running_loop().create_future()
            except asyncio.CancelledError as error:
                steps.append(f"cancelled: {error}")
                await clean_up.wait()
                steps.append("cleaned up")
                raise

        future = engine.submit(careful)
        await begun.wait()
        future.cancel("enough")
        assert future.state == "CANCELLING"
        while not steps:
            await asyncio.sleep(0)
        assert future.state == "CANCELLING"
        clean_up.set()
        await engine.settled(future)
        assert future.state == "CANCELLED"
        assert steps == ["cancelled: enough", "cleaned up"]

    @applies(overlaps=True)
    async def test_a_submitted_task_is_cancelled_behind_a_full_house(self, engine: Engine) -> None:
        gate, marks = self.gate(), self.gate()
        crowd = [engine.submit(bad.through, gate.door, number) for number in range(20 * self.workers)]
        last = engine.submit(bad.through, marks.door)
        await gate.reached(self.workers)
        assert last.state == "SUBMITTED"
        last.cancel()
        await engine.settled(last)
        assert last.state == "CANCELLED"
        gate.close()
        assert await asyncio.gather(*crowd) == list(range(20 * self.workers))

    @applies(overlaps=True, can_kill=False)
    async def test_a_running_task_is_cancelling_until_it_ends_by_itself(self, engine: Engine) -> None:
        gate = self.gate()
        future = engine.submit(bad.through, gate.door)
        await gate.reached()
        future.cancel()
        assert future.cancelled()
        await self.check_next_turns()
        assert future.state == "CANCELLING"
        settled = asyncio.ensure_future(engine.settled(future))
        await self.check_next_turns()
        assert not settled.done()
        gate.open()
        await settled
        assert future.state == "CANCELLED"
        await self.check_all_slots_are_free(engine)

    @applies(overlaps=True, can_kill=True)
    async def test_a_running_task_is_stopped(self, engine: Engine) -> None:
        gate = self.gate()
        future = engine.submit(bad.run_for_ever, gate.door)
        await gate.reached()
        gate.open()
        future.cancel()
        await engine.settled(future)
        assert future.state == "CANCELLED"
        await self.check_all_slots_are_free(engine)

    async def check_next_turns(self) -> None:
        """Let the loop do what it can do at once."""
        for _ in range(10):
            await asyncio.sleep(0)

    @applies(overlaps=True, reports_starts=True, can_kill=False)
    async def test_a_timeout_says_that_the_work_goes_on_where_it_cannot_be_stopped(
        self, engine: Engine, caplog: pytest.LogCaptureFixture
    ) -> None:
        gate = self.gate()
        future = engine.function_task(bad.through, timeout=0.01)(gate.door)
        error = await failure_of(future)
        assert isinstance(error, TaskTimeout)
        assert isinstance(error, TimeoutError)
        assert (error.name, error.task_id, error.stoppable) == ("through", future.id, False)
        assert future.state == "CANCELLING"
        assert [record.message for record in caplog.records] == [str(error)]
        gate.close()
        await engine.settled(future)
        assert future.state == "FAILED"
        await self.check_all_slots_are_free(engine)

    @own_engine  # one of the ways to end it is the shutdown
    @applies(overlaps=True, can_kill=True)
    @pytest.mark.parametrize(
        "body", [bad.run_for_ever, bad.ignore_signals, bad.catch_everything, bad.hold_the_gil]
    )
    @pytest.mark.parametrize("how", ["timeout", "cancel", "shutdown"])
    async def test_work_that_will_not_end_is_ended(self, engine: Engine, how: str, body: object) -> None:
        gate, other = self.gate(), self.gate()
        neighbour = engine.submit(bad.through, other.door, "unharmed")
        gate.open()
        future = engine.function_task(body, timeout=0.3 if how == "timeout" else None)(gate.door)
        if how != "timeout":  # which on a slow machine may come before it gets there
            await gate.reached()
        await other.reached()
        if how == "shutdown":
            await engine.shutdown(wait=False)
            assert future.cancelled()
            await engine.start()
            return
        if how == "cancel":
            future.cancel()
        else:
            assert isinstance(await failure_of(future), TaskTimeout)
        await engine.settled(future)
        assert future.state is (State.CANCELLED if how == "cancel" else State.FAILED)
        other.open()
        assert await neighbour == "unharmed"
        await self.check_all_slots_are_free(engine)

    @applies(executes=True, runs_coroutines=False)
    async def test_a_coroutine_is_stopped_by_its_timeout(self, engine: Engine) -> None:
        async def wait() -> None:
            await asyncio.get_running_loop().create_future()

        future = engine.function_task(wait, timeout=0.01)()
        assert isinstance(await failure_of(future), TaskTimeout)
        await engine.settled(future)
        assert future.state == "FAILED"

    @applies(executes=True)
    async def test_a_task_in_time_is_not_timed_out(self, engine: Engine) -> None:
        add = engine.function_task(bad.add, timeout=60)
        assert await asyncio.gather(*(add(number, 1) for number in range(100))) == list(range(1, 101))

    @applies(executes=True)
    async def test_one_failed_and_one_cancelled_give_one_error_with_all_causes(self, engine: Engine) -> None:
        awaited: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        failed, dropped = engine.submit(failing_tasks.fail, "plain"), engine.submit(bad.same, awaited)
        future = engine.submit(bad.add, failed, dropped)
        dropped.cancel()
        error = await failure_of(future)
        assert isinstance(error, UpstreamFailed)
        assert [(root.name, type(root.error)) for root in error.root_causes] == [
            ("fail", ValueError),
            ("same", type(None)),
        ]

    @applies(overlaps=True)
    async def test_two_that_fail_at_the_same_moment_give_one_error_with_both_causes(
        self, engine: Engine
    ) -> None:
        gate = self.gate()
        two = [engine.submit(failing_tasks.fail_behind, gate.door) for _ in range(2)]
        future = engine.submit(bad.add, *two)
        await gate.reached(min(2, self.workers))
        gate.close()
        error = await failure_of(future)
        assert isinstance(error, UpstreamFailed)
        assert [root.task_id for root in error.root_causes] == [two[0].id, two[1].id]
        assert [type(await failure_of(each)) for each in two] == [ValueError] * 2

    @pytest.mark.parametrize("seed", [1, *(pytest.param(n, marks=pytest.mark.soak) for n in range(2, 50))])
    async def test_no_slot_is_lost_in_a_thousand_random_cancels(self, seed: int) -> None:
        chance = random.Random(seed)
        bodies: list[tuple[Any, Any]] = [
            (bad.same, 1),
            (failing_tasks.fail, "plain"),
            (failing_tasks.fail_later, "plain"),
        ]
        bodies += [(bad.linger, 0.0003), (bad.linger_later, 0.001)]
        cancels = 0
        async with self.make_engine(max_coroutines=5) as engine:
            limits = engine.limit("api", concurrency=2), engine.limit("memory", concurrency=4)
            policies: list[Any] = [
                {},
                {"limits": {limits[0]: 1}},
                {"limits": {limits[0]: 1, limits[1]: 3}, "retries": 2, "retry_delay": 0.0003},
                {"limits": {limits[1]: 2}, "deadline": 0.02},
            ]
            futures: list[Any] = []
            while cancels < 1000:
                inputs = chance.sample(futures, chance.randrange(min(3, len(futures) + 1)))
                body, argument = chance.choice(bodies)
                task = engine.function_task(body, **chance.choice(policies))
                futures.append(task.with_options(after=inputs)(argument))
                for _ in range(chance.randrange(4)):
                    await asyncio.sleep(0)  # a moment, as the loop counts them
                under_way = [future for future in futures[-20:] if not future.done()]
                cancels += bool(under_way) and chance.choice(under_way).cancel()
            await asyncio.wait(futures)
            for future in futures:
                await engine.settled(future)
                if not future.cancelled():
                    future.exception()  # looked at
            assert all(future.state.terminal for future in futures)
            assert [limit.used for limit in limits] == [0, 0]
            await self.check_all_slots_are_free(engine)
            await self.check_coroutine_slots(engine, 5)
            await self.check_next_tasks(engine)

    async def check_coroutine_slots(self, engine: Engine, slots: int) -> None:
        """As many coroutines are under way at once as ``max_coroutines`` says."""
        if self.executes and not self.backend.runs_coroutines:
            together = asyncio.Barrier(slots)
            await asyncio.gather(*(engine.submit(together.wait) for _ in range(slots)))
