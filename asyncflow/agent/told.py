"""What an agent tells its engine, many things in one message."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Final

from .._worker import wire
from ..backend import CANCELLED, FAILED, LOADING, RAN, RETURNED, STARTED, Event, Report
from ..backends.carried import messages
from ..backends.carried.channel import FEW, Channel
from ..backends.carried.node_files import NodeFiles
from ..backends.carried.pieces import FileSource, MemoryFile, Outlet
from ..backends.process.handed_out import HandedOut
from ..backends.process.porter import Porter
from ..backends.process.results import ON_THE_WAY, Results, waited_for
from ..backends.process.worker_process import Message, WorkerProcess
from ..errors import WorkerDied
from .kept import KeptHere, written

Record = tuple[int, int, float, float, Any]
_NEVER: Final = (0.0, 0.0)
_NO_ENDS: Final = (
    *(wire.BEGUN, wire.HOLDS, wire.RELEASED),
    *(messages.RETURNED, messages.LOADING, messages.RAN),
)
_VALUES: Final = (wire.VALUE, wire.PACKED, wire.IN_MEMORY)


class Told:
    """Collects what has happened, and sends it once in a turn of the loop.

    Args:
        channel: to the engine.
        held: is called with True when the engine does not take what is sent, and with False when it does again.
        stirred: is called when workers have told something.
        files: of tasks, which are over only when these are seen to.
    """

    def __init__(
        self,
        channel: Channel,
        held: Callable[[bool], None],
        stirred: Callable[[], None],
        files: NodeFiles,
    ) -> None:
        self._files = files
        self._finishing: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self._channel = channel
        self._held = held
        self.stirred = stirred
        self._entries: list[tuple[str | None, list[Record]]] = []
        self._is_due = False
        self._waits: asyncio.Task[None] | None = None

    def add(self, worker: str | None, records: list[Record]) -> None:
        """Tell records of a worker, or of None: of the agent itself."""
        if self._files:
            records = self._without_files(worker, records)
        self._entries.append((worker, records))
        if not self._is_due:
            self._is_due = True
            self._loop.call_soon(self.flush)

    def _without_files(self, worker: str | None, records: list[Record]) -> list[Record]:
        """The records that can be told at once. The end of a task that has files is told after what it has made."""
        at_once: list[Record] = []
        for record in records:
            kind, task_id, *_ = record
            if kind not in _NO_ENDS and task_id in self._files:
                finishing = self._loop.create_task(self._finish(worker, record))
                self._finishing.add(finishing)
                finishing.add_done_callback(self._finishing.discard)
            else:
                at_once.append(record)
        return at_once

    async def _finish(self, worker: str | None, record: Record) -> None:
        kind, task_id, *_ = record
        await self._files.finish(task_id, kind in _VALUES)
        self._entries.append((worker, [record]))
        self.flush()

    async def finished(self) -> None:
        """Wait until the ends of tasks that have files are told."""
        while self._finishing:
            await asyncio.wait(self._finishing)

    def flush(self) -> None:
        """Send what is to be told."""
        self._is_due = False
        if self._entries:
            entries, self._entries = self._entries, []
            self.send(messages.TOLD, entries)

    def printed(self, stream: str, text: str) -> None:
        """Tell what a worker has printed."""
        self.flush()  # what came before it
        self.send(messages.PRINTED, stream, text)

    def send(self, kind: int, *fields: object) -> None:
        """Send a message of its own."""
        self._channel.send(messages.pack(kind, *fields))
        if self._waits is None and self._channel.waiting > 4 * FEW:
            self._waits = self._loop.create_task(self._wait())

    async def _wait(self) -> None:
        self._held(True)
        try:
            await self._channel.drained()
        except ConnectionError:
            return  # the agent ends
        self._waits = None
        self._held(False)

    def close(self) -> None:
        """Wait no longer for the engine."""
        if self._waits is not None:
            self._waits.cancel()

    def report(self, events: Sequence[Event]) -> None:
        """Take what the pool of processes reports of its own."""
        records: list[Record] = []
        back: list[int] = []
        for kind, task_id, payload in events:
            if kind == RETURNED:
                back.append(task_id)
            elif kind == CANCELLED:
                records.append((messages.CANCELLED, task_id, *_NEVER, None))
            elif kind == LOADING:
                records.append((messages.LOADING, task_id, payload, 0.0, None))
            elif kind == STARTED:
                self.add(payload[1], [(wire.BEGUN, task_id, payload[0], 0.0, None)])
            elif kind == RAN:
                records.append((messages.RAN, task_id, *payload))
            elif kind == FAILED:
                records.append((*_problem(task_id, payload),))
        if back:
            records.append((messages.RETURNED, back[0], *_NEVER, back))
        if records:
            self.add(None, records)


def _problem(task_id: int, error: object) -> Record:
    if isinstance(error, WorkerDied):
        facts = error.how, error.pid, error.host, error.peak_memory, error.stderr
        return messages.DIED, task_id, *_NEVER, facts
    number = error.errno if isinstance(error, OSError) else None
    text = (error.strerror if isinstance(error, OSError) else None) or str(error)
    notes: list[str] = getattr(error, "__notes__", [])
    return messages.PROBLEM, task_id, *_NEVER, (number, text, notes)


class PackedResults(Results):
    """Tells the engine the records of workers as they are, without a look at what is in them.

    Args:
        told: to the engine.
        outlet: sends what is large.
        kept: where results stay.
        report: the pool's.
        calls: that processes have.
        porter: is not needed.
    """

    def __init__(
        self, told: Told, outlet: Outlet, kept: KeptHere, report: Report, calls: HandedOut, porter: Porter
    ) -> None:
        super().__init__(report, calls, porter)
        self._kept = kept
        self._told = told
        self._outlet = outlet

    def take(self, worker: WorkerProcess, records: Iterable[Message]) -> None:
        """Take the records of a process."""
        records = list(records)
        told: list[Record] = []
        if worker.asked_for:
            for _, task_id, since in waited_for(worker, records):
                told.append((messages.LOADING, task_id, since, 0.0, None))
        strike, name, kept = self.strike, worker.name, self._kept
        for record in records:
            kind, task_id, began, ended, payload = record
            if kind == wire.VALUE:  # nearly all
                flags = strike(worker, task_id, ended - began).flags
                if flags & wire.KEEP and kept.keeps(flags, 0):
                    told.append(self._keep(record, pickle.dumps(payload)))
                elif type(payload) is complex:  # for a pickle a class like any other
                    told.append((wire.PACKED, task_id, began, ended, pickle.dumps(payload)))
                else:
                    told.append(record)
            elif kind in ON_THE_WAY:
                if told:  # what follows may tell something by itself
                    self._told.add(name, told)
                    told = []
                if kind in (wire.HOLDS, wire.RELEASED):
                    told.append(record)
                for event, _, fact in self.on_the_way(worker, kind, task_id, began, payload):
                    kind = wire.BEGUN if event == STARTED else messages.LOADING
                    told.append((kind, task_id, fact[0] if event == STARTED else fact, 0.0, None))
            else:
                flags = strike(worker, task_id, ended - began).flags
                if kind == wire.PACKED and flags & wire.KEEP and kept.keeps(flags, 0):
                    told.append(self._keep(record, payload))
                elif kind == wire.IN_MEMORY and kept.keeps(flags, sum(size for _, size in payload)):
                    told.append(self._keep_file(worker, record))
                elif kind == wire.IN_MEMORY or (kind == wire.ERROR and type(payload) is not bytes):
                    self._send_file(worker, record)
                else:
                    told.append(record)
        if told:
            self._told.add(name, told)
        self._told.stirred()

    def _keep(self, record: Record, data: bytes) -> Record:
        """Keep a small result. Returns what tells of it."""
        _, task_id, began, ended, _ = record
        try:
            number = self._kept.keep(written(data))
        except OSError as error:
            return _problem(task_id, error)
        return messages.KEPT, task_id, began, ended, (number, ((wire.READ, len(data)),))

    def _keep_file(self, worker: WorkerProcess, record: Record) -> Record:
        """Keep a result that is in a memory file. Returns what tells of it."""
        _, task_id, began, ended, sizes = record
        try:
            number = self._kept.keep(MemoryFile(worker.result_file()))
        except OSError as error:
            return _problem(task_id, error)
        return messages.KEPT, task_id, began, ended, (number, sizes)

    def _send_file(self, worker: WorkerProcess, record: Record) -> None:
        kind, task_id, began, ended, payload = record
        try:
            fd = worker.result_file()
        except OSError as error:
            self._told.add(worker.name, [_problem(task_id, error)])
            return
        sizes = payload if kind == wire.IN_MEMORY else ((wire.READ, payload),)
        number = 0

        def sent() -> None:
            self._told.add(worker.name, [(kind, task_id, began, ended, (number, payload))])

        number = self._outlet.send(FileSource(fd, sizes), sent)


def packed_results(
    told: Told, outlet: Outlet, kept: KeptHere
) -> Callable[[Report, HandedOut, Porter], Results]:
    """What makes them for a pool."""
    return partial(PackedResults, told, outlet, kept)
