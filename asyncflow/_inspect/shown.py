"""Annotations and values as people see them."""

from __future__ import annotations

import reprlib
import types
import typing
from typing import Final

from .._show import words
from .annotations import is_union

_COMPARED: Final = (int, str, bytes, bool, type(None))  # what a Literal may hold, beside members of enums
_PYTHONS: Final = (
    *(int, float, complex, bool, str, bytes, types.NoneType),
    *(tuple, list, dict, set, frozenset, slice),
)


def shown(hint: object, most: int = 60) -> str:
    """An annotation as its user might have written it: "list[float]"."""
    try:
        text = _shown(hint, 0)
    except Exception:  # a class may refuse to say its name
        text = "..."
    return words.plain(text, most)


def _shown(hint: object, depth: int) -> str:
    if hint is None or hint is types.NoneType:
        return "None"
    if hint is ... or depth > 5:
        return "..."
    if isinstance(hint, list):
        return f"[{', '.join(_shown(each, depth + 1) for each in hint)}]"
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if is_union(hint):
        return " | ".join(_shown(each, depth + 1) for each in args)
    if origin is typing.Annotated:
        return _shown(args[0], depth)
    if origin is typing.Literal:
        return f"Literal[{', '.join(map(_literal, args))}]"
    if origin is not None and args:
        return f"{_named(origin)}[{', '.join(_shown(each, depth + 1) for each in args)}]"
    return _named(hint)


def _literal(value: object) -> str:
    return (
        repr(value)
        if type(value) in _COMPARED
        else f"{type(value).__qualname__}.{getattr(value, 'name', '?')}"
    )


def _named(hint: object) -> str:
    name = (
        getattr(hint, "__qualname__", None) or getattr(hint, "__name__", None) or getattr(hint, "_name", None)
    )
    if not isinstance(name, str):
        name = str(hint).removeprefix("typing.")
    return name.rpartition("<locals>.")[2]


def brief_value(value: object) -> str:
    """A value of Python's own in a few characters; "" of any other: that would run code of its class."""
    return reprlib.repr(value) if type(value) in _PYTHONS else ""
