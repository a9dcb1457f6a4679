"""The worker processes that there are: how they start, and what follows when one has ended."""

from __future__ import annotations

import asyncio
import logging
import platform
from collections.abc import Callable
from time import perf_counter
from typing import Final

from ...backend import CANCELLED, FAILED, RAN, Report, Work
from ...errors import WorkerDied
from .handed_out import HandedOut
from .output import Relay
from .packing import Packed
from .results import Results
from .waiting import Waiting
from .worker_process import Message, WorkerProcess

_log = logging.getLogger("asyncflow.worker")
_FALSE_STARTS: Final = 3  # processes in a row that end before they are up, until that is an error
_KILLED: Final = 0.1


class Processes:
    """The processes of one pool.

    Args:
        new: starts one.
        report: the engine's.
        waiting: fails if no process can be started.
        calls: that processes have.
        results: takes what a process has told before its end.
        recycle_after: tasks after which a process is replaced; 0 for never.
        ready: is called when a process may have room for more, or another be needed.
    """

    def __init__(
        self,
        new: Callable[[], WorkerProcess],
        report: Report,
        waiting: Waiting,
        calls: HandedOut,
        results: Results,
        recycle_after: int,
        ready: Callable[[], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._new = new
        self._report = report
        self._waiting = waiting
        self._calls = calls
        self._results = results
        self._recycle_after = recycle_after
        self._ready = ready
        self._false_starts = 0.0
        self.all: list[WorkerProcess] = []
        self.gone = asyncio.Event()  # one of them, perhaps
        self.closing = False  # none of them is wanted any more
        self._holds_output = False

    def idle(self) -> list[WorkerProcess]:
        """Those that could begin at once."""
        return [worker for worker in self.all if worker.is_up and not worker.given and not worker.retires]

    def that_has(self, task_id: int) -> WorkerProcess | None:
        """The process that has a call."""
        return next((worker for worker in self.all if task_id in worker.given), None)

    # -- their beginning ----------------------------------------------------------------------------------

    def start(self) -> None:
        """Start another one."""
        try:
            worker = self._new()
        except OSError as error:
            problem = error
            problem.add_note("No worker process could be started.")
            # Else the others go on, and it is tried again when one of them has ended something.
            if not self.all:
                self._fail_waiting(lambda _: problem)
            return
        try:
            self.all.append(worker)
            self._loop.add_reader(worker.records, self._read, worker)
            self._loop.add_reader(worker.pidfd, self._ended, worker)
            if not self._holds_output:
                self._read_output(worker)
            _log.debug("%s was started", worker.name)
        except BaseException:  # Ctrl-C: nobody would hear it
            worker.is_in_doubt = True
            if worker not in self.all:
                self.all.append(worker)
            raise

    def _read_output(self, worker: WorkerProcess) -> None:
        for relay in (worker.out, worker.err):
            self._loop.add_reader(relay.fd, self._relay, relay)

    def hold_output(self, is_held: bool) -> None:
        """Leave what they print where it is, or take it again: who prints more than a pipe holds waits meanwhile."""
        self._holds_output = is_held
        for worker in self.all:
            if not is_held:
                self._read_output(worker)
            else:
                for relay in (worker.out, worker.err):
                    self._loop.remove_reader(relay.fd)

    def _relay(self, relay: Relay) -> None:
        if not relay.read():
            self._loop.remove_reader(relay.fd)

    # -- what they tell -----------------------------------------------------------------------------------

    def _read(self, worker: WorkerProcess) -> None:
        try:
            records = worker.read()
            if not records:
                return
            if not self._holds_output:
                worker.out.read()  # what a task has printed comes before its result
                worker.err.read()
            self._take(worker, records)
        except BaseException:
            self._calls.interrupted(worker)
            raise
        if worker.retires:
            self._calls.dismiss(worker)
        elif self._recycle_after and worker.done >= self._recycle_after:
            self._calls.retire(worker)
        self._ready()

    def _take(self, worker: WorkerProcess, records: list[Message]) -> None:
        was_up = worker.is_up
        self._results.take(worker, records)
        if worker.is_up and not was_up:
            self._false_starts = 0

    # -- their end ----------------------------------------------------------------------------------------

    def _ended(self, worker: WorkerProcess) -> None:
        """A process has ended: as it was told to, or by what it ran, or by somebody's hand."""
        try:
            self._take_end(worker)
        except BaseException:
            self._calls.interrupted(worker)
            raise
        self.gone.set()
        self._ready()

    def _take_end(self, worker: WorkerProcess) -> None:
        self._stop_listening(worker)
        while (records := worker.read()) or worker.came:
            self._take(worker, records)
        worker.out.finish()
        worker.err.finish()
        how, peak = worker.reap()
        running = worker.running
        packed = worker.take(running)
        self._log_end(worker, how, packed)
        if self._calls.generators:
            slices = self._calls.generators.lose(worker, lambda work: _died(work, worker, how, peak))
            self._waiting.put_in_place(slices)
        # First, since what was to follow was never going to run.
        self._calls.begin_again(worker, list(worker.given))
        if packed is not None:
            stopped = running in self._calls.stopping
            self._calls.over(running)
            self._calls.generators.closed_at(running)
            error = _died(packed.work, worker, how, peak)
            self._report(
                [
                    *([(RAN, running, (worker.began, perf_counter(), worker.name))] if worker.began else []),
                    (CANCELLED, running, None) if stopped else (FAILED, running, error),
                ]
            )
        worker.close()
        self.all.remove(worker)
        if not worker.is_up and not self.closing:
            self._false_start(worker, how, peak)

    def _stop_listening(self, worker: WorkerProcess) -> None:
        for fd in (worker.records, worker.pidfd, worker.out.fd, worker.err.fd):
            self._loop.remove_reader(fd)

    def _log_end(self, worker: WorkerProcess, how: str, packed: Packed | None) -> None:
        if packed is not None:
            name, number = packed.work.name, packed.work.id
            _log.info("%s died by %s while it ran %r (#%d)", worker.name, how, name, number)
        elif worker.retires or self.closing:
            _log.debug("%s has ended, after %d tasks", worker.name, worker.done)
        else:
            when = "while it was idle" if worker.is_up else "before it was up"
            _log.info("%s died by %s %s", worker.name, how, when)

    def _false_start(self, worker: WorkerProcess, how: str, peak: int) -> None:
        # One that was killed tells less about whether others can start than one that gave up.
        self._false_starts += _KILLED if how.startswith("signal") else 1
        if self._false_starts < _FALSE_STARTS:
            return
        self._false_starts = 0
        self._fail_waiting(lambda work: _died(work, worker, how, peak))

    def _fail_waiting(self, error: Callable[[Work], Exception]) -> None:
        self._report([(FAILED, work.id, error(work)) for work in self._waiting.give_up()])

    def forgo(self, worker: WorkerProcess) -> None:
        """Kill a process and hear nothing of it any more."""
        for fd in (worker.records, worker.pidfd, worker.out.fd, worker.err.fd):
            self._loop.remove_reader(fd)
        how, peak = worker.reap()
        self._calls.generators.lose(worker, lambda work: _died(work, worker, how, peak))
        for packed in worker.given.values():
            packed.drop()
        worker.given.clear()
        worker.close()
        self.all.remove(worker)

    def abandon(self) -> None:
        """End all without a loop to wait on."""
        self.closing = True
        workers, self.all = self.all, []
        for worker in workers:
            if not self._loop.is_closed():
                self._stop_listening(worker)
            worker.kill()
            worker.reap()
            worker.close()


def _died(work: Work, worker: WorkerProcess, how: str, peak: int) -> WorkerDied:
    return WorkerDied(work.id, work.name, how, worker.pid, platform.node(), peak, worker.err.tail())
