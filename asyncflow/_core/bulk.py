"""Looks into many containers at once, so that a large table costs a call milliseconds.

The interpreter's own loops do it: of containers of one class all that they hold is listed at once, and only the
classes of that are looked at. Where these are all plain there is nothing to be found in any row.
"""

from __future__ import annotations

import collections
import gc
import types
from collections.abc import Iterator
from itertools import chain, compress, repeat
from operator import attrgetter, is_
from typing import Any, Final

from .containers import ATTRS, DATACLASS, PLAIN, TUPLE, Kinds, fields_of

MANY: Final = 64  # parts that are looked into at once; of fewer each is looked at
_AT_ONCE: Final = 64 * MANY  # where nothing is to be found, as mostly
_LOOKS: Final = 32  # at most, for each part of a large container
_LOOKS_AT_ALL: Final = 1 << 20  # and these besides, for containers that hold many small ones

# The garbage collector lists all that is in one of these, but for the keys of a dictionary that has texts alone.
_LISTED: Final = frozenset(
    {list, tuple, dict, set, frozenset}
    | {collections.deque, collections.OrderedDict, collections.defaultdict, collections.Counter}
)


class Bulk:
    """Looks into large containers among the arguments of one call.

    A container in several places is looked into as often, unless that is too often, as in a circle: to know each would
    cost more than all the looks. What is too much even so is left to whoever looks at the parts one by one.
    """

    __slots__ = ("_kinds", "_left", "_plain", "_seen")

    def __init__(self, kinds: Kinds) -> None:
        self._kinds = kinds
        self._left = _LOOKS_AT_ALL
        self._plain: dict[int, object] = {}  # by id; those that are in many places
        self._seen: dict[int, object] = {}  # of the parts that are being looked into

    def not_plain(self, parts: list[object]) -> Iterator[tuple[int, object]]:
        """Of many parts those to be looked at one by one, with their positions."""
        self._left += _LOOKS * len(parts)
        for first in range(0, len(parts), _AT_ONCE):
            if self._is_plain_throughout(parts[first : first + _AT_ONCE]):
                continue
            for start in range(first, min(first + _AT_ONCE, len(parts)), MANY):
                piece = parts[start : start + MANY]
                if not self._is_plain_throughout(piece):
                    yield from enumerate(piece, start)

    def _is_plain_throughout(self, parts: list[object]) -> bool:
        """Whether there is nothing to be found however deep. False also where that is not known."""
        self._seen = {}
        while parts:
            classes = set(map(type, parts))
            inside: list[object] = []
            for cls in classes:
                kind = self._kinds[cls]
                if kind == PLAIN:
                    continue
                of_class = compress(parts, map(is_, map(type, parts), repeat(cls)))
                held = self._held(cls, kind, list(of_class) if len(classes) > 1 else parts)
                if held is None:
                    return False
                inside += held
            parts = inside
        self._plain |= self._seen
        return True

    def _held(self, cls: object, kind: int, containers: list[Any]) -> list[object] | None:
        """All that is in containers of one class, and maybe more; None if they are not to be looked into at once."""
        if cls in _LISTED or (kind == TUPLE and _is_named_tuple(cls)):
            size = sum(map(len, containers))
            if size > min(self._left, _LOOKS * len(containers)):
                containers = self._not_yet_seen(containers)
                size = sum(map(len, containers))
            self._left -= size
            return gc.get_referents(*containers) if self._left > 0 else None
        if cls is types.SimpleNamespace:
            return list(map(vars, containers))
        if kind in (DATACLASS, ATTRS):
            names = fields_of(kind, containers[0])
            self._left -= len(names) * len(containers)
            if not names or self._left <= 0:
                return None
            try:  # of two names it makes a tuple
                return list(chain.from_iterable(map(attrgetter(names[0], *names), containers)))
            except Exception:
                return None  # of which of them, the look at each will tell
        return None

    def _not_yet_seen(self, containers: list[object]) -> list[Any]:
        found = dict(zip(map(id, containers), containers, strict=True))
        for known in found.keys() & (self._plain.keys() | self._seen.keys()):
            del found[known]
        self._seen |= found
        return list(found.values())


def _is_named_tuple(cls: Any) -> bool:
    """Whether a kind of tuple holds what it gives, as named tuples do."""
    return cls.__iter__ is tuple.__iter__ and cls.__len__ is tuple.__len__
