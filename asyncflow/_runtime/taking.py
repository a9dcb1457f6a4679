"""Takes items of a stream from its source, calls its task for each, and writes down what becomes of them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterable, Callable, Iterable
from contextlib import suppress
from contextvars import Context, copy_context
from functools import partial
from time import perf_counter
from types import CodeType
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from .._core.states import NOW, RUNNING
from .._core.streamed import SlowItem, held_up_by, key_shown
from .._core.window import Window, least_room
from .._record.stream_log import StreamLog
from .._tracebacks import trim
from ..errors import EngineClosed
from .future import TaskFuture
from .outlet import Outlet, wake
from .scope import READER, SCOPE
from .sources import Source

if TYPE_CHECKING:
    from .._record.record import Record
    from .home import Home

Reader: TypeAlias = "tuple[Callable[[], Home], CodeType, int]"
"""Tells the run in which a stream is read; and the user's line that has made it: the code, and the place in that."""
_ERRORS: Final = ("raise", "collect")
_REHEARSED: Final = 3  # items of a stream in a plan
_AT_ONCE: Final = 128  # items that are taken before the event loop has its turn
_ASKED: Final = 0.001  # seconds for which a source is asked before that
_NO_CONTEXT: Final = Context()
"""That callbacks of ours run in: to copy the present one for each would cost more than they do."""


class Item:
    """One item, from when it was taken until it was given."""

    __slots__ = ("at", "future", "item", "key", "number", "outlet")

    def __init__(self, item: object, number: int, at: float) -> None:
        self.item = item
        self.number = number
        self.at = at  # when it was taken
        self.key: object = None
        self.future: TaskFuture[Any] | BaseException | None = None
        self.outlet: Outlet | None = None  # of its values, if there may be many


