"""A target's parameters are typed on the command line as its annotations and its docstring say."""

from __future__ import annotations

from pathlib import Path

import pytest

from asyncflow.cli.docstrings import told

from .kit import Here

HEAD = """
from __future__ import annotations
import enum, os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, Optional
from asyncflow import WorkflowEngine

engine = WorkflowEngine()

class Colour(enum.Enum):
    RED = "r"
    BLUE = "b"

@dataclass
class Point:
    x: int
    y: int = 0

"""


@pytest.fixture
def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "flow.py"


def ask(
    target: Path, here: Here, parameters: str, *texts: str, doc: str = "", gives: str = "locals()"
) -> object:
    target.write_text(
        f"{HEAD}\n@engine.function_task\ndef fit({parameters}):\n    {doc!r}\n    return repr({gives})\n"
    )
    said = here("run", "-q", "flow.py:fit", *texts)
    return said.out.strip() if said.code == 0 else said.err


@pytest.mark.parametrize(
    ("annotation", "text", "value"),
    [
        ("str", "3", "'3'"),
        ("int", "-3", "-3"),
        ("float", "1e-3", "0.001"),
        ("bool", "yes", "True"),
        ("Path", "a b.csv", "PosixPath('a b.csv')"),
        ("os.PathLike[str]", "a", "PosixPath('a')"),
        ("Decimal", "0.1", "Decimal('0.1')"),
        ("date", "2026-01-31", "datetime.date(2026, 1, 31)"),
        ("timedelta", "90", "datetime.timedelta(seconds=90)"),
        ("Colour", "red", "<Colour.RED: 'r'>"),
        ("Colour", "b", "<Colour.BLUE: 'b'>"),
        ("Literal['a', 2]", "2", "2"),
        ("Optional[int]", "3", "3"),
        ("int | str", "3", "3"),
        ("int | str", "x", "'x'"),
        ("str | int", "3", "3"),
        ("Annotated[int, 'more']", "3", "3"),
        ("dict[str, int]", '{"a": 1}', "{'a': 1}"),
        ("Point", '{"x": 1}', "Point(x=1, y=0)"),
        ("bytes", "ab", "b'ab'"),
        ("Any", "3", "'3'"),
        ("nowhere.Nothing", "3", "'3'"),
    ],
)
def test_a_text_becomes_what_the_annotation_says(
    annotation: str, text: str, value: str, target: Path, here: Here
) -> None:
    assert ask(target, here, f"n: {annotation}", text, gives="n") == value
    assert (
        ask(target, here, f"*, n: {annotation}", f"--n={text}" if annotation != "bool" else "--n", gives="n")
        == value
    )


@pytest.mark.parametrize(
    ("annotation", "texts", "value"),
    [
        ("list[int]", ("1", "2"), "[1, 2]"),
        ("Sequence[Path]", ("a",), "[PosixPath('a')]"),
        ("tuple[int, ...]", ("1", "2", "3"), "(1, 2, 3)"),
        ("tuple[int, str]", ("1", "2"), "(1, '2')"),
        ("set[str]", ("a", "a"), "{'a'}"),
        ("list[int] | None", ("1", "2"), "[1, 2]"),
        ("list", ("1",), "['1']"),
        ("list[list[int]]", ("[[1], [2, 3]]",), "[[1], [2, 3]]"),
    ],
)
def test_a_list_is_given_one_by_one(
    annotation: str, texts: tuple[str, ...], value: str, target: Path, here: Here
) -> None:
    assert ask(target, here, f"n: {annotation}", *texts, gives="n") == value
    named = [each for text in texts for each in ("--n", text)]
    assert ask(target, here, f"n: {annotation}", *named, gives="n") == value


def test_what_stands_behind_a_list_is_left_for_the_parameters_behind_it(target: Path, here: Here) -> None:
    assert ask(target, here, "sources: list[str], to: str, n: int = 1", "a", "b", "c") == (
        "{'sources': ['a', 'b'], 'to': 'c', 'n': 1}"
    )


def test_a_default_tells_the_type_where_no_annotation_does(target: Path, here: Here) -> None:
    assert ask(target, here, "n=3, deep=False, name='x'", "--n", "4", "--deep") == (
        "{'n': 4, 'deep': True, 'name': 'x'}"
    )
    assert ask(target, here, "deep=True", "--no-deep") == "{'deep': False}"


def test_arguments_of_every_kind_reach_their_parameters(target: Path, here: Here) -> None:
    parameters = "a: int, /, b: int = 2, *more: int, c: int = 3, **others: str"
    assert ask(target, here, parameters, "1") == "{'a': 1, 'b': 2, 'c': 3, 'more': (), 'others': {}}"
    assert ask(target, here, parameters, "1", "5", "6", "7", "--c", "8", "--a-b=9") == (
        "{'a': 1, 'b': 5, 'c': 8, 'more': (6, 7), 'others': {'a_b': '9'}}"
    )


