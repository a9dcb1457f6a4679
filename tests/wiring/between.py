"""What one task gives, and what the next one takes."""

import collections.abc
import functools
import os
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum, IntEnum
from pathlib import Path
from typing import (
    Annotated,
    Any,
    Generic,
    Literal,
    NamedTuple,
    NewType,
    ParamSpec,
    Protocol,
    Self,
    TypedDict,
    TypeVar,
)

import numpy as np
import numpy.typing as npt
import pandas as pd

from asyncflow import InputFile, OutputFile, WorkflowEngine
from asyncflow._runtime.future import TaskFuture

from .kit import right, wrong

T = TypeVar("T")
Number = TypeVar("Number", int, float)
P = ParamSpec("P")
K = TypeVar("K")
V = TypeVar("V")
UserId = NewType("UserId", int)
OrderId = NewType("OrderId", int)


class Shape:
    area: float


class Circle(Shape):
    def __init__(self) -> None:
        self.radius = 1.0

    def grown(self) -> Self:
        return self


class Square(Shape):
    pass


class Box(Generic[T]):
    def __init__(self, inside: T) -> None:
        self.inside = inside


class IntBox(Box[int]):
    pass


class Readable(Protocol):
    def read(self) -> bytes: ...


class HasArea(Protocol):
    area: float


class Book:
    def read(self) -> bytes:
        return b""


class Colour(Enum):
    RED = 1


class Level(IntEnum):
    LOW = 1


class Point(NamedTuple):
    x: int
    y: int


class Row(TypedDict):
    name: str
    size: int


class LongRow(Row, total=False):
    note: str


@dataclass
class Job:
    rows: list[float]
    title: str = ""


def logged(fn: Callable[P, T]) -> Callable[P, T]:
    @functools.wraps(fn)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        return fn(*args, **kwargs)

    return call


# -- plain classes and containers -------------------------------------------------------------------------


