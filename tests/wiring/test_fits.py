"""Whether a value of one type can be what another asks for, whatever the two are."""

from __future__ import annotations

import collections
import collections.abc
import dataclasses
import sys
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NewType, TypeVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncflow._checks import findings_of
from asyncflow._inspect.annotations import members
from asyncflow._inspect.fits import clash
from asyncflow._inspect.shown import shown
from asyncflow.plan.rehearsed import RehearsedCall

from .between import (
    FIT,
    Box,
    Circle,
    Colour,
    HasArea,
    IntBox,
    OrderId,
    Point,
    Readable,
    Row,
    Shape,
    Square,
    UserId,
)

T = TypeVar("T")


@pytest.mark.parametrize(("gives", "takes"), [pytest.param(*each[1:], id=each[0]) for each in FIT])
def test_what_may_do_is_no_clash(gives: Any, takes: Any) -> None:
    assert clash(gives, takes) is None


CLASH: list[tuple[Any, Any]] = [
    (float, int),
    (complex, float),
    (str, int),
    (int, str),
    (None, int),
    (int, None),
    (str, list[str]),
    (str, Iterable[int]),
    (list[int], tuple[int, ...]),
    (set[int], list[int]),
    (set[int], Sequence[int]),
    (dict[str, int], list[str]),
    (dict[str, int], dict[str, str]),
    (dict[int, int], Mapping[str, int]),
    (list[list[int]], list[int]),
    (list[int | None], list[str | None]),
    (tuple[int, str], tuple[int, ...]),
    (tuple[int, str], Sequence[int]),
    (tuple[int, ...], tuple[str, str]),
    (Point, tuple[int, str]),
    (Iterator[str], list[str]),
    (collections.abc.Generator[int, None, None], Sequence[int]),
    (collections.Counter[str], Mapping[str, str]),
    (collections.defaultdict[str, int], dict[str, str]),
    (Literal["a"], int),
    (Literal["a", "b"], Literal["c"]),
    (int, Literal["a"]),
    (Colour, int),
    (Literal[Colour.RED], str),
    (UserId, OrderId),
    (UserId, str),
    (Circle, Square),
    (int, HasArea),
    (Square, Readable),
    (type[int], type[str]),
    (type[Circle], Shape),
    (Circle, type[Circle]),
    (Box[int], Box[str]),
    (IntBox, Box[str]),
    (Callable[[int], str], int),
    (int, Callable[[int], str]),
    (Callable[[int], str], Callable[[int], int]),
    (Callable[[str], str], Callable[[int], str]),
    (Row, dict[str, bytes]),
    (dict[int, Any], Row),
    (list[Row], list[Point]),
    (np.ndarray, list[float]),
    (list[float], np.ndarray),
    (str, np.float64),
    (np.ndarray, dict[str, float]),
    (Path, str),
    (str, Path),
    (int, typing.TextIO),
    (int, collections.abc.Sized),
    (list[int], collections.abc.Hashable),
    (Annotated[int, "x"], Annotated[str, "y"]),
    (int | float, str | bytes),
]


@pytest.mark.parametrize(("gives", "takes"), CLASH, ids=lambda hint: shown(hint))
def test_what_cannot_do_is_a_clash_with_a_reason(gives: Any, takes: Any) -> None:
    reason = clash(gives, takes)
    assert reason
    assert reason.isprintable()


# -- whatever there is ------------------------------------------------------------------------------------


class Hostile(type):
    """A class of classes that raises when it is looked at."""

    def __instancecheck__(cls, other: object) -> bool:
        raise RuntimeError("instance")

    def __subclasscheck__(cls, other: type) -> bool:
        raise RuntimeError("subclass")

    def __repr__(cls) -> str:
        raise RuntimeError("repr")

    def __eq__(cls, other: object) -> bool:
        raise RuntimeError("eq")

    __hash__ = None  # type: ignore[assignment]


class Unknowable(metaclass=Hostile):
    """A class of that kind."""


class Nasty:
    """An object that raises whatever it is asked."""

    def __getattribute__(self, name: str) -> Any:
        raise SystemExit(name)

    def __eq__(self, other: object) -> bool:
        raise SystemExit("eq")

    def __hash__(self) -> int:
        raise SystemExit("hash")

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise SystemExit("reduce")

    def __iter__(self) -> Any:
        raise SystemExit("iter")


@dataclasses.dataclass
class Tree:
    left: Tree | None = None
    value: list[NoSuchName] = dataclasses.field(default_factory=list)  # type: ignore[name-defined]  # noqa: F821


class Endless(list["Endless"]):  # type: ignore[misc]
    pass


