"""Values made from annotations: of the right type, small, and made without harm."""
# ruff: noqa: UP006, UP007, UP045 - the old ways of writing are meant, too

from __future__ import annotations

import abc
import collections
import collections.abc
import contextlib
import dataclasses
import datetime
import decimal
import enum
import fractions
import io
import numbers
import operator
import os
import pathlib
import pickle
import re
import types
import typing
import uuid
from collections.abc import Callable
from typing import (
    IO,
    Annotated,
    Any,
    BinaryIO,
    ClassVar,
    Final,
    Generic,
    Literal,
    LiteralString,
    NamedTuple,
    NewType,
    NotRequired,
    Optional,
    Protocol,
    Required,
    Self,
    TextIO,
    TypedDict,
    TypeVar,
    Union,
    runtime_checkable,
)

import attrs
import numpy as np
import numpy.typing as npt
import pandas as pd
import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from profiles import examples
from typeguard import CollectionCheckStrategy, check_type

from asyncflow._stand_ins.examples import example_of
from asyncflow._stand_ins.opaque import StandIn

T = TypeVar("T")
Bound = TypeVar("Bound", bound=list[int])
Chosen = TypeVar("Chosen", str, bytes)
Names = NewType("Names", list[str])


class Color(enum.Enum):
    RED = "r"
    BLUE = "b"


class Level(enum.IntEnum):
    LOW = 3


class Mode(enum.Flag):
    READ = 1
    WRITE = 2


class Empty(enum.Enum):
    """An enumeration without members."""


@dataclasses.dataclass
class Point:
    x: float
    y: float = 2.5
    tags: list[str] = dataclasses.field(default_factory=list)
    unit: ClassVar[str] = "m"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    point: Point
    names: tuple[str, ...]


@dataclasses.dataclass
class Begun:
    seed: dataclasses.InitVar[int]
    start: int = dataclasses.field(init=False)
    unset: list[int] = dataclasses.field(init=False)

    def __post_init__(self, seed: int) -> None:
        self.start = seed + 1


@dataclasses.dataclass
class Tree:
    value: int
    left: Tree | None
    right: Optional[Tree]
    children: list[Tree]
    by_name: dict[str, Tree]
    mirror: Self | None


@dataclasses.dataclass
class Endless:
    inner: Endless


@dataclasses.dataclass
class Box(Generic[T]):
    item: T
    more: dict[str, list[T]]


@dataclasses.dataclass
class NumberBox(Box[int]):
    label: str


class Pair(NamedTuple):
    name: str
    numbers: list[int]
    size: int = 7


Loose = collections.namedtuple("Loose", ["left", "right"])


class Options(TypedDict):
    name: str
    depth: NotRequired[int]


class Partial(TypedDict, total=False):
    name: Required[str]
    inner: Partial
    options: Options


class Strict(pydantic.BaseModel):
    count: int = pydantic.Field(ge=10)
    name: str = pydantic.Field(alias="Name")
    inner: Strict | None
    rows: list[Point] = []


class Plain(pydantic.BaseModel):
    count: int
    names: dict[str, list[float]]


@attrs.define
class Attributes:
    _hidden: int
    names: list[str]
    size: int = attrs.field(default=3, kw_only=True)


@attrs.frozen(kw_only=True)
class Checked:
    even: int = attrs.field()

    @even.validator
    def _check(self, attribute: Any, value: int) -> None:
        if value % 2:
            raise ValueError("odd")


class Model:
    def __init__(self, path: str) -> None:
        raise AssertionError("the user's own constructor was called")


class UserId(int):
    def __init__(self, *args: Any) -> None:
        raise AssertionError("the user's own constructor was called")


class Broken(ValueError):
    def __init__(self, code: int) -> None:
        raise AssertionError("the user's own constructor was called")


class Abstract(abc.ABC):
    @abc.abstractmethod
    def fit(self) -> int: ...


@runtime_checkable
class Fits(Protocol):
    def fit(self, rows: list[int]) -> float: ...


