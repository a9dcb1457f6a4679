"""Counts the tasks of a run by function, again and again: each time it reads only what the logs have gained. Pure.

A report of everything costs as much as there are tasks; this costs a few hundredths of a microsecond for each task that
has ended since the last time, and nothing to a run that nobody counts.
"""

from __future__ import annotations

from array import array
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, repeat
from operator import sub
from typing import Final, NamedTuple

from .._core.states import FAILED, STATES, SUCCEEDED
from .._core.task import Task
from .history import Site
from .record import Record
from .segment import Segment
from .sums import OTHERS

NO_WORK: Final = ("block", "awaitable")
"""Kinds of tasks that are no work of their own."""
_NAMES: Final = 10_000
_SAMPLES: Final = 128  # runs of which durations are added up each time, evenly out of all
_KEPT: Final = (
    1 << 20
)  # calls whose name stands in a column; of those before them, the names of what is not over
_TOLD: Final = 100  # failures that are told of, the latest


class Failed(NamedTuple):
    """A task that has failed.

    Args:
        id: its number.
        name: of its function, with its label if it has one: "trim[S17]".
        error: class and message.
    """

    id: int
    name: str
    error: str


class Counted:
    """The tasks of one function.

    Args:
        name: as its user wrote it.
        kind: "function", "executable", "block", "service" or "awaitable"; of several, the first that is work.
        place: where the first of them runs, in words.

    Attributes:
        called: how many calls there were.
        ended: how many ended how, by the number of the state.
        retries: attempts that have failed and that others followed.
        measured: runs whose durations were added up.
        seconds: what they took together.
        squares: the sum of their squares.
    """

    __slots__ = ("called", "ended", "kind", "measured", "name", "place", "retries", "seconds", "squares")

    def __init__(self, name: str, kind: str, place: str) -> None:
        self.name = name
        self.kind = kind
        self.place = place
        self.called = 0
        self.ended: Counter[int] = Counter()
        self.retries = 0
        self.measured = 0
        self.seconds = 0.0
        self.squares = 0.0

    @property
    def over(self) -> int:
        """How many have ended, in any way."""
        return self.ended.total()

    def took(self, seconds: float) -> None:
        """Add a run."""
        self.measured += 1
        self.seconds += seconds
        self.squares += seconds * seconds


