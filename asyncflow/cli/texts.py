"""Makes values of what is typed, as the annotations of the parameters ask for."""

from __future__ import annotations

import enum
import inspect
import json
import os
import types
import typing
from collections import abc
from collections.abc import Callable, Sequence
from dataclasses import dataclass, is_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path, PurePath
from typing import Any, Final, Literal

from .. import InputFile, OutputFile
from .._show.words import plain


class Misfit(ValueError):
    """A text is not what a parameter takes; in words that go after the name of the parameter."""


@dataclass(frozen=True, slots=True)
class Reader:
    """How the text for one parameter is read.

    Args:
        noun: what is typed, for messages and help: "INTEGER".
        read: makes the value, or raises `Misfit`.
        choices: all that may be typed; none if that is open.
        completes: "file" or "dir" if it is a path.
        is_flag: whether its option needs no value.
        gathers: makes the value of several texts, each read by itself; None if there is one.
    """

    noun: str
    read: Callable[[str], object]
    choices: Sequence[str] = ()
    completes: str | None = None
    is_flag: bool = False
    gathers: Callable[[list[object]], object] | None = None


def reader_of(annotation: object, default: object = inspect.Parameter.empty) -> Reader:
    """How the text for a parameter is read.

    Args:
        annotation: of the parameter, resolved; `typing.Any` for none.
        default: its default; tells the type where no annotation does.
    """
    annotation = _bare(annotation)
    if annotation in (Any, object, inspect.Parameter.empty) or isinstance(annotation, typing.TypeVar):
        known = type(default) in _PLAIN and default is not None
        return reader_of(type(default)) if known else _TEXT
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Literal:
        return _one_of({str(each): each for each in args})
    if origin in (typing.Union, types.UnionType):
        return _any_of([each for each in args if each is not type(None)])
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return _one_of(
            {each.name: each for each in annotation}, also={str(each.value): each for each in annotation}
        )
    kind = origin or annotation
    if annotation in _PLAIN:
        return _PLAIN[annotation]
    if kind in _MANY:
        return _many(_MANY[kind], args)
    if kind is tuple:
        return _tuple(args)
    if isinstance(kind, type) and (issubclass(kind, abc.Mapping) or is_dataclass(kind)):
        return Reader("JSON", lambda text: _object(kind, text))
    return Reader("TEXT", lambda text: _made(kind, text))


# -- plain values -------------------------------------------------------------------------------------------


def _as(kind: Callable[[str], object], what: str) -> Callable[[str], object]:
    def read(text: str) -> object:
        try:
            return kind(text)
        except (ValueError, ArithmeticError):
            raise Misfit(f"{plain(repr(text), 60)} is no {what}") from None

    return read


def _truth(text: str) -> bool:
    if text.lower() in ("1", "true", "yes", "on"):
        return True
    if text.lower() in ("0", "false", "no", "off"):
        return False
    raise Misfit(f"{plain(repr(text), 60)} is neither yes nor no")


def _duration(text: str) -> timedelta:
    return timedelta(seconds=float(text))


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Misfit(f"{plain(repr(text), 60)} is no JSON: {error}") from None


_TEXT: Final = Reader("TEXT", str)
_PATH: Final = Reader("PATH", Path, completes="file")
_PLAIN: Final[dict[Any, Reader]] = {
    str: _TEXT,
    int: Reader("INTEGER", _as(int, "whole number")),
    float: Reader("NUMBER", _as(float, "number")),
    complex: Reader("NUMBER", _as(complex, "number")),
    Decimal: Reader("NUMBER", _as(Decimal, "number")),
    Fraction: Reader("NUMBER", _as(Fraction, "number")),
    bool: Reader("YES|NO", _truth, is_flag=True),
    bytes: Reader("TEXT", os.fsencode),
    Path: _PATH,
    PurePath: _PATH,
    os.PathLike: _PATH,
    date: Reader("DATE", _as(date.fromisoformat, "date, as 2026-01-31")),
    datetime: Reader("TIME", _as(datetime.fromisoformat, "date and time, as 2026-01-31T12:00")),
    time: Reader("TIME", _as(time.fromisoformat, "time, as 12:00")),
    timedelta: Reader("SECONDS", _as(_duration, "number of seconds")),
    dict: Reader("JSON", _json),
    InputFile: Reader("PATH", _as(InputFile, "file that could be read"), completes="file"),
    OutputFile: Reader("NAME", _as(OutputFile, "name of a file in a sandbox")),
}


