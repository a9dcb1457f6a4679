"""``asyncflow explain``: the story of one task, from the journal of its run."""

from __future__ import annotations

import os
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict
from difflib import get_close_matches
from typing import Final

import click

from .._show.columns import wrapped
from .._show.words import counted, listed, name_of, plain, seconds, size
from ..report import Report, TaskReport
from .exits import Refused
from .journals import journal_argument, report_of
from .options import json_option
from .out import say, say_json

_NUMBER: Final = re.compile(r"^(?:.*#)?(\d+)\)?$")  # 4, #4, fit#4, fit (#4); not the 4 of a name or a label
_SHOWN: Final = 20
_MOMENTS: Final = (
    ("called", "called"),
    ("ready", "ready: all that it waits for has ended"),
    ("staged", "its files are there"),
    ("submitted", "handed to its backend"),
    ("started", "begun by a worker"),
    ("finished", "done by the worker"),
    ("over", "over"),
)


@click.command(name="explain")
@journal_argument
@click.argument("task", metavar="TASK")
@json_option
def command(journal: str, run: str | None, task: str, as_json: bool) -> None:
    """Tell the story of a task: when it was called, what it waited for and why, what became of it.

    JOURNAL is the file that the run writes, or has written, with --journal PATH. TASK is the number of the task, as 4
    or "fit (#4)", its name, its label, or the key of the item of a stream that it is for. Of several all are listed.

    \b
    Examples:
      asyncflow explain run.jsonl 4
      asyncflow explain run.jsonl fit
    """
    if not os.path.exists(journal) and os.path.exists(task):
        raise Refused(
            f"there is no journal {plain(journal)!r}",
            f"did you mean:  asyncflow explain {plain(task)} {plain(journal)}",
        )
    report = report_of(journal, run)
    found = found_by(report, task)
    if as_json:
        say_json([_document(report, each) for each in found])
    elif len(found) == 1:
        say("\n".join(story(report, found[0])))
    else:
        say("\n".join(_list(found, journal)))
        if lost := _lost(report, task):
            say(f"Not written down is what became of {lost}")


def found_by(report: Report, given: str) -> Sequence[TaskReport]:
    """The tasks that a text means: one by its number, or all of a name, of a label, or for an item of a stream.

    Raises:
        Refused: there is none.
    """
    named = report.named(given)
    if len(named):
        return named
    labelled = _labelled(report, given)
    if labelled:
        return labelled
    number = _NUMBER.match(given.strip())
    if number is not None:
        try:
            return [report.task(int(number[1]))]
        except LookupError as error:
            last = report._history.id[-1] if report._history.id else 0
            raise Refused(str(error), f"the last one is #{last}" if int(number[1]) > last else "") from None
    lost = _lost(report, given)
    if lost:
        raise Refused(f"what became of {lost} is not written down: its journal lacks events")
    names = list(dict.fromkeys(site.name for site in report._history.sites))
    near = get_close_matches(given, names, 1)
    meant = f"did you mean {near[0]!r}?" if near else f"its tasks are: {listed(names, 300)}"
    raise Refused(f"this run has no task {plain(given)!r}", meant)


def _lost(report: Report, name: str) -> str:
    """The tasks of a name of which it is not written down what became, in words; "" if there are none."""
    lost = [id for id, each in report._history.lost.items() if each == name]
    return listed([_named(report, id) for id in lost[:_SHOWN]], 200, len(lost[_SHOWN:]))


def _labelled(report: Report, given: str) -> list[TaskReport]:
    """The tasks that a label means, as "a.csv", "load[a.csv]" or "load[a.csv] (#4)"; or the key of an item."""
    inside = given.partition("[")[2].rpartition("]")[0] or given
    history = report._history
    ids = {
        id for told in (history.labels, history.keys) for id, text in told.items() if text in (given, inside)
    }
    tasks = [report.task(id) for id in sorted(ids) if _is_there(report, id)]
    return [
        each for each in tasks if given in (each.own_label, each.key, f"{each.name}[{inside}]", each.label)
    ]


def _needed_by(report: Report, id: int) -> list[int]:
    """The numbers of the tasks that wait for one."""
    history = report._history
    found, at = [], -1
    with suppress(ValueError):  # there are no more
        while True:
            at = history.dependencies.index(id, at + 1)
            found.append(history.id[bisect_right(history.starts, at) - 1])
    return found


