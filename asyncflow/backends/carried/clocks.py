"""By how much another machine's clock differs from ours, from questions and answers that took their time."""

from __future__ import annotations

from typing import Final

_DRIFT: Final = 1e-4
"""Seconds by which two clocks may run apart in a second: ten times what bad quartz does."""


class Offset:
    """What is known of the difference between two clocks.

    Attributes:
        seconds: to add to a time of the other clock to have it on ours; 0 as long as nothing is known.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self._error: float | None = None  # at most so many seconds, when it was measured
        self._at = 0.0

    def take(self, asked: float, there: float, answered: float) -> None:
        """Take in one answer, if it tells more than is known: the quicker it came, the more it does.

        Args:
            asked: when the question went out, by our clock.
            there: the answer, by the other clock.
            answered: when that was here, by our clock.
        """
        error = (answered - asked) / 2
        if error < 0:
            return
        if self._error is None or error <= self._error + _DRIFT * (answered - self._at):
            self.seconds, self._error, self._at = (asked + answered) / 2 - there, error, answered
