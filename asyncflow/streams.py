"""Many items through one task: as many at a time as a window has room for, results as they come."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Iterable
from contextlib import suppress
from contextvars import Context
from dataclasses import dataclass
from functools import partial
from os import PathLike
from time import perf_counter
from types import CodeType, TracebackType
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, Self, TypeAlias, TypeVar

from ._causes import spelled
from ._core.states import NOW, RUNNING
from ._core.streamed import SlowItem, held_up_by, key_shown
from ._core.window import Window, least_room
from ._record.stream_log import StreamLog
from ._runtime.future import TaskFuture
from ._runtime.scope import SCOPE
from ._runtime.sources import Source
from ._show.outlined import Cell
from ._tracebacks import trim
from .errors import EngineClosed, TaskSkipped

if TYPE_CHECKING:
    from ._record.record import Record
    from ._runtime.home import Home
    from ._show.outline import Outline
    from .plot.drawing import Drawing

R = TypeVar("R")
Reader: TypeAlias = "tuple[Callable[[], Home], CodeType, int]"
"""Tells the run in which a stream is read; and the user's line that has made it: the code, and the place in that."""
Errors = Literal["raise", "collect"]
_ERRORS: Final = ("raise", "collect")
_TOLD: Final = 100  # errors that are kept
_REHEARSED: Final = 3  # items of a stream in a plan
_AHEAD: Final = 64  # values that a generator may be ahead of its reader
_AT_ONCE: Final = 128  # items that are taken before the event loop has its turn
_ASKED: Final = 0.001  # seconds for which a source is asked before that
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


class _Item:
    __slots__ = ("at", "future", "item", "key", "number", "outlet")

    def __init__(self, item: object, number: int, at: float) -> None:
        self.item = item
        self.number = number
        self.at = at  # when it was taken
        self.key: object = None
        self.future: TaskFuture[Any] | BaseException | None = None
        self.outlet: Outlet | None = None  # of its values, if there may be many


