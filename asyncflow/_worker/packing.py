"""Packs what goes over the wire, with long bytes put aside."""

from __future__ import annotations

import io
from collections.abc import Mapping
from itertools import islice
from typing import Any, Final

from .by_value.pickler import Pickler, Reducer
from .wire import OUT_OF_BAND, Parts

_LOOKED_AT: Final = 1000  # objects in which long bytes are looked for


def packed(
    value: object, parts: Parts, is_going_home: bool, reducers: Mapping[type, Reducer] | None = None
) -> memoryview:
    """The pickle of a value. ``parts`` takes the long bytes that stay out of it."""
    stream = io.BytesIO()
    if _has_long_bytes(value):
        _Packer(stream, parts, is_going_home, reducers).dump(value)
    else:
        Pickler(
            stream, is_going_home=is_going_home, buffer_callback=parts.keep_inside, reducers=reducers
        ).dump(value)
    # Its own buffer would hold the stream: of a circle of garbage with both in it, Python says that it cannot free it.
    return memoryview(stream.getvalue())


class _Packer(Pickler):
    """Leaves long ``bytes`` and ``bytearray`` out of the stream, where pickle would copy them.

    They are put aside by what they are, so one that is met twice is kept once, and whatever holds them is pickled as it
    is: with what it shares and the circles in it.
    """

    def __init__(
        self,
        stream: io.BytesIO,
        parts: Parts,
        is_going_home: bool,
        reducers: Mapping[type, Reducer] | None,
    ) -> None:
        super().__init__(
            stream, is_going_home=is_going_home, buffer_callback=parts.keep_inside, reducers=reducers
        )
        self._parts = parts
        self._places: dict[int, int] = {}

    def persistent_id(self, value: Any) -> int | None:
        cls = type(value)
        if (cls is not bytes and cls is not bytearray) or len(value) < OUT_OF_BAND:
            return None
        if id(value) not in self._places:
            self._places[id(value)] = self._parts.put_aside(value)
        return self._places[id(value)]


def _has_long_bytes(value: Any) -> bool:
    """Whether long bytes are in tuples, lists and dicts; in large ones only the first of what is in them is seen.

    Asking for each object while it is pickled would take longer than the pickling, where there are none.
    """
    found = [value]
    for item in found:  # it grows meanwhile
        cls = type(item)
        if cls is bytes or cls is bytearray:
            if len(item) >= OUT_OF_BAND:
                return True
        elif len(found) < _LOOKED_AT:
            if cls is tuple or cls is list:
                found += item[:_LOOKED_AT]
            elif cls is dict:
                found += islice(item.values(), _LOOKED_AT)
    return False
