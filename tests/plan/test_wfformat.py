"""WfFormat 1.5: recorded production workflows as plans, and plans as others can read them."""

from __future__ import annotations

import json
import re
from copy import deepcopy
from pathlib import Path
from typing import Any

import networkx as nx
import pytest
from hypothesis import given
from recorded_kit import INSTANCES, RECORDED, recorded
from shown_kit import HOSTILE

from asyncflow.errors import CircularDependency
from asyncflow.plan import Edge, Plan, PlannedFile, PlannedTask

from .kit import expanded, plans, tasks_of

TASK_ID = re.compile(r"[0-9a-zA-Z\-_.]+")
FILE_ID = re.compile(r"[0-9a-zA-Z\-_./:#]+")


def check(document: Any) -> None:
    """The rules of the format's schema, and that all ids in a document are of something in it."""
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert document["name"] and document["schemaVersion"] == "1.5"
    specification = document["workflow"]["specification"]
    files = [file["id"] for file in specification["files"]]
    assert len(set(files)) == len(files) and all(map(FILE_ID.fullmatch, files))
    assert all(
        type(file["sizeInBytes"]) is int and file["sizeInBytes"] >= 0 for file in specification["files"]
    )
    tasks = {task["id"]: task for task in specification["tasks"]}
    assert tasks and len(tasks) == len(specification["tasks"]) and all(map(TASK_ID.fullmatch, tasks))
    for id, task in tasks.items():
        assert isinstance(task["name"], str) and task["name"]
        for other, back in (("parents", "children"), ("children", "parents")):
            assert len(set(task[other])) == len(task[other])
            assert all(each != id and id in tasks[each][back] for each in task[other])
        assert set(task["inputFiles"]) | set(task["outputFiles"]) <= set(files)
    if (execution := document["workflow"].get("execution")) is not None:
        assert execution["executedAt"] and isinstance(execution["makespanInSeconds"], (int, float))
        ran = [task["id"] for task in execution["tasks"]]
        assert ran and len(set(ran)) == len(ran) and set(ran) <= set(tasks)
        assert all(isinstance(task["runtimeInSeconds"], (int, float)) for task in execution["tasks"])


# -- recorded workflows -----------------------------------------------------------------------------------


def as_networkx(document: Any) -> nx.DiGraph:
    """A recorded workflow, without asyncflow; each arrow weighs what the task at its beginning takes."""
    runs = document["workflow"]["execution"]["tasks"]
    runtimes = {run["id"]: run["runtimeInSeconds"] for run in runs}
    graph = nx.DiGraph()
    for task in document["workflow"]["specification"]["tasks"]:
        graph.add_edge(task["id"], "the end", weight=runtimes[task["id"]])
        for parent in task["parents"]:
            graph.add_edge(parent, task["id"], weight=runtimes[parent])
    return graph


@recorded
@pytest.mark.parametrize("name", RECORDED)
def test_a_recorded_workflow_is_planned_as_networkx_sees_it(name: str) -> None:
    path = INSTANCES / f"{name}.json"
    document = json.loads(path.read_text())
    graph, plan = as_networkx(document), Plan.from_wfformat(path)
    ids = {task.id: task.called_at for task in plan.tasks}
    length = nx.dag_longest_path_length(graph)
    assert plan.critical_path().length == pytest.approx(length, rel=1e-12)
    assert expanded(plan).number_of_nodes() == 2 * (len(graph) - 1)
    graph.remove_node("the end")
    assert {(ids[first], ids[then]) for first, then in plan.to_networkx().edges} == set(graph.edges)
    stages = [{task.called_at for task in stage} for stage in plan.stages]
    assert stages == [set(each) for each in nx.topological_generations(graph)]
    for task in plan.tasks:
        assert {each.called_at for each in plan.waits_for(task)} == set(graph.pred[task.called_at])
    sizes = {file["id"]: file["sizeInBytes"] for file in document["workflow"]["specification"]["files"]}
    read = [file for task in document["workflow"]["specification"]["tasks"] for file in task["inputFiles"]]
    assert plan.bytes_staged == sum(map(sizes.__getitem__, read))


