"""Adds up what is known of tasks whose segment is given up. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Generator, Mapping, Sequence
from itertools import takewhile
from typing import Final

from .history import Totals
from .segment import Segment, ends
from .states import NOW, STATES, SUCCEEDED
from .task import Task

_NAMES: Final = 10_000
_AT_ONCE: Final = 4000  # tasks: some milliseconds, in which nothing else has its turn
OTHERS: Final = "(others)"
"""Stands for the names that are too many."""

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
        names, stragglers = _Names(segment), self._stragglers
        gone = segment.voids | segment.aliases.keys()
        # What has run may yet be told to have failed: by what a block returned, by files, or because all this came
        # between the one and the other.
        told_later = {task_id for each in segments[1:] for task_id in (*each.bad_id, *each.late_id)}
        told_later.update(takewhile(following.__gt__, live))  # in the order of their calls
        ended = set()
        for number, (task_id, state, run) in enumerate(ends(segment)):
            if not number % _AT_ONCE:
                yield
            if task_id in gone:
                continue
            name = names.of(task_id) if task_id >= segment.first else stragglers.get(task_id)
            if name is None:
                _count(self._known, self._unstopped.pop(task_id, None), 0, run)
                continue
            is_open = state == SUCCEEDED and task_id in told_later
            _count(self._known, name, 0 if is_open else state, run)
            if state and not is_open:
                ended.add(task_id)
        for task_id in ended.intersection(segment.unstopped):
            self._unstopped[task_id] = names.of(task_id) if task_id >= segment.first else stragglers[task_id]
        for task_id in ended:
            stragglers.pop(task_id, None)
        for task_id in range(segment.first, following):
            if not task_id % _AT_ONCE:
                yield
            if task_id not in ended and task_id not in gone:
                stragglers[task_id] = names.of(task_id)
        return following - segment.first - len(gone)

    def totals(self, segments: Sequence[Segment], live: Mapping[int, Task]) -> dict[str, Totals]:
        """By name, those included that are not over, as they stand.

        Args:
            segments: those that were not given up.
            live: tasks that are not over.
        """
        sums: _Known = {name: (dict(known[0]), known[1], known[2]) for name, known in self._known.items()}
        if self._stragglers or self._unstopped:
            states: dict[int, int] = {}
            for segment in segments:
                for task_id, state, run in ends(segment):
                    name = self._stragglers.get(task_id, self._unstopped.get(task_id))
                    if name is not None:
                        _count(sums, name, 0, run)
                        states[task_id] = max(
                            states.get(task_id, 0), state
                        )  # what failed has run before that
            for task_id, name in self._stragglers.items():
                task = live.get(task_id)
                _count(sums, name, states.get(task_id, 0) if task is None else task.story & NOW, 0.0)
        return {name: Totals(*known) for name, known in sums.items()}


def _count(sums: _Known, given: str | None, state: int, run: float) -> None:
    if given is None:
        return
    name = given if given in sums or len(sums) < _NAMES else OTHERS
    states, total, longest = sums.get(name, ({}, 0.0, 0.0))
    if state:
        word = STATES[state - 1].name
        states[word] = states.get(word, 0) + 1
    sums[name] = states, total + run, max(longest, run)


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
        return self._names[self._sites[bisect_right(self._turns, task_id) - 1]]
