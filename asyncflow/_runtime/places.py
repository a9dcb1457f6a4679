"""The places of one run where tasks can run: its backends, the event loop, and the awaitables of others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from .._core.gates import Admission, Slots
from .._core.lanes import Lane
from .._core.limits import Limit
from .._core.order import Order, Room
from .._core.pace import Ahead, window
from .._core.services import lane_of_services
from .._core.task import Definition, Task
from .._files.stager import AT_ONCE
from ..backend import Concurrency, ExecutionBackend
from ..errors import StagingError
from .commands import Commands
from .coroutines import Coroutines
from .foreign import Foreign
from .place import Place

if TYPE_CHECKING:
    from .services import Services

_GATES: Final = (
    256  # lanes for amounts of limits; each use of `with_options(max_concurrent=...)` makes a limit
)
_EACH: Final = 2  # tasks with files that are handed to a backend, for each of its workers
_EACH_ELSEWHERE: Final = 8  # the same of a backend that brings them there, which takes its time


class Counts:
    """How many tasks there are at one place, from where they are ready on.

    Args:
        workers: that it has, if that is known.
        waits: what it waits for before it can run anything; None if it can.
    """

    def __init__(self, workers: int | None, waits: str | None = None) -> None:
        self.workers = workers
        self.waits = waits
        self.ready = 0  # to be handed over
        self.held = 0  # by limits
        self.staging = 0  # whose files are being brought
        self.taken = 0  # that were handed over

    @property
    def busy(self) -> int:
        """How many of those that were handed over can have been begun."""
        if self.waits is not None:
            return 0
        return self.taken if self.workers is None else min(self.taken, self.workers)


class Places:
    """Which lane leads where.

    Args:
        backends: by the names that tasks use; the first is the default.
        max_coroutines: how many coroutine tasks may be under way on the loop at once; None for any number.
        executables: how many commands may run at once.
        runs_commands: whether they are run; else a backend stands in for them.
        limits: of the engine, by name, to which others may be added; None if tasks are not to wait for any.
    """

    def __init__(
        self,
        backends: Mapping[str, ExecutionBackend],
        max_coroutines: int | None,
        executables: int,
        *,
        runs_commands: bool,
        limits: Mapping[str, Limit] | None,
    ) -> None:
        self._backends = backends
        self._runs_commands = runs_commands
        self._default = next(iter(backends))
        self._named = {name: _lane(name, backend) for name, backend in backends.items()}
        self._loop = Lane("the event loop", max_coroutines, "max_coroutines", links=max_coroutines is None)
        self.blocks = Lane("the event loop")  # a block holds no slot
        self.foreign = Lane("the event loop")
        self.behind: dict[Lane, Place] = {lane: backends[name] for name, lane in self._named.items()}
        self._commands = self._named[self._default]
        if runs_commands:
            self._commands = Lane("this machine", executables, "executables")
        # A service takes none of these slots: its own users could be waiting for one.
        self._services = lane_of_services("this machine") if runs_commands else self._named[self._default]
        self._staging: dict[Lane, Lane] = {}
        self._alone: dict[Lane, Lane] = {}
        self._slots: dict[Lane, Slots] = {}
        self._gates: dict[tuple[Lane, object], Lane] = {}
        self._limits = limits
        self._order: Order | None = None
        self._rooms: dict[Lane, Room] = {}

    def complete(
        self,
        coroutines: Coroutines,
        foreign: Foreign,
        commands: Commands | None,
        services: Services | None,
    ) -> None:
        """Add the places that report to the run, and so are made after this.

        Args:
            coroutines: the event loop.
            foreign: where it is waited for what others make.
            commands: where executable tasks run; None if a backend stands in for them.
            services: where services run; None, too.
        """
        self.behind |= {self._loop: coroutines, self.blocks: coroutines, self.foreign: foreign}
        if commands is not None:
            self.behind[self._commands] = commands
        if services is not None:
            self.behind[self._services] = services

    def lane_for(self, definition: Definition) -> Lane:
        """Where the calls of a function run."""
        lane = self.lane_in_the_end(definition)
        if definition.is_service:
            return lane
        if definition.wanted.lacks is not None and self._limits is not None:
            raise LookupError(definition.wanted.lacks)
        if definition.needs is not None and self._limits is not None:
            try:
                amounts = definition.needs.constant(self._limits)
            except (LookupError, ValueError) as error:
                raise type(error)(f"{definition.name!r}: {error}") from None
            if amounts != {}:
                return self._gate_to(lane, amounts)
        if lane.limit and lane.capacity is not None and self._limits is not None:
            return self._gate_to(lane, {})  # whose slots it shares with those that need something of limits
        return lane if definition.retries is None else self._without_chains(lane)

    def limit(self, name: str) -> Limit | None:
        """One of the engine's limits; None if there is none of that name."""
        return (self._limits or {}).get(name)

    def lane_in_the_end(self, definition: Definition) -> Lane:
        """Where the calls of a function run, whatever they need of limits."""
        if definition.is_block:
            return self.blocks
        if definition.is_service:
            return self._services
        if definition.is_command and (definition.options.backend is None or not self._runs_commands):
            return self._commands
        name = definition.options.backend or self._default
        backend = self._backends[name]
        named = definition.options.backend is not None and backend.takes_coroutines
        if definition.is_coroutine and not definition.is_command and not (backend.runs_coroutines or named):
            return self._loop
        if definition.resources and not backend.keeps_event_loop:
            _refuse_later(definition, name)
        return self._named[name]

    def _without_chains(self, lane: Lane) -> Lane:
        """The lane to the same place for tasks that may be tried again: what waits for them is not handed over yet."""
        if not lane.links:
            return lane
        alone = self._alone.get(lane)
        if alone is None:
            alone = self._alone[lane] = Lane(lane.place, lane.capacity, lane.limit)
            alone.tells = lane.tells
            self._add_in_order(alone, lane)
            if lane in self.behind:  # else nothing is run there
                self.behind[alone] = self.behind[lane]
        return alone

    def _gate_to(self, lane: Lane, amounts: Mapping[Limit, float] | None) -> Lane:
        """The lane to the same place for tasks that need such amounts of limits, or such as follow from arguments."""
        if len(self._gates) >= _GATES:
            amounts = None  # one for all of them does, too
        key = lane, None if amounts is None else tuple(amounts.items())
        gate = self._gates.get(key)
        if gate is None:
            slots = self._slots_of(lane)
            gate = Lane(lane.place, admission=Admission(slots, amounts))
            gate.tells = lane.tells
            self._add_in_order(gate, lane)
            self._gates[key] = gate
            if lane in self.behind:  # else nothing is run there
                self.behind[gate] = self.behind[lane]
        return gate

    def _slots_of(self, lane: Lane) -> Slots:
        slots = self._slots.get(lane)
        if slots is None:
            place = self.behind.get(lane)  # None for the loop, where nothing is to run
            workers = None if place is None else _told_workers(place)
            capacity = workers if workers and not lane.limit else lane.capacity
            slots = self._slots[lane] = Slots(capacity, lane.limit or "workers", lane.capacity)
        return slots

    def tell_starts(self) -> None:
        """Have starts told at once: somebody listens."""
        for lane in self.behind:
            lane.tells = True

    def put_in_order(self, order: Order) -> None:
        """Have tasks go by their priority from now on."""
        self._order = order
        of_place = {self._loop: _limited(self._loop), self.blocks: Room(None), self.foreign: Room(None)}
        for name, lane in self._named.items():
            workers, backend = _workers(self._backends[name]), self._backends[name]
            # What is sequential is on this loop, and need not wait for it.
            is_ahead = workers is not None and backend.concurrency is not Concurrency.SEQUENTIAL
            of_place[lane] = Room(workers, Ahead(workers) if is_ahead and workers is not None else None)
        if self._commands not in of_place:
            of_place[self._commands] = _limited(self._commands)
        for lane, room in of_place.items():
            self._rooms[lane] = room
            lane.put_in_order(order, room)
        for main, alone in self._alone.items():
            self._add_in_order(alone, main)
        for (main, _), gate in self._gates.items():
            self._add_in_order(gate, main)
        for main, staging in self._staging.items():
            staging.put_in_order(order)
            if staging.leads_to is not None and staging.leads_to.room is None:
                self._add_in_order(staging.leads_to, main)

    def _add_in_order(self, lane: Lane, main: Lane) -> None:
        """A lane leads to the place of another."""
        if self._order is not None:
            if main not in self._rooms:
                self._rooms[main] = main.room or Room(None)
            self._rooms[lane] = self._rooms[main]
            lane.put_in_order(self._order, self._rooms[main])

    def workers(self) -> dict[str, int | None]:
        """How many tasks can run at once, by place; None where there is no limit."""
        known = {self._loop.place: self._loop.capacity, self._commands.place: self._commands.capacity}
        for name, lane in self._named.items():
            known[lane.place] = _workers(self._backends[name])
        return known

    def counts(self) -> dict[str, Counts]:
        """How many tasks there are, by place."""
        workers = self.workers()
        waits = {lane.place: self._backends[name].waits for name, lane in self._named.items()}
        found = {place: Counts(number, waits.get(place)) for place, number in workers.items()}
        for lane in {*self.behind, *self._staging.values()}:
            counts = found[lane.place]
            counts.ready += len(lane.gather())
            if lane.admission is not None:
                counts.held += lane.admission.held
                counts.ready += len(lane.admission.admitted)
            if lane.leads_to is None:
                counts.taken += lane.taken
            else:
                counts.staging += lane.taken
        return found

    def waits(self, lane: Lane) -> str | None:
        """What the place of a lane waits for before it can run anything."""
        place = self.behind.get(lane)
        return None if place is None else place.waits

    def stages(self, lane: Lane) -> bool:
        """Whether tasks of a lane are to have their files."""
        return self.behind[lane].stages_files

    def carries(self, lane: Lane) -> bool:
        """Whether where tasks of a lane run their files are brought by the backend."""
        place = self.behind.get(lane)  # None where nothing is to run
        return place is not None and place.stages_files and place.carries_files

    def shares_files(self, lane: Lane) -> bool:
        """Whether a path means the same where tasks of a lane run, as far as that is known; on any thread."""
        return self.behind[lane.leads_to or lane].shares_filesystem

    def check_files(self, task: Task) -> None:
        """Refuse a task that has files and is to run where they are not.

        Raises:
            StagingError: the place neither shares this machine's files nor can they be carried there.
        """
        place = self.behind[task.lane]
        if place.stages_files and not (place.shares_filesystem or place.carries_files):
            raise StagingError(
                f"{task.name!r} (#{task.id}) declares files, and {task.lane.place} does not share the files of this "
                "machine.\n  Name a backend that does:  .with_options(backend=...); or pass what is in the files"
            )

    def staging_for(self, lane: Lane) -> Lane:
        """The lane where files are staged for tasks that are then to run in another."""
        staging = lane if lane.leads_to is not None else self._staging.get(lane)
        if staging is None:
            target = lane
            place = self.behind[lane]
            workers = _told_workers(place)
            if lane.admission is None and (lane.links or (workers is not None and not lane.limit)):
                # What follows such a task waits until its outputs have been looked at: no chains. And enough are handed
                # over to keep the workers busy, and no more: the files of the rest need not be there yet.
                each = _EACH_ELSEWHERE if place.carries_files else _EACH
                target = Lane(lane.place, workers and each * workers, f"{each} × workers")
                target.tells = lane.tells
                self._add_in_order(target, lane)
                self.behind[target] = place
            staging = self._staging[lane] = Lane(lane.place, AT_ONCE, leads_to=target)
            if self._order is not None:
                staging.put_in_order(self._order)
        return staging

    def under_way(self) -> int:
        """How much the backends have that is not over."""
        there = sum(lane.taken for lane in self._named.values())
        if self._staging or self._alone or self._gates:
            of_events = self._loop, self.blocks, self.foreign, self._commands, self._services
            others = {self.behind[each] for each in of_events if each not in self._named.values()}
            there = sum(lane.taken for lane, place in self.behind.items() if place not in others)
        return there