def story(report: Report, task: TaskReport) -> Iterator[str]:
    """The story of a task, line by line."""
    inside = f", inside {_named(report, task.block)}" if task.block else ""
    yield f"{plain(task.label)} {task.state}: {_kind(task)}, called at {plain(task.called_at)}{inside}"
    for line in _facts(report, task):
        yield from wrapped(line, "  ")
    yield "  Seconds since the run began:"
    for moment, meaning in _MOMENTS:
        time = getattr(task, moment)
        if time is not None:
            by = f": {plain(task.worker)}" if moment == "started" and task.worker else ""
            yield f"  {time:12.6f}  {meaning}{by}"
    for each in task.tries if len(task.tries) > 1 else ():
        took = (
            ""
            if each.started is None
            else f" after {seconds((each.finished or each.started) - each.started)}"
        )
        error = f": {plain(each.error)}" if each.error else ""
        again = f"; again after {seconds(each.delay)}" if each.delay else ""
        yield from wrapped(f"Attempt {each.number}: {each.state}{took}{error}{again}", "  ")


def _facts(report: Report, task: TaskReport) -> Iterator[str]:
    if task.error:
        yield f"Failed with: {plain(task.error, 2000)}" if task.state == "FAILED" else plain(task.error, 2000)
    if task.roots:
        yield f"Because of: {listed([_named(report, each) for each in task.roots], 400)}"
    if task.dependencies:
        yield f"Waited for: {listed([_named(report, each) for each in task.dependencies], 400)}"
        last = [report.task(each) for each in task.dependencies if _is_there(report, each)]
        late = max(
            (each for each in last if each.over is not None), key=lambda each: each.over or 0, default=None
        )
        if late is not None and len(task.dependencies) > 1:
            yield f"The last of them to end: {plain(late.label)}, at {late.over:.6f}"
    needed = _needed_by(report, task.id)
    if needed:
        shown, more = [_named(report, each) for each in needed[:_SHOWN]], len(needed[_SHOWN:])
        yield f"Needed by: {listed(shown, 400, more)}"
    times = {name: each for name, each in task.waits.items() if each > 0}
    if times:
        told = (f"{name} {seconds(each)}" for name, each in sorted(times.items(), key=lambda each: -each[1]))
        yield f"Where its {seconds(task.seconds)} went: {', '.join(told)}"
    if task.bytes_in or task.bytes_out:
        yield f"Files: {size(task.bytes_in)} brought, {size(task.bytes_out)} published"
    if task.kept_on:
        yield f"Its result stays on {plain(task.kept_on)}: {size(task.bytes_kept)}"


def _kind(task: TaskReport) -> str:
    extra = ", detached" if task.detached else ""
    return f"{task.kind}{extra}" + (f" on {plain(task.place)}" if task.place else "")


def _list(found: Sequence[TaskReport], journal: str) -> Iterator[str]:
    counts = Counter(str(each.state) for each in found)
    told = ", ".join(f"{number:,} {state}" for state, number in counts.items())
    yield f"{counted(len(found), 'task')}: {told}"
    order = sorted(found, key=lambda each: (each.state != "FAILED", -each.seconds))
    for each in order[:_SHOWN]:
        error = f"  {plain(each.error, 60)}" if each.error else ""
        yield f"  {name_of(each.label):24} {each.state:16} {seconds(each.seconds):>10}{error}"
    if len(order) > _SHOWN:
        yield f"  and {len(order) - _SHOWN:,} more"
    yield f"One of them:  asyncflow explain {plain(journal)} {order[0].id}"


def _document(report: Report, task: TaskReport) -> dict[str, object]:
    return {
        **asdict(task),
        "seconds": task.seconds,
        "needed_by": _needed_by(report, task.id),
        "tries": [each._asdict() for each in task.tries],
    }


def _named(report: Report, id: int) -> str:
    if _is_there(report, id):
        return plain(report.task(id).label)
    name = report._history.lost.get(id)
    return plain(f"{name} (#{id})") if name else f"#{id}"


def _is_there(report: Report, id: int) -> bool:
    try:
        report.task(id)
    except LookupError:
        return False
    return True
