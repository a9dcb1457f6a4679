"""Has the user hear that work waits and no agent comes, since that may be for ever."""

from __future__ import annotations

import asyncio
from typing import Final

from ..._turns import Due, sure
from ...backend import WAITS, Report

LONG: Final = 30.0
"""Seconds; the queues of clusters take minutes, but one's own mistakes should be told soon."""


class Patience:
    """Tells the engine when work has waited for long.

    Args:
        report: the engine's.
        seconds: how long that is.
    """

    def __init__(self, report: Report, seconds: float) -> None:
        self._turns = sure(asyncio.get_running_loop())
        self._report = report
        self._seconds = seconds
        self._due: Due | None = None

    def look(self, *, waits: bool) -> None:
        """Take note of whether work waits and nobody is there to do it.

        Args:
            waits: whether it is so now.
        """
        if waits and self._due is None:
            self._due = self._turns.call_later(self._seconds, self._tell)
        elif not waits:
            self.end()

    def end(self) -> None:
        """Tell nothing more, until work waits again."""
        if self._due is not None:
            self._due.cancel()
            self._due = None

    def _tell(self) -> None:
        self._due = None
        self._report([(WAITS, 0, None)])
