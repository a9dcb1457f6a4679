"""Decides on which nodes actors are placed, and how much of a node each reserves. Plain data, nothing of Ray."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple


class Node(NamedTuple):
    """A machine of the cluster.

    Args:
        id: Ray's.
        cpus: that it has.
        free: of these, as far as Ray knows by now.
    """

    id: str
    cpus: int
    free: int


class Held(NamedTuple):
    """What an actor of ours has, or waits for.

    Args:
        node: its id; None for one that waits for a node which is not there yet.
        cpus: that it reserves.
        is_placed: whether it has them.
    """

    node: str | None
    cpus: int
    is_placed: bool


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
    workers: int, cores: int | None, nodes: Sequence[Node], unfit: Collection[str], there: Sequence[Held]
) -> list[Place]:
    """One actor on each node, those with the most free CPUs first, until they have as many as are of use. Where that
    is not enough: one more on each node of which others hold a part, which waits until some of that is free, and one
    that waits for a node which is not there yet.

    Args:
        workers: CPUs that could be of use.
        cores: that each actor reserves, of which a node has one then; None for all that is free there.
        nodes: that there are.
        unfit: ids of those that have refused.
        there: what actors there are.
    """
    missing = workers - sum(each.cpus for each in there)
    taken = {each.node for each in there}
    places = []
    for node in sorted(nodes, key=lambda node: -node.free):
        if missing > 0 and node.id not in taken and node.id not in unfit and node.cpus >= (cores or 1):
            places.append(Place(node.id, cores or max(1, node.free)))
            missing -= places[-1].cpus
    if cores is None and not places:
        for node in nodes:
            rest = node.cpus - sum(each.cpus for each in there if each.node == node.id)
            waits = any(each.node == node.id and not each.is_placed for each in there)
            if missing > 0 and rest > 0 and not waits and node.id not in unfit:
                places.append(Place(node.id, max(1, min(rest, node.free))))
                missing -= places[-1].cpus
    if missing > 0 and None not in taken:
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
