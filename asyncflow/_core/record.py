"""Keeps what happens in a run, as it happens: times and numbers, in arrays, bounded. Pure: times are handed in.

It is written to for every task, so it does as little as can be: what can be worked out later is left to `rows` (a
history of all) and `news` (events, for those who listen). Calls in a row from one place, inside one burst, are one
entry; that something was handed over or has ended is a number and a time in a log, in the order in which it happens.

The logs are kept in segments. The oldest is given up when those after it hold enough tasks; what is then still known
of its tasks are sums by name.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Any, Final

from .history import Ending, Site, Totals
from .states import STATES, SUCCEEDED
from .story import called_at
from .task import Task

_SEGMENTS: Final = 32
_SMALLEST: Final = 1024  # tasks of a segment
_CACHED: Final = 4096  # call sites that are known without being spelled out again
_NAMES: Final = 10_000  # of which sums are kept
_LONGEST_ERROR: Final = 200  # characters
_MOST_ERRORS: Final = 1000  # of a segment; of more, all that is kept is the class
OTHERS: Final = "(others)"
"""Stands in sums for the names that are too many."""
_MOST_WORKERS: Final = 1 << 16
LOOP: Final = 1  # the worker that is the event loop
PAUSE: Final = 0  # in the loop's log: from here on the next one begins

_Sums = dict[str, tuple[dict[str, int], float, float]]


class Segment:
    """The logs of some thousand calls, and of what happened meanwhile to these and to earlier ones.

    Args:
        first: number of the first task.
    """

    __slots__ = (
        "aliases",
        "bad_at",
        "bad_id",
        "bad_root",
        "bad_state",
        "bad_why",
        "batch_at",
        "batch_end",
        "begun",
        "edge_id",
        "edge_n",
        "edges",
        "first",
        "late_at",
        "late_id",
        "loop_at",
        "loop_id",
        "order_id",
        "order_n",
        "published",
        "ran_began",
        "ran_ended",
        "ran_id",
        "ran_worker",
        "returned",
        "sites",
        "staged",
        "submitted",
        "taken_at",
        "taken_end",
        "turn_at",
        "turn_block",
        "turn_id",
        "turn_site",
        "voids",
        "whys",
    )

    def __init__(self, first: int) -> None:
        self.first = first
        # From this call on, calls are made here: its number, site, block, and when.
        self.turn_id = array("I")
        self.turn_site = array("I")
        self.turn_block = array("I")
        self.turn_at = array("d")
        self.sites: dict[Site, int] = {}
        # Tasks that wait for others, for how many, and for which.
        self.edge_id = array("I")
        self.edge_n = array("I")
        self.edges = array("I")
        # For how many, the last among them, without taking a value.
        self.order_id = array("I")
        self.order_n = array("I")
        # Tasks in the order in which they were handed over, and how many of them had been so by when.
        self.submitted = array("I")
        self.batch_end = array("Q")
        self.batch_at = array("d")
        # Tasks that a worker has run, and how many of these reports had been taken by when.
        self.ran_id = array("I")
        self.ran_began = array("d")
        self.ran_ended = array("d")
        self.ran_worker = array("H")
        self.taken_end = array("Q")
        self.taken_at = array("d")
        # Tasks that have run on the event loop without waiting: each began when the one before it ended.
        self.loop_id = array("I")
        self.loop_at = array("d")
        # Those that were over later than what has run them: blocks, and tasks whose files were published.
        self.late_id = array("I")
        self.late_at = array("d")
        # Those that gave no value; the first of the tasks because of which, or 0; and what else there is to say.
        self.bad_id = array("I")
        self.bad_state = array("B")
        self.bad_at = array("d")
        self.bad_root = array("I")
        self.bad_why = array("I")
        self.whys: dict[Ending, int] = {}
        # What happens to few.
        self.begun: list[tuple[int, float, str]] = []  # only if somebody listens
        self.returned: list[tuple[int, float]] = []
        self.staged: list[tuple[int, float, int]] = []
        self.published: list[tuple[int, int]] = []
        self.voids: set[int] = set()  # numbers that no task has
        self.aliases: dict[int, int] = {}  # of futures of a file: the task that makes it


class Record:
    """What has happened in one run.

    The attributes that are not methods are for whoever calls for every task; what they mean is said where they are set.

    Args:
        limit: for how many tasks there are to be rows.
        began: when the run began; all other times are by the same clock, in seconds.
    """

    __slots__ = (
        "_cached",
        "_dependencies",
        "_dependents",
        "_held_since",
        "_ran",
        "_ran_ids",
        "_stragglers",
        "add_dependencies",
        "add_dependent",
        "add_loop_at",
        "add_loop_id",
        "add_ran",
        "add_ran_id",
        "began",
        "definition",
        "dropped",
        "earlier",
        "last",
        "limit",
        "names",
        "planning",
        "running",
        "scope",
        "segment",
        "segments",
        "site",
        "site_at",
        "size",
        "tells",
        "workers",
    )

    def __init__(self, limit: int, began: float) -> None:
        self.limit = limit
        self.began = began
        self.size = max(_SMALLEST, limit // _SEGMENTS)
        self.segments: list[Segment] = []
        self.last = 0  # number of the last call
        self.tells = False  # somebody listens
        self.planning = 0.0
        self.names = ["", "the event loop"]
        self.workers: dict[str, int] = {"": 0, "the event loop": LOOP}
        self.running: dict[int, tuple[float, str]] = {}
        self.dropped = 0
        self.earlier: _Sums = {}
        self._stragglers: dict[int, str] = {}
        self._cached: dict[Any, tuple[Any, ...]] = {}
        # Where the last call was made; a call that differs in one of these takes a turn.
        self.definition: Any = None
        self.scope: Any = None
        self.site: Any = None
        self.site_at = 0
        self._held_since = 0.0
        # Calls that wait for others, and for what: until the next pause. Runs that were told: until they are taken.
        self._dependents: list[int] = []
        self._dependencies: list[Sequence[Task]] = []
        self.add_dependent = self._dependents.append
        self.add_dependencies = self._dependencies.append
        self._ran_ids: list[int] = []
        self._ran: list[tuple[float, float, str]] = []
        self.add_ran_id = self._ran_ids.append
        self.add_ran = self._ran.append
        self._begin_segment(1)

    # -- calls --------------------------------------------------------------------------------------------

    def turn(self, task: Task, scope: Any, now: float) -> None:
        """A call is made elsewhere than the one before, or is the first of a burst.

        Args:
            task: the call.
            scope: what it is made in; only compared.
            now: the time.
        """
        if self.definition is None:
            self._held_since = now
        self.definition, self.scope = task.definition, scope
        self.site, self.site_at = task.site, task.site_at
        segment = self.segment
        at = len(segment.turn_id)
        if at and task.id < segment.turn_id[-1]:  # what was adopted for it is there before it
            at = bisect_right(segment.turn_id, task.id)
            self.scope = self  # what follows is not of the place that is the last now
        segment.turn_id.insert(at, task.id)
        segment.turn_site.insert(at, self._number(task))
        segment.turn_block.insert(at, 0 if task.owner is None else task.owner.id)
        segment.turn_at.insert(at, now)

    def moved(self, task: Task) -> None:
        """The last call was made on somebody's behalf; those that follow from there, too."""
        segment = self.segment
        if segment.turn_id and segment.turn_id[-1] == task.id:
            segment.turn_site[-1] = self._number(task)

    def adopted(self, task: Task, now: float) -> None:
        """A node was made on the way; the next call takes a turn in any case."""
        self.turn(task, self, now)

    def ordered(self, task: Task) -> None:
        """Of what it waits for, the last few give it no value."""
        self.segment.order_id.append(task.id)
        self.segment.order_n.append(len(task.after))

    def void(self, task_id: int) -> None:
        """The call was not taken."""
        self.segment.voids.add(task_id)

    def alias(self, task_id: int, maker: int) -> None:
        """No task of its user's, but a file that one makes."""
        self.segment.aliases[task_id] = maker

    def pause(self, last: int, now: float) -> None:
        """Code that has made calls has given the event loop back.

        Args:
            last: number of the last call.
            now: the time.
        """
        self.planning += now - self._held_since
        self.definition = None
        self.last = last
        if self._dependents:
            segment, all_of_them = self.segment, self._dependencies
            # fromlist costs two thirds of extend
            segment.edge_id.fromlist(self._dependents)
            segment.edge_n.fromlist(list(map(len, all_of_them)))
            segment.edges.fromlist([each.id for dependencies in all_of_them for each in dependencies])
            self._dependents.clear()
            all_of_them.clear()

    def _number(self, task: Task) -> int:
        segment = self.segment
        key = id(task.definition), id(task.site), task.site_at, id(task.lane), task.workflow
        cached = self._cached.get(key)
        if cached is None:
            lane = task.lane if task.lane.leads_to is None else task.lane.leads_to
            limit = "" if lane.capacity is None else lane.limit
            site = Site(task.name, task.definition.kind, lane.place, limit, called_at(task), task.workflow)
            if len(self._cached) >= _CACHED:
                self._cached.clear()
            # with what the key speaks of by its id, so that it stays what it is
            cached = self._cached[key] = site, task.definition, task.site, task.lane
        return segment.sites.setdefault(cached[0], len(segment.sites))

    # -- what becomes of them -----------------------------------------------------------------------------

    def submitted(self, batch: Sequence[Task], now: float) -> None:
        """Tasks are handed over; what is linked to them goes with them and is not told of."""
        segment = self.segment
        segment.submitted.fromlist([task.id for task in batch])
        segment.batch_end.append(len(segment.submitted))
        segment.batch_at.append(now)

    def returned(self, task_id: int, now: float) -> None:
        """A task was given back that had not begun."""
        self.running.pop(task_id, None)
        self.segment.returned.append((task_id, now))

    def begun(self, task_id: int, now: float, worker: str) -> None:
        """A worker has begun a task."""
        self.running[task_id] = now, worker
        if self.tells:
            self.segment.begun.append((task_id, now, worker))

    def _hire(self, worker: str) -> None:
        self.workers[worker] = len(self.names) if len(self.names) < _MOST_WORKERS else 0
        if len(self.names) < _MOST_WORKERS:
            self.names.append(worker)

    def stopped(self, task_id: int, now: float) -> None:
        """Work has stopped of which nobody has told when it ran; if it had begun, it ran until now."""
        began = self.running.pop(task_id, None)
        if began is not None:
            self.add_ran_id(task_id)
            self.add_ran((began[0], now, began[1]))

    def taken(self, now: float) -> None:
        """The runs that were told up to now have been seen to."""
        if not self._ran:
            return
        segment, task_ids = self.segment, self._ran_ids
        began, ended, workers = zip(*self._ran, strict=True)
        numbers = self.workers
        for worker in set(workers) - numbers.keys():
            self._hire(worker)
        segment.ran_id.fromlist(task_ids)
        segment.ran_began.extend(began)
        segment.ran_ended.extend(ended)
        segment.ran_worker.fromlist([numbers[worker] for worker in workers])
        segment.taken_end.append(len(segment.ran_id))
        segment.taken_at.append(now)
        if self.running:
            for task_id in task_ids:
                self.running.pop(task_id, None)
        task_ids.clear()
        self._ran.clear()

    def over(self, task_id: int, now: float) -> None:
        """A task has its value later than its work was done."""
        self.segment.late_id.append(task_id)
        self.segment.late_at.append(now)

    def staged(self, task_id: int, now: float, size: int) -> None:
        """The files that a task reads are there."""
        self.segment.staged.append((task_id, now, size))

    def published(self, task_id: int, size: int) -> None:
        """The files that a task has made are where they were to go."""
        self.segment.published.append((task_id, size))

    def bad(self, task_id: int, state: int, now: float, error: str, roots: tuple[int, ...]) -> None:
        """A task gave no value.

        Args:
            task_id: number of the task.
            state: its last.
            now: the time.
            error: class and message.
            roots: because of which it did not run.
        """
        segment = self.segment
        segment.bad_id.append(task_id)
        segment.bad_state.append(state)
        segment.bad_at.append(now)
        segment.bad_root.append(roots[0] if roots else 0)
        if len(error) > _LONGEST_ERROR:
            error = error[:_LONGEST_ERROR] + "..."
        why = Ending(error, roots[1:])
        if len(segment.whys) >= _MOST_ERRORS and why not in segment.whys:
            why = Ending(error.partition(":")[0], ())
        segment.bad_why.append(segment.whys.setdefault(why, len(segment.whys)))

    # -- bounds -------------------------------------------------------------------------------------------

    @property
    def is_full(self) -> bool:
        """Whether the segment has enough tasks."""
        return self.last - self.segment.first >= self.size

    def go_on(self) -> None:
        """Begin another segment, and give up old ones if there are enough without them."""
        self._begin_segment(self.last + 1)
        while len(self.segments) > 1 and self.last - self.segments[1].first + 1 >= self.limit:
            self._give_up(self.segments[0], self.segments[1].first)
            del self.segments[0]

    def _begin_segment(self, first: int) -> None:
        segment = self.segment = Segment(first)
        self.segments.append(segment)
        self.definition = None  # its first call takes a turn
        self.add_loop_id = segment.loop_id.append
        self.add_loop_at = segment.loop_at.append
        self.add_loop_id(PAUSE)
        self.add_loop_at(self.began)

    def _give_up(self, segment: Segment, following: int) -> None:
        """Add up what is known of the calls of a segment, and keep the names of those that end later."""
        self.dropped += following - segment.first - len(segment.voids) - len(segment.aliases)
        names, ended = _Names(segment, following), set()
        for task_id, state, run in _ends(segment):
            if task_id >= segment.first:
                _count(self.earlier, names.of(task_id), state, run)
            else:  # the end of one whose end was told before, as of work that ran out of its time, counts no more
                known = self._stragglers.get(task_id)
                _count(self.earlier, known or OTHERS, state if known else 0, run)
            ended.add(task_id)
        for task_id in ended:
            self._stragglers.pop(task_id, None)
        gone = ended | segment.voids | segment.aliases.keys()
        for task_id in range(segment.first, following):
            if task_id not in gone:
                self._stragglers[task_id] = names.of(task_id)

    def totals(self) -> dict[str, Totals]:
        """Of tasks that have no row any more, by name."""
        sums: _Sums = {name: (dict(known[0]), known[1], known[2]) for name, known in self.earlier.items()}
        if self._stragglers:
            for segment in self.segments:
                for task_id, state, run in _ends(segment):
                    if task_id in self._stragglers:
                        _count(sums, self._stragglers[task_id], state, run)
        return {name: Totals(*known) for name, known in sums.items()}


