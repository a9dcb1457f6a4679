"""What is said when a run is over: counts and time, failures by type, where to look, how to go on. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING, Final

from .._core.states import FAILED, State
from .._show.columns import width, wrapped
from .._show.words import counted, listed, name_of, plain, seconds
from .progress import Failure, Function, Progress

if TYPE_CHECKING:
    from ..report import Report

_WIDTH: Final = 80
_TYPES: Final = 10
_MESSAGES: Final = 2
_TOLD: Final = 10_000  # failures that are looked at


def lines_of(progress: Progress, columns: int | None = None) -> list[str]:
    """The end of a run, in lines, of which the first may be of several.

    Args:
        progress: of the run, as it ended.
        columns: of the terminal, in which words stay whole, and paths, which are copied from it, in one line; None if
            it is shown by what breaks lines itself.
    """
    most = min(_WIDTH, columns or _WIDTH)
    lines = [*_failed(progress, most), *_where(progress)]
    if columns is not None:
        paths = len(lines) - len(progress.places)
        lines = [
            part
            for at, line in enumerate(lines)
            for part in ([line] if at >= paths and "/" in line else _within(line, most))
        ]
    return [headline(progress, columns), *lines]


def _within(line: str, columns: int) -> list[str]:
    """A line as it is, or the lines that it takes."""
    text = line.lstrip()
    indent = " " * min(len(line) - len(text), columns // 4)
    return [line] if width(line) <= columns else wrapped(text, indent, columns)


def headline(progress: Progress, columns: int | None = None) -> str:
    """How it went, in one line if there is room: "996 succeeded, 3 failed, 1 did not run in 2 min 31 s"."""
    sums = progress.sums
    blocks = sum(each.failed for each in progress.functions if each.kind == "block")
    told = [f"{sums.failed:,} failed"] if sums.failed else []
    if blocks and not sums.failed:  # of their own: "0 succeeded" alone would sound as if nothing was wrong
        told = [f"{counted(blocks, 'block')} failed"]
    told.append(f"{sums.done:,} succeeded")
    if sums.other:
        told.append(f"{sums.other:,} cancelled or not run")
    left = sums.called - sums.over
    if left > 0:
        told.append(f"{left:,} not over")
    if progress.lost:
        told.append(f"at least {progress.lost:,} not written down")
    text = f" asyncflow: {', '.join(told)} in {seconds(progress.lasts)} "
    most = min(_WIDTH, columns or _WIDTH)
    if len(text) < most:
        return text.center(most, "=")
    return text.strip() if columns is None else "\n".join(_within(text.strip(), most))


def _failed(progress: Progress, most: int) -> list[str]:
    by_type: dict[str, list[Failure]] = {}
    for each in progress.failures:
        by_type.setdefault(each.error.partition(":")[0], []).append(each)
    lines = []
    for kind, many in sorted(progress.errors.items(), key=lambda each: -each[1])[:_TYPES]:
        known = by_type.get(kind, [])
        room = most - len(f"{plain(kind)} × {many:,}: and {many:,} more")
        names = listed([f"{name_of(each.name)} (#{each.id})" for each in known], room, many - len(known))
        lines.append(f"{plain(kind)} × {many:,}: {names}" if known else f"{plain(kind)} × {many:,}")
        messages = Counter(each.error.partition(":")[2].strip() for each in known)
        told = [message for message, _ in messages.most_common(_MESSAGES) if message]
        lines += [f"    {plain(message)}" for message in told]
        if (others := len(messages) - len(told)) > 0 and told:
            lines.append(f"    and {counted(others, 'other message')}")
    if len(progress.errors) > _TYPES:
        lines.append(f"and {counted(len(progress.errors) - _TYPES, 'type')} of errors more")
    return lines


def _where(progress: Progress) -> list[str]:
    return [f"{what}: {where}" for what, where in progress.places]


def summary(report: Report, columns: int | None = None) -> str:
    """How a run went, as it is said at its end: counts, time, failures by type.

    Args:
        report: of the run.
        columns: of a terminal in which it is shown, so that no word is broken there; None for lines of any length.
    """
    return "\n".join(lines_of(of_report(report), columns))


def of_report(report: Report) -> Progress:
    """A run as its report tells of it.

    Args:
        report: of the run.
    """
    failed = [report._task(row) for row in islice(report._rows.in_state(FAILED), _TOLD)]
    errors = Counter(each.error.partition(":")[0] for each in failed)
    blocks = Counter(
        each.name for each in failed if each.kind == "block"
    )  # which are no functions of a report
    return Progress(
        lasts=report.total,
        functions=[
            *(_function(each.name, each.count, each.states) for each in report.functions.values()),
            *(Function(name, "block", "", many, 0, 0, many, 0) for name, many in blocks.items()),
        ],
        failures=[
            Failure(each.label.removesuffix(f" (#{each.id})"), each.id, each.error.partition("\n")[0])
            for each in failed
        ],
        errors=errors,
        is_over=report.is_over,
        began_at=report.began,
        lost=report.lost,
    )


def _function(name: str, called: int, states: Mapping[str, int]) -> Function:
    ended = {state: states.get(state, 0) for state in State if state.terminal}
    done, failed = ended.pop(State.SUCCEEDED), ended.pop(State.FAILED)
    running = states.get(State.RUNNING, 0)
    return Function(name, "function", "", called, running, done, failed, sum(ended.values()))
