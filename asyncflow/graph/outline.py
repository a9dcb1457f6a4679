"""What a graph shows of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .._show.outline import Outline, Table
from .._show.words import counted, listed, name_of

if TYPE_CHECKING:
    from .graph import Graph

_ROWS: Final = 24
_WIDTH: Final = 60  # characters for what a step needs


def outline_of(graph: Graph) -> Outline:
    """The outline of a graph: its steps in the order in which they can run, and what each needs."""
    stages = [(str(number), name) for number, stage in enumerate(graph.stages, 1) for name in stage]
    return Outline(
        "Graph",
        f"{counted(len(graph), 'step')} in {counted(len(graph.stages), 'stage')}",
        lambda: [Table("", ("stage", "step", "task", "needs"), _rows(graph, stages), (0,))],
    )


def _rows(graph: Graph, stages: list[tuple[str, str]]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [
        (stage, name_of(name), name_of(graph[name].name), listed([*map(name_of, graph.needs(name))], _WIDTH))
        for stage, name in stages[:_ROWS]
    ]
    if len(stages) > _ROWS:
        rows.append(("", f"... {len(stages) - _ROWS:,} more", "", ""))
    return rows
