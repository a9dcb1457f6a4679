"""Runs tasks on threads of its own. Owns the threads and their queue; decides nothing about tasks."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import count
from queue import SimpleQueue
from time import perf_counter
from typing import Final

from .._core.given import whole_or_none
from .._worker.attempt import Outcome, run_attempt
from .._worker.chain import with_previous
from .._worker.forks import held_here, leave_with
from .._worker.results import UNFIT
from .._worker.store import Store, have_here
from .._worker.whose import runs_work
from ..backend import (
    CANCELLED,
    FAILED,
    RAN,
    RETURNED,
    STARTED,
    SUCCEEDED,
    Concurrency,
    Event,
    ExecutionBackend,
    Report,
    Work,
)

_log = logging.getLogger("asyncflow")
_worker_log = logging.getLogger("asyncflow.worker")
_NO_VALUE: Final[Outcome] = (False, None)


def usable_cpus() -> int:
    """How many CPUs this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class ThreadBackend(ExecutionBackend):
    """Worker threads in this process.

    Args:
        workers: how many; None for as many as there are usable CPUs.
    """

    name = "thread"
    concurrency = Concurrency.CONCURRENT
    takes_chains = True
    reports_runs = True

    def __init__(self, workers: int | None = None) -> None:
        self.workers: int = whole_or_none("workers", workers) or usable_cpus()
        self._threads: _WorkerThreads | None = None

    async def start(self, report: Report) -> None:
        """Threads are started with the first work that needs them."""
        self.abandon()  # of an engine that was shut down without its backends
        self._threads = _WorkerThreads(self.workers, report)

    def submit(self, batch: Sequence[Work]) -> None:
        """Queue the work."""
        assert self._threads is not None
        self._threads.submit(batch)

    async def cancel(self, task_id: int) -> bool:
        """Take work back that has not begun; a thread that runs cannot be stopped."""
        return self._threads is not None and self._threads.take_back(task_id)

    def look_now(self) -> None:
        """Report which tasks run, to somebody who asks."""
        if self._threads is not None:
            self._threads.look_now()

    def recover(self, submitted: Sequence[int], lost: Sequence[int]) -> Sequence[int]:
        """Take back what no thread has begun of what was being submitted."""
        return self._threads.recover(lost) if self._threads is not None else submitted

    async def shutdown(self, *, grace: float) -> list[int]:
        """Let the threads end."""
        if self._threads is None:
            return []
        left = await self._threads.leave(grace)
        self._threads = None  # not before: Ctrl-C may come meanwhile, and then there is another shutdown
        return left

    def abandon(self) -> None:
        """Let the threads end by themselves."""
        if self._threads is not None:
            self._threads.dismiss()
            self._threads = None


