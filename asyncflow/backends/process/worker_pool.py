"""The worker processes of one start: who gets which work, and what happens when one of them dies."""

from __future__ import annotations

import asyncio
import logging
import os
import pickle
import platform
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from time import perf_counter
from typing import Any, Final

from ..._causes import add_note
from ..._core.pace import AHEAD, share
from ..._turns import Due, sure
from ..._worker import wire
from ..._worker.parcel import unpack_outcome
from ...backend import (
    CANCELLED,
    FAILED,
    INTERRUPTED,
    LOADING,
    RAN,
    RETURNED,
    STARTED,
    SUCCEEDED,
    Event,
    Report,
    Work,
)
from ...errors import WorkerDied
from .packing import HEAVY, Packed
from .porter import Porter
from .waiting import Waiting
from .worker_process import Message, WorkerProcess

_log = logging.getLogger("asyncflow.worker")
_PATIENCE: Final = 0.005  # seconds that a call may wait in one worker's frame while another worker is idle
_FALSE_STARTS: Final = 3  # processes in a row that end before they are up, until that is an error
_KILLED: Final = 0.1


class WorkerPool:
    """Worker processes.

    Args:
        size: the most of them.
        report: the engine's.
        variables: of the processes' environment, where that of this process has no value for them.
        python: the interpreter that they run.
        recycle_after: tasks after which a process is replaced; 0 for never.
        most_memory: bytes that a process may hold between two tasks; 0 for any.
        stop_grace: seconds that a task which is told to stop is given before its process is killed.
        start_with: what each process does before its first call, as for `wire.START`.
    """

    def __init__(
        self,
        size: int,
        report: Report,
        variables: dict[str, str],
        python: str,
        recycle_after: int,
        most_memory: int,
        stop_grace: float,
        start_with: bytes,
    ) -> None:
        self._start_with = start_with
        self._loop = asyncio.get_running_loop()
        self._turns = sure(self._loop)
        self._size = size
        self._report = report
        self._variables = variables
        self._python = python
        self._recycle_after = recycle_after
        self._most_memory = most_memory
        self._stop_grace = stop_grace
        self._pid = os.getpid()
        self._porter = Porter()
        self._waiting = Waiting(report, self._porter, size, self._feed)
        self._workers: list[WorkerProcess] = []
        self._stopping: dict[int, Due | None] = {}
        self._loading: set[int] = set()  # tasks whose results are being taken in
        self._told: set[int] = set()  # tasks whose start was reported
        self._false_starts = 0.0
        self._closing = False
        self._recall: Due | None = None
        self._gone = asyncio.Event()

    # -- work comes in ------------------------------------------------------------------------------------

    def submit(self, batch: Sequence[Work]) -> None:
        """Take work, with what is linked to it."""
        if self._waiting.is_outdated():
            for worker in self._workers:
                if not worker.retires:
                    self._retire(worker)
        self._waiting.add(batch)
        self._feed()

    def _feed(self) -> None:
        """Give out what can be given out."""
        try:
            self._waiting.call_heavy()
            most = share(len(self._waiting.heads), len(self._workers))
            while self._waiting.heads:
                worker = self._next_worker()
                if worker is None or not self._give(worker, most):
                    break
            if not self._waiting.heads:
                self._spread()
        except BaseException:
            self._interrupted()
            raise

    def _next_worker(self) -> WorkerProcess | None:
        up = [worker for worker in self._workers if not worker.retires]
        idle = next((worker for worker in up if worker.is_up and not worker.given), None)
        if idle is not None:
            return idle
        starting = sum(not worker.is_up for worker in up)
        if len(up) < self._size and starting < len(self._waiting.heads) and not self._closing:
            self._hire()
            self._turns.call_soon(self._feed)  # the next of them: in one turn, many would hold up the loop
        ready = [worker for worker in up if worker.is_up and worker.load < AHEAD]
        return min(ready, key=lambda worker: worker.load, default=None)

    def _give(self, worker: WorkerProcess, most: int) -> bool:
        """Send a frame of so many calls at most. False if nothing could be sent."""
        frame, heads = self._waiting.frame(most, worker.known)
        if not frame:
            return bool(self._waiting.heads)
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
            self._waiting.not_sent(frame, heads)
        return is_sent

    # -- processes ----------------------------------------------------------------------------------------

    def _hire(self) -> None:
        try:
            environment = self._variables | dict(os.environ)
            worker = WorkerProcess(self._python, environment, self._most_memory, self._start_with)
        except OSError as error:
            problem = error
            problem.add_note("No worker process could be started.")
            if (
                not self._workers
            ):  # else these go on, and it is tried again when one of them has ended something
                self._fail_waiting(lambda _: problem)
            return
        try:
            self._workers.append(worker)
            self._loop.add_reader(worker.records, self._read, worker)
            self._loop.add_reader(worker.pidfd, self._ended, worker)
            for relay in (worker.out, worker.err):
                self._loop.add_reader(relay.fd, self._relay, relay)
            _log.debug("%s was started", worker.name)
        except BaseException:  # Ctrl-C: nobody would hear it
            worker.is_in_doubt = True
            if worker not in self._workers:
                self._workers.append(worker)
            raise

    def _relay(self, relay: Any) -> None:
        if not relay.read():
            self._loop.remove_reader(relay.fd)

    def _read(self, worker: WorkerProcess) -> None:
        try:
            records = worker.read()
            if not records:
                return
            worker.out.read()  # what a task has printed comes before its result
            worker.err.read()
            self._take_records(worker, records)
        except BaseException:
            self._interrupted(worker)
            raise
        if self._recycle_after and worker.done >= self._recycle_after and not worker.retires:
            self._retire(worker)
        self._feed()

    def _take_records(self, worker: WorkerProcess, records: Iterable[Message]) -> None:
        events: list[Event] = []
        if worker.hired:
            events += _waited_for(worker, records)
        for kind, task_id, began, ended, payload in records:
            if kind == wire.VALUE:  # nearly all; written out flat
                self._strike(worker, task_id, ended - began)
                events.append((RAN, task_id, (began, ended, worker.name)))
                events.append((SUCCEEDED, task_id, payload))
            elif kind == wire.BEGUN:
                if task_id not in self._told:
                    self._told.add(task_id)
                    events.append((STARTED, task_id, (began, worker.name)))
            elif kind == wire.LOADED:
                if task_id != worker.first:
                    events.append((LOADING, task_id, began))
            elif kind == wire.NOT_BEGUN:
                self._begin_again(worker, payload)
            elif kind == wire.RETIRES:
                self._retire(worker)
            elif kind == wire.UP:
                worker.rise(*payload)
                self._false_starts = 0
            else:
                ran = (RAN, task_id, (began, ended, worker.name))
                event = self._result(worker, kind, task_id, ran, payload)
                if event is not None:
                    if began:
                        events.append(ran)
                    events.append(event)
        if events:
            self._report(events)

    def _strike(self, worker: WorkerProcess, task_id: int, seconds: float) -> Packed:
        packed = worker.take(task_id)
        assert packed is not None
        if self._told or self._stopping:
            self._forget(task_id)
        worker.done += 1
        packed.function.pace.saw(seconds)
        return packed

    def _result(
        self, worker: WorkerProcess, kind: int, task_id: int, ran: Event, payload: Any
    ) -> Event | None:
        packed = self._strike(worker, task_id, ran[2][1] - ran[2][0])
        if kind == wire.STOPPED:
            return CANCELLED, task_id, None
        if kind == wire.ERROR and type(payload) is bytes:
            return FAILED, task_id, unpack_outcome(payload)[1]
        if kind == wire.UNSENDABLE:
            return FAILED, task_id, TypeError(f"{packed.work.name!r} (#{task_id}) returned {payload}")
        if kind == wire.PACKED:
            return _unpacked(packed.work, partial(pickle.loads, payload))
        try:
            file = worker.result_file()
        except OSError as error:
            return FAILED, task_id, error
        load: Callable[[], Event]
        if kind == wire.ERROR:
            load, size = partial(_failed, task_id, file, payload), payload
        else:
            load = partial(_unpacked, packed.work, partial(wire.unpack_memory, file, payload))
            size = sum(size for way, size in payload if way)  # what is mapped is not copied
        if size <= HEAVY:
            return load()
        self._loading.add(task_id)
        self._porter.carry(partial(self._load, task_id, ran, load))
        return None

    def _load(self, task_id: int, ran: Event, load: Callable[[], Event]) -> None:
        """On the porter's thread."""
        self._report([ran, load()])
        self._loading.discard(task_id)

    def _forget(self, task_id: int) -> None:
        self._told.discard(task_id)
        if self._stopping:
            timer = self._stopping.pop(task_id, None)
            if timer is not None:
                timer.cancel()

    def _begin_again(self, worker: WorkerProcess, task_ids: Iterable[int]) -> None:
        """Calls that a process had and did not begin wait again, before all others."""
        again: list[Work] = []
        heads: list[int] = []
        events: list[Event] = []
        came: set[int] = set()
        for task_id in task_ids:
            packed = worker.take(task_id)
            if packed is None:
                continue
            stopping = task_id in self._stopping
            self._forget(task_id)
            if stopping:
                events.append((CANCELLED, task_id, None))
            elif packed.flags & wire.LINKED and came.isdisjoint((task_id,)):
                events.append((RETURNED, task_id, None))  # what it needs was in that process
            else:
                again.append(packed.work)
                if not packed.flags & wire.LINKED:
                    heads.append(task_id)
                if packed.work.link is not None:
                    came.add(packed.work.link.id)
        self._waiting.add_again(again, heads)
        if events:
            self._report(events)

    def _take_unread(self, worker: WorkerProcess) -> None:
        try:
            self._begin_again(worker, worker.take_unread())
        except BaseException:
            self._interrupted(worker)
            raise

    # -- balance ------------------------------------------------------------------------------------------

    def _spread(self) -> None:
        """Nothing waits here. If a process is idle, another may have more than it can begin at once."""
        idle = [
            worker for worker in self._workers if worker.is_up and not worker.given and not worker.retires
        ]
        if not idle or self._recall is not None:
            return
        if any(len(worker.given) > 1 for worker in self._workers):
            # Mostly the frame is over in less time than it takes to ask for it.
            self._recall = self._turns.call_later(_PATIENCE, self._take_back)

    def _take_back(self) -> None:
        self._recall = None
        if self._waiting.heads or not any(
            not worker.given for worker in self._workers if worker.is_up and not worker.retires
        ):
            return
        for worker in self._workers:
            if len(worker.given) > 1:
                self._take_unread(worker)
                worker.order(wire.TAKE_BACK)
        self._feed()

    # -- the end of a process -----------------------------------------------------------------------------

    def _retire(self, worker: WorkerProcess) -> None:
        worker.retires = True
        self._take_unread(worker)
        worker.dismiss()

    def _ended(self, worker: WorkerProcess) -> None:
        """A process has ended: as it was told to, or by what it ran, or by somebody's hand."""
        try:
            self._take_end(worker)
        except BaseException:
            self._interrupted(worker)
            raise
        self._gone.set()
        self._feed()

    def _take_end(self, worker: WorkerProcess) -> None:
        for fd in (worker.records, worker.pidfd, worker.out.fd, worker.err.fd):
            self._loop.remove_reader(fd)
        while (records := worker.read()) or worker.came:
            self._take_records(worker, records)
        worker.out.finish()
        worker.err.finish()
        how, peak = worker.reap()
        running = worker.running
        packed = worker.take(running)
        self._log_end(worker, how, packed)
        self._begin_again(
            worker, list(worker.given)
        )  # first, since what was to follow was never going to run
        if packed is not None:
            stopped = running in self._stopping
            self._forget(running)
            error = self._died(packed.work, worker, how, peak)
            self._report(
                [
                    *([(RAN, running, (worker.began, perf_counter(), worker.name))] if worker.began else []),
                    (CANCELLED, running, None) if stopped else (FAILED, running, error),
                ]
            )
        worker.close()
        self._workers.remove(worker)
        if not worker.is_up and not self._closing:
            self._false_start(worker, how, peak)

    def _log_end(self, worker: WorkerProcess, how: str, packed: Packed | None) -> None:
        if packed is not None:
            _log.info(
                "%s died by %s while it ran %r (#%d)", worker.name, how, packed.work.name, packed.work.id
            )
        elif worker.retires or self._closing:
            _log.debug("%s has ended, after %d tasks", worker.name, worker.done)
        else:
            _log.info(
                "%s died by %s %s",
                worker.name,
                how,
                "while it was idle" if worker.is_up else "before it was up",
            )

    def _died(self, work: Work, worker: WorkerProcess, how: str, peak: int) -> WorkerDied:
        return WorkerDied(work.id, work.name, how, worker.pid, platform.node(), peak, worker.err.tail())

    def _false_start(self, worker: WorkerProcess, how: str, peak: int) -> None:
        # One that was killed tells less about whether others can start than one that gave up.
        self._false_starts += _KILLED if how.startswith("signal") else 1
        if self._false_starts < _FALSE_STARTS:
            return
        self._false_starts = 0
        self._fail_waiting(lambda work: self._died(work, worker, how, peak))

    def _fail_waiting(self, error: Callable[[Work], Exception]) -> None:
        self._report([(FAILED, work.id, error(work)) for work in self._waiting.give_up()])

    # -- Ctrl-C -------------------------------------------------------------------------------------------

    def _interrupted(self, worker: WorkerProcess | None = None) -> None:
        """Ctrl-C came out of this: perhaps in the midst of what a process was told, or has told."""
        if worker is not None:
            worker.is_in_doubt = True
        self._report([(INTERRUPTED, 0, None)])

    def recover(self, submitted: Sequence[int]) -> list[int]:
        """Replace the processes whose state is in doubt, and queue the work that was lost on its way.

        Returns:
            The numbers of the submitted work that is no longer here, also of what those processes had begun.
        """
        for worker in [worker for worker in self._workers if worker.is_in_doubt]:
            self._forgo(worker)
        if self._recall is not None:  # perhaps it was just being carried out
            self._recall.cancel()
            self._recall = None
        there = {task_id for worker in self._workers for task_id in worker.given} | self._loading
        for task_id in [*self._told, *self._stopping]:
            if task_id not in there:
                self._forget(task_id)
        gone = [task_id for task_id in submitted if task_id not in there and task_id not in self._waiting]
        self._waiting.recover()
        self._gone.set()
        self._feed()
        return gone

    def _forgo(self, worker: WorkerProcess) -> None:
        """Kill a process and hear nothing of it any more."""
        for fd in worker.fds:
            self._loop.remove_reader(fd)
        worker.reap()
        for packed in worker.given.values():
            packed.drop()
        worker.given.clear()
        worker.close()
        self._workers.remove(worker)

    # -- cancelling ---------------------------------------------------------------------------------------

    def cancel(self, task_id: int) -> bool:
        """Take back what has not begun; ask what runs to stop, and after the grace time kill its process."""
        if self._waiting.cancel(task_id):
            return True
        worker = self._with(task_id)
        if worker is None or self._stopping.get(task_id) is not None:
            return worker is not None
        self._stopping[task_id] = None
        self._take_unread(worker)
        if task_id in self._stopping:  # else it was among them
            worker.order(wire.STOP, wire.call_id(task_id, worker.given[task_id].flags))
            self._stopping[task_id] = self._turns.call_later(self._stop_grace, self._kill, task_id)
        self._feed()
        return True

    def _with(self, task_id: int) -> WorkerProcess | None:
        """The process that has a call."""
        return next((worker for worker in self._workers if task_id in worker.given), None)

    def _kill(self, task_id: int) -> None:
        worker = self._with(task_id)
        if worker is not None and worker.running == task_id:
            worker.kill()

    def look_now(self) -> None:
        """Report which tasks run, to somebody who asks."""
        for worker in self._workers:
            running = worker.running
            if running in worker.given and running not in self._told:
                self._told.add(running)
                self._report([(STARTED, running, (worker.began or perf_counter(), worker.name))])

    # -- shutdown -----------------------------------------------------------------------------------------

    async def leave(self, grace: float) -> list[int]:
        """Let all processes end, and kill those that do not."""
        self._closing = True
        self._waiting.cancel_all()
        for task_id in [task_id for worker in self._workers for task_id in worker.given]:
            self.cancel(task_id)
        for worker in list(self._workers):
            if not worker.retires:
                self._retire(worker)
        with suppress(TimeoutError):
            async with asyncio.timeout(grace):
                await self._all_gone()
        for worker in self._workers:
            worker.kill()
        await self._all_gone()
        self.close()
        return []

    async def _all_gone(self) -> None:
        while self._workers:
            self._gone.clear()
            await self._gone.wait()

    def close(self) -> None:
        """Give back what is left."""
        if self._recall is not None:
            self._recall.cancel()
        for timer in self._stopping.values():
            if timer is not None:
                timer.cancel()
        self._porter.dismiss()
        self._waiting.close()

    def abandon(self) -> None:
        """End all processes without a loop to wait on."""
        if os.getpid() != self._pid:
            return  # in a child that the program has forked: they are not its own
        self._closing = True
        workers, self._workers = self._workers, []
        for worker in workers:
            if not self._loop.is_closed():
                for fd in (worker.records, worker.pidfd, worker.out.fd, worker.err.fd):
                    self._loop.remove_reader(fd)
            worker.kill()
            worker.reap()
            worker.close()
        self.close()


def _waited_for(worker: WorkerProcess, records: Iterable[Message]) -> Iterator[Event]:
    """The first task that a process has run has waited for its start."""
    for _, task_id, began, _, _ in records:
        if began:
            yield LOADING, task_id, worker.hired
            worker.first, worker.hired = task_id, 0.0
            return


def _failed(task_id: int, file: int, size: int) -> Event:
    return FAILED, task_id, unpack_outcome(wire.read_file(file, size))[1]


def _unpacked(work: Work, load: Callable[[], object]) -> Event:
    try:
        return SUCCEEDED, work.id, load()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a class that pickles but does not unpickle, or would end the program
        add_note(error, f"while the result of {work.name!r} (#{work.id}) was unpickled")
        return FAILED, work.id, error