class Tally:
    """A reader of a record, which has to be read before each of its segments is left.

    Args:
        record: of a run; what is in it already is counted as well.
        live: tasks that are not over.
    """

    def __init__(self, record: Record, live: Mapping[int, Task]) -> None:
        self._record = record
        self.functions: list[Counted] = [Counted("", "", "")]
        """By number; the first is that of what is no task."""
        self.failures: deque[Failed] = deque(maxlen=_TOLD)
        self.errors: Counter[str] = Counter()
        """How many tasks have failed, by the class of the error."""
        self._numbers: dict[str, int] = {}
        self._names = array("H")  # of the calls from `_base` on, the numbers of their functions
        self._old: dict[int, int] = {}  # of those before them that were not over
        self._bad: dict[int, tuple[int, str, str]] = {}  # have their end and are not over: error, label
        self._ran: set[int] = set()  # that have run and are not over
        self._retried: set[int] = set()  # of which an attempt has failed, and that are not over
        record.settle()
        self._base = self._told = record.segments[0].first
        self._told -= 1
        self._earlier(live)
        for segment, following in zip(record.segments, record.segments[1:], strict=False):
            self._at = _Read(segment)
            self._take(segment, following.first - 1, live)
        self._at = _Read(record.segment)
        self.read(live)

    def read(self, live: Mapping[int, Task]) -> None:
        """Count what has happened since the last time.

        Args:
            live: tasks that are not over.
        """
        segment = self._record.segment
        if self._at.segment is not segment:
            self._at = _Read(segment)
        self._take(segment, self._record.last, live)
        if len(self._names) > _KEPT:
            self._cut(live)

    def number_of(self, task_id: int) -> int:
        """The number of the function of a task; 0 if nothing is known of it."""
        at = task_id - self._base
        if 0 <= at < len(self._names):
            return self._names[at]
        return self._old.get(task_id, 0)

    # -- what was before ----------------------------------------------------------------------------------

    def _earlier(self, live: Mapping[int, Task]) -> None:
        """Count the tasks of segments that were given up."""
        earlier = self._record.earlier(live)
        states = {state.value: number for number, state in enumerate(STATES, 1)}
        for name, (ended, _, _) in earlier.known.items():
            counted = self.functions[self._number(name, "function", "")]
            for state, many in ended.items():
                counted.ended[states[state]] += many
                counted.called += many
        for task_id, name in earlier.stragglers.items():
            number = self._old[task_id] = self._number(name, "function", "")
            self.functions[number].called += 1

    # -- calls --------------------------------------------------------------------------------------------

    def _take(self, segment: Segment, last: int, live: Mapping[int, Task]) -> None:
        self._calls(segment, last)
        self._ends(segment, live)
        self._at.now(segment)

    def _calls(self, segment: Segment, last: int) -> None:
        known = self._at.sites
        for site in list(segment.sites)[len(known) :]:
            known.append(self._number_at(site))
        turns, first = segment.turn_id, self._told + 1
        turn = max(0, self._at.turn - 1)  # the last one may go on
        while first <= last:
            while turn + 1 < len(turns) and turns[turn + 1] <= first:
                turn += 1
            end = min(turns[turn + 1], last + 1) if turn + 1 < len(turns) else last + 1
            number = known[segment.turn_site[turn]] if turns and turns[turn] <= first else 0
            self._names += array("H", [number]) * (end - first)
            self.functions[number].called += end - first
            first = end
        for task_id in chain(segment.voids, segment.aliases):
            if self._told < task_id <= last:  # is no task
                self.functions[self._names[task_id - self._base]].called -= 1
                self._names[task_id - self._base] = 0
        self._told = max(self._told, last)

    def _number_at(self, site: Site) -> int:
        return self._number(site.name, site.kind, site.place)

    def _number(self, name: str, kind: str, place: str) -> int:
        number = self._numbers.get(name)
        if number is None:
            if len(self._numbers) >= _NAMES and name != OTHERS:
                return self._number(OTHERS, kind, place)
            number = self._numbers[name] = len(self.functions)
            self.functions.append(Counted(name, kind, place))
        known = self.functions[number]
        # The first of them may be of a segment that was given up, or a generator, whose steps have its name.
        if not known.place or known.kind in NO_WORK:
            known.kind, known.place = kind, place
        return number

    def _cut(self, live: Mapping[int, Task]) -> None:
        """Keep the names of the latest half of the calls, and of those before them that are not over."""
        half = len(self._names) // 2
        border = self._base + half
        open_still = set(self._bad) | self._ran | self._retried
        for task_id in open_still:
            if task_id < border and (number := self.number_of(task_id)):
                self._old[task_id] = number
        for task_id in live:  # in the order of their calls
            if task_id >= border:
                break
            if number := self.number_of(task_id):
                self._old[task_id] = number
        self._old = {each: number for each, number in self._old.items() if each in live or each in open_still}
        del self._names[:half]
        self._base = border

    # -- ends ---------------------------------------------------------------------------------------------

    def _ends(self, segment: Segment, live: Mapping[int, Task]) -> None:
        at = self._at
        ran = segment.ran_id[at.ran :].tolist()
        ran += filter(None, segment.loop_id[at.loop :])  # a pause is 0
        late = set(segment.late_id[at.late :])
        self._took(segment)
        self._take_bad(segment)
        for task_id, *_ in segment.tried[at.tried :]:
            self._retried.add(task_id)
            self.functions[self.number_of(task_id)].retries += 1
        if ran:
            self._count(self._plain(ran, late, live))
        if self._ran:
            self._ran -= late
            self._ran -= self._bad.keys()
            if over := [each for each in self._ran if each not in live]:
                self._ran.difference_update(over)
                self._count([each for each in over if each not in self._retried])
        self._count(late)
        self._retried -= late
        for task_id in [each for each in self._bad if each not in live]:
            self._is_bad(task_id, *self._bad.pop(task_id))

    def _plain(self, ran: list[int], late: set[int], live: Mapping[int, Task]) -> list[int]:
        """Of what has run, that which is over with it; nearly all."""
        odd = late | self._bad.keys() | self._retried
        is_plain = odd.isdisjoint(ran) if odd else True
        if is_plain and live.keys().isdisjoint(ran):
            return ran
        self._ran.update(each for each in ran if each in live and each not in odd)
        return [each for each in ran if each not in odd and each not in live]

    def _count(self, ids: Sequence[int] | set[int], state: int = SUCCEEDED) -> None:
        """Add tasks that have ended so."""
        if not ids:
            return
        base, names = self._base, self._names
        lowest, highest = min(ids) - base, max(ids) - base
        if lowest < 0 or highest >= len(names):
            numbers: Iterable[int] = map(self.number_of, ids)
        else:
            between = names[lowest : highest + 1]
            if between == between[:1] * len(between):  # mostly they are all of one function
                if between[0]:
                    self.functions[between[0]].ended[state] += len(ids)
                return
            numbers = map(names.__getitem__, map(sub, ids, repeat(base)))
        for number, many in Counter(numbers).items():
            if number:
                self.functions[number].ended[state] += many

    def _is_bad(self, task_id: int, state: int, error: str, label: str) -> None:
        self._retried.discard(task_id)
        self._ran.discard(task_id)
        number = self.number_of(task_id)
        if not number:
            return
        self.functions[number].ended[state] += 1
        if state == FAILED:
            self.errors[error.partition(":")[0]] += 1
            name = self.functions[number].name
            self.failures.append(Failed(task_id, f"{name}[{label}]" if label else name, error))

    def _take_bad(self, segment: Segment) -> None:
        begin = self._at.bad
        if len(segment.bad_id) == begin:
            return
        whys = list(segment.whys)
        parts = segment.bad_id[begin:], segment.bad_state[begin:], segment.bad_why[begin:]
        for task_id, state, why in zip(*parts, strict=True):
            self._bad[task_id] = state, whys[why].error, segment.labels.get(task_id, "")

    def _took(self, segment: Segment) -> None:
        """Add some of the durations: those that are evenly out of all."""
        at = self._at
        step = 1 + (len(segment.ran_id) - at.ran) // _SAMPLES
        some = slice(at.ran, None, step)
        runs = zip(segment.ran_id[some], segment.ran_began[some], segment.ran_ended[some], strict=True)
        for task_id, began, ended in runs:
            self.functions[self.number_of(task_id)].took(ended - began)
        step = 1 + (len(segment.loop_id) - at.loop) // _SAMPLES
        for index in range(max(1, at.loop), len(segment.loop_id), step):
            if segment.loop_id[index]:
                took = segment.loop_at[index] - segment.loop_at[index - 1]
                self.functions[self.number_of(segment.loop_id[index])].took(took)


class _Read:
    """How far the logs of a segment have been read."""

    __slots__ = ("bad", "late", "loop", "ran", "segment", "sites", "tried", "turn")

    def __init__(self, segment: Segment) -> None:
        self.segment = segment
        self.turn = self.ran = self.loop = self.late = self.bad = self.tried = 0
        self.sites: list[int] = []  # numbers of functions, by those of sites

    def now(self, segment: Segment) -> None:
        self.turn = len(segment.turn_id)
        self.ran = len(segment.ran_id)
        self.loop = len(segment.loop_id)
        self.late = len(segment.late_id)
        self.bad = len(segment.bad_id)
        self.tried = len(segment.tried)
