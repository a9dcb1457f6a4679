"""What agents have told, as reports to the engine: which calls have begun, and how they have ended."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final, TypeAlias

from ..._causes import add_note
from ..._worker import wire
from ..._worker.parcel import unpack_outcome
from ...backend import CANCELLED, FAILED, LOADING, LOST, RAN, STARTED, SUCCEEDED, Event, Report
from ...errors import WorkerDied
from ..process.handed_out import HandedOut
from ..process.packing import HEAVY, Packed
from ..process.porter import Porter
from ..process.results import failed, unpacked
from . import messages
from .agents import Agent
from .kept import KeptResults, check_kept

_ENDS: Final = (SUCCEEDED, FAILED, CANCELLED, LOST)
Record: TypeAlias = tuple[int, int, float, float, Any]


class Outcomes:
    """Takes what agents tell.

    Args:
        report: the engine's.
        calls: that agents have.
        porter: takes in what is large.
        kept: results that agents keep.
    """

    def __init__(self, report: Report, calls: HandedOut, porter: Porter, kept: KeptResults) -> None:
        self._report = report
        self._calls = calls
        self._porter = porter
        self.bringing: dict[int, asyncio.Task[None]] = {}
        """What brings the files of calls that are over."""
        self._kept = kept

    def take(self, agent: Agent, entries: Iterable[tuple[str | None, Iterable[Record]]]) -> None:
        """Take what an agent has told at once."""
        events: list[Event] = []
        offset = agent.channel.offset
        for name, records in entries:
            worker = f"{name} on {agent.host}"
            for kind, task_id, began, ended, payload in records:
                if kind == wire.VALUE:  # nearly all; written out flat
                    if self._strike(agent, task_id, ended - began) is not None:
                        events.append((RAN, task_id, (began + offset, ended + offset, worker)))
                        events.append((SUCCEEDED, task_id, payload))
                elif kind == messages.RETURNED:
                    for each in payload if agent.files else ():
                        agent.files.over(each)
                    self._calls.begin_again(agent, payload)
                elif kind == messages.LOADING:
                    if task_id in agent.given:
                        events.append((LOADING, task_id, began + offset))
                elif kind == wire.BEGUN:
                    if task_id in agent.given and task_id not in self._calls.told:
                        self._calls.told.add(task_id)
                        events.append((STARTED, task_id, (began + offset, worker)))
                elif kind == wire.HOLDS:
                    self._calls.generators.stays(task_id, agent, payload)
                elif kind == wire.RELEASED:
                    self._calls.generators.ended(task_id)
                elif kind == messages.BROUGHT:
                    self._kept.came(agent, *payload)
                elif kind == messages.COPIED:
                    self._kept.copied(agent, task_id, payload)
                elif kind == messages.SERVES:
                    self._kept.serves(agent, payload)
                elif kind == messages.RAN:
                    if task_id in agent.given:
                        worker = f"{payload} on {agent.host}"
                        events.append((RAN, task_id, (began + offset, ended + offset, worker)))
                else:
                    ran = began + offset, ended + offset, worker
                    events += self._end(agent, kind, task_id, ran if began else None, payload)
        if agent.files:
            events = self._without_files(agent, events)
        if events:
            self._report(events)

    # -- files ----------------------------------------------------------------------------------------------

    def not_begun(self, agent: Agent, task_id: int, error: Exception) -> None:
        """What a call reads could not be brought to an agent."""
        agent.withhold(task_id)
        if agent.take(task_id) is not None:
            stopping = task_id in self._calls.stopping
            self._calls.over(task_id)
            self._report([(CANCELLED, task_id, None) if stopping else (FAILED, task_id, error)])

    def _without_files(self, agent: Agent, events: list[Event]) -> list[Event]:
        """The events that can be told at once. The end of a call that has files is told when they are here."""
        at_once: list[Event] = []
        for event in events:
            kind, task_id, _ = event
            if kind in _ENDS and task_id in agent.files:
                self._calls.loading.add(task_id)
                bringing = asyncio.get_running_loop().create_task(self._brought(agent, event))
                self.bringing[task_id] = bringing
            else:
                at_once.append(event)
        return at_once

    async def _brought(self, agent: Agent, event: Event) -> None:
        kind, task_id, _ = event
        try:
            await agent.files.outputs(task_id, kind == SUCCEEDED)
        except asyncio.CancelledError:
            event = CANCELLED, task_id, None
        except ConnectionError as error:
            if kind == SUCCEEDED:
                event = FAILED, task_id, agent.died(task_id, agent.files.name_of(task_id), str(error))
        except Exception as error:
            event = FAILED, task_id, error
        agent.files.over(task_id)
        self.bringing.pop(task_id, None)
        self._calls.loading.discard(task_id)
        self._report([event])

    def stop_bringing(self, task_id: int) -> bool:
        """Bring the files of a call no further that is over and is not wanted; whether it is such a call."""
        bringing = self.bringing.get(task_id)
        return bringing is not None and bringing.cancel()

    # -- ends -----------------------------------------------------------------------------------------------

    def _strike(self, agent: Agent, task_id: int, seconds: float) -> Packed | None:
        packed = agent.take(task_id)
        if packed is not None:
            if self._calls.told or self._calls.stopping:
                self._calls.over(task_id)
            packed.function.pace.saw(seconds)
        return packed

    def _end(
        self, agent: Agent, kind: int, task_id: int, ran: tuple[float, float, str] | None, payload: Any
    ) -> list[Event]:
        if kind == messages.KEPT:
            check_kept(
                *payload
            )  # before the call is taken from it: an agent that talks nonsense is lost with it
        packed = agent.take(task_id)
        if packed is None:
            if kind == messages.KEPT:
                self._kept.refuse(agent, payload[0])
            return []
        self._calls.over(task_id)
        told: list[Event] = []
        if ran is not None:
            told.append((RAN, task_id, ran))
            packed.function.pace.saw(ran[1] - ran[0])
        if kind == messages.KEPT:
            return [*told, (SUCCEEDED, task_id, self._kept.add(agent, task_id, *payload))]
        if kind == wire.GONE:
            number, why = payload
            lost = next((each for each in packed.kept if each.key == number), packed.kept[0])
            return [*told, (LOST, task_id, (lost, self._kept.why_gone(number, why)))]
        if type(payload) is tuple and kind in (wire.IN_MEMORY, wire.ERROR):
            load, size = _loader(agent, kind, packed, *payload)
            if size > HEAVY and task_id not in agent.files:
                self._calls.loading.add(task_id)
                self._porter.carry(partial(self._load, task_id, told, load))
                return []
            return [*told, load()]
        return [*told, _event(agent, kind, packed, payload)]

    def _load(self, task_id: int, told: list[Event], load: Callable[[], Event]) -> None:
        """On the porter's thread."""
        self._report([*told, load()])
        self._calls.loading.discard(task_id)


