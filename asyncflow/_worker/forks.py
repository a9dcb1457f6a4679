"""What becomes of the engine's things in a child that the program forks: they go on in the parent, and are none of its.

A child of `multiprocessing` leaves by itself. One that comes back out of a task would go on as a second engine, with
the same work before it; so it ends where the task does.
"""

from __future__ import annotations

import os
import select
import selectors
import signal
import sys
import weakref
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Final, NoReturn, Protocol


class Held(Protocol):
    """Something that belongs to this process only."""

    def let_go(self) -> None:
        """Do without it, in a child that was just forked: end nothing, wait for nothing."""


_held: Final[weakref.WeakSet[Any]] = weakref.WeakSet()


def held_here(thing: Held) -> None:
    """Have an object release what belongs to the parent (``let_go()``) in children that the program forks. Only a
    weak reference to it is kept."""
    _held.add(thing)


def not_held(thing: Held) -> None:
    """The object has nothing to release in children any more."""
    _held.discard(thing)


def _let_go() -> None:
    problems = []
    for thing in list(_held):
        try:
            thing.let_go()
        except Exception as problem:  # the others are let go of all the same
            problems.append(problem)
    _held.clear()
    if problems:
        raise problems[0]


os.register_at_fork(after_in_child=_let_go)


def own_ears(loop: Any) -> None:
    """Give a forked child an event loop that waits for nothing of its parent's. A loop that is not asyncio's own
    stays as it is."""
    selector = getattr(loop, "_selector", None)
    kind = getattr(selectors, "EpollSelector", None)  # Linux has it
    if loop.is_closed() or kind is None or not isinstance(selector, kind):
        return
    with select.epoll() as own:
        os.dup2(own.fileno(), selector.fileno(), inheritable=False)
    loop._close_self_pipe()
    loop._make_self_pipe()
    with suppress(ValueError):
        signal.set_wakeup_fd(-1)  # it may have been what was just closed


def leave_with(succeeded: int, failed: int, events: Iterable[tuple[int, int, Any]] = ()) -> None:
    """End this process, a forked child, if the task is over that it came out of.

    Args:
        succeeded: the kind of an event that tells of a value.
        failed: the kind of one that tells of an exception.
        events: for the engine, which is not here.
    """
    for kind, _, payload in events:
        if kind == failed:
            leave(payload)
        if kind == succeeded:
            leave(None)


def leave(error: BaseException | None) -> NoReturn:
    """End this process as an interpreter would after an error (None: without one), but without the exit handlers of
    its parent."""
    code = 0
    try:
        if isinstance(error, SystemExit) and (error.code is None or isinstance(error.code, int)):
            code = error.code or 0
        elif error is not None:
            code = 1
            if isinstance(error, SystemExit):
                print(error.code, file=sys.stderr)
            else:
                sys.excepthook(type(error), error, error.__traceback__)
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
    finally:
        os._exit(code & 0xFF)
