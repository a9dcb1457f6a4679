"""A plan as JSON: what comes back is what was there, and nothing else is taken for a plan."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncflow.errors import CircularDependency
from asyncflow.plan import Edge, Plan, PlannedTask

from .kit import plans, tasks_of


@given(plans(hostile=True))
def test_what_comes_back_is_equal_to_the_last_bit(plan: Plan) -> None:
    text = plan.to_json()
    back = Plan.from_json(text)
    assert back == plan
    assert back.to_json() == text
    assert [type(task.expected) for task in back.tasks] == [type(task.expected) for task in plan.tasks]
    assert Plan.from_json(text.encode()) == plan


def test_the_text_says_what_it_is_and_leaves_out_what_is_as_mostly() -> None:
    plan = Plan([PlannedTask(1, "load"), PlannedTask(2, "fit", expected=0)], [Edge(1, 2)])
    assert json.loads(plan.to_json()) == {
        "format": "asyncflow plan",
        "version": 1,
        "tasks": [{"id": 1, "name": "load"}, {"id": 2, "name": "fit", "expected": 0}],
        "edges": [{"dependency": 1, "dependent": 2}],
        "decisions": [],
        "findings": [],
    }


def changed(**parts: Any) -> str:
    return json.dumps({**json.loads(Plan(tasks_of("load")).to_json()), **parts})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no plan: the text is not JSON"),
        ("[" * 100_000, "no plan: the text is not JSON"),
        (b"\xff\xfe\xfd", "no plan: the text is not JSON"),
        ("[]", 'no plan: the text has no "format": "asyncflow plan"'),
        ("{}", 'no plan: the text has no "format": "asyncflow plan"'),
        (changed(version=2), "a plan of version 2, and 1 is known here; a later asyncflow may read it"),
        (changed(tasks=None), "no plan: its tasks are no list"),
        (changed(tasks=[3]), "no plan: 3 is no PlannedTask"),
        (changed(tasks=[{"id": 1}]), "is no PlannedTask.*missing.*'name'"),
        (changed(tasks=[{"id": 1, "name": "a", "colour": 3}]), "is no PlannedTask.*'colour'"),
        (changed(tasks=[{"id": "1", "name": "a"}]), "numbers are needed"),
        (changed(tasks=[{"id": 1, "name": ["a"]}]), "text"),
        (changed(tasks=[{"id": 1, "name": "a", "kind": ["block"]}]), "is no PlannedTask"),
        (changed(tasks=[{"id": 1, "name": "a", "inputs": "x"}]), "its inputs are no list"),
        (changed(tasks=[{"id": 1, "name": "a", "inputs": [{"size": 3}]}]), "is no PlannedFile"),
        (
            changed(tasks=[{"id": 1, "name": "a", "expected": float("nan")}]),
            "a duration is 0 seconds or more",
        ),
        (changed(edges=[{"dependency": 1, "dependent": 5}]), "there is no task #5"),
        (changed(edges=[{"dependency": 1, "dependent": 5, "kind": "file"}]), "says which"),
        (changed(decisions=[3]), "its decisions are not all text"),
        (changed(findings=[{"what": 3}]), "all is text"),
        (changed(findings=[{"ends": ["a"]}]), "is no Finding"),
    ],
)
def test_what_is_no_plan_is_told(text: str | bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Plan.from_json(text)


def test_a_circle_in_a_text_is_told() -> None:
    with pytest.raises(CircularDependency, match=r"load \(#1\) -> load \(#1\)"):
        Plan.from_json(changed(edges=[{"dependency": 1, "dependent": 1}]))


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "name", "kind", "inputs", "ends", "what", "dependency", "block"]), inner
        )
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["tasks", "edges", "decisions", "findings", "version"]), values))
def test_whatever_the_text_is_the_error_is_a_value_error(parts: dict[str, Any]) -> None:
    try:
        Plan.from_json(changed(**parts))
    except ValueError:
        pass
