"""Finds futures where calls do not look for them: in objects of the user's own classes, arrays of objects, closures.

To look there costs more than most calls, so that nobody does before something has gone wrong, or in a plan.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import FunctionType, MethodType, ModuleType
from typing import Any, Final, NamedTuple

from .containers import FOREIGN, Kinds, parts_of

_MOST: Final = 10_000  # objects that are looked at
_PACKAGE: Final = __name__.partition(".")[0]
_SKIPPED: Final = (str, bytes, bytearray, int, float, complex, type, ModuleType, type(None))


class Hidden(NamedTuple):
    """A future that a call did not find, the path to it from the argument ("box.rows"), and the name of the class of
    the object that contains it."""

    future: object
    path: str
    holder: str


def hidden_in(value: object, name: str, kinds: Kinds, is_future: Callable[[object], bool]) -> Hidden | None:
    """The first future that a value contains where a call does not look for futures; None if there is none."""
    left: list[tuple[object, str, str | None]] = [(value, name, None)]
    seen = {id(value)}
    for part, path, holder in left:  # grows while it is gone over
        if is_future(part):
            if holder is not None:
                return Hidden(part, path, holder)
            continue
        if isinstance(part, _SKIPPED) or len(left) > _MOST or _is_ours(type(part)):
            continue
        kind = kinds[type(part)]
        if kind > FOREIGN:
            inner: Iterator[tuple[object, str]] = ((each, path) for each in parts_of(kind, part))
        else:
            inner = _inside(part, path)
        inside = holder if holder is not None or kind > FOREIGN else type(part).__name__
        for each, where in inner:
            if id(each) not in seen:
                seen.add(id(each))
                left.append((each, where, inside))
    return None


def _is_ours(cls: type) -> bool:
    """Whether a class is part of asyncflow: an engine or a task leads to every future of its run."""
    return cls.__module__.partition(".")[0] == _PACKAGE


def _inside(value: object, path: str) -> Iterator[tuple[object, str]]:
    """What an object holds, and how it is reached; found without running code of its class."""
    if isinstance(value, MethodType):
        yield value.__self__, f"{path}.__self__"
        value = value.__func__
    if isinstance(value, FunctionType):
        for name, cell in zip(value.__code__.co_freevars, value.__closure__ or (), strict=True):
            try:
                yield cell.cell_contents, f"{name} around {path}"
            except ValueError:  # nothing is in it yet
                continue
        return
    module = type(value).__module__.partition(".")[0]
    if module in ("numpy", "pandas"):
        yield from ((each, f"{path}[...]") for each in _of_array(value))
        return
    for base in type(value).__mro__:
        slots = vars(base).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            slot: Any = vars(base).get(name)
            if hasattr(slot, "__objclass__"):
                try:
                    yield slot.__get__(value), f"{path}.{name}"
                except AttributeError:
                    continue
    attributes = getattr(value, "__dict__", None)
    if isinstance(attributes, dict):
        yield from ((each, f"{path}.{name}") for name, each in attributes.items())


def _of_array(value: object) -> list[object]:
    """What is in an array of objects, or in a table that has such."""
    array: Any = (
        value if hasattr(value, "ravel") else value.to_numpy() if hasattr(value, "to_numpy") else None
    )
    if str(getattr(array, "dtype", "")) != "object" or array.size > _MOST:
        return []
    return array.ravel().tolist()  # type: ignore[no-any-return]
