"""Containers with one item of the right type, and what else has parts: functions, files, what can be awaited."""

from __future__ import annotations

import collections
import collections.abc
import contextlib
import io
import os
import pathlib
import types
import typing
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from .._files.path_standin import TEXT, PathStandIn

if TYPE_CHECKING:
    from .examples import Maker

Make = Callable[["Maker", tuple[object, ...], str], object]
"""Makes an object: with a maker for its parts, the arguments of its class, and what it stands for."""


def _items(maker: Maker, args: Sequence[object], path: str) -> list[object]:
    """One item; none if it would be of a class that the container itself is part of."""
    item = args[0] if args else Any
    return [] if maker.is_open(item) else [maker.make(item, f"{path}[0]")]


def _hashable_items(maker: Maker, args: Sequence[object], path: str) -> list[object]:
    return [item for item in _items(maker, args, path) if _is_hashable(item)]


def _pairs(maker: Maker, args: Sequence[object], path: str) -> dict[object, object]:
    key, value = args if len(args) == 2 else (Any, Any)
    if maker.is_open(key) or maker.is_open(value):
        return {}
    made = maker.make(key, f"{path}.key")
    return {made: maker.make(value, f"{path}[{made!r}]")} if _is_hashable(made) else {}


def _is_hashable(value: object) -> bool:
    try:
        hash(value)
    except Exception:
        return False
    return True


def _of_items(container: Callable[[list[object]], object]) -> Make:
    return lambda maker, args, path: container(_items(maker, args, path))


def _of_hashable_items(container: Callable[[list[object]], object]) -> Make:
    return lambda maker, args, path: container(_hashable_items(maker, args, path))


def _of_pairs(container: Callable[[dict[object, object]], object], value: object = None) -> Make:
    def make(maker: Maker, args: tuple[object, ...], path: str) -> object:
        return container(_pairs(maker, (*args, value) if args and value is not None else args, path))

    return make


class DictStandIn(dict[object, object]):
    """One that has every key: which ones a result would have, no annotation tells.

    Args:
        items: that it has in earnest.
        remake: makes the value for any other key.
    """

    def __init__(self, items: dict[object, object], remake: Callable[[], object]) -> None:
        super().__init__(items)
        self._remake = remake

    def __missing__(self, key: object) -> object:
        return self._remake()


def _dict(maker: Maker, args: tuple[object, ...], path: str) -> DictStandIn:
    value = args[1] if len(args) == 2 else Any
    return DictStandIn(_pairs(maker, args, path), maker.remake(value, f"{path}[...]"))


def _defaultdict(maker: Maker, args: tuple[object, ...], path: str) -> dict[object, object]:
    value = args[1] if len(args) == 2 else Any
    return collections.defaultdict(maker.remake(value, f"{path}[...]"), _pairs(maker, args, path))


def _tuple(maker: Maker, args: tuple[object, ...], path: str) -> tuple[object, ...]:
    if len(args) == 2 and args[1] is Ellipsis:
        return tuple(_items(maker, args, path))
    made: list[object] = []
    for arg in args:
        unpacked = typing.get_args(arg)[0] if typing.get_origin(arg) is typing.Unpack else arg
        if unpacked is arg and not getattr(arg, "__unpacked__", False):
            made.append(maker.make(arg, f"{path}[{len(made)}]"))
        elif typing.get_origin(unpacked) is tuple:
            made.extend(_tuple(maker, typing.get_args(unpacked), path))
    return tuple(made)


def _function(maker: Maker, args: tuple[object, ...], path: str) -> Callable[..., object]:
    remake = maker.remake(args[-1] if args else Any, f"{path}(...)")

    def example(*args: object, **kwargs: object) -> object:
        return remake()

    return example


class Awaited(collections.abc.Coroutine[object, object, object]):
    """Something to be awaited, as often as one likes.

    Args:
        value: what that gives.
    """

    def __init__(self, value: object) -> None:
        self._value = value

    def __await__(self) -> Any:
        yield from ()
        return self._value

    def send(self, value: object) -> object:
        """Be over."""
        raise StopIteration(self._value)

    def throw(self, *error: Any) -> object:
        """Be over."""
        raise error[0]

    def close(self) -> None:
        """Nothing is open."""


