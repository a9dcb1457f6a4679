"""Finds the futures in a call's arguments, wherever they are nested, and later puts their values in.

A call whose arguments are plain values costs one dictionary look-up an argument. Containers that hold a future
are copied at the call, so that changing them afterwards changes nothing; containers without one are passed as
they are. Nothing here recurses: arguments may be nested as deep as memory allows.

What a future is, is told from outside (`Kinds`): this room knows no event loop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from .bulk import MANY, Bulk
from .containers import BOUND, FILE, FOREIGN, FUTURE, LAZY, LIST, PLAIN, SET, Kinds, parts_of, rebuilt


class Lazy(TypeError):
    """An argument is, or contains, a generator or another iterator that makes its items when they are asked for.
    ``place`` is the index of the argument among all of them; -1 if a single value was scanned."""

    def __init__(self, value: object, place: int) -> None:
        super().__init__(value, place)
        self.value = value
        self.place = place


class Node:
    """A container that holds a future somewhere inside: its parts, and which of them are to be filled in."""

    __slots__ = ("holes", "inner", "kind", "open", "original", "parts")

    def __init__(self, kind: int, original: object, parts: list[object]) -> None:
        self.kind = kind
        self.original = original
        self.parts = parts
        self.holes: list[tuple[int, object]] = []  # position, future
        self.inner: list[tuple[int, Node]] = []  # position, container with holes
        self.open = True  # still being scanned; to meet it again now is a circle


ALL: Final = "all"

Holes = bool | str | list[Node]
"""False: no futures. True: only as arguments of their own; `ALL`: every positional one is a future, and there are no
others. Else the containers with holes, innermost first; the last is the arguments as a whole."""


def scan(
    args: tuple[object, ...], kwargs: Mapping[str, object], kinds: Kinds, adopt: Callable[[object], object]
) -> tuple[list[Any], Holes, Sequence[Any]]:
    """Find the futures and the files in a call's arguments. ``adopt`` makes one of the engine's own futures from any
    other awaitable.

    Returns:
        The futures, each as often as it occurs; the holes for `fill`; and the files, and what is bound to the event
        loop, each at least once.

    Raises:
        Lazy: what makes its items later is among them.
        ValueError: a container holds both itself and a future.
    """
    found: list[object] = []
    worst = PLAIN
    for arg in args:
        kind = kinds[type(arg)]
        if kind:
            if kind == FUTURE:
                found.append(arg)
            if kind > worst:
                worst = kind
    for arg in kwargs.values():
        kind = kinds[type(arg)]
        if kind:
            if kind == FUTURE:
                found.append(arg)
            if kind > worst:
                worst = kind
    if worst <= FUTURE:
        return found, bool(found), ()
    files: list[object] = []
    return *scan_value([*args, *kwargs.values()], kinds, adopt, files), files


def scan_value(
    value: object, kinds: Kinds, adopt: Callable[[object], object], files: list[object] | None = None
) -> tuple[list[Any], Holes]:
    """Find the futures in any value; as `scan`, with the holes for `fill_value`. Files, and what is bound
    to the event loop, are added to a list."""
    top = Node(LIST, [value], [value])
    found: list[object] = []
    order: list[Node] = []
    nodes: dict[int, Node] = {}
    adopted: dict[int, object] = {}
    circles: list[Node] = []
    bulk: Bulk | None = None
    stack: list[tuple[Node, Iterator[tuple[int, Any]]]] = [(top, enumerate(top.parts))]
    while stack:
        node, rest = stack[-1]
        for position, part in rest:
            kind = kinds[type(part)]
            if kind <= FOREIGN:
                if kind:
                    future = part if kind < FOREIGN else _adopted(part, adopt, adopted)
                    found.append(future)
                    node.holes.append((position, future))
                continue
            if kind == LAZY:
                raise Lazy(part, _place(stack, position))
            inner = nodes.get(id(part))
            if inner is not None:
                if inner.open:
                    circles.append(inner)
                else:
                    node.inner.append((position, inner))
                continue
            if kind >= FILE and files is not None:
                files.append(part)
            if kind == BOUND:
                continue
            parts = list(part) if kind <= SET else parts_of(kind, part)
            if _all_plain(parts, kinds):
                continue
            inner = nodes[id(part)] = Node(kind, part, parts)
            node.inner.append((position, inner))
            if len(parts) < MANY:
                stack.append((inner, enumerate(parts)))
            else:
                bulk = bulk or Bulk(kinds)
                stack.append((inner, bulk.not_plain(parts)))
            break
        else:
            stack.pop()
            node.open = False
            node.inner = [(position, inner) for position, inner in node.inner if inner.holes or inner.inner]
            if node.holes or node.inner:
                order.append(node)
    _refuse(circles)
    return found, order or False


def _adopted(awaitable: object, adopt: Callable[[object], object], adopted: dict[int, object]) -> object:
    if id(awaitable) not in adopted:  # the same coroutine may stand twice and can be run once
        adopted[id(awaitable)] = adopt(awaitable)
    return adopted[id(awaitable)]


def _refuse(circles: list[Node]) -> None:
    for node in circles:
        if node.holes or node.inner:  # it is on the way to a future, and to itself
            raise ValueError(
                f"a {type(node.original).__name__} among the arguments contains itself and a future; "
                "pass the future as an argument of its own"
            )


def holds_futures(value: object, kinds: Kinds) -> bool:
    """Whether a value contains a future, or something that a call would refuse to look into."""
    try:
        found, _ = scan_value([value], kinds, lambda awaitable: awaitable)
    except (Lazy, ValueError):
        return True
    return bool(found)


def _place(stack: list[tuple[Node, Any]], position: int) -> int:
    """Which argument is being looked into; -1 if it is the value itself."""
    if len(stack) < 3:
        return position if len(stack) == 2 else -1
    return stack[1][0].inner[-1][0]


def _all_plain(parts: list[object], kinds: Kinds) -> bool:
    return not any(kinds[cls] for cls in set(map(type, parts)))


def fill(
    args: tuple[object, ...],
    kwargs: Mapping[str, object],
    holes: Holes,
    future: type,
    value_of: Callable[[Any], object],
) -> tuple[tuple[object, ...], Mapping[str, object]]:
    """The arguments of a scanned call, with ``value_of(future)`` in place of each future. ``holes`` is what `scan`
    returned.

    Raises:
        TypeError: a value does not fit where the future stood, as a list in a set.
    """
    if not isinstance(holes, list):
        args = tuple([value_of(arg) if isinstance(arg, future) else arg for arg in args])
        if kwargs:
            kwargs = {name: value_of(arg) if isinstance(arg, future) else arg for name, arg in kwargs.items()}
        return args, kwargs
    values = fill_value(holes, value_of)
    return tuple(values[: len(args)]), dict(zip(kwargs, values[len(args) :], strict=True))


def fill_value(holes: Holes, value_of: Callable[[Any], object]) -> Any:
    """The value that `scan_value` saw, with a value in place of each future. To be done once: parts are reused."""
    assert isinstance(holes, list)
    built: dict[int, Any] = {}
    for node in holes:
        for position, future in node.holes:
            node.parts[position] = value_of(future)
        for position, inner in node.inner:
            node.parts[position] = built[id(inner)]
        parts, original = node.parts, node.original
        built[id(node)] = parts if type(original) is list else rebuilt(node.kind, original, parts)
    return built[id(holes[-1])][0]
