"""The future of a task that is only rehearsed: it takes note of whether anybody uses it, and else is like any other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from contextvars import Context
from typing import TYPE_CHECKING, Any, TypeVar

from .._runtime.future import TaskFuture
from .._runtime.outputs import Outputs

if TYPE_CHECKING:
    from .dry_run import DryRun

T = TypeVar("T")


class RehearsedFuture(TaskFuture[T]):
    """What a future becomes in a dry run as soon as it is made; users see a `TaskFuture`."""

    __slots__ = ()
    _run: DryRun

    def __bool__(self) -> bool:
        """Refused, as of any future; in a rehearsal that is noted, and it is true."""
        try:
            return super().__bool__()
        except TypeError as error:
            self._run.misused(self, error)
        return True

    def __eq__(self, other: object) -> bool:
        """As of any future; in a rehearsal it is noted what is none, and differs."""
        try:
            return super().__eq__(other)
        except TypeError as error:
            self._run.misused(self, error)
        return False

    __hash__ = TaskFuture.__hash__

    def __await__(self) -> Generator[object, None, T]:
        self._run.used(self, waited=True)
        return super().__await__()

    def result(self) -> T:
        """As of any future."""
        self._run.used(self, waited=True)
        return super().result()

    def exception(self) -> BaseException | None:
        """As of any future."""
        self._run.used(self, waited=True)
        return super().exception()

    def add_done_callback(self, fn: Callable[[Any], object], /, *, context: Context | None = None) -> None:
        """As of any future."""
        self._run.used(self, waited=True)
        super().add_done_callback(fn, context=context)

    @property
    def outputs(self) -> Outputs:
        """As of any future."""
        outputs = super().outputs
        self._run.used(self)
        return outputs


# In Python's own messages, as "'TaskFuture' object is not iterable", stands what the user knows.
RehearsedFuture.__name__ = RehearsedFuture.__qualname__ = TaskFuture.__name__


def has_value(future: TaskFuture[object]) -> bool:
    """Whether a future has a value; to ask is no use of it."""
    return future.done() and not future.cancelled() and asyncio.Future.exception(future) is None
