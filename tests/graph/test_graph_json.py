"""Graphs as JSON text: what was written is read again, and nothing but what was given is ever looked up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncflow import Graph, GraphError, OutputFile, WorkflowEngine, ref, step


def load(path: str) -> list[int]:
    return [len(path)]


def fit(rows: list[int], degree: int = 1) -> int:
    return sum(rows) * degree


def same(value: object) -> object:
    return value


def sort(value: object = None, made: Path = OutputFile("f.txt")) -> object:  # type: ignore[assignment]
    return made.write_text("f")


TASKS = {"load": load, "fit": fit, "same": same, "sort": sort}
TEXT = """
{"rows": {"run": "load", "with": {"path": "a.csv"}},
 "model": {"run": "fit", "with": {"rows": {"$ref": "rows"}, "degree": 3}, "after": ["rows"], "retries": 2}}
"""


async def test_a_graph_in_text_runs() -> None:
    async with WorkflowEngine() as engine:
        assert await engine.run_graph(Graph.from_json(TEXT, TASKS)) == {"rows": [5], "model": 15}


def test_what_is_written_is_read_again() -> None:
    graph = Graph.from_json(TEXT, TASKS)
    again = Graph.from_json(graph.to_json(), TASKS)
    assert dict(again) == dict(graph)
    assert json.loads(graph.to_json()) == json.loads(TEXT)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["a", "$ref", "$value"]), inner),
)


@given(JSON)
def test_any_value_of_json_comes_back_as_it_was(value: object) -> None:
    graph = Graph({"a": step(same, value)})
    assert Graph.from_json(graph.to_json(), TASKS)["a"].args == (value,)


def test_names_are_looked_up_among_the_given_tasks_alone() -> None:
    with pytest.raises(GraphError, match=r"'a': \"run\" is 'os.system', and no task is given by that name"):
        Graph.from_json('{"a": {"run": "os.system", "with": {"command": "true"}}}', TASKS)
    with pytest.raises(GraphError, match="Did you mean 'load'"):
        Graph.from_json('{"a": {"run": "laod"}}', TASKS)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "not JSON"),
        (b"\xff", "not JSON: 'utf-8' codec can't decode"),
        ('{"a": {"run": "same", "args": [NaN]}}', "not JSON: NaN is no number of JSON"),
        ('{"a": {"run": "same", "args": [-1e999]}}', "not JSON: -1e999 is more than a number can be"),
        ('{"a": {"run": "same", "args": [{"$value": {"b": 1, "b": 2}}]}}', "the name 'b' stands twice"),
        ('{"a": {"run": "load", "args": [""], "self": 2}}', "no option is called 'self'"),
        ("null", "null; an object with the steps by name is needed"),
        ("[" * 100_000, "not JSON"),
        ('{"a": {"run": "load"}, "b": {"run": "load"}, "a": {"run": "load"}}', "the name 'a' stands twice"),
        ("[]", "a list; an object with the steps by name is needed"),
        ('{"a": 3}', "'a': a number; an object with \"run\" is needed"),
        ('{"a": {"run": "load", "with": []}}', '"with" is a list'),
        ('{"a": {"run": "load", "args": {}}}', '"args" is an object'),
        ('{"a": {"run": "load", "args": [""], "after": [1]}}', '"after" is \\[1\\]'),
        ('{"a": {"run": "load", "args": [{"$ref": 1}]}}', "a reference is"),
        ('{"a": {"run": "load", "args": [{"$ref": "a", "x": 1}]}}', "a reference is"),
        ('{"a": {"run": "load", "args": [""], "retires": 2}}', "no option is called 'retires'. Did you mean"),
    ],
)
def test_other_text_is_refused_with_what_is_wrong(text: str | bytes, told: str) -> None:
    with pytest.raises(GraphError, match=told):
        Graph.from_json(text, TASKS)


def test_what_json_cannot_say_is_told_with_the_step() -> None:
    with pytest.raises(GraphError, match=r"'a': Object of type .*Path is not JSON serializable"):
        Graph({"a": step(same, Path("x"))}).to_json()
    with pytest.raises(GraphError, match="has no name among those that were given"):
        Graph({"a": step(same, 1)}).to_json({"load": load})
    with pytest.raises(GraphError, match="another task is called 'fit', too"):
        Graph({"a": step(fit, [1]), "b": step(_other_fit(), [1])}).to_json()


def _other_fit() -> object:
    def fit(rows: object) -> object:
        return rows

    return fit


def test_files_of_other_steps_are_said_in_text() -> None:
    graph = Graph({"a": step(sort), "b": step(same, [ref("a").outputs["f.txt"]])})
    assert json.loads(graph.to_json())["b"]["args"] == [[{"$ref": "a", "output": "f.txt"}]]
    assert dict(Graph.from_json(graph.to_json(), TASKS)) == dict(graph)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ((5, TASKS), "takes the text of a graph, and was given 5, an int"),
        (("{}", [load]), "tasks by name are needed"),
    ],
)
def test_what_is_no_text_and_what_are_no_tasks_is_told(given: Any, told: str) -> None:
    with pytest.raises(TypeError, match=told):
        Graph.from_json(*given)


def test_what_is_written_can_be_read_by_anybody() -> None:
    with pytest.raises(GraphError, match="'a': Out of range float values are not JSON compliant"):
        Graph({"a": step(same, [float("nan")])}).to_json()
    with pytest.raises(GraphError, match="'a': Out of range float values are not JSON compliant"):
        Graph({"a": step(same, 1, timeout=float("inf"))}).to_json()
    for name in ("\ud800", "é"):
        graph = Graph({name: step(same, name)})
        text = graph.to_json()
        assert dict(Graph.from_json(text.encode(), TASKS)) == dict(graph)
        assert ("é" in text) == (name == "é")


def test_of_many_faults_all_are_told_at_once_and_the_first_with_what_was_meant() -> None:
    text = json.dumps({f"step {number}": {"run": "laod"} for number in range(3000)})
    with pytest.raises(GraphError) as caught:
        Graph.from_json(text, {"load": load, **{f"task {number}": load for number in range(1000)}})
    meant = [fault for fault in caught.value.faults if "Did you mean 'load'?" in fault]
    assert len(caught.value.faults) == 3000 and len(meant) == 20
    assert str(caught.value).endswith("... and 2,950 more, in `faults`")


def test_a_step_without_a_task_is_told_what_it_lacks() -> None:
    with pytest.raises(GraphError, match=r"'a': it has no \"run\", the name of its task"):
        Graph.from_json('{"a": {"rum": "load"}}', tasks={"load": len})