def _context(maker: Maker, args: tuple[object, ...], path: str) -> object:
    return contextlib.nullcontext(maker.make(args[0] if args else Any, path))


def _awaited(maker: Maker, args: tuple[object, ...], path: str) -> Awaited:
    return Awaited(maker.make(args[-1] if args else Any, path))


def _text_file(maker: Maker, args: tuple[object, ...], path: str) -> object:
    return io.StringIO(TEXT) if args != (bytes,) else io.BytesIO(TEXT.encode())


def _binary_file(maker: Maker, args: tuple[object, ...], path: str) -> object:
    return io.BytesIO(TEXT.encode())


def _pure_path(maker: Maker, args: tuple[object, ...], path: str) -> pathlib.PurePath:
    return pathlib.PurePosixPath("stand-in", path.replace("/", "_"))


def _path(maker: Maker, args: tuple[object, ...], path: str) -> PathStandIn:
    return PathStandIn(_pure_path(maker, args, path))


_BY_CLASS: Final[dict[object, Make]] = {
    list: _of_items(list),
    set: _of_hashable_items(set),
    frozenset: _of_hashable_items(frozenset),
    dict: _dict,
    tuple: _tuple,
    type: lambda maker, args, path: object,
    bytearray: lambda maker, args, path: bytearray(TEXT.encode()),
    memoryview: lambda maker, args, path: memoryview(TEXT.encode()),
    types.FunctionType: _function,
    types.MappingProxyType: _of_pairs(types.MappingProxyType),
    collections.ChainMap: _of_pairs(collections.ChainMap),
    collections.Counter: _of_pairs(collections.Counter, int),
    collections.OrderedDict: _of_pairs(collections.OrderedDict),
    collections.defaultdict: _defaultdict,
    collections.deque: _of_items(collections.deque),
    collections.abc.Awaitable: _awaited,
    collections.abc.Callable: _function,
    collections.abc.Collection: _of_items(list),
    collections.abc.Container: _of_items(list),
    collections.abc.Coroutine: _awaited,
    collections.abc.ItemsView: _of_pairs(lambda pairs: pairs.items()),
    collections.abc.Iterable: _of_items(list),
    collections.abc.Iterator: _of_items(iter),
    collections.abc.KeysView: _of_pairs(lambda pairs: pairs.keys(), int),
    collections.abc.Mapping: _dict,
    collections.abc.MappingView: _of_pairs(lambda pairs: pairs.keys()),
    collections.abc.MutableMapping: _dict,
    collections.abc.MutableSequence: _of_items(list),
    collections.abc.MutableSet: _of_hashable_items(set),
    collections.abc.Reversible: _of_items(list),
    collections.abc.Sequence: _of_items(list),
    collections.abc.Set: _of_hashable_items(set),
    collections.abc.Sized: _of_items(list),
    collections.abc.ValuesView: _of_items(lambda items: dict(enumerate(items)).values()),
    contextlib.AbstractAsyncContextManager: _context,
    contextlib.AbstractContextManager: _context,
    io.BufferedIOBase: _binary_file,
    io.BytesIO: _binary_file,
    io.IOBase: _text_file,
    io.RawIOBase: _binary_file,
    io.StringIO: _text_file,
    io.TextIOBase: _text_file,
    typing.BinaryIO: _binary_file,
    typing.IO: _text_file,
    typing.TextIO: _text_file,
    os.PathLike: _path,
    pathlib.Path: _path,
    pathlib.PosixPath: _path,
    pathlib.PurePath: _pure_path,
    pathlib.PurePosixPath: _pure_path,
}
CONTAINERS: Final = {id(cls): make for cls, make in _BY_CLASS.items()}
"""By the class's id: a class may refuse to be hashed."""
