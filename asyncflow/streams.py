"""Many items through one task: as many at a time as a window has room for, results as they come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from dataclasses import dataclass
from os import PathLike
from types import TracebackType
from typing import TYPE_CHECKING, Final, Generic, NoReturn, Self, TypeVar

from ._causes import spelled
from ._runtime.future import TaskFuture
from ._runtime.taking import Item, Taking, error_of, is_over
from ._runtime.unread import Unread
from ._show.outlined import Cell
from .errors import TaskSkipped, WrongLoop

if TYPE_CHECKING:
    from ._show.outline import Outline
    from .plot.drawing import Drawing

__all__ = ["Counts", "ItemOutcome", "Stream"]

R = TypeVar("R")
_TOLD: Final = 100  # errors that are kept
_result: Final = asyncio.Future.result


@dataclass(frozen=True, slots=True)
class Counts:
    """How far a stream is.

    Args:
        taken: items that came from the source.
        running: of these, those whose task is not over.
        done: those whose task is over and that were not given yet.
        given: those that the consumer has, or of which it will hear no more, as they were skipped.
        failed: items that have failed.
        total: how many there are in all; None if nobody knows.
        rate: items that were over in a second, on average; None before the first.
        eta: seconds until all are over, at that rate; None if nobody knows.
    """

    taken: int
    running: int
    done: int
    given: int
    failed: int
    total: int | None
    rate: float | None
    eta: float | None

    def __str__(self) -> str:
        of = "" if self.total is None else f", of {self.total:,}"
        return (
            f"taken {self.taken:,}, running {self.running:,}, done {self.done:,}, given {self.given:,}, "
            f"failed {self.failed:,}{of}"
        )


@dataclass(frozen=True, slots=True)
class ItemOutcome(Generic[R]):
    """What became of one item of a stream.

    Args:
        item: as it came from the source.
        key: what ``key=`` made of it; None without.
        value: what its task gave; None if it gave nothing.
        error: what awaiting its task raises; None if it has succeeded.
        attempts: how often its task was started.
    """

    item: object
    key: object
    value: R | None
    error: BaseException | None
    attempts: int


class Stream(Unread, Taking, Cell, AsyncIterable[R]):
    """The results of a task for many items, to be read once with ``async for``.

    Inside of ``async with task.stream(...) as results`` the work that is under way ends when the block is left, however
    that is; without it, after a ``break`` it ends in one of the next turns of the event loop.
    """

    # -- for its reader -----------------------------------------------------------------------------------

    @property
    def counts(self) -> Counts:
        """How far it is."""
        window, total = self._window, self._source.total
        seconds = self._last - self._began
        rate = window.over / seconds if window.over and seconds > 0 else None
        eta = None if rate is None or total is None else max(0, total - window.over) / rate
        done = window.over - window.given
        return Counts(window.taken, window.running, done, window.given, self._failed, total, rate, eta)

    def __aiter__(self) -> AsyncGenerator[R, None]:
        return self._values()

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"{self._made_by} gives a stream, which is read where it was made.\n"
            f"  Pass its values:  [each async for each in {self._made_by}]"
        )

    @property
    def _made_by(self) -> str:
        return spelled(self._name) + ("(...)" if self._is_call else ".stream(...)")

    def outcomes(self) -> AsyncIterator[ItemOutcome[R]]:
        """What became of each item, whatever that is: for those who decide themselves what a failure means.

        Nothing is raised for an item; an error of the source is raised at the end.
        """
        if self._generate is not None:
            raise TypeError(
                f"{self._name!r} makes many values of an item, which come as they are made.\n"
                "  Read them with async for; errors='collect' has the others go on when an item fails"
            )
        return self._outcomes()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Take no more items, cancel what is under way, and wait until it has stopped."""
        self._was_read = True
        await self._leave()

    def draw(self, path: str | PathLike[str] | None = None, *, dark: bool | None = None) -> Drawing:
        """The stream as it is now, as a picture: how many items wait, run, are done and have failed.

        Args:
            path: of a file to save it in: .svg .png .html .mmd .dot
            dark: whether its ground is dark; None to follow the reader's system.

        Raises:
            TypeError: an argument of the wrong type.
            ValueError: the end of the path is another.
            ImportError: it is to be saved, and needs the extra ``plot``, which is not installed.
            OSError: the file cannot be written.
        """
        from .plot.graphs import drawing_of
        from .plot.streams import stream_picture

        told, window = self.counts, self._window
        over = [item for item in self._items.values() if item.future is not None and is_over(item)]
        counts = {"taken": told.taken, "running": told.running, "over": window.over, "given": told.given}
        counts["failed"] = told.failed + sum(error_of(item) is not None for item in over)
        picture = stream_picture(self._name, f"of {self._name}: {told}", counts, told.total, window.size)
        return drawing_of(picture, path, dark)

    def _outline(self) -> Outline:
        from ._show.outline import Facts, Outline
        from ._show.words import plain, seconds

        counts = self.counts
        told = {
            "Window": f"{self._window.size:,} items",
            "Rate": "" if counts.rate is None else f"{counts.rate:.3g} items a second",
            "Left": "" if not counts.eta else f"about {seconds(counts.eta)}",
        }
        return Outline(
            "Stream",
            plain(f"of {self._name}: {counts}"),
            lambda: [Facts({name: fact for name, fact in told.items() if fact})],
        )

    def __repr__(self) -> str:
        return spelled(f"<Stream of {self._name}: {self.counts}>")

    # -- giving -------------------------------------------------------------------------------------------

    async def _values(self) -> AsyncGenerator[R, None]:
        if not self._enter():
            return
        errors = self._errors
        try:
            while (item := self._due()) is not None or await self._more():
                if item is None:
                    continue
                if item.outlet is not None and item.outlet.has_values:
                    value: R = item.outlet.take()
                    del item
                    yield value
                    continue
                future = item.future
                # One without a value is of another class.
                error = None if type(future) is TaskFuture else error_of(item)
                if error is None:
                    if item.outlet is not None:
                        continue  # all that it made was given
                    assert isinstance(future, TaskFuture)
                    value = _result(future)
                    del item, future  # the result is the consumer's alone while it works on it
                    yield value
                elif self._was_stopped(error):
                    assert self._problem is not None
                    raise self._problem
                elif not isinstance(error, TaskSkipped):
                    self._failed += 1
                    if not self._collects:
                        try:
                            raise error
                        finally:
                            del error, future, item  # or its traceback would hold what holds it
                    if len(errors) < _TOLD:
                        errors.append(error)
            if errors:
                raise self._group(errors)
        finally:
            await self._leave()

    def _group(self, errors: list[BaseException]) -> BaseExceptionGroup[BaseException]:
        told = "" if self._failed == len(errors) else f"; the first {len(errors)} of them"
        return BaseExceptionGroup(
            f"{self._failed:,} of {self._window.taken:,} items of {self._name!r} have failed{told}", errors
        )

    async def _outcomes(self) -> AsyncGenerator[ItemOutcome[R], None]:
        if not self._enter():
            return
        try:
            while (item := self._due()) is not None or await self._more():
                if item is None:
                    continue
                error, future = error_of(item), item.future
                value = future.result() if isinstance(future, TaskFuture) and error is None else None
                attempts = future.attempts if isinstance(future, TaskFuture) else 0
                self._failed += error is not None and not isinstance(error, TaskSkipped)
                yield ItemOutcome(item.item, item.key, value, error, attempts)
        finally:
            await self._leave()

    def _due(self) -> Item | None:
        """What there is to give now; None if there is nothing. What an item has made comes before its end."""
        window = self._window
        if self._generate is not None and (item := self._made_first()) is not None:
            return item
        number = window.give()
        if number is None:
            return None
        if window.taken - window.given <= self._refilled_at and not self._is_slow:
            self._fill()  # while the consumer works on this one, others are under way
        return self._items.pop(number)

    def _made_first(self) -> Item | None:
        if self._made:
            return self._made.popleft()
        head = self._items.get(self._window.given + 1) if self._window.ordered else None
        return head if head is not None and head.outlet is not None and head.outlet.has_values else None

    async def _more(self) -> bool:
        """Wait until there is something to give, or may be.

        Returns:
            Whether there will be.

        Raises:
            Exception: the source has failed, and all that it gave before was given.
            WrongLoop: it was begun on another event loop.
        """
        window = self._window
        if not self._began:
            self._begin()
        if self._is_elsewhere():
            raise WrongLoop(
                f"a stream of {self._name!r} is read on the event loop where its reading was begun, and not on another"
            )
        if window.is_done:
            if self._problem is not None:
                if self._errors and self._problem.__context__ is None:
                    self._problem.__context__ = self._group(self._errors)  # so that these are told as well
                raise self._problem
            return False
        self._is_slow = False
        if self._fill():
            await asyncio.sleep(0)
        elif not window.ready and not self._made and not window.is_done:
            self._news = asyncio.get_running_loop().create_future()
            await self._news
        return True

    def _enter(self) -> bool:
        """Let a reader in; False if all was read already.

        Raises:
            RuntimeError: another one reads, or has left before the end.
        """
        if self._was_read and self._began and self._window.is_done and self._problem is None:
            return False
        if self._was_read:
            raise RuntimeError(
                f"a stream of {self._name!r} is read once, and this one was.\n"
                f"  Make another one:  {self._made_by}"
            )
        self._was_read = True
        return True
