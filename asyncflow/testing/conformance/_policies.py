"""Retries, time limits and limits, as far as a backend has a part in them: what ran is over before another attempt
begins, and before what it used is another's."""

from __future__ import annotations

import asyncio
from itertools import pairwise

from ... import State, TaskTimeout
from .. import bad_tasks as bad
from ._base import Conformance, Engine, applies, asynchronous, failure_of, own_engine


@applies(executes=True)
@asynchronous
class Policies(Conformance):
    """Attempts follow one another on the backend, and what they use of limits is given back when they have stopped."""

    async def test_a_task_is_tried_again_until_it_succeeds_and_knows_its_attempt(
        self, engine: Engine
    ) -> None:
        at_last = engine.function_task(bad.at_last, retries=3, retry_delay=0)
        futures = [at_last(attempt) for attempt in (1, 2, 4)]
        assert await asyncio.gather(*futures) == [1, 2, 4]
        assert [future.attempts for future in futures] == [1, 2, 4]

    async def test_the_last_attempts_error_arrives_with_the_others_as_notes(self, engine: Engine) -> None:
        future = engine.function_task(bad.at_last, retries=1, retry_delay=0)(9)
        error = await failure_of(future)
        assert isinstance(error, ConnectionError) and str(error) == "attempt 2"
        assert "attempt 1" in "\n".join(error.__notes__)
        assert future.state is State.FAILED

    async def test_what_depends_on_a_task_that_is_tried_again_waits_for_its_value(
        self, engine: Engine
    ) -> None:
        at_last = engine.function_task(bad.at_last, retries=2, retry_delay=0)
        future = engine.submit(bad.same, 0)
        for attempt in (2, 3):
            future = engine.submit(bad.add, future, at_last(attempt))
        assert await future == 5

    @applies(can_kill=True)
    async def test_an_attempt_that_takes_too_long_is_over_before_the_next_begins(
        self, engine: Engine
    ) -> None:
        in_time = engine.function_task(bad.in_time_at_last, retries=1, retry_delay=0, timeout=3)
        assert await in_time(2) == 2
        assert isinstance(await failure_of(in_time.with_options(timeout=0.2)(3)), TaskTimeout)
        await self.check_all_slots_are_free(engine)

    @own_engine  # limits stay with it
    async def test_never_more_run_at_once_than_a_limit_allows(self, engine: Engine) -> None:
        limited = engine.function_task(bad.linger, limits={engine.limit("api", concurrency=1): 1})
        futures = [limited(0.002) for _ in range(10)]
        await asyncio.gather(*futures)
        # The times are those of the workers: what the next one waits for is over before it begins.
        report = engine.report()
        times = sorted((task.started, task.finished) for task in report.named("linger"))
        assert all(before[1] <= after[0] for before, after in pairwise(times))

    @applies(overlaps=True, can_kill=False, reports_starts=True)
    async def test_a_limit_is_held_until_work_that_was_cancelled_has_stopped(self, engine: Engine) -> None:
        gate = self.gate()
        api = engine.limit("api", concurrency=1)
        first = engine.function_task(bad.through, limits={api: 1})(gate.door)
        await gate.reached()
        first.cancel()
        second = engine.function_task(bad.same, limits={api: 1})(2)
        await engine.submit(bad.same, 3)  # there is room for it, and yet the limit is not free
        assert (first.state, second.state) == ("CANCELLING", "READY")
        gate.close()
        assert await second == 2
        await engine.settled(first)

    @applies(can_kill=True)
    async def test_a_limit_is_free_again_after_work_that_had_to_be_ended(self, engine: Engine) -> None:
        gate = self.gate()
        api = engine.limit("api", concurrency=1)
        first = engine.function_task(bad.run_for_ever, limits={api: 1})(gate.door)
        second = engine.function_task(bad.same, limits={api: 1})(2)
        await gate.reached()
        gate.open()
        assert second.state == "READY"
        first.cancel()
        assert await second == 2
        assert first.state is State.CANCELLED