# fmt: off
CASES: list[Any] = [
    # plain values
    int, float, complex, bool, str, bytes, None, type(None), decimal.Decimal, fractions.Fraction, LiteralString,
    datetime.datetime, datetime.date, datetime.time, datetime.timedelta, datetime.timezone, datetime.tzinfo,
    uuid.UUID, range, slice, re.Pattern, re.Pattern[str], re.Pattern[bytes], bytearray, memoryview,
    numbers.Number, numbers.Real, numbers.Integral, typing.SupportsInt, typing.SupportsFloat, typing.SupportsIndex,
    typing.SupportsAbs[int], typing.SupportsBytes, typing.SupportsComplex, collections.abc.Hashable,
    pathlib.Path, pathlib.PurePath, os.PathLike, os.PathLike[str],
    # containers
    list, list[int], typing.List, typing.List[str], set[int], frozenset[str], tuple, tuple[()], typing.Tuple,
    tuple[int, ...], tuple[int, str, None], dict, dict[str, float], typing.Dict[str, list[int]],
    collections.deque[int], collections.defaultdict[str, list[int]], collections.Counter[str],
    collections.OrderedDict[str, int], collections.ChainMap[str, int], types.MappingProxyType[str, int],
    collections.abc.Sequence[int], collections.abc.MutableSequence[int], collections.abc.Iterable[str],
    collections.abc.Iterator[str], collections.abc.Collection[int], collections.abc.Container[int],
    collections.abc.Reversible[int], collections.abc.Sized, collections.abc.Set[int],
    collections.abc.MutableSet[int], collections.abc.Mapping[str, int], collections.abc.MutableMapping[int, str],
    collections.abc.KeysView[str], collections.abc.ValuesView[int], collections.abc.ItemsView[str, int],
    # choices
    int | None, Optional[str], Union[None, bytes, int], None | list[int], Literal["fast", "slow"], Literal[3, None],
    Color, Level, Mode, Literal[Color.BLUE], Optional[Literal[None, 5]],
    # classes with parts
    Point, Frozen, Begun, Tree, Endless, Box[int], Box[list[Point]], Box, NumberBox, Pair, Loose, Options, Partial,
    Strict, Plain, Attributes, Checked, list[Point | None], dict[str, Pair],
    # other classes
    Model, UserId, Broken, ValueError, OSError, UnicodeDecodeError, Abstract, Fits, Empty, object, type, type[Point],
    type[Any], type[int | str], type[T], type[Bound], typing.Type,
    # what is called, awaited, opened
    Callable, Callable[[int], str], Callable[..., Any], collections.abc.Awaitable[int],
    collections.abc.Coroutine[Any, Any, int], collections.abc.AsyncIterator[int],
    collections.abc.AsyncIterable[int], collections.abc.AsyncGenerator[int, None],
    collections.abc.Generator[int, None, None], contextlib.AbstractContextManager[int],
    contextlib.AbstractAsyncContextManager[int], IO[str], IO[bytes], TextIO, BinaryIO, io.StringIO, io.BytesIO,
    # around others
    Annotated[int, "metres", []], Annotated[list[int], {}], Final[int], Names, T, Bound, Chosen, Any, typing.Never,
    # arrays and tables
    np.ndarray, npt.NDArray[np.float64], npt.NDArray[np.int8], npt.NDArray[np.floating], npt.NDArray[Any],
    npt.NDArray[np.datetime64], npt.NDArray[np.str_], npt.NDArray[np.bool_], npt.NDArray[np.object_],
    np.ndarray[tuple[int, int], np.dtype[np.float32]], npt.ArrayLike, np.float64, np.int32, np.bool_, np.str_,
    np.floating, np.integer, np.generic, np.datetime64, np.dtype, np.dtype[np.int16], np.matrix,
    pd.DataFrame, pd.Series, pd.Index, pd.RangeIndex, pd.DatetimeIndex, pd.MultiIndex, pd.Timestamp, pd.Timedelta,
    pd.CategoricalDtype, list[pd.DataFrame], pd.DataFrame | None,
]
OPAQUE: list[Any] = [
    Any, object, T, typing.Never, Model, Abstract, Fits, Empty, Checked, pd.CategoricalDtype,
    collections.abc.AsyncIterator[int], collections.abc.AsyncIterable[int], collections.abc.AsyncGenerator[int, None],
    collections.abc.Generator[int, None, None],
]
# fmt: on


