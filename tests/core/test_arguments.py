"""Futures are found wherever they stand in a call's arguments, and their values stand there when the task runs."""

from __future__ import annotations

import argparse
import dataclasses
import functools
import gc
import io
import itertools
import string
import sys
import tracemalloc
import types
import weakref
from collections import ChainMap, Counter, OrderedDict, UserDict, UserList, defaultdict, deque, namedtuple
from collections.abc import Callable, ItemsView, KeysView, ValuesView
from typing import Any, ClassVar, NamedTuple

import attrs
import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from profiles import examples

from asyncflow._core import containers
from asyncflow._core.arguments import Lazy, fill, fill_value, scan, scan_value
from asyncflow._core.containers import Kinds

from .kit import KINDS, Awaitable, Slot, adopt, value_of


class SlotOfAnotherClass(Slot):
    """A future's subclass is a future."""


class Rows(list[Any]):
    """A list with an attribute."""

    header = "none"


class Table(dict[str, Any]):
    """A dict with an attribute."""

    title = "none"


class Tags(set[Any]):
    """A set with an attribute."""

    colour = "none"


class FrozenTags(frozenset[Any]):
    """A frozenset with an attribute, that takes its elements one by one."""

    def __new__(cls, *elements: Any) -> FrozenTags:
        return super().__new__(cls, elements)


class Vector(tuple[Any, ...]):
    """A tuple with an attribute, that takes its elements one by one."""

    unit = "none"

    def __new__(cls, x: Any, y: Any) -> Vector:
        return super().__new__(cls, (x, y))


class Slotted(tuple[Any, ...]):
    """A tuple without attributes."""

    __slots__ = ()


Pair = namedtuple("Pair", "left right")


class Typed(NamedTuple):
    """A named tuple with a default."""

    left: Any
    right: Any = 0


class Ordered(Pair):
    """A named tuple's subclass that takes its parts in another way."""

    def __new__(cls, both: tuple[Any, Any]) -> Ordered:
        return super().__new__(cls, *both)


@dataclasses.dataclass
class Box:
    """A dataclass as everybody writes them, and what not everybody knows."""

    content: Any
    label: str = "box"
    size: int = dataclasses.field(default=0, init=False)
    shared: ClassVar[list[int]] = []
    given: dataclasses.InitVar[int] = 0

    def __post_init__(self, given: int) -> None:
        self.opened = given


@dataclasses.dataclass(frozen=True)
class FrozenBox:
    """One that refuses to be changed."""

    content: Any
    label: str = "box"


@dataclasses.dataclass(slots=True)
class SlottedBox:
    """One without a dict."""

    content: Any
    label: str = "box"


@dataclasses.dataclass(frozen=True, slots=True)
class SealedBox:
    """One that refuses to be changed and has no dict."""

    content: Any
    label: str = "box"


@attrs.define
class Attrs:
    """A class of attrs."""

    content: Any
    label: str = "box"


@attrs.frozen
class FrozenAttrs:
    """One that refuses to be changed."""

    content: Any
    label: str = "box"


class Model(pydantic.BaseModel):
    """A model of pydantic."""

    model_config = pydantic.ConfigDict(extra="allow")
    content: Any
    label: str = "box"
    _private: Any = pydantic.PrivateAttr(default=None)


class RootModel(pydantic.RootModel[Any]):
    """One that is its content, and copies that when it is copied."""


class FrozenModel(pydantic.BaseModel):
    """One that refuses to be changed."""

    model_config = pydantic.ConfigDict(frozen=True)
    content: Any


class Settings(UserDict[str, Any]):
    """A mapping with an opinion."""

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key.lower(), value)


def double(rows: Any, factor: Any = 2) -> Any:
    """Something to be called later."""
    return rows * factor


