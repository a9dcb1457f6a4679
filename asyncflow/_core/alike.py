"""Whether two values are the same to whoever gives them, which asks for more than that they are equal. Pure."""

from __future__ import annotations

from math import isnan
from typing import Any


def alike(one: Any, other: Any) -> bool:
    """Whether two values are equal and of one kind, through lists, tuples and dicts: 1, 1.0 and True are three values,
    and what is not a number is the same as what is not a number.

    Raises:
        Exception: one of them cannot be compared.
    """
    if one is other:
        return True
    kind = type(one)
    if kind is not type(other):
        return False
    if kind is list or kind is tuple:
        return len(one) == len(other) and all(map(alike, one, other))
    if kind is dict:
        return one.keys() == other.keys() and all(alike(each, other[key]) for key, each in one.items())
    if kind is float and isnan(one):
        return isnan(other)
    return bool(one == other)
