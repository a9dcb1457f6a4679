"""Which threads have an event loop that is held up: a backend runs a function there, which finds no loop running."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .store import Store

HELD_UP: Final[dict[int, Store]] = {}
"""Their idents, each with what the backend keeps as a worker."""
