"""Runs coroutine tasks and blocks on the engine's event loop.

A coroutine that never waits needs no `asyncio.Task` of its own. So one asyncio task, the driver, runs the queued
bodies one after another, each in its own context. The moment a body waits for something, the driver it happens
to run in becomes that body's own task (see `body`), and a new driver takes over the queue. ``asyncio.current_task``,
``asyncio.timeout`` and cancelling therefore work in a body as anywhere. A driver that anybody holds when a body is
over, be it by a key of a `WeakKeyDictionary`, runs no other: what is kept by asyncio task is kept by body.
"""

from __future__ import annotations

import asyncio
import types
from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import suppress
from contextvars import Context
from sys import getrefcount
from time import perf_counter
from typing import Any, Final, Protocol
from weakref import getweakrefcount

from .._core.arguments import ALL
from .._core.states import CANCELLING, HANDED, NOW, SUBMITTED
from .._core.task import Task
from .._record.record import Record
from .._turns import Turns
from .._worker.forks import leave, leave_with
from .._worker.whose import ASKED, IDENTITY, Identity, runs
from ..backend import CANCELLED, FAILED, RAN, STARTED, SUCCEEDED, Event
from ..errors import TaskTimeout
from . import inputs
from .body import Over, Runner, given_back, new_runner, raised, to_its_end
from .carrier import Carrier
from .failure import NO_VALUES
from .loop_watch import LoopWatch
from .place import Local
from .scope import enter_block

LOOP: Final = "the event loop"
"""What the loop is called as a worker."""


class Sink(Protocol):
    """Takes what becomes of bodies, on the loop's thread."""

    record: Record | None

    def handle(self, events: deque[Event], /) -> None:
        """Take events, which are removed, and carry out what follows from them."""

    def succeeded(self, task: Task, value: object, /) -> None:
        """Take a task that has ended and its value; what follows is carried out later."""

    def flush(self) -> None:
        """Carry out what follows."""

    def cut_short(self) -> None:
        """An exception such as Ctrl-C has come out of a driver."""


def _begun(held: Mapping[str, Any]) -> Identity | None:
    """Whose body a driver runs."""
    task: Task | None = held["self"]._begun
    return None if task is None else task.identity