class Stream(Cell, AsyncIterable[R]):
    """The results of a task for many items, to be read once with ``async for``.

    Inside of ``async with task.stream(...) as results`` the work that is under way ends when the block is left, however
    that is; without it, after a ``break`` it ends in one of the next turns of the event loop.
    """

    def __init__(
        self,
        call: Callable[..., TaskFuture[Any]],
        name: str,
        source: Iterable[Any] | AsyncIterable[Any],
        *,
        window: int,
        workers: int,
        ordered: bool,
        errors: str,
        key: Callable[[Any], object] | None,
        generate: Callable[[Any, Outlet], TaskFuture[Any]] | None = None,
        reader: Reader | None = None,
    ) -> None:
        if errors not in _ERRORS:
            raise ValueError(f"{name}.stream(errors={errors!r}): one of {_ERRORS} is needed")
        if type(window) is not int or window < 1:
            raise ValueError(f"{name}.stream(window={window!r}): a whole number is needed, 1 or more")
        if key is not None and not callable(key):
            raise TypeError(f"{name}.stream(key={key!r}): a function is needed that makes a key of an item")
        self._call = call
        self._generate = generate
        self._made: deque[_Item] = deque()  # without order: an item for each value that could be given
        self._name = name
        self._source = Source(source, name)
        self._key = key
        self._collects = errors == "collect"
        self._window = Window(window, ordered=ordered)
        self._least_room = least_room(window, workers)
        self._refilled_at = window - self._least_room  # so many that are taken and not given
        self._items: dict[int, _Item] = {}  # taken and not given
        self._asker: asyncio.Task[None] | None = None
        self._problem: BaseException | None = None  # of the source
        self._has_room: asyncio.Future[None] | None = None  # for which the asker waits
        self._news: asyncio.Future[None] | None = None  # for which the consumer waits
        self._unclosed: BaseException | None = None  # that closing it has raised
        self._is_left = False
        self._was_read = False
        self._is_slow = (
            False  # the source: it has held up the loop, which is to have its turn before it is asked again
        )
        self._failed = 0
        self._began = self._last = 0.0
        self._reader = reader
        self._log: StreamLog | None = None
        self._run: Home | None = None
        self._record: Record | None = None
        # Calls in a row that were made for items in a row, and are not written down.
        self._row, self._row_end, self._row_at = 0, -1, 0

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
        over = [item for item in self._items.values() if item.future is not None and _is_over(item)]
        counts = {"taken": told.taken, "running": told.running, "over": window.over, "given": told.given}
        counts["failed"] = told.failed + sum(_error_of(item) is not None for item in over)
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
        errors: list[BaseException] = []
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
                error = None if type(future) is TaskFuture else _error_of(item)
                if error is None:
                    if item.outlet is not None:
                        continue  # all that it made was given
                    assert isinstance(future, TaskFuture)
                    value = _result(future)
                    del item, future  # the result is the consumer's alone while it works on it
                    yield value
                elif not isinstance(error, TaskSkipped):
                    self._failed += 1
                    if not self._collects:
                        raise error
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
                error, future = _error_of(item), item.future
                value = future.result() if isinstance(future, TaskFuture) and error is None else None
                attempts = future.attempts if isinstance(future, TaskFuture) else 0
                self._failed += error is not None and not isinstance(error, TaskSkipped)
                yield ItemOutcome(item.item, item.key, value, error, attempts)
        finally:
            await self._leave()

    def _due(self) -> _Item | None:
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

    def _made_first(self) -> _Item | None:
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
        """
        window = self._window
        if not self._began:
            self._begin()
        if window.is_done:
            if self._problem is not None:
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
                "  Make another one:  task.stream(...)"
            )
        self._was_read = True
        return True

    def _begin(self) -> None:
        self._began = self._last = perf_counter()
        if self._reader is not None:
            self._write_of(*self._reader)
        if self._source.is_async:
            self._asker = asyncio.get_running_loop().create_task(self._ask())

    # -- taking -------------------------------------------------------------------------------------------

    def _fill(self) -> bool:
        """Take items of an iterable as there is room for them.

        There is room when the consumer has come for an item, so that it is the consumer who takes them: a task for that
        would cost as much again.

        Returns:
            Whether there is room for more, for which the event loop should have its turn first.
        """
        window, source = self._window, self._source
        if window.is_closed or window.taken - window.given > self._refilled_at:
            return False
        if source.is_async:
            _set(self._has_room)
            return False
        left, now = _AT_ONCE, perf_counter()
        until = now + _ASKED
        try:
            while left and window.room():
                self._take(source.now(), now)
                left -= 1
                now = perf_counter()
                if now >= until and not self._is_rehearsed():
                    self._is_slow = True
                    break
        except StopIteration:
            window.close()
        except BaseException as problem:
            window.close()
            self._problem = problem
            if not isinstance(problem, Exception):
                raise
        finally:
            self._last = now
            self._write_row()
        return window.room() >= self._least_room

    def _is_rehearsed(self) -> bool:
        """Whether this is a rehearsal, which takes its items at once: how fast the source is changes no plan."""
        last = self._items.get(self._window.taken)
        return last is not None and isinstance(last.future, TaskFuture) and last.future._run.is_rehearsal

    async def _ask(self) -> None:
        """Take items of an async iterable as there is room for them, until there are no more."""
        window, source = self._window, self._source
        try:
            while not window.is_closed:
                while window.room():
                    self._take(await source.later(), perf_counter())
                    self._write_row()
                await self._for_room()
        except StopAsyncIteration:
            pass
        except BaseException as problem:
            if not window.is_closed:
                self._problem = problem
            elif isinstance(problem, Exception):  # it was called off, and that is how it has ended
                self._unclosed = problem
            if not isinstance(problem, Exception):
                raise
        finally:
            window.close()
            self._tell()
            try:  # here, for what a generator has opened is to be closed by the task that has opened it
                await source.close()
            except (Exception, BaseExceptionGroup) as unclosed:
                self._unclosed = unclosed

    async def _for_room(self) -> None:
        """Wait until there is room for some more items, if there will be any."""
        if self._window.is_closed or self._window.room() >= self._least_room:
            return
        self._has_room = asyncio.get_running_loop().create_future()
        await self._has_room
        self._has_room = None

    def _take(self, given: Any, now: float) -> None:
        number = self._window.take()
        item = self._items[number] = _Item(given, number, now)
        try:
            if self._key is not None:
                item.key = self._key(given)
            if self._generate is None:
                future = item.future = self._call(given)
            else:
                item.outlet = Outlet(partial(self._has_made, item))
                future = item.future = self._generate(given, item.outlet)
        except Exception as error:  # of this item alone
            trim(error)
            item.future = error
            self._window.end(number)
            self._tell()
            return
        if self._key is not None:
            self._name_item(item, future)
        if self._log is not None:
            if future.id != self._row_end:
                self._write_row()
                self._row, self._row_at = future.id, number - 1
            self._row_end = future.id + 1
        if number == _REHEARSED and future._run.is_rehearsal:
            self._window.close()
        future.add_done_callback(partial(self._ended, item), context=_NO_CONTEXT)

    def _name_item(self, item: _Item, future: TaskFuture[Any]) -> None:
        if isinstance(item.key, str):
            future.own_label = item.key
        if self._record is not None and item.key is not None:
            self._record.segment.item_keys[future.id] = key_shown(item.key)

    def _ended(self, item: _Item, future: TaskFuture[Any]) -> None:
        self._window.end(item.number)
        now = self._last = perf_counter()
        log = self._log
        if log is not None and now - item.at > log.slow:
            log.first = log.first or now
            log.note_slow(SlowItem(now - item.at, item.number - 1, key_shown(item.key), future.id))
        news = self._news
        if news is not None and not news.done():
            news.set_result(None)

    def _has_made(self, item: _Item) -> None:
        if not self._window.ordered:
            self._made.append(item)
        self._tell()
        if self._log is not None:
            self._log.first = self._log.first or self._last

    def _tell(self) -> None:
        self._last = perf_counter()
        _set(self._news)

    # -- writing down -------------------------------------------------------------------------------------

    def _write_of(self, run_for: Callable[[], Home], code: CodeType, at: int) -> None:
        """Have the run that goes on know of the stream."""
        run, block, window = run_for(), SCOPE.get().block, self._window
        log = self._log = StreamLog(
            *(self._name, code, at, 0 if block is None else block.id, window.size, window.ordered),
            *(None if run.stands_in(self._source.given) else self._source.total, self._began),
            *(self._look, self._stop),
        )
        self._run, self._record = run, run.record
        run.stream_began(log)

    def _write_row(self) -> None:
        if self._row_end > 0 and self._log is not None:
            row = range(self._row, self._row_end)
            if self._record is not None:
                self._record.items(self._log, self._row, len(row), self._row_at)
            if self._log.tasks is not None:
                self._log.tasks.extend(row)
        self._row_end = -1

    def _look(self, log: StreamLog) -> None:
        """Write down how far it is."""
        window, news = self._window, self._news
        log.last, log.failed = self._last, self._failed
        log.taken, log.over, log.given = window.taken, window.over, window.given
        futures = [item.future for item in self._items.values() if isinstance(item.future, TaskFuture)]
        log.wait = held_up_by(
            room=window.room(),
            running=window.running,
            done=window.over - window.given,
            is_closed=window.is_closed,
            is_awaited=news is not None and not news.done(),
            asks=self._asker is not None and not self._asker.done() and self._has_room is None,
            unbegun=sum(future.story & NOW < RUNNING for future in futures),
            since=perf_counter() - self._last,
        )

    def _end_log(self) -> None:
        log, has_failed = self._log, self._problem is not None or (self._failed > 0 and not self._collects)
        if log is not None and log.state == "open":
            log.state = "failed" if has_failed else "done" if self._window.is_done else "left"
            if self._run is not None:
                self._run.stream_ended(log)

    # -- leaving ------------------------------------------------------------------------------------------

    async def _leave(self) -> None:
        """Take no more, have stopped what is under way, and close the source.

        All of that is begun before anything is waited for: whoever waits may be cancelled once more.
        """
        self._end_log()
        self._window.close()
        items, self._items = self._items, {}
        futures = [item.future for item in items.values() if isinstance(item.future, TaskFuture)]
        for future in futures:
            if not future.cancel() and not future.cancelled():
                future.exception()  # nobody else will ask for it
        is_first, self._is_left = not self._is_left, True
        if self._asker is not None and is_first:
            self._asker.cancel()
        try:
            await self._close_source()
            if (
                self._unclosed is not None and is_first
            ):  # after a `break` others leave, too, to whom nobody listens
                raise self._unclosed
        finally:
            for future in futures:
                await future._run.stopping.settled(future)

    def _stop(self, why: str) -> None:
        """Take no more: no calls are taken. What is under way is given, and then the error is raised."""
        if self._problem is None and not self._window.is_closed:
            self._problem = EngineClosed(f"a stream of {self._name!r} was being read, but {why}")
        self._window.close()
        if self._asker is not None and not self._asker.done():
            self._asker.cancel()
        self._tell()

    async def _close_source(self) -> None:
        if self._asker is not None and not self._asker.done():
            await asyncio.wait([self._asker])
        await self._source.close()  # which the asker has done, unless it never ran


class Outlet:
    """Takes the values that a generator makes of one item, as far as there is room for them.

    Args:
        made: is called for each value.
    """

    def __init__(self, made: Callable[[], None]) -> None:
        self._values: deque[Any] = deque()
        self._made = made
        self._has_room: asyncio.Future[None] | None = None

    @property
    def has_values(self) -> bool:
        """Whether there are values to take."""
        return bool(self._values)

    async def put(self, value: object) -> None:
        """Add a value, when there is room for it."""
        await self.room()
        self._values.append(value)
        self._made()

    async def room(self) -> int:
        """Wait until there is room for values, and tell for how many."""
        while len(self._values) >= _AHEAD:
            self._has_room = asyncio.get_running_loop().create_future()
            await self._has_room
        return _AHEAD - len(self._values)

    def take(self) -> Any:
        """The first value."""
        value = self._values.popleft()
        if self._has_room is not None and len(self._values) <= _AHEAD // 2:
            _set(self._has_room)
        return value


_NO_CONTEXT: Final = Context()
"""That callbacks of ours run in: to copy the present one for each would cost more than they do."""


def _set(waiter: asyncio.Future[None] | None) -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)


def _is_over(item: _Item) -> bool:
    return not isinstance(item.future, TaskFuture) or item.future.done()


def _error_of(item: _Item) -> BaseException | None:
    future = item.future
    if not isinstance(future, TaskFuture):
        return future
    if future.cancelled():
        with suppress(BaseException):
            future.result()
        return asyncio.CancelledError()
    return future.exception()
