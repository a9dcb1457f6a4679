"""The contract of `asyncflow.backend`, promise by promise, without an engine."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import copy_context
from itertools import pairwise
from time import perf_counter
from typing import Any

import pytest

from ...backend import CANCELLED, FAILED, PREVIOUS, RAN, RETURNED, SUCCEEDED, Concurrency
from .. import bad_tasks as bad
from ._base import Conformance, applies, asynchronous, release_of
from ._raw import Piece, Record

_UNKNOWN = 999_999_999


@asynchronous
class Contract(Conformance):
    """Start, submit, cancel, shut down."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Record]:
        """The backend, started; afterwards the next pieces work and nothing is left of it."""
        record = Record()
        await self.backend.start(record.report)
        try:
            yield record
        except BaseException:
            self.open_all_gates()
            await self.backend.shutdown(grace=self.grace)
            raise
        self.open_all_gates()
        pieces = [Piece(bad.add, (number, 1)) for number in range(2 * self.workers)]
        self.backend.submit(list(pieces))
        ends = await record.over(*pieces)
        assert [kind for kind, _ in ends] == [SUCCEEDED] * len(pieces)
        assert await self.backend.shutdown(grace=self.grace) == []

    async def test_says_what_it_can_do(self) -> None:
        assert isinstance(self.backend.name, str)
        assert self.backend.name
        assert isinstance(self.backend.concurrency, Concurrency)
        for capability in (
            "runs_coroutines",
            "takes_coroutines",
            "can_kill",
            "needs_pickle",
            "takes_chains",
            "reports_starts",
            "reports_runs",
            "stages_files",
            "shares_filesystem",
        ):
            assert isinstance(getattr(self.backend, capability), bool), capability
        assert self.backend.takes_coroutines or not self.backend.runs_coroutines
        assert self.backend.workers is None or self.backend.workers >= 1

    # -- submit -------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("size", [1, 2, 100])
    async def test_each_piece_of_a_batch_is_over_exactly_once(self, size: int) -> None:
        async with self.running() as record:
            pieces = [Piece(bad.add, (number, 1)) for number in range(size)]
            self.backend.submit(list(pieces))
            ends = await record.over(*pieces)
            assert [kind for kind, _ in ends] == [SUCCEEDED] * size
            if self.executes:
                assert [value for _, value in ends] == list(range(1, size + 1))
        assert [len(record.ends(piece)) for piece in pieces] == [1] * size

    async def test_batches_follow_each_other_without_waiting(self) -> None:
        async with self.running() as record:
            batches = [[Piece(bad.add, (number, 1)) for number in range(10)] for _ in range(10)]
            for batch in batches:
                self.backend.submit(list(batch))
            pieces = [piece for batch in batches for piece in batch]
            await record.over(*pieces)
        assert [len(record.ends(piece)) for piece in pieces] == [1] * 100

    async def test_the_start_of_a_piece_is_reported_once_at_most_and_before_its_end(self) -> None:
        async with self.running() as record:
            pieces = [Piece(bad.add, (number, 1)) for number in range(20)]
            self.backend.submit(list(pieces))
            await record.over(*pieces)
        for piece in pieces:
            assert record.starts(piece) <= 1
            kinds = [kind for kind, task_id, _ in record.events if task_id == piece.id]
            assert kinds[-1] == SUCCEEDED

    async def test_runs_are_reported_once_and_before_the_end_or_never(self) -> None:
        before = perf_counter()
        async with self.running() as record:
            fine = [Piece(bad.add, (number, 1), tells_start=number % 2 == 0) for number in range(20)]
            wrong = [Piece(bad.add, (number, None)) for number in range(5)]
            pieces = [*fine, *wrong] if self.executes else fine
            self.backend.submit(list(pieces))
            await record.over(*pieces)
            after = perf_counter()
        for piece in pieces:
            runs = record.runs(piece)
            assert len(runs) == int(self.backend.reports_runs)
            kinds = [kind for kind, task_id, _ in record.events if task_id == piece.id]
            assert RAN not in kinds[-1:]
            for began, ended, worker in runs:
                assert before <= began <= ended <= after
                assert worker

    @applies(overlaps=True, reports_starts=True)
    async def test_the_start_of_long_work_is_reported_when_it_begins(self) -> None:
        gate = self.gate()
        async with self.running() as record:
            piece = Piece(bad.through, (gate.door,))
            self.backend.submit([piece])
            await gate.reached()
            await record.until(lambda: record.starts(piece) == 1)
            assert record.ends(piece) == []

    @applies(executes=True)
    async def test_arguments_arrive_by_position_and_by_keyword(self) -> None:
        async with self.running() as record:
            piece = Piece(bad.add, (1,), {"b": 2})
            self.backend.submit([piece])
            assert await record.over(piece) == [(SUCCEEDED, 3)]

    @applies(executes=True)
    @pytest.mark.parametrize("kind", ["plain", "SystemExit", "KeyboardInterrupt", "unknown BaseException"])
    async def test_any_exception_is_reported_as_a_failure(self, kind: str) -> None:
        async with self.running() as record:
            piece = Piece(bad.fail, (kind,))
            self.backend.submit([piece])
            [(end, error)] = await record.over(piece)
            assert end == FAILED
            assert type(error) is type((bad.ERRORS.get(kind) or bad.ENDS[kind])())

    @applies(executes=True)
    async def test_a_failure_in_a_batch_is_nobody_elses(self) -> None:
        async with self.running() as record:
            pieces = [Piece(bad.add, (1, 2)), Piece(bad.fail, ("plain",)), Piece(bad.add, (3, 4))]
            self.backend.submit(list(pieces))
            ends = await record.over(*pieces)
            assert [kind for kind, _ in ends] == [SUCCEEDED, FAILED, SUCCEEDED]

    @applies(overlaps=True)
    async def test_submit_does_not_wait_for_the_work(self) -> None:
        gate = self.gate()
        async with self.running() as record:
            pieces = [Piece(bad.through, (gate.door, number)) for number in range(3 * self.workers)]
            self.backend.submit(list(pieces))
            assert not any(record.ends(piece) for piece in pieces)
            gate.close()
            ends = await record.over(*pieces)
            assert ends == [(SUCCEEDED, number) for number in range(3 * self.workers)]

    @applies(overlaps=True)
    async def test_as_much_runs_at_once_as_there_are_workers(self) -> None:
        gate = self.gate()
        async with self.running() as record:
            pieces = [Piece(bad.through, (gate.door,)) for _ in range(self.workers)]
            self.backend.submit(list(pieces))
            await gate.reached(self.workers)
            gate.open(self.workers)
            await record.over(*pieces)

    @applies(executes=True, takes_coroutines=True)
    async def test_a_coroutine_is_run_to_its_end(self) -> None:
        async with self.running() as record:
            good = Piece(bad.add_later, (1, 2), is_coroutine=True)
            bad_one = Piece(bad.fail_later, ("plain",), is_coroutine=True)
            self.backend.submit([good, bad_one])
            (kind, value), (end, error) = await record.over(good, bad_one)
            assert (kind, value) == (SUCCEEDED, 3)
            assert end == FAILED
            assert isinstance(error, ValueError)

    @applies(executes=True, in_process=True)
    async def test_work_sees_its_own_context_variables_and_changes_nobody_elses(self) -> None:
        async with self.running() as record:
            red, blue = copy_context(), copy_context()
            red.run(bad.COLOUR.set, "red")
            blue.run(bad.COLOUR.set, "blue")
            pieces = [
                Piece(bad.paint, ("black",), context=red),
                Piece(bad.colour, context=red.copy()),
                Piece(bad.colour, context=blue),
                Piece(bad.colour),
            ]
            self.backend.submit(list(pieces))
            ends = await record.over(*pieces)
            assert [value for _, value in ends] == ["red", "red", "blue", "none"]
            assert red[bad.COLOUR] == "black"

    @applies(executes=True, in_process=True)
    async def test_nothing_is_kept_of_work_that_is_over(self) -> None:
        class Thing:
            """Something that can be referred to weakly."""

        async with self.running() as record:
            thing = Thing()
            released = release_of(thing)
            piece = Piece(bad.through, (self.gate().door, thing))
            self.open_all_gates()
            self.backend.submit([piece])
            await record.over(piece)
            record.events.clear()
            del piece, thing
            gc.collect()
            await released.wait()

    # -- chains -------------------------------------------------------------------------------------------

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
            bodies[failing] = (bad.fail, *bodies[failing][1:])
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
