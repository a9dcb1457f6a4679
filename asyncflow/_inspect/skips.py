"""Reads from the code of a function whether it may raise `Skip`.

It may if its code names that: what it calls is not looked into.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from types import CodeType

from ..errors import Skip
from .resolve import function_in


def may_skip(fn: object) -> bool:
    """Whether a function may raise `Skip` itself."""
    inner = inspect.unwrap(function_in(fn))  # type: ignore[arg-type]  # a function, if it is a task
    code = getattr(inner, "__code__", None)
    if not isinstance(code, CodeType):
        return False
    names = set(_names(code))
    if Skip.__name__ in names:  # also ``asyncflow.Skip``, and what is imported inside
        return True
    known = getattr(inner, "__globals__", {})
    return any(_is_skip(known[name]) for name in names if name in known)


def _names(code: CodeType) -> Iterator[str]:
    """The names that code loads from outside, with those of functions inside of it."""
    yield from code.co_names
    yield from code.co_freevars
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield from _names(each)


def _is_skip(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, Skip)
