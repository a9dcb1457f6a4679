"""Changes annotations: what is to stand in place of some of their parts, wherever these are.

What a part becomes is for whoever asks. Nothing is resolved or judged here.
"""

from __future__ import annotations

import functools
import operator
import types
import typing
from collections.abc import Callable
from typing import Any, Final

_DEEPEST: Final = 40


def is_union(annotation: Any) -> bool:
    """Whether an annotation leaves a choice at its outside."""
    return typing.get_origin(annotation) in (typing.Union, types.UnionType)


def changed(annotation: Any, change: Callable[[Any], Any]) -> Any:
    """An annotation with other parts; itself if none is another. Of a part that cannot be put together again, anything.

    Args:
        annotation: any.
        change: tells what comes in place of a part; `...` if that is to be looked into.
    """
    return _changed(annotation, change, 0)


def _changed(annotation: Any, change: Callable[[Any], Any], depth: int) -> Any:
    new = change(annotation)
    if new is not ...:
        return new
    args = typing.get_args(annotation)
    if not args or depth > _DEEPEST or typing.get_origin(annotation) is typing.Literal:
        return annotation
    inner = tuple(_changed(each, change, depth + 1) for each in args)
    if all(each is old for each, old in zip(inner, args, strict=True)):
        return annotation
    try:
        return _with(annotation, inner)
    except Exception:
        return Any


def _with(annotation: Any, inner: tuple[Any, ...]) -> Any:
    if is_union(annotation):
        return functools.reduce(operator.or_, inner)
    if typing.get_origin(annotation) is typing.Annotated:
        return inner[0]
    if hasattr(annotation, "copy_with"):
        return annotation.copy_with(inner)
    return annotation.__origin__[inner]
