"""Whether two histories tell the same, to the last bit: what has not happened is equal to itself."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import fields

from .._record.history import History


def same(one: History, other: History) -> bool:
    """Whether they do."""
    return one is other or all(
        _same(getattr(one, each.name), getattr(other, each.name)) for each in fields(History)
    )


def _same(one: object, other: object) -> bool:
    if isinstance(one, array) and isinstance(other, array):
        if one.typecode == other.typecode == "d":
            return len(one) == len(other) and (not one or _bits(one) == _bits(other))
        return one == other
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return dict(one) == dict(other)
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return tuple(one) == tuple(other)
    return one == other


def _bits(column: array[float]) -> memoryview:
    return memoryview(column).cast("B")
