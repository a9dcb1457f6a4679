"""Decides which of the tasks that could run goes first, in a run where any has a priority.

A run without priorities knows nothing of this. With the first one it has an `Order`, and its lanes hold what is ready
in a `ByPriority`. A task's standing is the highest of its own priority and of all that wait for it, so that what is
urgent does not wait behind what is not: whoever comes to wait for a task raises it, and what it waits for in turn.

Nothing here reads a clock: times are seconds on any clock that does not go back, given by the caller.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from heapq import heapify, heappop, heappush
from math import inf
from typing import TYPE_CHECKING, Final, TypeAlias

from .pace import MOST, Ahead
from .states import CANCELLING, NOW, PENDING, READY, RUNNING
from .task import Definition, Task

if TYPE_CHECKING:
    from .lanes import Lane, Lanes

Turn: TypeAlias = tuple[float, bool, int]
"""When a task goes, beside those of other lanes: its key, whether nothing of what it is for was begun, its number."""
Entry: TypeAlias = "tuple[float, int, int, Task]"
"""A task in a queue: its key, its place among equals, and which entry of the queue it is."""
_NOBODY: Final[Turn] = (inf, True, 0)
_USUAL: Final = 0.0
"""The priority of a task of which nothing is said."""


class Item:
    """One item of a stream, known by the block that is called for it, and so by all tasks inside: among equals they go
    as if they had been ready when the first of them was, so that what was begun is finished before more is begun.

    Args:
        number: of the first task.
    """

    __slots__ = ("_places", "number")

    def __init__(self, number: int) -> None:
        self.number = number
        self._places: dict[int, int] = {}

    def place(self, queue: object, place: int) -> int:
        """The place in a queue of all tasks of the item: the one that the first had."""
        return self._places.setdefault(id(queue), place)


class Rank:
    """What decides when a task goes, of one for which that is not as usual.

    Args:
        own: the task's priority, or that of the block around it.
        wanted: the highest of all that wait for it; None if none of these goes before it.
        item: of a stream, of the block that was called for one.
    """

    __slots__ = ("item", "own", "wanted")

    def __init__(self, own: float, wanted: float | None, item: Item | None = None) -> None:
        self.own = own
        self.wanted = wanted
        self.item = item

    @property
    def standing(self) -> float:
        """The higher of the two."""
        return self.own if self.wanted is None else max(self.own, self.wanted)


def standing_of(task: Task) -> float:
    """The highest of a task's own priority and of all that wait for it."""
    rank = task.rank
    return _USUAL if rank is None else rank.standing


def of_an_item(task: Task, rank: Rank | None) -> Rank:
    """The rank of a block that was called for an item of a stream, which has this rank otherwise."""
    if rank is None:
        return Rank(_USUAL, None, Item(task.id))
    return Rank(rank.own, rank.wanted, rank.item or Item(task.id))


def _item_of(task: Task | None) -> Item | None:
    """The item that a task is for: the one of the innermost block around it that was called for one."""
    while task is not None:
        rank = None if task.rare is None else task.rare.rank
        if rank is not None and rank.item is not None:
            return rank.item
        task = task.owner
    return None


def own_priority(definition: Definition, owner: Task | None) -> float:
    """The priority of a call, whatever waits for it: the one that was given, or that of the block around it."""
    if definition.priority is not None:
        return definition.priority
    around = None if owner is None or owner.rare is None else owner.rare.rank
    return _USUAL if around is None else around.own


