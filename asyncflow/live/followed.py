"""How a run stands, counted from the events that it tells. Pure: times are handed in."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from heapq import nsmallest
from typing import Final

from .._core.states import FAILED, STATES, SUCCEEDED, State
from .._record.lines import Written
from .._record.tally import Counted
from .._show.words import counted
from ..events import (
    EventsLost,
    RunBegan,
    RunEnded,
    StreamBegan,
    StreamCounted,
    TaskAttemptFailed,
    TaskCalled,
    TaskEnded,
    TaskReturned,
    TaskStarted,
    TaskSubmitted,
)
from .eta import Eta, Left, Measured, by_work
from .progress import LEFT_OUT, Failure, Function, Items, Progress, Slow

_LATELY: Final = 10.0  # seconds over which a rate is taken
_FAILURES: Final = 100
_SLOW: Final = 3
_STREAMS: Final = 10
_NUMBERS: Final = {state.value: number for number, state in enumerate(STATES, 1)}


class CountsOfEvents:
    """Counts what events tell.

    Args:
        began: the first of them.
    """

    def __init__(self, began: RunBegan) -> None:
        self._began = began
        self._functions: dict[str, Counted] = {}
        self._names: dict[int, str] = {}  # of what is not over
        self._labels: dict[int, str] = {}  # of what is not over, and has one
        # Of what may be over, since events were lost after the last that told of it; None where its call was.
        self._lost: dict[int, str | None] = {}
        self._lacks = False
        self._running: dict[int, tuple[float, str]] = {}
        self._failures: deque[Failure] = deque(maxlen=_FAILURES)
        self._errors: Counter[str] = Counter()
        self._streams: dict[int, Items] = {}
        self._rates: deque[tuple[float, dict[str, int]]] = deque()
        self._is_over = False
        self.last = began.time
        """The time of the last event."""

    def tell(self, event: Written) -> None:
        """Count an event."""
        self.last = max(self.last, event.time)
        if isinstance(event, TaskCalled):
            known = self._functions.get(event.name)
            if known is None:
                known = self._functions[event.name] = Counted(event.name, event.kind, event.place)
            elif known.kind in LEFT_OUT:  # as a generator, whose steps have its name
                known.kind, known.place = event.kind, event.place
            if event.id not in self._names:
                known.called += 1
                self._names[event.id] = event.name
                if event.label:
                    self._labels[event.id] = event.label
        elif isinstance(event, TaskSubmitted):
            self._found(event.id)
        elif isinstance(event, TaskStarted):
            self._found(event.id)
            if event.id in self._names:
                self._running[event.id] = event.time, event.worker
        elif isinstance(event, TaskReturned):
            self._found(event.id)
            self._running.pop(event.id, None)
        elif isinstance(event, TaskAttemptFailed):
            self._found(event.id)
            self._running.pop(event.id, None)
            if event.id in self._names:
                self._functions[self._names[event.id]].retries += 1
        elif isinstance(event, TaskEnded):
            self._ended(event)
        elif isinstance(event, StreamBegan):
            self._streams[event.stream] = Items(event.name, "item", 0, 0, 0, 0, event.total)
        elif isinstance(event, StreamCounted):
            self._counted(event)
        elif isinstance(event, EventsLost):
            self._lacks = True
            for name in self._names.values():
                self._functions[name].called -= 1
            self._lost.update(self._names)
            self._names.clear()
            self._running.clear()
        elif isinstance(event, RunEnded):
            self._is_over = True

    def _found(self, task_id: int) -> None:
        """It is known again how a task stands."""
        if not self._lacks or task_id in self._names:
            return
        name = self._lost.setdefault(task_id, None)
        if name is not None:
            self._names[task_id] = name
            self._functions[name].called += 1
            del self._lost[task_id]

    def _counted(self, event: StreamCounted) -> None:
        known = self._streams.get(event.stream)
        if known is not None:
            total = known.total if event.how in ("open", "done") else event.taken
            running = event.taken - event.over
            self._streams[event.stream] = known._replace(
                over=event.over, running=running, failed=event.failed, total=total
            )

    def _ended(self, event: TaskEnded) -> None:
        self._found(event.id)
        self._running.pop(event.id, None)
        name = self._names.pop(event.id, None)
        if name is None:
            return
        function = self._functions[name]
        function.ended[_NUMBERS[event.state]] += 1
        if event.started is not None and event.finished is not None:
            function.took(max(0.0, event.finished - event.started))
        if event.state == State.FAILED:
            self._errors[event.error.partition(":")[0]] += 1
            shown = self._shown(event.id, name)
            self._failures.append(Failure(shown, event.id, event.error.partition("\n")[0]))
        self._labels.pop(event.id, None)

    def _shown(self, task_id: int, name: str) -> str:
        """A name with the label: "trim[S17]"."""
        label = self._labels.get(task_id)
        return f"{name}[{label}]" if label else name

    # -- at one moment ------------------------------------------------------------------------------------

    def take(self, now: float) -> Progress:
        """How the run stands.

        Args:
            now: the time, in seconds since the epoch.
        """
        if self._is_over:
            now = self.last
        running = Counter(self._names[each] for each in self._running)
        rates = self._lately(now)
        totals: Counter[str] = Counter()
        for stream in self._streams.values():
            totals[stream.name] += stream.total or 0
        functions = [
            _function(each, running[name], totals.get(name), rates.get(name))
            for name, each in self._functions.items()
        ]
        return Progress(
            lasts=max(0.0, now - self._began.time),
            functions=functions,
            holds="" if self._is_over else self._held(functions),
            slowest=self._slowest(now),
            failures=list(self._failures),
            errors=self._errors.copy(),
            rate=sum(each.rate or 0.0 for each in functions if each.is_work) or None,
            eta=None if self._is_over else self._eta(functions, now),
            items=list(self._streams.values())[-_STREAMS:],
            is_over=self._is_over,
            began_at=self._began.time,
            lost=len(self._lost),
        )

    def _slowest(self, now: float) -> list[Slow]:
        kinds = {name: each.kind for name, each in self._functions.items()}
        work = (each for each in self._running.items() if kinds[self._names[each[0]]] not in LEFT_OUT)
        return [
            Slow(
                f"{self._shown(each, self._names[each])} (#{each})",
                max(0.0, now - since),
                worker or "a worker",
            )
            for each, (since, worker) in nsmallest(_SLOW, work, key=lambda each: each[1][0])
        ]

    def _held(self, functions: list[Function]) -> str:
        """Whether tasks wait for workers, who are all busy."""
        busy: Counter[str] = Counter()
        waiting: Counter[str] = Counter()
        for each in functions:
            if each.is_work:
                busy[each.place] += each.running
                waiting[each.place] += each.waiting
        for place, workers in self._began.workers.items():
            if workers is not None and waiting[place] and busy[place] >= workers:
                return (
                    f"{counted(waiting[place], 'task')} waiting, {counted(workers, 'worker')} of {place} busy"
                )
        return ""

    def _lately(self, now: float) -> dict[str, float]:
        over = {name: each.over for name, each in self._functions.items()}
        rates = self._rates
        rates.append((now, over))
        while len(rates) > 2 and rates[1][0] <= now - _LATELY:
            rates.popleft()
        then, before = (self._began.time, {}) if len(rates) == 1 else rates[0]
        had: Mapping[str, int] = before
        seconds = max(now - then, 1e-9)
        return {
            name: (many - had.get(name, 0)) / seconds
            for name, many in over.items()
            if many > had.get(name, 0)
        }

    def _eta(self, functions: list[Function], now: float) -> Eta | None:
        since = dict.fromkeys(self._functions, 0.0)
        for task_id, (began, _) in self._running.items():
            since[self._names[task_id]] += max(0.0, now - began)
        left = [
            Left(each.total - each.over, each.place, since[each.name], _measured(self._functions[each.name]))
            for each in functions
            if each.is_work
        ]
        return by_work(left, self._began.workers)


def _function(of: Counted, running: int, expected: int | None, rate: float | None) -> Function:
    done, failed, over = of.ended[SUCCEEDED], of.ended[FAILED], of.over
    if of.kind in LEFT_OUT:
        running = of.called - over
    mean = of.seconds / of.measured if of.measured else None
    where = of.name, of.kind, of.place
    return Function(*where, of.called, running, done, failed, over - done - failed, expected, mean, rate)


def _measured(of: Counted) -> Measured | None:
    return Measured(of.measured, of.seconds, of.squares) if of.measured else None
