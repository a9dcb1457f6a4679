"""Puts a scheduler through events in any order, and the oracle beside it, and compares the two after each."""

from __future__ import annotations

import dataclasses
from collections import namedtuple
from random import Random
from typing import Any

from asyncflow._core import arguments, gates
from asyncflow._core.dependents import tell_more
from asyncflow._core.gates import Admission, Slots, is_waiting
from asyncflow._core.lanes import Lane
from asyncflow._core.limits import Limit
from asyncflow._core.order import Order
from asyncflow._core.scheduler import Scheduler
from asyncflow._core.states import State
from asyncflow._core.task import Task

from .invariants import UNDECIDED, check_invariants, check_limits
from .kit import KINDS, PlainTask, Slot, adopt, definition, value_of
from .oracle import CANCELLED, SKIPPED, Oracle

Pair = namedtuple("Pair", "left right")


@dataclasses.dataclass(frozen=True, slots=True)
class Box:
    """A container that is none of Python's own."""

    label: str
    content: Any


@dataclasses.dataclass(frozen=True)
class Habits:
    """How often what happens, in parts of a hundred."""

    calls: int = 40
    fails: int = 10
    is_stopped: int = 5
    skips: int = 5
    times_out: int = 5
    is_given_back: int = 5
    tries_again: int = 5
    is_overdue: int = 3
    gates: int = 20  # calls that wait for limits first
    cancels: int = 5
    blocks: int = 25
    inside: int = 60
    returns: int = 40
    dependencies: int = 3  # at most so many a call
    chains: int = 30  # calls for the lane on which chains are submitted as a whole
    capacity: int | None = 3
    slots: int | None = 2  # of all gates together
    priorities: int | None = None  # calls that have one; None for a run that knows of none


class Metered(Limit):
    """A limit of so many a second, of which it is known when what was taken."""

    def __init__(self, drill: Drill, name: str, **options: float) -> None:
        super().__init__(name, **options)
        self._drill = drill
        self._taken: list[tuple[float, float]] = []

    def take(self, weight: float) -> None:
        super().take(weight)
        now = self._drill.now
        self._taken.append((now, weight))
        assert self.rate is not None
        for start, _ in self._taken:
            took = sum(each for at, each in self._taken if at >= start)
            assert took <= self.burst + (now - start) * self.rate / self.per + 1e-6, self


