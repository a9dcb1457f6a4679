"""What a user would call a container: by its class, how it is taken apart, and how it is put together again.

Classes of other libraries are known by what they carry, and none is imported. A class that is not here is passed as it
is: to look into any object would run code of its own, or cost more than the call.
"""

from __future__ import annotations

import collections
import copy
import dataclasses
import functools
import itertools
import types
from collections.abc import Callable, Coroutine, ItemsView, Iterable, KeysView, ValuesView
from typing import Any, Final

PLAIN: Final = 0
FUTURE: Final = 1
FOREIGN: Final = 2  # some other awaitable, to be adopted as a future
LAZY: Final = (
    3  # makes its items when it is asked for them, once: nobody can look into it and leave it as it is
)
LIST: Final = 4
TUPLE: Final = 5
SET: Final = 6
DICT: Final = 7
DATACLASS: Final = 8
ATTRS: Final = 9
NAMESPACE: Final = 10  # all that it has is in its ``__dict__``
KEYS: Final = 11
VALUES: Final = 12
ITEMS: Final = 13
PROXY: Final = 14
PARTIAL: Final = 15
MODEL: Final = 16  # of pydantic
FILE: Final = 17  # a dataclass, and to be told of
BOUND: Final = 18  # to the event loop on which it was made; to be told of

_REMEMBERED = 4096  # classes; a notebook that redefines its classes all day must not keep each of them
_NAMESPACES: Final = (
    types.SimpleNamespace,
    collections.UserDict,
    collections.UserList,
    collections.ChainMap,
)
_SLOTS: Final = ("__pydantic_extra__", "__pydantic_private__")  # where else a model of pydantic has values
_PYDANTIC: Final = ("__pydantic_validator__", "__fields_set__")  # the second until its version 1
_MAPPINGS: Final[tuple[Any, ...]] = ({}, collections.OrderedDict())
_ITERATED: Final = [
    *([], (), set(), collections.deque()),
    *(each for made in _MAPPINGS for each in (made, made.values(), made.items())),
]
_LAZY: Final[tuple[type, ...]] = (
    *(types.GeneratorType, map, zip, filter, enumerate, reversed, type(iter(list, None))),
    *{type(iter(each)) for each in _ITERATED},
    *{type(reversed(each)) for each in _ITERATED if not isinstance(each, set)},
    *(each for each in vars(itertools).values() if hasattr(each, "__next__") and each is not itertools.count),
)


_AS_THEY_ARE: Final[set[type]] = set()
_ALL_KINDS: Final[list[Kinds]] = []  # a few, which live as long as the program


class Kinds(dict[type, int]):
    """What to do with an argument of a given class, found out once a class.

    Args:
        future: the engine's own future class.
        foreign: whether a class is of awaitables that have to be adopted.
        lazy: whether what makes its items later is told from a plain value.
        file: the class of files; None if these are nothing special.
        bound: whether objects of a class are bound to the event loop, and so of use to blocks alone.
    """

    def __init__(
        self,
        future: type,
        foreign: Callable[[type], bool],
        *,
        lazy: bool = True,
        file: type | None = None,
        bound: Callable[[type], bool] | None = None,
    ) -> None:
        super().__init__({future: FUTURE})
        self.future = future
        self._foreign = foreign
        self._lazy = lazy
        self._file = file
        self._bound = bound
        _ALL_KINDS.append(self)

    def __missing__(self, cls: type) -> int:
        if len(self) > _REMEMBERED:
            self.clear()
        kind = self[cls] = self._classify(cls)
        return kind

    def _classify(self, cls: type) -> int:
        if issubclass(cls, self.future):
            return FUTURE
        if self._foreign(cls):
            return FOREIGN
        if issubclass(cls, _LAZY):
            return LAZY if self._lazy else PLAIN
        if self._bound is not None and self._bound(cls):
            return BOUND
        if self._file is not None and issubclass(cls, self._file):
            return FILE
        for base, kind in _BY_BASE:
            if issubclass(cls, base):
                return kind
        if dataclasses.is_dataclass(cls):
            return DATACLASS
        if _has(cls, ("__attrs_attrs__",)):
            return ATTRS
        if _has(cls, _PYDANTIC):
            return MODEL
        is_parsed = any((base.__module__, base.__name__) == ("argparse", "Namespace") for base in cls.__mro__)
        return NAMESPACE if is_parsed else PLAIN


def pass_as_they_are(*classes: type) -> None:
    """Have objects of some classes be values like any other, though they could be waited for.

    Args:
        classes: of another engine's futures, whose values a backend brings to where they are needed.
    """
    _AS_THEY_ARE.update(classes)
    for kinds in _ALL_KINDS:
        kinds.clear()


def is_waited_for(cls: type) -> bool:
    """Whether objects of a class are waited for unasked: futures, tasks of asyncio and coroutines. Not whatever can be
    awaited: that may be a value, as a pool of connections is."""
    if issubclass(cls, Coroutine):
        return True
    if not _AS_THEY_ARE.isdisjoint(cls.__mro__):
        return False
    can_be_awaited = hasattr(cls, "__await__") or hasattr(cls, "set_running_or_notify_cancel")
    return can_be_awaited and hasattr(cls, "add_done_callback")


