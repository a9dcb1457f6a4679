"""Warns of a body that keeps the event loop from going on, with the line on which it stands.

A thread looks, since the loop itself cannot. It sleeps while nothing runs there, and costs a body two stores a step.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Final
from weakref import WeakSet

from .._core.story import place_in
from .._core.task import Task
from .._show.words import seconds

_log = logging.getLogger("asyncflow")
_OURS: Final = str(Path(__file__).parents[1])
_DRIVERS: Final = [str(Path(__file__).with_name(name)) for name in ("body.py", "coroutines.py")]  # run bodies


_watching: Final[WeakSet[LoopWatch]] = WeakSet()
"""Those with a thread."""


def _before_fork() -> None:
    for watch in list(_watching):
        watch.pause()


# Python warns whoever forks beside threads, and the program has asked for none.
os.register_at_fork(before=_before_fork)


class LoopWatch:
    """Watches the bodies that run on one event loop.

    Args:
        patience: seconds that one may hold the loop up; infinite to watch nothing.
        begun: tells the body that the loop runs up to where it first waits; None while it runs none.
    """

    def __init__(self, patience: float, begun: Callable[[], Task | None]) -> None:
        self.body: Task | None = None
        """That goes on after it has waited, and runs now."""
        self.steps = 0
        """How often one has."""
        self.sleeps = patience < float("inf")
        """Whether it is to be woken when a body runs."""
        self._patience = patience
        self._begun = begun
        self._loop_thread = threading.get_ident()
        self._thread: threading.Thread | None = None
        self._seen: tuple[Task, int] | None = None  # the last time
        self._has_warned = False
        self._woken = threading.Event()
        self._closed = threading.Event()

    def wake(self) -> None:
        """A body runs. Is called on the loop's thread."""
        self.sleeps = False
        if self._thread is None:
            self._thread = threading.Thread(target=self._watch, name="asyncflow-loop-watch", daemon=True)
            self._thread.start()
            _watching.add(self)
        self._woken.set()

    def begins(self, body: Task) -> None:
        """A body goes on. Where each step of each body comes by, this is written out."""
        self.steps += 1
        self.body = body
        if self.sleeps:
            self.wake()

    def close(self) -> None:
        """Watch no more."""
        self.sleeps = False
        self._closed.set()
        self._woken.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(1)
            self._thread = None

    def pause(self) -> None:
        """Have no thread until a body goes on the next time."""
        thread = self._thread
        if thread is None or thread is threading.current_thread():
            return
        self._thread = None
        self._closed.set()
        self._woken.set()
        thread.join(1)
        self._closed.clear()
        self._woken.clear()
        self.sleeps = True

    def let_go(self) -> None:
        """In a forked child there is no such thread."""
        self.sleeps = False
        self._thread = None

    def _watch(self) -> None:
        while True:
            self._woken.wait()
            self._woken.clear()
            while not self._closed.wait(self._patience) and self.look():
                pass
            if self._closed.is_set():
                return

    def look(self) -> bool:
        """Warn, once, of a body that is in the midst of the step that it was in the last time. Tells whether to look
        again: if nothing runs, whoever runs next wakes the thread."""
        before, self._seen = self._seen, self._running()
        if self._seen is None:
            self.sleeps = True
            if self._running() is None:
                return False
            self.sleeps = False  # it may have begun before it could see that
        elif before is None or self._seen[0] is not before[0] or self._seen[1] != before[1]:
            self._has_warned = False
        elif not self._has_warned:
            self._has_warned = True
            self._warn(self._seen[0])
        return True

    def _running(self) -> tuple[Task, int] | None:
        body = self._begun() if self.body is None else self.body
        return None if body is None else (body, self.steps)

    def _warn(self, task: Task) -> None:
        frame = sys._current_frames().get(self._loop_thread)
        frames = _of_body(frame)
        if not frames:
            return  # it has just given the loop back
        body, inner = frames[-1], frames[0]
        where = place_in(body.f_code, body.f_lasti)
        if inner.f_code.co_filename != body.f_code.co_filename:
            where += f", and in there {place_in(inner.f_code, inner.f_lasti)}"
        mend = (
            "do the work in a task"
            if task.definition.is_block
            else "make it a plain def, which runs in a worker"
        )
        _log.warning(
            "%r (#%d) has held up the event loop for more than %s: it stands at %s\n"
            "  Nothing else goes on there meanwhile: have it await, or %s.",
            task.name_shown,
            task.id,
            seconds(self._patience),
            where,
            mend,
        )


def _of_body(frame: FrameType | None) -> list[FrameType]:
    """The frames of a body, the innermost first, up to where it calls us; none if the loop runs no body now."""
    found: list[FrameType] = []
    while frame is not None and frame.f_code.co_filename not in _DRIVERS:
        if frame.f_code.co_filename.startswith(_OURS):
            found.clear()
        else:
            found.append(frame)
        frame = frame.f_back
    return [] if frame is None else found
