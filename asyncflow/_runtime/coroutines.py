"""Runs coroutine tasks and blocks on the engine's event loop.

A coroutine that never waits needs no `asyncio.Task` of its own. So one asyncio task, the driver, runs the queued
bodies one after another, each in its own context. The moment a body waits for something, the driver it happens
to run in becomes that body's own task, and a new driver takes over the queue. ``asyncio.current_task``,
``asyncio.timeout`` and cancelling therefore work in a body as anywhere. A driver that anybody holds when a body is
over, be it by a key of a `WeakKeyDictionary`, runs no other: what is kept by asyncio task is kept by body.
"""

from __future__ import annotations

import asyncio
import types
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextvars import Context
from functools import partial
from sys import getrefcount
from time import perf_counter
from typing import Any, Final
from weakref import getweakrefcount

from .._core.states import CANCELLING, HANDED, NOW, SUBMITTED
from .._core.task import Task
from .._record.record import Record
from .._worker.forks import leave, leave_with
from ..backend import CANCELLED, FAILED, RAN, RETURNED, STARTED, SUCCEEDED, Event
from ..errors import CircularDependency, TaskTimeout
from . import inputs
from .failure import NO_VALUES
from .future import TaskFuture
from .scope import circle, enter_block, waits_for

Runner = Generator[Any, Any, None]
LOOP: Final = "the event loop"
"""What the loop is called as a worker."""


