"""Recorded workflows as graphs: a replay has the recorded tasks, waits and files."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from recorded_kit import INSTANCES, RECORDED, recorded

from asyncflow import Graph, GraphError, Plan, WorkflowEngine

DIAMOND = {
    "schemaVersion": "1.5",
    "workflow": {
        "specification": {
            "tasks": [
                {"id": "a", "name": "split", "parents": [], "children": ["b", "c"], "outputFiles": ["f"]},
                {"id": "b", "name": "work", "parents": ["a"], "children": ["d"], "inputFiles": ["f", "raw"]},
                {"id": "c", "name": "work", "parents": ["a"], "children": ["d"], "outputFiles": ["/g/h"]},
                {"id": "d", "name": "join", "parents": ["b", "c"], "children": [], "inputFiles": ["/g/h"]},
            ],
            "files": [
                {"id": "f", "sizeInBytes": 5_000},
                {"id": "/g/h", "sizeInBytes": 10**9},
                {"id": "raw", "sizeInBytes": 1},
            ],
        },
        "execution": {"tasks": [{"id": each, "runtimeInSeconds": 1.0} for each in "abcd"]},
    },
}


def test_steps_have_the_recorded_names_waits_and_times() -> None:
    graph = Graph.from_wfformat(DIAMOND, scale=1000)
    assert graph.stages == [["a"], ["b", "c"], ["d"]]
    assert [each.name for each in graph.values()] == ["split", "work", "work", "join"]
    assert {each.options["expected"] for each in graph.values()} == {0.001}


@pytest.mark.parametrize("run", ["sleep", "burn", "command"])
async def test_a_replay_runs(run: str) -> None:
    graph = Graph.from_wfformat(DIAMOND, run=run, scale=1000)  # type: ignore[arg-type]
    async with WorkflowEngine(workers=2) as engine:
        await engine.run_graph(graph)
        assert {name: row.count for name, row in engine.report().functions.items()} == {
            "split": 1,
            "work": 2,
            "join": 1,
        }


async def test_commands_make_files_of_a_thousandth_of_the_size_and_bounded() -> None:
    graph = Graph.from_wfformat(DIAMOND, run="command", scale=1000)
    async with WorkflowEngine(keep="all") as engine:
        futures = graph.call(engine)
        sizes = [
            (await futures[name].outputs[file]).stat().st_size for name, file in (("a", "f"), ("c", "g_h"))
        ]
    assert sizes == [5, 10_000]


@pytest.mark.parametrize(("run", "scale"), [("leap", 1.0), ("sleep", 0.0), ("sleep", float("nan"))])
def test_a_way_that_there_is_not_is_refused(run: str, scale: float) -> None:
    with pytest.raises(ValueError, match="is needed"):
        Graph.from_wfformat(DIAMOND, run=run, scale=scale)  # type: ignore[arg-type]


@pytest.mark.parametrize(("run", "scale"), [([], 1.0), ("sleep", "100"), ("sleep", True)])
def test_what_is_no_way_or_no_number_is_told(run: Any, scale: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="is needed"):
        Graph.from_wfformat(DIAMOND, run=run, scale=scale)


@pytest.mark.parametrize("run", ["sleep", "command"])
def test_a_circle_that_was_recorded_is_drawn(run: Any) -> None:
    told = copy.deepcopy(DIAMOND)
    told["workflow"]["specification"]["tasks"][0]["parents"].append("d")  # type: ignore[index]
    with pytest.raises(GraphError, match=r"a circle: 'a' -> '[bc]' -> 'd' -> 'a'"):
        Graph.from_wfformat(told, run=run)


NAMES = [
    "x/y",
    "x_y",
    "..",
    "/",
    "-rf",
    "$(touch z)",
    "a b'c",
    "a\nb",
    "\0",
    "\ud800",
    "é" * 300,
    "a[1]*",
    "ü/ü",
]


async def test_files_of_any_name_are_made_and_read_each_as_its_own() -> None:
    told = copy.deepcopy(DIAMOND)
    specification: Any = told["workflow"]["specification"]  # type: ignore[index]
    specification["tasks"][0]["outputFiles"] = specification["tasks"][1]["inputFiles"] = NAMES
    specification["files"] = [{"id": name, "sizeInBytes": 1000 * size} for size, name in enumerate(NAMES, 1)]
    for task in specification["tasks"][2:]:
        task.pop("outputFiles", None)
        task.pop("inputFiles", None)
    graph = Graph.from_wfformat(told, run="command", scale=10_000)
    made = {each.name: size for each, size in zip(graph["a"].args[2], graph["a"].args[3], strict=True)}  # type: ignore[call-overload]
    assert sorted(made.values()) == list(range(1, len(NAMES) + 1))
    async with WorkflowEngine(keep="all") as engine:
        futures = graph.call(engine)
        await futures["d"]
        sizes = {name: (await futures["a"].outputs[name]).stat().st_size for name in made}
    assert sizes == made


@recorded
@pytest.mark.parametrize("name", RECORDED)
async def test_a_recorded_workflow_is_planned_as_it_was_recorded(name: str) -> None:
    path = INSTANCES / f"{name}.json"
    graph = Graph.from_wfformat(path, scale=1.0)
    plan, own = Plan.from_wfformat(path), await WorkflowEngine().plan(graph)
    assert (
        len(own.tasks)
        == len(plan.tasks)
        == len(json.loads(path.read_text())["workflow"]["specification"]["tasks"])
    )
    assert own.makespan(8) == pytest.approx(plan.makespan(8))


@recorded
async def test_a_recorded_workflow_runs_whole() -> None:
    name = min(RECORDED, key=lambda each: (INSTANCES / f"{each}.json").stat().st_size)
    graph = Graph.from_wfformat(INSTANCES / f"{name}.json", scale=10_000)
    async with WorkflowEngine(workers=8) as engine:
        assert len(await engine.run_graph(graph)) == len(graph)
