"""What worker processes have told, as reports to the engine: which calls have begun, and how they have ended."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, Final

from ..._causes import add_note
from ..._worker import wire
from ..._worker.parcel import unpack_outcome
from ...backend import CANCELLED, FAILED, LOADING, RAN, STARTED, SUCCEEDED, Event, Report, Work
from .handed_out import HandedOut
from .packing import HEAVY, Packed
from .porter import Porter
from .worker_process import Message, WorkerProcess

ON_THE_WAY: Final = frozenset(
    {wire.BEGUN, wire.LOADED, wire.NOT_BEGUN, wire.RETIRES, wire.UP, wire.HOLDS, wire.RELEASED}
)
"""Records that tell of no call's end."""


class Results:
    """Takes what processes tell.

    Args:
        report: the engine's.
        calls: that processes have.
        porter: takes in what is large.
    """

    def __init__(self, report: Report, calls: HandedOut, porter: Porter) -> None:
        self._report = report
        self._calls = calls
        self._porter = porter

    def take(self, worker: WorkerProcess, records: Iterable[Message]) -> None:
        """Take the records of a process."""
        events: list[Event] = []
        if worker.asked_for:
            events += waited_for(worker, records)
        for kind, task_id, began, ended, payload in records:
            if kind == wire.VALUE:  # nearly all; written out flat
                self.strike(worker, task_id, ended - began)
                events.append((RAN, task_id, (began, ended, worker.name)))
                events.append((SUCCEEDED, task_id, payload))
            elif kind in ON_THE_WAY:
                events += self.on_the_way(worker, kind, task_id, began, payload)
            else:
                ran = (RAN, task_id, (began, ended, worker.name))
                event = self._result(worker, kind, task_id, ran, payload)
                if event is not None:
                    if began:
                        events.append(ran)
                    events.append(event)
        if events:
            self._report(events)

    def on_the_way(
        self, worker: WorkerProcess, kind: int, task_id: int, began: float, payload: Any
    ) -> list[Event]:
        """What is to be reported of a record of `ON_THE_WAY`."""
        if kind == wire.BEGUN:
            if task_id not in self._calls.told:
                self._calls.told.add(task_id)
                return [(STARTED, task_id, (began, worker.name))]
        elif kind == wire.LOADED:
            if task_id != worker.first:
                return [(LOADING, task_id, began)]
        elif kind == wire.NOT_BEGUN:
            self._calls.begin_again(worker, payload)
        elif kind == wire.RETIRES:
            self._calls.retire(worker)
        elif kind == wire.HOLDS:
            self._calls.generators.stays(task_id, worker, payload)
        elif kind == wire.RELEASED:
            self._calls.generators.ended(task_id)
        else:
            worker.rise(*payload)
        return []

    def strike(self, worker: WorkerProcess, task_id: int, seconds: float) -> Packed:
        """A call is over, which took so long."""
        packed = worker.take(task_id)
        assert packed is not None
        if self._calls.told or self._calls.stopping:
            self._calls.over(task_id)
        worker.done += 1
        packed.function.pace.saw(seconds)
        return packed

    def _result(
        self, worker: WorkerProcess, kind: int, task_id: int, ran: Event, payload: Any
    ) -> Event | None:
        packed = self.strike(worker, task_id, ran[2][1] - ran[2][0])
        if kind == wire.STOPPED:
            return CANCELLED, task_id, None
        if kind == wire.ERROR and type(payload) is bytes:
            return FAILED, task_id, unpack_outcome(payload)[1]
        if kind == wire.UNSENDABLE:
            return FAILED, task_id, TypeError(f"{packed.work.name!r} (#{task_id}) returned {payload}")
        if kind == wire.PACKED:
            return unpacked(packed.work, partial(pickle.loads, payload))
        try:
            file = worker.result_file()
        except OSError as error:
            return FAILED, task_id, error
        load: Callable[[], Event]
        if kind == wire.ERROR:
            load, size = partial(failed, task_id, file, payload), payload
        else:
            load = partial(unpacked, packed.work, partial(wire.unpack_memory, file, payload))
            size = sum(size for way, size in payload if way)  # what is mapped is not copied
        if size <= HEAVY:
            return load()
        self._calls.loading.add(task_id)
        self._porter.carry(partial(self._load, task_id, ran, load))
        return None

    def _load(self, task_id: int, ran: Event, load: Callable[[], Event]) -> None:
        """On the porter's thread."""
        self._report([ran, load()])
        self._calls.loading.discard(task_id)


def waited_for(worker: WorkerProcess, records: Iterable[Message]) -> Iterator[Event]:
    """The first task that a process has run has waited for its start."""
    for _, task_id, began, _, _ in records:
        if began:
            yield LOADING, task_id, worker.asked_for
            worker.first, worker.asked_for = task_id, 0.0
            return


def failed(task_id: int, file: int, size: int) -> Event:
    return FAILED, task_id, unpack_outcome(wire.read_file(file, size))[1]


def unpacked(work: Work, load: Callable[[], object]) -> Event:
    try:
        return SUCCEEDED, work.id, load()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a class that pickles but does not unpickle, or would end the program
        add_note(error, f"while the result of {work.name!r} (#{work.id}) was unpickled")
        return FAILED, work.id, error
