"""Takes annotations apart, and changes parts of them. It does not judge them: `fits.py` does.

What cannot be known (a name that is nowhere, a variable without a bound, a form of the future) is `Any`.
"""

from __future__ import annotations

import asyncio
import collections.abc
import concurrent.futures
import dataclasses
import functools
import operator
import types
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

from .._core.files import File, OutputFile
from .resolve import substituted

_WRAPPERS: Final = ("ClassVar", "Final", "NotRequired", "ReadOnly", "Required", "Unpack")
_DEEPEST: Final = 40
_AWAITED: Final = (collections.abc.Awaitable, asyncio.Future, concurrent.futures.Future)


def plain(hint: object) -> object:
    """An annotation without what says nothing of the type: `Annotated`, `Required`, an alias, a bound variable.

    Returns:
        A class, a parametrised class, a `Literal`, a union, a `NewType`, `typing.Never` or `typing.Any`.
    """
    for _ in range(_DEEPEST):
        origin = typing.get_origin(hint)
        if hint is None:
            return types.NoneType
        if origin is typing.Annotated or getattr(origin, "_name", None) in _WRAPPERS:
            hint = typing.get_args(hint)[0]
        elif getattr(origin, "_name", None) in ("TypeGuard", "TypeIs"):
            return bool
        elif origin is not None and hasattr(origin, "__value__"):  # ``type Pair[T] = ...``
            hint = substituted(
                origin.__value__, dict(zip(origin.__type_params__, typing.get_args(hint), strict=False))
            )
        elif isinstance(hint, dataclasses.InitVar):
            hint = hint.type
        elif isinstance(hint, TypeVar):
            hint = _of_variable(hint)
        elif hasattr(hint, "__value__") and not isinstance(hint, type):
            hint = hint.__value__
        else:
            return _leaf(hint, origin)
    return Any


def _of_variable(variable: TypeVar) -> object:
    if variable.__constraints__:
        return typing.Union[variable.__constraints__]  # noqa: UP007 - made of a tuple
    return Any if variable.__bound__ is None else variable.__bound__


def _leaf(hint: object, origin: object) -> object:
    if hint is typing.LiteralString:
        return str
    if hint is typing.NoReturn:
        return typing.Never
    if isinstance(origin, type) and not hasattr(hint, "__args__"):
        return origin  # ``typing.List`` without anything
    if (
        isinstance(hint, (type, typing.NewType))
        or hint is typing.Never
        or origin in (typing.Literal, typing.Union)
    ):
        return hint
    return hint if isinstance(origin, type) else Any


def is_union(annotation: object) -> bool:
    """Whether an annotation leaves a choice at its outside."""
    return typing.get_origin(annotation) in (typing.Union, types.UnionType)


def members(hint: object) -> list[object]:
    """What a value of this type may be, each a plain annotation by itself; of a union its members."""
    found: list[object] = []
    _collect(hint, found, 0)
    return found


def _collect(hint: object, found: list[object], depth: int) -> None:
    hint = plain(hint)
    if is_union(hint) and depth < _DEEPEST:
        for member in typing.get_args(hint):
            _collect(member, found, depth + 1)
    else:
        found.append(hint)


def is_open(hint: object) -> bool:
    """Whether an annotation leaves a choice somewhere inside, so that an example of it shows one case of several."""
    hint = plain(hint)
    return (
        hint is Any
        or is_union(hint)
        or any(is_open(each) for each in typing.get_args(hint) if _is_hint(each))
    )


def _is_hint(part: object) -> bool:
    return (
        isinstance(part, type)
        or typing.get_origin(part) is not None
        or isinstance(part, (TypeVar, typing.NewType))
    )


def class_of(hint: object) -> type | None:
    """The class that values of a plain annotation are of; None if it is not one."""
    for _ in range(_DEEPEST):
        if not isinstance(hint, typing.NewType):
            break
        hint = plain(hint.__supertype__)
    origin = typing.get_origin(hint)
    cls = origin if origin is not None else hint
    return cls if isinstance(cls, type) else None


def asks_for_futures(hint: object) -> bool:
    """Whether an annotation speaks of futures, or of other awaitables, anywhere inside."""
    for each in members(hint):
        cls = typing.get_origin(each) or each
        if isinstance(cls, type) and issubclass(cls, _AWAITED):
            return True
        if cls is not each and any(map(asks_for_futures, typing.get_args(each))):
            return True
    return False


# -- with other parts -----------------------------------------------------------------------------------


def changed(annotation: object, change: Callable[[object], object]) -> object:
    """An annotation with other parts; itself if none is another. Of a part that cannot be put together again, anything.

    Args:
        annotation: any.
        change: tells what comes in place of a part; `...` if that is to be looked into.
    """
    return _changed(annotation, change, 0)


def _changed(annotation: object, change: Callable[[object], object], depth: int) -> object:
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


def _with(annotation: Any, inner: tuple[object, ...]) -> object:
    if is_union(annotation):
        return functools.reduce(operator.or_, inner)
    if typing.get_origin(annotation) is typing.Annotated:
        return inner[0]
    if hasattr(annotation, "copy_with"):
        return annotation.copy_with(inner)
    return annotation.__origin__[inner]


def with_owner(hint: object, owner: type | None) -> object:
    """An annotation in which ``Self`` is said.

    Args:
        hint: any annotation.
        owner: the class that ``Self`` is; None if there is none to be had.
    """
    return changed(hint, lambda part: (Any if owner is None else owner) if part is typing.Self else ...)


def with_paths(hint: object) -> object:
    """An annotation with a path in place of each file: type checkers take the one for the other, too."""
    return changed(hint, _as_path)


def _as_path(part: object) -> object:
    """A path in place of a file, or several where its name may be a pattern; `...` if it is none."""
    if not isinstance(part, type) or not issubclass(part, File):
        return ...
    return Path if part is OutputFile else Path | list[Path]


def settled(hint: object) -> object:
    """An annotation with the value in place of each future: what becomes of a block's result."""
    return changed(hint, _awaited)


def _awaited(hint: object) -> object:
    """The value of a future; `...` if it is none."""
    origin = typing.get_origin(hint) or hint
    if isinstance(origin, type) and issubclass(origin, _AWAITED):
        args = typing.get_args(hint)
        return settled(args[0]) if len(args) == 1 else Any
    return ...
