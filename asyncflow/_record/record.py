"""Keeps what happens in a run, as it happens: times and numbers, in arrays, bounded. Pure: times are handed in.

It is written to for every task, so it does as little as can be: what can be worked out later is left to `from_logs` (a
history of all) and `news` (events, for those who listen). Calls in a row from one place, inside one burst, are one
entry; that something was handed over or has ended is a number and a time in a log, in the order in which it happens.

The logs are kept in segments. The oldest is given up when those after it hold enough tasks; what is then still known
of its tasks are sums by name.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from .._core.order import own_priority
from .._core.story import place_in
from .._core.task import CallSite, Task
from .history import Ending, Site
from .segment import LOOP, PAUSE, Segment
from .stream_log import StreamLog, StreamLogs
from .sums import Earlier, Sums

_SEGMENTS: Final = 32
_SMALLEST: Final = 1024  # tasks of a segment
_CACHED: Final = 4096  # call sites that are known without being spelled out again
_LONGEST_ERROR: Final = 200  # characters
_MOST_ERRORS: Final = 1000  # of a segment; of more, all that is kept is the class
_MOST_WORKERS: Final = 1 << 16


class Record:
    """What has happened in one run.

    Its logs are written through its methods, and read by `from_logs`, `news` and `sums`.

    Args:
        limit: for how many tasks there are to be rows.
        began: when the run began; all other times are by the same clock, in seconds.
    """

    __slots__ = (
        "_cached",
        "_held_since",
        "_sums",
        "began",
        "dropped",
        "edges",
        "giving_up",
        "last",
        "limit",
        "names",
        "planning",
        "readers",
        "running",
        "segment",
        "segments",
        "size",
        "streams",
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
        self.readers: list[Callable[[], None]] = []
        """Called before a segment is left, by those who read the logs bit by bit."""
        self.planning = 0.0
        self.names = ["", "the event loop"]
        self.workers: dict[str, int] = {"": 0, "the event loop": LOOP}
        self.running: dict[int, tuple[float, str]] = {}
        self.dropped = 0
        self._sums = Sums()
        self.streams = StreamLogs()
        self.giving_up: Iterator[None] | None = None
        self._cached: dict[object, tuple[Any, ...]] = {}
        self._held_since: float | None = None
        self.edges: dict[int, Sequence[Task]] = {}
        """Calls that wait for others, and for what: whoever makes a call puts it here, until the next pause."""
        self._begin_segment(1, began)

    # -- calls --------------------------------------------------------------------------------------------

    def turn(self, number: int, site: CallSite, block: Task | None, now: float) -> None:
        """A call is made elsewhere than the one before, or is the first of a burst or of a segment.

        Args:
            number: of the task.
            site: where it is called.
            block: inside of which; None outside of any.
            now: the time.
        """
        if self._held_since is None:
            self._held_since = now
        segment = self.segment
        # What was adopted for a call may be there before it.
        at = bisect_right(segment.turn_id, number)
        segment.turn_id.insert(at, number)
        segment.turn_site.insert(at, self._number(site, block))
        segment.turn_block.insert(at, 0 if block is None else block.id)
        segment.turn_at.insert(at, now)

    def moved(self, task: Task) -> None:
        """The last call was made on somebody's behalf; those that follow from there, too."""
        segment = self.segment
        if segment.turn_id and segment.turn_id[-1] == task.id:
            segment.turn_site[-1] = self._number(task.site, task.owner)

    def ordered(self, task: Task) -> None:
        """Of what it waits for, the last few give it no value."""
        self.segment.order_id.append(task.id)
        self.segment.order_n.append(len(task.after))

    def items(self, log: StreamLog, first: int, many: int, index: int) -> None:
        """Calls in a row were made for items in a row of a stream, since the event loop had its turn.

        Args:
            log: of the stream.
            first: number of the first task.
            many: how many.
            index: of its item.
        """
        segment = self.segment
        segment.item_id.append(first)
        segment.item_n.append(many)
        segment.item_stream.append(log.number)
        segment.item_at.append(index)
        if self.tells:
            self.streams.moved[log.number] = log

    def stream_ended(self, log: StreamLog) -> None:
        """The reader of a stream has gone."""
        self.streams.ended(log)
        if self.tells:
            self.streams.moved[log.number] = log

    def void(self, task_id: int) -> None:
        """The call was not taken."""
        self.segment.voids.add(task_id)

    def alias(self, task_id: int, makers: Sequence[int], *, is_optional: bool = False) -> None:
        """It is no task, but a file that one makes, or goes by how tasks end.

        Args:
            task_id: its number.
            makers: what waits for it waits for these, which may be aliases themselves.
            is_optional: whether that runs also if these give no value.
        """
        self.segment.aliases[task_id] = tuple(makers)
        if is_optional:
            self.segment.optional.add(task_id)

    def pause(self, last: int, now: float) -> None:
        """Code that has made calls has given the event loop back.

        Args:
            last: number of the last call.
            now: the time.
        """
        if self._held_since is not None:
            self.planning += now - self._held_since
            self._held_since = None
        self.last = last
        if self.edges:
            segment, all_of_them = self.segment, self.edges.values()
            # fromlist costs two thirds of extend
            segment.edge_id.fromlist(list(self.edges))
            segment.edge_n.fromlist(list(map(len, all_of_them)))
            segment.edges.fromlist([each.id for dependencies in all_of_them for each in dependencies])
            self.edges = {}

    def _number(self, called: CallSite, block: Task | None) -> int:
        segment, lane = self.segment, called.lane
        # Of the definition no more is told and kept than this: it may hold much, and is let go.
        name, kind = called.definition.name, called.definition.kind
        detached = called.definition.options.detached
        priority = own_priority(called.definition, block)
        key = name, kind, id(called.code), called.at, id(lane), called.workflow, detached, priority
        cached = self._cached.get(key)
        if cached is None:
            runs_in = lane
            while runs_in.leads_to is not None:
                runs_in = runs_in.leads_to
            slots = runs_in if runs_in.admission is None else runs_in.admission.slots
            limit = "" if slots.capacity is None else slots.limit
            where = place_in(called.code, called.at)
            site = Site(name, kind, runs_in.place, limit, where, called.workflow, detached, priority)
            if len(self._cached) >= _CACHED:
                self._cached.clear()
            # with what the key speaks of by its id, so that it stays what it is
            cached = self._cached[key] = site, called.code, lane
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
        if worker not in self.workers:
            self._hire(worker)
        self.running[task_id] = now, worker
        if self.tells:
            self.segment.begun.append((task_id, now, worker))

    def admitted(self, task_id: int, since: float, now: float) -> None:
        """A task has all that it needs of limits, and has waited for that since then."""
        self.segment.admitted.append((task_id, since, now))

    def attempt_failed(self, task_id: int, now: float, error: str, delay: float) -> None:
        """An attempt has failed, and another is to follow after a delay. If that succeeds, `over` is to be told."""
        self.segment.tried.append((task_id, now, _shortened(error), float(delay)))

    # -- on the event loop --------------------------------------------------------------------------------

    @property
    def ran_on_loop(self) -> tuple[Callable[[int], None], Callable[[float], None]]:
        """Two functions, of which one takes the number of a task whose body has run on the loop since the one before it
        was over, and the other takes when that was. They are the same for the whole run: each body on the loop comes by
        there, and a look for the segment would cost as much again."""
        return self.segment.loop_id.append, self.segment.loop_at.append

    def paused(self, now: float) -> None:
        """The next body on the loop begins now, and not when the one before it was over."""
        self.segment.loop_id.append(PAUSE)
        self.segment.loop_at.append(now)

    @property
    def loop_since(self) -> float:
        """When the body on the loop began that is not over yet."""
        return self.segment.loop_at[-1]

    @property
    def last_on_loop(self) -> float:
        """When the body began that was the last to be over on the loop."""
        return self.segment.loop_at[-2]

    def body_ended(self, task_id: int) -> None:
        """The body of a block is over on the event loop, as the log there tells; the block is not."""
        self.running.pop(task_id, None)

    def _hire(self, worker: str) -> None:
        self.workers[worker] = len(self.names) if len(self.names) < _MOST_WORKERS else 0
        if len(self.names) < _MOST_WORKERS:
            self.names.append(worker)

    def loading(self, task_id: int, since: float) -> None:
        """A worker was being made ready for a task since then."""
        self.segment.loading.append((task_id, since))

    def stopped(self, task_id: int, now: float) -> None:
        """Work has stopped of which nobody has told when it ran; if it had begun, it ran until now."""
        began = self.running.pop(task_id, None)
        if began is not None:
            self.ran([task_id], [(began[0], now, began[1])], now)

    def ran(self, task_ids: list[int], runs: Sequence[tuple[float, float, str]], now: float) -> None:
        """Workers have run tasks.

        Args:
            task_ids: their numbers.
            runs: of each when it began, when it ended, and which worker it was.
            now: the time at which that was heard.
        """
        if not runs:
            return
        segment = self.segment
        began, ended, workers = zip(*runs, strict=True)
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

    def over(self, task_id: int, now: float) -> None:
        """A task has its value later than its work was done."""
        self.segment.late_id.append(task_id)
        self.segment.late_at.append(now)

    def service_ended(self, task_id: int, now: float, how: str) -> None:
        """A service that a task has started has ended, in words how."""
        self.segment.services.append((task_id, now, _shortened(how)))

    def kept(self, task_id: int, node: str, size: int) -> None:
        """The result of a task stays where it was made."""
        self.segment.kept.append((task_id, node, size))

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
        why = Ending(_shortened(error), roots[1:])
        if len(segment.whys) >= _MOST_ERRORS and why not in segment.whys:
            why = Ending(error.partition(":")[0], ())
        segment.bad_why.append(segment.whys.setdefault(why, len(segment.whys)))

    def labelled(self, task_id: int, label: str) -> None:
        """A task has a label: it gave no value, or this was given to the call alone."""
        self.segment.labels[task_id] = label

    # -- bounds -------------------------------------------------------------------------------------------

    @property
    def is_full(self) -> bool:
        """Whether the segment has enough tasks."""
        return self.last - self.segment.first >= self.size

    def go_on(self, live: Mapping[int, Task]) -> None:
        """Begin another segment, and begin to give up old ones if there are enough without them.

        Args:
            live: tasks that are not over.
        """
        for read in list(self.readers):
            read()
        segment = self.segment
        segment.unstopped = [task_id for task_id in segment.bad_id if task_id in live]
        for task_id in [each for each in self.running if each not in live]:
            del self.running[task_id]  # ended on the loop, where nobody looks in here
        self._begin_segment(self.last + 1, segment.loop_at[-1])
        if self.giving_up is None:
            self.giving_up = self._give_up(live)
            self.work_off()

    def _give_up(self, live: Mapping[int, Task]) -> Iterator[None]:
        segments = self.segments
        while len(segments) > 1 and self.last - segments[1].first + 1 >= self.limit:
            many = yield from self._sums.give_up(segments, live)
            self.dropped += many
            del segments[0]

    def work_off(self) -> None:
        """Give up some more, if there is anything to give up."""
        if self.giving_up is not None and next(self.giving_up, self) is self:
            self.giving_up = None

    def settle(self) -> None:
        """Give up all that is to be given up, for somebody who wants to know."""
        while self.giving_up is not None:
            self.work_off()

    def _begin_segment(self, first: int, loop_at: float) -> None:
        segment = Segment(first)
        if self.segments:
            before = self.segments[-1]
            # Whoever notes what runs on the loop goes on with the lists that it knows.
            before.loop_id, segment.loop_id = before.loop_id[:], before.loop_id
            before.loop_at, segment.loop_at = before.loop_at[:], before.loop_at
            del segment.loop_id[:], segment.loop_at[:]
        self.segment = segment
        self.segments.append(segment)
        # Not now: a body may be under way on the loop, which began when the one before it had ended.
        segment.loop_id.append(PAUSE)
        segment.loop_at.append(loop_at)

    def earlier(self, live: Mapping[int, Task]) -> Earlier:
        """What is known of tasks that have no row any more.

        Args:
            live: tasks that are not over.
        """
        return self._sums.snapshot(live)


def _shortened(error: str) -> str:
    return error if len(error) <= _LONGEST_ERROR else error[:_LONGEST_ERROR] + "..."
