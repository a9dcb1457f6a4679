"""Judges whether objects of one class can be of another, or do for it. Where that cannot be known, they can.

The subtype test is Python's; what is here are the cases that it refuses to judge, or judges as no user would.
"""

from __future__ import annotations

import abc
import collections.abc
import enum
import inspect
import sys
import typing
from functools import lru_cache
from typing import Any, Final

from .attributes import has_method, lacks
from .shown import shown

_PLAIN_METACLASSES: Final = (type, abc.ABCMeta, enum.EnumMeta, type(typing.Protocol), type(typing.NamedTuple))
_NUMBERS: Final = (bool, int, float, complex)
_EXCLUSIVE: Final = (
    collections.abc.Mapping,
    collections.abc.Sequence,
    collections.abc.Set,
    collections.abc.Iterator,
)
_BUFFERS: Final = (bytes, bytearray, memoryview)
_STREAMS: Final = (typing.IO, typing.TextIO, typing.BinaryIO)
_NOT_ASKED: Final = (
    "__init__",
    "__new__",
    "__class_getitem__",
    "__subclasshook__",
    "__slots__",
    "__doc__",
    "__dict__",
    "__weakref__",
)
"""What a protocol may have without asking for it."""
_DOES_FOR: Final[dict[object, tuple[str, ...]]] = {
    collections.abc.Sequence: ("__getitem__", "__len__"),
    collections.abc.MutableSequence: ("__setitem__", "__len__"),
    collections.abc.Mapping: ("__getitem__", "keys"),
    collections.abc.MutableMapping: ("__setitem__", "keys"),
    collections.abc.Set: ("__contains__", "__len__", "__and__"),
    collections.abc.Iterable: ("__getitem__",),
    collections.abc.Reversible: ("__getitem__", "__len__"),
    collections.abc.Collection: ("__getitem__", "__len__"),
    collections.abc.Container: ("__getitem__",),
}
"""What an interface of collections comes to, for classes that have it and never said so: arrays, data frames."""


def clash(given: type, wanted: type, *, exact: bool = False) -> str | None:
    """Why no object of one class does for another; None if it may.

    Args:
        given: the class that an object is said to be of: it may be of one that derives from it.
        wanted: the class that is asked for.
        exact: whether it is known to be of this very class.
    """
    if _is_sub(given, wanted) or (not exact and _is_sub(wanted, given)):
        return None
    if wanted in _NUMBERS or _is_numpy_number(wanted):
        return None if _counts_as(given, wanted) else _is_no(given, wanted)
    if not (_is_plain(given) and _is_plain(wanted)):
        return None
    if given in _BUFFERS and wanted in _BUFFERS:
        return None
    if _are_exclusive(given, wanted):
        return _is_no(given, wanted)
    if _is_protocol(wanted) or wanted in _STREAMS:
        return _missing(given, wanted)
    if _is_protocol(given) or given in _STREAMS:
        return None if _missing(wanted, given) is None or _is_abstract(wanted) else _is_no(given, wanted)
    if _does_for(given, wanted) or (_is_abstract(given) and _is_abstract(wanted)):
        return None
    return _is_no(given, wanted)


def _is_no(given: type, wanted: type) -> str:
    return f"{shown(given)} is no {shown(wanted)}"


@lru_cache(4096)
def _is_sub(given: type, wanted: type) -> bool:
    """What Python says; of what it refuses to judge, no."""
    if wanted is object or given is wanted:
        return True
    try:
        return issubclass(given, wanted)
    except Exception:
        return False


def _counts_as(given: type, wanted: type) -> bool:
    """Whether a number will do for another: int for float, float for complex, and NumPy's as if they were Python's."""
    rank, asked = _rank(given), _rank(wanted)
    if rank is None:
        return (
            not _is_plain(given)
            or (_is_numpy_number(wanted) and _is_abstract(given))
            or _is_numpy_number(given)
        )
    return asked is None or rank <= asked or (_is_numpy_number(wanted) and asked >= 1)


def _rank(cls: type) -> int | None:
    """The place in the tower of numbers; None of what is none, or is all of them."""
    numpy: Any = sys.modules.get("numpy")
    if numpy is not None and issubclass(cls, (numpy.number, numpy.bool_)):
        alike = (numpy.bool_, numpy.integer, numpy.floating, numpy.complexfloating)
        return next((rank for rank, each in enumerate(alike) if issubclass(cls, each)), None)
    return next((rank for rank, each in enumerate(_NUMBERS) if issubclass(cls, each)), None)


def _is_numpy_number(cls: type) -> bool:
    numpy: Any = sys.modules.get("numpy")
    return numpy is not None and issubclass(cls, (numpy.number, numpy.bool_))


def _is_plain(cls: type) -> bool:
    """Whether it is told of a class by its bases what is of it, and not by code of its own."""
    return type(cls) in _PLAIN_METACLASSES or not any(
        name in vars(meta)
        for meta in inspect.getmro(type(cls))
        if meta not in _PLAIN_METACLASSES and meta is not object
        for name in ("__instancecheck__", "__subclasscheck__")
    )


def _are_exclusive(given: type, wanted: type) -> bool:
    kinds = [{cls for cls in _EXCLUSIVE if _is_sub(each, cls)} for each in (given, wanted)]
    return bool(kinds[0] and kinds[1] and kinds[0].isdisjoint(kinds[1]))


def _is_abstract(cls: type) -> bool:
    """Whether it is an interface: another class may implement it beside any other."""
    return (
        _is_protocol(cls)
        or cls.__module__ in ("collections.abc", "numbers")
        or bool(getattr(cls, "__abstractmethods__", None))
    )


def _is_protocol(cls: type) -> bool:
    return bool(vars(cls).get("_is_protocol", False))


def _does_for(given: type, wanted: type) -> bool:
    needed = _DOES_FOR.get(wanted)
    return needed is not None and all(has_method(given, name) for name in needed)


def _missing(given: type, wanted: type) -> str | None:
    """What an object would need to do for a protocol, or for a file; None if nothing is missing for sure."""
    if wanted in _STREAMS:
        does = not lacks(given, "read") or not lacks(given, "write")
        return None if does else _is_no(given, wanted)
    for name in _asked_by(wanted):
        if _is_missing(given, name):
            return f"{shown(given)} has no {name!r}, which {shown(wanted)} asks for"
    return None


def _asked_by(protocol: type) -> list[str]:
    """The names of what a protocol asks for."""
    names: dict[str, None] = {}
    for each in protocol.__mro__:
        if _is_protocol(each):
            methods = [
                name for name, value in vars(each).items() if callable(value) or hasattr(value, "__get__")
            ]
            names |= dict.fromkeys([*methods, *vars(each).get("__annotations__", ())])
    return [name for name in names if name not in _NOT_ASKED and name not in vars(typing.Generic)]


def _is_missing(given: type, name: str) -> bool:
    if name.startswith("__") and name.endswith("__"):
        return not has_method(given, name)
    return lacks(given, name)
