"""WfFormat 1.5: what others can read of a run, and what a plan makes of it."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from shown_kit import HOSTILE

from asyncflow._core.states import State
from asyncflow._record.history import History
from asyncflow.plan import Plan
from asyncflow.report import Report

from .kit import histories, of, ran

TEXT = {"type": "string", "minLength": 1}
TASK_ID = {"type": "string", "pattern": r"^[0-9a-zA-Z\-_.]+$"}
FILE_ID = {"type": "string", "pattern": r"^[0-9a-zA-Z\-_./:#]+$"}
HOST = {"type": "string", "pattern": r"^[0-9a-zA-Z]([0-9a-zA-Z\-]{0,61}[0-9a-zA-Z])?$"}
NUMBER = {"type": "number", "minimum": 0}


def record(needed: dict[str, Any], **others: Any) -> dict[str, Any]:
    """An object that has these, may have those, and has no more."""
    return {
        "type": "object",
        "properties": {**needed, **others},
        "required": list(needed),
        "additionalProperties": False,
    }


def many(item: Any, least: int = 0) -> dict[str, Any]:
    return {"type": "array", "items": item, "minItems": least, "uniqueItems": True}


RULES = record(
    {
        "name": TEXT,
        "schemaVersion": {"const": "1.5"},
        "workflow": record(
            {
                "specification": record(
                    {
                        "tasks": many(
                            record(
                                {
                                    "name": TEXT,
                                    "id": TASK_ID,
                                    "parents": many(TASK_ID),
                                    "children": many(TASK_ID),
                                },
                                inputFiles=many(FILE_ID),
                                outputFiles=many(FILE_ID),
                            ),
                            1,
                        )
                    },
                    files=many(record({"id": FILE_ID, "sizeInBytes": {"type": "integer", "minimum": 0}})),
                )
            },
            execution=record(
                {
                    "makespanInSeconds": NUMBER,
                    "executedAt": TEXT,
                    "tasks": many(
                        record(
                            {"id": TASK_ID, "runtimeInSeconds": NUMBER},
                            executedAt=TEXT,
                            command=record({"program": TEXT}, arguments=many(TEXT)),
                            readBytes=NUMBER,
                            writtenBytes=NUMBER,
                            machines=many(HOST),
                        ),
                        1,
                    ),
                },
                machines=many(record({"nodeName": HOST}), 1),
            ),
        ),
    }
)
"""What the format allows of what is written here."""


def check(document: Any) -> None:
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    jsonschema.validate(document, RULES)
    tasks = {task["id"]: task for task in document["workflow"]["specification"]["tasks"]}
    assert len(tasks) == len(document["workflow"]["specification"]["tasks"])
    for id, task in tasks.items():
        assert all(each != id and id in tasks[each]["children"] for each in task["parents"])
        assert all(each != id and id in tasks[each]["parents"] for each in task["children"])
    if (execution := document["workflow"].get("execution")) is not None:
        assert {task["id"] for task in execution["tasks"]} <= set(tasks)
        machines = {machine["nodeName"] for machine in execution.get("machines", ())}
        assert {name for task in execution["tasks"] for name in task.get("machines", ())} == machines
        for when in (execution["executedAt"], *(task["executedAt"] for task in execution["tasks"])):
            assert datetime.fromisoformat(when).tzinfo is not None


@given(histories(hostile=True))
def test_whatever_has_happened_others_can_read_it_and_a_plan_has_its_tasks(history: History) -> None:
    report = Report(history)
    if all(task.kind == "block" for task in report.tasks):
        with pytest.raises(ValueError, match="without tasks"):
            report.to_wfformat()
        return
    document = report.to_wfformat()
    check(document)
    plan = Plan.from_wfformat(document)
    assert len(plan.tasks) == sum(task.kind != "block" for task in report.tasks)


BOXES = of(
    {"name": "load", "times": ran(0, 1, 2), "worker": "process 4711"},
    {"name": "box", "kind": "block", "times": [0, 2, 2, 2, 2, 5, 5], "needs": (1,)},
    {"name": "fit", "times": ran(2, 2, 3), "block": 2, "worker": "process 4711"},
    {"name": "fit", "times": ran(2, 3, 4), "block": 2, "worker": "process 4712"},
    {"name": "left", "times": ran(2, 4, 9), "block": 2},
    {"name": "bad", "times": ran(0, 5, 7, ready=5), "needs": (2,), "state": State.FAILED},
    {
        "name": "plot",
        "times": [0, None, None, None, None, None, 7],
        "needs": (6,),
        "state": State.UPSTREAM_FAILED,
    },
    began=1_700_000_000.0,
)


def test_what_waited_for_a_block_waited_for_what_had_ended_inside() -> None:
    document = BOXES.to_wfformat("boxes")
    check(document)
    told = {task["id"]: task["parents"] for task in document["workflow"]["specification"]["tasks"]}
    assert document["name"] == "boxes" and told == {
        "load_1": [],
        "fit_3": ["load_1"],
        "fit_4": ["load_1"],
        "left_5": ["load_1"],
        "bad_6": ["fit_3", "fit_4"],
        "plot_7": ["bad_6"],
    }


def test_it_says_when_and_where_each_task_ran_and_how_long() -> None:
    execution = BOXES.to_wfformat()["workflow"]["execution"]
    assert execution["makespanInSeconds"] == 8
    assert execution["executedAt"] == "2023-11-14T22:13:20+00:00"
    assert execution["machines"] == [{"nodeName": "process-4711"}, {"nodeName": "process-4712"}]
    assert execution["tasks"][0] == {
        "id": "load_1",
        "runtimeInSeconds": 1.0,
        "executedAt": "2023-11-14T22:13:21+00:00",
        "command": {"program": "load", "arguments": []},
        "machines": ["process-4711"],
    }
    assert [task["id"] for task in execution["tasks"]] == ["load_1", "fit_3", "fit_4", "left_5", "bad_6"]


def test_a_plan_expects_of_the_tasks_what_they_took() -> None:
    plan = Plan.from_wfformat(BOXES.to_wfformat())
    assert [(task.name, task.expected) for task in plan.tasks] == [
        ("load", 1),
        ("fit", 1),
        ("fit", 1),
        ("left", 5),
        ("bad", 2),
        ("plot", None),
    ]
    assert BOXES.durations == {"load": 1, "fit": 1, "left": 5, "bad": 2}
    assert plan.makespan(2, BOXES.durations) == plan.makespan(2)
    assert plan.with_durations(BOXES.durations).task(1).expected == 1


def test_no_two_ids_or_machines_are_the_same_whatever_the_names() -> None:
    names = [*HOSTILE, "a", "a_1", "a b", "a-b", "a.b", "x" * 62 + "y", "x" * 62 + "z"]
    document = of(*({"name": name, "worker": name, "times": ran(0, 0, 1)} for name in names)).to_wfformat("")
    check(document)
    assert len(document["workflow"]["execution"]["machines"]) == len(names) - 1  # "" is not known


def test_a_run_in_which_nothing_ran_has_no_execution() -> None:
    document = of({"times": [0], "state": State.PENDING}).to_wfformat()
    check(document)
    assert "execution" not in document["workflow"]


def test_bytes_are_told_where_they_are_known() -> None:
    report = of({"times": ran(0, 0, 1)})
    report._history.bytes_in.append(7)
    task = report.to_wfformat()["workflow"]["execution"]["tasks"][0]
    assert task["readBytes"] == 7 and "writtenBytes" not in task