def _refuse_later(definition: Definition, backend: str) -> None:
    """Refuse a task whose resource needs an event loop that stays, where each coroutine has one of its own.

    Raises:
        TypeError: it has such a resource.
    """
    later = next((resource for _, _, resource in definition.resources if resource.is_async), None)
    if later is not None:
        raise TypeError(
            f"{definition.name!r} is to run on backend {backend!r}, where each coroutine has an event loop of its own, "
            f"and its resource {later.name!r} is an async generator, which needs one that stays.\n"
            f"  On the engine's own loop it has one:  leave backend={backend!r} away"
        )


def _limited(lane: Lane) -> Room:
    """What there is room for that an option limits."""
    return Room(lane.capacity)


def _workers(backend: ExecutionBackend) -> int | None:
    return 1 if backend.concurrency is Concurrency.SEQUENTIAL else _told_workers(backend)


def _told_workers(place: Place) -> int | None:
    workers: object = place.workers  # of a backend of somebody else's it may be anything
    return workers if isinstance(workers, int) else None


def _lane(name: str, backend: ExecutionBackend) -> Lane:
    place = f"backend {name!r}" if backend.name == name else f"backend {name!r} ({backend.name})"
    workers = _workers(backend)
    return Lane(place, None if workers is None else window(workers), links=backend.takes_chains)