@recorded
@pytest.mark.parametrize("name", RECORDED)
def test_a_recorded_workflow_comes_back_as_it_was(name: str) -> None:
    document = json.loads((INSTANCES / f"{name}.json").read_text())
    plan = Plan.from_wfformat(document)
    written = plan.to_wfformat(document["name"])
    check(written)
    assert Plan.from_wfformat(written) == plan
    assert Plan.from_json(plan.to_json()) == plan
    was, now = (each["workflow"]["specification"] for each in (document, written))
    for key in ("id", "inputFiles", "outputFiles"):
        assert [task[key] for task in now["tasks"]] == [task[key] for task in was["tasks"]]
    for key in ("parents", "children"):
        assert [set(task[key]) for task in now["tasks"]] == [set(task[key]) for task in was["tasks"]]
    assert sorted(map(tuple, map(dict.items, now["files"]))) == sorted(
        map(tuple, map(dict.items, was["files"]))
    )
    ran, runs = (each["workflow"]["execution"]["tasks"] for each in (document, written))
    assert {run["id"]: run["runtimeInSeconds"] for run in runs} == {
        run["id"]: run["runtimeInSeconds"] for run in ran
    }


@recorded
@pytest.mark.parametrize("name", RECORDED)
def test_a_recorded_workflow_takes_as_long_as_graham_says_and_prints_in_a_screen(name: str) -> None:
    plan = Plan.from_wfformat(INSTANCES / f"{name}.json")
    work = sum(task.expected or 0 for task in plan.tasks)
    longest = plan.critical_path().length
    assert plan.makespan(1) == pytest.approx(work)
    for workers in (2, 8, 64):
        makespan = plan.makespan(workers)
        assert max(longest, work / workers) <= makespan * (1 + 1e-12)
        assert makespan <= (work / workers + (1 - 1 / workers) * longest) * (1 + 1e-12)
    assert len(str(plan).splitlines()) <= 30
    assert not plan.diff(plan)


@recorded
def test_a_recorded_task_is_called_what_all_of_its_sort_are() -> None:
    plan = Plan.from_wfformat(str(INSTANCES / "montage-chameleon-2mass-005d-001.json"))
    assert plan.task(1) == PlannedTask(
        1,
        "mProject",
        "executable",
        called_at="mProject_ID0000001",
        expected=16.712,
        inputs=(
            PlannedFile("2mass-atlas-980914s-j0820044.fits", 1529220),
            PlannedFile("region-oversized.hdr", 277),
        ),
        outputs=plan.task(1).outputs,
    )
    assert plan.critical_path({"mDiffFit": 1000}).length > 1000


# -- what can be wrong ------------------------------------------------------------------------------------

DOCUMENT: dict[str, Any] = {
    "name": "two",
    "schemaVersion": "1.5",
    "workflow": {
        "specification": {
            "tasks": [
                {
                    "name": "split_1",
                    "id": "split_1",
                    "parents": [],
                    "children": ["fit"],
                    "outputFiles": ["a", "b"],
                },
                {
                    "name": "fit",
                    "id": "fit",
                    "parents": ["split_1"],
                    "children": ["log"],
                    "inputFiles": ["a", "b", "c"],
                },
                {"name": "log", "id": "log", "parents": [], "children": []},
            ],
            "files": [{"id": "a", "sizeInBytes": 3}],
        }
    },
}


def test_edges_are_told_at_either_end_and_are_of_the_files_that_are_handed_on() -> None:
    plan = Plan.from_wfformat(DOCUMENT)
    assert plan.edges == (Edge(1, 2, "file", "a"), Edge(1, 2, "file", "b"), Edge(2, 3, "order"))
    assert [task.name for task in plan.tasks] == ["split", "fit", "log"]
    assert plan.task(2).inputs == (PlannedFile("a", 3), PlannedFile("b"), PlannedFile("c"))
    assert plan.task(1).expected is None


