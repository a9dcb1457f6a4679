"""The outline of a report: where the time went, in more and more detail, and what went wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from .._show.outline import Facts, Outline, Table
from .._show.words import counted, listed, name_of, plain, seconds
from .functions import Calls
from .path import LEDGER

if TYPE_CHECKING:
    from .failures import SkippedBranch
    from .report import PathStep, Report
    from .services import ServiceReport
    from .streams import ItemReport, StreamReport
    from .tasks import TaskReport
    from .view import View

_ROWS: Final = 12  # of a table
_NAME: Final = 28  # characters
_BRANCHES: Final = 5
_LISTED: Final = 98
_SLOWEST: Final = 40
_KEY: Final = 16
_CLOSE: Final = 0.0005  # what is less than this part of all is told as nothing


def outline_of(report: Report) -> Outline:
    """What is shown of a report."""
    return Outline("Report", title(report), lambda: _parts(report))


def _parts(report: Report) -> Iterator[Table | Facts]:
    if report.counts:
        notes = {
            "First failure": _failure(report),
            "Skipped": _skipped(report),
            "Tail": _tail(report),
            "Detached": _detached(report),
            "Services": _services(report),
        }
        yield Facts(_facts(report))
        yield _ledger(report)
        yield _functions(report)
        if report.streams:
            yield _streams(report)
        yield _path(report)
        yield Facts({name: note for name, note in notes.items() if note})


def title(report: Report) -> str:
    """What there is in a report: "12 tasks in 3.2 s: 11 SUCCEEDED, 1 FAILED"."""
    counts = report.counts
    told = "dry run, nothing ran: " if report.dry_run else ""
    told += f"{counted(sum(counts.values()), 'task')} in {seconds(report.total)}"
    if counts:
        told += ": " + ", ".join(f"{number:,} {state}" for state, number in counts.items())
    if report.lost:
        told += f"; at least {report.lost:,} more are not written down"
    return told if report.is_over else f"{told}; not over yet"


def not_written(report: Report) -> str:
    """What is lacking in the journal that a report was made of."""
    lacking = report._history.lost_events
    if not lacking:
        return ""
    told = f"the journal lacks {counted(lacking, 'event')}"
    return f"what became of at least {counted(report.lost, 'task')}; {told}" if report.lost else told


def _facts(report: Report) -> dict[str, str]:
    execution, planning = report.execution, report.planning
    facts = {
        "Time": f"{seconds(report.total)} in all, {seconds(planning)} planning, {seconds(execution)} execution"
    }
    if most := report.most_at_once:
        facts["Parallelism"] = f"{report.parallelism:.1f} on average, {most:,} at most"
        if (efficiency := report.efficiency) is not None:
            facts["Parallelism"] += f"; the workers were busy {_part(efficiency)} of that time"
    if report.dropped:
        facts["Not told one by one"] = counted(report.dropped, "earlier task")
    if lacking := not_written(report):
        facts["Not written down"] = lacking
    return facts


def _ledger(report: Report) -> Table:
    total = report.total
    rows = [
        (name, seconds(spent), _part(spent / total)) for name, spent in report.ledger.items() if spent > 0
    ]
    return Table("Where the time went", ("", "time", "of all"), rows, (1, 2))


def _functions(report: Report) -> Table:
    longest = sorted(report._calls.values(), key=lambda each: (-each.total, -each.count))
    rows = [_function(each) for each in longest[:_ROWS]]
    if len(longest) > _ROWS:
        rows.append((f"... {len(longest) - _ROWS:,} more", *[""] * 7))
    return Table(
        "Functions",
        ("function", "tasks", "bad", "mean", "p50", "p95", "max", "total"),
        rows,
        tuple(range(1, 8)),
    )


def _function(told: Calls) -> tuple[str, ...]:
    times = (told.mean, told.p50, told.p95, told.max, told.total if told.ran else None)
    bad = sum(told.bad.values())
    return (
        name_of(told.name, _NAME),
        f"{told.count:,}",
        f"{bad:,}" if bad else "",
        *("" if time is None else seconds(time) for time in times),
    )


def _streams(report: Report) -> Table:
    told = report.streams
    rows = [_stream(each) for each in told[:_ROWS]]
    if len(told) > _ROWS:
        rows.append((f"... {len(told) - _ROWS:,} more", *[""] * 7))
    heads = ("stream", "items", "given", "bad", "a second", "window", "first after", "slowest")
    return Table("Streams", heads, rows, tuple(range(1, 7)))


def _stream(told: StreamReport) -> tuple[str, ...]:
    of = "" if told.total is None or told.total == told.taken else f" of {told.total:,}"
    slowest = [f"{_item(each)} {seconds(each.seconds)}" for each in told.slowest]
    return (
        name_of(told.name, _NAME),
        f"{told.taken:,}{of}",
        f"{told.given:,}",
        f"{told.failed:,}" if told.failed else "",
        "" if told.rate is None else f"{told.rate:,.4g}",
        f"{told.window:,}",
        "" if told.to_first is None else seconds(told.to_first),
        listed(slowest, _SLOWEST),
    )


def _item(item: ItemReport) -> str:
    return f"{item.index:,}" + (f" ({name_of(item.key, _KEY)})" if item.key else "")


def _path(report: Report) -> Table:
    steps, total = report.critical_path, report.total
    if len(steps) <= _ROWS:
        rows = [_step(step, total) for step in steps]
    else:
        head = _ROWS * 2 // 3
        tail = _ROWS - 1 - head
        left_out = (f"... {len(steps) - head - tail:,} more", "", "", "")
        rows = [_step(step, total) for step in steps[:head]]
        rows += [left_out, *(_step(step, total) for step in steps[-tail:])]
    return Table("Critical path", ("what", "time", "of all", "spent on"), rows, (1, 2))


def _step(step: PathStep, total: float) -> tuple[str, str, str, str]:
    part = _part(step.seconds / total) if total else ""
    return label_of(step), seconds(step.seconds), part, spent_on(step)


def step_in_words(step: PathStep) -> str:
    """A step by itself: "fit (#4) 524 ms: queue 425 ms, run 99 ms"."""
    spent = spent_on(step)
    return f"{label_of(step)} {seconds(step.seconds)}" + (f": {spent}" if spent else "")


def spent_on(step: PathStep) -> str:
    shares = sorted(((step.shares[name], name) for name in LEDGER), reverse=True)
    return listed([f"{name} {seconds(share)}" for share, name in shares if share > step.seconds * _CLOSE], 40)


def named(task: TaskReport) -> str:
    """A task in a text: "fit (#4)", or with what tells it from other calls of its function "fit[model] (#4)"."""
    own = f"[{name_of(task.own_label, _NAME)}]" if task.own_label else ""
    return f"{name_of(task.name, _NAME)}{own} (#{task.id})"


def label_of(step: PathStep) -> str:
    """What a step is: "fit (#4)", "code", "code of pipeline (#1)"."""
    if step.task is None:
        return "code"
    name = named(step.task)
    return f"code of {name}" if step.is_code else name


def _failure(report: Report) -> str:
    failure = report.first_failure
    if failure is None:
        return ""
    task = failure.task
    told = f"{named(task)}, called at {plain(task.called_at)}: {plain(task.error)}"
    for what, tasks in (("held up", failure.held_up), ("stopped", failure.stopped)):
        if tasks:
            told = f"{told.removesuffix('.')}; {what} {_several(tasks)}"
    return told


def _several(tasks: View[TaskReport]) -> str:
    """Tasks in few words: "2 tasks: clean (#3), plot (#4)"."""
    names = [f"{name_of(each.name, _NAME)} (#{each.id})" for each in tasks[:_ROWS]]
    return f"{counted(len(tasks), 'task')}: {listed(names, _LISTED, len(tasks) - len(names))}"


def _skipped(report: Report) -> str:
    branches = report.skipped
    told = [_branch(each) for each in branches[:_BRANCHES]]
    if len(branches) > len(told):
        told.append(f"and {len(branches) - len(told):,} more")
    return "; ".join(told)


def _branch(branch: SkippedBranch) -> str:
    reason = plain(branch.task.error.removeprefix("Skip: "))
    told = f"{named(branch.task)}, {reason}"
    return f"{told}; with it {_several(branch.with_it)}" if branch.with_it else told


def _tail(report: Report) -> str:
    tail = report.tail
    if tail is None:
        return ""
    names = [f"{named(each.task)} {seconds(each.seconds)}" for each in tail.tasks[:_ROWS]]
    told = f"{seconds(tail.seconds)}, with less than half as many at once as at most"
    return f"{told}: {listed(names, _LISTED, len(tail.tasks) - len(names))}"


def _services(report: Report) -> str:
    told = report.services
    shown = [f"{named(each.task)} {_life(each)}" for each in told[:_ROWS]]
    return listed(shown, _LISTED, len(told) - len(shown)) if told else ""


def _life(service: ServiceReport) -> str:
    if service.ready is None:
        return str(service.task.state)
    used = f"used by {counted(len(service.users), 'task')}"
    if service.ended is None:
        return f"up, {used}"
    how = "stopped" if service.how == "stopped" else f"died ({plain(service.how)})"
    return f"{how} after {seconds(service.ended - service.ready)}, {used}"


def _detached(report: Report) -> str:
    tasks = report.detached
    if not tasks:
        return ""
    shown = [f"{name_of(each.name, _NAME)} (#{each.id}) {each.state}" for each in tasks[:_ROWS]]
    return f"{counted(len(tasks), 'task')} that nobody waited for: {listed(shown, _LISTED, len(tasks) - len(shown))}"


def _part(share: float) -> str:
    return f"{share:.1%}".replace("%", " %") if share < 0.0995 else f"{share:.0%}".replace("%", " %")
