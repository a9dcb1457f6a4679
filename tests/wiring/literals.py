"""Plain values in calls, and what the functions take."""

import collections
import collections.abc
import decimal
import enum
import functools
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, NamedTuple, NewType, Protocol, TypedDict

import numpy as np
import pandas as pd
import pydantic

from asyncflow import WorkflowEngine

from .kit import right, wrong


class Size(NamedTuple):
    width: int
    height: int


class Options(TypedDict, total=False):
    degree: int
    title: str


class Colour(enum.StrEnum):
    RED = "red"


class Model(Protocol):
    def predict(self, row: list[float]) -> float: ...


class Linear:
    def predict(self, row: list[float]) -> float:
        return 0.0


@dataclass
class Point:
    x: float
    y: float


Name = NewType("Name", str)


def given(takes: Any, value: Any) -> Any:
    """A task that takes the one, and is given the other."""

    def workflow(engine: WorkflowEngine) -> Any:
        def use(value):  # type: ignore[no-untyped-def]
            pass

        use.__annotations__ = {"value": takes, "return": None}
        user = engine.function_task(use)

        async def flow() -> None:
            await user(value)  # here

        return flow

    return workflow


WRONG: list[tuple[str, Any, Any, str]] = [
    ("text_for_int", int, "3", "'use' takes int as 'value', and is given '3', a str"),
    ("text_for_list", list[str], "a.csv", "'use' takes list[str] as 'value', and is given 'a.csv', a str"),
    ("float_for_int", int, 2.5, "'use' takes int as 'value', and is given 2.5, a float"),
    ("none_for_int", int, None, "'use' takes int as 'value', and is given None"),
    ("a_text_in_a_list", list[float], [1.0, "2"], "and is given [1.0, '2'], a list: str is no float"),
    ("a_text_in_a_dict", dict[str, int], {"a": "b"}, "str is no int"),
    ("a_key_of_another_type", dict[str, int], {1: 2}, "int is no str"),
    ("text_for_path", Path, "a.csv", "'use' takes Path as 'value', and is given 'a.csv', a str"),
    ("tuple_for_list", list[int], (1, 2), "'use' takes list[int] as 'value', and is given (1, 2), a tuple"),
    ("tuple_of_another_length", tuple[int, int], (1, 2, 3), "it has 3 items, not 2"),
    (
        "none_of_the_literals",
        Literal["mean", "median"],
        "mode",
        "'mode' is none of Literal['mean', 'median']",
    ),
    ("text_for_enum", Colour, "red", "'use' takes Colour as 'value', and is given 'red', a str"),
    ("a_key_that_is_not_known", Options, {"dgree": 2}, "Options knows no key 'dgree'"),
    ("a_wrong_value_under_a_key", Options, {"degree": "2"}, "str is no int"),
    (
        "a_plain_tuple_for_a_named_one",
        Size,
        (1, 2),
        "'use' takes Size as 'value', and is given (1, 2), a tuple",
    ),
    (
        "no_function",
        Callable[[int], int],
        3,
        "'use' takes Callable[[int], int] as 'value', and is given 3, an int",
    ),
    (
        "a_function_of_two",
        Callable[[int], int],
        lambda a, b: a,
        "'use' takes Callable[[int], int] as 'value'",
    ),
    ("list_for_array", np.ndarray, [1, 2], "'use' takes ndarray as 'value', and is given [1, 2], a list"),
    ("no_member_of_a_union", int | None, "x", "'use' takes int | None as 'value', and is given 'x', a str"),
    (
        "an_object_for_its_class",
        type[Linear],
        Linear(),
        "'use' takes type[Linear] as 'value', and is given a Linear",
    ),
    ("a_class_for_its_object", Linear, Linear, "'use' takes Linear as 'value', and is given a type"),
    ("seconds_for_a_timedelta", timedelta, 3, "'use' takes timedelta as 'value', and is given 3, an int"),
    ("text_of_numbers", Sequence[int], "123", "str is no int"),
]
for case_name, case_takes, case_value, case_what in WRONG:
    case_workflow = given(case_takes, case_value)
    case_workflow.__name__ = case_name
    wrong(case_what, "use")(case_workflow)


