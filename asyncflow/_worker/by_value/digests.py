"""Tells whether what is in an object has changed since it was sent: a list, a dict, an object with attributes."""

from __future__ import annotations

import pickle
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any, Final

_SAME: Final = (
    type(None),
    bool,
    int,
    float,
    complex,
    str,
    bytes,
    FunctionType,
    BuiltinFunctionType,
    type,
    ModuleType,
)
"""Kinds of which each is what it is: what is in functions, classes and modules has versions of its own."""


def digest(value: Any) -> bytes | None:
    """A digest of an object's contents; None if nothing in it can change, or if it cannot be read."""
    if issubclass(type(value), _SAME):
        return None
    from hashlib import blake2b  # which takes a while to load, and workers seldom need it

    hasher = blake2b(digest_size=16)
    try:
        _Reader(_Sink(hasher.update), pickle.HIGHEST_PROTOCOL).dump(value)
    except Exception:  # it cannot be pickled, or not in this simple way
        return None
    return hasher.digest()


class _Sink:
    def __init__(self, write: Any) -> None:
        self.write = write


class _Reader(pickle.Pickler):
    def reducer_override(self, thing: object) -> Any:
        if issubclass(type(thing), _SAME) and thing is not int:
            return int, (id(thing),)
        return NotImplemented
