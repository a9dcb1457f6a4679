"""Much of everything: long chains, many tasks through a window, and nothing left of them."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
from collections import deque
from typing import Any

import pytest

from ... import State, UpstreamFailed
from .. import bad_tasks as bad
from .. import failing_tasks
from ._base import Conformance, Engine, applies, asynchronous

_BLOCKS = 3_000  # of the interpreter's memory; what caches and a handful of live tasks take
_TRIES = (
    20  # times that more tasks run, while a worker that a cancel has ended may still be replaced by another
)


def _sizes(long: int, short: int) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("count", [short, pytest.param(long, marks=pytest.mark.soak)])


@asynchronous
class Loads(Conformance):
    """Memory, descriptors and threads end where they began."""

    async def window(self, engine: Engine, count: int, body: object, cancel: bool = False) -> None:
        """Run many tasks, a window of them at a time."""
        wide = min(10_000, count // 5)
        window: deque[Any] = deque()
        for _ in range(count):
            if len(window) >= wide:
                oldest = window.popleft()
                if cancel:
                    oldest.cancel()
                else:
                    await asyncio.wait([oldest])
                    oldest.exception()
            window.append(engine.submit(body, "plain"))
        await asyncio.wait(window)
        for future in window:
            future.exception()

    @pytest.mark.parametrize(
        ("count", "body", "cancel"),
        [
            pytest.param(2_000, bad.same, False, id="2,000"),
            pytest.param(2_000, failing_tasks.fail, False, id="2,000 that fail"),
            pytest.param(2_000, bad.same, True, id="2,000 that are cancelled"),
            pytest.param(1_000_000, bad.same, False, id="a million", marks=pytest.mark.soak),
            pytest.param(
                1_000_000, failing_tasks.fail, False, id="a million that fail", marks=pytest.mark.soak
            ),
            pytest.param(100_000, bad.same, True, id="100,000 that are cancelled", marks=pytest.mark.soak),
        ],
    )
    async def test_many_tasks_leave_everything_as_it_was(
        self, engine: Engine, count: int, body: object, cancel: bool
    ) -> None:
        await self.window(engine, 1_000, body, cancel)
        before = await self.measured(engine)
        await self.window(engine, count, body, cancel)
        for _ in range(_TRIES):
            blocks, threads, descriptors = await self.measured(engine)
            if threads <= before[1] and descriptors <= before[2]:
                break
        assert blocks - before[0] < _BLOCKS
        assert threads <= before[1]
        assert descriptors <= before[2]

    async def measured(self, engine: Engine) -> tuple[int, int, int]:
        """Blocks of memory, threads and descriptors, when all is quiet."""
        await self.check_next_tasks(engine)
        gc.collect()
        return sys.getallocatedblocks(), threading.active_count(), len(os.listdir("/proc/self/fd"))

    @_sizes(100_000, 3_000)
    async def test_a_long_chain_runs_to_its_end_and_can_be_shown(self, engine: Engine, count: int) -> None:
        future = engine.submit(bad.add, 0, 1)
        for _ in range(count):
            future = engine.submit(bad.add, future, 1)
        result = await future
        if self.executes:
            assert result == count + 1
        assert f"add#{future.id}" in repr(future)

    @applies(executes=True)
    @_sizes(100_000, 3_000)
    async def test_a_long_chain_with_a_failing_head_fails_to_its_end(
        self, engine: Engine, count: int
    ) -> None:
        future = engine.submit(failing_tasks.fail, "plain")
        for _ in range(count):
            future = engine.submit(bad.add, future, 1)
        await asyncio.wait([future])
        error = future.exception()
        assert isinstance(error, UpstreamFailed)
        assert [root.name for root in error.root_causes] == ["fail"]
        assert len(repr(future) + str(error) + repr(error) + future.explain()) < 10_000
        del future, error
        gc.collect()

    @_sizes(100_000, 3_000)
    async def test_a_long_chain_with_a_cancelled_head_is_cancelled_to_its_end(
        self, engine: Engine, count: int
    ) -> None:
        awaited: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        head = future = engine.submit(bad.same, awaited)
        for _ in range(count):
            future = engine.submit(bad.add, future, 1)
        head.cancel()
        await asyncio.wait([future])
        assert future.cancelled()
        assert future.state is State.CANCELLED
        assert len(repr(future) + future.explain()) < 10_000
        del head, future
        gc.collect()

    @_sizes(100_000, 5_000)
    async def test_one_failure_under_many_dependents_reaches_them_all(
        self, engine: Engine, count: int
    ) -> None:
        awaited: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        head = engine.submit(bad.same, awaited)
        futures = [engine.submit(bad.add, head, 1) for _ in range(count)]
        last = engine.submit(bad.total, futures)
        awaited.set_exception(ValueError("need 2 rows"))
        await asyncio.wait([*futures, last])
        assert {future.state for future in [*futures, last]} == {State.UPSTREAM_FAILED}
        for future in [head, *futures, last]:
            assert future.exception() is not None
