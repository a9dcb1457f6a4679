"""A plan as a graph of networkx."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .tasks import Edge, PlannedTask


def digraph(tasks: Sequence[PlannedTask], edges: Sequence[Edge]) -> Any:
    """The graph that `Plan.to_networkx` tells of."""
    try:
        import networkx
    except ImportError:
        mend = 'pip install "asyncflow-engine[plan]"'
        raise ImportError(f"Plan.to_networkx() needs networkx:  {mend}", name="networkx") from None
    graph = networkx.DiGraph()
    names = [name for name in PlannedTask.__slots__ if name != "id"]
    for task in tasks:
        graph.add_node(task.id, **{name: getattr(task, name) for name in names})
    for edge in edges:  # those of one pair are neighbours, and sorted
        ends = graph.adj[edge.dependency].get(edge.dependent, {"kinds": (), "files": ()})
        kinds = ends["kinds"] if edge.kind in ends["kinds"] else (*ends["kinds"], edge.kind)
        files = ends["files"] if edge.file is None else (*ends["files"], edge.file)
        graph.add_edge(edge.dependency, edge.dependent, kinds=kinds, files=files)
    return graph
