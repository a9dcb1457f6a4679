"""Those who listen to a run. None of them can hurt it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from ..events import Event

Listener = Callable[[Sequence[Event]], object]

_log = logging.getLogger("asyncflow")


class Audience:
    """Listeners, in the order in which they came."""

    def __init__(self) -> None:
        self.listeners: list[Listener] = []
        self.late: list[Listener] = []
        """Those who have not heard yet that the run has begun."""

    def add(self, listener: Listener) -> Callable[[], None]:
        """Let somebody listen.

        Args:
            listener: is called with events.

        Returns:
            What ends that.
        """
        self.listeners.append(listener)
        self.late.append(listener)
        return lambda: self.remove(listener)

    def remove(self, listener: Listener) -> None:
        """Let somebody listen no longer."""
        for each in (self.listeners, self.late):
            if listener in each:
                each.remove(listener)

    def tell(self, events: Sequence[Event], listeners: Sequence[Listener] | None = None) -> None:
        """Tell all, or some; whoever raises is told no more.

        Args:
            events: what has happened.
            listeners: some of them.
        """
        for listener in list(self.listeners if listeners is None else listeners):
            try:
                listener(events)
            except Exception:
                self.remove(listener)
                _log.exception("%r raised, and is told nothing more of this engine's runs", listener)
