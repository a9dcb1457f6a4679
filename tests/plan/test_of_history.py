"""A plan of what has happened in a run."""

from __future__ import annotations

from array import array

from asyncflow._record.history import DATA, NOT_YET, ORDER, History, Site
from asyncflow.plan import Edge
from asyncflow.plan.of_history import planned

LOAD = Site("load", "function", "backend 'thread'", "", "a.py:1, in main", None)
FIT = Site("fit", "function", "backend 'thread'", "", "a.py:2, in main", "nightly")
BLOCK = Site("search", "block", "the event loop", "", "a.py:3, in main", None)


def history(
    *rows: tuple[int, Site, int, float, float, list[tuple[int, int]]],
) -> History:
    """Of rows: number, site, block, started, finished, edges."""
    sites = list(dict.fromkeys(site for _, site, *_ in rows))
    made = History(sites=sites)
    for number, site, block, started, finished, edges in rows:
        made.id.append(number)
        made.site.append(sites.index(site))
        made.block.append(block)
        made.started.append(started)
        made.finished.append(finished)
        made.dependencies.extend(dependency for dependency, _ in edges)
        made.edges.extend(kind for _, kind in edges)
        made.starts.append(len(made.dependencies))
    return made


def test_an_empty_history_is_an_empty_plan() -> None:
    assert planned(History()).tasks == ()


def test_rows_become_tasks_with_what_they_took_and_edges() -> None:
    plan = planned(
        history(
            (1, BLOCK, 0, 0.0, 9.0, []),
            (2, LOAD, 1, 1.0, 3.5, []),
            (3, LOAD, 1, 2.0, NOT_YET, []),
            (4, FIT, 1, NOT_YET, NOT_YET, [(2, DATA), (3, DATA), (3, ORDER)]),
        )
    )
    assert [(task.id, task.name, task.kind, task.block, task.expected) for task in plan.tasks] == [
        (1, "search", "block", None, None),
        (2, "load", "function", 1, 2.5),
        (3, "load", "function", 1, None),
        (4, "fit", "function", 1, None),
    ]
    assert (plan.tasks[1].place, plan.tasks[1].called_at) == ("backend 'thread'", "a.py:1, in main")
    assert set(plan.edges) == {Edge(2, 4), Edge(3, 4), Edge(3, 4, "order")}


def test_what_has_no_row_any_more_is_left_out() -> None:
    plan = planned(history((7, LOAD, 3, 0.0, 1.0, []), (9, FIT, 3, 1.0, 2.0, [(5, DATA), (7, DATA)])))
    assert [task.block for task in plan.tasks] == [None, None]
    assert plan.edges == (Edge(7, 9),)


def test_a_plan_of_a_hundred_thousand_rows_is_made_in_one_pass() -> None:
    many = 100_000
    made = History(sites=[LOAD])
    made.id = array("I", range(1, many + 1))
    made.site = made.block = array("I", [0]) * many
    made.started, made.finished = array("d", [0.0]) * many, array("d", [1.0]) * many
    made.dependencies = array("I", range(1, many))
    made.edges = array("B", [DATA]) * (many - 1)
    made.starts = array("I", [0, *range(many)])
    assert planned(made).critical_path().length == many
