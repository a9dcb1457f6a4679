"""Names failures that nobody looks at, by their roots: at once where nobody can look any more, because the future is
gone; else when the engine shuts down. Of a million, the first few lines and a count."""

from __future__ import annotations

import asyncio
import logging
import weakref
from contextvars import Context
from threading import get_ident
from typing import Any, Final

from .._causes import brief, spelled
from ..errors import Cause
from .future import FailedFuture, TaskFuture

_KEPT: Final = 20
_log = logging.getLogger("asyncflow")


class Unseen:
    """The failures of one run that nobody has retrieved. Is made on the thread of its event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._thread = get_ident()
        self._held: dict[int, weakref.ref[TaskFuture[object]]] = {}
        self._gone: _Failures | None = None  # to be told on the loop's next turn
        self.told = 0
        """How many failures were named."""

    def watch(self, future: TaskFuture[object]) -> None:
        """A future has failed."""
        future.__class__ = FailedFuture
        task_id = future.id
        self._held[task_id] = weakref.ref(future, lambda _: self._held.pop(task_id, None))

    def dropped(self, future: TaskFuture[Any]) -> None:
        """A failed future is being collected, on any thread, without anybody having looked."""
        gone = self._gone
        if gone is not None:
            gone.add(future)
            return
        gone = _Failures()
        gone.add(future)
        if not gone.roots:
            return
        self._gone = gone  # of a burst all are told together
        call = self._loop.call_soon if get_ident() == self._thread else self._loop.call_soon_threadsafe
        try:
            call(self._tell_gone, context=Context())
        except RuntimeError:  # the loop is closed
            self._tell_gone()

    def tell(self) -> None:
        """Log what is left, once."""
        self._tell_gone()
        held = _Failures()
        for reference in list(self._held.values()):
            future = reference()
            if future is not None and future._log_traceback:
                held.add(future)
        self._held.clear()
        self.told += len(held.roots)
        held.tell("nobody looked at (await the future, or ask its exception())")

    def _tell_gone(self) -> None:
        gone, self._gone = self._gone, None
        if gone is not None:
            self.told += len(gone.roots)
            gone.tell("nobody can look at any more, since the future is gone (keep it, and await it)")


class _Failures:
    """Some of them, by what each comes of."""

    def __init__(self) -> None:
        self.roots: set[int] = set()
        self._lines: dict[int, str] = {}
        self._held_up: dict[int, tuple[str, int]] = {}  # the first that did not run for it, and how many

    def add(self, future: TaskFuture[object]) -> None:
        """One more, which is told so."""
        future._log_traceback = False  # or asyncio says the same again, without the name
        cause: Cause | None = future.cause
        if cause is None or cause.passed_on:
            return  # a task that was called since has brought it to whoever awaits that
        for root in cause.firsts:
            self.roots.add(root.task_id)
            if len(self._lines) < _KEPT and root.task_id not in self._lines:
                end = brief(root.error) if root.error is not None else "was cancelled or skipped"
                self._lines[root.task_id] = f"{root.name_shown!r} (#{root.task_id}): {end}"
                if root.call:
                    self._lines[root.task_id] += f"; called as {root.call}"
            if root is not cause and root.task_id in self._lines:
                first, many = self._held_up.get(
                    root.task_id, (spelled(f"{future.name_shown} (#{future.id})"), 0)
                )
                self._held_up[root.task_id] = first, many + 1

    def tell(self, why: str) -> None:
        """Log the failures; ``why`` says why nobody has looked at them."""
        if not self.roots:
            return
        more = len(self.roots) - len(self._lines)
        _log.error(
            "%d failed task%s that %s:\n  %s%s",
            len(self.roots),
            "" if len(self.roots) == 1 else "s",
            why,
            "\n  ".join(line + self._not_run(root) for root, line in sorted(self._lines.items())),
            f"\n  and {more} more" if more else "",
        )

    def _not_run(self, root: int) -> str:
        first, many = self._held_up.get(root, ("", 0))
        more = f" and {many - 1:,} more" if many > 1 else ""
        return f"; not run because of it: {first}{more}" if many else ""
