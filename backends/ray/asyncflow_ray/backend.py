"""The backend: asks Ray for nodes, and has an actor on each supervise an agent, which does the work."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import count
from types import MappingProxyType
from typing import Any, Final

import ray
from ray.util.scheduling_strategies import (
    NodeAffinitySchedulingStrategy,
    NodeLabelSchedulingStrategy,
    NotIn,
)

from asyncflow.backend import FAILED, Report, Work
from asyncflow.backends.carried import Agent, CarriedBackend, Lease, above_0, whole

from . import references
from .connection import Connection
from .listening import listen_for
from .places import Held, Node, Place, anywhere, on_each_node, options
from .supervisor import AsyncflowAgent

_FALSE_STARTS: Final = (
    3  # actors in a row that end before an agent of theirs is up, after which no more are asked for
)


@dataclass(eq=False)
class _Slot:
    """One actor, or one that Ray has not placed yet.

    Attributes:
        place: where it was asked for.
        actor: the handle of it, once it was asked for.
        node: where it is, once Ray has placed it.
        name: of its agent, from then on.
    """

    place: Place
    actor: Any = None
    node: str | None = None
    name: str = ""
    is_up: bool = False


class RayBackend(CarriedBackend):
    """Worker processes on the nodes of a Ray cluster. Ray places them and reserves what they need; tasks are handed to
    them by the engine itself, so that one costs no more than on this machine.

    Args:
        address: of the cluster, as ``ray.init`` has it; None for the Ray that this program is connected to, or else the
            one that the variable ``RAY_ADDRESS`` names, or else one that is started here and ended with the engine.
        slots: the most actors, each with worker processes of its own, wherever Ray has room; None for one on each node.
        cores: CPUs that each reserves, and worker processes that it has; None for one where ``slots`` is given, else
            for all that its node has free. What others have there is taken, too, once it is free and is of use.
        resources: what else each reserves, by Ray's names, as ``{"GPU": 1, "memory": 2**30}``.
        workers: another way to say it: so many slots of one core each.
        idle_after: seconds without work after which a slot is given back; None for never.
        more: options of `asyncflow.backends.carried.CarriedBackend`, as ``initializer``.

    Raises:
        TypeError: ``workers`` was given together with ``slots`` or ``cores``, or an option is of the wrong type.
        ValueError: an option is out of its range.
    """

    name = "ray"
    reducers = MappingProxyType({ray.ObjectRef: references.reduced})

    def __init__(
        self,
        address: str | None = None,
        *,
        slots: int | None = None,
        cores: int | None = None,
        resources: Mapping[str, float] | None = None,
        workers: int | None = None,
        idle_after: float | None = 60.0,
        **more: Any,
    ) -> None:
        if workers is not None:
            if slots is not None or cores is not None:
                raise TypeError("workers= stands for slots= of one core each: give either")
            slots = whole("workers", workers)
        if address is not None and not isinstance(address, str):
            raise TypeError(
                f"address={address!r}: the address of a Ray cluster is needed, as 'ray://head:10001'"
            )
        slots = None if slots is None else whole("slots", slots)
        cores = None if cores is None else whole("cores", cores)
        self._address = address or os.environ.get("RAY_ADDRESS") or None
        self._slots = slots
        self._cores = cores if cores is not None or slots is None else 1
        self._resources = above_0("resources", resources or {})
        super().__init__(agents=0, workers=self._cores or 1, idle_after=idle_after, **more)
        if slots is not None:
            self.workers = slots * (self._cores or 1)
        self._gpus = int(self._resources.get("GPU", 0))
        if self._gpus and slots is not None and (slots == 1 or self._cores == 1):
            # With more of both, two tasks on one slot could have numbers of the same GPU.
            self.amounts = {"gpus": slots * self._gpus}
        self._numbers = count(1)
        self._reset()

    def _reset(self) -> None:
        self._there: list[_Slot] = []
        self._wanted = 0
        self._new: set[str] = set()  # nodes that have come meanwhile
        self._unfit: set[str] = set()  # nodes that cannot be had
        self._false_starts = 0
        self._for_agents: Lease | None = None
        self._connection: Connection | None = None
        self._looking: asyncio.Task[None] | None = None
        self._look_again = False
        self.waits = None

    # -- what the carried backend calls -------------------------------------------------------------------

    async def start(self, report: Report) -> None:
        """Ray is reached in the background, and work waits for it."""
        self._reset()
        self._tell = report
        self.listen = listen_for(self._address)
        await super().start(report)

    def submit(self, batch: Sequence[Work]) -> None:
        """Give the work out."""
        if self._gpus:
            for work in [work for work in batch if len(work.identity[-1]) > self._gpus]:
                error = ValueError(
                    f"{work.name!r} asks for gpus={len(work.identity[-1])}, and a slot on Ray has {self._gpus}\n"
                    f'  Have larger ones:  RayBackend(resources={{"GPU": {len(work.identity[-1])}}}, ...)'
                )
                self._tell([(FAILED, work.id, error)])
            batch = [work for work in batch if len(work.identity[-1]) <= self._gpus]
        super().submit(batch)

    async def open(self, lease: Lease) -> None:
        """Reach Ray, or start it."""
        self.waits = "Ray is being reached"
        enough = self._slots * (self._cores or 1) if self._slots is not None else 0
        cpus: dict[str, object] = {"num_cpus": enough} if enough > len(os.sched_getaffinity(0)) else {}
        self._connection = Connection(self._address, cpus)
        await self._connection.open()
        self._for_agents = lease
        self._look()

    def ask(self, agents: int) -> None:
        """Have Ray place actors, or take back what it has not placed."""
        self._wanted = agents
        self._look()

    def joined(self, agent: Agent) -> None:
        """An agent is up."""
        self._false_starts = 0
        self.waits = None
        for slot in self._there:
            if slot.name == agent.name:
                slot.is_up = True

    async def release(self, agent: Agent) -> None:
        """Give back what an agent had."""
        for slot in [slot for slot in self._there if slot.name == agent.name]:
            self._give_back(slot)

    async def close(self) -> None:
        """Leave Ray, and end what was started of it."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait([self._looking])
        for slot in list(self._there):
            self._give_back(slot)
        if self._connection is not None:
            await self._connection.close()
        self._reset()

    def abandon(self) -> None:
        """End the actors, without a loop to wait on."""
        super().abandon()
        for slot in list(self._there):
            self._give_back(slot)
        if self._connection is not None:
            self._connection.abandon()
        self._reset()

    # -- actors -------------------------------------------------------------------------------------------

    def _look(self) -> None:
        """Have what is there be what is wanted."""
        if self._for_agents is None:
            return  # not connected yet, or not any more
        if self._looking is not None and not self._looking.done():
            self._look_again = True
            return
        self._looking = asyncio.get_running_loop().create_task(self._adjust())

    async def _adjust(self) -> None:
        assert self._connection is not None
        self._look_again = True
        while self._look_again:
            self._look_again = False
            self._take_back_what_is_too_much()
            if self._slots is None:
                nodes = await self._connection.call(partial(_nodes, self._new))
                there = [
                    Held(slot.node or slot.place.node, slot.place.cpus, slot.node is not None)
                    for slot in self._there
                ]
                places = on_each_node(self._workers_wanted, self._cores, nodes, self._unfit, there)
            else:
                places = anywhere(self._wanted, self._slots, self._cores or 1, len(self._there))
            for place in places:
                await self._hire(_Slot(place))

    @property
    def _workers_wanted(self) -> int:
        return self._wanted * (self._cores or 1)

    def _take_back_what_is_too_much(self) -> None:
        """Of what Ray has not placed; what is placed ends by itself when it is idle for long."""
        much = sum(slot.place.cpus for slot in self._there)
        for slot in [slot for slot in reversed(self._there) if slot.node is None]:
            if much - slot.place.cpus >= self._workers_wanted:
                much -= slot.place.cpus
                self._give_back(slot)

    async def _hire(self, slot: _Slot) -> None:
        assert self._connection is not None
        self._there.append(slot)
        if not any(slot.is_up for slot in self._there):
            self.waits = f"Ray has no node with {_shown(slot.place.cpus, self._resources)} free"
        loop = asyncio.get_running_loop()
        placed = _told(loop, partial(self._placed, slot))
        await self._connection.call(partial(_hire, slot, self._resources, placed))

    def _placed(self, slot: _Slot, found: tuple[str, str] | None, error: BaseException | None) -> None:
        if slot not in self._there or self._connection is None or self._for_agents is None:
            return
        if found is None:
            self._slot_gone(slot, str(error))
            return
        slot.node, address = found
        if slot.place.node is None and self._slots is None and self._cores is None:
            # It has found a new node, all of which is wanted, this actor's part included.
            self._new.add(slot.node)
            self._give_back(slot)
            self._look()
            return
        slot.name = f"{next(self._numbers)} on {address}"
        lease = self._for_agents.named(slot.name, workers=slot.place.cpus).to_text()
        ended = _told(asyncio.get_running_loop(), partial(self._ended, slot))
        self._connection.post(partial(_supervise, slot, lease, ended))
        self._look()  # more may have come free where this one is

    def _ended(self, slot: _Slot, how: str | None, error: BaseException | None) -> None:
        if slot in self._there:
            self._slot_gone(slot, f"its agent ended by {how}" if error is None else _brief(error))

    def _slot_gone(self, slot: _Slot, why: str) -> None:
        self._give_back(slot)
        if slot.name:
            self.lost(slot.name, why)
        if not slot.is_up:
            self._false_starts += 1
            if slot.place.node is not None:
                self._unfit.add(slot.place.node)
            if self._false_starts >= _FALSE_STARTS:
                self.give_up(RuntimeError(f"Ray has no node on which an agent can run. The last one: {why}"))
                return
        self._look()

    def _give_back(self, slot: _Slot) -> None:
        self._there.remove(slot)
        if self._connection is not None:
            self._connection.post(partial(_kill, slot))


