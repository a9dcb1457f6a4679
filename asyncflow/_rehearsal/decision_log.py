"""Counts the decisions that code takes on stand-ins, and tells of them in words: each place once."""

from __future__ import annotations

import re
from typing import Final

_MOST: Final = 1_000  # places that are remembered
NUMBERED: Final = re.compile(r"#\d+")
"""The number of a task in a text: what differs by that alone is told once."""


class DecisionLog:
    """What has been decided in one dry run."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, str, str, int], list[int]] = {}
        self._first: dict[tuple[str, str, str, int], str] = {}
        self._notes: dict[str, str] = {}

    def take(self, kind: str, origin: str, filename: str, line: int) -> None:
        """Take note of one.

        Args:
            kind: of statement: "if", "while", ...
            origin: what the stand-in stands for; passes of a loop differ by the numbers of their tasks alone.
            filename: where it was.
            line: in it.
        """
        place = kind, NUMBERED.sub("#", origin), filename, line
        times = self._told.get(place)
        if times is not None:
            times[0] += 1
        elif len(self._told) < _MOST:
            self._told[place] = [1]
            self._first[place] = f"{kind} on {origin}, {filename}:{line}"

    def note(self, told: str) -> None:
        """Take note of something else that depends on values."""
        if len(self._notes) < _MOST:
            self._notes.setdefault(NUMBERED.sub("", told), told)

    def told(self) -> list[str]:
        """All in words, in the order of their first times: "while on (fit#4.error > 0.1), pipeline.py:31 (2 times)"."""
        told = [
            first if times == [1] else f"{first} ({times[0]:,} times)"
            for first, times in zip(self._first.values(), self._told.values(), strict=True)
        ]
        return [*told, *self._notes.values()]
