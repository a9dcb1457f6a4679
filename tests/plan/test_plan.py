"""What waits for what, what could start together, and how well it could go; NetworkX is the oracle."""

from __future__ import annotations

import pickle
from datetime import timedelta
from math import ceil, fsum, inf, isclose, nan
from random import Random
from typing import Any

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncflow.errors import CircularDependency
from asyncflow.plan import Edge, Finding, Plan, PlannedFile, PlannedTask

from .kit import expanded, plans, tasks_of

# -- what a plan is made of -------------------------------------------------------------------------------


@given(plans(), st.randoms(use_true_random=False))
def test_a_plan_is_the_same_in_whatever_order_it_is_given(plan: Plan, random: Random) -> None:
    tasks, edges = list(plan.tasks), [*plan.edges, *plan.edges]
    random.shuffle(tasks)
    random.shuffle(edges)
    same = Plan(tasks, edges)
    assert same == plan and hash(same) == hash(plan)
    assert pickle.loads(pickle.dumps(plan)) == plan


def test_a_plan_is_another_with_any_other_part() -> None:
    tasks = tasks_of("load", "fit")
    plan = Plan(tasks, [Edge(1, 2)], decisions=["a.py:1: `if`"], findings=[Finding("nobody uses it")])
    assert plan != Plan(tasks, [Edge(1, 2)])
    assert plan != Plan(tasks, [Edge(1, 2, "order")], decisions=plan.decisions, findings=plan.findings)
    assert plan != Plan(tasks[:1], decisions=plan.decisions, findings=plan.findings)


