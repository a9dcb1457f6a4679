"""The contract of `asyncflow.backend`, promise by promise, without an engine: what is submitted and reported."""

from __future__ import annotations

import gc
from contextvars import copy_context
from time import perf_counter

import pytest

from ...backend import FAILED, RAN, SUCCEEDED, Concurrency
from .. import bad_tasks as bad
from .. import failing_tasks
from .. import untidy_tasks as untidy
from ._base import applies, asynchronous, release_of
from ._raw import Piece, Raw


@asynchronous
class Contract(Raw):
    """Submit and report."""

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
            "carries_files",
        ):
            assert isinstance(getattr(self.backend, capability), bool), capability
        assert self.backend.takes_coroutines or not self.backend.runs_coroutines
        assert self.backend.workers is None or self.backend.workers >= 1

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
            piece = Piece(failing_tasks.fail, (kind,))
            self.backend.submit([piece])
            [(end, error)] = await record.over(piece)
            assert end == FAILED
            assert type(error) is type((failing_tasks.ERRORS.get(kind) or failing_tasks.ENDS[kind])())

    @applies(executes=True)
    async def test_a_failure_in_a_batch_is_nobody_elses(self) -> None:
        async with self.running() as record:
            pieces = [Piece(bad.add, (1, 2)), Piece(failing_tasks.fail, ("plain",)), Piece(bad.add, (3, 4))]
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
            bad_one = Piece(failing_tasks.fail_later, ("plain",), is_coroutine=True)
            self.backend.submit([good, bad_one])
            (kind, value), (end, error) = await record.over(good, bad_one)
            assert (kind, value) == (SUCCEEDED, 3)
            assert end == FAILED
            assert isinstance(error, ValueError)

    @applies(executes=True, in_process=True)
    async def test_work_sees_its_own_context_variables_and_changes_nobody_elses(self) -> None:
        async with self.running() as record:
            red, blue = copy_context(), copy_context()
            red.run(untidy.COLOUR.set, "red")
            blue.run(untidy.COLOUR.set, "blue")
            pieces = [
                Piece(untidy.paint, ("black",), context=red),
                Piece(untidy.colour, context=red.copy()),
                Piece(untidy.colour, context=blue),
                Piece(untidy.colour),
            ]
            self.backend.submit(list(pieces))
            ends = await record.over(*pieces)
            assert [value for _, value in ends] == ["red", "red", "blue", "none"]
            assert red[untidy.COLOUR] == "black"

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
