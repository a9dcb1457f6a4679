"""Brings reports from any thread into the event loop, with one wake-up for a burst. It decides nothing.

Like a network card's driver, it works in two ways. While little is under way each report wakes the loop at once,
so that the next link of a chain starts without delay. While much is under way the loop looks again after a
window of a millisecond instead, or as soon as so many reports have come that workers may soon be idle; those that
come in meanwhile wake nobody: otherwise threads that finish a task each few microseconds would hand the
interpreter lock back and forth once a task. As soon as a window passes in which nothing came the loop sleeps
until it is woken. Idle, there is no timer at all.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from contextvars import Context
from threading import get_ident
from typing import Final

from .._turns import Due, Turns
from ..backend import RETURNED, SUCCEEDED, Event

_WINDOW: Final = 0.001  # seconds; the finest that epoll waits
_MOST: Final = 1000  # events handled at a time
_NEVER: Final = 1 << 62
_BUSY: Final = 16  # pieces of work under way from which windows pay


class Inbox:
    """Passes events from any thread to the event loop.

    Args:
        turns: of the loop where they are handled.
        handle: takes them, in order, and no more than it is told.
        under_way: how many pieces of work were submitted and are not reported over.
    """

    def __init__(
        self,
        turns: Turns,
        handle: Callable[[deque[Event], int], None],
        under_way: Callable[[], int],
    ) -> None:
        self._turns = turns
        self._thread = get_ident()
        self._handle = handle
        self._context = Context()  # else each wake-up would hold on to its reporter's context variables
        self._events: deque[Event] = deque()
        self._awake = False
        self._under_way = under_way
        self._window: Due | None = None
        self._enough = _NEVER  # reports that end a window early
        self.starts_matter = False  # a clock has to start with the work

    def report(self, events: Sequence[Event]) -> None:
        """Take events, from any thread."""
        # Added first, and the flag is looked at second; `_take` does it the other way round. So one of the two threads
        # sees what the other did, and no event is left lying while the loop sleeps.
        self._events.extend(events)
        # Two threads may both find the loop asleep and both wake it: harmless, and cheaper than a lock each time.
        # A start alone wakes nobody: whoever asks for a state looks in here first.
        if self._awake:
            if len(self._events) >= self._enough:
                self._enough = _NEVER
                self._wake()
        elif events and (self.starts_matter or events[-1][0] or any(event[0] for event in events)):
            self._wake()

    def _wake(self) -> None:
        try:
            self._awake = True
            if get_ident() == self._thread:  # the loop is at work, and looks again before it sleeps
                self._turns.call_soon(self._look, context=self._context)
            else:
                self._turns.call_soon_threadsafe(self._look, context=self._context)
        except RuntimeError:
            pass  # the loop is closed: nobody is left to tell
        except BaseException:  # Ctrl-C, and nobody knows whether the loop was woken
            self._awake = False
            raise

    def over(self) -> set[int]:
        """The ids of work that was reported over, which nobody has looked at yet."""
        # Copied in one step of the interpreter: other threads add to it meanwhile.
        return {task_id for kind, task_id, _ in list(self._events) if SUCCEEDED <= kind <= RETURNED}

    def look_now(self) -> None:
        """Handle what is there; on the loop's thread only."""
        if self._events:
            self._handle(self._events, len(self._events))

    def _look(self) -> None:
        try:
            self._take()
        except BaseException:  # or nothing would ever wake the loop again
            self._again()
            raise

    def _take(self) -> None:
        came = len(self._events)
        if self._window is not None:
            self._window.cancel()
            self._window = None
        if came:
            self._handle(self._events, _MOST)
            if came > _MOST:  # others on the loop have their turn, and then the rest
                self._again()
                return
            under_way = self._under_way()
            if under_way >= _BUSY:
                self._window = self._turns.call_later(_WINDOW, self._look, context=self._context)
                self._enough = under_way  # all is over, or half of it where starts are reported too
                return
        self._enough = _NEVER
        self._awake = False
        # What was added before the flag fell woke nobody. What is added from here on does.
        if self._events:
            self._again()

    def _again(self) -> None:
        # Not threadsafe, as it need not be: that writes to a pipe and reads from it, and lets go of the interpreter
        # lock for both. Where threads compute, each time costs the switch intervals of all of them.
        self._awake = True
        self._turns.call_soon(self._look, context=self._context)