_BY_BASE: Final[tuple[tuple[Any, int], ...]] = (
    ((list, collections.deque), LIST),
    (tuple, TUPLE),
    ((set, frozenset), SET),
    (dict, DICT),
    (KeysView, KEYS),
    (ValuesView, VALUES),
    (ItemsView, ITEMS),
    (types.MappingProxyType, PROXY),
    (functools.partial, PARTIAL),
    (_NAMESPACES, NAMESPACE),
)


def _has(cls: type, names: tuple[str, ...]) -> bool:
    """Whether a class carries any of these, without asking its metaclass, which may warn or make them up."""
    return any(name in vars(base) for base in cls.__mro__ for name in names)


def parts_of(kind: int, value: Any) -> list[object]:
    """The contents of a container in a fixed order; of a dictionary, keys and values in turn."""
    if kind <= SET:  # most by far, in many calls
        return list(value)
    if kind in (DICT, PROXY, ITEMS):
        items = value if kind == ITEMS else value.items()
        return [part for item in items for part in item]
    if kind in (DATACLASS, ATTRS, FILE):
        return [getattr(value, name, None) for name in fields_of(kind, value)]
    if kind in (NAMESPACE, MODEL):
        inside = dict(vars(value))
        if kind == MODEL:
            inside.update((name, getattr(value, name)) for name in _SLOTS if hasattr(value, name))
        return [part for item in inside.items() for part in item]
    if kind == PARTIAL:
        keywords = [part for item in value.keywords.items() for part in item]
        return [value.func, *value.args, *keywords]
    return [] if kind == BOUND else list(value)


def fields_of(kind: int, value: Any) -> list[str]:
    """The names of the fields of a dataclass's or of an attrs class's instance."""
    fields: Any = type(value).__attrs_attrs__ if kind == ATTRS else dataclasses.fields(value)
    return [field.name for field in fields]


def rebuilt(kind: int, original: object, parts: list[object]) -> object:
    """A container of the same kind with other contents, which are in the order of `parts_of`. ``parts`` may become
    the new container itself."""
    return _REBUILD[kind](original, parts, kind)


def _like_a_list(original: Any, parts: list[object], kind: int) -> object:
    if isinstance(original, (tuple, frozenset)):
        return _made_anew(original, parts)
    changed = copy.copy(original)  # with its own attributes, as a ``maxlen``
    changed.clear()
    (changed.update if kind == SET else changed.extend)(parts)
    return changed


def _like_a_dict(original: object, parts: list[object], kind: int) -> object:
    changed: Any = {} if type(original) is dict else copy.copy(original)
    changed.clear()
    for key, value in _pairs(parts):  # not update(), which in a Counter adds up
        changed[key] = value
    return changed


def _like_a_view(original: object, parts: list[object], kind: int) -> object:
    if kind == KEYS:
        return dict.fromkeys(parts).keys()
    if kind == VALUES:
        return dict(enumerate(parts)).values()
    made = dict(_pairs(parts))
    return made.items() if kind == ITEMS else types.MappingProxyType(made)


def _like_an_object(original: object, parts: list[object], kind: int) -> object:
    copied = copy.copy(original)
    for name, part in zip(fields_of(kind, original), parts, strict=True):
        if hasattr(original, name):
            object.__setattr__(copied, name, part)  # also where the class is frozen
    return copied


def _like_a_namespace(original: object, parts: list[object], kind: int) -> object:
    copied = (_copied_model if kind == MODEL else copy.copy)(original)
    inside = dict(_pairs(parts))
    for name in _SLOTS if kind == MODEL else ():
        if name in inside:
            object.__setattr__(copied, name, inside.pop(name))
    if vars(copied) is vars(original):  # as models of pydantic before version 2 have it
        object.__setattr__(copied, "__dict__", inside)
    else:
        vars(copied).clear()
        vars(copied).update(inside)
    return copied


def _copied_model(original: object) -> object:
    """As the first of its classes does it: that of a root copies the root as well, and a future cannot be copied."""
    ways = [vars(base)["__copy__"] for base in type(original).__mro__ if "__copy__" in vars(base)]
    return ways[-1](original) if ways else copy.copy(original)


def _like_a_partial(original: Any, parts: list[Any], kind: int) -> object:
    split = 1 + len(original.args)
    keywords = dict(_pairs(parts[split:]))
    made = functools.partial.__new__(type(original), *parts[:split], **keywords)
    vars(made).update(vars(original))
    return made


def _made_anew(original: Any, parts: list[object]) -> object:
    """A tuple or frozenset; a subclass, as named tuples, may want its parts in another way than as one list."""
    cls = type(original)
    made = (tuple if isinstance(original, tuple) else frozenset).__new__(cls, parts)
    if hasattr(original, "__dict__"):
        vars(made).update(vars(original))
    return made


def _pairs(parts: list[object]) -> Iterable[tuple[Any, object]]:
    return zip(parts[::2], parts[1::2], strict=True)


_REBUILD: Final[dict[int, Callable[[object, list[object], int], object]]] = {
    LIST: _like_a_list,
    TUPLE: _like_a_list,
    SET: _like_a_list,
    DICT: _like_a_dict,
    DATACLASS: _like_an_object,
    FILE: _like_an_object,
    ATTRS: _like_an_object,
    NAMESPACE: _like_a_namespace,
    KEYS: _like_a_view,
    VALUES: _like_a_view,
    ITEMS: _like_a_view,
    PROXY: _like_a_view,
    PARTIAL: _like_a_partial,
    MODEL: _like_a_namespace,
}
