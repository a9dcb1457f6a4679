"""What objects of a class can have, and who is told when code asks a result for what it cannot."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from types import CodeType
from typing import Any, Protocol

import pytest

from asyncflow._inspect.attributes import CALL, INDEX, ITERATION, known, lacks
from asyncflow._stand_ins.decisions import Decisions
from asyncflow._stand_ins.opaque import StandIn


class Base:
    kind: str

    def __init__(self) -> None:
        self.size = 1
        self.x, (self.y, self.z) = 1, (2, 3)

    @property
    def area(self) -> int:
        return 1


class Derived(Base):
    def late(self) -> None:
        self.after: int = 1


class Slotted:
    __slots__ = ("one",)


class Asks:
    def __getattr__(self, name: str) -> int:
        return 1


class Sets:
    def __init__(self, **fields: int) -> None:
        for name, value in fields.items():
            setattr(self, name, value)


class Interface(Protocol):
    def read(self) -> bytes: ...


class Set:
    pass


def elsewhere(made: Set) -> None:
    made.outside = 1  # type: ignore[attr-defined]


made_by_hand = type("made_by_hand", (), {"field": 1})


@pytest.mark.parametrize(
    ("cls", "name"),
    [
        *((Base, name) for name in ("kind", "size", "x", "z", "area", "after")),
        *((Derived, name) for name in ("kind", "size", "late", "after")),
        (Slotted, "one"),
        (Asks, "anything"),
        (Sets, "anything"),
        (Interface, "anything"),
        (Set, "outside"),
        (made_by_hand, "anything"),
        (re.Match, "group"),
        (dict, INDEX),
        (str, ITERATION),
        (Asks, "__class__"),
    ],
)
def test_what_an_object_may_have_is_not_lacking(cls: type, name: str) -> None:
    assert not lacks(cls, name)


@pytest.mark.parametrize(
    ("cls", "name"),
    [
        (Base, "sise"),
        (Derived, "outside_of_all"),
        (Slotted, "two"),
        (re.Match, "goup"),
        (int, "append"),
        (Base, INDEX),
        (Base, CALL),
        (Base, ITERATION),
        (int, ITERATION),
    ],
)
def test_what_no_object_has_is_lacking(cls: type, name: str) -> None:
    assert lacks(cls, name)


def test_what_was_meant_can_be_looked_for() -> None:
    assert known(Derived) == {"kind", "size", "x", "y", "z", "area", "late", "after"}


# -- who is told ------------------------------------------------------------------------------------------


def told_by(code: Callable[[Any], Any], cls: type = Base) -> list[tuple[str, type, str]]:
    told: list[tuple[str, type, str]] = []

    def lacked(origin: str, its: type, what: str, where: CodeType, instruction: int) -> None:
        assert where.co_filename == __file__
        told.append((origin, its, what))

    code(StandIn("fit#4", Decisions(lacked=lacked), pretends=cls))
    return told


def goes_over(result: Any) -> None:
    for _ in result:
        pass


def tries(result: Any) -> Any:
    try:
        return result.sise
    except AttributeError:
        return None


@pytest.mark.parametrize(
    ("code", "what"),
    [
        (lambda result: result.sise, "sise"),
        (lambda result: result.sise(), "sise"),
        (lambda result: result[0], INDEX),
        (lambda result: result(1), CALL),
        (goes_over, ITERATION),
        (list, ITERATION),
    ],
)
def test_code_that_asks_in_vain_is_told_of(code: Callable[[Any], Any], what: str) -> None:
    asks = (lambda result: list(result)) if code is list else code
    assert told_by(asks) == [("fit#4", Base, what)]


@pytest.mark.parametrize(
    "code",
    [
        lambda result: result.size.of.anything[0](),
        lambda result: hasattr(result, "no_such"),
        lambda result: getattr(result, "no_such", 1),
        lambda result: hasattr(result, "tune") and result.tune(),
        lambda result: setattr(result, "later", 1) or result.later,
        tries,
        repr,
        lambda result: re.sub("a", "b", str(result)),
        lambda result: Path("a") == result,
    ],
)
def test_code_that_only_asks_is_not_told_of(code: Callable[[Any], Any]) -> None:
    assert told_by(code) == []


def test_nothing_is_told_of_a_result_of_no_class() -> None:
    told: list[Any] = []
    result = StandIn("fit#4", Decisions(lacked=lambda *all_: told.append(all_)))
    assert result.sise[0](1)
    assert told == []


def test_who_is_told_cannot_hurt_the_run(caplog: pytest.LogCaptureFixture) -> None:
    def lacked(*all_: Any) -> None:
        raise RuntimeError("no")

    result = StandIn("fit#4", Decisions(lacked=lacked), pretends=Base)
    assert isinstance(result.sise, StandIn)
    assert isinstance(result.sise, StandIn)
    assert caplog.text.count("is told no more") == 1
