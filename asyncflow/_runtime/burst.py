"""The calls that have been made since the event loop had its turn."""

from __future__ import annotations

from contextvars import Context

from .._core.task import CallSite
from .scope import Scope


class Burst:
    """What calls in a row have in common, so that it is found out once for all of them."""

    __slots__ = ("is_due", "last", "scope", "site", "snapshot")

    def __init__(self) -> None:
        self.last = 0  # number of the last call of the run
        self.site: CallSite | None = None  # of that call; None when the loop has had its turn since
        # The scope of that call, and a context with nothing else in it. No site holds them: they hold a block.
        self.scope: Scope | None = None
        self.snapshot: Context | None = None
        self.is_due = False  # what follows from the burst is carried out on the next turn of the loop

    def over(self) -> None:
        """The loop has its turn."""
        self.site = self.scope = self.snapshot = None
