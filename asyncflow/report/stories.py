"""The stories of tasks for a page: columns, of all of them or of those that matter most."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from heapq import nlargest
from itertools import islice
from typing import Final

from .._core.states import FAILED, STATES
from .._record.history import Ending
from .._show.stories import Stories, Where
from .._show.words import counted, plain, seconds, size
from . import waits
from .path import Path
from .rows import NOBODY, Rows
from .tasks import bytes_of, item_of

MOST: Final = 150_000
"""Of how many tasks a page tells one by one."""
_TEXT: Final = 2_000  # characters of an error
_ROOTS: Final = 20
_NONE: Final = Ending("", ())


def chosen(rows: Rows, path: Path, most: int = MOST) -> Sequence[int]:
    """Rows of whom a page tells, in order: all, or what failed, the critical path, and what ran longest."""
    size = len(rows)
    if size <= most:
        return range(size)
    found = set(islice(rows.in_state(FAILED), most // 3))
    found.update(islice(critical(path), most // 3))
    started, finished, _ = rows.history.runs()
    lengths = (
        (end - begin if end >= begin else 0.0, -row)
        for row, (begin, end) in enumerate(zip(started, finished, strict=True))
    )
    for _, row in nlargest(most, lengths):
        if len(found) == most:
            break
        found.add(-row)
    return sorted(found)


def critical(path: Path) -> Iterator[int]:
    """The rows of the tasks on the critical path; blocks whose code took time on it are not among them."""
    return (row for row in path.rows if row >= 0)


def stories(rows: Rows, told: Sequence[int]) -> Stories:
    """The stories of the tasks in some rows.

    Args:
        rows: of the history.
        told: those that are told of, in order.
    """
    history = rows.history
    made = Stories(
        waits.CATEGORIES,
        [state.value for state in STATES],
        [plain(name) for name in history.names],
        [
            Where(
                plain(site.name) or "task",
                site.kind,
                plain(site.place),
                plain(site.called_at),
                plain(site.workflow or ""),
                waits.phases(site),
            )
            for site in history.sites
        ],
        left_out=history.dropped + len(rows) - len(told),
    )
    for column in ("id", "state", "worker", "block"):
        values = getattr(history, column)
        setattr(
            made,
            column,
            values[:] if len(told) == len(rows) else array(values.typecode, map(values.__getitem__, told)),
        )
    made.where = array("I", map(history.site.__getitem__, told))
    adds = [column.append for column in made.times]
    parts, facts, labels = {}, {}, {}
    for place, row in enumerate(told):
        times = waits.times(history, row)
        for add, time in zip(adds, times, strict=True):
            add(time)
        made.dependencies.extend(history.dependencies[history.starts[row] : history.starts[row + 1]])
        made.starts.append(len(made.dependencies))
        if history.id[row] in history.tries or history.id[row] in history.held:
            counts, ends = waits.parts(history, row, times)
            parts[place] = list(zip(counts, ends[1:], strict=True))
        if label := history.labels.get(history.id[row]):
            labels[place] = plain(label, 80)
        if pairs := list(_facts(rows, row)):
            facts[place] = pairs
    made.parts, made.facts, made.labels = parts, facts, labels
    return made


def _facts(rows: Rows, row: int) -> Iterator[tuple[str, str]]:
    history = rows.history
    id, site = history.id[row], history.sites[history.site[row]]
    ending = history.endings.get(id, _NONE)
    if ending.error:
        yield "error", plain(ending.error, _TEXT)
    if ending.roots:
        yield "because of", _numbers(ending.roots)
    for number, tried in enumerate(history.tries.get(id, ()), 1):
        where = f" on {plain(tried.worker)}" if tried.worker else ""
        yield f"attempt {number}", f"failed{where} at {seconds(tried.ended)}: {plain(tried.error, _TEXT)}"
    if history.stream and (item := item_of(rows, row)):
        key = f" ({plain(str(item['key']), 60)})" if item["key"] else ""
        yield "item", f"{item['item']:,}{key} of stream {item['stream']}"
    if history.attempts[row] > 1:
        yield "attempts", f"{history.attempts[row]:,}"
    if brought := bytes_of(history, row, "bytes_in"):
        yield "files brought", size(brought)
    if published := bytes_of(history, row, "bytes_out"):
        yield "files published", size(published)
    if kept := history.kept.get(id):
        yield "result kept", f"{size(kept[1])} on {plain(kept[0])}"
    if service := history.services.get(id):
        yield "service ended", f"{plain(service[1])} at {seconds(service[0])}"
    if site.detached:
        yield "detached", "nobody waited for it"
    if site.priority:
        yield "priority", f"{site.priority:g}"


def _numbers(ids: Sequence[int]) -> str:
    shown = ", ".join(f"#{each}" for each in ids[:_ROOTS])
    return shown if len(ids) <= _ROOTS else f"{shown} and {counted(len(ids) - _ROOTS, 'more task')}"


def places(told: Sequence[int], size: int) -> array[int]:
    """The place of each row among those that are told of; `NOBODY` for the others, at -1."""
    found = array("i", [NOBODY]) * size
    for place, row in enumerate(told):
        found[row] = place
    return found
