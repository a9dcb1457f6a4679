"""What a call refuses of wrong keywords and left-over arguments, by the kind of value. Checked as `api.py` is.

Each function has one parameter of that kind, so that a right call and two wrong ones stand together: a name that there
is not, and a name whose type is another.
"""

from __future__ import annotations

import asyncio
from array import array
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence, ValuesView
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Any, NamedTuple, TypedDict, assert_type

import attrs
import numpy
import pydantic

from asyncflow import TaskFuture, WorkflowEngine

engine = WorkflowEngine()


class Model: ...


@dataclass
class Loose:
    """Compares its fields and is not frozen: it has no hash."""

    rounds: int


@attrs.define
class Attrs:
    rounds: int


class Pydantic(pydantic.BaseModel):
    rounds: int


class Row(TypedDict):
    rounds: int


class Pair(NamedTuple):
    rounds: int


class Color(Enum):
    RED = 1


class Table:
    """As a table of a library has it: no hash, and an array of what is in it."""

    __hash__ = None  # type: ignore[assignment]

    def __array__(self) -> numpy.ndarray[Any, Any]:
        return numpy.zeros(1)


class Scaled:
    def __call__(self, number: int) -> int:
        return number


@engine.function_task
def run(rows: list[float], *, value: object = None, number: float = 1.0) -> bytes:
    return bytes(len(rows))


@engine.function_task
def many(a: int, b: int, c: int, d: int, e: int = 5, *, value: object = None) -> bytes:
    return bytes(a + b + c + d + e)


class Station:
    @engine.function_task
    def measure(self, day: int, model: Loose | None = None) -> float:
        return float(day)


def plain(rows: list[float], model: Loose | None = None) -> bytes:
    return bytes(len(rows))


async def coroutine(rows: list[float], model: Loose | None = None) -> bytes:
    return bytes(len(rows))


def objects(loose: Loose, model: Model, attr: Attrs, record: Pydantic, pair: Pair, color: Color) -> None:
    assert_type(run([1.0], value=loose), TaskFuture[bytes])
    run([1.0], valeu=loose)  # type: ignore[deprecated]
    run(rows=[1.0], number=loose)  # type: ignore[deprecated]
    run([1.0], valeu=model)  # type: ignore[deprecated]
    run(rows=[1.0], number=model)  # type: ignore[deprecated]
    run([1.0], valeu=attr)  # type: ignore[deprecated]
    run(rows=[1.0], number=attr)  # type: ignore[deprecated]
    run([1.0], valeu=record)  # type: ignore[deprecated]
    run(rows=[1.0], number=record)  # type: ignore[deprecated]
    run([1.0], valeu=pair)  # type: ignore[deprecated]
    run(rows=[1.0], number=color)  # type: ignore[deprecated]
    run([1.0], valeu=loose, value=model)  # type: ignore[deprecated]


def containers_of_objects(
    listed: list[Loose],
    named: dict[str, Loose],
    numbered: dict[int, str],
    seen: Mapping[int, Model],
    several: Sequence[Loose],
    values: ValuesView[Loose],
    queue: deque[Loose],
    unique: set[Model],
    nested: list[dict[str, list[Loose]]],
) -> None:
    assert_type(run([1.0], value=listed), TaskFuture[bytes])
    run([1.0], valeu=listed)  # type: ignore[deprecated]
    run(rows=[1.0], number=listed)  # type: ignore[deprecated]
    run([1.0], valeu=named)  # type: ignore[deprecated]
    run(rows=[1.0], number=named)  # type: ignore[deprecated]
    run([1.0], valeu=numbered)  # type: ignore[deprecated]
    run([1.0], valeu=seen)  # type: ignore[deprecated]
    run([1.0], valeu=several)  # type: ignore[deprecated]
    run([1.0], valeu=values)  # type: ignore[deprecated]
    run([1.0], valeu=queue)  # type: ignore[deprecated]
    run([1.0], valeu=unique)  # type: ignore[deprecated]
    run(rows=[1.0], number=nested)  # type: ignore[deprecated]
    run([1.0], valeu=[Loose(1)])  # type: ignore[deprecated]
    run([1.0], valeu={1: Loose(1)})  # type: ignore[deprecated]


def plain_containers(
    floats: list[float], texts: dict[str, int], raw: bytearray, packed: array[float]
) -> None:
    run([1.0], valeu=floats)  # type: ignore[deprecated]
    run(rows=[1.0], number=floats)  # type: ignore[deprecated]
    run([1.0], valeu=texts)  # type: ignore[deprecated]
    run([1.0], valeu=raw)  # type: ignore[deprecated]
    run([1.0], valeu=packed)  # type: ignore[deprecated]
    run([1.0], valeu=[])  # type: ignore[deprecated]
    run([1.0], valeu={})  # type: ignore[deprecated]


def typed_dicts_and_arrays(
    row: Row, array: numpy.ndarray[Any, numpy.dtype[numpy.float64]], table: Table
) -> None:
    assert_type(run([1.0], value=row), TaskFuture[bytes])
    assert_type(run([1.0], value=array), TaskFuture[bytes])
    run([1.0], valeu=row)  # type: ignore[deprecated]
    run(rows=[1.0], number=row)  # type: ignore[deprecated]
    run([1.0], valeu=array)  # type: ignore[deprecated]
    run(rows=[1.0], number=array)  # type: ignore[deprecated]
    run([1.0], valeu=table)  # type: ignore[deprecated]


