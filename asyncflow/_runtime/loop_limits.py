"""Which event loop a limit counts for: one at a time, since its rate goes by that loop's clock."""

from __future__ import annotations

import weakref
from typing import Protocol

from .._core.limits import Limit


class Watcher(Protocol):
    """Whoever has tasks wait for limits: there is one on each event loop."""

    def changed(self) -> None:
        """A limit is another now: somebody who waits may go on. On any thread."""

    def is_at_work(self) -> bool:
        """Whether what uses limits there can still give them back."""

    def waits(self) -> bool:
        """Whether anybody waits for a limit there."""


class _Watching:
    """Is told when a limit is changed, and keeps no loop alive."""

    __slots__ = ("watcher",)

    def __init__(self, watcher: Watcher) -> None:
        self.watcher = weakref.ref(watcher)

    def __call__(self) -> None:
        watcher = self.watcher()
        if watcher is not None:
            watcher.changed()


def watch(limit: Limit, watcher: Watcher) -> None:
    """Tasks of an event loop wait for a limit from now on, or use it. One thread may ask at a time.

    Raises:
        RuntimeError: those of another one do.
    """
    before = _watcher_of(limit)
    if before is watcher:
        return
    # In this order: who waits no longer uses it already.
    if before is not None and before.is_at_work() and (before.waits() or limit.used):
        raise RuntimeError(
            f"limit {limit.name!r} is in use on another event loop, which counts by itself.\n"
            "  Make one for each event loop"
        )
    limit.on_change = _Watching(watcher)
    limit.start_over()


def watches(limit: Limit, watcher: Watcher) -> bool:
    """Whether it is for the tasks of this event loop that a limit counts."""
    return _watcher_of(limit) is watcher


def _watcher_of(limit: Limit) -> Watcher | None:
    return limit.on_change.watcher() if isinstance(limit.on_change, _Watching) else None
