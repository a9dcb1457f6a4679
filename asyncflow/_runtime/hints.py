"""What a function's annotations say of its arguments and its value, and whether they hold.

The subtype test is typeguard's. An annotation that cannot be resolved says nothing. Where a future may stand its value
is meant, and where a file is declared the path that comes in its place.
"""

from __future__ import annotations

import asyncio
import collections.abc
import functools
import inspect
import re
import reprlib
import sys
import typing
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MethodType, SimpleNamespace
from typing import Any, Final

from .._core.annotations import changed
from .._core.files import File, InputFile, OutputFile

_ANYTHING: Final = (Any, inspect.Parameter.empty, None)
_ITEM: Final = re.compile(r"item (\d+)")
_DEEPEST: Final = 8  # containers inside of each other
_LONGEST: Final = 80  # characters of a value that are shown
_AWAITABLES: Final = (asyncio.Future, collections.abc.Awaitable)


class Hints:
    """The annotations of one function.

    Args:
        fn: any callable; one that tells no signature takes anything.
        returns: the class of its value, if the annotation does not speak of that; None if it does.
    """

    __slots__ = ("_parameters", "_signature", "returned")

    def __init__(self, fn: Callable[..., Any], returns: type | None) -> None:
        self._parameters: dict[str, Any] = {}
        try:
            self._signature: inspect.Signature | None = inspect.signature(fn, follow_wrapped=False)
        except (TypeError, ValueError):
            self._signature = None
            self.returned: Any = returns or Any
            return
        resolved = _Resolver(fn)
        for name, parameter in self._signature.parameters.items():
            annotation = resolved(parameter.annotation)
            if annotation is not Any:
                self._parameters[name] = annotation
        self.returned = returns or resolved(self._signature.return_annotation)

    def arguments(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
        """Each argument that is annotated: its name, its value and its annotation.

        Args:
            args: of a call that fits.
            kwargs: the same.
        """
        if not self._parameters or self._signature is None:
            return
        for name, value in self._signature.bind(*args, **kwargs).arguments.items():
            annotation = self._parameters.get(name, Any)
            if annotation is Any:
                continue
            kind = self._signature.parameters[name].kind
            if kind is inspect.Parameter.VAR_POSITIONAL:
                yield from ((f"*{name}", each, annotation) for each in value)
            elif kind is inspect.Parameter.VAR_KEYWORD:
                yield from ((each, value[each], annotation) for each in value)
            else:
                yield name, value, annotation


def problem_with(value: Any, annotation: Any) -> tuple[str, Any] | None:
    """Why a value is not of a type, in words, and the part of it that is not; None if it is.

    Args:
        value: any.
        annotation: resolved.
    """
    if annotation is Any or isinstance(value, File):  # a file that is not brought, as where nothing runs
        return None
    refused = _refusal(value, annotation)
    if refused is None:
        return None
    plain = _with_plain_numbers(value)
    if plain is not value and _refusal(plain, annotation) is None:
        return None
    return _told(value, refused)


def _refusal(value: Any, annotation: Any) -> Exception | None:
    import typeguard  # only who asks for checks pays for it

    try:
        typeguard.check_type(
            value,
            annotation,
            forward_ref_policy=typeguard.ForwardRefPolicy.IGNORE,
            collection_check_strategy=typeguard.CollectionCheckStrategy.ALL_ITEMS,
        )
    except typeguard.TypeCheckError as error:
        return error
    except Exception:  # an annotation that it cannot make sense of
        return None
    return None


def _with_plain_numbers(value: Any, depth: int = 0) -> Any:
    """A value with Python's numbers in place of NumPy's, which do for them, as where wiring is checked; itself if it
    has none. Copied only if there are any: who checks has asked about the value as it is first."""
    cls = type(value)
    if cls.__module__ == "numpy" and issubclass(cls, sys.modules["numpy"].generic):
        return value.item()
    if depth > _DEEPEST or cls not in (list, tuple, set, frozenset, dict):
        return value
    before = [part for pair in value.items() for part in pair] if cls is dict else list(value)
    after = [_with_plain_numbers(each, depth + 1) for each in before]
    if all(one is other for one, other in zip(before, after, strict=True)):
        return value
    return dict(zip(after[::2], after[1::2], strict=True)) if cls is dict else cls(after)


def shown(annotation: Any) -> str:
    """A type as it would be written."""
    return inspect.formatannotation(annotation).replace("pathlib.", "")


# -- words ------------------------------------------------------------------------------------------------


def _told(value: Any, error: Exception) -> tuple[str, Any]:
    """Which part of a value is wrong: "item 2 is str, '3.5'"."""
    steps = [str(step) for step in getattr(error, "_path", ())]
    part, where = value, []
    for step in reversed(steps[:-1]):  # from the outside; the last names the class of the whole
        found = _ITEM.fullmatch(step)
        if found is None or not isinstance(part, (list, tuple)):
            return f"it is {_what(value)}: {error}", value
        part = part[int(found[1])]
        where.append(step)
    if not where:
        return f"it is {_what(value)}", value
    return f"{' of '.join(reversed(where))} is {_what(part)}", part


def _what(value: Any) -> str:
    """The class of a value, and the value in short."""
    try:
        text = reprlib.repr(value)
    except Exception:  # a broken __repr__ must not hide what is wrong
        text = "..."
    text = "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)
    return f"{type(value).__name__}, {text if len(text) <= _LONGEST else text[: _LONGEST - 3] + '...'}"


# -- annotations ------------------------------------------------------------------------------------------


class _Resolver:
    """Makes types of the annotations of a function, each by itself, as one may be unreadable.

    Args:
        fn: the function.
    """

    def __init__(self, fn: Any) -> None:
        while isinstance(fn, (functools.partial, MethodType)):
            fn = fn.func if isinstance(fn, functools.partial) else fn.__func__
        if not hasattr(fn, "__code__"):
            fn = getattr(type(fn), "__call__", fn)  # noqa: B004 - the method itself is wanted
        self._globals: dict[str, Any] = getattr(inspect.unwrap(fn), "__globals__", {})
        try:
            self._locals = dict(inspect.getclosurevars(fn).nonlocals)
        except (TypeError, ValueError):
            self._locals = {}

    def __call__(self, annotation: Any) -> Any:
        if annotation in _ANYTHING[:2]:
            return Any
        holder = SimpleNamespace(__annotations__={"it": annotation})
        try:
            hints = typing.get_type_hints(holder, self._globals, self._locals, include_extras=True)
            return _of_values(hints["it"])
        except Exception:  # annotations are code of the user's
            return Any


def _of_values(annotation: Any) -> Any:
    """An annotation of what is there in the end, where it speaks of futures and files."""
    return changed(annotation, _in_the_end)


def _in_the_end(part: Any) -> Any:
    """What is there in the end for a part of an annotation; `...` if there is more inside of it."""
    if part is InputFile:
        return Path | list[Path]
    if part is OutputFile:
        return Path
    origin = typing.get_origin(part)
    if origin is None:
        return Any if _is_awaitable(part) else ...
    if _is_awaitable(origin):
        return _of_values(typing.get_args(part)[-1])  # also of a Coroutine, which has three
    return part if origin in (typing.Annotated, collections.abc.Callable) else ...


def _is_awaitable(cls: Any) -> bool:
    return isinstance(cls, type) and issubclass(cls, _AWAITABLES)