class Taking:
    """The part of a stream that takes items, and leaves.

    Args:
        call: calls the task for an item.
        name: of the task.
        source: of the items.
        window: how many may be taken and not given.
        workers: how many can run at once.
        ordered: whether they are given in the order of the source.
        errors: "raise" or "collect".
        key: makes of an item what tells it from others; None for nothing.
        generate: calls the task in the place of ``call``, if one item may have many values.
        reader: in which run it is read, and where it was made.
        is_call: whether it is one call of a generator, and nobody is told of it as a stream.

    Raises:
        TypeError: the source cannot be iterated, or the key is no function.
        ValueError: an option that is out of range.
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
        reader: Reader,
        is_call: bool = False,
    ) -> None:
        if errors not in _ERRORS:
            raise ValueError(f"{name}.stream(errors={errors!r}): one of {_ERRORS} is needed")
        if type(window) is not int or window < 1:
            raise ValueError(f"{name}.stream(window={window!r}): a whole number is needed, 1 or more")
        if key is not None and not callable(key):
            raise TypeError(f"{name}.stream(key={key!r}): a function is needed that makes a key of an item")
        self._call = call
        self._generate = generate
        self._made: deque[Item] = deque()  # without order: an item for each value that could be given
        self._name = name
        self._source = Source(source, name)
        self._key = key
        self._collects = errors == "collect"
        self._window = Window(window, ordered=ordered)
        self._least_room = least_room(window, workers)
        self._refilled_at = window - self._least_room  # so many that are taken and not given
        self._items: dict[int, Item] = {}  # taken and not given
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
        self._errors: list[BaseException] = []  # of items, that were collected
        self._began = self._last = 0.0
        self._loop: asyncio.AbstractEventLoop | None = None  # where it is read
        self._reader = reader
        self._is_call = is_call
        self._log: StreamLog | None = None
        self._run: Home | None = None
        self._record: Record | None = None
        # Calls in a row that were made for items in a row, and are not written down.
        self._row, self._row_end, self._row_at = 0, -1, 0

    def _begin(self) -> None:
        self._began = self._last = perf_counter()
        self._loop = asyncio.get_running_loop()
        run_for, code, at = self._reader
        run = self._run = run_for()
        if not self._is_call:
            self._write_of(run, code, at)
        reader = run.reads(self._stop)
        if self._source.is_async and not self._window.is_closed:
            context = copy_context()
            context.run(READER.set, reader)
            self._asker = self._loop.create_task(self._ask(), context=context)

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
            wake(self._has_room)
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
            trim(problem)
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
            trim(problem)
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
        item = self._items[number] = Item(given, number, now)
        try:
            if self._key is not None:
                item.key = self._key(given)
            if self._generate is None:
                future = item.future = self._call(given)
            else:
                item.outlet = Outlet(partial(self._has_made, item))
                future = item.future = self._generate(given, item.outlet)
        except BaseException as error:  # of this item alone, which is over also where the error goes further
            trim(error)
            item.future = error
            self._window.end(number)
            self._tell()
            if isinstance(error, (KeyboardInterrupt, SystemExit)):
                raise
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

    def _name_item(self, item: Item, future: TaskFuture[Any]) -> None:
        if isinstance(item.key, str):
            future.own_label = item.key
        if self._record is not None and item.key is not None:
            self._record.segment.item_keys[future.id] = key_shown(item.key)

    def _ended(self, item: Item, future: TaskFuture[Any]) -> None:
        self._window.end(item.number)
        now = self._last = perf_counter()
        log = self._log
        if log is not None and now - item.at > log.slow:
            log.first = log.first or now
            log.note_slow(SlowItem(now - item.at, item.number - 1, key_shown(item.key), future.id))
        news = self._news
        if news is not None and not news.done():
            news.set_result(None)

    def _has_made(self, item: Item) -> None:
        if not self._window.ordered:
            self._made.append(item)
        self._tell()
        if self._log is not None:
            self._log.first = self._log.first or self._last

    def _tell(self) -> None:
        self._last = perf_counter()
        wake(self._news)

    # -- writing down -------------------------------------------------------------------------------------

    def _write_of(self, run: Home, code: CodeType, at: int) -> None:
        """Have the run's record know of the stream."""
        block, window = SCOPE.get().block, self._window
        log = self._log = StreamLog(
            *(self._name, code, at, 0 if block is None else block.id, window.size, window.ordered),
            *(None if run.stands_in(self._source.given) else self._source.total, self._began),
            self._look,
        )
        self._record = run.record
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
        self._log = None  # which knows the stream: what that holds need not wait for the garbage collector
        if log is not None and log.state == "open":
            log.state = "failed" if has_failed else "done" if self._window.is_done else "left"
            assert self._run is not None
            self._run.stream_ended(log)

    # -- leaving ------------------------------------------------------------------------------------------

    async def _leave(self) -> None:
        """Take no more, have stopped what is under way, and close the source.

        All of that is begun before anything is waited for: whoever waits may be cancelled once more.
        """
        if self._is_elsewhere():  # items and source are that loop's, and nobody else's to cancel
            assert self._loop is not None
            with suppress(RuntimeError):  # that has ended
                asyncio.run_coroutine_threadsafe(self._leave(), self._loop)
            return
        self._end_log()
        if self._run is not None:
            self._run.has_read(self._stop)
        self._window.close()
        items, self._items = self._items, {}
        futures = [item.future for item in items.values() if isinstance(item.future, TaskFuture)]
        for future in futures:
            if not future.cancel() and not future.cancelled():
                future.exception()  # nobody else will ask for it
        is_first, self._is_left = not self._is_left, True
        if is_first:
            self._call_off()
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
        """Take no more: no calls are taken. What is under way is given, and then the error is raised. Generators are at
        their end with what they have made: they might wait for ever for a reader who does not come.
        """
        making = [
            item.future for item in self._items.values() if item.outlet is not None and not is_over(item)
        ]
        if self._problem is None and (making or not self._window.is_closed):
            self._problem = EngineClosed(f"a stream of {self._name!r} was being read, but {why}")
        self._window.close()
        self._call_off()
        for future in making:
            if isinstance(future, TaskFuture):
                future.cancel()
        self._tell()

    def _is_elsewhere(self) -> bool:
        """Whether this is another event loop than that where it was begun."""
        return self._loop is not None and self._loop is not asyncio.get_running_loop()

    def _was_stopped(self, error: BaseException) -> bool:
        """Whether an item was cancelled since the engine is at its end."""
        return isinstance(error, asyncio.CancelledError) and isinstance(self._problem, EngineClosed)

    def _call_off(self) -> None:
        """Have the source be asked no more. Its clean-up is not cut short, if that has begun."""
        if self._asker is not None and not self._source.is_closed:
            self._asker.cancel()

    async def _close_source(self) -> None:
        if self._asker is not None and not self._asker.done():
            await asyncio.wait([self._asker])
        await self._source.close()  # which the asker has done, unless it never ran


def is_over(item: Item) -> bool:
    return not isinstance(item.future, TaskFuture) or item.future.done()


def error_of(item: Item) -> BaseException | None:
    future = item.future
    if not isinstance(future, TaskFuture):
        return future
    if future.cancelled():
        with suppress(BaseException):
            future.result()
        return asyncio.CancelledError()
    return future.exception()
