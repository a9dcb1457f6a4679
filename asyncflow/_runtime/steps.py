"""The run loop as its parts see it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from .._core.task import Task


class Steps(Protocol):
    """Carries out what the scheduler has decided, on the loop's thread."""

    def flush(self) -> None:
        """Carry out what has been decided, now."""

    def follow(self) -> None:
        """Carry out what follows from ends, now; where the order of tasks matters, submit nothing before the next
        turn."""

    def flush_soon(self) -> None:
        """Carry out on the next turn of the loop what has been decided."""

    def cut_short(self, lost: Sequence[Task] = ()) -> None:
        """Ctrl-C came out of the midst of a step; lost is what was being submitted."""

    def catch_up(self) -> None:
        """Handle what was reported and not yet looked at."""
