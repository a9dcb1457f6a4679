"""Tells of what types the parts of a container are, by its annotation."""

from __future__ import annotations

import collections
import collections.abc
import typing
from typing import Any, Final

from .annotations import class_of, plain
from .resolve import arguments_of, bindings, hints_of, substituted

_OF_ONE_KIND: Final = (
    (str, str),
    ((bytes, bytearray, memoryview, range), int),
)
_GENERATORS: Final = (collections.abc.Generator, collections.abc.AsyncGenerator)


def items(hint: object) -> object:
    """What going over a value gives; `Any` where the annotation does not say."""
    cls, args = class_of(hint), typing.get_args(hint)
    if cls is None:
        return Any
    for classes, item in _OF_ONE_KIND:
        if issubclass(cls, classes):
            return item
    shape = tuple_of(hint)
    if shape is not None:
        return typing.Union[shape] if shape else Any  # noqa: UP007 - made of a tuple
    both = pairs(hint)
    if both is not None:
        return both[0]
    if issubclass(cls, tuple) and len(args) == 2 and args[1] is ...:
        return args[0]
    if issubclass(cls, _GENERATORS) and args:
        return args[0]
    if len(args) == 1 and _is_of_collections(cls):
        return args[0]
    base = _base(cls, args, collections.abc.Iterable)
    return Any if base is None else items(base)


def pairs(hint: object) -> tuple[object, object] | None:
    """What the keys and values of a mapping are; None if it is no mapping, or does not say."""
    cls, args = class_of(hint), typing.get_args(hint)
    if cls is None or not issubclass(cls, collections.abc.Mapping):
        return None
    if is_typed_dict(cls):
        values = tuple(hints_of(cls).values())
        return str, typing.Union[values] if values else Any  # noqa: UP007 - made of a tuple
    if cls is collections.Counter and len(args) == 1:
        return args[0], int
    if len(args) == 2 and _is_of_collections(cls):
        return args[0], args[1]
    base = _base(cls, args, collections.abc.Mapping)
    return None if base is None else pairs(base)


def tuple_of(hint: object) -> tuple[object, ...] | None:
    """The types of a tuple's items, one by one; None if it is none, or of any length."""
    cls, args = class_of(hint), typing.get_args(hint)
    if cls is None or not issubclass(cls, tuple):
        return None
    fields = getattr(cls, "_fields", None)
    if isinstance(fields, tuple):
        hints = hints_of(cls, args)
        return tuple(hints.get(name, Any) for name in fields)
    if cls is tuple and (not args or args[-1] is ...):
        return () if typing.get_origin(hint) is tuple and hint == tuple[()] else None
    if cls is tuple:
        return None if any(typing.get_origin(each) is typing.Unpack for each in args) else args
    base = _base(cls, args, tuple)
    return None if base is None else tuple_of(base)


def is_typed_dict(cls: object) -> bool:
    """Whether a class is of dicts that say what is under which key."""
    return isinstance(cls, type) and issubclass(cls, dict) and hasattr(cls, "__required_keys__")


def parameters(hint: object, cls: type) -> tuple[object, ...] | None:
    """What a class of the user's that is generic is parametrised with, for an annotation of it or of one below it.

    Returns:
        One for each of its variables; None if that is not to be had.
    """
    variables = getattr(cls, "__parameters__", ())
    given = class_of(hint)
    if not variables or given is None:
        return None
    args = arguments_of(given, typing.get_args(hint)).get(cls, ())
    return args if len(args) == len(variables) else None


def _base(cls: type, args: tuple[object, ...], kind: type) -> object:
    """The parametrised class of that kind from which a class derives; None if there is none."""
    bound = bindings(cls, args)
    for base in getattr(cls, "__orig_bases__", ()):
        if typing.get_origin(base) in (None, typing.Generic, typing.Protocol):
            continue
        its = plain(substituted(base, bound))
        its_class = class_of(its)
        if its_class is not None and typing.get_args(its) and issubclass(its_class, kind):
            return its
    return None


def _is_of_collections(cls: type) -> bool:
    return cls.__module__ in ("builtins", "collections", "collections.abc", "typing")
