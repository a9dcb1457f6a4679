"""Which task of one plan is which of another, whatever their numbers are.

Tasks are taken in order, dependencies first, in several rounds from strict to loose. A round's rules say what two tasks
must have in common: a name always, and a kind; the block, the place of the call, what they wait for. Of those that have
it in common the first goes to the first. Each round is linear in tasks and edges.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TYPE_CHECKING, Final

from .task_network import TaskNetwork
from .tasks import PlannedTask

if TYPE_CHECKING:
    Look = Callable[["Side", int], Hashable]

_LINE: Final = re.compile(r":\d+(?=, in |$)")
_NOBODY: Final = -1


def matched(ours: TaskNetwork, theirs: TaskNetwork) -> dict[int, int]:
    """Points of tasks in one plan, and of the same tasks in the other."""
    one, other = Side(ours), Side(theirs)
    _sign(one, other)
    for look, in_block, rules in _ROUNDS:
        _play(one, other, look, in_block, rules)
    return {point: partner for point, partner in enumerate(one.partners) if partner != _NOBODY}


class Side:
    """One of the two plans.

    Attributes:
        net: of the plan.
        order: points of tasks, each after its block and its dependencies.
        partners: of each task; -1 while there is none.
        signs: what depends on a task, and on that, and so on, as one number; the same in both plans.
    """

    __slots__ = ("net", "order", "partners", "signs")

    def __init__(self, net: TaskNetwork) -> None:
        self.net = net
        self.order = [point for point in net.order if point < len(net.tasks)]
        self.partners = [_NOBODY] * len(net.tasks)
        self.signs = [0] * len(net.tasks)

    def block(self, point: int) -> int | None:
        """The point of the block around a task."""
        block = self.net.tasks[point].block
        return None if block is None else self.net.index[block]


# -- what two tasks have in common ------------------------------------------------------------------------


def _at(task: PlannedTask) -> Hashable:
    return task.name, task.kind, task.called_at


def _to_the_letter(side: Side, point: int) -> Hashable:
    task = side.net.tasks[point]
    return _exactly(side, point), task.place, task.expected


def _exactly(side: Side, point: int) -> Hashable:
    task = side.net.tasks[point]
    files = tuple(file.name for file in task.inputs), tuple(file.name for file in task.outputs)
    return _at(task), files, side.signs[point]


def _at_the_same_line(side: Side, point: int) -> Hashable:
    return _at(side.net.tasks[point])


def _at_any_line(side: Side, point: int) -> Hashable:
    task = side.net.tasks[point]
    return task.name, task.kind, _LINE.sub("", task.called_at)


def _anywhere(side: Side, point: int) -> Hashable:
    task = side.net.tasks[point]
    return task.name, task.kind


def _sign(one: Side, other: Side) -> None:
    """Number what depends on each task, the same on both sides."""
    numbers: dict[Hashable, int] = {}
    for side in (one, other):
        net = side.net
        signs: list[list[int]] = [[] for _ in net.tasks]
        for point in reversed(side.order):
            key = _at(net.tasks[point]), tuple(sorted(signs[point]))
            side.signs[point] = sign = numbers.setdefault(key, len(numbers))
            for dependency in net.needs[point]:
                signs[dependency].append(sign)


# -- rounds -----------------------------------------------------------------------------------------------

_ALL_NEEDS, _ONE_NEED, _NO_NEEDS = "all", "one", "none"

_ROUNDS: Final[Sequence[tuple[Look, bool, Sequence[str]]]] = (
    (_to_the_letter, True, (_ALL_NEEDS,)),
    (_exactly, True, (_ALL_NEEDS,)),
    (_at_the_same_line, True, (_ALL_NEEDS,)),
    (_to_the_letter, True, (_ALL_NEEDS, _ONE_NEED, _NO_NEEDS)),
    (_exactly, True, (_ALL_NEEDS, _ONE_NEED, _NO_NEEDS)),
    (_at_the_same_line, True, (_ALL_NEEDS, _ONE_NEED, _NO_NEEDS)),
    (_at_any_line, True, (_ALL_NEEDS, _ONE_NEED, _NO_NEEDS)),
    (_anywhere, False, (_ALL_NEEDS, _ONE_NEED, _NO_NEEDS)),
)
"""How tasks are looked at, whether they have to be in one block, and how much of what they wait for has to agree."""


def _play(one: Side, other: Side, look: Look, in_block: bool, rules: Sequence[str]) -> None:
    left = [point for point in one.order if one.partners[point] == _NOBODY]
    if not left:
        return
    free: dict[Hashable, deque[int]] = {}
    for point in other.order:
        if other.partners[point] == _NOBODY:
            own = look(other, point), in_block and other.block(point)
            for rule in rules:
                for key in _keys(rule, own, other.net.needs[point]):
                    free.setdefault(key, deque()).append(point)
    for point in left:
        block = one.block(point)
        own = look(one, point), in_block and (block if block is None else one.partners[block])
        needs = [one.partners[each] for each in one.net.needs[point]]
        for rule in rules:
            partner = _first_free(free, _keys(rule, own, needs), other.partners)
            if partner != _NOBODY:
                one.partners[point], other.partners[partner] = partner, point
                break


def _keys(rule: str, own: Hashable, needs: Iterable[int]) -> Iterable[Hashable]:
    if rule == _ALL_NEEDS:
        return [(own, frozenset(needs))]
    if rule == _ONE_NEED:
        return [(own, each) for each in set(needs) if each != _NOBODY]
    return [own]


def _first_free(free: dict[Hashable, deque[int]], keys: Iterable[Hashable], partners: Sequence[int]) -> int:
    for key in keys:
        queue = free.get(key)
        while queue:
            if partners[queue[0]] == _NOBODY:
                return queue.popleft()
            queue.popleft()
    return _NOBODY
