"""Plans to try things on, and the same as NetworkX has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import networkx as nx
from hypothesis import strategies as st
from shown_kit import HOSTILE

from asyncflow.plan import Edge, Finding, Plan, PlannedFile, PlannedTask
from asyncflow.plan.tasks import EdgeKind

names = st.sampled_from(["load", "clean", "fit", "plot", "report"])
texts = st.one_of(names, st.sampled_from(HOSTILE), st.text(st.characters(codec=None), max_size=8))
files = st.lists(
    st.builds(PlannedFile, texts, st.none() | st.integers(0, 2**40)),
    max_size=2,
    unique_by=lambda file: file.name,
).map(tuple)


def tasks_of(*names: str, **more: Any) -> list[PlannedTask]:
    """Tasks of these names, numbered from 1."""
    return [PlannedTask(number, name, **more) for number, name in enumerate(names, 1)]


def expanded(plan: Plan, durations: Mapping[int, float] | None = None) -> nx.DiGraph:
    """A plan as NetworkX has it: blocks open and close, and each arrow weighs what the task at its beginning takes."""
    graph = nx.DiGraph()
    inside: dict[int, set[int]] = {}
    for task in plan.tasks:
        weight = 1 if task.expected is None else task.expected
        weight = (durations or {}).get(task.id, weight) if task.kind != "block" else 0
        graph.add_edge(("begins", task.id), ("ends", task.id), weight=weight, steps=task.kind != "block")
        around = task.block
        while around is not None:
            inside.setdefault(around, set()).add(task.id)
            graph.add_edge(("begins", around), ("begins", task.id), weight=0, steps=0)
            graph.add_edge(("ends", task.id), ("ends", around), weight=0, steps=0)
            around = plan.task(around).block
    for edge in plan.edges:
        if edge.dependency not in inside.get(edge.dependent, ()):
            graph.add_edge(("ends", edge.dependency), ("begins", edge.dependent), weight=0, steps=0)
    return graph


@st.composite
def plans(draw: st.DrawFn, *, blocks: bool = True, hostile: bool = False, most: int = 20) -> Plan:
    """Plans whose numbers tell nothing; edges that would close a circle are left out."""
    size = draw(st.integers(0, most))
    ids = draw(st.permutations(range(-3, size - 3)))
    words = texts if hostile else names
    tasks: list[PlannedTask] = []
    for id in ids:
        boxes = [task.id for task in tasks if task.kind == "block"]
        tasks.append(
            PlannedTask(
                id,
                draw(words),
                draw(st.sampled_from(["function", "executable", "awaitable", *["block"] * blocks * 2])),
                draw(st.sampled_from([None, *boxes])),
                draw(words) if hostile else "backend 'thread'",
                draw(words) if hostile else f"a.py:{draw(st.integers(1, 3))}, in main",
                draw(st.none() | st.integers(0, 9) | st.sampled_from([0.1, 0.25, 1e-9])),
                draw(files) if hostile else (),
                draw(files) if hostile else (),
            )
        )
    edges: list[Edge] = []
    for then in range(1, size):
        for first in draw(st.lists(st.integers(0, then - 1), max_size=3)):
            kind: EdgeKind = draw(st.sampled_from(["data", "file", "order"]))
            edge = Edge(ids[first], ids[then], kind, draw(words) if kind == "file" else None)
            try:
                Plan(tasks, [*edges, edge])
            except ValueError:
                continue
            edges.append(edge)
    if not hostile:
        return Plan(tasks, edges)
    found = st.builds(Finding, texts, texts, st.lists(texts, max_size=2).map(tuple), texts)
    notes = st.lists(texts, max_size=7)
    return Plan(tasks, edges, decisions=draw(notes), findings=draw(st.lists(found, max_size=7)))
