"""What an engine knows of the display of its progress: how many calls there will be, as far as somebody has said so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Protocol


class Display(Protocol):
    """Shows how a run stands."""

    async def close(self, says: bool = True) -> None:
        """Show how it stands now, and nothing any more."""


class Expected:
    """How many calls of functions there will be in all."""

    def __init__(self) -> None:
        self._planned: Counter[str] = Counter()
        self._mapped: Counter[str] = Counter()

    def plans(self, names: Iterable[str]) -> None:
        """A plan is run, with calls of these functions."""
        self._planned.update(names)

    def maps(self, name: str, calls: int) -> None:
        """So many calls of a function have been made by ``map``."""
        self._mapped[name] += calls

    def totals(self, streamed: Iterable[tuple[str, int]]) -> Counter[str]:
        """All that is known, by function; what a plan has, its calls of ``map`` and its streams have as well.

        Args:
            streamed: of each stream whose length is known, its function and that.
        """
        others = self._mapped.copy()
        for name, many in streamed:
            others[name] += many
        return self._planned | others