class _WorkerThreads:
    """The threads of one start. They know this and not the backend, so that one can be collected without them."""

    def __init__(self, size: int, report: Report) -> None:
        self._size = size
        self._report = report
        self._queue: SimpleQueue[Work | None] = SimpleQueue()
        # Work that no thread has begun. Whoever pops an id has it: a thread, to run it, or cancel, to drop it.
        self._waiting: dict[int, Work] = {}
        self._running: dict[str, tuple[int, float]] = {}
        self._told: dict[str, int] = {}  # whose start each thread's last was that was told
        self._threads: list[threading.Thread] = []
        self._stores: dict[str, Store] = {}  # what each keeps
        self._names = count(1)
        self._taken_back: set[int] = set()
        self._gone: Callable[[], None] | None = None
        self._has_fewer = False
        held_here(self)

    def let_go(self) -> None:
        """In a forked child there is at most the thread that forked, and its task to be finished."""
        self._waiting.clear()
        self._report = partial(leave_with, SUCCEEDED, FAILED)

    def submit(self, batch: Sequence[Work]) -> None:
        put, waiting = self._queue.put, self._waiting
        for work in batch:
            waiting[work.id] = work
            link = work.link
            while link is not None:
                waiting[link.id] = link
                link = link.link
            put(work)
        if len(self._threads) < self._size:
            try:
                self._hire(min(self._size, len(waiting) + len(self._running)))
            except RuntimeError:
                self._waiting.clear()  # what is told to have failed is not to be run by a thread that comes later
                raise

    def _tell_of_fewer(self, error: RuntimeError) -> None:
        if not self._has_fewer:
            self._has_fewer = True
            _log.warning(
                "only %d of %d threads could be started, which run all there is: %s",
                len(self._threads),
                self._size,
                error,
            )

    def _hire(self, wanted: int) -> None:
        while len(self._threads) < wanted:
            name = f"asyncflow-{next(self._names)}"
            # a daemon: a task that never ends must not keep the interpreter from ending
            thread = threading.Thread(target=self._work, args=(name,), name=name, daemon=True)
            self._stores[name] = Store()
            self._threads.append(thread)  # first: Ctrl-C may come when it has begun, and before this knows
            try:
                thread.start()
            except RuntimeError as error:  # no room for one more: `ulimit -u`, a container's pids.max
                self._threads.pop()
                if not self._threads:
                    raise
                self._tell_of_fewer(error)
                return
            _worker_log.debug("thread %s was started", name)

    def _work(self, me: str) -> None:
        get, begin, running = self._queue.get, self._waiting.pop, self._running
        have_here(store := self._stores[me])
        while (work := get()) is not None:
            running[me] = work.id, 0.0  # before it is taken, so that it is never in neither place: see leave
            if begin(work.id, None) is None:
                del running[me]
                self._report(self._given_back(work.link))  # cancelled
            elif work.link is None:
                self._run(me, work, work.args, work.kwargs, None)
            else:
                self._run_chain(me, work)
            del work  # so that nothing is held while the thread waits
        self._queue.put(None)  # for the next one: there may be more of them than are known
        store.leave()
        if self._gone is not None:
            self._gone()

    @runs_work
    def _run(
        self, me: str, work: Work, args: tuple[object, ...], kwargs: Mapping[str, object], link: Work | None
    ) -> Outcome:
        began = perf_counter()
        self._running[me] = work.id, began
        if work.tells_start:
            self._told[me] = work.id
            self._report(((STARTED, work.id, (began, me)),))
        outcome = run_attempt(work.fn, work.is_coroutine, args, kwargs, work.context)
        ran = (RAN, work.id, (began, perf_counter(), me))
        if link is None or not outcome[0]:
            del self._running[me]
        else:
            self._running[me] = link.id, 0.0
        if outcome[0]:
            self._report((ran, (SUCCEEDED, work.id, outcome[1])))
        else:  # what follows is given back first: it was never going to run
            self._report((*self._given_back(link), ran, (FAILED, work.id, outcome[1])))
            # Or the frames of the error would hold it, and its future, which holds it too.
            del work, args, kwargs, link, outcome
            return _NO_VALUE
        return outcome

    def _run_chain(self, me: str, head: Work) -> None:
        work, args, kwargs = head, head.args, head.kwargs
        while True:
            link = work.link  # now: when the work has been reported over, the engine forgets it
            succeeded, value = self._run(me, work, args, kwargs, link)
            if link is None or not succeeded:
                return
            # No value to go on; cancelled.
            if type(value) in UNFIT or self._waiting.pop(link.id, None) is None:
                del self._running[me]
                self._report(self._given_back(link))
                return
            work = link
            args, kwargs = with_previous(work.args, work.kwargs, value)

    def _given_back(self, link: Work | None) -> list[Event]:
        """What follows work that gave no value is not begun."""
        events: list[Event] = []
        while link is not None:
            if self._waiting.pop(link.id, None) is not None:
                events.append((RETURNED, link.id, None))
            link = link.link
        return events

    def look_now(self) -> None:
        begun: list[Event] = []
        for me, (task_id, at) in list(self._running.items()):
            if at and self._told.get(me) != task_id:
                self._told[me] = task_id
                begun.append((STARTED, task_id, (at, me)))
        if begun:
            self._report(begun)

    def take_back(self, task_id: int) -> bool:
        if task_id in self._waiting:
            self._taken_back.add(task_id)
        if self._waiting.pop(task_id, None) is None and not self._was_taken_back(task_id):
            return False
        self._report(((CANCELLED, task_id, None),))
        self._taken_back.discard(task_id)
        return True

    def _was_taken_back(self, task_id: int) -> bool:
        """Whether Ctrl-C came when it was, before that was told."""
        if task_id not in self._taken_back:
            return False
        self._taken_back.discard(task_id)
        return all(task_id != running for running, _ in list(self._running.values()))

    def recover(self, lost: Sequence[int]) -> list[int]:
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        if self._waiting:
            self._hire(min(self._size, len(self._waiting) + len(self._running)))
        begun = {task_id for task_id, _ in list(self._running.values())}
        return [
            task_id
            for task_id in lost
            if self._waiting.pop(task_id, None) is not None or task_id not in begun
        ]

    def dismiss(self) -> None:
        for task_id in list(self._waiting):
            self.take_back(task_id)
        self._queue.put(None)

    async def leave(self, grace: float) -> list[int]:
        loop, one_less = asyncio.get_running_loop(), asyncio.Event()

        def gone() -> None:
            with suppress(RuntimeError):  # the loop was closed before a thread that was left behind ended
                loop.call_soon_threadsafe(one_less.set)

        self._gone = gone
        self.dismiss()
        try:
            async with asyncio.timeout(grace):
                while any(map(self._has_to_end, self._threads)):
                    one_less.clear()
                    await one_less.wait()
        except TimeoutError:
            for name in self._stores.keys() - self._running.keys():
                if self._stores[name].has_open:
                    _log.warning(
                        "thread %s still tears down what it keeps; left behind after %g s", name, grace
                    )
            return [task_id for task_id, _ in self._running.values()]
        for thread in self._threads:
            thread.join()  # it has nothing left to do but to return
        if self._threads:
            _worker_log.debug("%d threads have ended", len(self._threads))
        return []

    def _has_to_end(self, thread: threading.Thread) -> bool:
        """Whether a thread has something to do that may take a while: a task, or to tear down what it keeps."""
        return thread.name in self._running or self._stores[thread.name].has_open
