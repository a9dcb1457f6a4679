"""How often something is done for a display, so that all of it together takes no more than a part of the time. Pure."""

from __future__ import annotations


class Pace:
    """When something is due that takes a time that is known only afterwards.

    Args:
        share: what part of the time it may take, all in all.
        least: seconds between the end of one and the next.
    """

    def __init__(self, share: float, least: float) -> None:
        self._share = share
        self._least = least
        self.next = 0.0
        """When it is due."""

    def is_due(self, now: float) -> bool:
        """Whether its time has come."""
        return now >= self.next

    def took(self, seconds: float, now: float) -> None:
        """It was done, and has taken so long."""
        self.next = now + max(self._least, seconds / self._share)