def _ends(segment: Segment) -> Iterator[tuple[int, int, float]]:
    """Of each task that a segment tells the end of: its number, how it ended, and how long it ran. One that ran and
    gave no value is there twice: the second time with 0 for its state."""
    bad = set(segment.bad_id)
    for task_id, state in zip(segment.bad_id, segment.bad_state, strict=True):
        yield task_id, state, 0.0
    for task_id, began, ended in zip(segment.ran_id, segment.ran_began, segment.ran_ended, strict=True):
        yield task_id, 0 if task_id in bad else SUCCEEDED, ended - began
    before = 0.0
    for task_id, at in zip(segment.loop_id, segment.loop_at, strict=True):
        if task_id != PAUSE:
            yield task_id, 0 if task_id in bad else SUCCEEDED, at - before
        before = at


def _count(sums: _Sums, given: str, state: int, run: float) -> None:
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
        following: number of the first call after it.
    """

    def __init__(self, segment: Segment, following: int) -> None:
        self._turns = segment.turn_id
        self._names = [site.name for site in segment.sites]
        self._sites = segment.turn_site
        self._following = following

    def of(self, task_id: int) -> str:
        if task_id >= self._following:
            return OTHERS
        return self._names[self._sites[bisect_right(self._turns, task_id) - 1]]