@pytest.mark.parametrize(
    ("tasks", "edges", "words"),
    [
        ([PlannedTask(1, "a"), PlannedTask(1, "b")], [], "two tasks are #1: 'a' and 'b'"),
        ([PlannedTask(1, "a")], [Edge(1, 7)], r"Edge\(dependency=1, dependent=7.*: there is no task #7"),
        ([PlannedTask(1, "a")], [Edge(7, 1)], "there is no task #7"),
        ([PlannedTask(1, "a", block=7)], [], r"'a' \(#1\): there is no task #7, inside which it would be"),
        (
            [PlannedTask(1, "a"), PlannedTask(2, "b", block=1)],
            [],
            r"'b' \(#2\) would be inside 'a' \(#1\), which is no block",
        ),
    ],
)
def test_a_number_that_no_task_has_is_told(tasks: list[PlannedTask], edges: list[Edge], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Plan(tasks, edges)


BOX = PlannedTask(1, "box", "block")
OUTSIDE = PlannedTask(3, "outside")


@pytest.mark.parametrize(
    ("tasks", "edges", "circle"),
    [
        (
            tasks_of("a", "b", "c"),
            [Edge(1, 2), Edge(2, 3), Edge(3, 1)],
            "a (#1) -> b (#2) -> c (#3) -> a (#1)",
        ),
        (tasks_of("a"), [Edge(1, 1)], "a (#1) -> a (#1)"),
        ([BOX], [Edge(1, 1)], "box (#1) -> box (#1)"),
        ([BOX, PlannedTask(2, "in", block=1)], [Edge(1, 2)], "box (#1) -> in (#2) -> box (#1)"),
        (
            [BOX, PlannedTask(2, "in", block=1), OUTSIDE],
            [Edge(2, 3), Edge(3, 1)],
            "box (#1) -> in (#2) -> outside (#3) -> box (#1)",
        ),
        (
            [PlannedTask(1, "box", "block", 2), PlannedTask(2, "other", "block", 1)],
            [],
            "box (#1) -> other (#2) -> box (#1)",
        ),
        ([PlannedTask(1, "box", "block", 1)], [], "box (#1) -> box (#1)"),
    ],
)
def test_a_circle_is_an_error_that_names_it(tasks: list[PlannedTask], edges: list[Edge], circle: str) -> None:
    with pytest.raises(CircularDependency) as caught:
        Plan(tasks, edges)
    told = str(caught.value).splitlines()[0].removeprefix("a task would wait for itself: ")
    # It may be told from any of its tasks on.
    labels = circle.split(" -> ")[1:]
    assert told in [" -> ".join([*labels[at:], *labels[:at], labels[at]]) for at in range(len(labels))]


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: PlannedFile("a", -1), ValueError),
        (lambda: PlannedFile("a", 2**63), ValueError),
        (lambda: PlannedFile("a", 1.5), TypeError),  # type: ignore[arg-type]
        (lambda: PlannedFile(b"a"), TypeError),  # type: ignore[arg-type]
        (lambda: PlannedTask("1", "a"), TypeError),  # type: ignore[arg-type]
        (lambda: PlannedTask(True, "a"), TypeError),
        (lambda: PlannedTask(1, None), TypeError),  # type: ignore[arg-type]
        (lambda: PlannedTask(1, "a", "task"), ValueError),  # type: ignore[arg-type]
        (lambda: PlannedTask(1, "a", inputs=[PlannedFile("b")]), TypeError),  # type: ignore[arg-type]
        (lambda: PlannedTask(1, "a", expected=-0.1), ValueError),
        (lambda: PlannedTask(1, "a", expected=nan), ValueError),
        (lambda: PlannedTask(1, "a", expected=inf), ValueError),
        (lambda: PlannedTask(1, "a", expected=10**400), ValueError),
        (lambda: PlannedTask(1, "a", expected="3"), TypeError),  # type: ignore[arg-type]
        (lambda: Edge(1, None), TypeError),  # type: ignore[arg-type]
        (lambda: Edge(1, 2, "file"), ValueError),
        (lambda: Edge(1, 2, "data", "a"), ValueError),
        (lambda: Edge(1, 2, "wire"), ValueError),  # type: ignore[arg-type]
        (lambda: Finding("a", ends=["b"]), TypeError),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_be_is_refused_where_it_is_made(make: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        make()


# -- what waits for what ----------------------------------------------------------------------------------


@given(plans())
def test_what_a_task_waits_for_is_over_before_it_begins_and_nothing_else_is(plan: Plan) -> None:
    graph = expanded(plan)
    for task in plan.tasks:
        before = nx.ancestors(graph, ("begins", task.id))
        waits = plan.waits_for(task)
        assert plan.waits_for(task.id) == waits
        assert [each.id for each in waits] == sorted({each.id for each in waits})
        ends = {("ends", each.id) for each in waits}
        assert ends <= before
        reached = ends.union(*(nx.ancestors(graph, end) for end in ends))
        assert {node for node in before if node[0] == "ends"} <= reached


def test_a_task_waits_for_what_the_blocks_around_it_wait_for() -> None:
    tasks = [
        PlannedTask(1, "load"),
        PlannedTask(2, "outer", "block"),
        PlannedTask(3, "inner", "block", 2),
        PlannedTask(4, "fit", block=3),
        PlannedTask(5, "plot"),
    ]
    plan = Plan(tasks, [Edge(1, 2), Edge(4, 3), Edge(4, 2), Edge(2, 5)])
    assert plan.waits_for(4) == (tasks[0],)
    assert plan.waits_for(3) == (tasks[0],)
    assert plan.waits_for(2) == (
        tasks[0],
    )  # what is inside is waited for by its end, and not before it begins
    assert plan.waits_for(5) == (tasks[1],)
    assert [[task.name for task in stage] for stage in plan.stages] == [["load"], ["fit"], ["plot"]]
    with pytest.raises(LookupError, match="no task #9"):
        plan.waits_for(9)


def test_an_empty_block_holds_nothing_up_and_still_keeps_the_order() -> None:
    plan = Plan([*tasks_of("a", "b"), PlannedTask(3, "box", "block")], [Edge(1, 3), Edge(3, 2)])
    assert [[task.name for task in stage] for stage in plan.stages] == [["a"], ["b"]]
    assert plan.critical_path().length == plan.makespan(5) == 2


# -- stages -----------------------------------------------------------------------------------------------


@given(plans(blocks=False))
def test_stages_are_the_generations_of_networkx(plan: Plan) -> None:
    stages = [[task.id for task in stage] for stage in plan.stages]
    assert stages == [sorted(each) for each in nx.topological_generations(plan.to_networkx())]


@given(plans())
def test_a_stage_is_how_many_tasks_come_before_through_the_walls_of_blocks(plan: Plan) -> None:
    graph = expanded(plan)
    places: dict[tuple[str, int], int] = {}
    for node in nx.topological_sort(graph):
        befores = [places[before] + graph.edges[before, node]["steps"] for before in graph.pred[node]]
        places[node] = max(befores, default=0)
    told = {task.id: place for place, stage in enumerate(plan.stages) for task in stage}
    assert told == {task.id: places["begins", task.id] for task in plan.tasks if task.kind != "block"}
    assert all(plan.stages)


@given(plans())
def test_no_two_tasks_of_one_stage_wait_for_each_other(plan: Plan) -> None:
    graph = nx.transitive_closure_dag(expanded(plan))
    for stage in plan.stages:
        for one in stage:
            assert not any(graph.has_edge(("ends", one.id), ("begins", other.id)) for other in stage)


@given(plans())
def test_width_is_the_largest_stage(plan: Plan) -> None:
    assert plan.width == max(map(len, plan.stages), default=0)


# -- the critical path ------------------------------------------------------------------------------------


@given(plans())
def test_the_critical_path_is_as_long_as_networkx_says(plan: Plan) -> None:
    path = plan.critical_path()
    assert isclose(path.length, nx.dag_longest_path_length(expanded(plan)), abs_tol=1e-12)
    assert isclose(
        path.length, fsum(1 if t.expected is None else t.expected for t in path.tasks), abs_tol=1e-12
    )
    graph = expanded(plan)
    for first, then in zip(path.tasks, path.tasks[1:], strict=False):
        assert nx.has_path(graph, ("ends", first.id), ("begins", then.id))
    assert all(task.kind != "block" for task in path.tasks)


@given(plans(), st.data())
def test_given_durations_go_before_expected_ones(plan: Plan, data: st.DataObject) -> None:
    tasks = [task.id for task in plan.tasks]
    durations = data.draw(st.dictionaries(st.sampled_from(tasks), st.integers(0, 50))) if tasks else {}
    path = plan.critical_path(durations)
    assert isclose(path.length, nx.dag_longest_path_length(expanded(plan, durations)), abs_tol=1e-12)
    told = plan.with_durations(durations)
    assert told.critical_path() == (told.critical_path(durations))
    assert isclose(told.critical_path().length, path.length)
    assert told.makespan(2) == plan.makespan(2, durations)
    assert told.edges == plan.edges


def test_durations_come_by_number_by_name_and_as_timedelta() -> None:
    plan = Plan(tasks_of("load", "load", "fit"), [Edge(1, 2), Edge(2, 3)])
    assert plan.critical_path().length == 3
    assert plan.critical_path({"load": 5}).length == 11
    mixed: dict[int | str, float] = {"load": 5, 2: 0.5, "elsewhere": 9}
    assert plan.critical_path(mixed).length == 6.5
    assert plan.critical_path({"fit": timedelta(minutes=1)}).length == 62
    assert plan.with_durations({"fit": timedelta(minutes=1)}).task(3).expected == 60


def test_a_block_has_no_duration_of_its_own_whatever_is_given() -> None:
    plan = Plan([BOX, PlannedTask(2, "fit", block=1), OUTSIDE], [Edge(1, 3)])
    assert plan.critical_path({1: 100}).length == plan.critical_path({"box": 100}).length == 2
    assert plan.with_durations({1: 100}) == plan


@pytest.mark.parametrize(
    ("durations", "error", "words"),
    [
        ({9: 1}, ValueError, "durations: there is no task #9"),
        ({"load": -1}, ValueError, r"durations\['load'\]=-1: a duration is 0 seconds or more"),
        ({1: nan}, ValueError, r"durations\[1\]=nan"),
        ({"load": timedelta(seconds=-1)}, ValueError, "0 seconds or more"),
        ({"load": "3"}, TypeError, "a number of seconds is needed"),
        ({"load": None}, TypeError, "a number of seconds is needed"),
        ({PlannedTask(1, "load"): 3}, TypeError, "is neither the number nor the name of a task"),
    ],
)
def test_a_duration_that_is_none_is_told(durations: Any, error: type[Exception], words: str) -> None:
    plan = Plan(tasks_of("load"))
    for ask in (plan.critical_path, plan.with_durations, lambda given: plan.makespan(2, given)):
        with pytest.raises(error, match=words):
            ask(durations)


# -- on so many workers -----------------------------------------------------------------------------------


def work_of(plan: Plan) -> float:
    run = [task for task in plan.tasks if task.kind in ("function", "executable")]
    return fsum(1 if task.expected is None else task.expected for task in run)


def no_awaitables(plan: Plan) -> bool:
    return all(task.kind != "awaitable" for task in plan.tasks)


@given(plans(), st.integers(1, 8))
def test_a_makespan_is_between_the_bounds_that_graham_proved(plan: Plan, workers: int) -> None:
    makespan, longest, work = plan.makespan(workers), plan.critical_path().length, work_of(plan)
    little = 1e-9
    assert makespan >= longest - little
    assert makespan >= work / workers - little
    assert makespan <= longest + work / workers + little
    if no_awaitables(plan):
        assert makespan <= work / workers + (1 - 1 / workers) * longest + little


@given(plans().filter(no_awaitables))
def test_one_worker_takes_as_long_as_all_tasks_together(plan: Plan) -> None:
    assert isclose(plan.makespan(1), work_of(plan), abs_tol=1e-9)


@given(plans())
def test_with_a_worker_for_each_task_only_the_critical_path_counts(plan: Plan) -> None:
    longest = plan.critical_path().length
    assert isclose(plan.makespan(max(1, len(plan.tasks))), longest, abs_tol=1e-12)
    if all(task.expected != 0 for task in plan.tasks):  # what takes no time needs a worker all the same
        assert isclose(plan.makespan(max(1, plan.maximum_parallelism)), longest, abs_tol=1e-12)


@given(plans())
def test_parallelism_is_on_average_no_more_than_at_most(plan: Plan) -> None:
    assert 0 <= plan.average_parallelism <= plan.maximum_parallelism + 1e-9
    assert plan.maximum_parallelism <= len(plan.tasks)


@given(plans())
def test_where_every_task_is_a_step_the_most_at_once_is_the_largest_stage(plan: Plan) -> None:
    tasks = [
        PlannedTask(task.id, task.name, "block" if task.kind == "block" else "function", task.block)
        for task in plan.tasks
    ]
    steps = Plan(tasks, plan.edges)
    assert steps.maximum_parallelism == steps.width


def test_what_is_waited_for_and_not_run_takes_time_and_no_worker() -> None:
    plan = Plan([PlannedTask(1, "reply", "awaitable", expected=5), PlannedTask(2, "fit", expected=3)])
    assert plan.makespan(1) == plan.critical_path().length == 5
    assert plan.maximum_parallelism == 1 and plan.average_parallelism == 3 / 5


@pytest.mark.parametrize(
    ("workers", "error"), [(0, ValueError), (-1, ValueError), (1.5, TypeError), (True, TypeError)]
)
def test_a_number_of_workers_that_is_none_is_told(workers: Any, error: type[Exception]) -> None:
    plan = Plan(tasks_of("load"))
    for ask in (plan.makespan, plan.limits):
        with pytest.raises(error, match=f"workers={workers}"):
            ask(workers)


# -- what limits it ---------------------------------------------------------------------------------------

WIDE = Plan([PlannedTask(id, "load", expected=10) for id in range(1, 9)])
LONG = Plan([*tasks_of("load", "fit", "plot", expected=10), PlannedTask(4, "log")], [Edge(1, 2), Edge(2, 3)])


def test_the_number_of_workers_limits_what_is_wide() -> None:
    assert WIDE.limits(2) == (
        "The number of workers limits it: 80 s of work on 2 workers takes 40 s at least; planned: 40 s.\n"
        "  The critical path takes 10 s, and limits it from 8 workers on: load (#1)."
    )
    assert WIDE.limits(1).startswith("The number of workers limits it: 80 s of work on 1 worker takes 80 s")


def test_the_critical_path_limits_what_is_long() -> None:
    assert LONG.limits(2) == (
        "The critical path limits it: load (#1) -> fit (#2) -> plot (#3) takes 30 s on any number of workers.\n"
        "  31 s of work on 2 workers could be over in 15.5 s; planned: 30 s.\n"
        "  1 task of unknown duration: 1 s each."
    )


def test_without_durations_tasks_are_steps() -> None:
    plan = Plan(tasks_of("load", "fit", "plot"), [Edge(1, 2), Edge(2, 3)])
    assert plan.limits(2) == (
        "The critical path limits it: load (#1) -> fit (#2) -> plot (#3) takes 3 steps on any number of\n  workers.\n"
        "  3 steps of work on 2 workers could be over in 1.5 steps; planned: 3 steps."
    )
    assert plan.limits(2, {"load": 10}).endswith("2 tasks of unknown duration: 1 s each.")


@pytest.mark.parametrize("plan", [Plan([]), Plan([BOX]), Plan(tasks_of("a", expected=0))])
def test_nothing_limits_what_takes_no_time(plan: Plan) -> None:
    assert plan.limits(3) == "Nothing limits it: there is nothing that takes time."
    assert plan.average_parallelism == 0 and plan.makespan(3) == 0


@given(plans(), st.integers(1, 6))
def test_what_is_said_to_limit_it_does(plan: Plan, workers: int) -> None:
    told, longest, work = plan.limits(workers), plan.critical_path().length, work_of(plan)
    if told.startswith("The number"):
        assert work > longest * workers
        assert f"{ceil(work / longest):,} workers" in told
    elif told.startswith("The critical"):
        assert work <= longest * workers


# -- files and other forms --------------------------------------------------------------------------------


def test_each_reader_of_a_file_gets_a_copy() -> None:
    file, unknown = PlannedFile("a.csv", 1000), PlannedFile("b.csv")
    reader = {"inputs": (file, unknown), "outputs": (PlannedFile("c.csv", 7),)}
    assert Plan(tasks_of("clean", "fit", **reader)).bytes_staged == 2000
    assert Plan(tasks_of("clean")).bytes_staged == 0


@given(plans(hostile=True))
def test_networkx_gets_all_there_is(plan: Plan) -> None:
    graph = plan.to_networkx()
    assert nx.is_directed_acyclic_graph(graph)
    assert {PlannedTask(id, **more) for id, more in graph.nodes(data=True)} == set(plan.tasks)
    edges = set()
    for first, then, more in graph.edges(data=True):
        assert list(more["kinds"]) == sorted(set(more["kinds"]))
        edges |= {Edge(first, then, kind) for kind in more["kinds"] if kind != "file"}
        edges |= {Edge(first, then, "file", name) for name in more["files"]}
    assert edges == set(plan.edges)


def test_without_networkx_its_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "networkx", None)
    with pytest.raises(ImportError, match=r'pip install "asyncflow-engine\[plan\]"') as caught:
        Plan([]).to_networkx()
    assert caught.value.name == "networkx"