class Drill:
    """One scheduler and what happens to it.

    Args:
        random: chooses what comes next.
        size: how many calls are made.
        habits: how often what happens.
    """

    def __init__(self, random: Random, size: int, habits: Habits) -> None:
        self.random = random
        self.size = size
        self.habits = habits
        self.scheduler = Scheduler()
        self.oracle = Oracle()
        self.block_lane = Lane("the event loop")
        self.chain_lane = Lane("backend 'chains'", links=True)
        self.plain_lanes = [
            Lane("backend 'thread'"),
            Lane("the event loop", habits.capacity, "max_coroutines"),
        ]
        self.now = 0.0  # by a clock that stands still until tokens come in
        api, memory = Limit("api", concurrency=2), Limit("memory", concurrency=3)
        calls = Metered(self, "calls", concurrency=4, rate=2, per=1, burst=3)
        self.limits = api, memory, calls
        slots = Slots(habits.slots, "workers", habits.slots and 2 * habits.slots)
        needed: list[dict[Limit, float] | None] = [None, {api: 1}, {memory: 2}, {memory: 1, api: 1}]
        needed += [{calls: 1}, {calls: 2, api: 1}]
        self.gates = [Lane("backend 'thread'", admission=Admission(slots, each)) for each in needed]
        self.lanes = [self.block_lane, self.chain_lane, *self.plain_lanes, *self.gates]
        self.queue = self.scheduler.lanes.queue
        if habits.priorities is not None:
            order = self.scheduler.order = Order(self.scheduler.live, self._waits_for_now, ageing=3.0)
            for lane in self.lanes:
                lane.put_in_order(order)
        self.waiting: dict[Task, tuple[float, int, dict[Limit, float]]] = {}  # for limits, and in which order
        self.delayed: list[Task] = []
        self.in_chains = 0
        self.dependencies: dict[Task, list[Task]] = {}
        self.tasks: dict[int, Task] = {}
        self.slots: dict[int, Slot] = {}
        self.expected: dict[int, Any] = {}  # the arguments that each is to get
        self.ended: set[int] = set()
        self.told_to_stop: set[int] = set()
        self.between: set[int] = (
            set()
        )  # given up between two attempts, when nothing but what is inside was to stop
        self.watched: set[int] = set()
        self.quiet: set[int] = set()
        self.detours = 10 * size + 10  # events left that need not bring the end nearer

    # -- the whole ----------------------------------------------------------------------------------------

    def run(self) -> None:
        """From the first call until nothing is live."""
        while len(self.tasks) < self.size:
            if self._often(self.habits.calls):
                for _ in range(self.random.choice((1, 1, 2, 5))):  # also bursts, in which chains grow
                    self._happens(self._call)
            else:
                self._happens(self._anything())
        while self.scheduler.live:
            self._happens(self._anything())
        self._nothing_is_left()

    def _happens(self, event: Any) -> None:
        between = set(self.scheduler.retrying)
        event()
        while self.scheduler.telling:
            check_invariants(self.scheduler, self.dependencies, self.lanes)
            tell_more(self.scheduler)
        self.between |= {each for each in between if self.tasks[each].state is State.CANCELLING}
        self._collect()
        self._nobody_waits_in_vain()
        check_invariants(self.scheduler, self.dependencies, self.lanes)
        check_limits(self.scheduler, self.dependencies, self.limits, self.gates)
        self._compare()

    def _anything(self) -> Any:
        """One of the events that can happen now."""
        if self._detour(self.habits.cancels):
            return self._cancel
        if self._detour(3):
            return self._watch
        if self._detour(5):
            return self._comes_at_any_time
        if self._detour(2):
            return self._more_is_allowed
        possible = []
        if self.queue.wakes_at is not None:
            possible.append(self._tokens_come_in)
        if self.scheduler.lanes.due:
            possible.append(self._take)
        if self.scheduler.returned:
            possible.append(self._resolve)
        if self.delayed:
            possible.append(self._again)
        if self._in_hands():
            possible += [self._report, self._report]
        assert possible or not self.scheduler.live, "some tasks can never end"
        return self.random.choice(possible) if possible else self._call

    def _often(self, percent: int) -> bool:
        return (
            self.random.randrange(100) >= 100 - percent
        )  # zeros, to which Hypothesis shrinks, are the plain run

    def _detour(self, percent: int) -> bool:
        if self.detours and self._often(percent):
            self.detours -= 1
            return True
        return False

    # -- events -------------------------------------------------------------------------------------------

    def _call(self) -> None:
        bodies = [task for task in self.tasks.values() if task.definition.is_block and self._can_call(task)]
        self._call_in(self.random.choice(bodies) if bodies and self._often(self.habits.inside) else None)

    def _call_in(self, owner: Task | None) -> None:
        number = len(self.tasks) + 1
        is_block = self._often(self.habits.blocks)
        around = set(_around(owner))
        others = [each for each in self.tasks.values() if each not in around]
        undecided = [each for each in others if each.state in UNDECIDED] if self._often(70) else []
        most = 1 if is_block else self.habits.dependencies
        wanted = self.random.randrange(most + 1) if others else 0
        chosen = [self.random.choice(undecided or others) for _ in range(wanted)]
        lane = self._lane(is_block)
        last = self.tasks.get(number - 1)
        if lane is self.chain_lane and last in others and self._often(80):
            slot = self.slots[number - 1]
            args, self.expected[number] = (slot,), (slot.value,)
        else:
            args, self.expected[number] = self._arguments([self.slots[each.id] for each in chosen])
        priority = None
        if self.scheduler.order is not None:
            self.scheduler.order.passes(float(number), number - 1)
            priority = self.random.choice((-1, 1, 2.5)) if self._often(self.habits.priorities or 0) else None
        called = definition(f"f{number}", is_block=is_block, priority=priority)
        task = PlainTask(number, called, lane, args, {}, object(), owner)
        slot = self.slots[number] = Slot(f"value of {number}")
        slot.task = task
        self.tasks[number] = task
        found, task.holes, _ = arguments.scan(args, {}, KINDS, adopt)
        dependencies = [slot.task for slot in found if slot.task is not None]
        self.dependencies[task] = dependencies
        self.oracle.called(number, [each.id for each in dependencies], owner.id if owner else None)
        self.scheduler.called(task, dependencies)

    def _waits_for_now(self, task: Task) -> list[Task]:
        return [each for each in self.dependencies[task] if each.state in UNDECIDED]

    def _lane(self, is_block: bool) -> Lane:
        if is_block:
            return self.block_lane
        if self._often(self.habits.gates):
            return self.random.choice(self.gates)
        return self.chain_lane if self._often(self.habits.chains) else self.random.choice(self.plain_lanes)

    def _take(self) -> None:
        lane = self.scheduler.lanes.due.pop(self.random.randrange(len(self.scheduler.lanes.due)))
        for task in self._taken(lane):
            link: Task | None = task
            while link is not None:
                self.oracle.submitted(link.id)
                self._fill(link)
                self.in_chains += link is not task
                link = link.link

    def _taken(self, lane: Lane) -> list[Task]:
        lanes = self.scheduler.lanes
        if lane.admission is None:
            return lanes.take(lane)
        is_others_turn = gates.settle(lanes, lane)
        self._admit()
        if is_others_turn:
            return []
        is_ordered = self.scheduler.order is not None
        batch = gates.take(lanes, lane, self.queue, self.now, len(lane.ready) or 1 if is_ordered else None)
        if batch is not None:
            return batch
        most = len(lane.ready) if is_ordered else gates.first_in_line(lanes, lane)
        for task in lanes.take_to_hold(lane, most):
            weights = lane.admission.amounts
            if weights is None:
                limits = self.random.sample(self.limits, self.random.choice((1, 2)))
                weights = {limit: self.random.choice((1, 1, 2)) for limit in limits}
            priority = self.random.choice((0, 0, 1))
            self.queue.join(task, weights, priority)
            self.waiting[task] = -priority, len(self.waiting), dict(weights)
            gates.hold(task, weights, self.now)
        self._admit()
        return []

    def _admit(self) -> None:
        for admitted in self.queue.admit(self.now):
            task = admitted.what
            for other, (_, _, amounts) in self._in_line():
                assert other is not task or amounts == admitted.amounts
                if other is task:
                    break
                assert amounts != admitted.amounts, "who came later, or matters less, has been served before"
            gates.admit(self.scheduler.lanes, task, admitted.amounts)

    def _in_line(self) -> list[tuple[Task, tuple[float, int, dict[Limit, float]]]]:
        """Who waits for limits, in the order in which they are to be served."""
        there = [(task, told) for task, told in self.waiting.items() if is_waiting(task)]
        return sorted(there, key=lambda each: each[1][:2])

    def _nobody_waits_in_vain(self) -> None:
        """Nobody waits for limits who could go on without keeping somebody before them waiting."""
        if self.scheduler.lanes.due:
            return  # who waits is yet to be looked at
        claimed = dict.fromkeys(self.limits, 0.0)
        for task, (_, _, amounts) in self._in_line():
            free = {limit: limit.free(self.now) - claimed[limit] for limit in amounts}
            assert any(free[limit] < weight - 1e-6 for limit, weight in amounts.items()), (task, free)
            for limit, weight in amounts.items():
                claimed[limit] += weight

    def _tokens_come_in(self) -> None:
        """The clock jumps to when somebody who waits has all tokens that they need."""
        assert self.queue.wakes_at is not None
        self.now = max(self.now, self.queue.wakes_at)
        self._admit()

    def _more_is_allowed(self) -> None:
        limit = self.random.choice(self.limits)
        if limit.concurrency is not None and limit.concurrency < 6:
            limit.change(concurrency=limit.concurrency + 1)
            self._admit()

    def _again(self) -> None:
        task = self.delayed.pop(self.random.randrange(len(self.delayed)))
        self.scheduler.again(task, task.lane)

    def _fill(self, task: Task) -> None:
        if task.holes:
            task.args, task.kwargs = arguments.fill(task.args, task.kwargs, task.holes, Slot, value_of)
            task.holes = None
        assert task.args == self.expected[task.id]

    def _report(self) -> None:
        """Whoever has a task says something about it."""
        task = self.random.choice(self._in_hands())
        number, scheduler, oracle, habits = task.id, self.scheduler, self.oracle, self.habits
        error = ValueError(number)
        if task.definition.is_block and len(self.tasks) < self.size and self._often(habits.inside):
            if self._can_call(task):
                self._call_in(task)
            else:
                oracle.started(number)
                scheduler.started(task)
        elif task.state is State.CANCELLING:
            self._stops(task)
        elif self._can_try_again(task) and self._detour(habits.tries_again):
            oracle.tries_again(number)
            scheduler.attempt_failed(task)
            self.delayed.append(task)
        elif self._often(habits.times_out):
            oracle.timed_out(number, error)
            scheduler.timed_out(task, error)
        elif self._often(habits.fails):
            oracle.failed(number, error)
            scheduler.failed(task, error)
        elif self._often(habits.is_stopped):
            oracle.stopped(number)
            scheduler.stopped(task)
        elif self._often(habits.skips):
            oracle.skipped(number)
            scheduler.skipped(task, "no rows")
        elif task.state is State.SUBMITTED and self._detour(habits.is_given_back):
            oracle.given_back(number)
            scheduler.given_back(task)
        elif task.state is State.SUBMITTED and (task.definition.is_block or self._often(50)):
            oracle.started(number)
            scheduler.started(task)
        elif task.definition.is_block and self._often(habits.returns):
            self._return(task)
        else:
            oracle.succeeded(number)
            scheduler.succeeded(task)

    def _can_call(self, block: Task) -> bool:
        is_over = block.id in self.scheduler.retrying
        return block.state in (State.RUNNING, State.CANCELLING) and block.attempt > 0 and not is_over

    def _can_try_again(self, task: Task) -> bool:
        return (
            task.id not in self.scheduler.retrying
            and not task.lane.links
            and not task.waiting
            and task.state in (State.SUBMITTED, State.RUNNING)
        )

    def _stops(self, task: Task) -> None:
        """The end of work that nobody wants: how it is reported makes no difference."""
        way = self.random.randrange(4)
        if way == 0:
            self.oracle.given_back(task.id)
            self.scheduler.given_back(task)
        elif way == 1:
            self.oracle.failed(task.id, ValueError("too late"))
            self.scheduler.failed(task, ValueError("too late"))
        else:
            self.oracle.stopped(task.id)
            self.scheduler.stopped(task)

    def _return(self, block: Task) -> None:
        around = set(_around(block))
        others = [
            task for task in self.tasks.values() if task not in around and not self._waits_for(task, block)
        ]
        chosen = [self.random.choice(others) for _ in range(self.random.randrange(1, 4))] if others else []
        found, _ = arguments.scan_value([self.slots[task.id] for task in chosen], KINDS, adopt)
        awaited = [slot.task for slot in found if slot.task is not None]
        self.dependencies[block] = awaited
        self.oracle.returned(block.id, [task.id for task in awaited])
        self.scheduler.returned_futures(block, awaited)

    def _resolve(self) -> None:
        """All that a block returned is over, and so is the block."""
        block = self.scheduler.returned.pop()
        if block.state is not State.RUNNING:
            return  # cancelled meanwhile
        fates = self.oracle.fates
        bad = [number for number in self.oracle.facts[block.id].returned or () if fates[number].roots]
        if not bad:
            self.oracle.succeeded(block.id)
            self.scheduler.succeeded(block)
        elif fates[bad[0]].state is State.SKIPPED:
            self.oracle.skipped(block.id)
            self.scheduler.skipped(block, "none of it")
        elif self._is_cancelled(bad[0]):
            self.oracle.stopped(block.id)
            self.scheduler.stopped(block)
        else:
            error = RuntimeError(bad[0])
            self.oracle.failed(block.id, error)
            self.scheduler.failed(block, error)

    def _cancel(self) -> None:
        if self.tasks:
            task = self.random.choice(list(self.tasks.values()))
            self.oracle.cancelled(task.id)
            self.scheduler.cancel(task)

    def _watch(self) -> None:
        if self.scheduler.live:
            number = self.random.choice(list(self.scheduler.live))
            self.watched.add(number)
            self.scheduler.watched.add(number)

    def _comes_at_any_time(self) -> None:
        """News that may cross what was decided meanwhile."""
        if not self.tasks:
            return
        task = self.random.choice(self._in_chains() or list(self.tasks.values()))
        error = LookupError(task.id)
        if task.state is State.SUBMITTED and self._often(50):
            self.oracle.given_back(task.id)
            self.scheduler.given_back(task)
        elif task.state in UNDECIDED and self._often(self.habits.is_overdue):
            if task.state in (State.PENDING, State.READY):
                self.oracle.failed(task.id, error)
            else:
                self.oracle.timed_out(task.id, error)
            self.scheduler.overdue(task, error)
        elif task.state is State.READY and self._often(20):  # nothing can run it
            self.oracle.failed(task.id, error)
            self.scheduler.failed(task, error)
        elif task.state is State.CANCELLING and self._often(50):
            self.scheduler.started(task)
        else:
            self.oracle.timed_out(task.id, error)
            self.scheduler.timed_out(task, error)

    # -- what is to be compared -----------------------------------------------------------------------------

    def _collect(self) -> None:
        scheduler = self.scheduler
        scheduler.ended, ended = [], scheduler.ended
        scheduler.stop, stop = [], scheduler.stop
        scheduler.quiet, quiet = [], scheduler.quiet
        for told, tasks in ((self.ended, ended), (self.told_to_stop, stop), (self.quiet, quiet)):
            new = {task.id for task in tasks}
            assert len(new) == len(tasks) and not new & told, "told twice"
            told.update(new)

    def _compare(self) -> None:
        fates, facts = self.oracle.fates, self.oracle.facts
        for number, task in self.tasks.items():
            fate = fates[number]
            assert task.state is fate.state, (task, fate)
            assert task.attempt == facts[number].attempts
            leaves = (State.FAILED, State.SKIPPED)  # what it had started, to be stopped
            assert not task.children or not task.state.terminal or task.state in leaves
            assert sorted(task.children or ()) == sorted(fate.children), (task, fate)
            if fate.roots:
                self._compare_cause(task, fate.roots)
            else:
                assert task.cause is None, task
        no_value = {number for number, fate in fates.items() if fate.roots}
        assert self.ended == no_value
        given_up = {number for number in no_value if number in self.oracle.given_up}
        assert self.told_to_stop == given_up - self.between
        assert self.quiet == {
            number for number in self.watched if fates[number].over and not fates[number].children
        }
        assert self.scheduler.watched == self.watched - self.quiet
        returned = [block.id for block in self.scheduler.returned if block.state is State.RUNNING]
        assert sorted(returned) == [number for number in facts if self._has_all_it_returned(number)]

    def _compare_cause(self, task: Task, roots: tuple[int, ...]) -> None:
        cause = task.cause
        assert cause is not None
        assert tuple(root.task_id for root in cause.roots) == roots, task
        for root in cause.roots:
            fact = self.oracle.facts[root.task_id]
            assert root is self.tasks[root.task_id].cause
            assert (root.error, root.attempts) == (fact.error, fact.attempts_at_end)
            assert (root.skipped is not None) == (fact.end == SKIPPED)
        assert (cause.task_id, cause.name) == (task.id, task.name)

    def _has_all_it_returned(self, number: int) -> bool:
        fates, awaited = self.oracle.fates, self.oracle.facts[number].returned
        if awaited is None or fates[number].state is not State.RUNNING:
            return False
        return all(fates[each].decided for each in awaited)

    def _nothing_is_left(self) -> None:
        self.scheduler.returned.clear()  # blocks that were cancelled meanwhile
        while self.scheduler.lanes.due:
            assert self._taken(self.scheduler.lanes.due.pop()) == []
        assert not len(self.queue) and not any(limit.used for limit in self.limits)
        assert not self.scheduler.closing and not self.scheduler.watched
        for lane in self.lanes:
            assert lane.taken == 0 and not lane.ready
            assert lane.admission is None or lane.admission.held == lane.admission.slots.taken == 0
        for task in self.tasks.values():
            assert not task.children and task.state.terminal

    # -- the graph ----------------------------------------------------------------------------------------

    def _in_hands(self) -> list[Task]:
        """Those of which a report will come; not blocks that wait for what they returned, nor what stands in a
        chain behind something that still runs."""
        facts, fates = self.oracle.facts, self.oracle.fates
        there = []
        in_chains = set(self._in_chains())
        for number, task in self.scheduler.live.items():
            waits = facts[number].returned is not None or task in in_chains
            if facts[number].in_hands and (fates[number].decided or not waits):
                there.append(task)
        return there

    def _in_chains(self) -> list[Task]:
        return [
            task
            for task in self.scheduler.live.values()
            if task.state is State.SUBMITTED
            and any(each.state in UNDECIDED for each in self.dependencies[task])
        ]

    def _is_cancelled(self, number: int) -> bool:
        fate = self.oracle.fates[number]
        return all(self.oracle.facts[root].end in (CANCELLED, SKIPPED) for root in fate.roots)

    def _waits_for(self, task: Task, block: Task) -> bool:
        """Whether a task's end may hang on that of a block."""
        seen, queue = {task.id}, [task.id]
        while queue:
            fact = self.oracle.facts[queue.pop()]
            if fact.number == block.id:
                return True
            new = {*fact.dependencies, *(fact.returned or ())} - seen
            seen |= new
            queue.extend(new)
        return False

    def _arguments(self, slots: list[Slot]) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """Arguments with futures somewhere inside, and as they have to arrive."""
        pairs = [self._nest(slot, slot.value) for slot in slots]
        if self._often(30):
            pairs.insert(self.random.randrange(len(pairs) + 1), ([1, "two"], [1, "two"]))
        return tuple(given for given, _ in pairs), tuple(wanted for _, wanted in pairs)

    def _nest(self, given: Any, wanted: Any) -> tuple[Any, Any]:
        for _ in range(self.random.choice((0, 0, 0, 1, 2, 3))):
            match self.random.randrange(8):
                case 0:
                    given, wanted = [given, None], [wanted, None]
                case 1:
                    given, wanted = (0, given), (0, wanted)
                case 2:
                    given, wanted = {"key": given}, {"key": wanted}
                case 3:
                    given, wanted = Pair(given, []), Pair(wanted, [])
                case 4:
                    given, wanted = Box("box", given), Box("box", wanted)
                case 5 if isinstance(given, Slot):
                    given, wanted = {given, 1}, {wanted, 1}
                case 6 if isinstance(given, Slot):
                    given, wanted = {given: 1}, {wanted: 1}
                case _:
                    given, wanted = [[given], given], [[wanted], wanted]
        return given, wanted


def _around(task: Task | None) -> list[Task]:
    around = []
    while task is not None:
        around.append(task)
        task = task.owner
    return around
