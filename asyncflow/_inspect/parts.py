"""What is in a value: in containers of Python's own and in dataclasses, as deep and as far as anybody looks."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Iterator
from typing import Any, Final

from .._core.files import File

CONTAINERS: Final = (list, tuple, set, frozenset, dict)
LOOKED_AT: Final = 1000
"""Items of one container that anybody looks at."""
DEEPEST: Final = 8
"""Containers inside of each other that anybody looks into."""
_WALKED: Final = 10_000  # parts of one value


def walk(value: object) -> Iterator[object]:
    """A value and what is in it: in containers of Python's and dataclasses, as deep and as far as anybody looks."""
    return itertools.islice(_walk(value, 0), _WALKED)


def _walk(value: object, depth: int) -> Iterator[object]:
    yield value
    for part in _parts(value) if depth < DEEPEST else ():
        yield from _walk(part, depth + 1)


def _parts(value: Any) -> Iterable[object]:
    cls = type(value)
    if issubclass(cls, File):
        return ()
    if issubclass(cls, dict):
        return (part for item in itertools.islice(dict.items(value), LOOKED_AT) for part in item)
    if issubclass(cls, CONTAINERS):
        return itertools.islice(value, LOOKED_AT)
    if dataclasses.is_dataclass(cls):
        return (getattr(value, field.name, None) for field in dataclasses.fields(cls))
    return ()


def is_small(value: object) -> bool:
    """Whether it takes no time to look at all of a value."""
    seen = 0
    for each in walk(value):
        seen += 1
        if isinstance(each, CONTAINERS) and len(each) > LOOKED_AT:
            return False
    return seen < _WALKED