class Coroutines:
    """The event loop as a place where tasks run.

    Args:
        loop: the engine's.
        handle: takes events on the loop's thread.
        succeeded: takes a task that has ended and its value.
        flush: carries out what follows from it.
        record: is told when bodies have run; None if nobody wants to know.
        slice_seconds: for which bodies may run before everything else on the loop gets its turn; below 0, one body.
        keeps_time: whether a body fails that holds the loop up past its timeout.
        cut_short: called when something like Ctrl-C has come out of the driver.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        handle: Callable[[deque[Event]], None],
        succeeded: Callable[[Task, Any], None],
        flush: Callable[[], None],
        record: Record | None,
        slice_seconds: float,
        keeps_time: bool,
        cut_short: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._handle = handle
        self._succeeded = succeeded
        self._flush = flush
        self._record = record
        self._slice = slice_seconds
        self._keeps_time = keeps_time
        self._cut_short = cut_short
        self._queue: deque[Task] = deque()
        self._events: deque[Event] = deque()
        self._active: asyncio.Task[None] | None = None
        self._begun: Task | None = None  # runs at this moment; said to have started only when somebody asks
        self._over = _Over()
        self._first: Any = None  # what the body waits for that is just about to be an asyncio task of its own
        self._runner = _new_runner(self._over)
        self.waiting: dict[
            int, asyncio.Task[None]
        ] = {}  # the asyncio task of each body that waits for something

    def let_go(self) -> None:
        """In a forked child there is at most the body that forked, to be finished."""
        self._queue.clear()
        if self._begun is not None or asyncio.current_task(self._loop) in self.waiting.values():
            self._handle = partial(leave_with, SUCCEEDED, FAILED)
            self._flush = partial(leave, None)

    def submit(self, batch: Sequence[Task]) -> None:
        """Queue tasks."""
        self._queue.extend(batch)
        self._ensure_driver()

    def cancel(self, task: Task, msg: Any) -> None:
        """Cancel a body that waits, or take back one that has not begun."""
        driver = self.waiting.get(task.id)
        if driver is not None:
            driver.cancel(msg)
        elif task is not self._begun:
            # Queued, where its state makes the driver pass over it; or a block that waits for what it returned.
            self._handle(deque([(CANCELLED, task.id, None)]))

    def is_inside(self) -> bool:
        """Whether the code that asks is part of a body."""
        return self._begun is not None or asyncio.current_task() in self.waiting.values()

    def look_now(self) -> None:
        """Hand on the events that the driver has gathered."""
        if self._begun is not None and self._begun.story & NOW == SUBMITTED:
            # It began when the one before it ended, which is the last that was noted.
            began = None if self._record is None else (self._record.loop_since, LOOP)
            self._events.append((STARTED, self._begun.id, began))
        if self._events:
            self._handle(self._events)

    def _carry_on(self) -> None:
        """Carry out what follows from all that has ended since the last time."""
        if self._events:
            self._handle(self._events)
        else:
            self._flush()

    def _follow(self, link: Task, value: Any) -> None:
        """Run a link of a chain next, unless it was cancelled meanwhile."""
        if type(value) in NO_VALUES:
            self._events.extend(_given_back(link))
        elif link.story & NOW == SUBMITTED:
            inputs.fill((link,), _cannot_be)
            self._queue.appendleft(link)

    def mend(self, live: Iterable[Task]) -> None:
        """Go on where drivers were cut short: a body that one ran has failed, what it had taken is queued again.

        Args:
            live: all tasks that this place has, but for blocks that wait for what is inside of them.
        """
        begun = {task_id for task_id, driver in self.waiting.items() if driver.done()}
        for task_id in begun:
            del self.waiting[task_id]
        if self._begun is not None:
            begun.add(self._begun.id)
            self._begun = None
        if (
            self._active is None or self._active.done()
        ):  # else another goes on, in the midst of what it has at hand
            self._active = self._over.value = self._first = None
            self._runner = _new_runner(self._over)
        known = {task.id for task in self._queue}
        for task in live:
            now = task.story & NOW
            if task.id in known or task.id in self.waiting or task.waiting:
                continue
            if now == SUBMITTED and task.id not in begun:
                self._queue.append(task)
            elif SUBMITTED <= now <= CANCELLING:
                self._events.extend(_given_back(task.link))
                self._events.append((FAILED, task.id, KeyboardInterrupt()))
        self._carry_on()
        self._ensure_driver()

    def _ensure_driver(self) -> None:
        if self._active is None and self._queue:
            driver = self._main()
            driver.send(
                None
            )  # or a cancel before its first step would end it unseen, and nobody drove the queue
            # Not loop.create_task: a factory of eager tasks would begin it before it is known here.
            # A context of its own: one cannot be entered twice, as a loop inside of a body would.
            self._active = asyncio.Task(driver, loop=self._loop, name="asyncflow", context=Context())

    async def _main(self) -> None:
        try:
            try:
                await _turn()
            except asyncio.CancelledError:
                self._active = None
                self._ensure_driver()
                return
            await self._drive()
        except GeneratorExit:  # the loop was closed under it
            raise
        except BaseException:
            self._cut_short()
            raise

    @types.coroutine
    def _drive(self) -> Generator[Any, Any, None]:
        queue, over, record = self._queue, self._over, self._record
        succeeded, slice_ = self._succeeded, self._slice
        me: asyncio.Task[None] | None = self._active
        assert me is not None
        cancelling = me.cancelling
        strong, weak = getrefcount(me), getweakrefcount(me)
        began = self._goes_on(perf_counter())
        slice_end = began + slice_
        runner = self._runner
        send = runner.send
        while queue:
            task = queue.popleft()
            if task.story != HANDED and task.story & NOW != SUBMITTED:
                continue  # cancelled while it was queued
            self._begun = task
            definition = task.site.definition
            link = task.link
            context = task.snapshot.copy()
            try:
                if definition.is_block:
                    task.snapshot = context  # in which what it returns is looked at, too
                    awaited = context.run(self._enter_block, task)
                elif task.kwargs:
                    awaited = context.run(send, definition.fn(*task.args, **task.kwargs))
                else:
                    awaited = context.run(send, definition.fn(*task.args))
            except BaseException as error:
                runner = self._runner = _new_runner(self._over)
                send = runner.send
                began = self._gave_nothing(task, _ended_by(task, error, False), link, began)
                del (
                    task,
                    link,
                    context,
                )  # or the frames of its error would hold its future, which holds the error
            else:
                if awaited is over:
                    value = over.value
                    over.value = None
                    ended = perf_counter()
                    if (
                        definition.timeout is not None
                        and ended - began > definition.timeout
                        and self._keeps_time
                    ):
                        began = self._gave_nothing(task, (SUCCEEDED, task.id, None), link, began)
                    else:
                        # One look at the clock each: what the engine does from one body to the next counts as theirs.
                        began = ended
                        if record is not None:
                            record.ran_on_loop(task.id, began)
                        succeeded(task, value)
                        if link is not None:
                            self._follow(link, value)
                    value = None  # or it would be kept while another body waits in this frame
                else:
                    self._first, awaited = awaited, None  # for the same reason
                    yield from self._become(task, me, began, runner, context.run)
                    if self._active is not me:
                        break
                    runner = self._runner
                    send = runner.send
                    began = self._goes_on(perf_counter())
                    slice_end = began + min(slice_, 0)  # what is queued now has waited
            # Also when a body cancelled the asyncio task in which it happened to run, or left somebody who holds it, or
            # has run a loop inside the loop, where another driver has taken the queue.
            if cancelling() or getrefcount(me) != strong or getweakrefcount(me) != weak or me._callbacks:
                break
            if not queue:
                self._begun = None
                self._carry_on()
                began = self._goes_on(perf_counter())
            if began > slice_end:
                self._begun = None
                self._carry_on()
                try:
                    yield
                except asyncio.CancelledError:
                    break
                began = self._goes_on(perf_counter())
                slice_end = began + slice_
        if self._active is me:
            self._active = None
            self._begun = None
        self._carry_on()
        self._ensure_driver()

    def _enter_block(self, block: Task) -> Any:
        """Run a block's body up to where it first waits; a plain ``def``, to its end."""
        enter_block(block)
        body = block.definition.fn(*block.args, **block.kwargs)
        if block.definition.is_coroutine:
            return self._runner.send(body)
        self._over.value = body
        return self._over

    def _gave_nothing(self, task: Task, event: Event, link: Task | None, began: float) -> float:
        """A body has ended by an error, or too late; tells when the next begins."""
        ended = perf_counter()
        if link is not None:
            self._events.extend(_given_back(link))
        self._events.append((RAN, task.id, (began, ended, LOOP)))
        self._events.append(self._unless_late(task, event, ended - began))
        return self._goes_on(ended)

    def _unless_late(self, task: Task, event: Event, took: float) -> Event:
        """How a body has ended, which has failed if it held the loop up and so its own timeout's clock."""
        timeout = task.definition.timeout
        if timeout is None or took <= timeout or event[0] == CANCELLED or not self._keeps_time:
            return event
        return FAILED, task.id, TaskTimeout(task.id, task.name, timeout, LOOP, None)

    def _goes_on(self, now: float) -> float:
        """The next body begins now, and not when the last one ended."""
        if self._record is not None:
            self._record.paused(now)
        return now

    def _become(
        self, task: Task, me: asyncio.Task[None], began: float, runner: Runner, run: Callable[..., Any]
    ) -> Generator[Any, Any, None]:
        """Leave the queue to another driver and be the asyncio task of one body, until that is over."""
        link = task.link
        if self._active is me:  # else a loop inside of the body has left it already
            self._leave_queue()
        self.waiting[task.id] = me  # first, or a cancel that the next line carries out would miss it
        if task.story & NOW == SUBMITTED:
            self._events.append((STARTED, task.id, (began, LOOP)))
        if self._begun is task:
            self._begun = None
        if self._events:
            self._handle(self._events)
        self._ensure_driver()
        event = yield from self._wait(task, me, runner, run)
        ended = perf_counter()
        event = self._unless_late(task, event, ended - began)
        # another driver may have come and gone meanwhile, which a type checker cannot know
        if self._active is None and not me.cancelling():
            self._active = me
        if link is not None and event[0] != SUCCEEDED:
            self._events.extend(_given_back(link))
        self._events.append((RAN, task.id, (began, ended, LOOP)))
        self._events.append(event)
        self.look_now()
        if link is not None and event[0] == SUCCEEDED:
            self._follow(link, event[2])

    def make_way(self) -> None:
        """Have another driver, if a body is running. Is called by the loop: so the body runs a loop inside the loop, as
        `nest_asyncio` lets it, and its driver waits for that."""
        if self._begun is not None and self._active is not None and not self._active.done():
            self.look_now()
            self._begun = None
            self._leave_queue()
            self._ensure_driver()

    def _leave_queue(self) -> None:
        self._runner = _new_runner(self._over)
        self._active = None

    def _wait(
        self, task: Task, me: asyncio.Task[None], runner: Runner, run: Callable[..., Any]
    ) -> Generator[Any, Any, Event]:
        """Carry a body that waits through to its end, as `asyncio.Task` would, but in its own context."""
        awaited, self._first = self._first, None
        torn_down = False
        me.set_name(f"{task.name}#{task.id}")
        try:
            while awaited is not self._over:
                if isinstance(awaited, TaskFuture) and waits_for(task, awaited):
                    awaited._asyncio_future_blocking = False
                    awaited = run(runner.throw, CircularDependency(circle(task, awaited)))
                    continue
                try:
                    yield awaited
                except GeneratorExit:  # the loop was closed under it
                    torn_down = True
                    runner.close()
                    raise
                except BaseException as error:
                    awaited = run(runner.throw, error)
                else:
                    awaited = run(runner.send, None)
            value, self._over.value = self._over.value, None
            return SUCCEEDED, task.id, value
        except BaseException as error:
            if torn_down:
                raise
            return _ended_by(task, error, me.cancelling() > 0)
        finally:
            del self.waiting[task.id]


