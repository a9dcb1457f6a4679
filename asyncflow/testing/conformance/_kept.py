"""Results that stay where they were made, for backends that keep them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ...backend import SUCCEEDED, Kept
from .. import bad_tasks as bad
from ._base import Engine, applies, asynchronous, failure_of
from ._raw import Piece, Raw

_SIZE = 3 << 20


@asynchronous
@applies(executes=True, keeps_results=True)
class KeptResults(Raw):
    """Whoever takes one, in whatever way, gets the value that it would get without."""

    @pytest.mark.parametrize("make", [bad.zeros, bad.noise, bad.array, bad.nested])
    async def test_a_kept_result_comes_to_whoever_awaits_it(self, engine: Engine, make: Any) -> None:
        size = 10 if make is bad.nested else _SIZE
        kept, brought = (engine.function_task(make, keep=keep)(size) for keep in (True, False))
        first, second = await asyncio.gather(kept, brought)
        assert type(first) is type(second)
        assert str(first) == str(second)
        assert await kept is first

    @pytest.mark.parametrize("keep", [True, None])
    async def test_kept_results_are_handed_on_alone_in_containers_and_in_chains(
        self, engine: Engine, keep: bool | None
    ) -> None:
        make, same = engine.function_task(bad.zeros, keep=keep), engine.function_task(bad.same, keep=keep)
        alone = make(_SIZE)
        chain = same(same(same(make(_SIZE + 1))))
        inside = same([alone, {"again": (alone, chain)}])
        assert await engine.submit(len, alone) == _SIZE
        assert await engine.submit(len, chain) == _SIZE + 1
        first, other = await inside
        assert (len(first), len(other["again"][0]), len(other["again"][1])) == (_SIZE, _SIZE, _SIZE + 1)

    async def test_what_a_task_changes_in_a_kept_result_no_other_sees(self, engine: Engine) -> None:
        rows = engine.function_task(bad.array, keep=True)(_SIZE)
        await engine.settled(rows)
        assert await asyncio.gather(*[engine.submit(bad.raised, rows) for _ in range(4)]) == [1] * 4
        assert (await rows)[0] == 0

    async def test_coroutines_and_blocks_get_the_value(self, engine: Engine) -> None:
        number = engine.function_task(bad.add, keep=True)(20, 1)
        double = engine.block(lambda value: engine.submit(bad.add, value, value), name="double")
        assert await double(number) == 42
        assert await engine.submit(bad.add_later, number, number) == 42

    async def test_what_cannot_be_sent_is_no_kept_result(self, engine: Engine) -> None:
        error = await failure_of(engine.function_task(bad.lock, keep=True)())
        assert isinstance(error, TypeError)

    async def test_what_work_says_goes_before_its_size_and_fetch_gives_the_value(self) -> None:
        async with self.running() as record:
            kept, brought = Piece(bad.add, (1, 2), keep=True), Piece(bad.zeros, (_SIZE,), keep=False)
            self.backend.submit([kept, brought])
            (first, payload), (second, value) = await record.over(kept, brought)
            assert (first, second, value) == (SUCCEEDED, SUCCEEDED, bytes(_SIZE))
            assert type(payload) is Kept
            assert [await self.backend.fetch(payload) for _ in range(2)] == [3, 3]
            taking = [Piece(bad.add, (payload, number)) for number in range(10)]
            self.backend.submit(list(taking))
            assert await record.over(*taking) == [(SUCCEEDED, 3 + number) for number in range(10)]

    async def test_what_was_cancelled_or_is_wanted_by_nobody_is_not_in_the_way(self, engine: Engine) -> None:
        make = engine.function_task(bad.zeros, keep=True)
        for _ in range(20):
            make(_SIZE).cancel()
            make(_SIZE)
        assert await make(_SIZE) == bytes(_SIZE)
