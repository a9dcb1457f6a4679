"""From what has happened in a run to a plan of it: what was called, and how long it took. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from .._record.history import OPTIONAL, ORDER, History
from .plan import Plan
from .tasks import Edge, EdgeKind, Kind, PlannedTask


def planned(history: History) -> Plan:
    """The plan of what was called in a run: with what each task waited for, and as ``expected`` the seconds it ran.

    A history is bounded, and a plan tells of what it has: what a task waited for that has no row any more is left
    out, and what was inside of a block that has none is outside of all. Which file was handed over is not recorded: who
    waited for a file waited for its maker.
    """
    rows = {number: row for row, number in enumerate(history.id)}
    tasks = [_task(history, row, rows) for row in rows.values()]
    return Plan(
        tasks, [edge for row in rows.values() for edge in _edges(history, row) if edge.dependency in rows]
    )


def _task(history: History, row: int, rows: dict[int, int]) -> PlannedTask:
    site = history.sites[history.site[row]]
    block = history.block[row]
    ran = history.finished[row] - history.started[row]
    is_known = site.kind != "block" and ran >= 0  # what has not happened is no number
    return PlannedTask(
        history.id[row],
        site.name,
        cast(Kind, site.kind),
        block if block in rows else None,
        site.place,
        site.called_at,
        ran if is_known else None,
        detached=site.detached,
    )


def _edges(history: History, row: int) -> Iterator[Edge]:
    for at in range(history.starts[row], history.starts[row + 1]):
        edge = history.edges[at]
        kind: EdgeKind = "order" if edge & ORDER else "data"
        yield Edge(history.dependencies[at], history.id[row], kind, optional=bool(edge & OPTIONAL))