def _event(agent: Agent, kind: int, packed: Packed, payload: Any) -> Event:
    work = packed.work
    if kind == wire.PACKED:
        return unpacked(work, partial(pickle.loads, payload))
    if kind in (wire.STOPPED, messages.CANCELLED):
        return CANCELLED, work.id, None
    if kind == wire.ERROR:
        return FAILED, work.id, _told_where(agent, unpack_outcome(payload)[1])
    if kind == wire.UNSENDABLE:
        return FAILED, work.id, TypeError(f"{work.name!r} (#{work.id}) returned {payload}")
    if kind == messages.DIED:
        return FAILED, work.id, WorkerDied(work.id, work.name, *payload)
    number, text, notes = payload
    error = OSError(number, text) if number is not None else RuntimeError(text)
    for note in notes:
        error.add_note(note)
    error.add_note(f"on {agent.host}, agent {agent.name}")
    return FAILED, work.id, error


def _told_where(agent: Agent, error: BaseException) -> BaseException:
    """An error of a task. A module that another machine lacks is no fault of the task's."""
    if isinstance(error, ModuleNotFoundError) and not agent.is_here:
        add_note(
            error,
            f"on {agent.host} (agent {agent.name}), where {error.name!r} is not installed\n"
            "  Modules beside the script travel with the code; install all others there.",
        )
    return error


def _loader(
    agent: Agent, kind: int, packed: Packed, piece: int, payload: Any
) -> tuple[Callable[[], Event], int]:
    """What takes in a large result that has come, and how many bytes it copies."""
    file, work = agent.inlet.whole(piece), packed.work
    if kind == wire.ERROR:
        return (lambda: failed(work.id, file.release(), payload)), payload
    size = sum(size for way, size in payload if way)  # what is mapped is not copied
    return (lambda: unpacked(work, lambda: wire.unpack_memory(file.release(), payload))), size
