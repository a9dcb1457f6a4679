"""Lanes whose tasks need something of limits before they run: gates.

Whoever finds all of it free, and nobody waiting before, goes straight on, in the batch in which the lane is taken. What
such tasks use is not kept for each of them: it follows from how many of the gate's tasks run, and a gate is looked at
when one of them is over. All others wait in the `Queue`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .limits import Limit, Queue
from .pace import MOST
from .states import CANCELLING, NOW, READY, SUBMITTED

if TYPE_CHECKING:
    from .lanes import Lane, Lanes
    from .task import Task


class Slots:
    """Slots of one place, which all gates to it share. No more tasks are handed over than can run there, or they would
    hold what they have of limits while they stand in a queue. Only as long as half of each limit is left to others, and
    nobody waits, the place is given more to do, so that its workers need not wait for the next task.

    Args:
        capacity: how many tasks can run there at once; None for any number.
        limit: the option that says so.
        window: how many may be handed over at most; None for any number.
    """

    __slots__ = ("capacity", "limit", "taken", "wanted_by", "window")

    def __init__(self, capacity: int | None, limit: str, window: int | None) -> None:
        self.capacity = capacity
        self.limit = limit
        self.window = window
        self.taken = 0
        self.wanted_by: dict[Lane, None] = {}  # gates whose tasks could go on, in the order of their asking

    @property
    def free(self) -> int:
        """How many tasks may be handed over that can run at once, and no more than `MOST`."""
        return MOST if self.capacity is None else min(MOST, self.capacity - self.taken)

    def room(self, amounts: Mapping[Limit, float] | None) -> int:
        """How many tasks may be handed over that need such amounts of limits, for none of which anybody waits."""
        if amounts is None or self.window is None or self.window == self.capacity:
            return self.free
        spare = min(limit.spare() / weight for limit, weight in amounts.items())
        return max(self.free, int(min(MOST, self.window - self.taken, spare)))


class Admission:
    """What the tasks of a gate need of limits, and which of them have it.

    Args:
        slots: that they need, too.
        amounts: what each needs of limits; None if that follows from its arguments.
    """

    __slots__ = ("admitted", "amounts", "counted", "held", "slots")

    def __init__(self, slots: Slots, amounts: Mapping[Limit, float] | None = None) -> None:
        self.slots = slots
        self.amounts = amounts
        self.held = 0  # tasks that wait in the queue
        self.admitted: deque[Task] = deque()  # that have waited there, and go on when there is a slot
        self.counted = 0  # tasks for which slots are in use, and of limits these amounts


def settle(lanes: Lanes, gate: Lane) -> bool:
    """Give back what tasks of a gate have used that are over since the last time.

    Args:
        lanes: of the run.
        gate: that was due.

    Returns:
        Whether the slots that have come free are for other gates first; then the gate is due again, after them.
    """
    assert gate.admission is not None
    admission, slots = gate.admission, gate.admission.slots
    gate.gather()
    gate.is_due = False
    slots.wanted_by.pop(gate, None)
    over = admission.counted - gate.taken
    if not over:
        return False
    admission.counted = gate.taken
    slots.taken -= over
    if admission.amounts is not None:
        for limit, weight in admission.amounts.items():
            limit.give_back(weight * over)
    if not slots.wanted_by:
        return False
    for other in (*slots.wanted_by, gate):  # or whose tasks had the slots before would have them for ever
        lanes.wake(other)
    slots.wanted_by.clear()
    return True


def take(
    lanes: Lanes, gate: Lane, queue: Queue[Any], now: float, most: int | None = None
) -> list[Task] | None:
    """The tasks of a gate to submit; None if those that are ready are to wait in the queue.

    Args:
        lanes: of the run.
        gate: with which all is settled.
        queue: where others wait; those who could go on have been admitted.
        now: seconds, by the clock of rates.
        most: how many of them go before those of others; None to go by their calls.
    """
    assert gate.admission is not None
    admission, slots = gate.admission, gate.admission.slots
    if admission.admitted or not gate.ready:
        batch = _take_admitted(lanes, gate, MOST if most is None else most)
    else:
        fit = _fit(admission.amounts, queue, now)
        if not fit:
            return None
        room = slots.room(admission.amounts)
        before_others = first_in_line(lanes, gate) if most is None else most
        batch = lanes.take(gate, min(fit, room, before_others)) if room > 0 else []
        if batch and admission.amounts is not None:
            for limit, weight in admission.amounts.items():
                limit.take(weight * len(batch))
    admission.counted += len(batch)
    slots.taken += len(batch)
    if gate.ready or admission.admitted:
        if batch or slots.free > 0:
            lanes.wake(gate)
        else:
            slots.wanted_by[gate] = None
    return batch


def first_in_line(lanes: Lanes, gate: Lane) -> int:
    """How many of a gate's tasks were called before those that are ready in other gates and need something of the same
    limits, as far as these are due. No gate with tasks that is among the due waits for one behind it."""
    assert gate.admission is not None
    before = None
    for other in lanes.due:
        if other.admission is not None and other is not gate and other.gather():
            ours, theirs = gate.admission.amounts, other.admission.amounts
            if ours is None or theirs is None or not ours.keys().isdisjoint(theirs):
                first = next(iter(other.ready)).id
                before = first if before is None else min(before, first)
    if before is None:
        return len(gate.ready)
    return next((n for n, task in enumerate(gate.ready) if task.id > before), len(gate.ready))


def _fit(amounts: Mapping[Limit, float] | None, queue: Queue[object], now: float) -> int:
    """How many find all free that they need, and nobody waiting for any of it before them."""
    if amounts is None or queue.has_any(amounts):
        return 0
    free = ((limit.free(now) + limit.rounding()) / each for limit, each in amounts.items())
    return int(min(MOST, min(free, default=MOST)))


def _take_admitted(lanes: Lanes, gate: Lane, most: int) -> list[Task]:
    assert gate.admission is not None
    admission = gate.admission
    batch: list[Task] = []
    while admission.admitted and len(batch) < min(most, admission.slots.free):
        task = admission.admitted.popleft()
        if task.story & NOW == READY:
            batch.append(task)
    if admission.amounts is not None:
        for task in batch:
            task.amounts = None  # from here on it is counted with all others
    lanes.hand_over(gate, batch)
    return batch


def hold(task: Task, amounts: Mapping[Limit, float], now: float) -> None:
    """A READY task waits in the queue.

    Args:
        task: of a gate.
        amounts: of limits, that it needs.
        now: seconds, by the clock of attempts.
    """
    assert task.lane.admission is not None
    task.lane.admission.held += 1
    task.is_held = True
    task.wants = amounts
    task.held_since = now


def admit(lanes: Lanes, task: Task, amounts: Mapping[Limit, float]) -> None:
    """A task that was held has all that it needs of limits."""
    gate = task.lane
    assert gate.admission is not None
    no_more_held(lanes, task)
    task.amounts = amounts
    gate.admission.admitted.append(task)
    lanes.wake(gate)


def no_more_held(lanes: Lanes, task: Task) -> None:
    """A task waits in the queue no more."""
    gate = task.lane
    assert gate.admission is not None
    gate.admission.held -= 1
    task.is_held = False
    task.wants = None
    if gate.staging is not None and gate.staging.ready:
        lanes.wake(gate.staging)


def is_waiting(task: Task) -> bool:
    """Whether a task is held in the queue; one between two attempts is held, too, and wants nothing."""
    return task.rare is not None and task.rare.wants is not None and task.story & NOW == READY


def used_by(task: Task) -> Mapping[Limit, float] | None:
    """What a task uses of limits; None for nothing."""
    if task.rare is not None and task.rare.amounts is not None:
        return task.rare.amounts
    admission = task.lane.admission
    if admission is None or not SUBMITTED <= task.story & NOW <= CANCELLING:
        return None
    return admission.amounts
