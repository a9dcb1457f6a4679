"""Whatever is in a file of a plan, of a report, of a journal, in WfFormat: it is read, or refused in words of ours."""

from __future__ import annotations

import copy
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from profiles import examples

from asyncflow import WorkflowEngine
from asyncflow._core.states import State
from asyncflow._record.lines import line_of
from asyncflow.errors import CircularDependency
from asyncflow.events import RunBegan, RunEnded, TaskCalled, TaskEnded, TaskStarted, TaskSubmitted
from asyncflow.plan import Edge, Finding, Plan, PlannedFile, PlannedTask
from asyncflow.plan.tasks import Checkpoint
from asyncflow.report import Report

from .kit import of, ran

PLAN = Plan(
    [
        PlannedTask(1, "all", "block"),
        PlannedTask(2, "load", block=1, outputs=(PlannedFile("a.csv", 3),), expected=2.0),
        PlannedTask(3, "fit", "executable", block=1, inputs=(PlannedFile("a.csv"),), checkpoint=0),
        PlannedTask(4, "plot", place="backend 'thread'", called_at="a.py:1, in main"),
    ],
    [Edge(2, 3, "file", "a.csv"), Edge(1, 4), Edge(3, 4, "order")],
    decisions=["if on load#1, a.py:3"],
    findings=[Finding("wrong", "a.py:1, in main", ("load", "fit"), "mend it")],
    checkpoints=[Checkpoint((2,))],
)
REPORT = of(
    {"name": "load", "times": ran(0, 1, 2), "worker": "w"},
    {
        "name": "fit",
        "times": ran(0, 2, 3),
        "needs": [1],
        "worker": "w",
        "state": State.FAILED,
        "error": "ValueError: x",
    },
)
EVENTS = [
    RunBegan(1.0, "run-1", {"backend 'thread'": 2, "the event loop": None}, False, (("machine", "node-1"),)),
    TaskCalled(1.0, 1, "load", "function", "backend 'thread'", "", "a.py:1, in main", None, 0, (), ()),
    TaskCalled(1.0, 2, "fit", "function", "backend 'thread'", "", "a.py:2, in main", "w", 0, (1,), ()),
    TaskSubmitted(1.1, 1),
    TaskStarted(1.2, 1, "worker 1"),
    TaskEnded(1.3, 1, "SUCCEEDED", 1.2, 1.3, "worker 1", 10, "", ()),
    TaskEnded(1.4, 2, "FAILED", 1.3, 1.4, "worker 1", 0, "ValueError: x", ()),
    RunEnded(1.5, 0.1),
]


def deep(depth: int, kind: str = "[]") -> str:
    return kind[0] * depth + kind[1] * depth if kind == "[]" else '{"a":' * depth + "1" + "}" * depth


NESTED: Any = []
for _ in range(900):
    NESTED = [NESTED]
VALUES: list[Any] = [
    *(
        None,
        True,
        0,
        1,
        -1,
        2**63,
        10**400,
        0.5,
        float("nan"),
        float("inf"),
        -1e300,
        "",
        "x",
        "\x1b[2J",
        "\ud800",
    ),
    *([], [[]], [None], {}, {"a": 1}, {"id": []}, [{}], [1, "a"], ["a", "a"], NESTED),
]


def document(name: str) -> Any:
    if name == "plan":
        return json.loads(PLAN.to_json())
    if name == "report":
        return json.loads(REPORT.to_json())
    if name == "wfformat":
        return json.loads(json.dumps(PLAN.to_wfformat()))
    return [json.loads(line_of(event, "run-1")) for event in EVENTS]


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path]
    if value is NESTED:
        return found
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        found += places(part, (*path, key))
    return found


def fresh(value: Any) -> Any:
    return value if value is NESTED else copy.deepcopy(value)


def mutated(draw: Any, value: Any) -> Any:
    """A document in which something is changed, gone, or there twice."""
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(places(value)))
        if not path:
            if draw(st.integers(0, 20)) == 0:
                return draw(st.sampled_from(VALUES))
            continue
        around = value
        for step in path[:-1]:
            around = around[step]
        how = draw(st.sampled_from(["change", "remove", "repeat", "add"]))
        if how == "remove":
            del around[path[-1]]
        elif how == "change" or not isinstance(around, list):
            key = path[-1] if how == "change" else draw(st.sampled_from(["", "id", "x", "tasks"]))
            around[key] = fresh(draw(st.sampled_from(VALUES)))
        elif how == "repeat":
            around.append(fresh(around[path[-1]]))
        else:
            around.insert(path[-1], fresh(draw(st.sampled_from(VALUES))))
    return value


