"""Finds which name somebody likely meant who wrote one that there is not. Pure."""

from __future__ import annotations

from collections.abc import Iterable


def meant(given: object, known: Iterable[str]) -> str:
    """A sentence that suggests the known name closest to an unknown one; "" if none is close."""
    if not isinstance(given, str):
        return ""
    from difflib import get_close_matches  # only for errors, and takes its while to load

    by_lower = {name.lower(): name for name in known}
    close = get_close_matches(given.lower(), by_lower, 1)
    return f" Did you mean {by_lower[close[0]]!r}?" if close else ""


class Suggestions:
    """As `meant`, for the first few names that there are not: to look for all of thousands takes minutes.

    Args:
        known: the names that there are.
        most: for how many something is suggested.
    """

    def __init__(self, known: Iterable[str], most: int = 20) -> None:
        self._known = known
        self._left = most

    def __call__(self, given: object) -> str:
        """A sentence that suggests a known name; "" if none is close, or enough has been suggested."""
        if self._left <= 0:
            return ""
        self._left -= 1
        return meant(given, self._known)