def checked(value: Any, annotation: Any) -> Any:
    return check_type(value, annotation, collection_check_strategy=CollectionCheckStrategy.ALL_ITEMS)


@pytest.mark.parametrize("annotation", CASES, ids=str)
def test_an_example_is_what_its_annotation_says(annotation: Any) -> None:
    value = example_of(annotation, "it")
    checked(value, annotation)
    cls = typing.get_origin(annotation) or annotation
    if isinstance(cls, type) and cls.__module__ not in ("typing", "types") and not typing.is_typeddict(cls):
        assert isinstance(value, cls)
    repr(value)


@pytest.mark.parametrize("annotation", CASES, ids=str)
def test_only_what_is_not_known_is_opaque(annotation: Any) -> None:
    assert (type(example_of(annotation, "it")) is StandIn) is (annotation in OPAQUE)


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (int, 1),
        (bool, True),
        (str, "1"),
        (list[float], [1.0]),
        (dict[str, list[int]], {"1": [1]}),
        (tuple[int, ...], (1,)),
        (tuple[int, *tuple[str, ...], bytes], (1, "1", b"1")),
        (tuple[()], ()),
        (None | list[int], [1]),
        (Literal["fast", "slow"], "fast"),
        (Color, Color.RED),
        (Mode, Mode.READ),
        (Point, Point(1.0, 2.5, [])),
        (Frozen, Frozen(point=Point(1.0), names=("1",))),
        (NumberBox, NumberBox(1, {"1": [1]}, "1")),
        (Box[Box[int]], Box(Box(1, {"1": [1]}), {"1": [Box(1, {"1": [1]})]})),
        (Tree, Tree(1, None, None, [], {}, None)),
        (Pair, Pair("1", [1], 7)),
        (Options, {"name": "1", "depth": 1}),
        (Partial, {"name": "1", "options": {"name": "1", "depth": 1}}),
        (Attributes, Attributes(1, ["1"], size=3)),
        (Plain, Plain(count=1, names={"1": [1.0]})),
        (Strict, Strict.model_construct(count=1, name="1", inner=None)),
        (collections.Counter[str], collections.Counter("1")),
        (type[int | str], int),
        (type[Bound], list),
        (Bound, [1]),
        (Chosen, "1"),
        (UserId, 1),
    ],
    ids=str,
)
def test_examples_are_small_and_not_empty(annotation: Any, value: Any) -> None:
    made = example_of(annotation, "it")
    assert made == value
    assert type(made) is type(value) or isinstance(value, (dict, int))


def test_fields_that_the_constructor_leaves_out_are_there() -> None:
    begun = example_of(Begun, "it")
    assert (begun.start, begun.unset) == (2, [1])


def test_a_class_that_holds_itself_ends_where_it_can_and_is_opaque_where_it_cannot() -> None:
    endless = example_of(Endless, "it")
    assert repr(endless) == "Endless(inner=<stand-in for it.inner>)"
    assert isinstance(endless.inner, Endless)


def test_what_pretends_to_be_of_a_class_has_what_one_asks_for() -> None:
    model = example_of(Model, "fit#4")
    assert isinstance(model, Model)
    assert model.__class__ is Model
    assert repr(model.predict([1]).mean) == "<stand-in for fit#4.predict(...).mean>"
    assert not isinstance(model.error, Model)


def test_what_is_made_of_a_type_of_pythons_own_is_one() -> None:
    number = example_of(UserId, "it")
    assert type(number) is UserId
    assert number + 1 == 2
    with pytest.raises(Broken, match="stand-in for it"):
        raise example_of(Broken, "it")


def test_a_dict_has_every_key() -> None:
    for annotation in (dict[str, list[int]], collections.abc.Mapping[str, list[int]]):
        rows = example_of(annotation, "it")
        assert rows["error"] == [1]
        assert list(rows) == ["1"]
        assert rows.get("error") is None
        assert repr(rows) == "{'1': [1]}"
        assert pickle.loads(pickle.dumps(rows))["error"] == [1]