# -- large ones -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("many", "reach"),
    [(10_000, 100), *(pytest.param(100_000, reach, marks=pytest.mark.soak) for reach in (1, 100, 50_000))],
)
def test_many_tasks_with_three_edges_each_come_out_as_networkx_says(many: int, reach: int) -> None:
    random = Random(reach)
    tasks = [PlannedTask(id, "fit", expected=random.randrange(10)) for id in range(many)]
    edges = {(max(0, id - random.randint(1, reach)), id) for id in range(1, many) for _ in range(3)}
    plan = Plan(tasks, [Edge(*ends) for ends in edges])
    graph: nx.DiGraph = nx.DiGraph()
    graph.add_nodes_from(range(many))
    graph.add_edges_from((first, then, {"weight": tasks[first].expected}) for first, then in edges)
    graph.add_edges_from((id, "end", {"weight": tasks[id].expected}) for id in range(many))
    assert plan.critical_path().length == nx.dag_longest_path_length(graph)
    graph.remove_node("end")
    stages = [[task.id for task in stage] for stage in plan.stages]
    assert stages == [sorted(each) for each in nx.topological_generations(graph)]
    work = sum(task.expected or 0 for task in tasks)
    assert plan.makespan(1) == work
    assert (
        max(work / 7, plan.critical_path().length)
        <= plan.makespan(7)
        <= work / 7 + plan.critical_path().length
    )


@pytest.mark.parametrize("deep", [10_000, pytest.param(100_000, marks=pytest.mark.soak)])
def test_blocks_in_blocks_do_not_recurse(deep: int) -> None:
    boxes = [PlannedTask(id, "box", "block", id - 1 or None) for id in range(1, deep)]
    plan = Plan([PlannedTask(0, "load"), *boxes, PlannedTask(deep, "fit", block=deep - 1)], [Edge(0, 1)])
    assert [len(stage) for stage in plan.stages] == [1, 1]
    assert plan.waits_for(deep) == (plan.task(0),)
    assert plan.makespan(4) == plan.critical_path().length == 2
    assert Plan.from_json(plan.to_json()) == plan
    assert not plan.diff(plan)
    assert len(str(plan).splitlines()) < 10