NAMED = st.sampled_from(
    [
        *(
            int,
            float,
            bool,
            complex,
            str,
            bytes,
            bytearray,
            None,
            object,
            Any,
            list,
            dict,
            tuple,
            set,
            type,
            range,
        ),
        *(
            Circle,
            Shape,
            Square,
            Readable,
            HasArea,
            Row,
            Point,
            Colour,
            UserId,
            OrderId,
            Box,
            IntBox,
            Tree,
            Endless,
        ),
        *(
            np.ndarray,
            np.float64,
            np.int8,
            Path,
            Callable,
            Iterable,
            Unknowable,
            Nasty,
            Unknowable,
            T,
            typing.Self,
            typing.Never,
        ),
        *(typing.NoReturn, typing.LiteralString, typing.TextIO, typing.List, typing.Dict, typing.Tuple),  # noqa: UP006
        *(
            "NoSuchName",
            "list[NoSuchName]",
            typing.ForwardRef("Tree"),
            ...,
            3,
            "",
            [int],
            (int, str),
            print,
            any,
        ),
        *(
            Literal["a"],
            Literal[1, None],
            Literal[Colour.RED],
            NewType("Strange", list[int]),
            typing.Optional,
        ),
    ]
)


def made(*forms: Any) -> Any:
    """A strategy of parametrised annotations; of those that Python refuses, the bare form."""

    def parametrised(form: Any, parts: tuple[Any, ...]) -> Any:
        try:
            return form[parts if len(parts) > 1 else parts[0]]
        except Exception:
            return form

    def extend(inner: Any) -> Any:
        parts = st.lists(inner, min_size=1, max_size=3).map(tuple)
        pairs = st.tuples(inner, inner)
        return st.one_of(
            st.builds(parametrised, st.sampled_from(forms), parts),
            st.builds(parametrised, st.sampled_from([dict, Mapping, collections.defaultdict]), pairs),
            st.builds(lambda args, gives: parametrised(Callable, ([*args], gives)), parts, inner),
        )

    return st.recursive(NAMED, extend, max_leaves=8)


hints = made(
    list, tuple, set, Sequence, Iterable, Iterator, type, Box, typing.Union, typing.Optional, Annotated
)
values = st.recursive(
    st.one_of(
        st.sampled_from([1, 1.5, "a", b"", None, True, Colour.RED, Circle, Circle(), print, ..., Tree()]),
        st.builds(lambda: Nasty()),  # not among those to be chosen from: Hypothesis would look at it itself
        st.builds(lambda: np.ones(2)),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.sampled_from(["a", 1, None]), inner, max_size=3),
        st.builds(Tree, inner, inner),
    ),
    max_leaves=6,
)


@given(hints)
def test_every_type_does_for_itself(hint: Any) -> None:
    try:
        reason = clash(hint, hint)
    except Exception:  # which whoever asks takes for "not known"
        return
    assert reason is None


@given(hints, hints)
def test_what_does_for_one_member_does_for_the_union(gives: Any, takes: Any) -> None:
    try:
        both = typing.Union[takes, None, gives]  # noqa: UP007 - of any two
        members(both)
    except Exception:
        return
    try:
        assert clash(gives, both) is None
    except (RuntimeError, SystemExit, TypeError):
        pass


@given(hints, hints, values, st.booleans())
def test_no_annotation_and_no_value_makes_a_check_fail(
    gives: Any, takes: Any, value: Any, sent: bool
) -> None:
    def make():  # type: ignore[no-untyped-def]
        return 1

    def use(given, value=None, *more, **others):  # type: ignore[no-untyped-def]
        return 2

    make.__annotations__ = {"return": gives}
    use.__annotations__ = dict.fromkeys(("given", "value", "more", "others"), takes) | {"return": gives}
    maker = RehearsedCall(
        1, "make", "function", make, (), {}, "a.py:1, in f", None, "thread", sent, value=value
    )
    user = RehearsedCall(
        2,
        "use",
        "function",
        use,
        (maker, value, value),
        {"other": [maker, value]},
        "a.py:2, in f",
        None,
        "p",
        sent,
        (1,),
    )
    user.example = value
    for each in findings_of([maker, user], lambda future: 1 if future is maker else None):
        assert each.where in ("a.py:1, in f", "a.py:2, in f")
        assert f"{each.what}{each.mend}".isprintable()


NEW = """
type Json = dict[str, Json] | list[Json] | str | int | float | bool | None
type Other = dict[str, Other] | list[Other] | bytes
type Pair[T] = tuple[T, T]
type Number = int | float

class Crate[T]:
    pass
"""


@pytest.mark.skipif(sys.version_info < (3, 12), reason="Python 3.12 has these")
def test_types_of_python_3_12() -> None:
    names: dict[str, Any] = {}
    exec(NEW, names)
    json, other, pair, number, crate = (names[each] for each in ("Json", "Other", "Pair", "Number", "Crate"))
    for gives, takes in (
        (json, json),
        (json, other),
        (json, list[int]),
        (pair[int], tuple[int, float]),
        (pair, tuple[int, int]),
        (int, number),
        (number, float),
        (crate[int], crate),
        (crate[int], crate[float]),
    ):
        assert clash(gives, takes) is None, (gives, takes)
    for gives, takes in (
        (bytes, json),
        (pair[int], tuple[int, str]),
        (pair[int], tuple[int, int, int]),
        (str, number),
        (crate[int], crate[str]),
    ):
        assert clash(gives, takes), (gives, takes)