def test_behind_two_dashes_nothing_is_an_option(target: Path, here: Here) -> None:
    assert ask(target, here, "a: str, b: str", "--", "--b", "--help") == "{'a': '--b', 'b': '--help'}"


@pytest.mark.parametrize(
    ("parameters", "texts", "said"),
    [
        ("n: int", (), "fit() missing a required argument: 'n'; its parameters are (n: 'int')"),
        ("n: int", ("x",), "argument 'n' of 'fit': 'x' is no whole number"),
        ("n: int", ("1", "2"), "fit() too many positional arguments; its parameters are (n: 'int')"),
        ("number: int = 1", ("--numbr", "2"), "fit has no option --numbr; did you mean --number?"),
        ("c: Colour", ("green",), "argument 'c' of 'fit': 'green' is none of RED, BLUE"),
        ("p: Point", ('{"z": 1}',), "is no Point: TypeError"),
        ("p: Point", ("{",), "is no JSON"),
        ("t: tuple[int, int]", ("1",), "2 values are needed, and 1 given"),
        ("n: int | date", ("x",), "'x' is no whole number; 'x' is no date"),
        ("n: int", ("\x1b[31m\n",), r"'\x1b[31m\n' is no whole number"),
    ],
)
def test_what_does_not_fit_is_told_as_a_call_would_tell_it(
    parameters: str, texts: tuple[str, ...], said: str, target: Path, here: Here
) -> None:
    told = ask(target, here, parameters, *texts)
    assert said in str(told) and "Traceback" not in str(told) and "\x1b" not in str(told)


def test_help_tells_what_a_target_takes(target: Path, here: Here) -> None:
    doc = "Fit a curve.\n\n    Args:\n        degree: how bent it\n            may be.\n        colour: of the line."
    ask(
        target,
        here,
        "rows: list[float], degree: int = 3, colour: Colour = Colour.RED, deep: bool = False",
        doc=doc,
    )
    said = here("run", "flow.py:fit", "--help")
    told = " ".join(said.out.split())
    assert said.code == 0
    assert "Usage: asyncflow run flow.py:fit [OPTIONS] ROWS..." in told and "Fit a curve." in told
    assert "--degree INTEGER how bent it may be. [default: 3]" in told
    assert "--colour RED|BLUE of the line. [default: RED]" in told
    assert "--deep / --no-deep [default: no]" in told and "--rows NUMBER [required]" in told


def test_resources_of_a_task_are_not_typed(target: Path, here: Here) -> None:
    target.write_text(
        f"{HEAD}\n@engine.resource\ndef model():\n    yield 'a model'\n"
        "@engine.function_task\ndef fit(n: int, model=model):\n    return f'{model} {n}'\n"
    )
    assert here("run", "-q", "flow.py:fit", "3").out == "a model 3\n"
    assert "--model" not in here("run", "flow.py:fit", "--help").out


@pytest.mark.parametrize(
    "doc",
    [
        "Sum.\n\nArgs:\n    one (int): the first\n        of all.\n    two: the second.\n\nReturns:\n    other: no.\n",
        "Sum.\n\nParameters\n----------\none : int\n    the first\n    of all.\ntwo\n    the second.\n\nSee\n---\n",
        "Sum.\n\n:param int one: the first\n    of all.\n:param two: the second.\n:returns: no.\n",
    ],
)
def test_docstrings_of_all_styles_are_read(doc: str) -> None:
    assert told(doc) == ("Sum.", {"one": "the first of all.", "two": "the second."})


def test_a_graph_and_a_plain_function_are_targets_too(target: Path, here: Here) -> None:
    target.write_text(
        f"{HEAD}\nfrom asyncflow import Graph, ref, step\n"
        "def one() -> int:\n    return 1\n"
        "def more(n: int) -> int:\n    return n + 1\n"
        "graph = Graph({'a': step(one), 'b': step(more, ref('a'))})\n"
        "@engine.function_task\ndef double(n: int) -> int:\n    return 2 * n\n"
        "async def twice(n: int) -> int:\n    return await double(double(n))\n"
        "def alone(n: int) -> int:\n    return engine.run(twice, n)\n"
        "async def own(n: int) -> int:\n    async with WorkflowEngine() as mine:\n"
        "        return await mine.submit(abs, n)\n"
    )
    assert here("run", "-q", "flow.py:graph").out == "{'a': 1, 'b': 2}\n"
    assert here("run", "-q", "flow.py:twice", "3").out == "12\n"
    assert here("run", "-q", "flow.py:alone", "3").out == "12\n"
    assert here("run", "-q", "flow.py:own", "-3").out == "3\n"
    assert here("run", "flow.py:graph", "3").code == 2
