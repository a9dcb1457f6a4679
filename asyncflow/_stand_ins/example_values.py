"""Values that can stand in for any other of their type. Not empty and not zero: code divides by them, takes the first
item, makes a number of a text."""

from __future__ import annotations

import collections.abc
import datetime
import decimal
import enum
import fractions
import numbers
import re
import types
import typing
import uuid
from contextvars import Context
from typing import Final

from .._files.path_standin import TEXT

# In a context of its own, since it sets a context variable: each call of our user's would have a context to copy.
_ONE: Final = Context().run(decimal.Decimal, 1)
_PLAIN: Final[dict[object, object]] = {
    bool: True,
    int: 1,
    float: 1.0,
    complex: 1 + 0j,
    str: TEXT,
    bytes: TEXT.encode(),
    types.NoneType: None,
    types.EllipsisType: ...,
    decimal.Decimal: _ONE,
    fractions.Fraction: fractions.Fraction(1),
    numbers.Number: 1,
    numbers.Complex: 1,
    numbers.Real: 1,
    numbers.Rational: 1,
    numbers.Integral: 1,
    datetime.datetime: datetime.datetime(2000, 1, 1),
    datetime.date: datetime.date(2000, 1, 1),
    datetime.time: datetime.time(1),
    datetime.timedelta: datetime.timedelta(seconds=1),
    datetime.timezone: datetime.UTC,
    datetime.tzinfo: datetime.UTC,
    uuid.UUID: uuid.UUID(int=1),
    range: range(1),
    slice: slice(0, 1),
    re.Pattern: re.compile(TEXT),
    collections.abc.Hashable: TEXT,
    typing.LiteralString: TEXT,
    typing.SupportsAbs: 1,
    typing.SupportsBytes: TEXT.encode(),
    typing.SupportsComplex: 1 + 0j,
    typing.SupportsFloat: 1.0,
    typing.SupportsIndex: 1,
    typing.SupportsInt: 1,
    typing.SupportsRound: 1.0,
}
VALUES: Final = {id(cls): value for cls, value in _PLAIN.items()}
"""By the class's id: a class may refuse to be hashed."""
_CONSTANT: Final = frozenset(map(type, _PLAIN.values()))


def is_constant(value: object) -> bool:
    """Whether one value can stand in for many results: nobody can change it, and it tells of no task."""
    if type(value) is tuple or type(value) is frozenset:
        return all(map(is_constant, value))
    return type(value) in _CONSTANT or isinstance(value, enum.Enum)
