"""Which threads have an event loop that is held up: a backend runs a function there, which finds no loop running."""

from __future__ import annotations

from typing import Final

HELD_UP: Final[set[int]] = set()
"""Their idents."""
