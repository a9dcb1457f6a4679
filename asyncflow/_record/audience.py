"""Those who listen to a run. None of them can hurt it."""

from __future__ import annotations

import logging
from collections import deque
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
        self._told: deque[tuple[Sequence[Event], Sequence[Listener]]] = deque()
        self._is_telling = False

    def add(self, listener: Listener) -> Callable[[], None]:
        """Let somebody listen.

        Args:
            listener: is called with events.

        Returns:
            What ends that.
        """
        self.listeners.append(listener)
        self.late.append(listener)
        came = [listener]
        return lambda: self.remove(came.pop()) if came else None  # once: it may have come twice

    def remove(self, listener: Listener) -> None:
        """Let somebody listen no longer."""
        for each in (self.listeners, self.late):
            if listener in each:
                each.remove(listener)

    def tell(self, events: Sequence[Event], listeners: Sequence[Listener] | None = None) -> None:
        """Tell all, or some; whoever raises is told no more.

        What happens while they are told, because one of them has called the engine, is told when all have heard what
        was before it.

        Args:
            events: what has happened.
            listeners: some of them.
        """
        self._told.append((events, list(self.listeners if listeners is None else listeners)))
        if self._is_telling:
            return
        self._is_telling = True
        try:
            while self._told:
                events, listeners = self._told.popleft()
                for listener in listeners:
                    if listener in self.listeners:  # else it has left meanwhile
                        self._tell_one(listener, events)
        finally:
            self._is_telling = False

    def _tell_one(self, listener: Listener, events: Sequence[Event]) -> None:
        try:
            listener(events)
        except Exception:
            self.remove(listener)
            _log.exception("%r raised, and is told nothing more of this engine's runs", listener)