class _Over:
    """What the runners of one run yield when a body is over: nothing that a body waits for can be mistaken for it."""

    value: Any = None


@types.coroutine
def _turn() -> Generator[None, None, None]:
    """Wait for the next turn of the loop."""
    yield


@types.coroutine
def _runner(over: _Over) -> Generator[Any, Any, None]:
    """Runs one body after another. ``body.send(None)`` would tell the end of each by raising StopIteration, which costs
    as much as all the rest of the driver; a ``yield from`` inside the interpreter does not."""
    while True:
        body = yield over
        if type(body) is not types.CoroutineType:
            body = body.__await__()
        over.value = yield from body


def _new_runner(over: _Over) -> Runner:
    runner: Runner = _runner(over)
    runner.send(None)
    return runner


def _cannot_be(link: Task, error: Exception) -> None:
    raise error  # where futures stand as arguments of their own, any value fits


def _ended_by(task: Task, error: BaseException, cancelling: bool) -> Event:
    # A block that awaits what was cancelled is cancelled with it. A function that raises this by itself has failed:
    # taking it for a cancel would tell a lie about who wanted what.
    if isinstance(error, asyncio.CancelledError) and (cancelling or task.definition.is_block):
        return CANCELLED, task.id, None
    return FAILED, task.id, error


def _given_back(link: Task | None) -> Iterator[Event]:
    """What follows a body that gave no value is not begun."""
    while link is not None:
        if link.story & NOW == SUBMITTED:
            yield RETURNED, link.id, None
        link = link.link
