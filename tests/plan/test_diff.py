"""What is different in two plans, whatever numbers their tasks have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncflow.plan import Edge, Finding, Plan, PlannedFile, PlannedTask

from .kit import plans, tasks_of


def renumbered(plan: Plan, number: Callable[[int], int]) -> Plan:
    """The same plan with other numbers."""
    tasks = [
        replace(task, id=number(task.id), block=None if task.block is None else number(task.block))
        for task in plan.tasks
    ]
    edges = [
        Edge(number(each.dependency), number(each.dependent), each.kind, each.file) for each in plan.edges
    ]
    return Plan(tasks, edges, decisions=plan.decisions, findings=plan.findings)


@given(plans(hostile=True))
def test_nothing_is_different_in_equal_plans(plan: Plan) -> None:
    found = plan.diff(Plan.from_json(plan.to_json()))
    assert not found and str(found) == "no difference"
    assert not (
        found.tasks or found.edges or found.files or found.changed or found.decisions or found.findings
    )


@given(plans(hostile=True), st.integers(1, 1000))
def test_numbers_are_not_looked_at(plan: Plan, by: int) -> None:
    assert not plan.diff(renumbered(plan, lambda id: id + by))


@given(plans(), plans())
def test_what_came_one_way_went_the_other_in_number(one: Plan, other: Plan) -> None:
    there = one.diff(other)
    assert len(one.tasks) - len(there.tasks.went) == len(other.tasks) - len(there.tasks.came)
    assert len(one.edges) - len(there.edges.went) == len(other.edges) - len(there.edges.came)
    assert set(there.tasks.came) <= set(other.tasks) and set(there.tasks.went) <= set(one.tasks)
    assert set(there.edges.came) <= set(other.edges) and set(there.edges.went) <= set(one.edges)


def tree(names: list[str], random: Random | None = None) -> Plan:
    """Of each name a load, a clean and a fit, and one report; the calls are in any order that the edges allow."""
    calls = [(sort, name) for name in names for sort in ("load", "clean", "fit")]
    if random is not None:
        calls.sort(key=lambda call: (("load", "clean", "fit").index(call[0]), random.random()))
    ids = {call: id for id, call in enumerate(calls, 1)}
    tasks = [
        PlannedTask(id, sort, called_at=f"a.py:{len(sort)}, in main", expected=len(name))
        for (sort, name), id in ids.items()
    ]
    edges = [Edge(ids["load", name], ids["clean", name]) for name in names]
    edges += [Edge(ids["clean", name], ids["fit", name]) for name in names]
    report = PlannedTask(len(calls) + 1, "report")
    return Plan([*tasks, report], [*edges, *(Edge(ids["fit", name], report.id) for name in names)])


@given(st.lists(st.text("ab", max_size=5), unique=True, max_size=8), st.randoms(use_true_random=False))
def test_calls_in_another_order_are_the_same_calls(names: list[str], random: Random) -> None:
    assert str(tree(names).diff(tree(names, random))) == "no difference"


@pytest.mark.parametrize("at", [0, 4, 9])
def test_one_more_of_many_is_all_that_came(at: int) -> None:
    names = [f"{'x' * length}" for length in range(10)]
    found = tree(names[:at] + names[at + 1 :]).diff(tree(names))
    assert str(found).splitlines() == [
        "+ task load, a.py:4, in main",
        "+ task clean, a.py:5, in main",
        "+ task fit, a.py:3, in main",
        "+ edge load -> clean (data)",
        "+ edge clean -> fit (data)",
        "+ edge fit -> report (data)",
    ]
    assert [task.expected for task in found.tasks.came] == [at] * 3
    assert not found.tasks.went and not found.changed


@pytest.mark.parametrize("at", [2, 50, 98])
def test_a_task_that_is_put_into_a_chain_is_all_that_came(at: int) -> None:
    chain = Plan(tasks_of(*["step"] * 99), [Edge(id, id + 1) for id in range(1, 99)])
    longer = Plan(
        [*chain.tasks, PlannedTask(100, "check")],
        [*(edge for edge in chain.edges if edge.dependent != at), Edge(at - 1, 100), Edge(100, at)],
    )
    found = chain.diff(longer)
    assert [task.name for task in found.tasks.came] == ["check"] and not found.tasks.went
    assert len(found.edges.came) == 2 and len(found.edges.went) == 1
    back = longer.diff(chain)
    assert [task.name for task in back.tasks.went] == ["check"] and not back.tasks.came
    assert len(back.edges.came) == 1 and len(back.edges.went) == 2


def test_lines_that_moved_are_told_once_for_all_calls_there() -> None:
    before = Plan(tasks_of(*["load"] * 50, called_at="a.py:12, in main"))
    after = Plan(tasks_of(*["load"] * 50, called_at="a.py:13, in main"))
    found = before.diff(after)
    assert str(found) == "~ task load: called_at a.py:12, in main -> a.py:13, in main (x50)"
    assert len(found.changed) == 50 and not found.tasks


def test_inside_another_block_it_is_the_same_task_in_another_block() -> None:
    boxes = [PlannedTask(1, "box", "block"), PlannedTask(2, "other", "block")]
    before = Plan([*boxes, PlannedTask(3, "fit", block=1)])
    after = Plan([*boxes, PlannedTask(3, "fit", block=2)])
    assert str(before.diff(after)) == "~ task fit: is in another block"


def test_each_block_keeps_its_own_tasks() -> None:
    def plan(*held: list[str]) -> Plan:
        tasks = [PlannedTask(id, "box", "block", called_at="a.py:1") for id in range(len(held))]
        for block, names in enumerate(held):
            tasks += [PlannedTask(100 * (block + 1) + at, name, block=block) for at, name in enumerate(names)]
        return Plan(tasks)

    found = plan(["a", "b"], ["a", "b"], ["a", "b"]).diff(plan(["a", "b"], ["a", "b", "c"], ["a", "b"]))
    assert str(found) == "+ task c"
    assert found.tasks.came[0].block == 1


def test_everything_that_can_be_different_is_told() -> None:
    files: dict[str, Any] = {"inputs": (PlannedFile("a.csv", 3),), "outputs": (PlannedFile("b.csv"),)}
    before = Plan(
        [PlannedTask(1, "load", place="backend 'thread'", **files), PlannedTask(2, "fit")],
        [Edge(1, 2, "file", "b.csv")],
        decisions=["a.py:1: `if`"],
        findings=[Finding("nobody uses it")],
    )
    after = Plan(
        [
            PlannedTask(1, "load", place="backend 'process'", expected=3, inputs=(PlannedFile("c.csv"),)),
            PlannedTask(2, "fit"),
            PlannedTask(3, "plot"),
        ],
        [Edge(1, 2), Edge(2, 3, "order")],
        decisions=["a.py:1: `if`", "a.py:2: `while`"],
    )
    found = before.diff(after)
    assert str(found).splitlines() == [
        "+ task plot",
        "+ edge load -> fit (data)",
        "+ edge fit -> plot (order)",
        "- edge load -> fit (file b.csv)",
        "+ file c.csv",
        "- file a.csv",
        "- file b.csv",
        "~ task load: place backend 'thread' -> backend 'process'",
        "~ task load: expected nothing -> 3 s",
        "~ task load: reads [a.csv (3 B)] -> [c.csv]",
        "~ task load: makes [b.csv] -> []",
        "+ decision a.py:2: `while`",
        "- finding nobody uses it",
    ]
    assert found.files.came == ("c.csv",) and found.changed == ((before.task(1), after.task(1)),)


def test_a_large_difference_is_told_in_a_screen() -> None:
    one = Plan([PlannedTask(id, f"a{id}") for id in range(10_000)])
    other = Plan([PlannedTask(id, f"b{id}") for id in range(10_000)])
    lines = str(one.diff(other)).splitlines()
    assert len(lines) == 26 and lines[12] == "+ task ... and 9,988 more"
