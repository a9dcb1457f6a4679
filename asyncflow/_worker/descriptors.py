"""File descriptors that are closed together, whatever happens in between.

Ctrl-C, as Python's shells have it, comes after any call that Python makes, also after the one that opens a file: its
number would be lost before anybody could note it. Here the call is made by an iterator inside of the one that notes it.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from functools import partial
from itertools import chain, repeat, starmap, takewhile


class Descriptors:
    """What was opened and is not closed. It is closed at the latest when nobody holds this any more."""

    def __init__(self) -> None:
        self._open: list[int] = []
        self.close: Callable[[], object] = self._open.clear
        """Close all of it."""

    def open(self, opens: Callable[..., int], *args: object) -> int:
        """Have a function written in C open a file, and note its descriptor.

        Args:
            opens: such as `os.open`, `os.dup` or `os.pidfd_open`.
            args: its arguments.
        """
        self._can_close()
        self._open.extend(starmap(opens, (args,)))
        return self._open[-1]

    def pipe(self, writing: Descriptors | None = None) -> tuple[int, int]:
        """Make a pipe.

        Args:
            writing: who is to have the end to write to; None for this.

        Returns:
            Where to read from it and where to write to it.
        """
        self._can_close()
        self._open.extend(chain.from_iterable(starmap(os.pipe, ((),))))
        ends = self._open[-2], self._open[-1]
        if writing is not None:
            writing._can_close()
            writing._open.extend(map(self._open.pop, (-1,)))
        return ends

    def _can_close(self) -> None:
        # No method, for that could be cut short before it has closed anything. Nor is anything closed twice: the number
        # may be somebody else's by then.
        popped = map(list.pop, takewhile(len, repeat(self._open)))
        self.close = partial(deque, map(os.close, popped), 0)

    def __del__(self) -> None:
        self.close()
