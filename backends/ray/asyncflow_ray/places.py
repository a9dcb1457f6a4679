"""Decides on which nodes actors are placed, and how much of a node each reserves. Plain data, nothing of Ray."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple


class Node(NamedTuple):
    """A machine of the cluster.

    Args:
        id: Ray's.
        cpus: that are free for us, or all of them if none is.
    """

    id: str
    cpus: int


class Place(NamedTuple):
    """Where an actor is to be.

    Args:
        node: the id of the only node that will do; None for any but those in ``not_on``.
        cpus: that it reserves.
        not_on: ids of nodes.
    """

    node: str | None
    cpus: int
    not_on: tuple[str, ...] = ()


def on_each_node(
    workers: int,
    cores: int | None,
    nodes: Sequence[Node],
    unfit: Collection[str],
    there: Mapping[str | None, int],
) -> list[Place]:
    """One actor on each node, the large ones first, until they have as many CPUs as are of use; one more that waits for
    a node which is not there yet, where these are not enough.

    Args:
        workers: CPUs that could be of use.
        cores: that each actor reserves; None for all of its node.
        nodes: that there are.
        unfit: ids of those that have refused.
        there: the CPUs that each actor has which there is, by its node, None for one that waits for a new node.
    """
    missing = workers - sum(there.values())
    free = [node for node in nodes if node.id not in there and node.id not in unfit]
    places = []
    for node in sorted(free, key=lambda node: -node.cpus):
        if missing > 0 and node.cpus >= (cores or 1):
            places.append(Place(node.id, cores or node.cpus))
            missing -= places[-1].cpus
    if missing > 0 and None not in there:
        places.append(Place(None, cores or 1, tuple(node.id for node in nodes)))
    return places


def anywhere(asked: int, slots: int, cores: int, there: int) -> list[Place]:
    """As many actors as could be of use, wherever Ray has room.

    Args:
        asked: actors that could be of use.
        slots: the most of them.
        cores: that each reserves.
        there: actors that there are.
    """
    return [Place(None, cores)] * (min(asked, slots) - there)


def options(place: Place, resources: Mapping[str, float]) -> dict[str, object]:
    """What Ray is to reserve for an actor, as it is spelled there.

    Args:
        place: of it.
        resources: more than CPUs, by name.
    """
    rest = dict(resources)
    found: dict[str, object] = {"num_cpus": place.cpus, "max_restarts": 0, "max_task_retries": 0}
    for name, option in (("GPU", "num_gpus"), ("memory", "memory")):
        if name in rest:
            found[option] = rest.pop(name)
    return found | ({"resources": rest} if rest else {})