def optional_values_and_unions(
    maybe: Loose | None, number: int | None, either: Loose | Model, mixed: Loose | list[Loose], known: object
) -> None:
    assert_type(run([1.0], value=maybe), TaskFuture[bytes])
    run([1.0], valeu=maybe)  # type: ignore[deprecated]
    run(rows=[1.0], number=maybe)  # type: ignore[deprecated]
    run(rows=[1.0], number=number)  # type: ignore[deprecated]
    run([1.0], valeu=None)  # type: ignore[deprecated]
    run(rows=[1.0], number=None)  # type: ignore[deprecated]
    run([1.0], valeu=either)  # type: ignore[deprecated]
    run([1.0], valeu=mixed)  # type: ignore[deprecated]
    run([1.0], valeu=known)  # type: ignore[deprecated]


def functions_classes_and_others(
    call: Callable[[int], int], scaled: Scaled, kind: type[Loose], each: Iterator[int], exact: Decimal
) -> None:
    run([1.0], valeu=call)  # type: ignore[deprecated]
    run([1.0], valeu=scaled)  # type: ignore[deprecated]
    run([1.0], valeu=kind)  # type: ignore[deprecated]
    run([1.0], valeu=Loose)  # type: ignore[deprecated]
    run([1.0], valeu=each)  # type: ignore[deprecated]
    run([1.0], valeu=exact)  # type: ignore[deprecated]
    run([1.0], valeu=ValueError("no"))  # type: ignore[deprecated]


class Known(TypedDict, total=False):
    value: Loose
    number: float


class Unknown(TypedDict):
    valeu: Loose


def unpacked_keywords(
    known: Known, unknown: Unknown, pair: tuple[int, int, int, int], some: list[int]
) -> None:
    assert_type(run([1.0], **known), TaskFuture[bytes])
    assert_type(many(*pair), TaskFuture[bytes])
    assert_type(many(1, *some), TaskFuture[bytes])
    run([1.0], **unknown)  # type: ignore[deprecated]


def positional_and_by_keyword(loose: Loose, rows: TaskFuture[list[float]], number: TaskFuture[int]) -> None:
    assert_type(run(rows, value=loose), TaskFuture[bytes])
    run(rows, valeu=loose)  # type: ignore[deprecated]
    run(rows, number=loose)  # type: ignore[deprecated]
    run([1.0], loose)  # type: ignore[call-overload]
    run("rows", value=loose)  # type: ignore[arg-type]
    run(number, value=loose)  # type: ignore[arg-type]
    assert_type(many(1, 2, 3, number, value=loose), TaskFuture[bytes])
    assert_type(many(1, 2, 3, 4, number, value=loose), TaskFuture[bytes])
    many(1, number, 3, 4, valeu=loose)  # type: ignore[deprecated]
    many(1, 2, 3, 4, valeu=5)  # type: ignore[deprecated]
    many(1, 2, loose, 4)  # type: ignore[call-overload]


def methods_and_functions_that_are_not_decorated(
    loose: Loose, model: Model, rows: TaskFuture[list[float]], made: TaskFuture[Loose]
) -> None:
    assert_type(Station().measure(1, model=loose), TaskFuture[float])
    assert_type(Station().measure(1, model=made), TaskFuture[float])
    Station().measure(1, modle=loose)  # type: ignore[deprecated]
    Station().measure(day=1, model=model)  # type: ignore[deprecated]
    assert_type(engine.submit(plain, [1.0], model=loose), TaskFuture[bytes])
    assert_type(engine.submit(coroutine, [1.0], model=loose), TaskFuture[bytes])
    assert_type(engine.submit(plain, rows, model=loose), TaskFuture[bytes])
    assert_type(engine.submit(coroutine, rows=rows, model=made), TaskFuture[bytes])
    engine.submit(plain, [1.0], modle=None)  # type: ignore[deprecated]
    engine.submit(plain, [1.0], modle=loose)  # type: ignore[deprecated]
    engine.submit(coroutine, [1.0], model=model)  # type: ignore[deprecated]
    engine.submit(plain, "rows")  # type: ignore[deprecated]


@engine.function_task
def taken(
    rows: Sequence[float],
    *,
    names: Mapping[str, int] | None = None,
    kept: tuple[int, ...] = (),
    model: Loose | None = None,
    number: int = 1,
) -> bytes:
    return bytes(len(rows))


def futures_in_containers_are_accepted_by_keyword(
    one: TaskFuture[int],
    floats: Sequence[TaskFuture[float]],
    named: dict[str, TaskFuture[int]],
    seen: Mapping[str, TaskFuture[int]],
    several: tuple[TaskFuture[int], ...],
    loose: Loose,
    made: TaskFuture[Loose],
    other: asyncio.Future[int],
) -> None:
    assert_type(taken(rows=floats, number=2), TaskFuture[bytes])
    assert_type(taken(rows=[1.0], names=named), TaskFuture[bytes])
    assert_type(taken(rows=[1.0], names=seen), TaskFuture[bytes])
    assert_type(taken(rows=[1.0], names={"a": one, "b": 1}), TaskFuture[bytes])
    assert_type(taken(rows=[1.0], kept=several), TaskFuture[bytes])
    assert_type(taken(rows=[1.0], kept=(one, 2)), TaskFuture[bytes])
    assert_type(taken(rows=named.values(), number=other), TaskFuture[bytes])
    assert_type(taken(rows=[one, 2.0], model=loose), TaskFuture[bytes])
    assert_type(taken(rows=[1.0], names={"a": one}, model=loose), TaskFuture[bytes])
    assert_type(taken(rows=[1.0], model=made, names={}), TaskFuture[bytes])
    assert_type(taken(rows=[1.0], model=loose, number=one), TaskFuture[bytes])
