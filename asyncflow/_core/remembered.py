"""Which names were there once: very many, in little memory, the latest of them.

Pure. Of a name, its hash is kept: 8 bytes. That two of a million names share one has a chance of one in 10^7.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import deque
from typing import Final

_CHUNK: Final = 8_192
_CHUNKS: Final = 32


class Remembered:
    """Names that were added, of which about the latest quarter of a million are remembered.

    Args:
        chunk: how many names are sorted together.
        chunks: how many of these are kept.
    """

    __slots__ = ("_chunk", "_latest", "_sorted", "has_forgotten")

    def __init__(self, chunk: int = _CHUNK, chunks: int = _CHUNKS) -> None:
        self._chunk = chunk
        self._latest: set[int] = set()
        self._sorted: deque[array[int]] = deque(maxlen=chunks)
        self.has_forgotten = False
        """Whether there were more than are remembered."""

    def add(self, name: str) -> None:
        """Remember a name."""
        self._latest.add(hash(name))
        if len(self._latest) >= self._chunk:
            self.has_forgotten = self.has_forgotten or len(self._sorted) == self._sorted.maxlen
            self._sorted.append(array("q", sorted(self._latest)))
            self._latest = set()

    def __contains__(self, name: object) -> bool:
        wanted = hash(name)
        return wanted in self._latest or any(_has(chunk, wanted) for chunk in self._sorted)


def _has(numbers: array[int], wanted: int) -> bool:
    at = bisect_left(numbers, wanted)
    return at < len(numbers) and numbers[at] == wanted