def read(name: str, value: Any, folder: Path) -> Any:
    path = folder / "document"
    if name == "journal":
        lines = value if isinstance(value, list) else [value]
        path.write_text("".join(json.dumps(each) + "\n" for each in lines))
        return Report.from_journal(path)
    text = json.dumps(value)
    if name == "plan":
        return Plan.from_json(text)
    if name == "report":
        return Report.from_json(text)
    path.write_text(text)
    return Plan.from_wfformat(path)


def used(told: Any) -> None:
    """All that is shown of it, and it goes out and comes back."""
    shown = f"{told}{told!r}"
    assert shown.isprintable() or all(each.isprintable() or each == "\n" for each in shown)
    assert told._repr_html_()
    assert type(told).from_json(told.to_json()) == told
    if isinstance(told, Plan):
        assert told.diff(told) is not None
        told.to_networkx()


def check(reads: Callable[[], Any]) -> None:
    try:
        told = reads()
    except (ValueError, LookupError) as error:
        assert type(error) in (ValueError, CircularDependency, LookupError), repr(error)
        assert str(error) and len(str(error)) < 2_000
    else:
        used(told)


@pytest.mark.parametrize("name", ["plan", "report", "wfformat", "journal"])
@settings(parent=examples(200), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_document_is_read_or_refused_in_words_of_ours(
    name: str, data: st.DataObject, tmp_path: Path
) -> None:
    value = mutated(data.draw, document(name))
    check(lambda: read(name, value, tmp_path))


READS: dict[str, Callable[[bytes, Path], Any]] = {
    "plan": lambda text, path: Plan.from_json(text),
    "report": lambda text, path: Report.from_json(text),
    "wfformat": lambda text, path: Plan.from_wfformat(path),
    "journal": lambda text, path: Report.from_journal(path),
}
TEXTS: list[bytes] = [
    b"",
    b"{",
    b"[]",
    b"null",
    b'"x"',
    b"\xff\xfe",
    b"\x00",
    b"{}\n{}\n",
    b'{"event": "RunBegan"',
    b"NaN",
]
TEXTS += [
    deep(100_000).encode() + b"\n",
    deep(100_000, "{}").encode() + b"\n",
    b'{"event": ' + deep(100_000).encode() + b"}\n",
]


@pytest.mark.parametrize("name", READS)
@pytest.mark.parametrize("text", TEXTS, ids=lambda text: repr(text[:12]))
def test_a_text_that_is_none_is_refused_in_words_of_ours(name: str, text: bytes, tmp_path: Path) -> None:
    path = tmp_path / "document"
    path.write_bytes(text)
    check(lambda: READS[name](text, path))


@pytest.mark.parametrize("key", ["id", "name", "parents", "inputFiles", "x"])
def test_a_mapping_that_holds_itself_is_read_or_refused(key: str) -> None:
    value = document("wfformat")
    task = value["workflow"]["specification"]["tasks"][0]
    task[key] = [value, task] if key in ("parents", "inputFiles") else task
    check(lambda: Plan.from_wfformat(value))
    value["workflow"] = value
    check(lambda: Plan.from_wfformat(value))


@pytest.mark.parametrize("number", [1, True, 0.5, None, [1]])
def test_what_is_no_path_and_no_text_is_refused_and_nothing_is_opened_or_closed(number: Any) -> None:
    readers: list[Any] = [Plan.from_wfformat, Report.from_journal, Plan.from_json, Report.from_json]
    for reads in readers:
        with pytest.raises(TypeError, match=rf"{reads.__name__}\(\) takes .*, and was given"):
            reads(number)
    os.fstat(1)


async def test_a_journal_is_for_its_user_alone(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    before = os.umask(0)
    try:
        engine = WorkflowEngine("thread", journal=path)
    finally:
        os.umask(before)
    async with engine:
        await engine.submit(len, "a")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
