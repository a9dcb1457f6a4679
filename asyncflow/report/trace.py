"""A report in the Trace Event Format, which ui.perfetto.dev and chrome://tracing open.

A process there is a place where tasks run, or all blocks; a thread is a worker. What ran on one worker at the same
time, as coroutines do, is spread over several threads, because a thread has to be done with what it began last first.
Times are microseconds since the run began.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from typing import Final

from .._core.states import STATES
from .._record.history import ORDER
from .._show.words import plain
from . import waits
from .rows import NOBODY, Rows
from .tasks import bytes_of

_BLOCKS: Final = None  # stands for the place of blocks
_NOT_RUN: Final = "did not run"
_NANO: Final = 1_000_000_000


@dataclass(slots=True)
class _Slice:
    """Where a task stands: on which thread, from when to when, in nanoseconds."""

    begin: int
    end: int
    process: int = 0
    thread: int = 0


@dataclass(slots=True)
class _Worker:
    """Threads for what ran on one worker: those that are free, by number, and when the others will be.

    Args:
        process: number of its place.
        name: of the worker.
    """

    process: int
    name: str
    threads: list[int] = field(default_factory=list)
    free: list[int] = field(default_factory=list)
    taken: list[tuple[int, int]] = field(default_factory=list)

    def thread(self, begin: int, end: int, numbers: Iterable[int]) -> int:
        """One that is free from then to then, the first that there is."""
        while self.taken and self.taken[0][0] <= begin:
            heappush(self.free, heappop(self.taken)[1])
        if not self.free:
            self.threads.append(next(iter(numbers)))
            heappush(self.free, self.threads[-1])
        thread = heappop(self.free)
        heappush(self.taken, (end, thread))
        return thread


def trace(rows: Rows) -> dict[str, object]:
    """The whole trace, for `json.dump`."""
    return _Trace(rows).told()


class _Trace:
    """One trace, as it is made."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._history = rows.history
        self._numbers = count(1)
        self._processes: dict[str | None, int] = {}
        self._workers: dict[tuple[int, str], _Worker] = {}
        self._slices: dict[int, _Slice] = {}
        self._open: dict[int, list[tuple[int, int]]] = {}  # ends and rows of blocks, by thread

    def told(self) -> dict[str, object]:
        not_run = self._place_all()
        events = [self._complete(row, piece) for row, piece in self._slices.items()]
        events += [self._instant(row) for row in not_run]
        events += self._arrows()
        history = self._history
        return {
            "traceEvents": [*self._names(), *events],
            "displayTimeUnit": "ms",
            "otherData": {"run": plain(history.run), "began": history.began},
        }

    # -- where each stands ---------------------------------------------------------------------------------

    def _place_all(self) -> list[int]:
        """Give each task that ran its thread; those that did not are left."""
        not_run = []
        history = self._history
        for row in range(len(self._rows)):
            told = waits.times(history, row)
            until = told.over if self._rows.is_block(row) else told.finished
            if told.started < until or history.started[row] == told.started:
                self._slices[row] = _Slice(round(told.started * _NANO), round(until * _NANO))
            elif history.over[row] == told.over:
                not_run.append(row)
        order = sorted(self._slices.items(), key=lambda each: (each[1].begin, -each[1].end, each[0]))
        for row, piece in order:
            if self._rows.is_block(row):
                self._place_block(row, piece)
            else:
                self._place(row, piece)
        return not_run

    def _place(self, row: int, piece: _Slice) -> None:
        site = self._history.sites[self._history.site[row]]
        piece.process = self._process(site.place)
        name = self._history.names[self._history.worker[row]] or site.place
        piece.thread = self._worker(piece.process, name).thread(piece.begin, piece.end, self._numbers)

    def _place_block(self, row: int, piece: _Slice) -> None:
        """On the thread of the block around it, if nothing else is open there."""
        piece.process = self._process(_BLOCKS)
        around = self._rows.block(row)
        if (outer := self._slices.get(around)) is not None and outer.thread and piece.end <= outer.end:
            stack = self._open[outer.thread]
            while stack and stack[-1][0] <= piece.begin and stack[-1][1] != around:
                stack.pop()
            if stack and stack[-1][1] == around:
                stack.append((piece.end, row))
                piece.thread = outer.thread
                return
        worker = self._worker(piece.process, "blocks")
        piece.thread = worker.thread(piece.begin, piece.end, self._numbers)
        self._open[piece.thread] = [(piece.end, row)]

    def _process(self, place: str | None) -> int:
        return self._processes.setdefault(place, len(self._processes) + 1)

    def _worker(self, process: int, name: str) -> _Worker:
        return self._workers.setdefault((process, name), _Worker(process, name))

    # -- events --------------------------------------------------------------------------------------------

    def _complete(self, row: int, piece: _Slice) -> dict[str, object]:
        event = self._event("X", row, piece.process, piece.thread, piece.begin)
        return {**event, "dur": (piece.end - piece.begin) / 1000}

    def _instant(self, row: int) -> dict[str, object]:
        process = self._process(_BLOCKS)
        worker = self._worker(process, _NOT_RUN)
        if not worker.threads:
            worker.threads.append(next(self._numbers))
        moment = round(self._history.over[row] * _NANO)
        return {**self._event("i", row, process, worker.threads[0], moment), "s": "t"}

    def _event(self, phase: str, row: int, process: int, thread: int, moment: int) -> dict[str, object]:
        site = self._history.sites[self._history.site[row]]
        return {
            "ph": phase,
            "name": plain(site.name) or "task",
            "cat": site.kind,
            "pid": process,
            "tid": thread,
            "ts": moment / 1000,
            "args": self._args(row),
        }

    def _args(self, row: int) -> dict[str, object]:
        history = self._history
        site, told = history.sites[history.site[row]], waits.times(history, row)
        shares = waits.shares(history, row, told.called, told.over)
        args: dict[str, object] = {
            "task": history.id[row],
            "state": STATES[history.state[row] - 1].value,
            "called at": plain(site.called_at),
            "attempts": history.attempts[row],
            "seconds": shares,
        }
        if tries := history.tries.get(history.id[row]):
            args["failed attempts"] = [
                {
                    "started": each.started,
                    "failed": each.ended,
                    "worker": plain(each.worker),
                    "error": plain(each.error),
                    "delay": each.delay,
                }
                for each in tries
            ]
        if site.workflow is not None:
            args["workflow"] = plain(site.workflow)
        for name, column in (("bytes in", "bytes_in"), ("bytes out", "bytes_out")):
            if size := bytes_of(history, row, column):
                args[name] = size
        if (ending := history.endings.get(history.id[row])) is not None:
            if ending.error:
                args["error"] = plain(ending.error)
            if ending.roots:
                args["because of"] = list(ending.roots)
        return args

    def _arrows(self) -> Iterable[dict[str, object]]:
        """From the end of each dependency to the beginning of what waited for it."""
        history, numbers = self._history, count(1)
        for row, piece in self._slices.items():
            for place in range(history.starts[row], history.starts[row + 1]):
                need = self._rows.row(history.dependencies[place])
                former = None if need == NOBODY else self._slices.get(need)
                if former is None or former.begin > piece.begin:
                    continue
                # What ends at a moment is no longer open in that moment, and an arrow needs something open.
                since = min(max(former.begin, former.end - 1), piece.begin)
                name = "order" if history.edges[place] & ORDER else "data"
                both = {"name": name, "cat": "dependency", "id": next(numbers)}
                yield {**both, "ph": "s", **_at(former, since)}
                yield {**both, "ph": "f", "bp": "e", **_at(piece, piece.begin)}

    def _names(self) -> Iterable[dict[str, object]]:
        """Of processes and threads; blocks come first, then places as they were first used."""
        for place, process in self._processes.items():
            name, index = ("blocks", 0) if place is None else (plain(place), process)
            yield _named("process_name", process, 0, {"name": name})
            yield _named("process_sort_index", process, 0, {"sort_index": index})
        for worker in self._workers.values():
            for number, thread in enumerate(worker.threads, 1):
                name = plain(worker.name) + (f" ({number})" if number > 1 else "")
                yield _named("thread_name", worker.process, thread, {"name": name})
                yield _named("thread_sort_index", worker.process, thread, {"sort_index": thread})


def _at(piece: _Slice, moment: int) -> dict[str, object]:
    return {"pid": piece.process, "tid": piece.thread, "ts": moment / 1000}


def _named(name: str, process: int, thread: int, args: Mapping[str, object]) -> dict[str, object]:
    return {"ph": "M", "name": name, "pid": process, "tid": thread, "ts": 0, "args": args}
