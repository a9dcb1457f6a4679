"""Runs tasks on any `concurrent.futures.Executor`.

An executor that is handed in belongs to whoever made it: it is used and left running. One that is to be ours is
given as something that makes it, as ``ExecutorBackend(make=lambda: ThreadPoolExecutor(8))``: it is made at each
start and shut down at each shutdown.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from itertools import count
from threading import current_thread
from time import perf_counter
from typing import Any

from .._worker.attempt import Outcome, run_attempt
from .._worker.whose import runs_work
from ..backend import CANCELLED, FAILED, RAN, STARTED, SUCCEEDED, Concurrency, ExecutionBackend, Report, Work


class ExecutorBackend(ExecutionBackend):
    """An adapter.

    Args:
        executor: one of the caller's.
        make: makes one of our own.
        in_process: whether functions run in this process and need not be pickled; None to tell by the executor, of
            which one that is made is known when it has been started: those of a `ThreadPoolExecutor` do, and all others
            are sent, since nobody knows where they run.

    Raises:
        TypeError: not exactly one of ``executor`` and ``make`` was given.
    """

    name = "executor"
    concurrency = Concurrency.CONCURRENT
    reports_runs = True

    def __init__(
        self,
        executor: Executor | None = None,
        *,
        make: Callable[[], Executor] | None = None,
        in_process: bool | None = None,
    ) -> None:
        if (executor is None) == (make is None):
            raise TypeError("ExecutorBackend takes an executor of yours, or make=... for one of its own")
        self._theirs = executor
        self._make = make
        self._in_process = in_process
        self._executor: Executor | None = None
        self._report: Report | None = None
        self._futures: dict[int, Future[object]] = {}
        self._run = os.urandom(8).hex()
        self._numbers = count()
        self._cut_short: set[int] = set()

    @property
    def workers(self) -> int | None:  # type: ignore[override]  # here it depends on the executor
        """As the executors of the standard library have it, and those that are built like them; None if it does not
        tell."""
        told: object = getattr(self._executor or self._theirs, "_max_workers", None)
        return told if type(told) is int else None

    @property
    def needs_pickle(self) -> bool:  # type: ignore[override]  # here it depends on the executor
        """Whether functions leave this process."""
        return not self._is_in_process()

    @property
    def reports_starts(self) -> bool:  # type: ignore[override]
        """An executor of processes does not tell when work begins."""
        return self._is_in_process()

    def _is_in_process(self) -> bool:
        if self._in_process is not None:
            return self._in_process
        executor = self._executor or self._theirs
        if executor is None:
            return True
        # From Python 3.14 on a pool of interpreters is one of threads, too; whoever has one has loaded this.
        interpreters: Any = sys.modules.get("concurrent.futures.interpreter")
        is_apart = interpreters is not None and isinstance(executor, interpreters.InterpreterPoolExecutor)
        return isinstance(executor, ThreadPoolExecutor) and not is_apart

    async def start(self, report: Report) -> None:
        """Make the executor, if it is to be ours."""
        self.abandon()  # what an engine that was shut down without its backends has left
        self._report = report
        self._futures = {}  # what an earlier start left behind is none of this one's business
        self._executor = self._theirs if self._make is None else self._make()

    def submit(self, batch: Sequence[Work]) -> None:
        """Hand the work on, a piece at a time: executors know no batches."""
        report = self._report  # of this start: what is left behind must not speak to the next one
        assert report is not None
        for work in batch:
            try:
                future = self._futures[work.id] = self._handed_on(report, work)
                future.add_done_callback(partial(self._done, report, work.id))
            except Exception as error:
                report([(FAILED, work.id, error)])
            except BaseException:  # Ctrl-C: perhaps it runs, and nobody will hear of its end
                self._cut_short.add(work.id)
                raise

    def _handed_on(self, report: Report, work: Work) -> Future[object]:
        assert self._executor is not None
        if self._is_in_process():
            offer = [work]
            try:
                return self._executor.submit(self._begin, report, offer)
            except BaseException:
                offer.clear()  # a pool that cannot start another thread has queued it first
                raise
        from .._worker.parcel import pack_call, run_packed  # much, of which threads need nothing

        try:
            call = pack_call(work.identity, work.fn, work.is_coroutine, work.args, work.kwargs)
        except BaseException as error:
            from .process.packing import why_unsendable

            raise TypeError(why_unsendable(work, error)) from error
        # No two calls are alike: an executor that keeps what it has computed, as Dask's, would run equal ones once.
        return self._executor.submit(run_packed, call, f"{self._run}-{next(self._numbers)}")

    @runs_work
    def _begin(self, report: Report, offer: list[Work]) -> tuple[Outcome, float, str]:
        work = offer.pop()  # or it was told to have failed
        began, worker = perf_counter(), current_thread().name
        report([(STARTED, work.id, (began, worker))])
        outcome = run_attempt(work.fn, work.is_coroutine, work.args, work.kwargs, work.context)
        del work  # or the frames of an error would hold its task's future, which holds the error
        return outcome, perf_counter() - began, worker

    def _done(self, report: Report, task_id: int, future: Future[object]) -> None:
        if self._futures.get(task_id) is not future:
            return  # it was told, or is of an earlier start
        try:
            del self._futures[task_id]
            self._tell(report, task_id, future)
        except BaseException:  # Ctrl-C, if this runs on the loop's thread: it is told once more, by `recover`
            self._futures[task_id] = future
            raise

    def _tell(self, report: Report, task_id: int, future: Future[Any]) -> None:
        if future.cancelled():
            report([(CANCELLED, task_id, None)])
        elif (error := future.exception()) is not None:  # the executor's own, as BrokenProcessPool
            report([(FAILED, task_id, error)])
        else:
            outcome, seconds, worker = future.result()
            # Another machine's clock may be another one: what it took is all that counts.
            now = perf_counter()
            succeeded, payload = outcome if isinstance(outcome, tuple) else _unpacked(outcome)
            ran = (RAN, task_id, (now - seconds, now, worker))
            report([ran, (SUCCEEDED if succeeded else FAILED, task_id, payload)])

    async def cancel(self, task_id: int) -> bool:
        """Take work back that has not begun."""
        future = self._futures.get(task_id)
        return future is not None and _is_taken_back(future)

    def recover(self, submitted: Sequence[int], lost: Sequence[int]) -> Sequence[int]:
        """Tell once more what was perhaps not told."""
        assert self._report is not None
        gone = [task_id for task_id in {*lost, *self._cut_short} if task_id not in self._futures]
        self._cut_short.clear()
        for task_id, future in list(self._futures.items()):
            future.add_done_callback(partial(self._done, self._report, task_id))
        return gone

    async def shutdown(self, *, grace: float) -> list[int]:
        """Wait for what runs; shut the executor down if it is ours."""
        for future in list(self._futures.values()):
            _is_taken_back(future)
        if self._futures:
            await self._wait(grace)
        left = list(self._futures)
        if self._executor is not None and self._make is not None:
            self._executor.shutdown(wait=not left, cancel_futures=True)
        self._executor = None
        return left

    async def _wait(self, grace: float) -> None:
        # Not asyncio.wrap_future: what is left behind would complain when it ends, if the loop is closed by then.
        loop, over = asyncio.get_running_loop(), asyncio.Event()

        def one_less(_: Future[object]) -> None:
            if not self._futures:
                with suppress(RuntimeError):
                    loop.call_soon_threadsafe(over.set)

        for future in list(self._futures.values()):
            future.add_done_callback(one_less)
        with suppress(TimeoutError):
            async with asyncio.timeout(grace):
                await over.wait()

    def abandon(self) -> None:
        """Tell an executor of ours to end by itself."""
        executor, self._executor = self._executor, None
        if executor is not None and self._make is not None:
            executor.shutdown(wait=False, cancel_futures=True)


def _is_taken_back(future: Future[object]) -> bool:
    try:
        return future.cancel()
    except NotImplementedError:  # Parsl's say so by that
        return False


def _unpacked(outcome: Any) -> Outcome:
    from .._worker.parcel import unpack_outcome

    return unpack_outcome(outcome)
