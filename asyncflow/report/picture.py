"""A report as the subject of a picture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from heapq import nsmallest
from typing import TYPE_CHECKING, Final

from .._core.states import STATES, State
from .._record.history import OPTIONAL, ORDER
from .._show.picture import OUTSIDE, Arrow, Story, Subject
from .._show.words import listed, plain, seconds, size
from . import waits
from .outline import outline_of
from .path import Path
from .rows import NOBODY, Rows

if TYPE_CHECKING:
    from .report import Report
    from .tasks import TaskReport

_NAMED: Final = 100  # characters of names in a list
_FIRST: Final = {
    State.FAILED: 0,
    State.RUNNING: 1,
    State.CANCELLING: 1,
    State.UPSTREAM_FAILED: 2,
    State.CANCELLED: 3,
}


def subject_of(report: Report, rows: Rows, path: Path) -> Subject:
    """All tasks of a report, for a picture.

    Args:
        report: of them.
        rows: of its history.
        path: the critical one.
    """
    history, sites = rows.history, rows.history.sites
    states = [STATES[state - 1] for state in history.state]
    around = [rows.block(row) for row in range(len(rows))]

    def notable(some: Sequence[int], most: int) -> Sequence[int]:
        """Failures first, then what runs, then what took longest."""
        if len(some) <= most and len({states[row] for row in some}) == 1:
            return some
        return nsmallest(most, some, lambda row: (_FIRST.get(states[row], 4), -_ran(rows, row), row))

    return Subject(
        "Report",
        outline_of(report).title,
        history.id,
        [sites[site].name for site in history.site],
        _kinds(rows),
        [OUTSIDE if block == NOBODY or block >= row else block for row, block in enumerate(around)],
        states,
        list(_arrows(rows, around)),
        lambda row: _story(report.tasks[row]),
        lambda some: list(_summary(rows, states, some)),
        notable,
        critical=[row for row in path.rows if row >= 0],
    )


def _kinds(rows: Rows) -> list[str]:
    """Of each task; functions that items of streams go through are told apart."""
    history = rows.history
    kinds = [rows.kinds[site] for site in history.site]
    for row, stream in enumerate(history.stream):
        if stream and kinds[row] == "function":
            kinds[row] = "stream"
    return kinds


def _arrows(rows: Rows, around: Sequence[int]) -> Iterator[Arrow]:
    history = rows.history
    starts, edges = history.starts, history.edges
    for row in range(len(rows)):
        for place in range(starts[row], starts[row + 1]):
            need = rows.row(history.dependencies[place])
            if need in (NOBODY, row) or _is_inside(need, row, around):
                continue
            kind = edges[place]
            yield Arrow(need, row, "order" if kind & ~OPTIONAL == ORDER else "data", bool(kind & OPTIONAL))


def _is_inside(row: int, block: int, around: Sequence[int]) -> bool:
    while (row := around[row]) != NOBODY:
        if row == block:
            return True
    return False


def _ran(rows: Rows, row: int) -> float:
    """Seconds between start and finish; 0 if it has not run."""
    times = waits.times(rows.history, row)
    return max(0.0, times.finished - times.started)


def _story(task: TaskReport) -> Story:
    details, lines = list(_details(task)), []
    for attempt in task.tries if len(task.tries) > 1 else ():
        lines.append(
            plain(f"attempt {attempt.number}: {attempt.state.value.lower()}  {attempt.error}".rstrip())
        )
    if task.roots:
        lines.append("because of " + listed([f"#{root}" for root in task.roots], _NAMED))
    return Story(task.label, task.state.value, details, lines, task.called_at)


def _details(task: TaskReport) -> Iterator[tuple[str, str]]:
    if task.error:
        yield "error", plain(task.error, 500)
    if task.place:
        yield "runs on", task.place
    if task.worker:
        yield "worker", task.worker
    yield "took", seconds(task.seconds)
    spent = [f"{name} {seconds(spent)}" for name, spent in task.waits.items() if spent]
    if spent:
        yield "of that", listed(spent, 200)
    if task.attempts > 1:
        yield "attempts", f"{task.attempts:,}"
    for name, number in (("brought", task.bytes_in), ("published", task.bytes_out)):
        if number:
            yield name, size(number)
    if task.kept_on:
        yield "kept on", f"{plain(task.kept_on)} ({size(task.bytes_kept)})"
    if task.priority:
        yield "priority", f"{task.priority:g}"
    if task.detached:
        yield "detached", "nobody waits for it"


def _summary(rows: Rows, states: Sequence[State], some: Sequence[int]) -> Iterator[tuple[str, str]]:
    """What is known of several tasks, or of one."""
    history = rows.history
    sites = Counter(history.sites[history.site[row]] for row in some)
    yield "kind", listed(list(dict.fromkeys(site.kind for site in sites)), _NAMED)
    for name, found in (
        ("runs on", [site.place for site in sites]),
        ("called at", [site.called_at for site in sites]),
    ):
        told = [plain(each) for each in dict.fromkeys(found) if each]
        if told:
            yield name, listed(told, _NAMED)
    ran = [_ran(rows, row) for row in some if states[row] in (State.SUCCEEDED, State.FAILED)]
    if len(ran) == 1:
        yield "ran", seconds(ran[0])
    elif ran:
        yield "ran", f"{seconds(min(ran))} to {seconds(max(ran))} each, {seconds(sum(ran))} together"
    tries = sum(len(history.tries.get(history.id[row], ())) for row in some) if history.tries else 0
    if tries:
        yield "tried again", f"{tries:,} times" if tries > 1 else "once"
    errors = Counter(
        plain(history.endings[history.id[row]].error, 160)
        for row in some
        if states[row] is State.FAILED and history.id[row] in history.endings
    )
    if errors:
        told = [
            error if count == 1 else f"{error} ({count:,} times)" for error, count in errors.most_common(3)
        ]
        yield "errors", "; ".join(told) + (f"; {len(errors) - 3:,} others" if len(errors) > 3 else "")