def _bare(annotation: Any) -> Any:
    """An annotation without what only says more about it, and without the names that it goes by."""
    while True:
        if typing.get_origin(annotation) in (
            typing.Annotated,
            typing.Final,
            typing.Required,
            typing.NotRequired,
        ):
            annotation = typing.get_args(annotation)[0]
        elif isinstance(annotation, typing.NewType):
            annotation = annotation.__supertype__
        elif type(annotation).__name__ == "TypeAliasType":
            annotation = annotation.__value__
        else:
            origin = typing.get_origin(annotation)
            return origin if origin in _PLAIN and origin is not dict else annotation


# -- choices ------------------------------------------------------------------------------------------------


def _one_of(there: dict[str, object], also: dict[str, object] | None = None) -> Reader:
    """One of some values, by what they are called."""
    lower = {name.lower(): value for name, value in {**(also or {}), **there}.items()}

    def read(text: str) -> object:
        if text in there:
            return there[text]
        if also and text in also:
            return also[text]
        if text.lower() in lower:
            return lower[text.lower()]
        raise Misfit(f"{plain(repr(text), 60)} is none of {', '.join(map(plain, there))}")

    return Reader("|".join(there), read, choices=tuple(there))


def _any_of(kinds: Sequence[object]) -> Reader:
    """What fits one of several, those first that fewer texts fit."""
    readers = sorted((reader_of(each) for each in kinds), key=_WIDE.__contains__)
    readers.sort(key=lambda each: each.noun in _WIDE)
    if len(readers) == 1:
        return readers[0]
    if not readers:
        return _TEXT

    def read(text: str) -> object:
        problems = []
        for each in readers:
            try:
                return _gathered(each, [text]) if each.gathers else each.read(text)
            except Misfit as problem:
                problems.append(str(problem))
        raise Misfit("; ".join(dict.fromkeys(problems)))

    choices = [choice for each in readers for choice in each.choices]
    closed = all(each.choices for each in readers)
    completes = next((each.completes for each in readers if each.completes), None)
    noun = "|".join(dict.fromkeys(each.noun for each in readers))
    return Reader(noun, read, choices=choices if closed else (), completes=completes)


_WIDE: Final = ("TEXT", "PATH", "JSON")


# -- several ------------------------------------------------------------------------------------------------

_MANY: Final[dict[Any, Callable[[list[object]], object]]] = {
    list: list,
    set: set,
    frozenset: frozenset,
    abc.Sequence: list,
    abc.MutableSequence: list,
    abc.Collection: list,
    abc.Iterable: list,
    abc.Set: set,
    abc.MutableSet: set,
}


def _many(gathers: Callable[[list[object]], object], args: tuple[object, ...]) -> Reader:
    inside = reader_of(args[0]) if args else _TEXT
    if inside.gathers is not None:  # lists of lists
        return Reader("JSON", _json)
    return Reader(inside.noun, inside.read, inside.choices, inside.completes, gathers=gathers)


def _tuple(args: tuple[object, ...]) -> Reader:
    if len(args) == 2 and args[1] is ...:
        return _many(tuple, args)
    if not args:
        return _many(tuple, ())
    insides = [reader_of(each) for each in args]

    def gathered(texts: list[object]) -> object:
        if len(texts) != len(insides):
            raise Misfit(f"{len(insides)} values are needed, and {len(texts)} given")
        return tuple(each.read(str(text)) for each, text in zip(insides, texts, strict=True))

    return Reader(" ".join(each.noun for each in insides), str, gathers=gathered)


def _gathered(reader: Reader, texts: Sequence[str]) -> object:
    assert reader.gathers is not None
    return reader.gathers([reader.read(text) for text in texts])


# -- objects ------------------------------------------------------------------------------------------------


def _object(kind: Any, text: str) -> object:
    told = _json(text)
    if not isinstance(told, dict):
        raise Misfit(f"{plain(repr(text), 60)} is no object of JSON")
    return told if not is_dataclass(kind) else _called(kind, (), told, text)


def _made(kind: Any, text: str) -> object:
    """An object of any other class: what it makes of a text."""
    if not callable(kind) or inspect.isabstract(kind):
        return text
    return _called(kind, (text,), {}, text)


def _called(kind: Any, args: tuple[object, ...], kwargs: dict[str, object], text: str) -> object:
    try:
        return kind(*args, **kwargs)
    except Exception as error:  # of the user's own class
        name = getattr(kind, "__name__", str(kind))
        raise Misfit(f"{plain(repr(text), 60)} is no {name}: {type(error).__name__}: {error}") from None
