"""Annotations that are text, lead nowhere, or are out for trouble."""
# ruff: noqa: UP007 - the old way of writing is meant

from __future__ import annotations

import dataclasses
import functools
import operator
import time
import typing
from collections.abc import Callable
from functools import partial
from typing import (
    Annotated,
    Any,
    ClassVar,
    Generic,
    Literal,
    NamedTuple,
    NewType,
    Optional,
    ParamSpec,
    Protocol,
    Self,
    TypeVar,
    Union,
)

import numpy as np
import pytest

from asyncflow._inspect.resolve import returned_by
from asyncflow._stand_ins.examples import example_of
from asyncflow._stand_ins.opaque import StandIn

if typing.TYPE_CHECKING:
    from nowhere import Unseen  # type: ignore[import-not-found]

T = TypeVar("T")


@dataclasses.dataclass
class Point:
    x: float


@dataclasses.dataclass
class Box(Generic[T]):
    item: T


class Pair(NamedTuple):
    name: str
    numbers: list[int]


# -- annotations as text, and where they lead nowhere -----------------------------------------------------


def text() -> list[Point]: ...  # every annotation of this file is text


def unseen() -> dict[str, Unseen | None]: ...


def nowhere() -> Unseen[int]: ...


def wrong() -> int: ...


wrong.__annotations__["return"] = "list[1 +"


class Service:
    def load(self) -> Rows: ...

    def me(self) -> Self: ...

    def __call__(self) -> Point: ...


class Rows(NamedTuple):
    first: Point


class FarAway:
    """A class whose annotations cannot all be read."""

    known: int
    unknown: Unseen


@dataclasses.dataclass
class HalfKnown:
    known: int
    unknown: Unseen
    mixed: list[Unseen]
    itself: HalfKnown | None


def test_annotations_that_are_text_are_read() -> None:
    assert returned_by(text) == list[Point]
    assert returned_by(Service.load) is Rows
    assert returned_by(Service().load) is Rows
    assert returned_by(Service()) is Point
    assert returned_by(partial(partial(text))) == list[Point]
    assert returned_by(partial(Point)) is Point
    assert returned_by(Point) is Point


def test_functions_without_annotations_return_anything() -> None:
    for fn in (len, print, lambda: 1, partial(len), operator.itemgetter(1), np.sin):
        assert returned_by(fn) is Any


def test_a_wrapper_returns_what_it_wraps_says() -> None:
    @functools.wraps(text)
    def wrapper(*args: Any) -> Any: ...

    assert returned_by(wrapper) == list[Point]
    assert returned_by(functools.lru_cache(text)) == list[Point]


def test_names_of_the_function_around_are_known_if_they_are_used() -> None:
    @dataclasses.dataclass
    class Local:
        number: int

    def used() -> list[Local]:
        return [Local(1)]

    def unused() -> list[Local]: ...

    assert example_of(returned_by(used), "it") == [Local(1)]
    assert str(example_of(returned_by(unused), "it")) == "[<stand-in for it[0]>]"


def test_a_name_that_cannot_be_found_stands_for_anything() -> None:
    assert str(example_of(returned_by(unseen), "it")["1"]) == "<stand-in for it['1']>"
    assert type(example_of(returned_by(nowhere), "it")) is StandIn
    assert type(example_of(returned_by(wrong), "it")) is StandIn
    half = example_of(HalfKnown, "it")
    assert repr(half) == (
        "HalfKnown(known=1, unknown=<stand-in for it.unknown>, mixed=[<stand-in for it.mixed[0]>], itself=None)"
    )
    assert isinstance(example_of(FarAway, "it"), FarAway)


def test_self_is_the_class_of_the_object() -> None:
    assert isinstance(example_of(returned_by(Service().me), "it", owner=Service), Service)
    assert example_of(Self, "it", owner=Point) == Point(1.0)
    assert type(example_of(Self, "it")) is StandIn


# -- hostile ones -----------------------------------------------------------------------------------------


class Unruly(type):
    def __getattr__(cls, name: str) -> Any:
        raise ZeroDivisionError(name)

    def __instancecheck__(cls, value: Any) -> bool:
        raise ZeroDivisionError

    def __eq__(cls, other: object) -> bool:
        raise ZeroDivisionError

    __hash__ = None  # type: ignore[assignment]


class Ruled(metaclass=Unruly):
    def __class_getitem__(cls, item: Any) -> Any:
        raise ZeroDivisionError


class Everything(type):
    """Says yes to whatever it is asked for."""

    def __getattr__(cls, name: str) -> Any:
        return cls


class Asked(metaclass=Everything):
    pass


class Raises:
    """Raises whatever is done to it."""

    def __getattribute__(self, name: str) -> Any:
        raise SystemExit(name)

    def __eq__(self, other: object) -> bool:
        raise SystemExit

    def __hash__(self) -> int:
        raise SystemExit


@dataclasses.dataclass
class Exits:
    number: int

    def __post_init__(self) -> None:
        raise SystemExit(self.number)


@dataclasses.dataclass
class Wide:
    a: Wider
    b: Wider
    c: Wider
    d: Wider


@dataclasses.dataclass
class Wider:
    a: list[Wide | Widest]
    b: Widest
    c: Widest
    d: Widest


@dataclasses.dataclass
class Widest:
    a: dict[str, dict[str, Pair]]
    b: tuple[Pair, Pair, Pair, Pair, Pair, Pair, Pair, Pair]
    c: Box[tuple[Pair, Pair, Pair, Pair, Pair, Pair, Pair, Pair]]


class ConstructedByHand:
    calls: ClassVar[list[str]] = []

    def __new__(cls) -> Self:
        cls.calls.append("new")
        return super().__new__(cls)

    def __init__(self) -> None:
        self.calls.append("init")


@dataclasses.dataclass
class Base:
    number: int


class Derived(Base):
    def __init__(self) -> None:
        ConstructedByHand.calls.append("derived")


def nested(depth: int) -> Any:
    annotation: Any = int
    for _ in range(depth):
        annotation = list[annotation]
    return annotation


circle: list[Any] = []
circle.append(circle)

# fmt: off
HOSTILE: list[Any] = [
    Ruled, list[Ruled], Asked, Raises(), [Raises()], Raises, Exits, list[Exits], Callable[[], Ruled], type[Ruled],
    1, "", "1 +", "no_such_name", ..., {}, circle, Literal, Union, Optional, Annotated, Generic, Protocol,
    nested(50), nested(2000), Union[tuple(Literal[number] for number in range(5000))], Wide, ParamSpec("P"),
    typing.TypeGuard[int], dataclasses.InitVar[Raises()], Annotated[Raises, 1], NewType("Odd", Raises()),
]
# fmt: on


@pytest.mark.parametrize("which", range(len(HOSTILE)))  # not themselves: pytest would not survive it
def test_nothing_is_hostile_enough_to_raise_or_to_hang(which: int) -> None:
    began = time.perf_counter()
    example_of(HOSTILE[which], "it")
    assert time.perf_counter() - began < 5


def test_an_object_that_cannot_be_made_is_opaque_and_the_others_are_made() -> None:
    made = example_of(tuple[int, Exits, str], "it")
    assert (made[0], made[2]) == (1, "1")
    assert isinstance(made[1], Exits)


def test_no_constructor_of_a_users_own_is_called() -> None:
    assert isinstance(example_of(ConstructedByHand, "it"), ConstructedByHand)
    assert isinstance(example_of(Derived, "it"), Derived)
    assert ConstructedByHand.calls == []


def test_an_example_is_bounded() -> None:
    assert len(repr(example_of(Wide, "it"))) < 100_000
