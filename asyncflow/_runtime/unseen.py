"""Remembers failures that nobody has looked at, to name each once when the engine shuts down.

A future that was dropped cannot be looked at any more, so a line of text is kept of it and no more; of a million
dropped failures, the first few lines and a count.
"""

from __future__ import annotations

import logging
import weakref
from typing import Any, Final

from .._causes import brief
from .future import FailedFuture, TaskFuture

_KEPT: Final = 20
_log = logging.getLogger("asyncflow")


class Unseen:
    """Failures of one run that have not been retrieved."""

    def __init__(self) -> None:
        self._held: dict[int, weakref.ref[TaskFuture[Any]]] = {}
        self._lines: list[str] = []
        self._count = 0

    def watch(self, future: TaskFuture[Any]) -> None:
        """A future has failed."""
        future.__class__ = FailedFuture
        task_id = future.id
        self._held[task_id] = weakref.ref(future, lambda _: self._held.pop(task_id, None))

    def dropped(self, future: TaskFuture[Any]) -> None:
        """A failed future is being collected without anybody having looked."""
        self._add(future)

    def tell(self) -> None:
        """Log what is left, once."""
        for reference in list(self._held.values()):
            future = reference()
            if future is not None and future._log_traceback:
                self._add(future)
        self._held.clear()
        if not self._count:
            return
        more = f"\n  and {self._count - len(self._lines)} more" if self._count > len(self._lines) else ""
        _log.error(
            "%d failed task%s nobody looked at (await the future, or ask its exception()):\n  %s%s",
            self._count,
            " that" if self._count == 1 else "s that",
            "\n  ".join(self._lines),
            more,
        )
        self._lines.clear()
        self._count = 0

    def _add(self, future: TaskFuture[Any]) -> None:
        future._log_traceback = False  # or asyncio says the same again, without the name
        if future.cause is not None and future.cause.passed_on:
            return  # a task that was called since has brought it to whoever awaits that
        self._count += 1
        if len(self._lines) < _KEPT:
            error = future.exception()
            assert error is not None
            self._lines.append(f"{future.name!r} (#{future.id}): {brief(error)}")
