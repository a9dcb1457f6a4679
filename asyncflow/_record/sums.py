"""Adds up what is known of tasks whose segment is given up. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from itertools import chain, compress, islice, takewhile
from operator import sub
from typing import Final, NamedTuple, TypeVar

from .._core.states import NOW, STATES, SUCCEEDED
from .._core.task import Task
from .history import Totals
from .segment import Segment, ends

_NAMES: Final = 10_000
_AT_ONCE: Final = 1000  # tasks that are added up in one step, of half a millisecond
_LOOKED_AT: Final = 4 * _AT_ONCE  # of whom there is mostly nothing to note
OTHERS: Final = "(others)"
"""Stands for the names that are too many."""

T = TypeVar("T")
_Known = dict[str, tuple[dict[str, int], float, float]]


class Sums:
    """By name, of tasks that have no row any more: how many ended how, and how long they ran."""

    __slots__ = ("_known", "_stragglers", "_unstopped")

    def __init__(self) -> None:
        self._known: _Known = {}
        self._stragglers: dict[int, str] = {}  # names of those whose end is still to be counted
        self._unstopped: dict[int, str] = {}  # of those whose end is counted, and whose work went on after it

    def give_up(self, segments: Sequence[Segment], live: Mapping[int, Task]) -> Generator[None, None, int]:
        """Add up what the first segment tells, a part at a time, and keep the names of its calls that end later.

        Args:
            segments: all, the oldest first; more than one.
            live: tasks that are not over when this begins.

        Returns:
            How many tasks were called in it.
        """
        segment, following = segments[0], segments[1].first
        # What has run may yet be told to have failed: by what a block returned, by files, or because all this came
        # between the one and the other.
        told_later = {task_id for each in segments[1:] for task_id in (*each.bad_id, *each.late_id)}
        told_later.update(takewhile(following.__gt__, live))  # in the order of their calls
        going = _GivenUp(self, segment, told_later)
        for part in _parts(_told(segment)):
            for task_id, state in part:
                going.take(task_id, state, 0.0)
            yield
        for ids, runs in _runs(segment):
            going.take_runs(ids, runs)
            yield
        stragglers, ended, names = self._stragglers, going.ended, going.names
        for task_id in ended.intersection(segment.unstopped):
            self._unstopped[task_id] = names.of(task_id) if task_id >= segment.first else stragglers[task_id]
        for task_id in stragglers.keys() & ended:
            del stragglers[task_id]
        for begin in range(segment.first, following, _LOOKED_AT):
            others = sorted({*range(begin, min(begin + _LOOKED_AT, following))} - ended - going.gone)
            stragglers.update(zip(others, names.of_all(others), strict=True))
            yield
        return following - segment.first - len(going.gone)

    def of_other(self, task_id: int, run: float) -> str | None:
        """The name of a task of an earlier segment, if its end is still to be counted; else its run counts alone."""
        name = self._stragglers.get(task_id)
        if name is None:
            self.count(self._unstopped.pop(task_id, None), 0, run)
        return name

    def count(
        self, name: str | None, state: int, run: float, longest: float | None = None, many: int = 1
    ) -> None:
        """Add tasks of one name.

        Args:
            name: None if it is not known.
            state: in which they ended; 0 if that is not to be counted now.
            run: for how long they ran, all together, in seconds.
            longest: the longest of these runs; None if it is one.
            many: how many they are.
        """
        if name is not None:
            _count(self._known, name, state, run, run if longest is None else longest, many)

    def snapshot(self, live: Mapping[int, Task]) -> Earlier:
        """What is known now.

        Args:
            live: tasks that are not over.
        """
        stand = {task_id: live[task_id].story & NOW for task_id in self._stragglers.keys() & live.keys()}
        return Earlier(_copied(self._known), dict(self._stragglers), dict(self._unstopped), stand)


class Earlier(NamedTuple):
    """What was known at a moment of tasks that have no row any more, and of which segments that follow may tell more.

    Args:
        known: their sums by name.
        stragglers: names of those whose end is still to be counted, by number.
        unstopped: of those whose end is counted, and whose work went on after it.
        stand: the states of stragglers that were not over.
    """

    known: _Known
    stragglers: dict[int, str]
    unstopped: dict[int, str]
    stand: dict[int, int]

    def totals(self, segments: Iterable[Segment]) -> dict[str, Totals]:
        """By name, those included that are not over, as they stand.

        Args:
            segments: those that were not given up.
        """
        sums, names = _copied(self.known), self.unstopped | self.stragglers
        if names:
            states: dict[int, int] = {}
            for segment in segments:
                for task_id, state, run in _ends_of(segment, names):
                    _count(sums, names[task_id], 0, run, run, 1)
                    states[task_id] = max(states.get(task_id, 0), state)  # what failed has run before that
            for task_id, name in self.stragglers.items():
                _count(sums, name, self.stand.get(task_id, states.get(task_id, 0)), 0.0, 0.0, 1)
        return {name: Totals(*known) for name, known in sums.items()}


def _ends_of(segment: Segment, wanted: Mapping[int, str]) -> Iterator[tuple[int, int, float]]:
    """What a segment tells of the ends of some tasks, which mostly is nothing."""
    ids = chain(segment.ran_id, segment.loop_id, segment.bad_id, segment.late_id)
    if not wanted.keys().isdisjoint(ids):
        yield from (told for told in ends(segment) if told[0] in wanted)


def _copied(known: _Known) -> _Known:
    return {name: (dict(states), total, longest) for name, (states, total, longest) in known.items()}


def _count(known: _Known, given: str, state: int, run: float, longest_run: float, many: int) -> None:
    name = given if given in known or len(known) < _NAMES else OTHERS
    states, total, longest = known.get(name, ({}, 0.0, 0.0))
    if state:
        word = STATES[state - 1].name
        states[word] = states.get(word, 0) + many
    known[name] = states, total + run, max(longest, longest_run)


class _GivenUp:
    """A segment while it is given up.

    Args:
        sums: to which it is added.
        segment: which.
        told_later: its tasks of whose end more is told in later segments, or may be.
    """

    def __init__(self, sums: Sums, segment: Segment, told_later: set[int]) -> None:
        self._sums = sums
        self._stragglers = sums._stragglers
        self._first = segment.first
        self._told = {*segment.bad_id, *segment.late_id, *(each[0] for each in segment.tried)}
        self._told_later = told_later
        self.gone = segment.voids | segment.aliases.keys()
        self._odd = self._told | self._told_later | self.gone
        self.names = _Names(segment)
        self.ended: set[int] = set()

    def take(self, task_id: int, state: int, run: float) -> None:
        """Add one task that ended; or that ran only, if its state is 0."""
        if task_id in self.gone:
            return
        name = self.names.of(task_id) if task_id >= self._first else self._sums.of_other(task_id, run)
        if name is None:
            return
        is_open = state == SUCCEEDED and task_id in self._told_later
        self._sums.count(name, 0 if is_open else state, run)
        if state and not is_open:
            self.ended.add(task_id)

    def take_runs(self, ids: list[int], runs: list[float]) -> None:
        """Add tasks that ran. Nearly all are over, and nothing else is told of them."""
        if min(ids) < self._first or not self._odd.isdisjoint(ids):
            plain = [(each, run) for each, run in zip(ids, runs, strict=True) if not self._took(each, run)]
            if not plain:
                return
            ids, runs = map(list, zip(*plain, strict=True))
        for name, those in _grouped(self._names_of(ids), runs):
            self._sums.count(name, SUCCEEDED, sum(those), max(those), len(those))
        self.ended.update(ids)
        if min(ids) < self._first:
            for task_id in ids:
                self._stragglers.pop(task_id, None)

    def _took(self, task_id: int, run: float) -> bool:
        is_plain = task_id not in self._odd and (task_id >= self._first or task_id in self._stragglers)
        if not is_plain:
            self.take(task_id, 0 if task_id in self._told else SUCCEEDED, run)
        return not is_plain

    def _names_of(self, ids: list[int]) -> list[str]:
        if min(ids) >= self._first:
            return self.names.of_all(ids)
        # Calls that were all made before the loop had its turn, as in a plain `for`, end in the next segment.
        if max(ids) < self._first:
            return list(map(self._stragglers.__getitem__, ids))
        return [self._stragglers[each] if each < self._first else self.names.of(each) for each in ids]


def _parts(each: Iterable[T]) -> Iterator[list[T]]:
    """Some thousand at a time."""
    rest = iter(each)
    while part := list(islice(rest, _AT_ONCE)):
        yield part


def _told(segment: Segment) -> Iterator[tuple[int, int]]:
    """Tasks of whose end more is told than that they have run, and how they ended."""
    yield from zip(segment.bad_id, segment.bad_state, strict=True)
    yield from ((task_id, SUCCEEDED) for task_id in segment.late_id)


def _runs(segment: Segment) -> Iterator[tuple[list[int], list[float]]]:
    """Tasks that have run and for how long, some thousand at a time."""
    for begin in range(0, len(segment.ran_id), _AT_ONCE):
        part = slice(begin, begin + _AT_ONCE)
        yield (
            segment.ran_id[part].tolist(),
            list(map(sub, segment.ran_ended[part], segment.ran_began[part])),
        )
    for begin in range(1, len(segment.loop_id), _AT_ONCE):  # the first is a pause
        ids, ats = (
            segment.loop_id[begin : begin + _AT_ONCE],
            segment.loop_at[begin - 1 : begin + _AT_ONCE],
        )
        runs = map(sub, ats[1:], ats)
        if any(ids):
            yield list(filter(None, ids)), list(compress(runs, ids))  # a pause is 0


def _grouped(names: list[str], runs: list[float]) -> Iterable[tuple[str, list[float]]]:
    """Runs by name."""
    if len(set(names)) == 1:
        return ((names[0], runs),)
    groups: dict[str, list[float]] = {}
    for name, run in zip(names, runs, strict=True):
        groups.setdefault(name, []).append(run)
    return groups.items()


class _Names:
    """Names of the tasks that were called in a segment, by number.

    Args:
        segment: which.
    """

    def __init__(self, segment: Segment) -> None:
        self._turns = segment.turn_id
        self._names = [site.name for site in segment.sites]
        self._sites = segment.turn_site

    def of(self, task_id: int) -> str:
        return self._names[self._sites[self._turn_of(task_id)]]

    def of_all(self, ids: list[int]) -> list[str]:
        """Names of some; fast where all were called from one place, as the neighbours in a log mostly are."""
        if ids and len(set(self._sites[self._turn_of(min(ids)) : self._turn_of(max(ids)) + 1])) == 1:
            return [self.of(ids[0])] * len(ids)
        return list(map(self.of, ids))

    def _turn_of(self, task_id: int) -> int:
        return bisect_right(self._turns, task_id) - 1