class Order:
    """The priorities of one run's tasks.

    Args:
        live: the tasks that are not over, by number.
        awaited: tells what a task waits for that has not begun, and a block whose body is over.
        ageing: seconds in which a task that is not over rises by 1, counted from its call; None if none does.
    """

    __slots__ = ("_awaited", "_begins", "_live", "_periods", "_sharing", "ageing", "period", "raised")

    def __init__(
        self,
        live: Mapping[int, Task],
        awaited: Callable[[Task], Sequence[Task]],
        ageing: float | None = None,
    ) -> None:
        self._sharing: list[Lane] = []  # those that may have to wait for what happens in others
        self._live = live
        self._awaited = awaited
        self.ageing = ageing
        """Seconds in which a task rises by 1; None if none does, so that the time need not be told."""
        # When a task was called is told by its number: of each period, that of the first call in it. A period is so
        # many seconds in which a task rises by 1, and those called in one are equals.
        self._begins = [0]
        self._periods = [0]
        self.period = 0
        """The present one."""
        self.raised: list[Task] = []
        """Tasks in no lane's queue, as those that wait for limits, which stand otherwise than before; whoever has
        looked at them empties it."""

    # -- what happens -------------------------------------------------------------------------------------

    def passes(self, now: float, last: int) -> None:
        """Time has passed, or may have: what is called from now on is of another period.

        Args:
            now: seconds.
            last: number of the last call.
        """
        if self.ageing is None:
            return
        period, begins, periods = int(now // self.ageing), self._begins, self._periods
        if period == self.period:
            return
        self.period = period
        if begins[-1] == last + 1:  # nothing was called in that one
            del begins[-1], periods[-1]
        begins.append(last + 1)
        periods.append(period)
        oldest = next(iter(self._live), last + 1)
        unasked = bisect_right(begins, oldest) - 1
        del begins[:unasked], periods[:unasked]
        self.raised = [task for task in self._live.values() if task.is_held]

    def called(self, task: Task, dependencies: Sequence[Task]) -> None:
        """A call was made. It goes by its own priority, or by that of the block around it, and is as urgent as what
        waits for that block."""
        own = own_priority(task.definition, task.owner)
        around = None if task.owner is None else task.owner.rank
        wanted = None if around is None else around.wanted
        if own or wanted is not None:
            task.rank = Rank(own, wanted)
        if dependencies:
            self.waits(task, dependencies)

    def waits(self, task: Task, dependencies: Iterable[Task]) -> None:
        """A task waits for others, which are not to stand behind it."""
        todo, least = list(dependencies), standing_of(task)
        while todo:
            each = todo.pop()
            now = each.story & NOW
            if now >= CANCELLING:
                continue
            rank, is_block = each.rank, each.definition.is_block
            if rank is None:
                if least <= _USUAL and not is_block:
                    continue
                rank = each.rank = Rank(_USUAL, None)
            # What is inside of a block may have said that it is less urgent than the block is.
            known = rank.wanted if is_block else rank.standing
            if known is not None and known >= least:
                continue
            rank.wanted = least
            if now == READY:
                self._stands_otherwise(each)
            elif now == PENDING:
                join = None if each.rare is None else each.rare.join
                todo.extend(self._awaited(each) if join is None else join.sources)
            elif is_block:
                todo.extend((each.children or {}).values())
                if now == RUNNING:
                    todo.extend(self._awaited(each))

    def _stands_otherwise(self, task: Task) -> None:
        ready = task.lane.ready
        if task.is_held:
            self.raised.append(task)
        elif isinstance(ready, ByPriority):
            ready.move(task)

    # -- who goes first -----------------------------------------------------------------------------------

    def add(self, lane: Lane) -> None:
        """A lane's tasks go by this from now on."""
        together = [lane] if lane.room is None else lane.room.lanes
        if lane.room is None or len(together) > 1:
            self._sharing += [each for each in together if each not in self._sharing]

    def wake(self, lanes: Lanes) -> None:
        """Have all lanes looked at that have something: a slot that came free in one may be for another."""
        for lane in self._sharing:
            gate = lane.admission
            if not lane.is_due and (lane.ready or lane.unblocked or (gate is not None and gate.admitted)):
                lanes.wake(lane)

    def first_of(self, due: list[Lane]) -> Lane:
        """Take out the lane that is to be looked at next."""
        if len(due) == 1:
            return due.pop()
        at = min(range(len(due)), key=lambda number: self._first_in(due[number]))
        return due.pop(at)

    def most(self, lane: Lane, due: Sequence[Lane]) -> int:
        """How many tasks of a lane may be taken that go before those of others, as far as there is room.

        Args:
            lane: whose first goes before all others.
            due: the other lanes that are due.
        """
        if lane.room is None:
            return MOST
        left, ready = lane.room.left(), lane.ready
        others = (
            min((self._first_in(each) for each in due if each.room is not None), default=_NOBODY)
            if due
            else _NOBODY
        )
        if not left:
            lane.is_due = False  # it is looked at again when one is over
            return 0
        if others == _NOBODY or not isinstance(ready, ByPriority):
            return left
        return max(1, ready.up_to(others, left))

    def _first_in(self, lane: Lane) -> Turn:
        """Whose turn it is of a lane. What is only staged goes before."""
        ready = lane.gather()
        if lane.room is None:
            return (-inf, False, 0) if ready else _NOBODY
        first = ready.first() if isinstance(ready, ByPriority) else _NOBODY
        if lane.admission is not None and lane.admission.admitted:
            admitted = lane.admission.admitted[0]
            first = min(first, (self.key(admitted), False, admitted.id))
        return first

    def key(self, task: Task) -> float:
        """Of two tasks, the one for which it is lower goes first, at any time."""
        # As `standing_of`, written out: each task comes by here.
        rank = None if task.rare is None else task.rare.rank
        standing = _USUAL if rank is None else rank.standing
        return -standing if self.ageing is None else self._period_of(task) - standing

    def standing(self, task: Task) -> float:
        """How high a task stands in this period."""
        return self.period - self.key(task)

    def _period_of(self, task: Task) -> int:
        """When it was called. Not how long it has been ready: what was begun would stand behind all that was called
        with it and was not begun."""
        return self._periods[max(0, bisect_right(self._begins, task.id) - 1)]


class Room:
    """How many tasks a place may have where their order matters; all lanes to it share that.

    Args:
        capacity: of the place; None for any number.
        ahead: how many more it is handed; None for none.
    """

    __slots__ = ("_ahead", "_capacity", "lanes")

    def __init__(self, capacity: int | None, ahead: Ahead | None = None) -> None:
        self._capacity = capacity
        self._ahead = ahead
        self.lanes: list[Lane] = []

    def _taken(self) -> int:
        if len(self.lanes) == 1:
            return self.lanes[0].taken
        return sum(lane.taken for lane in self.lanes)

    def left(self) -> int:
        """How many more tasks it may be handed, and no more than `MOST`."""
        if self._capacity is None:
            return MOST
        taken = self._taken()
        capacity = self._capacity if self._ahead is None else self._ahead.capacity(taken)
        return max(0, min(MOST, capacity - taken))

    def handed(self) -> None:
        """It was handed some."""
        if self._ahead is not None:
            self._ahead.taken = self._taken()

    def ran(self, seconds: float) -> None:
        """A task has run there, for so long."""
        if self._ahead is not None:
            self._ahead.saw(seconds)


class ByPriority(dict["Task", Entry]):
    """What is ready in a lane, in order of priority, and among equals from left to right. It has what `Lane` asks of a
    deque. It is the dictionary of what is in it, as it is asked all the time whether there is anything.

    Args:
        order: tells who goes first.
        tasks: that are ready already, from left to right.
    """

    __slots__ = ("_count", "_heap", "_left", "_order", "_right")

    def __init__(self, order: Order, tasks: Iterable[Task] = ()) -> None:
        super().__init__()
        self._order = order
        self._heap: list[Entry] = []  # with some that were moved, or taken out
        self._count = 0
        self._left = self._right = 0  # places among equals: the next to the left is lower by 1
        self.extend(tasks)

    def append(self, task: Task) -> None:
        """Add one behind its equals."""
        self._right += 1
        self._enter(task, self._right)

    def extend(self, tasks: Iterable[Task]) -> None:
        """Add some, one behind the other."""
        for task in tasks:
            self.append(task)

    def extendleft(self, tasks: Iterable[Task]) -> None:
        """Add some before their equals, the last before all."""
        for task in tasks:
            self._left -= 1
            self._enter(task, self._left)

    def move(self, task: Task) -> None:
        """A task stands higher than before. Nothing happens if it is not here."""
        entry = self.get(task)
        if entry is not None and self._order.key(task) != entry[0]:
            self._enter(task, entry[1])

    def popleft(self) -> Task:
        """Take out the first."""
        while True:
            entry = heappop(self._heap)
            if self.get(entry[3]) is entry:
                del self[entry[3]]
                return entry[3]

    def first(self) -> Turn:
        """Whose turn it is."""
        while self._heap and self.get(self._heap[0][3]) is not self._heap[0]:
            heappop(self._heap)
        return _turn(self._heap[0]) if self._heap else _NOBODY

    def up_to(self, turn: Turn, most: int) -> int:
        """How many have their turn before another one, and no more than ``most``."""
        found, below = 0, [0]
        while below and found < most:
            at = below.pop()
            if at < len(self._heap) and self._heap[at][0] <= turn[0]:
                entry = self._heap[at]
                found += self.get(entry[3]) is entry and _turn(entry) < turn
                below += (2 * at + 1, 2 * at + 2)
        return found

    def clear(self) -> None:
        """Take out all."""
        self._heap.clear()
        super().clear()

    def __iter__(self) -> Iterator[Task]:
        if len(self) == 1:  # mostly
            return iter([*self.keys()])
        return iter([task for *_, task in sorted(self.values(), key=_key_and_place)])

    def _enter(self, task: Task, place: int) -> None:
        item = _item_of(task)
        if item is not None:
            place = item.place(self, max(place, self._right))
        self._count += 1  # tasks of one item have one place
        entry = self[task] = (self._order.key(task), place, self._count, task)
        heappush(self._heap, entry)
        if len(self._heap) > 2 * len(self) + 8:  # those that were moved would gather
            self._heap = list(self.values())
            heapify(self._heap)


def _turn(entry: Entry) -> Turn:
    key, place, _, task = entry
    item = _item_of(task)
    return key, place > 0, task.id if item is None else item.number


def _key_and_place(entry: Entry) -> tuple[float, int, int]:
    return entry[:3]
