"""The contract, of work that is linked: what a backend does that takes chains."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

import pytest

from ...backend import CANCELLED, FAILED, PREVIOUS, RETURNED, SUCCEEDED
from .. import bad_tasks as bad
from .. import failing_tasks
from ._base import applies, asynchronous
from ._raw import Piece, Raw, Record


@asynchronous
class Chains(Raw):
    """Link after link, or none of what is left."""

    def chain(self, *bodies: Any) -> list[Piece]:
        """Pieces that are linked; each after the first gets the value of the one before as its first argument."""
        pieces = [
            Piece(fn, (PREVIOUS, *args) if number else args) for number, (fn, *args) in enumerate(bodies)
        ]
        for piece, link in pairwise(pieces):
            piece.link = link
        return pieces

    @applies(executes=True, takes_chains=True)
    @pytest.mark.parametrize("length", [2, 100])
    async def test_a_chain_runs_link_after_link(self, length: int) -> None:
        async with self.running() as record:
            pieces = self.chain((bad.add, 0, 1), *[(bad.add, 1)] * (length - 1))
            self.backend.submit(pieces[:1])
            assert await record.over(*pieces) == [(SUCCEEDED, number) for number in range(1, length + 1)]
        assert [len(record.ends(piece)) for piece in pieces] == [1] * length

    @applies(executes=True, takes_chains=True)
    @pytest.mark.parametrize("failing", [0, 1, 2])
    async def test_what_is_linked_behind_a_failure_is_returned(self, failing: int) -> None:
        async with self.running() as record:
            bodies: list[Any] = [(bad.same, "plain")] + [(bad.same,)] * 4
            bodies[failing] = (failing_tasks.fail, *bodies[failing][1:])
            pieces = self.chain(*bodies)
            self.backend.submit(pieces[:1])
            kinds = [kind for kind, _ in await record.over(*pieces)]
            assert kinds == [SUCCEEDED] * failing + [FAILED] + [RETURNED] * (4 - failing)
        assert [len(record.ends(piece)) for piece in pieces] == [1] * 5
        assert [record.starts(piece) for piece in pieces[failing + 1 :]] == [0] * (4 - failing)

    @applies(overlaps=True, takes_chains=True)
    async def test_a_link_that_is_cancelled_is_passed_over_with_all_behind_it(self) -> None:
        gate = self.gate()
        async with self.running() as record:
            pieces = self.chain((bad.through, gate.door, 1), (bad.add, 1), (bad.add, 1), (bad.add, 1))
            self.backend.submit(pieces[:1])
            await gate.reached()
            assert await self.backend.cancel(pieces[2].id) is True
            await record.over(pieces[2])  # a worker elsewhere needs its time to hear of it
            gate.open()
            head, between, *rest = await record.over(*pieces)
            assert [head, *rest] == [(SUCCEEDED, 1), (CANCELLED, None), (RETURNED, None)]
            assert between in [
                (SUCCEEDED, 2),
                (RETURNED, None),
            ]  # it may have to be called back with the other
        assert [len(record.ends(piece)) for piece in pieces] == [1] * 4

    @applies(overlaps=True, takes_chains=True)
    async def test_a_shutdown_leaves_no_link_unheard(self) -> None:
        gate = self.gate()
        record = Record()
        await self.backend.start(record.report)
        pieces = self.chain((bad.through, gate.door, 1), (bad.add, 1), (bad.add, 1))
        self.backend.submit(pieces[:1])
        await gate.reached()
        ending = asyncio.create_task(self.backend.shutdown(grace=self.patience))
        await asyncio.sleep(0)
        gate.open()
        assert await ending == []
        assert [len(record.ends(piece)) for piece in pieces] == [1] * 3