def sent(*args: Any, **kwargs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments as the task gets them."""
    _, holes, _ = scan(args, kwargs, KINDS, adopt)
    if not holes:
        return args, kwargs
    filled, named = fill(args, kwargs, holes, Slot, value_of)
    return filled, dict(named)


def found_in(*args: Any, **kwargs: Any) -> list[Any]:
    return scan(args, kwargs, KINDS, adopt)[0]


# -- where futures are found ------------------------------------------------------------------------------


def test_a_call_without_futures_has_no_holes_and_needs_no_filling() -> None:
    assert scan((1, "two", [3], {"four": (5,)}), {"six": {7}}, KINDS, adopt)[:2] == ([], False)
    assert scan((), {}, KINDS, adopt)[:2] == ([], False)


def test_futures_as_arguments_of_their_own_are_found_in_order() -> None:
    a, b, c = Slot("a"), SlotOfAnotherClass("b"), Slot("c")
    assert scan((a, 1, b), {"x": 2, "y": c}, KINDS, adopt)[:2] == ([a, b, c], True)
    assert sent(a, 1, b, x=2, y=c) == (("a", 1, "b"), {"x": 2, "y": "c"})
    assert sent(a) == (("a",), {})
    assert sent(y=c) == ((), {"y": "c"})


WRAPPED: dict[str, Callable[[Any], Any]] = {
    "list": lambda x: [0, x],
    "list's subclass": lambda x: Rows([0, x]),
    "tuple": lambda x: (0, x),
    "tuple's subclass": lambda x: Vector(0, x),
    "slotted tuple's subclass": lambda x: Slotted((0, x)),
    "named tuple": lambda x: Pair(0, x),
    "typed named tuple": lambda x: Typed(x),
    "named tuple's subclass": lambda x: Ordered((0, x)),
    "set": lambda x: {0, x},
    "set's subclass": lambda x: Tags([0, x]),
    "frozenset": lambda x: frozenset([0, x]),
    "frozenset's subclass": lambda x: FrozenTags(0, x),
    "dict's value": lambda x: {"k": x, "l": 0},
    "dict's key": lambda x: {x: "v", "l": 0},
    "dict's key and value": lambda x: {x: x},
    "dict's subclass": lambda x: Table(k=x, l=0),
    "ordered dict": lambda x: OrderedDict([("b", 0), ("a", x), (x, 1)]),
    "default dict": lambda x: defaultdict(list, {"k": x}),
    "counter": lambda x: Counter({x: 3, "l": 1}),
    "dataclass": lambda x: Box(x, given=5),
    "frozen dataclass": lambda x: FrozenBox(x),
    "slotted dataclass": lambda x: SlottedBox(x),
    "frozen slotted dataclass": lambda x: SealedBox(x),
    "list in a tuple in a dict in a dataclass": lambda x: Box({"k": (1, [x])}),
}


@pytest.mark.parametrize("wrap", WRAPPED.values(), ids=WRAPPED)
def test_a_future_is_found_and_replaced_inside_of(wrap: Callable[[Any], Any]) -> None:
    future = Slot("the value")
    structure = wrap(future)
    assert set(found_in(structure)) == {future}
    (arrived,), _ = sent(structure)
    wanted = wrap("the value")
    assert arrived == wanted
    assert type(arrived) is type(wanted)
    assert list_of(arrived) == list_of(wanted)
    assert arrived is not structure
    _, named = sent(x=structure)
    assert named == {"x": wanted}


def list_of(value: Any) -> list[Any]:
    """In order, where the order is part of the value."""
    ordered = isinstance(value, (list, tuple, dict))
    return [list(value), list(value.items()) if isinstance(value, dict) else []] if ordered else []


def test_a_future_that_stands_in_several_places_is_found_as_often_and_replaced_everywhere() -> None:
    future = Slot(7)
    assert found_in(future, [future], x={"k": future}) == [future] * 3
    assert sent(future, [future], x={"k": future}) == ((7, [7]), {"x": {"k": 7}})


def test_plain_arguments_beside_containers_of_futures_keep_their_places() -> None:
    args, kwargs = sent(1, [Slot(2)], "three", x=4, y=(Slot(5),), z=6)
    assert args == (1, [2], "three")
    assert list(kwargs.items()) == [("x", 4), ("y", (5,)), ("z", 6)]


OTHERS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {  # and what is to be seen of each
    "deque": (lambda x: deque([0, x], maxlen=2), lambda d: (list(d), d.maxlen)),
    "dict's keys": (lambda x: {0: 0, x: 1}.keys(), list),
    "dict's values": (lambda x: {"a": 0, "b": x}.values(), list),
    "dict's items": (lambda x: {"a": 0, "b": x}.items(), list),
    "ordered dict's values": (lambda x: OrderedDict(a=0, b=x).values(), list),
    "user dict": (lambda x: UserDict(a=0, b=x), dict),
    "user dict's subclass": (lambda x: Settings(A=x), dict),
    "user dict's values": (lambda x: UserDict(a=0, b=x).values(), list),
    "user dict's keys": (lambda x: UserDict({0: 0, x: 1}).keys(), list),
    "user dict's items": (lambda x: UserDict(a=0, b=x).items(), list),
    "user list": (lambda x: UserList([0, x]), list),
    "chain of dicts": (lambda x: ChainMap({"a": 0}, {"b": x}), lambda c: c.maps),
    "read-only dict": (lambda x: types.MappingProxyType({"a": 0, "b": x}), dict),
    "namespace": (lambda x: types.SimpleNamespace(a=0, b=x), vars),
    "arguments of a program": (lambda x: argparse.Namespace(a=0, b=x), vars),
    "partial": (lambda x: functools.partial(double, x, factor=3), lambda p: (p.func, p.args, p.keywords)),
    "partial's keyword": (lambda x: functools.partial(double, factor=x), lambda p: (p.args, p.keywords)),
    "attrs": (Attrs, attrs.asdict),
    "frozen attrs": (FrozenAttrs, attrs.asdict),
    "pydantic": (lambda x: Model(content=x), lambda m: m.model_dump()),
    "pydantic's extra": (lambda x: Model(content=1, more=x), lambda m: m.model_dump()),
    "frozen pydantic": (lambda x: FrozenModel(content=x), lambda m: m.model_dump()),
}


@pytest.mark.parametrize(("wrap", "look"), OTHERS.values(), ids=OTHERS)
def test_a_dict_view_and_whatever_else_a_user_calls_a_container_is_walked(
    wrap: Callable[[Any], Any], look: Callable[[Any], Any]
) -> None:
    future = Slot("the value")
    given, wanted = wrap(future), wrap("the value")
    assert set(found_in(given)) == set(found_in([given])) == {future}
    (arrived, inside), _ = sent(given, {"k": [given]})
    assert look(arrived) == look(inside["k"][0]) == look(wanted)
    views = (KeysView, ValuesView, ItemsView)
    assert type(arrived) is type(wanted) or any(
        isinstance(arrived, cls) and isinstance(wanted, cls) for cls in views
    )
    assert arrived is not given and future in set(found_in(given)), "the caller's own was changed"
    (plain,), _ = sent(wanted)
    assert plain is wanted


def test_a_model_keeps_its_private_parts_and_what_was_set() -> None:
    model = Model(content=Slot("x"))
    model._private = [Slot("y")]
    (arrived,), _ = sent(model)
    assert arrived.content == "x" and arrived._private == ["y"]
    assert arrived.model_fields_set == {"content"} == model.model_fields_set
    assert type(model.content) is Slot and type(model._private[0]) is Slot


def test_a_model_that_is_its_content_may_be_a_future() -> None:
    class Future(Slot):
        def __reduce__(self) -> Any:
            raise TypeError("a future cannot be copied")

    model = RootModel(Future("x"))
    (arrived,), _ = sent(model)
    assert type(arrived) is RootModel and arrived.root == "x" and type(model.root) is Future


def test_what_is_changed_after_the_call_is_not_changed_for_the_task() -> None:
    space, model, box = types.SimpleNamespace(a=Slot(1)), Model(content=Slot(2)), deque([Slot(3)])
    _, holes, _ = scan((space, model, box), {}, KINDS, adopt)
    space.a, space.b, model.content = 0, 0, 0
    box.append(0)
    arrived, _ = fill((space, model, box), {}, holes, Slot, value_of)
    assert vars(arrived[0]) == {"a": 1} and arrived[1].content == 2 and list(arrived[2]) == [3]


LAZY: dict[str, Callable[[list[Any]], Any]] = {
    "generator": lambda parts: (part for part in parts),
    "map": lambda parts: map(str, parts),
    "zip": lambda parts: zip(parts, parts, strict=True),
    "filter": lambda parts: filter(None, parts),
    "enumerate": enumerate,
    "reversed": reversed,
    "iterator of a list": iter,
    "iterator of a tuple": lambda parts: iter(tuple(parts)),
    "iterator of a set": lambda parts: iter(set(parts)),
    "iterator of a dict": lambda parts: iter(dict.fromkeys(parts)),
    "iterator of a dict's values": lambda parts: iter(dict(enumerate(parts)).values()),
    "iterator of a dict's items": lambda parts: iter(dict(enumerate(parts)).items()),
    "iterator of a deque": lambda parts: iter(deque(parts)),
    "reversed dict": lambda parts: reversed(dict(enumerate(parts))),
    "chain": itertools.chain,
    "slice": lambda parts: itertools.islice(parts, 2),
    "batches": lambda parts: itertools.groupby(parts),
    "calls until": lambda parts: iter(parts.pop, None),
}


@pytest.mark.parametrize("lazy", LAZY.values(), ids=LAZY)
@pytest.mark.parametrize(
    "wrap", [lambda x: x, lambda x: {"k": [0, x]}, Box], ids=["itself", "nested", "in a box"]
)
def test_what_makes_its_items_later_is_refused_and_its_argument_known(
    lazy: Callable[[list[Any]], Any], wrap: Callable[[Any], Any]
) -> None:
    for parts in ([Slot(1)], [1]):
        made = lazy(parts)
        with pytest.raises(Lazy) as caught:
            scan((1, ["a"], wrap(made)), {"x": 3}, KINDS, adopt)
        assert caught.value.value is made and caught.value.place == 2
        with pytest.raises(Lazy) as caught:
            scan((Slot(1), [Slot(2)]), {"x": (3,), "y": wrap(made)}, KINDS, adopt)
        assert caught.value.place == 3
        with pytest.raises(Lazy):
            scan_value(wrap(made), KINDS, adopt)


def test_what_is_read_item_by_item_and_cannot_hold_futures_is_no_container() -> None:
    assert scan((io.StringIO("a\nb"), range(3), "abc", b"abc", itertools.count()), {}, KINDS, adopt)[:2] == (
        [],
        False,
    )


def test_futures_in_things_that_are_no_containers_here_are_left_alone() -> None:
    class Own:
        def __init__(self) -> None:
            self.inside = Slot(1)

    own = Own()
    assert scan((own, [own], Box), {}, KINDS, adopt)[:2] == ([], False)


def test_values_that_fall_together_where_they_may_do_so() -> None:
    assert sent({Slot(1), Slot(1), 1})[0] == ({1},)
    assert sent({Slot("k"): 1, "k": 2})[0] == ({"k": 2},)


def test_a_dataclass_keeps_what_is_not_a_field_and_may_lack_what_is() -> None:
    box = Box(Slot("x"), given=5)
    box.extra = "kept"  # type: ignore[attr-defined]
    (arrived,), _ = sent(box)
    assert vars(arrived) == {"content": "x", "label": "box", "size": 0, "opened": 5, "extra": "kept"}
    sealed = SlottedBox(Slot("x"))
    del sealed.label
    (arrived,), _ = sent(sealed)
    assert arrived.content == "x" and not hasattr(arrived, "label")


def test_containers_of_ones_own_keep_their_attributes() -> None:
    future = Slot(1)
    rows, table, tags = Rows([future]), Table(k=future), Tags([future])
    vector, frozen = Vector(0, future), FrozenTags(future)
    rows.header, table.title, tags.colour, vector.unit, frozen.size = "h", "t", "c", "m", 5  # type: ignore[attr-defined]
    args, _ = sent(rows, table, tags, vector, frozen)
    assert (args[0].header, args[1].title, args[2].colour) == ("h", "t", "c")
    assert (args[3].unit, args[4].size) == ("m", 5)
    (default,), _ = sent(defaultdict(list, {"k": future}))
    assert default["new"] == []


# -- other awaitables -------------------------------------------------------------------------------------


def test_what_has_to_be_adopted_is_adopted_wherever_it_stands() -> None:
    assert sent(Awaitable(1), [Awaitable(2)], x=Awaitable(3)) == ((1, [2]), {"x": 3})


def test_one_awaitable_in_several_places_is_adopted_once() -> None:
    adopted = []

    def adopt_and_remember(awaitable: Awaitable) -> Slot:
        adopted.append(awaitable)
        return Slot(awaitable.value)

    coroutine, other = Awaitable(1), Awaitable(2)
    futures, holes, _ = scan(
        (coroutine, [coroutine]), {"x": coroutine, "y": other}, KINDS, adopt_and_remember
    )
    assert adopted == [coroutine, other]
    assert len(futures) == 4 and len(set(futures)) == 2
    filled = fill((coroutine, [coroutine]), {"x": coroutine, "y": other}, holes, Slot, value_of)
    assert filled == ((1, [1]), {"x": 1, "y": 2})


# -- snapshots --------------------------------------------------------------------------------------------


def test_containers_without_futures_are_passed_as_they_are() -> None:
    plain_list, plain_dict, box = [1, [2]], {"k": (3,)}, Box(4)
    args, kwargs = sent([Slot(0), plain_list], plain_dict, Slot(1), x=box)
    assert args[0][1] is plain_list
    assert args[1] is plain_dict
    assert kwargs["x"] is box


def test_what_is_changed_after_the_call_does_not_change_what_the_task_gets() -> None:
    future, late = Slot(1), Slot("late")
    listed, mapped, box, tags = [future], {"k": future}, Box(future), {future}
    args = (listed, mapped, box, tags, [listed])
    _, holes, _ = scan(args, {}, KINDS, adopt)
    listed.append(late)
    mapped["l"] = late
    box.content = late
    tags.add(late)
    filled, _ = fill(args, {}, holes, Slot, value_of)
    assert filled == ([1], {"k": 1}, Box(1), {1}, [[1]])


@pytest.mark.parametrize("wrap", WRAPPED.values(), ids=WRAPPED)
def test_filling_does_not_change_what_the_caller_holds(wrap: Callable[[Any], Any]) -> None:
    future = Slot("the value")
    structure = wrap(future)
    sent(structure, [structure])
    assert structure == wrap(future)
    assert future in found_in(structure)


# -- shared and circular containers -----------------------------------------------------------------------


def test_a_container_that_stands_in_several_places_is_one_container_for_the_task_too() -> None:
    shared = [Slot(1)]
    (first, second), kwargs = sent(shared, {"k": (shared,)}, x=Box(shared))
    assert first == [1]
    assert second["k"][0] is first and kwargs["x"].content is first


def test_containers_that_share_their_parts_many_times_over_cost_once() -> None:
    doubled: list[Any] = [Slot(1)]
    plain: list[Any] = [1]
    for _ in range(200):  # written out, both would have 2 ** 200 parts
        doubled, plain = [doubled, doubled], [plain, plain]
    assert len(found_in(doubled, plain)) == 1
    (arrived, untouched), _ = sent(doubled, plain)
    assert untouched is plain
    for _ in range(200):
        assert arrived[0] is arrived[1]
        arrived = arrived[0]
    assert arrived == [1]


def test_a_circular_container_without_futures_is_passed_as_it_is() -> None:
    circle: list[Any] = [1]
    circle.append({"again": circle})
    around = (circle, Box(circle))
    args, _ = sent(circle, around, Slot(1))
    assert args[0] is circle and args[1] is around


def far_circle(future: Slot) -> list[Any]:
    inner: dict[str, Any] = {"future": future}
    outer = [(inner,)]
    inner["outer"] = outer
    return outer


def circle_beside(future: Slot) -> list[Any]:
    outer: list[Any] = [[future]]
    outer.append([outer])
    return outer


def circle_entered_behind_the_future(future: Slot) -> list[Any]:
    first: list[Any] = []
    second = [first, future]
    first.append(second)
    return first


def circle_of_a_dataclass(future: Slot) -> Box:
    box = Box(None)
    box.content = [box, future]
    return box


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (far_circle, "list"),
        (circle_beside, "list"),
        (circle_entered_behind_the_future, "list"),
        (circle_of_a_dataclass, "Box"),
    ],
)
@pytest.mark.parametrize("wrapped", [False, True])
def test_a_circle_with_a_future_in_it_is_refused(
    make: Callable[[Slot], Any], kind: str, wrapped: bool
) -> None:
    circle = make(Slot(1))
    with pytest.raises(ValueError, match=f"^a {kind} among the arguments contains itself and a future; pass"):
        scan(([circle, circle] if wrapped else circle,), {}, KINDS, adopt)


def test_futures_beside_a_circle_are_replaced_and_the_circle_is_passed_as_it_is() -> None:
    circle: list[Any] = []
    circle.append(circle)
    ((arrived, value),), _ = sent([circle, Slot(1)])
    assert arrived is circle and value == 1


# -- depth and size ---------------------------------------------------------------------------------------

NESTED: dict[str, Callable[[Any], Any]] = {
    name: WRAPPED[name]
    for name in ("list", "tuple", "dict's value", "named tuple", "dataclass", "frozen slotted dataclass")
} | {"frozenset": lambda x: frozenset([x])}


@pytest.mark.parametrize("wrap", NESTED.values(), ids=NESTED)
def test_arguments_may_be_nested_10_000_deep(wrap: Callable[[Any], Any]) -> None:
    nested: Any = Slot("core")
    for _ in range(10_000):
        nested = wrap(nested)
    (arrived,), _ = sent(nested)
    for _ in range(10_000):
        arrived = next(
            part
            for part in containers.parts_of(KINDS[type(arrived)], arrived)
            if part not in (0, "k", "l", "box")
        )
    assert arrived == "core"


def test_plain_arguments_may_be_nested_10_000_deep() -> None:
    nested: Any = 1
    for _ in range(10_000):
        nested = [nested]
    assert scan((nested,), {}, KINDS, adopt)[:2] == ([], False)


def test_a_list_of_100_000_futures_is_one_argument() -> None:
    futures = [Slot(number) for number in range(100_000)]
    assert found_in(futures) == futures
    assert sent(futures)[0] == (list(range(100_000)),)


# -- values that do not fit -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrap", [lambda x: {x}, lambda x: frozenset([x]), lambda x: {x: 1}, lambda x: [{(1, x)}]]
)
def test_a_value_that_does_not_fit_where_its_future_stood_is_a_type_error(wrap: Callable[[Any], Any]) -> None:
    with pytest.raises(TypeError, match="unhashable type: 'list'"):
        sent(wrap(Slot([1, 2])))


def test_what_asking_a_future_raises_comes_out_as_itself() -> None:
    def refuse(slot: Slot) -> Any:
        raise LookupError(slot)

    for args in ((Slot(1),), ([Slot(1)],)):
        _, holes, _ = scan(args, {}, KINDS, adopt)
        with pytest.raises(LookupError):
            fill(args, {}, holes, Slot, refuse)


# -- what a class is --------------------------------------------------------------------------------------


def test_the_classes_that_are_remembered_are_limited_and_may_be_forgotten() -> None:
    kinds = Kinds(Slot, lambda cls: cls is Awaitable)
    gone = []
    for number in range(5_000):
        cls = type(f"Made{number}", (list,), {})
        assert kinds[cls] == containers.LIST
        gone.append(weakref.ref(cls))
        del cls
    assert len(kinds) < 5_000
    gc.collect()
    assert sum(reference() is None for reference in gone) > 500
    # what was forgotten is found out again
    assert [kinds[cls] for cls in (Slot, SlotOfAnotherClass, Awaitable, int)] == [
        containers.FUTURE,
        containers.FUTURE,
        containers.FOREIGN,
        containers.PLAIN,
    ]


def test_a_dataclass_itself_is_not_an_instance_of_one() -> None:
    assert scan((Box, [Box]), {}, KINDS, adopt)[:2] == ([], False)


# -- a single value ---------------------------------------------------------------------------------------


def test_a_single_value_is_scanned_and_filled_as_arguments_are() -> None:
    for value, wanted in ((Slot(1), 1), ([Slot(1), 2], [1, 2]), ({"k": (Slot(1),)}, {"k": (1,)})):
        futures, holes = scan_value(value, KINDS, adopt)
        assert len(futures) == 1
        assert fill_value(holes, value_of) == wanted
    assert scan_value([1, 2], KINDS, adopt)[:2] == ([], False)


# -- any structure at all ---------------------------------------------------------------------------------

# no booleans: False falls together with 0 in a set, and which of them stays is chance
plain_values = st.one_of(st.none(), st.integers(), st.text(string.ascii_letters, max_size=3))


class Both(NamedTuple):
    """A structure with futures, the same with their values, and how many there are."""

    given: Any
    wanted: Any
    count: int


def future_of(value: Any) -> Both:
    return Both(Slot(value), value, 1)


leaves = st.one_of(plain_values.map(lambda value: Both(value, value, 0)), plain_values.map(future_of))
BUILDERS: list[Callable[[list[Any]], Any]] = [
    list,
    tuple,
    Rows,
    lambda parts: dict(enumerate(parts)),
    lambda parts: OrderedDict(zip("zyxwvu", parts, strict=False)),
    lambda parts: defaultdict(list, enumerate(parts)),
    lambda parts: Pair(parts, parts[:1]),
    lambda parts: Typed(*parts[:1], right=parts[1:]) if parts else Typed(None),
    lambda parts: Box(parts),
    lambda parts: SealedBox(tuple(parts)),
    lambda parts: FrozenBox(parts[0]) if parts else FrozenBox(None),
    deque,
    UserList,
    lambda parts: UserDict(enumerate(parts)),
    lambda parts: ChainMap(dict(enumerate(parts)), {"k": 1}),
    lambda parts: types.MappingProxyType(dict(enumerate(parts))),
    lambda parts: types.SimpleNamespace(**dict(zip("abcdef", parts, strict=False))),
    lambda parts: functools.partial(double, *parts[1:], **dict(zip("k", parts, strict=False))),
    lambda parts: dict(enumerate(parts)).values(),
    lambda parts: dict(enumerate(parts)).items(),
    lambda parts: Attrs(parts),
    lambda parts: FrozenAttrs(parts[0] if parts else None),
    lambda parts: Model.model_construct(content=parts[:1], more=parts[1:]),
    lambda parts: FrozenModel.model_construct(content=parts),
]
HASHED: list[Callable[[list[Any]], Any]] = [
    frozenset,
    lambda parts: tuple(parts),
    lambda parts: SealedBox(tuple(parts)),
]


def built(builders: list[Callable[[list[Any]], Any]]) -> Callable[[Any], Any]:
    def extended(inner: st.SearchStrategy[Both]) -> st.SearchStrategy[Both]:
        def build(builder: Callable[[list[Any]], Any], parts: list[Both]) -> Both:
            given, wanted = builder([part.given for part in parts]), builder([part.wanted for part in parts])
            return Both(given, wanted, len(futures_in(given)))

        return st.builds(build, st.sampled_from(builders), st.lists(inner, max_size=5))

    return extended


def parts_of(value: Any) -> list[Any]:
    """What a structure is made of, by what its class has to say of it."""
    if isinstance(value, (UserDict, UserList)):
        return [value.data]
    if isinstance(value, ChainMap):
        return list(value.maps)
    if dataclasses.is_dataclass(value) or isinstance(value, (Attrs, FrozenAttrs)):
        return [
            getattr(value, name) for name in type(value).__annotations__ if name not in ("shared", "given")
        ]
    if isinstance(value, types.SimpleNamespace):
        return [vars(value)]
    if isinstance(value, pydantic.BaseModel):
        return [vars(value), value.model_extra]
    if isinstance(value, functools.partial):
        return [value.args, value.keywords]
    if isinstance(value, (dict, types.MappingProxyType)):
        return [part for item in value.items() for part in item]
    if isinstance(value, (list, tuple, set, frozenset, deque, ValuesView, ItemsView)):
        return list(value)
    return []


def futures_in(value: Any) -> set[Slot]:
    """The same question, answered by recursion."""
    if isinstance(value, Slot):
        return {value}
    return set().union(*map(futures_in, parts_of(value)))


hashable = st.recursive(leaves, built(HASHED), max_leaves=8)
# Each key as given stands once, at its first place: a future among the keys may have the value of another.
once = st.lists(st.tuples(hashable, leaves), max_size=4).map(
    lambda items: list({key.given: (key, value) for key, value in items}.values())
)
keyed = once.map(
    lambda items: Both(
        {key.given: value.given for key, value in items},
        {key.wanted: value.wanted for key, value in items},
        0,
    )
)
structures = st.recursive(st.one_of(leaves, hashable, keyed), built(BUILDERS), max_leaves=25)


@settings(examples(150))
@given(st.lists(structures, max_size=4), st.dictionaries(st.sampled_from("abcd"), structures, max_size=3))
def test_any_structure_arrives_as_the_same_structure_with_values_for_futures(
    positional: list[Both], named: dict[str, Both]
) -> None:
    args = tuple(part.given for part in positional)
    kwargs = {name: part.given for name, part in named.items()}
    futures, holes, _ = scan(args, kwargs, KINDS, adopt)
    assert set(futures) == futures_in([args, kwargs])
    assert bool(holes) == bool(futures)
    filled, filled_named = fill(args, kwargs, holes, Slot, value_of) if holes else (args, kwargs)
    assert list(filled_named) == list(named)
    assert shape_of([*filled, *filled_named.values()]) == shape_of(
        [part.wanted for part in [*positional, *named.values()]]
    )
    for given_part, arrived in zip([*args, *kwargs.values()], [*filled, *filled_named.values()], strict=True):
        assert futures_in(given_part) or arrived is given_part


def shape_of(value: Any) -> Any:
    """The classes of a structure and its values, which equality does not tell: a list equals a list's subclass, and
    views equal nothing."""
    shapes = [shape_of(part) for part in parts_of(value)]
    if isinstance(value, (set, frozenset)):
        shapes.sort(key=repr)
    return type(value), shapes or repr(value)


def deep(leaf: Any) -> list[Any]:
    """A large table, with something at one place of it."""
    rows: list[Any] = [{"id": number, "pair": (number, [number])} for number in range(1_000)]
    rows[700] = {"id": 700, "pair": (700, [{"deepest": leaf}])}
    return rows


def test_a_large_table_without_a_future_is_passed_as_it_is() -> None:
    table = deep(1)
    assert scan((table,), {}, KINDS, adopt)[:2] == ([], False)
    circle = deep(1)
    circle.append(circle)
    assert scan((circle,), {}, KINDS, adopt)[:2] == ([], False)
    shared = [table] * 1_000
    assert scan((shared,), {}, KINDS, adopt)[:2] == ([], False)


@pytest.mark.parametrize(
    "wrap", [lambda slot: slot, lambda slot: UserList([slot]), lambda slot: deque([slot])]
)
def test_a_future_deep_in_a_large_table_is_found(wrap: Callable[[Any], Any]) -> None:
    slot = Slot("value")
    table = deep(wrap(slot))
    found, holes, _ = scan((table,), {}, KINDS, adopt)
    assert found == [slot]
    (filled,), _ = fill((table,), {}, holes, Slot, value_of)
    assert filled == deep(wrap("value"))


def test_what_is_lazy_deep_in_a_large_table_is_refused() -> None:
    with pytest.raises(Lazy):
        scan((deep(iter([1])),), {}, KINDS, adopt)


@dataclasses.dataclass
class Row:
    number: int
    held: Any


class NamedRow(NamedTuple):
    number: int
    held: Any


ROWS = [
    lambda number, held: {"number": number, "held": held},
    lambda number, held: {number: held},
    lambda number, held: [number, held],
    lambda number, held: (number, held),
    lambda number, held: NamedRow(number, held),
    lambda number, held: Row(number, held),
    lambda number, held: {held, number},
    lambda number, held: frozenset([held, number]),
    lambda number, held: deque([number, held]),
    lambda number, held: OrderedDict(number=number, held=held),
    lambda number, held: defaultdict(list, number=number, held=held),
    lambda number, held: types.SimpleNamespace(number=number, held=held),
    lambda number, held: types.MappingProxyType({"number": number, "held": held}),
    lambda number, held: Row(number, {"a": [held]}),
]


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("at", [0, 4_999, 9_999])
def test_a_future_in_one_row_of_a_large_table_is_found(row: Callable[[int, Any], Any], at: int) -> None:
    slot = Slot("value")
    table = [row(number, slot if number == at else "value") for number in range(10_000)]
    found, holes, _ = scan((table, 1), {}, KINDS, adopt)
    assert found == [slot]
    (filled, _), _ = fill((table, 1), {}, holes, Slot, value_of)
    assert len(filled) == len(table)
    assert all(one is other for one, other in zip(filled[:at], table[:at], strict=True))
    expected = row(at, "value")
    assert filled[at] == expected or repr(filled[at]) == repr(expected)  # a set has no order to be shown in


def test_a_field_that_cannot_be_read_in_a_large_table_says_why() -> None:
    @dataclasses.dataclass
    class Broken:
        number: int

    Broken.number = property(lambda row: 1 // 0, lambda row, number: None)  # type: ignore[assignment]
    with pytest.raises(ZeroDivisionError):
        scan(([Broken(number) for number in range(1_000)],), {}, KINDS, adopt)


def test_a_large_table_whose_rows_all_hold_one_large_list_is_looked_into_once() -> None:
    many = 10_000
    shared: list[Any] = [{"number": number} for number in range(many)]
    table: list[Any] = [{"number": number, "shared": shared} for number in range(many)]
    backwards: list[Any] = []
    backwards += [{"number": number, "table": backwards} for number in range(many)]
    tracemalloc.start()
    try:
        for value in (table, backwards, [shared] * many):
            assert scan((value,), {}, KINDS, adopt)[:2] == ([], False)
        assert tracemalloc.get_traced_memory()[1] < 500 * many  # and not many times many
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("leaf", "most"), [(1, 500), (Slot("value"), 12_000)])
def test_a_large_table_costs_few_steps_of_the_interpreter(leaf: Any, most: int) -> None:
    steps = 0

    def count(frame: Any, event: str, arg: Any) -> Any:
        nonlocal steps
        steps += 1
        return count

    table = deep(leaf)
    sys.settrace(count)
    try:
        scan((table,), {}, KINDS, adopt)
    finally:
        sys.settrace(None)
    assert steps < most  # where a piece of the table is looked at one by one, some 150 for each of its rows