@wrong("'predict' takes Model as 'model', and is given a Point", "predict")
def an_object_that_lacks_a_method(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def predict(model: Model, row: list[float]) -> float: ...

    async def flow() -> float:
        return await predict(Point(1, 2), [1.0])  # type: ignore[arg-type]  # here

    return flow


@wrong(
    "'fit' takes list[float] as 'rows', and is given the task 'load' itself",
    "fit",
    mend="call it:  load(...)",
)
def a_task_that_was_not_called(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def load() -> list[float]: ...

    @engine.function_task
    def fit(rows: list[float]) -> float: ...

    async def flow() -> float:
        return await fit(load)  # type: ignore[arg-type]  # here

    return flow


@wrong(
    "'path' of 'read' has the text of a future in it: '<TaskFuture folder#",
    "read",
    mend="Await the future first",
)
def a_future_in_a_text(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def folder() -> str: ...

    @engine.function_task
    def read(path: str) -> int: ...

    async def flow() -> int:
        where = folder()
        await where
        return await read(f"{where}/a.csv")  # here

    return flow


@wrong("'mean' is said to give float, and its example= is 'high', a str", "mean")
def an_example_that_contradicts(engine: WorkflowEngine) -> Any:
    @engine.function_task(example="high")
    def mean() -> float: ...

    async def flow() -> float:
        return await mean()  # here

    return flow


@wrong("'listed' is said to give str, and its example= is ['a'], a list", "listed")
def an_example_of_a_command_that_is_no_text(engine: WorkflowEngine) -> Any:
    @engine.executable_task(example=["a"])
    def listed() -> str:
        return "ls"

    async def flow() -> str:
        return await listed()  # here

    return flow


@wrong("'fit' takes int as 'degree', and is given '2', a str (so in 3 calls of this line)", "fit")
def a_map_over_texts(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def fit(degree: int) -> float: ...

    async def flow() -> list[float]:
        return [await each for each in fit.map(["2", "2", "2"])]  # type: ignore[list-item]  # here

    return flow


RIGHT: list[tuple[str, Any, Any]] = [
    ("int_for_float", float, 3),
    ("ints_in_a_list_of_floats", list[float], [1, 2.5]),
    ("bool_for_int", int, True),
    ("one_for_bool", bool, 1),
    ("numpy_numbers", list[float], [np.float32(1), np.int64(2)]),
    ("numpy_int", int, np.int32(3)),
    ("float_for_numpy_number", np.float64, 1.5),
    ("list_for_sequence", Sequence[int], [1, 2]),
    ("range_for_sequence", Sequence[int], range(3)),
    ("iterator_for_iterable", Iterable[int], iter(range(3))),
    ("dict_for_mapping", Mapping[str, float], {"a": 1}),
    ("default_dict", dict[str, list[int]], collections.defaultdict(list, {"a": [1]})),
    ("literal", Literal["mean", "median"], "mean"),
    ("member_of_an_enum", Colour, Colour.RED),
    ("enum_of_texts_for_text", str, Colour.RED),
    ("typed_dict", Options, {"degree": 2}),
    ("named_tuple_for_tuple", tuple[int, int], Size(1, 2)),
    ("function_for_callable", Callable[[str], int], len),
    ("method_for_callable", Callable[[list[float]], float], Linear().predict),
    ("class_for_callable", Callable[..., Any], Linear),
    ("class_for_its_type", type[Linear], Linear),
    ("protocol", Model, Linear()),
    ("new_type", Name, "Ada"),
    ("array_for_sequence", Sequence[float], np.ones(3)),
    ("series_for_sequence", Sequence[float], pd.Series([1.0])),
    ("frame", pd.DataFrame, pd.DataFrame({"a": [1]})),
    ("empty_list", list[int], []),
    ("a_million_numbers", list[int], [0] * 1_000_000),
    ("something_or_none", int | None, None),
    ("set_for_abstract_set", collections.abc.Set, {1}),
    ("decimal", decimal.Decimal, decimal.Decimal("1.5")),
    ("nested", dict[str, list[tuple[int, str]]], {"a": [(1, "b")]}),
    ("a_name_that_is_nowhere", "NoSuchName", 3),
]
for case_name, case_takes, case_value in RIGHT:
    case_workflow = given(case_takes, case_value)
    case_workflow.__name__ = case_name
    right(case_workflow)


@right
def what_stands_in_for_one_of_several(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def find() -> int | str: ...

    @engine.function_task
    def shout(text: str) -> str: ...

    async def flow() -> str:
        return await shout(await find())  # type: ignore[arg-type]

    return flow


@right
def a_part_of_an_opaque_result(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def load():  # type: ignore[no-untyped-def]
        return 1

    @engine.function_task
    def fit(rows: list[float], degree: int) -> float: ...

    async def flow() -> float:
        loaded = await load()
        return await fit([loaded.first, 2.0], loaded["degree"])

    return flow


@right
def an_example_that_agrees(engine: WorkflowEngine) -> Any:
    @engine.function_task(example=3)
    def mean() -> float: ...

    @engine.function_task(example=lambda: [1.0])
    def rows() -> list[float]: ...

    async def flow() -> float:
        await rows()
        return await mean()

    return flow


@right
def a_task_for_a_callable(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def load(path: str) -> str: ...

    @engine.block
    async def each(task: Callable[..., Any], paths: list[str]) -> list[str]:
        return [await task(path) for path in paths]

    async def flow() -> list[str]:
        return await each(load, ["a"])

    return flow


@right
def what_is_the_default_anyway(engine: WorkflowEngine) -> Any:
    missing: Any = object()

    @engine.function_task
    def fit(degree: int = missing) -> float: ...

    async def flow() -> float:
        return await fit(missing)

    return flow


@right
def functions_that_choose_by_type(engine: WorkflowEngine) -> Any:
    @functools.singledispatch
    def show(value: int) -> str: ...

    @show.register
    def _(value: str) -> str: ...

    @pydantic.validate_call
    def fit(degree: int) -> float: ...

    showing, fitting = engine.function_task(show), engine.function_task(fit)

    async def flow() -> Any:
        return await showing("a"), await fitting("3")  # type: ignore[arg-type]

    return flow


@right
def large_values(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def load() -> int: ...

    @engine.function_task
    def total(rows: list[list[list[int]]], more: dict[str, Any]) -> int: ...

    async def flow() -> int:
        rows: Any = [[[1] * 1000] * 1000] * 1000
        rows[0][0][0] = load()
        circle: Any = {}
        circle["a"] = circle
        return await total(rows, circle)

    return flow


@right
def what_other_code_makes_of_a_result(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def fetch(url: str) -> str: ...

    @engine.function_task
    def total(items: list[int]) -> int: ...

    @engine.block
    async def parsed(text: str) -> int:
        return await total(json.loads(text))

    async def flow() -> Any:
        found = re.search("x", await fetch("a"))
        rows = json.loads(await fetch("b"))
        more: Any = [found, 1] if found else None
        return await total(found), await total(rows), await total([rows]), total(more), parsed(fetch("c"))  # type: ignore[arg-type]

    return flow


@wrong("'total' takes list[int] as 'items', and is given ['1'], a list: str is no int", "total")
def a_text_of_a_result(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def count() -> int: ...

    @engine.function_task
    def total(items: list[int]) -> int: ...

    async def flow() -> Any:
        number = await count()
        return await total([str(number)])  # type: ignore[list-item]  # here

    return flow
