"""A call as people tell it from others: ``trim(sample='S17', reads=[...])``.

In bounded time and length, so that no code of a user's is run for it, and without what may be secret.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from itertools import chain, islice, pairwise
from types import BuiltinFunctionType, FunctionType
from typing import Any, Final, Generic, TypeVar

from .._show.words import plain
from .files import File
from .signature import names_of
from .task import Task

T = TypeVar("T")
_MOST: Final = 120  # characters of all arguments
_EACH: Final = 40  # of one
_ITEMS: Final = 3  # of a container
_DEEP: Final = 2  # containers in one another
_BITS: Final = 256  # of a number
_HIDDEN: Final = "<hidden>"
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")  # of a name: snake_case and camelCase
_SECRET: Final = re.compile(
    r"passw\w*|passphrases?|\w*(passwords?|passwd|secrets?|tokens?|credentials?|(api|access|private|secret)keys?)|"
    r"o?auth|authorization|authentication"
)
_LOGIN: Final = re.compile(r"://[^/@\s]*@")  # in a URL
# Of these the representation is short, and no code of anybody's.
_SHORT: Final = {"datetime", "decimal", "fractions", "ipaddress", "uuid", "zoneinfo"}
_ARRAYS: Final = {"numpy", "pandas", "polars", "torch", "xarray"}


class Secret(Generic[T]):
    """A value that is shown nowhere: not in errors, logs, or what `TaskFuture.explain` says.

    A task is given it as it is, and takes ``.value``. It is no encryption: what is sent to a worker holds the value.

    Args:
        value: any.
    """

    __slots__ = ("value",)

    def __init__(self, value: T) -> None:
        self.value = value

    def __repr__(self) -> str:
        return "Secret(...)"


def call_shown(task: Task) -> str:
    """A call in words; "" if it has no arguments, or has dropped them because it is over."""
    fn, ahead = task.definition.fn, task.definition.ahead
    args, kwargs = task.args[ahead:], task.kwargs
    if not args and not kwargs:
        return ""
    shown: list[str] = []
    room = _MOST
    try:
        for parameter, value in zip(
            _names(fn, task.args, kwargs)[ahead:], chain(args, kwargs.values()), strict=False
        ):
            text = _HIDDEN if is_secret(parameter) else _value(value, _DEEP)
            shown.append(text if parameter[:1].isdigit() or parameter[:1] == "*" else f"{parameter}={text}")
            room -= len(shown[-1]) + 2
            if room < 0 and len(shown) < len(args) + len(kwargs):
                shown.append("...")
                break
    except Exception:  # an object may lie about anything, and this must not hide the failure itself
        shown.append("...")
    return f"{plain(task.name)}({', '.join(shown)})"


def is_secret(name: str) -> bool:
    """Whether a word of a name, or two that follow one another, says that its value is not to be shown."""
    words = [word.lower() for word in _WORD.findall(name)]
    pairs = ("".join(pair) for pair in pairwise(words))
    return any(map(_SECRET.fullmatch, chain(words, pairs)))


def _names(fn: Callable[..., Any], args: tuple[object, ...], kwargs: Mapping[str, object]) -> list[str]:
    # Twenty times as fast. A bound method has the code of its function, whose first argument is not of the call.
    if isinstance(fn, FunctionType) and len(args) <= fn.__code__.co_argcount:
        return [*fn.__code__.co_varnames[: len(args)], *kwargs]
    return names_of(fn, args, kwargs)


def _value(value: Any, deep: int) -> str:
    kind = type(value)
    if value is None or value is ... or kind in (bool, float, complex):
        return repr(value)
    if kind is int:
        return repr(value) if value.bit_length() <= _BITS else f"<int of {value.bit_length():,} bits>"
    if kind is str:
        text = value if len(value) <= _EACH else value[: _EACH - 10] + "..." + value[-7:]
        return repr(_LOGIN.sub("://...@", text) if "://" in text else text)
    if kind in (bytes, bytearray, memoryview):
        return (
            repr(value) if kind is bytes and len(value) <= _EACH else f"<{kind.__name__} of {len(value):,}>"
        )
    if isinstance(value, enum.Enum):
        return f"{kind.__name__}.{value._name_}"
    if kind.__module__ in _SHORT:
        return _clipped(repr(value))
    if kind.__module__.partition(".")[0] == "pathlib" or "SHOWN_AS_PATH" in vars(kind):
        return _path(value)
    if isinstance(value, type) or hasattr(kind, "__code__") or kind is BuiltinFunctionType:
        return _named(getattr(value, "__qualname__", kind.__name__))
    container = _container(value, kind, deep)
    if container is not None:
        return container
    if isinstance(value, Task):
        return f"<{plain(value.name_shown, _EACH)} #{value.id}>"
    return _other(value, kind, deep)


def _path(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 2 * _EACH else f"{text[:_EACH]}...{text[-_EACH:]}"


def _named(name: str) -> str:
    return f"<{plain(name, _EACH)}>"


def _clipped(text: str) -> str:
    return text if len(text) <= 2 * _EACH else text[: _EACH - 3] + "..."


def _container(value: Any, kind: type, deep: int) -> str | None:
    if kind in (set, frozenset) and not value:
        return f"{kind.__name__}()"
    if kind in (list, tuple, set, frozenset):
        inside = _items((_value(each, deep - 1) for each in value), len(value), deep)
        inside += "," if kind is tuple and len(value) == 1 else ""
        return f"[{inside}]" if kind is list else f"({inside})" if kind is tuple else f"{{{inside}}}"
    if kind is dict:
        items = (
            f"{_value(key, deep - 1)}: "
            + (_HIDDEN if type(key) is str and is_secret(key) else _value(each, deep - 1))
            for key, each in value.items()
        )
        return "{" + _items(items, len(value), deep) + "}"
    return None


def _items(items: Iterator[str], count: int, deep: int) -> str:
    if not count:
        return ""
    if deep <= 0:
        return "..."
    shown = list(islice(items, _ITEMS))
    if count > len(shown):
        shown.append(f"... {count - len(shown):,} more")
    return ", ".join(shown)


def _other(value: Any, kind: type, deep: int) -> str:
    """An object: what its class shows of it, if that was made by a library that tells which fields are shown."""
    own = _fields(value, kind)
    if own is not None:
        known = vars(value) if hasattr(value, "__dict__") else None
        names = [name for name in own if not is_secret(name)]
        items = (
            f"{name}={_value(known[name] if known is not None else getattr(value, name), deep - 1)}"
            for name in names
            if known is None or name in known
        )
        return f"{plain(kind.__name__, _EACH)}({_items(items, len(names), deep)})"
    if kind.__module__.partition(".")[0] in _ARRAYS:
        if isinstance(shape := getattr(value, "shape", None), tuple) and shape:
            return f"<{kind.__name__} of {'x'.join(map(str, shape))}>"
        if kind.__module__ == "numpy" and shape == ():  # a number
            return _value(value.item(), deep)
    return _named(kind.__name__)


def _fields(value: object, kind: type) -> list[str] | None:
    shows: object = kind.__repr__
    if isinstance(value, File):  # what was not given tells nothing
        return [each.name for each in fields(kind) if getattr(value, each.name) is not each.default]
    if hasattr(kind, "__dataclass_fields__"):  # what makes it is marked so; another is a user's own
        return (
            [name for name, field in kind.__dataclass_fields__.items() if field.repr]
            if hasattr(shows, "__wrapped__")
            else None
        )
    if hasattr(kind, "__attrs_attrs__"):
        made = getattr(getattr(shows, "__code__", None), "co_filename", "").startswith("<attrs generated")
        return [each.name for each in kind.__attrs_attrs__ if each.repr is True] if made else None
    if issubclass(kind, tuple) and hasattr(kind, "_fields"):
        return list(kind._fields)
    model = getattr(kind, "__pydantic_fields__", None)
    if isinstance(model, dict) and getattr(shows, "__module__", "").startswith("pydantic"):
        return [name for name, field in model.items() if field.repr]
    return None