def test_functions_give_examples() -> None:
    assert example_of(Callable[[int], list[str]], "it")(3, key=4) == ["1"]
    assert repr(example_of(Callable, "it")()) == "<stand-in for it(...)>"


async def test_what_is_to_be_awaited_gives_an_example_as_often_as_asked() -> None:
    later = example_of(collections.abc.Awaitable[list[int]], "it")
    assert [await later, await later] == [[1], [1]]
    async with example_of(contextlib.AbstractAsyncContextManager[int], "it") as value:
        assert value == 1
    async for item in example_of(collections.abc.AsyncIterator[int], "it"):
        assert repr(item) == "<stand-in for it[0]>"


def test_files_can_be_read() -> None:
    assert example_of(TextIO, "it").read() == "1"
    assert example_of(IO[bytes], "it").read() == b"1"


def test_the_parts_of_an_example_say_what_they_stand_for() -> None:
    assert str(example_of(list[tuple[int, Any]], "load#1")) == "[(1, <stand-in for load#1[0][1]>)]"
    assert repr(example_of(Box, "fit#2").more["a"]) == "[<stand-in for fit#2.more[...][0]>]"


# -- paths ------------------------------------------------------------------------------------------------


def test_a_path_can_be_looked_at_and_reaches_no_disk(tmp_path: pathlib.Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    path = example_of(pathlib.Path, "draw/it#3")
    assert str(path) == "stand-in/draw_it#3"
    for each in (path, path.parent, path / "x", path.with_suffix(".png"), pickle.loads(pickle.dumps(path))):
        assert each.exists()
        assert each.is_file()
        assert each.stat().st_size == each.lstat().st_size == 1
        assert (each.read_text(), each.read_bytes()) == ("1", b"1")
        with each.open("rb") as file:
            assert file.read() == b"1"
        with each.open("w") as file:
            file.write("lost")
        assert each.write_text("lost") == each.write_bytes(b"lost") == 4
        each.mkdir(parents=True)
        each.touch()
        each.chmod(0o600)
        assert each.rename("y") == each.replace("y") == pathlib.Path("y")
        each.unlink()
        each.rmdir()
        assert [*each.iterdir()] == [*each.glob("*")] == [*each.rglob("*")] == [each / "1"]
        assert each.owner() == each.group() == "1"
    assert list(tmp_path.iterdir()) == []


# -- any annotation ---------------------------------------------------------------------------------------

_hashable = st.sampled_from(
    [int, str, bytes, bool, None, float, Color, Level, uuid.UUID, datetime.date, Literal["a", 1]]
)
_leaves = st.one_of(
    _hashable,
    st.sampled_from(
        [Point, Frozen, Tree, Pair, Options, Partial, Model, Attributes, Plain, pathlib.Path, Any]
    ),
    st.sampled_from(
        [decimal.Decimal, range, type[int], np.float64, npt.NDArray[np.int64], object, Names, Bound]
    ),
)


def _grown(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    of_items = [list, collections.deque, collections.abc.Sequence, collections.abc.Iterable, Box, Optional]
    return st.one_of(
        st.builds(operator.getitem, st.sampled_from([*of_items, collections.abc.Iterator]), inner),
        st.builds(operator.getitem, st.sampled_from([set, frozenset, collections.abc.Set]), _hashable),
        inner.map(lambda arg: tuple[arg, ...]),
        inner.map(lambda arg: arg if arg is Any else Annotated[arg, "note"]),  # typeguard cannot do without
        inner.map(lambda arg: Callable[[int], arg]),
        st.builds(
            lambda make, key, value: make[key, value],
            st.sampled_from(
                [dict, collections.abc.Mapping, collections.OrderedDict, collections.defaultdict]
            ),
            _hashable,
            inner,
        ),
        st.lists(inner, min_size=1, max_size=3).map(lambda args: tuple[tuple(args)]),
        st.lists(inner, min_size=1, max_size=3).map(lambda args: Union[tuple(args)]),
    )


@settings(examples(500))
@given(st.recursive(_leaves, _grown, max_leaves=12))
def test_whatever_is_nested_in_what_the_example_is_right(annotation: Any) -> None:
    checked(example_of(annotation, "it"), annotation)
