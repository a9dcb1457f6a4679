"""What has to come out, worked out the slow way: from the plain facts, one task after another in the order of the
calls, with no countdown, no lists of dependents and no memory of what was worked out before.

The rules, as a user could be told them:

- A task is decided when all that it depends on has ended. If a root of its dependencies' ends is a failure, it is
  UPSTREAM_FAILED; else, if one is a cancellation, CANCELLED; else, if there is any, SKIPPED; else it runs. The roots
  are told in order of their numbers.
- A chain may be submitted as a whole. What stands in it behind something that gave no value is decided at once, and
  CANCELLING until whoever has it has given it back.
- Cancelling work that is under way, or its running out of time, ends it at once for those who depend on it, but it is
  CANCELLING until it has stopped, and then CANCELLED, or FAILED if it ran out of time.
- A block that is cancelled, runs out of time or fails cancels all that it started and has not finished. One that was
  stopped is over when all of that is.
- What a block leaves unfinished when it succeeds belongs to the block around it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from asyncflow._core.states import State

SUCCEEDED, FAILED, TIMED_OUT, CANCELLED = "succeeded", "failed", "timed out", "cancelled"
SKIPPED = "skipped"


@dataclass(slots=True)
class Fact:
    """What happened to one task itself."""

    number: int
    dependencies: Sequence[int]
    parent: int | None = None  # the block in which it was called
    end: str | None = None  # its own: not one that others brought upon it
    error: BaseException | None = None
    in_hands: bool = False  # somebody has the work and has not said that it stopped
    begun: bool = False
    retrying: bool = False  # an attempt has failed, and it was not submitted again
    attempts: int = 0
    attempts_at_end: int = 0
    returned: list[int] | None = None  # of a block whose body is over: what it waits for


@dataclass(slots=True)
class Fate:
    """What follows for one task."""

    state: State
    decided: bool  # dependents need not wait for it any more
    roots: tuple[int, ...] = ()
    over: bool = False
    children: list[int] = field(default_factory=list)


class Oracle:
    """Takes what happened; tells what has to be."""

    def __init__(self) -> None:
        self.facts: dict[int, Fact] = {}
        self.given_up: set[int] = set()  # all that was ever CANCELLING
        self._fates: dict[int, Fate] | None = None

    # -- what happened ------------------------------------------------------------------------------------

    def called(self, number: int, dependencies: Sequence[int], parent: int | None = None) -> None:
        self._fates = None
        self.facts[number] = Fact(number, dependencies, parent)

    def submitted(self, number: int) -> None:
        self._fates = None
        fact = self.facts[number]
        fact.in_hands, fact.begun, fact.retrying = True, False, False
        fact.attempts += 1

    def started(self, number: int) -> None:
        self._fates = None
        self.facts[number].begun = True

    def given_back(self, number: int) -> None:
        fact = self.facts[number]
        if self.is_given_up(number):
            fact.attempts -= fact.end is not None
            self.stopped(number)
        else:
            self._fates = None
            fact.in_hands = False
            fact.attempts -= 1

    def succeeded(self, number: int) -> None:
        self._end(number, SUCCEEDED)
        self.facts[number].in_hands = False

    def failed(self, number: int, error: BaseException) -> None:
        if self.is_given_up(number):
            self.stopped(number)
            return
        self._cancel_inside(number)
        self._end(number, FAILED, error)
        self._fates = None
        self.facts[number].in_hands = False

    def skipped(self, number: int) -> None:
        if self.is_given_up(number):
            self.stopped(number)
            return
        self._cancel_inside(number)
        self._end(number, SKIPPED)
        self._fates = None
        self.facts[number].in_hands = False

    def tries_again(self, number: int) -> None:
        self._cancel_inside(number)
        self._fates = None
        fact = self.facts[number]
        fact.in_hands, fact.returned, fact.retrying = False, None, True

    def cancelled(self, number: int) -> None:
        self._cancel_inside(number)
        self._end(number, CANCELLED)

    def stopped(self, number: int) -> None:
        self.cancelled(number)
        assert self.is_given_up(number) or not self.facts[number].in_hands
        self._fates = None
        self.facts[number].in_hands = False

    def timed_out(self, number: int, error: BaseException) -> None:
        if self.fates[number].state in (State.SUBMITTED, State.RUNNING):  # also between two attempts
            self._cancel_inside(number)
            self._end(number, TIMED_OUT, error)

    def returned(self, number: int, awaited: list[int]) -> None:
        self.facts[number].returned = awaited

    def _end(self, number: int, end: str, error: BaseException | None = None) -> None:
        if not self.fates[number].decided:
            fact = self.facts[number]
            fact.end, fact.error, fact.attempts_at_end = end, error, fact.attempts
            self._fates = None

    def _cancel_inside(self, block: int) -> None:
        fates = self.fates
        for number in [number for number in self.facts if self._is_inside(number, block, fates)]:
            if not fates[number].decided:
                fact = self.facts[number]
                fact.end, fact.attempts_at_end = CANCELLED, fact.attempts
                self._fates = None

    # -- what has to be -----------------------------------------------------------------------------------

    @property
    def fates(self) -> dict[int, Fate]:
        if self._fates is None:
            self._fates = self._work_out()
        return self._fates

    def is_given_up(self, number: int) -> bool:
        return self.fates[number].state is State.CANCELLING

    def owner_of(self, number: int) -> int | None:
        """The block that it belongs to: the nearest around it that has not succeeded."""
        parent = self.facts[number].parent
        while parent is not None and self.facts[parent].end == SUCCEEDED:
            parent = self.facts[parent].parent
        return parent

    def _is_inside(self, number: int, block: int, fates: dict[int, Fate]) -> bool:
        if fates[number].over:
            return False
        owner = self.owner_of(number)
        while owner is not None and owner != block and not fates[owner].over:
            owner = self.owner_of(owner)
        return owner == block

    def _work_out(self) -> dict[int, Fate]:
        fates: dict[int, Fate] = {}
        for number, fact in self.facts.items():  # a call can depend on earlier ones only
            fates[number] = self._fate(fact, fates)
        for number in reversed(self.facts):  # what is inside a block was called after it
            fact, fate = self.facts[number], fates[number]
            given_up = fate.decided and fact.end not in (SUCCEEDED, FAILED, SKIPPED)
            if given_up and (fact.in_hands or fate.children):
                fate.state = State.CANCELLING
                if number not in self.given_up:
                    self.given_up.add(number)
                    fact.attempts -= fact.end is None  # a link in a chain that will never begin
            if fact.retrying and fate.children and not fate.decided:  # it runs until all inside has stopped
                fate.state = State.RUNNING if fact.begun else State.SUBMITTED
            fate.over = fate.state.terminal
            owner = self.owner_of(number)
            if owner is not None and not fate.over:
                fates[owner].children.append(number)
        return fates

    def _fate(self, fact: Fact, fates: dict[int, Fate]) -> Fate:
        if fact.end == SUCCEEDED:
            return Fate(State.SUCCEEDED, True)
        if fact.end == CANCELLED:
            return Fate(State.CANCELLED, True, (fact.number,))
        if fact.end == SKIPPED:
            return Fate(State.SKIPPED, True, (fact.number,))
        if fact.end is not None:
            return Fate(State.FAILED, True, (fact.number,))
        above = [fates[number] for number in fact.dependencies]
        if not all(fate.decided for fate in above):
            return Fate(State.SUBMITTED if fact.in_hands else State.PENDING, False)
        roots = tuple(sorted({root for fate in above for root in fate.roots}))
        if roots:
            return Fate(worst([self.facts[root].end for root in roots]), True, roots)
        if fact.in_hands:
            return Fate(State.RUNNING if fact.begun else State.SUBMITTED, False)
        return Fate(State.READY, False)


def worst(ends: Iterable[str | None]) -> State:
    """What a task comes to whose dependencies have such roots."""
    kinds = set(ends)
    if kinds - {CANCELLED, SKIPPED}:
        return State.UPSTREAM_FAILED
    return State.CANCELLED if CANCELLED in kinds else State.SKIPPED


def in_sequence(plan: Iterable[tuple[Sequence[int], str]]) -> Iterator[tuple[str, tuple[int, ...]]]:
    """What a plan comes to when its tasks are run one after another, each to its end.

    Args:
        plan: of each task, in order of their numbers from 0, what it depends on and how it ends if it runs.

    Returns:
        Of each task its last state, and the roots of it if it has no value.
    """
    ends: list[tuple[str, tuple[int, ...]]] = []
    own: list[str] = []
    for number, (dependencies, end) in enumerate(plan):
        own.append(end)
        roots = tuple(sorted({root for dependency in dependencies for root in ends[dependency][1]}))
        if roots:
            ends.append((worst(own[root] for root in roots), roots))
        elif end == SUCCEEDED:
            ends.append((State.SUCCEEDED, ()))
        else:
            alone = {CANCELLED: State.CANCELLED, SKIPPED: State.SKIPPED}
            ends.append((alone.get(end, State.FAILED), (number,)))
        yield ends[-1]