# -- on Ray's thread --------------------------------------------------------------------------------------


def _nodes(new: Collection[str]) -> list[Node]:
    """The nodes that are there; new ones are taken for free, as it takes Ray a while to know."""
    untyped: Any = ray
    free: Mapping[str, Mapping[str, float]] = {}
    with suppress(Exception):  # Ray's own, and not promised
        free = untyped._private.state.available_resources_per_node()
    nodes = []
    for node in untyped.nodes():
        if node["Alive"]:
            name, cpus = node["NodeID"], int(node["Resources"].get("CPU", 0))
            knows = name in free and name not in new
            nodes.append(Node(name, cpus, int(free[name].get("CPU", 0)) if knows else cpus))
    return nodes


def _hire(slot: _Slot, resources: Mapping[str, float], placed: Callable[[Any], None]) -> None:
    place = slot.place
    not_in: Any = NotIn
    strategy: object = "SPREAD"
    if place.node is not None:
        strategy = NodeAffinitySchedulingStrategy(place.node, soft=False)
    elif place.not_on:
        strategy = NodeLabelSchedulingStrategy({"ray.io/node-id": not_in(*place.not_on)})
    actor = ray.remote(AsyncflowAgent)
    slot.actor = actor.options(scheduling_strategy=strategy, **options(place, resources)).remote()
    slot.actor.where.remote().future().add_done_callback(placed)


def _supervise(slot: _Slot, lease: str, ended: Callable[[Any], None]) -> None:
    slot.actor.supervise.remote(lease).future().add_done_callback(ended)


def _kill(slot: _Slot) -> None:
    if slot.actor is not None:  # or it could not be asked for
        ray.kill(slot.actor)


def _told(
    loop: asyncio.AbstractEventLoop, tell: Callable[[Any, BaseException | None], None]
) -> Callable[[Any], None]:
    """A callback for a future of Ray's, which calls on the loop, with a result or an error."""

    def done(future: Any) -> None:
        error = future.exception()
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(tell, None if error else future.result(), error)

    return done


def _brief(error: BaseException) -> str:
    """What Ray says of an actor that is gone, in one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = [line for line in lines if ":" not in line[:20]]
    return f"Ray's actor is gone: {(told or lines or [type(error).__name__])[-1]}"


def _shown(cpus: int, resources: Mapping[str, float]) -> str:
    parts = [f"{cpus} CPU" if cpus == 1 else f"{cpus} CPUs"]
    return " and ".join(parts + [f"{much:g} {name}" for name, much in resources.items()])
