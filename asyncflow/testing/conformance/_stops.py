"""The contract, of the ends that a backend is told to make: cancel, shut down, abandon."""

from __future__ import annotations

import asyncio

import pytest

from ...backend import CANCELLED, RETURNED, SUCCEEDED
from .. import bad_tasks as bad
from ._base import applies, asynchronous
from ._raw import Piece, Raw, Record

_UNKNOWN = 999_999_999


@asynchronous
class Stops(Raw):
    """What was told to stop has stopped or is named, and the next start finds nothing of it."""

    # -- cancel -------------------------------------------------------------------------------------------

    async def test_cancel_tells_the_truth_about_what_is_reported(self) -> None:
        async with self.running() as record:
            pieces = [Piece(bad.add, (number, 1)) for number in range(10 * self.workers)]
            self.backend.submit(list(pieces))
            stopped = [await self.backend.cancel(piece.id) for piece in pieces]
            ends = await record.over(*pieces)
            assert [kind == CANCELLED for kind, _ in ends] == stopped
        assert [len(record.ends(piece)) for piece in pieces] == [1] * len(pieces)

    @applies(overlaps=True)
    async def test_work_that_waits_behind_others_is_taken_back_and_never_begins(self) -> None:
        gate, marks = self.gate(), self.gate()
        async with self.running() as record:
            # Some backends send a few ahead to each worker, where nobody can take them back.
            pieces = [Piece(bad.through, (gate.door,)) for _ in range(20 * self.workers)]
            last = Piece(bad.through, (marks.door,))
            self.backend.submit([*pieces, last])
            await gate.reached(self.workers)
            assert await self.backend.cancel(last.id) is True
            assert await record.over(last) == [(CANCELLED, None)]
            gate.close()
            await record.over(*pieces)
            assert record.starts(last) == 0
            assert len(record.ends(last)) == 1

    @applies(overlaps=True, can_kill=False)
    async def test_what_cannot_be_stopped_is_reported_when_it_ends_by_itself(self) -> None:
        gate = self.gate()
        async with self.running() as record:
            piece = Piece(bad.through, (gate.door, "done"))
            self.backend.submit([piece])
            await gate.reached()
            assert await self.backend.cancel(piece.id) is False
            assert record.ends(piece) == []
            gate.open()
            assert await record.over(piece) == [(SUCCEEDED, "done")]
        assert len(record.ends(piece)) == 1

    @applies(overlaps=True, can_kill=True)
    async def test_running_work_is_stopped_and_harms_no_other(self) -> None:
        gate, other = self.gate(), self.gate()
        async with self.running() as record:
            piece, neighbour = (
                Piece(bad.run_for_ever, (gate.door,)),
                Piece(bad.through, (other.door, "unharmed")),
            )
            self.backend.submit([piece, neighbour])
            await gate.reached()
            gate.open()
            await other.reached()
            assert await self.backend.cancel(piece.id) is True
            assert await record.over(piece) == [(CANCELLED, None)]
            other.open()
            assert await record.over(neighbour) == [(SUCCEEDED, "unharmed")]
        assert len(record.ends(piece)) == 1

    async def test_to_cancel_what_is_over_or_unknown_does_no_harm(self) -> None:
        async with self.running() as record:
            piece = Piece(bad.add, (1, 2))
            self.backend.submit([piece])
            await record.over(piece)
            await self.backend.cancel(piece.id)
            await self.backend.cancel(_UNKNOWN)
        assert len(record.ends(piece)) == 1
        assert all(task_id != _UNKNOWN for _, task_id, _ in record.events)

    @applies(overlaps=True)
    async def test_to_cancel_twice_is_reported_once(self) -> None:
        gate = self.gate()
        async with self.running() as record:
            pieces = [Piece(bad.through, (gate.door,)) for _ in range(20 * self.workers)]
            self.backend.submit(list(pieces))
            await gate.reached(self.workers)
            await asyncio.gather(*(self.backend.cancel(pieces[-1].id) for _ in range(3)))
            gate.close()
            await record.over(*pieces)
        assert [len(record.ends(piece)) for piece in pieces] == [1] * len(pieces)

    # -- Ctrl-C -------------------------------------------------------------------------------------------

    async def test_recover_tells_what_is_not_here_and_all_else_is_reported_over_once(self) -> None:
        async with self.running() as record:
            pieces = [Piece(bad.add, (number, 1)) for number in range(4 * self.workers)]
            never_came = Piece(bad.add, (1, 2))
            self.backend.submit(list(pieces))
            over = {piece.id for piece in pieces if record.ends(piece)}
            ids = [piece.id for piece in pieces]
            gone = set(self.backend.recover([*ids, never_came.id], [ids[-1], never_came.id])) - over
            assert gone >= {never_came.id}
            assert gone <= {ids[-1], never_came.id}  # nobody was in doubt about the others
            await record.over(*(piece for piece in pieces if piece.id not in gone))
            for piece in [*pieces, never_came]:
                # The engine hears no more of what is gone: a backend that has no `recover` of its own may report it.
                assert len(record.ends(piece)) == 1 or (piece.id in gone and not record.ends(piece))

    # -- shut down ----------------------------------------------------------------------------------------

    async def test_can_be_started_again_after_a_shutdown(self) -> None:
        records = []
        for _ in range(3):
            async with self.running() as record:
                piece = Piece(bad.add, (1, 2))
                self.backend.submit([piece])
                await record.over(piece)
            records.append(len(record.events))
        assert min(records) > 0

    @pytest.mark.parametrize("grace", [0, 5.0])
    async def test_shutdown_without_work_leaves_nothing(self, grace: float) -> None:
        await self.backend.start(Record().report)
        assert await self.backend.shutdown(grace=grace) == []

    async def test_shutdown_twice_is_the_same_as_once(self) -> None:
        async with self.running():
            pass
        assert await self.backend.shutdown(grace=0) == []

    async def test_after_a_shutdown_all_work_was_reported_over_or_named_as_left_behind(self) -> None:
        record = Record()
        await self.backend.start(record.report)
        pieces = [Piece(bad.add, (number, 1)) for number in range(50)]
        self.backend.submit(list(pieces))
        left = await self.backend.shutdown(grace=self.grace)
        assert left == []
        assert [len(record.ends(piece)) for piece in pieces] == [1] * 50
        kinds = {kind for piece in pieces for kind, _ in record.ends(piece)}
        assert kinds <= {SUCCEEDED, CANCELLED, RETURNED}

    @applies(overlaps=True)
    async def test_shutdown_lets_running_work_end_within_the_grace_time(self) -> None:
        gate = self.gate()
        record = Record()
        await self.backend.start(record.report)
        piece = Piece(bad.through, (gate.door, "done"))
        self.backend.submit([piece])
        await gate.reached()
        ending = asyncio.create_task(self.backend.shutdown(grace=self.patience))
        await asyncio.sleep(0)
        gate.open()
        assert await ending == []
        assert len(record.ends(piece)) == 1

    @applies(overlaps=True)
    async def test_shutdown_does_not_wait_longer_than_the_grace_time(self) -> None:
        gate = self.gate()
        record = Record()
        await self.backend.start(record.report)
        running = [Piece(bad.through, (gate.door,)) for _ in range(self.workers)]
        waiting = [Piece(bad.add, (1, 2)) for _ in range(20 * self.workers)]
        self.backend.submit([*running, *waiting])
        await gate.reached(self.workers)
        left = await self.backend.shutdown(grace=0.05)
        if self.backend.can_kill:
            assert left == []
        else:
            assert set(left) >= {piece.id for piece in running}
        for piece in [*running, *waiting]:
            assert len(record.ends(piece)) == (piece.id not in left)

    # -- abandon ------------------------------------------------------------------------------------------

    async def test_abandon_releases_everything_without_a_loop(self) -> None:
        record = Record()
        await self.backend.start(record.report)
        piece = Piece(bad.add, (1, 2))
        self.backend.submit([piece])
        await record.over(piece)
        self.backend.abandon()
        self.backend.abandon()

    @applies(overlaps=True)
    async def test_abandon_does_not_wait_for_what_runs(self) -> None:
        gate = self.gate()
        await self.backend.start(Record().report)
        self.backend.submit([Piece(bad.through, (gate.door,)) for _ in range(2 * self.workers)])
        await gate.reached(self.workers)
        self.backend.abandon()

    async def test_what_was_abandoned_is_forgotten_at_the_next_start(self) -> None:
        old = Record()
        await self.backend.start(old.report)
        pieces = [Piece(bad.add, (number, 1)) for number in range(10 * self.workers)]
        self.backend.submit(list(pieces))
        self.backend.abandon()
        async with self.running() as record:
            told = len(record.events)
        assert told == 0
        assert all(record.ends(piece) == [] for piece in pieces)

    async def test_abandon_before_a_start_does_nothing(self) -> None:
        self.backend.abandon()
        async with self.running():
            pass
