"""From what has happened in a run to a plan of it: what was called, and how long it took. Pure: columns become data."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import cast

from .._core.history import ORDER, History
from .plan import Plan
from .tasks import Edge, Kind, PlannedTask


def planned(history: History) -> Plan:
    """The plan of what was called in a run: what each task waited for, and as ``expected`` the seconds that it ran.

    A history is bounded, and a plan tells of what it has: what a task waited for that has no row any more is left out,
    and what was inside of a block that has none is outside of all. What waited for one output of a task, a row of the
    kind "output", waited for the file.

    Args:
        history: of the run, at any time.
    """
    sites = history.sites
    rows = {number: row for row, number in enumerate(history.id)}
    outputs = {number: row for number, row in rows.items() if sites[history.site[row]].kind == "output"}
    tasks = [_task(history, row, rows) for number, row in rows.items() if number not in outputs]
    edges = [
        edge
        for number, row in rows.items()
        if number not in outputs
        for edge in _edges(history, row, outputs)
        if edge.dependency in rows
    ]
    return Plan(tasks, edges)


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
    )


def _edges(history: History, row: int, outputs: dict[int, int]) -> Iterator[Edge]:
    number = history.id[row]
    for at in _dependencies(history, row):
        dependency, kind = history.dependencies[at], history.edges[at]
        output = outputs.get(dependency)
        if output is not None:  # of a file: what makes it is the only thing that it waits for
            makers = [history.dependencies[each] for each in _dependencies(history, output)]
            file = _file(history.sites[history.site[output]].name)
            for maker in makers:
                yield Edge(maker, number, "order") if kind == ORDER else Edge(maker, number, "file", file)
        else:
            yield Edge(dependency, number, "order" if kind == ORDER else "data")


def _dependencies(history: History, row: int) -> range:
    return range(history.starts[row], history.starts[row + 1])


def _file(name: str) -> str:
    """The file that an output means: "a.txt" of "split.outputs['a.txt']"."""
    quoted = name.rpartition(".outputs[")[2].removesuffix("]")
    try:
        return str(ast.literal_eval(quoted))
    except (ValueError, SyntaxError):
        return quoted
