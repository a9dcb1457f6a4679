"""Packs calls so that an agent can pass them on without a look at what is in them."""

from __future__ import annotations

import pickle
from collections.abc import Mapping

from ..._core.placement import GUESS
from ..._worker import wire
from ..._worker.by_value.pickler import Reducer
from ..._worker.chain import PREVIOUS
from ..._worker.kept import noted
from ...backend import Work
from ..process.packing import Book, Packed


class SealedBook(Book):
    """As `Book`, with the arguments of each call pickled by themselves.

    Args:
        reducers: how arguments of some kinds travel.
    """

    def __init__(self, reducers: Mapping[type, Reducer]) -> None:
        super().__init__(GUESS, reducers)
        self._links: dict[int, bytes] = {}  # of functions that are called with nothing but the value before

    def pack(self, work: Work, linked: bool) -> Packed:
        """As for `Book`."""
        noted.clear()
        packed = super().pack(work, linked)
        if noted:
            packed.flags |= wire.TAKES
            packed.kept = tuple(dict.fromkeys(noted))
            noted.clear()
        keep = work.keep
        if keep is not None:
            packed.flags |= wire.KEEP if keep else wire.BRINGS
        if packed.parts is None and type(packed.payload) is tuple:
            number, args = packed.payload
            if len(args) == 1 and args[0] is PREVIOUS:
                sealed = self._links.get(number)
                if sealed is None:
                    if len(self._links) > 1024:
                        self._links.clear()
                    sealed = self._links[number] = pickle.dumps((number, args, {}), 5)
            else:
                sealed = pickle.dumps((number, args, {}), 5)
            packed.payload = sealed
        return packed
