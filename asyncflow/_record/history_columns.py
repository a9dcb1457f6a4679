"""Builds a history: its columns while they are filled, and what follows from them. Pure.

Who fills them are `from_logs`, of a run that is there, and `from_events`, of one of which only a journal is left.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence, Set
from math import isnan
from typing import Any, Final

from .._core.states import CANCELLING, PENDING
from .._core.streamed import Streamed
from .history import NOT_YET, Ending, History, Site, Try
from .lazy import LazyHistory, Raw, shifted

_TIMES: Final = ("called", "staged", "submitted", "started", "finished", "over")
_NUMBERS: Final = ("site", "block", "state", "attempts", "worker", "bytes_in", "bytes_out", "stream", "item")
_AS_TOLD: Final = (
    "site", "block", "state", "worker", "bytes_in", "bytes_out", "called", "over", "stream", "item", "keys", "labels",
    "streams",
)  # fmt: skip
_BY_NUMBER: Final = ("keys", "labels", "endings", "loading", "tries", "held", "services", "kept")


class HistoryColumns:
    """The columns of a history, by row, and what else is known of tasks, by number. What they mean is said there.

    Args:
        size: how many rows.
        zero: what the clock of the columns `started` and `finished` showed when the run began. Other times are since
            then.
    """

    def __init__(self, size: int, zero: float = 0.0) -> None:
        self.size = size
        self.zero = zero
        self.sites: dict[Site, int] = {}
        self.site = array("I", [0]) * size
        self.block = array("I", [0]) * size
        self.state = array("B", [PENDING]) * size
        self.attempts = array("I", [0]) * size
        self.worker = array("H", [0]) * size
        empty = array("d", [NOT_YET]) * size
        self.called, self.submitted = empty[:], empty[:]
        self.started, self.finished, self.over = empty[:], empty[:], empty
        self.staged = array("d")
        self.bytes_in = array("Q")
        self.bytes_out = array("Q")
        self.starts = array("I", [0])
        self.dependencies = array("I")
        self.edges = array("B")
        self.stream = array("I")
        self.item = array("Q")
        self.keys: dict[int, str] = {}
        self.labels: dict[int, str] = {}
        self.streams: Sequence[Streamed] = ()
        self.endings: dict[int, Ending] = {}
        self.loading: dict[int, float] = {}
        self.tries: dict[int, list[Try]] = {}
        self.held: dict[int, list[tuple[float, float]]] = {}
        self.services: dict[int, tuple[float, str]] = {}
        self.kept: dict[int, tuple[str, int]] = {}

    def number_of(self, site: Site) -> int:
        """The number of a site in the column."""
        return self.sites.setdefault(site, len(self.sites))

    def add_edges(self, dependencies: Sequence[int], kinds: Sequence[int]) -> None:
        """Of the next row, in order: what it waits for, and the kinds of these edges."""
        self.dependencies.extend(dependencies)
        self.edges.extend(kinds)
        self.starts.append(len(self.dependencies))

    def brought(self, row: int, at: float, size: int) -> None:
        """The files of a task were there."""
        self.staged = self.staged or array("d", [NOT_YET]) * self.size
        self.staged[row] = at
        self.bytes_in = self.bytes_in or array("Q", [0]) * self.size
        self.bytes_in[row] = size

    def published(self, row: int, size: int) -> None:
        """So many bytes of what a task has made were published."""
        self.bytes_out = self.bytes_out or array("Q", [0]) * self.size
        self.bytes_out[row] = size

    def of_stream(self, row: int, stream: int, index: int) -> None:
        """A task is of an item of a stream."""
        if not self.stream:
            self.stream = array("I", [0]) * self.size
            self.item = array("Q", [0]) * self.size
        self.stream[row] = stream
        self.item[row] = index

    def given_back(self, row: int) -> None:
        """What was handed over came back, and had not begun."""
        self.attempts[row] = max(0, self.attempts[row] - 1)

    def attempt_failed(self, row: int, task_id: int, failed: Try) -> None:
        """An attempt has failed that another is to follow: what the columns tell of it they tell no more."""
        self.tries.setdefault(task_id, []).append(failed)
        if self.started[row] - self.zero <= failed.ended or isnan(self.started[row]):
            self.started[row] = self.finished[row] = NOT_YET
            self.worker[row] = 0
        if self.submitted[row] <= failed.ended:
            self.submitted[row] = NOT_YET

    def left_behind(self, row: int) -> None:
        """The work of a task went on when the run ended."""
        self.state[row] = CANCELLING
        self.over[row] = self.finished[row] = NOT_YET

    def count_from(self, zero: float) -> None:
        """All times were by one clock, and this is what it showed when the run began."""
        self.zero = zero
        for name in ("called", "staged", "submitted", "over"):
            setattr(self, name, shifted(getattr(self, name), zero))
        self.loading = {number: since - zero for number, since in self.loading.items()}
        self.tries = {number: [since(zero, each) for each in tries] for number, tries in self.tries.items()}
        self.held = {
            number: [(since - zero, until - zero) for since, until in spans]
            for number, spans in self.held.items()
        }
        self.services = {number: (at - zero, how) for number, (at, how) in self.services.items()}
        self.streams = [shifted_stream(each, zero) for each in self.streams]

    def forget(self, lost: Set[int], rows: Sequence[int]) -> None:
        """Let go of what is known by number of some tasks, and of what they wait for.

        Args:
            lost: their numbers.
            rows: of the others.
        """
        for name in _BY_NUMBER:
            known = getattr(self, name)
            setattr(self, name, {number: each for number, each in known.items() if number not in lost})
        starts, dependencies, edges = self.starts, self.dependencies, self.edges
        self.starts, self.dependencies, self.edges = array("I", [0]), array("I"), array("B")
        for row in rows:
            begin, end = starts[row], starts[row + 1]
            self.add_edges(dependencies[begin:end], edges[begin:end])

    def history(
        self,
        kept: Sequence[int],
        numbers: array[int],
        is_staged: Callable[[int], bool],
        **known: Any,
    ) -> History:
        """The history, its times in order.

        Args:
            kept: the rows that there are to be.
            numbers: of their tasks.
            is_staged: whether the files are there of a task, by number, that was not handed over.
            known: what is known of the run.
        """
        if len(kept) < self.size:
            for name in (*_TIMES, *_NUMBERS):
                if column := getattr(self, name):
                    setattr(self, name, array(column.typecode, [column[row] for row in kept]))
        made = History(
            id=numbers,
            starts=self.starts,
            dependencies=self.dependencies,
            edges=self.edges,
            endings=self.endings,
            loading=self.loading,
            tries=self.tries,
            held=self.held,
            services=self.services,
            kept=self.kept,
            **{name: getattr(self, name) for name in _AS_TOLD},
            sites=tuple(self.sites),
            **known,
        )
        raw = Raw(
            self.staged,
            self.submitted,
            self.attempts,
            self.started,
            self.finished,
            self.zero,
            is_staged,
        )
        return LazyHistory(made, raw)


def since(zero: float, failed: Try) -> Try:
    """The same attempt, its times since a moment."""
    submitted, started, finished = (
        None if time is None else time - zero for time in (failed.submitted, failed.started, failed.finished)
    )
    return failed._replace(submitted=submitted, started=started, finished=finished, ended=failed.ended - zero)


def shifted_stream(told: Streamed, zero: float) -> Streamed:
    """The same stream, its times since a moment."""
    first = None if told.first is None else told.first - zero
    return told._replace(began=told.began - zero, first=first, last=told.last - zero)
