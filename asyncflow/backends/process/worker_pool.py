"""The worker processes of one start: which of them gets which work, and how it is stopped."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from time import perf_counter
from typing import Final

from ..._core.pace import AHEAD, share
from ..._turns import Due, sure
from ..._worker import wire
from ...backend import RETURNED, STARTED, Report, Work
from .generators import Generators
from .handed_out import HandedOut
from .output import Write, write_here
from .packing import Book
from .porter import Porter
from .processes import Processes
from .program import Program
from .results import Results
from .waiting import Packs, Waiting
from .worker_process import WorkerProcess

_PATIENCE: Final = 0.005  # seconds that a call may wait in one worker's frame while another worker is idle


@dataclass(frozen=True, slots=True)
class Bounds:
    """What worker processes may take.

    Args:
        recycle_after: tasks after which a process is replaced; 0 for never.
        most_memory: bytes that a process may hold between two tasks; 0 for any.
        stop_grace: seconds that a task which is told to stop is given before its process is killed.
    """

    recycle_after: int
    most_memory: int
    stop_grace: float


@dataclass(frozen=True, slots=True)
class Exchange:
    """What goes to worker processes, and what becomes of that which comes from them.

    Args:
        book: packs calls.
        results: makes what takes their records.
        write: takes what they print.
    """

    book: Packs
    results: Callable[[Report, HandedOut, Porter], Results]
    write: Write


def exchange_here() -> Exchange:
    """Calls are packed here, results unpacked, and what is printed goes to the streams of this process."""
    return Exchange(Book(), Results, write_here)


class WorkerPool:
    """Worker processes.

    Args:
        size: the most of them.
        report: takes what becomes of the work.
        program: that they work for.
        bounds: of each.
        exchange: with them.
    """

    def __init__(
        self, size: int, report: Report, program: Program, bounds: Bounds, exchange: Exchange
    ) -> None:
        def new() -> WorkerProcess:
            return WorkerProcess(program, bounds.most_memory, exchange.write)

        self._turns = sure(asyncio.get_running_loop())
        self._size = size
        self._generators: Generators[WorkerProcess] = Generators(report)
        report = self._report = self._generators.reported
        self._stop_grace = bounds.stop_grace
        self._pid = os.getpid()
        self._porter = Porter()
        self._waiting = Waiting(report, exchange.book, self._porter, size, self._feed, self._generators)
        self._calls = HandedOut(report, self._waiting, self._generators)
        self._processes = Processes(
            *(new, report, self._waiting, self._calls, exchange.results(report, self._calls, self._porter)),
            *(bounds.recycle_after, self._feed),
        )
        self._recall: Due | None = None
        self._owed = 0  # chains that are to be given back as soon as they are here
        self._is_held = False

    # -- work comes in ------------------------------------------------------------------------------------

    def submit(self, batch: Sequence[Work]) -> None:
        """Take work, with what is linked to it."""
        self._owed = 0
        if self._waiting.is_outdated():
            self.renew()
        self._waiting.add(batch)
        self._feed()

    def renew(self) -> None:
        """Have all processes end when they have run what they have begun; others take their places."""
        for worker in self._processes.all:
            if not worker.retires:
                self._calls.retire(worker)

    def _feed(self) -> None:
        """Give out what can be given out."""
        if self._is_held:
            return
        try:
            if self._owed:
                self._give_back()
            self._waiting.call_heavy()
            if self._generators:
                self._feed_generators()
            most = share(len(self._waiting.heads), len(self._processes.all))
            while self._waiting.heads:
                worker = self._next_worker()
                if worker is None or not self._give(worker, most):
                    break
            if not self._waiting.heads:
                self._spread()
        except BaseException:
            self._calls.interrupted()
            raise

    def _feed_generators(self) -> None:
        """Give out the slices of generators, each to where its generator is."""
        for worker, slices in list(self._generators.slices.items()):
            while slices and worker.load < AHEAD:
                if not self._give(worker, len(slices), slices):
                    break

    def _next_worker(self) -> WorkerProcess | None:
        up = [worker for worker in self._processes.all if not worker.retires]
        if self._generators:
            up.sort(key=self._generators.are_at)  # these can do what others cannot
        idle = next((worker for worker in up if worker.is_up and not worker.given), None)
        if idle is not None:
            return idle
        starting = sum(not worker.is_up for worker in up)
        is_wanted = len(up) < self._size and starting < len(self._waiting.heads)
        if is_wanted and not self._processes.closing:
            self._processes.start()
            self._turns.call_soon(self._feed)  # the next of them: in one turn, many would hold up the loop
        ready = [worker for worker in up if worker.is_up and worker.load < AHEAD]
        return min(ready, key=lambda worker: worker.load, default=None)

    def _give(self, worker: WorkerProcess, most: int, slices: deque[int] | None = None) -> bool:
        """Send a frame of so many calls at most, or of so many slices. False if nothing could be sent."""
        frame, heads = self._waiting.frame(most, worker.known, slices=slices)
        if not frame:
            return bool(self._waiting.heads if slices is None else slices)
        try:
            is_sent = worker.send(frame)
            if is_sent:
                self._waiting.sent(frame)
        except OSError as error:
            self._waiting.cannot_be_sent(frame, error)
            return True
        except BaseException:  # Ctrl-C: perhaps it has them, perhaps not
            worker.is_in_doubt = True
            worker.given.update((each.work.id, each) for each in frame)
            self._waiting.sent(frame)
            raise
        if not is_sent:
            self._waiting.not_sent(frame, heads, slices)
        return is_sent

    # -- balance ------------------------------------------------------------------------------------------

    def _spread(self) -> None:
        """Nothing waits here. If a process is idle, another may have more than it can begin at once."""
        if self._recall is not None or not self._processes.idle():
            return
        if any(len(worker.given) > 1 for worker in self._processes.all):
            # Mostly the frame is over in less time than it takes to ask for it.
            self._recall = self._turns.call_later(_PATIENCE, self._take_back)

    def _take_back(self) -> None:
        self._recall = None
        if self._waiting.heads or not self._processes.idle():
            return
        for worker in self._processes.all:
            if len(worker.given) > 1:
                self._calls.take_unread(worker)
                worker.order(wire.TAKE_BACK)
        self._feed()

    async def close_generator(self, number: int) -> None:
        """Close a generator where it is.

        Args:
            number: of it.
        """
        await self._generators.close(number, self.submit)

    def withdraw(self, most: int) -> None:
        """Give back, as RETURNED, what has not begun: a head before its links. What processes have follows.

        Args:
            most: heads, at most; those that came last go first.
        """
        self._owed = most
        self._give_back()
        for worker in self._processes.all:
            if self._owed and len(worker.given) > 1:
                self._calls.take_unread(worker)
                worker.order(wire.TAKE_BACK)
        self._feed()

    def _give_back(self) -> None:
        heads, task_ids = self._waiting.last(self._owed)
        self._owed -= heads
        if task_ids:
            self._report([(RETURNED, task_id, None) for task_id in task_ids])

    def hold(self, is_held: bool) -> None:
        """Give no calls to processes, and take nothing of what they print, until it is called with False."""
        if is_held != self._is_held:
            self._is_held = is_held
            self._processes.hold_output(is_held)
            self._feed()

    # -- what is asked of it ------------------------------------------------------------------------------

    def cancel(self, task_id: int) -> bool:
        """Take back what has not begun; ask what runs to stop, and after the grace time kill its process."""
        if self._waiting.cancel(task_id):
            return True
        worker, stopping = self._processes.that_has(task_id), self._calls.stopping
        if worker is None or stopping.get(task_id) is not None:
            return worker is not None
        stopping[task_id] = None
        self._calls.take_unread(worker)
        if task_id in stopping:  # else it was among them
            worker.order(wire.STOP, wire.call_id(task_id, worker.given[task_id].flags))
            stopping[task_id] = self._turns.call_later(self._stop_grace, self._kill, task_id)
        self._feed()
        return True

    def _kill(self, task_id: int) -> None:
        worker = self._processes.that_has(task_id)
        if worker is not None and worker.running == task_id:
            worker.kill()

    def look_now(self) -> bool:
        """Report which tasks run, to somebody who asks.

        Returns:
            Whether another look may find more, though nothing is told meanwhile.
        """
        told, more = self._calls.told, False
        for worker in self._processes.all:
            running = worker.running
            if running in worker.given and running not in told:
                told.add(running)
                self._report([(STARTED, running, (worker.began or perf_counter(), worker.name))])
            elif worker.given and not running:
                more = True  # it is about to begin
        return more

    def recover(self, submitted: Sequence[int]) -> list[int]:
        """Replace the processes whose state is in doubt, and queue the work that was lost on its way.

        Returns:
            The numbers of the submitted work that is no longer here, also of what those processes had begun.
        """
        processes, calls = self._processes, self._calls
        for worker in [worker for worker in processes.all if worker.is_in_doubt]:
            processes.forgo(worker)
        if self._recall is not None:  # perhaps it was just being carried out
            self._recall.cancel()
            self._recall = None
        there = {task_id for worker in processes.all for task_id in worker.given} | calls.loading
        for task_id in [*calls.told, *calls.stopping]:
            if task_id not in there:
                calls.over(task_id)
        gone = [task_id for task_id in submitted if task_id not in there and task_id not in self._waiting]
        self._waiting.recover()
        processes.gone.set()
        self._feed()
        return gone

    # -- shutdown -----------------------------------------------------------------------------------------

    async def leave(self, grace: float) -> list[int]:
        """Let all processes end, and kill those that do not."""
        processes = self._processes
        processes.closing = True
        self._waiting.cancel_all()
        for task_id in [task_id for worker in processes.all for task_id in worker.given]:
            self.cancel(task_id)
        self._generators.forget()  # each is closed by its process at its end
        for worker in processes.all:
            if worker.retires:
                self._calls.dismiss(worker)
        self.renew()
        with suppress(TimeoutError):
            async with asyncio.timeout(grace):
                await self._all_gone()
        for worker in processes.all:
            worker.kill()
        await self._all_gone()
        self.close()
        return []

    async def _all_gone(self) -> None:
        while self._processes.all:
            self._processes.gone.clear()
            await self._processes.gone.wait()

    def close(self) -> None:
        """Give back what is left."""
        if self._recall is not None:
            self._recall.cancel()
        for timer in self._calls.stopping.values():
            if timer is not None:
                timer.cancel()
        self._porter.dismiss()
        self._waiting.close()

    def abandon(self) -> None:
        """End all processes without a loop to wait on."""
        if os.getpid() == self._pid:  # else in a child that the program has forked: they are not its own
            self._processes.abandon()
            self.close()