@wrong(
    "'fit' takes list[float] as 'rows', and 'load' gives list[str]",
    "load",
    "fit",
    mend="let 'load' return list[float]",
)
def texts_for_numbers(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def load(path: str) -> list[str]: ...

    @engine.function_task
    def fit(rows: list[float]) -> float: ...

    async def flow() -> float:
        return await fit(load("a.csv"))  # here

    return flow


@wrong("'mean' takes float as 'total', and 'describe' gives str", "describe", "mean")
def text_for_a_number_by_keyword(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def describe() -> str: ...

    @engine.function_task
    def mean(count: int, *, total: float) -> float: ...

    @engine.block
    async def flow() -> float:
        text = describe()
        return await mean(3, total=text)  # here

    return flow


@wrong(
    "'plot' takes float as 'slope', and 'save' gives None", "save", "plot", mend="let 'save' return something"
)
def nothing_for_a_number(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def save(rows: list[int]) -> None: ...

    @engine.function_task
    def plot(slope: float) -> str: ...

    def flow() -> Any:
        return plot(save([1]))  # here

    return engine.block(flow)


@wrong("'total' takes int as 'count', and 'mean' gives float", "mean", "total")
def a_float_for_an_int(engine: WorkflowEngine) -> Any:
    @engine.function_task
    async def mean() -> float: ...

    @engine.function_task
    async def total(count: int) -> int: ...

    async def flow() -> int:
        return await total(mean())  # here

    return flow


@wrong(
    "'fit' takes list[float] as 'rows', and in there 'load' gives list[float]: list[float] is no float",
    "load",
    "fit",
    mend="pass what 'load' gives by itself, not in a list",
)
def lists_in_a_list_of_numbers(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def load(path: str) -> list[float]: ...

    @engine.function_task
    def fit(rows: list[float]) -> float: ...

    async def flow() -> float:
        return await fit([load("a"), load("b")])  # here

    return flow


@wrong(
    "'report' takes dict[str, float] as 'means', and in there 'name' gives str: str is no float",
    "name",
    "report",
)
def texts_among_the_values_of_a_dict(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def name() -> str: ...

    @engine.function_task
    def report(means: dict[str, float]) -> str: ...

    async def flow() -> str:
        return await report({"a": 1.0, "b": name()})  # here

    return flow


@wrong("'fit' takes list[float] as 'rows', and in there 'name' gives str", "name", "fit")
def a_text_deep_in_a_list(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def name() -> str: ...

    @engine.function_task
    def fit(rows: list[float]) -> float: ...

    async def flow() -> Any:
        return await fit([1, 2.5, name()])  # here

    return flow


@wrong("'run' takes Job as 'job', and in there 'name' gives str: str is no list", "name", "run")
def a_wrong_field_of_a_dataclass(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def name() -> str: ...

    @engine.function_task
    def run(job: Job) -> None: ...

    async def flow() -> None:
        await run(Job(name()))  # type: ignore[arg-type]  # here

    return flow


@wrong("it has 3 items, not 2", "split", "join")
def a_tuple_of_another_length(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def split() -> tuple[int, int, int]: ...

    @engine.function_task
    def join(both: tuple[int, int]) -> int: ...

    async def flow() -> Any:
        return await join(split())  # here

    return flow


@wrong(
    "'join' takes tuple[int, str] as 'both', and 'split' gives tuple[int, int]: int is no str",
    "split",
    "join",
)
def a_tuple_with_another_item(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def split() -> tuple[int, int]: ...

    @engine.function_task
    def join(both: tuple[int, str]) -> int: ...

    async def flow() -> Any:
        return await join(split())  # here

    return flow


@wrong("'fit' takes list[int] as 'rows', and 'lines' gives Iterator[int]", "lines", "fit")
def an_iterator_for_a_list(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def lines() -> Iterator[int]: ...

    @engine.function_task
    def fit(rows: list[int]) -> int: ...

    async def flow() -> Any:
        return await fit(lines())  # here

    return flow


@wrong("'show' takes Sequence[str] as 'names', and 'sizes' gives dict[str, int]", "sizes", "show")
def a_dict_for_a_sequence(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def sizes() -> dict[str, int]: ...

    @engine.function_task
    def show(names: Sequence[str]) -> None: ...

    async def flow() -> Any:
        return await show(sizes())  # here

    return flow


@wrong("'draw' takes Circle as 'shape', and 'square' gives Square", "square", "draw")
def a_class_for_its_sister(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def square() -> Square: ...

    @engine.function_task
    def draw(shape: Circle) -> None: ...

    async def flow() -> Any:
        return await draw(square())  # here

    return flow


@wrong("'draw' takes Circle as 'shape', and 'kind' gives type[Circle]", "kind", "draw")
def a_class_for_its_object(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def kind() -> type[Circle]: ...

    @engine.function_task
    def draw(shape: Circle) -> None: ...

    async def flow() -> Any:
        return await draw(kind())  # here

    return flow


@wrong("'show' takes Box[str] as 'box', and 'pack' gives IntBox: int is no str", "pack", "show")
def a_box_of_something_else(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def pack() -> IntBox: ...

    @engine.function_task
    def show(box: Box[str]) -> None: ...

    async def flow() -> Any:
        return await show(pack())  # here

    return flow


@wrong("'solve' takes ndarray as 'matrix', and 'load' gives list[list[float]]", "load", "solve")
def a_list_for_an_array(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def load() -> list[list[float]]: ...

    @engine.function_task
    def solve(matrix: np.ndarray) -> float: ...

    async def flow() -> Any:
        return await solve(load())  # here

    return flow


@wrong("'plot' takes DataFrame as 'frame', and 'load' gives ndarray", "load", "plot")
def an_array_for_a_frame(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def load() -> np.ndarray: ...

    @engine.function_task
    def plot(frame: pd.DataFrame) -> None: ...

    async def flow() -> Any:
        return await plot(load())  # here

    return flow


# -- annotations that are no classes ----------------------------------------------------------------------


@wrong("'use' takes str | None as 'text', and 'find' gives int | None", "find", "use")
def both_may_be_none_and_nothing_else_agrees(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def find() -> int | None: ...

    @engine.function_task
    def use(text: str | None) -> None: ...

    async def flow() -> Any:
        return await use(find())  # here

    return flow


@wrong("'use' takes list[int] | set[int] as 'numbers', and 'find' gives str | bytes", "find", "use")
def no_member_of_a_union_does(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def find() -> str | bytes: ...

    @engine.function_task
    def use(numbers: list[int] | set[int]) -> None: ...

    async def flow() -> Any:
        return await use(find())  # here

    return flow


@wrong(
    "'paint' takes Literal['red', 'blue'] as 'colour', and 'choose' gives Literal['green']", "choose", "paint"
)
def a_literal_that_is_none_of_them(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def choose() -> Literal["green"]: ...

    @engine.function_task
    def paint(colour: Literal["red", "blue"]) -> None: ...

    async def flow() -> Any:
        return await paint(choose())  # here

    return flow


@wrong("'paint' takes Colour as 'colour', and 'choose' gives str", "choose", "paint")
def a_text_for_an_enum(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def choose() -> str: ...

    @engine.function_task
    def paint(colour: Colour) -> None: ...

    async def flow() -> Any:
        return await paint(choose())  # here

    return flow


@wrong("'order' takes OrderId as 'number', and 'user' gives UserId", "user", "order")
def another_new_type(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def user() -> UserId: ...

    @engine.function_task
    def order(number: OrderId) -> None: ...

    async def flow() -> Any:
        return await order(user())  # here

    return flow


@wrong("Square has no 'read', which Readable asks for", "square", "parse")
def a_protocol_that_is_not_met(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def square() -> Square: ...

    @engine.function_task
    def parse(source: Readable) -> int: ...

    async def flow() -> Any:
        return await parse(square())  # here

    return flow


@wrong("Row has no key 'note'", "row", "annotate")
def a_typed_dict_without_a_key(engine: WorkflowEngine) -> Any:
    class Noted(TypedDict):
        name: str
        note: str

    @engine.function_task
    def row() -> Row: ...

    def take(row):  # type: ignore[no-untyped-def]
        pass

    take.__annotations__ = {"row": Noted, "return": None}
    take.__name__ = "annotate"
    annotate = engine.function_task(take)

    async def flow() -> Any:
        return await annotate(row())  # here

    return flow


@wrong("'walk' takes int as 'steps', and 'name' gives str", "name", "walk")
def annotated_is_looked_through(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def name() -> Annotated[str, "of a dog"]: ...

    @engine.function_task
    def walk(steps: Annotated[int, "at least one"]) -> None: ...

    async def flow() -> Any:
        return await walk(name())  # here

    return flow


@wrong("'double' takes Number as 'value', and 'name' gives str", "name", "double")
def a_type_variable_with_constraints(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def name() -> str: ...

    @engine.function_task
    def double(value: Number) -> Number: ...

    async def flow() -> Any:
        return await double(name())  # here

    return flow


@wrong("it takes 1 arguments, not 2", "rule", "apply")
def a_function_with_other_parameters(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def rule() -> Callable[[int], bool]: ...

    @engine.function_task
    def apply(rule: Callable[[int, int], bool]) -> None: ...

    async def flow() -> Any:
        return await apply(rule())  # here

    return flow


@wrong("'wait' takes datetime as 'until', and 'name' gives str", "name", "wait")
def annotations_as_text(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def name() -> "str": ...

    @engine.function_task
    def wait(until: "datetime") -> None: ...

    async def flow() -> Any:
        return await wait(name())  # here

    return flow


# -- kinds of functions -----------------------------------------------------------------------------------


@wrong("takes float as '*parts'", "name", "total")
def one_of_any_number_of_arguments(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def name() -> str: ...

    @engine.function_task
    def total(*parts: float) -> float: ...

    async def flow() -> Any:
        return await total(1, 2, name())  # here

    return flow


@wrong("'total' takes float as 'b', and 'name' gives str", "name", "total")
def one_of_any_number_of_keywords(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def name() -> str: ...

    @engine.function_task
    def total(**parts: float) -> float: ...

    async def flow() -> Any:
        return await total(a=1, b=name())  # here

    return flow


@wrong("'power' takes float as 'base', and 'name' gives str", "name", "power")
def what_a_partial_leaves_open(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def name() -> str: ...

    def power(exponent: int, base: float) -> float: ...

    cube = engine.function_task(functools.partial(power, 3))

    async def flow() -> Any:
        return await cube(name())  # here

    return flow


@wrong("'fit' takes list[float] as 'rows', and 'name' gives str", "name", "fit")
def a_wrapper_that_passes_on(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def name() -> str: ...

    @engine.function_task
    @logged
    def fit(rows: list[float]) -> float: ...

    async def flow() -> Any:
        return await fit(name())  # here

    return flow


@wrong("'scale' takes float as 'factor', and 'name' gives str", "name", "scale")
def a_method(engine: WorkflowEngine) -> Any:
    class Model:
        @engine.function_task
        def scale(self, factor: float) -> float: ...

    @engine.function_task
    def name() -> str: ...

    async def flow() -> Any:
        return await Model().scale(name())  # here

    return flow


@wrong("takes int as 'count', and 'name' gives str", "name", "Sampler")
def an_object_that_can_be_called(engine: WorkflowEngine) -> Any:
    class Sampler:
        def __call__(self, count: int) -> list[int]: ...

    @engine.function_task
    def name() -> str: ...

    sample = engine.function_task(Sampler())

    async def flow() -> Any:
        return await sample(name())  # here

    return flow


@wrong("'fit' takes list[int] as 'rows', and 'both' gives list[str]", "both", "fit")
def what_a_block_resolves(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def name() -> str: ...

    @engine.block
    def both() -> list[TaskFuture[str]]:
        return [name(), name()]

    @engine.function_task
    def fit(rows: list[int]) -> int: ...

    async def flow() -> Any:
        return await fit(both())  # here

    return flow


@wrong(
    "'inner' takes TaskFuture[int] as 'count', and is given the value of 'measure'",
    "measure",
    "inner",
    mend="annotate 'count' as int",
)
def a_block_that_wants_futures(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def measure() -> int: ...

    @engine.block
    async def inner(count: TaskFuture[int]) -> int:
        return 1

    async def flow() -> Any:
        return await inner(measure())  # here

    return flow


@wrong("'total' takes list[int] as 'numbers', and 'list_files' gives str", "list_files", "total")
def the_text_of_a_command(engine: WorkflowEngine) -> Any:
    @engine.executable_task
    def list_files() -> list[str]:
        return ["ls"]

    @engine.function_task
    def total(numbers: list[int]) -> int: ...

    async def flow() -> Any:
        return await total(list_files())  # here

    return flow


@wrong("'parse' takes str as 'text', and 'render' gives Path", "render", "parse")
def the_path_of_a_commands_output(engine: WorkflowEngine) -> Any:
    @engine.executable_task(capture_stdio=True)
    def render() -> str:
        return "ls"

    @engine.function_task
    def parse(text: str) -> int: ...

    async def flow() -> Any:
        return await parse(render())  # here

    return flow


@wrong(
    "'size' takes str as 'file', and in place of a file it gets a pathlib.Path",
    "size",
    mend="annotate 'file' as Path",
)
def a_file_for_a_text(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def size(file: str) -> int: ...

    async def flow() -> Any:
        return await size(InputFile("there.csv"))  # here

    return flow


@wrong("(so in 20 calls of this line)", "load", "fit")
def the_same_in_a_loop_is_told_once(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def load(number: int) -> str: ...

    @engine.function_task
    def fit(rows: int) -> float: ...

    async def flow() -> Any:
        for number in range(20):
            await fit(load(number))  # here

    return flow


@wrong("'fit' takes list[float] as 'rows', and 'load' gives list[str]", "load", "fit")
def awaited_first_and_passed_then(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def load() -> list[str]: ...

    @engine.function_task
    def fit(rows: list[float]) -> float: ...

    async def flow() -> Any:
        rows = await load()
        return await fit(rows)  # here

    return flow


# -- right ------------------------------------------------------------------------------------------------


def passes(gives: Any, takes: Any) -> Any:
    """A task that gives the one, and another that takes the other."""

    def workflow(engine: WorkflowEngine) -> Any:
        def make():  # type: ignore[no-untyped-def]
            pass

        def use(value):  # type: ignore[no-untyped-def]
            pass

        make.__annotations__, use.__annotations__ = {"return": gives}, {"value": takes, "return": None}
        maker, user = engine.function_task(make), engine.function_task(use)

        async def flow() -> None:
            await user(maker())

        return flow

    return workflow


FIT: list[tuple[str, Any, Any]] = [
    ("int_for_float", int, float),
    ("ints_for_floats", list[int], list[float]),
    ("bools_for_ints", list[bool], list[int]),
    ("ints_for_complex_numbers_in_a_dict", dict[str, int], Mapping[str, complex]),
    ("list_for_sequence", list[int], Sequence[int]),
    ("list_for_iterable", list[str], Iterable[str]),
    ("dict_for_mapping", dict[str, int], Mapping[str, float | None]),
    ("bare_list", list, list[int]),
    ("list_of_anything", list[Any], list[int]),
    ("anything", Any, int),
    ("for_anything", int, Any),
    ("for_object", list[int], object),
    ("object_for_int", object, int),
    ("value_or_none_for_value", int | None, int),
    ("value_for_value_or_none", int, typing.Optional[int]),  # noqa: UP045 - the old way, too
    ("union_that_overlaps", int | str, str | bytes),
    ("sequence_for_list", Sequence[int], list[int]),
    ("base_for_derived", Shape, Circle),
    ("derived_for_base", Circle, Shape),
    ("protocol_met", Book, Readable),
    ("protocol_met_by_annotation", Square, HasArea),
    ("new_type_for_its_base", UserId, int),
    ("base_for_new_type", int, UserId),
    ("literal_for_class", Literal["a"], str),
    ("class_for_literal", str, Literal["a", "b"]),
    ("literal_that_overlaps", Literal["a", "c"], Literal["a", "b"]),
    ("int_enum_for_int", Level, int),
    ("member_of_an_enum", Literal[Colour.RED], Colour),
    ("annotated", Annotated[list[int], "sorted"], list[Annotated[int, "small"]]),
    ("typed_dict_for_dict", Row, dict[str, Any]),
    ("typed_dict_for_mapping", Row, Mapping[str, object]),
    ("typed_dict_with_more", LongRow, Row),
    ("dict_for_typed_dict", dict[str, Any], Row),
    ("named_tuple_for_tuple", Point, tuple[int, int]),
    ("tuple_for_sequence", tuple[int, float], Sequence[float]),
    ("tuple_of_any_length", tuple[int, ...], tuple[int, int]),
    ("text_for_sequence_of_texts", str, Sequence[str]),
    ("bytearray_for_bytes", bytearray, bytes),
    ("generic_class", IntBox, Box[int]),
    ("generic_class_without_parameter", Box, Box[int]),
    ("free_type_variable", T, int),
    ("for_a_free_type_variable", list[int], list[T]),
    ("constrained_type_variable", int, Number),
    ("callable_for_bare_callable", Callable[[int], str], Callable),
    ("callable_of_anything", Callable[..., str], Callable[[int], str]),
    ("class_of_derived", type[Circle], type[Shape]),
    ("class_for_callable", type[Circle], Callable[..., Any]),
    ("array_of_numbers", npt.NDArray[np.float64], np.ndarray),
    ("array_for_typed_array", np.ndarray, npt.NDArray[np.int64]),
    ("array_for_sequence", np.ndarray, Sequence[float]),
    ("list_for_array_like", list[int], npt.ArrayLike),
    ("numpy_number_for_float", np.float32, float),
    ("numpy_number_for_int", np.int64, int),
    ("float_for_numpy_number", float, np.float64),
    ("frame_for_iterable", pd.DataFrame, Iterable[Any]),
    ("path_for_path_like", Path, str | os.PathLike[str]),
    ("datetime_for_date", datetime, date),
    ("a_name_that_is_nowhere", "NoSuchName", int),
    ("for_a_name_that_is_nowhere", list[int], "list[NoSuchName]"),
    ("open_file_for_text_stream", typing.TextIO, typing.IO[str]),
    ("counter_for_mapping", collections.Counter[str], Mapping[str, int]),
    ("never", typing.NoReturn, int),
    ("hashable", int, collections.abc.Hashable),
]
for case_name, case_gives, case_takes in FIT:
    case_workflow = passes(case_gives, case_takes)
    case_workflow.__name__ = case_name
    right(case_workflow)


@right
def a_stages_report(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def measure(station: str) -> list[int]: ...

    @engine.function_task
    async def mean(days: list[int]) -> float: ...

    @engine.function_task
    def warmest(means: dict[str, float]) -> str: ...

    @engine.block
    async def report(stations: list[str]) -> str:
        means = {name: mean(measure(name)) for name in stations}
        best = await warmest(means)
        return f"{best}: {await means[best]:.1f}"

    return functools.partial(report, ["Oslo", "Rome"])


@right
def a_method_that_returns_self(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def circle() -> Circle: ...

    grow = engine.function_task(Circle.grown)

    @engine.function_task
    def draw(shape: Circle) -> None: ...

    async def flow() -> None:
        await draw(grow(circle()))

    return flow


@right
def a_wrapper_that_adds_an_argument(engine: WorkflowEngine) -> Any:
    def connected(fn: Callable[..., T]) -> Callable[..., T]:
        @functools.wraps(fn)
        def call(*args: Any) -> T:
            return fn(object(), *args)

        return call

    @engine.function_task
    def name() -> str: ...

    @engine.function_task
    @connected
    def fetch(connection: Book, key: str) -> str: ...

    async def flow() -> str:
        return await fetch(name())

    return flow


@right
def defaults_of_none(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def find() -> int | None: ...

    @engine.function_task
    def use(limit: int = None) -> None: ...  # type: ignore[assignment]  # noqa: RUF013

    async def flow() -> None:
        await use(find())
        await use(None)  # type: ignore[arg-type]

    return flow


@right
def a_value_narrowed_between_tasks(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def find() -> int | str: ...

    @engine.function_task
    def by_name(name: str) -> None: ...

    @engine.function_task
    def by_number(number: int) -> None: ...

    async def flow() -> None:
        found = find()
        await (by_name(found) if isinstance(await found, str) else by_number(found))

    return flow


@right
def blocks_get_files_as_they_are(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def size(file: Path) -> int: ...

    @engine.executable_task
    def copy(file: InputFile, out: OutputFile) -> str:
        return f"cp {file} {out}"

    @engine.block
    async def both(file: InputFile) -> int:
        await copy(file, OutputFile("copied"))
        return await size(file)

    async def flow() -> int:
        return await both(InputFile("there.csv"))

    return flow


@right
def a_dataclass_with_futures(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def load() -> list[int]: ...

    @engine.function_task
    def run(job: Job) -> None: ...

    async def flow() -> None:
        await run(Job(load()))  # type: ignore[arg-type]

    return flow


@right
def a_block_of_futures(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def load(path: str) -> int: ...

    @engine.block
    async def all_of(paths: Sequence[str]) -> list[int]:
        return [load(path) for path in paths]  # type: ignore[misc]

    @engine.function_task
    def total(numbers: list[float]) -> float: ...

    async def flow() -> float:
        return await total(all_of(("a", "b")))

    return flow


# -- what is not as its annotation has it -----------------------------------------------------------------


class Keyed(Generic[K, V]):
    """Something by key."""


class ByValue(Keyed[V, K]):
    """With the variables in another order."""


class Table(dict[V, K], Generic[K, V]):
    """The same of a mapping."""


@dataclass
class Entry(Generic[K, V]):
    key: K
    value: V


@dataclass
class Turned(Entry[V, K]):
    note: str


@right
def generics_with_their_variables_in_another_order(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def by_value() -> ByValue[int, str]: ...

    @engine.function_task
    def table() -> Table[str, int]: ...

    @engine.function_task
    def turned() -> Turned[int, str]: ...

    @engine.function_task
    def use(one: Keyed[int, str], two: dict[int, str], three: Entry[int, str]) -> None: ...

    async def flow() -> Any:
        entry = await turned()
        return await use(by_value(), table(), turned()), entry.key + 1, entry.value.upper()

    return flow


@wrong("'use' takes Keyed[int, str] as 'one', and 'by_value' gives ByValue[str, int]", "by_value", "use")
def generics_with_their_variables_in_a_wrong_order(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def by_value() -> ByValue[str, int]: ...

    @engine.function_task
    def use(one: Keyed[int, str]) -> None: ...

    async def flow() -> Any:
        return await use(by_value())  # type: ignore[arg-type]  # here

    return flow


def as_text(fn: Callable[P, Any]) -> Callable[P, str]:
    @functools.wraps(fn)
    def call(*args: P.args, **kwargs: P.kwargs) -> str:
        return str(fn(*args, **kwargs))

    return call


def of_numbers(fn: Callable[[int], T]) -> Callable[[str], T]:
    @functools.wraps(fn)
    def call(*args: Any, **kwargs: Any) -> T:
        return fn(*map(int, args), **kwargs)

    return call


def timed(fn: Callable[P, T]) -> Callable[P, T]:
    @functools.wraps(fn)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        result = fn(*args, **kwargs)
        return result

    return call


@right
def wrappers_that_change_the_result_or_the_arguments(engine: WorkflowEngine) -> Any:
    @engine.function_task
    @as_text
    def count(rows: list[int]) -> int: ...

    @engine.function_task
    @of_numbers
    def double(number: int) -> str: ...

    @engine.block
    async def flow() -> Any:
        text = await count([1])
        return await double(count([2])), await double("3"), text.split()

    return flow


@wrong("'double' takes int as 'number', and 'name' gives str", "name", "double")
def wrappers_that_change_nothing(engine: WorkflowEngine) -> Any:
    @engine.function_task
    @timed
    def name() -> str: ...

    @engine.function_task
    @timed
    def double(number: int) -> int: ...

    async def flow() -> Any:
        return await double(name())  # type: ignore[arg-type]  # here

    return flow