class Coroutines(Local):
    """The event loop as a place where tasks run.

    Args:
        loop: the engine's.
        turns: where its turns are asked for.
        sink: takes what becomes of them.
        slice_seconds: for which bodies may run before everything else on the loop gets its turn; below 0, one body.
        keeps_time: whether a body fails that holds the loop up past its timeout.
        patience: seconds that a body may hold the loop up before it is named in a warning.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        turns: Turns,
        sink: Sink,
        slice_seconds: float,
        keeps_time: bool,
        patience: float,
    ) -> None:
        self._loop = loop
        self._turns = turns
        self._sink = sink
        self._record = sink.record
        self._slice = slice_seconds
        self._keeps_time = keeps_time
        self._queue: deque[Task] = deque()
        self._events: deque[Event] = deque()
        self._active: Carrier | None = None
        self._begun: Task | None = None  # runs at this moment; said to have started only when somebody asks
        self._over = Over()
        self._runner = new_runner(self._over)
        self.watch = LoopWatch(patience, lambda: self._begun)
        self.waiting: dict[int, Carrier] = {}
        """The asyncio task of each body that waits for something."""

    def let_go(self) -> None:
        """In a forked child there is at most the body that forked, to be finished."""
        self._queue.clear()
        self.watch.let_go()
        if self._begun is not None or asyncio.current_task(self._loop) in self.waiting.values():
            self._sink = _Leaving()

    def submit(self, batch: Sequence[Task]) -> None:
        """Queue tasks."""
        self._queue.extend(batch)
        self._ensure_driver()

    def cancel(self, task: Task, msg: object) -> None:
        """Cancel a body that waits, or take back one that has not begun."""
        driver = self.waiting.get(task.id)
        if driver is not None:
            driver.cancel(msg)
        elif task is not self._begun:
            # Queued, where its state makes the driver pass over it; or a block that waits for what it returned.
            self._sink.handle(deque([(CANCELLED, task.id, None)]))

    def is_inside(self) -> bool:
        """Whether the code that asks is part of a body."""
        return self._begun is not None or asyncio.current_task() in self.waiting.values()

    def inside_of(self) -> Task | None:
        """The task of whose body the code that asks is part; None if it is of none."""
        if self._begun is not None:
            return self._begun
        current = asyncio.current_task()
        return current.body if isinstance(current, Carrier) else None

    def look_now(self) -> None:
        """Hand on the events that the driver has gathered."""
        if self._begun is not None and self._begun.story & NOW == SUBMITTED:
            # It began when the one before it ended, which is the last that was noted.
            began = None if self._record is None else (self._record.loop_since, LOOP)
            self._events.append((STARTED, self._begun.id, began))
        if self._events:
            self._sink.handle(self._events)

    def _carry_on(self) -> None:
        """Hand on the events of all bodies that have ended since the last time, and carry out what follows."""
        if self._events:
            self._sink.handle(self._events)
        else:
            self._sink.flush()

    def _follow(self, link: Task, value: object) -> None:
        """Run a link of a chain next, unless it was cancelled meanwhile."""
        if type(value) in NO_VALUES:
            self._events.extend(given_back(link))
        elif link.story & NOW == SUBMITTED:
            if link.holes is ALL:  # as `inputs.fill`, written out: nearly all come by here
                link.args = tuple(map(inputs.value_of, link.args))
                link.holes = None
            else:
                inputs.fill((link,), _cannot_be, inputs.value_here)
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
        if self._active is None or self._active.done():
            # Else another goes on, in the midst of what it has at hand.
            self._active = self._over.value = None
            self._runner = new_runner(self._over)
        known = {task.id for task in self._queue}
        for task in live:
            now = task.story & NOW
            if task.id in known or task.id in self.waiting or task.waiting:
                continue
            if now == SUBMITTED and task.id not in begun:
                self._queue.append(task)
            elif SUBMITTED <= now <= CANCELLING:
                self._events.extend(given_back(task.link))
                self._events.append((FAILED, task.id, KeyboardInterrupt()))
        self._carry_on()
        self._ensure_driver()

    def _ensure_driver(self) -> None:
        if self._active is None and self._queue:
            driver: Any = self._main()
            # Or a cancel before its first step would end it unseen, and nobody drove the queue.
            driver.send(None)
            # Not loop.create_task: a factory of eager tasks would begin it before it is known here.
            # A context of its own: one cannot be entered twice, as a loop inside of a body would.
            is_sure = self._turns is not self._loop
            self._active = Carrier(driver, loop=self._loop, context=Context(), is_sure=is_sure)
            if is_sure:  # Ctrl-C may take the first step of this
                self._turns.call_soon(self._ensure_begun, self._active, driver.cr_await)

    def _ensure_begun(self, carrier: Carrier, first: Any) -> None:
        """A driver had its first turn just now, if Ctrl-C did not come just before; then there is to be another."""
        body: Any = carrier.get_coro()
        if self._active is carrier and body.cr_await is first:
            carrier._log_destroy_pending = False
            self._active = None
            self._ensure_driver()

    async def _main(self) -> None:
        try:
            try:
                await _turn()
            except asyncio.CancelledError:
                self._active = None
                self._ensure_driver()
                return
            me = self._active
            assert me is not None
            await self._drive(me)
            self._hand_over(me)
        except GeneratorExit:  # the loop was closed under it
            raise
        except BaseException:
            self._sink.cut_short()
            raise

    def _hand_over(self, me: Carrier) -> None:
        """Leave what is queued to another driver, if this one still has it."""
        if self._active is me:
            self._active = self._begun = None
        self._carry_on()
        self._ensure_driver()

    @runs(_begun)
    @types.coroutine
    def _drive(self, me: Carrier) -> Generator[object, object, None]:
        """Run what is queued, until the asyncio task is somebody else's or another one drives the queue."""
        queue, over, succeeded = self._queue, self._over, self._sink.succeeded
        records = self._record is not None
        ran, at = (float, float) if self._record is None else self._record.ran_on_loop
        strong, weak = getrefcount(me), getweakrefcount(me)
        began, runner = self._goes_on(perf_counter()), self._runner
        send, slice_end = runner.send, began + self._slice
        while queue:
            task = queue.popleft()
            if task.story != HANDED and task.story & NOW != SUBMITTED:
                continue  # cancelled while it was queued
            self._begun = (
                task  # if Ctrl-C comes out of this, `mend` fails this body and drives on with the next
            )
            definition, link, context = task.site.definition, task.link, task.snapshot.copy()
            if ASKED:
                context.run(IDENTITY.set, task.identity)
            try:
                if definition.is_block:
                    awaited = self._enter_block(task, context)
                elif task.kwargs:
                    awaited = context.run(send, definition.body(*task.args, **task.kwargs))
                else:
                    awaited = context.run(send, definition.body(*task.args))
            except BaseException as error:
                began, runner = self._raised(task, error, link, began)
                send = runner.send
                del task, link, context  # or the error's frames would hold the future, which holds the error
            else:
                if awaited is not over:  # the body waits: this asyncio task is its own from here on
                    over.value, awaited = awaited, None  # or it would be kept as long as the body waits
                    yield from self._become(task, me, began, runner, context.run)
                    if self._active is not me:
                        break  # another has taken the queue, and keeps it
                    began, runner = self._goes_on(perf_counter()), self._runner
                    send, slice_end = runner.send, began + min(self._slice, 0)  # what is queued has waited
                elif definition.timeout is not None and self._was_late(task, link, began):
                    began = self._goes_on(perf_counter())
                else:
                    began = perf_counter()  # one look each: what the engine does now counts as the next's
                    if records:
                        ran(task.id)
                        at(began)
                    succeeded(task, over.value)
                    if link is not None:
                        self._follow(link, over.value)
                    over.value = None  # or it would be kept until the next body is over
            if not queue or began > slice_end:
                began, slice_end = yield from self._pause(me, slice_end)
            # A body may have left somebody who holds this asyncio task: it is the body's own then, and runs no other.
            # One that has run a loop inside of the loop has made another the active one, and so one less holds this.
            if me.touched or getrefcount(me) != strong or getweakrefcount(me) != weak:
                break

    def _pause(self, me: Carrier, slice_end: float) -> Generator[object, None, tuple[float, float]]:
        """Carry out what follows; when bodies have had their time, give the rest of the loop its turn. Tells when the
        next one begins, and until when bodies may run."""
        self._begun = None
        self._carry_on()
        if perf_counter() > slice_end:
            with suppress(asyncio.CancelledError):  # it is touched now, and runs no other body
                yield me.waits_for(None)
            slice_end = perf_counter() + self._slice
        return self._goes_on(perf_counter()), slice_end

    def _enter_block(self, block: Task, context: Context) -> object:
        """Run a block's body up to where it first waits; a plain ``def``, to its end."""
        block.snapshot = context  # in which what it returns is looked at, too
        context.run(enter_block, block)
        try:
            awaited = context.run(block.definition.body, *block.args, **block.kwargs)
            if block.definition.is_coroutine:
                return context.run(self._runner.send, awaited)
            self._over.value = awaited
            return self._over
        finally:
            del block, context  # or an error's frames would hold the future, which holds the error

    def _raised(
        self, task: Task, error: BaseException, link: Task | None, began: float
    ) -> tuple[float, Runner]:
        """A body has raised an error before it has waited. Tells when the next begins, and what runs it."""
        self._runner = new_runner(self._over)
        ended = perf_counter()
        self._ended(task, raised(task, error, False), link, began, ended)
        return self._goes_on(ended), self._runner

    def _was_late(self, task: Task, link: Task | None, began: float) -> bool:
        """Whether a body has had a value too late; then that is its end."""
        ended = perf_counter()
        timeout = task.definition.timeout
        if timeout is None or ended - began <= timeout or not self._keeps_time:
            return False
        self._over.value = None
        self._ended(task, (SUCCEEDED, task.id, None), link, began, ended)
        return True

    def _ended(self, task: Task, event: Event, link: Task | None, began: float, ended: float) -> bool:
        """Note how a body has ended, and when it has run. If it held the loop up past its timeout, and with it the
        timeout's own clock, it has failed. Tells whether it has succeeded."""
        timeout = task.definition.timeout
        if timeout is not None and ended - began > timeout and event[0] != CANCELLED and self._keeps_time:
            event = FAILED, task.id, TaskTimeout(task.id, task.name, timeout, LOOP, None)
        if link is not None and event[0] != SUCCEEDED:
            self._events.extend(given_back(link))
        self._events.append((RAN, task.id, (began, ended, LOOP)))
        self._events.append(event)
        return event[0] == SUCCEEDED

    def _goes_on(self, now: float) -> float:
        """The next body begins now, and not when the last one ended."""
        if self._record is not None:
            self._record.paused(now)
        if self.watch.sleeps:
            self.watch.wake()
        return now

    def _become(
        self, task: Task, me: Carrier, began: float, runner: Runner, run: Callable[..., object]
    ) -> Generator[object, object, None]:
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
            self._sink.handle(self._events)
        self._ensure_driver()
        try:
            event = yield from to_its_end(task, me, runner, self._over, run, self.watch)
        finally:
            del self.waiting[task.id]
        # Another driver may have come and gone meanwhile.
        if self._active is None and not me.touched:
            self._active = me
        succeeded = self._ended(task, event, link, began, perf_counter())
        self.look_now()
        if link is not None and succeeded:
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
        self._runner = new_runner(self._over)
        self._active = None


class _Leaving:
    """In a forked child: the task that it came out of has ended, and so does the process."""

    record: Record | None = None

    def handle(self, events: deque[Event], /) -> None:
        leave_with(SUCCEEDED, FAILED, events)

    def succeeded(self, task: Task, value: object, /) -> None:
        leave(None)

    def flush(self) -> None:
        leave(None)

    def cut_short(self) -> None:
        """There is nothing that could go on."""


@types.coroutine
def _turn() -> Generator[None, None, None]:
    """Wait for the next turn of the loop."""
    yield


def _cannot_be(link: Task, error: Exception) -> None:
    raise error  # where futures stand as arguments of their own, any value fits