def changed(path: str, value: Any) -> Any:
    document = deepcopy(DOCUMENT)
    *way, last = (int(key) if key.isdigit() else key for key in path.split("."))
    part: Any = document
    for key in way:
        part = part[key]
    part[last] = value
    return document


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("schemaVersion", "1.4", "schemaVersion is '1.4'; WfFormat 1.5 is what is read here"),
        ("workflow", [], "not WfFormat 1.5: TypeError"),
        ("workflow", {}, "not WfFormat 1.5: KeyError: 'specification'"),
        ("workflow.specification.tasks.0.parents", ["nobody"], "'split_1': there is no task 'nobody'"),
        ("workflow.specification.tasks.0.children", ["parents"], "'split_1': there is no task 'parents'"),
        ("workflow.specification.tasks.0.id", "fit", "two tasks have one id"),
        ("workflow.specification.tasks.0.id", 3, "not WfFormat 1.5|there is no task"),
        ("workflow.specification.tasks.0.name", None, "not WfFormat 1.5"),
        ("workflow.specification.tasks.0", "x", "not WfFormat 1.5"),
        ("workflow.specification.files.0.sizeInBytes", "3", "not WfFormat 1.5"),
        ("workflow.specification.files.0.sizeInBytes", -3, "0 bytes or more"),
        (
            "workflow.execution",
            {"tasks": [{"id": "x", "runtimeInSeconds": 1}]},
            "'x' was executed, and there is no such",
        ),
        ("workflow.execution", {"tasks": [{"id": "fit", "runtimeInSeconds": -1}]}, "expected=-1"),
        ("workflow.execution", {"tasks": [{"id": "fit", "runtimeInSeconds": "1"}]}, "not WfFormat 1.5"),
    ],
)
def test_what_is_not_in_the_format_is_told(path: str, value: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Plan.from_wfformat(changed(path, value))


def test_a_circle_in_a_document_is_told_by_name() -> None:
    document = changed("workflow.specification.tasks.2.children", ["split_1"])
    with pytest.raises(CircularDependency, match=r"split \(#1\)") as caught:
        Plan.from_wfformat(document)
    assert all(name in str(caught.value) for name in ("fit (#2)", "log (#3)"))


@pytest.mark.parametrize(
    ("text", "words"), [("", "not JSON"), ("[1]", "a list"), ("{}", "schemaVersion is None")]
)
def test_a_file_that_is_no_document_is_told(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "recorded.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=words):
        Plan.from_wfformat(path)
    with pytest.raises(FileNotFoundError):
        Plan.from_wfformat(tmp_path / "elsewhere.json")


# -- what is written --------------------------------------------------------------------------------------


@given(plans(hostile=True).filter(lambda plan: any(task.kind != "block" for task in plan.tasks)))
def test_whatever_a_plan_holds_others_can_read_it_and_wait_for_the_same(plan: Plan) -> None:
    document = plan.to_wfformat()
    check(document)
    back = Plan.from_wfformat(document)
    assert [[task.expected for task in stage] for stage in back.stages] == [
        [task.expected for task in stage] for stage in plan.stages
    ]
    assert back.critical_path().length == pytest.approx(plan.critical_path().length, abs=1e-12)


def test_what_waits_for_a_block_waits_for_all_inside() -> None:
    tasks = [
        PlannedTask(1, "load"),
        PlannedTask(2, "box", "block"),
        PlannedTask(3, "fit", block=2),
        PlannedTask(4, "fit", block=2),
        PlannedTask(5, "plot"),
    ]
    told = Plan(tasks, [Edge(1, 2), Edge(2, 5)]).to_wfformat()["workflow"]["specification"]["tasks"]
    assert {task["id"]: task["parents"] for task in told} == {
        "load_1": [],
        "fit_3": ["load_1"],
        "fit_4": ["load_1"],
        "plot_5": ["fit_3", "fit_4"],
    }


def test_no_two_ids_are_the_same_whatever_the_names() -> None:
    files = tuple(PlannedFile(name) for name in dict.fromkeys([*HOSTILE, "_", "?", "_1", "__"]))
    tasks = [
        PlannedTask(id, name, called_at="a_1", inputs=files)
        for id, name in enumerate(["a", *HOSTILE, "a", "a_1"])
    ]
    check(Plan(tasks).to_wfformat())
    check(Plan([PlannedTask(1, "a", called_at="b_2"), PlannedTask(2, "b", called_at="")]).to_wfformat(""))


def test_a_plan_without_tasks_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="without tasks"):
        Plan([PlannedTask(1, "box", "block")]).to_wfformat()


def test_a_plan_without_durations_tells_of_no_execution() -> None:
    assert "execution" not in Plan(tasks_of("load")).to_wfformat()["workflow"]
    execution = Plan(tasks_of("load", expected=3)).to_wfformat()["workflow"]["execution"]
    assert execution == {
        "makespanInSeconds": 3,
        "executedAt": "1970-01-01T00:00:00+00:00",
        "tasks": [{"id": "load_1", "runtimeInSeconds": 3}],
    }
