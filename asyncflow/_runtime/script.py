"""Runs an engine from a plain script: a loop of its own, and what Ctrl-C does."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NoReturn, TypeVar

T = TypeVar("T")
_EXIT_CODE = 130  # 128 + SIGINT, as shells have it


class Interrupted(KeyboardInterrupt, SystemExit):
    """Ctrl-C has ended a workflow and all is cleaned up. Uncaught, the script ends with exit code 130 and without a
    traceback; ``except KeyboardInterrupt`` catches it."""

    def __init__(self) -> None:
        super().__init__(_EXIT_CODE)
        self.code = _EXIT_CODE


def run_script(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine function to its end, on a new loop that is closed after.

    Args:
        main: begins and shuts down the engine itself; is cancelled by the first Ctrl-C.

    Raises:
        Interrupted: Ctrl-C was pressed.
    """
    runner = asyncio.Runner()
    loop = runner.get_loop()
    task = loop.create_task(main())
    with _ctrl_c(loop, task) as pressed, runner:  # the loop's own end is still watched over
        try:
            return runner.run(_result(task))
        except asyncio.CancelledError:
            if pressed:
                raise Interrupted from None
            raise


async def _result(task: asyncio.Task[T]) -> T:
    return await task


@contextmanager
def _ctrl_c(loop: asyncio.AbstractEventLoop, task: asyncio.Task[Any]) -> Iterator[list[int]]:
    """The first Ctrl-C cancels, the second ends the process at once. The old handler is put back after."""
    pressed: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield pressed  # signals are none of this thread's business
        return

    def on_signal(number: int, frame: Any) -> None:
        pressed.append(number)
        if len(pressed) > 1:
            _end_now()
        with suppress(RuntimeError):  # the loop is closed: it is all over anyway
            loop.call_soon_threadsafe(task.cancel)

    before = signal.signal(signal.SIGINT, on_signal)
    try:
        with _woken_by_signals(loop):
            yield pressed
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _woken_by_signals(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Have each signal wake the loop. Without, one that comes just before the loop goes to sleep is noticed only when
    something else wakes it. (A handler of the loop's own would not do: it waits for a task that holds the loop up.)"""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        theirs.setblocking(False)
        loop.add_reader(ours, ours.recv, 4096)
        before = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(before)
            loop.remove_reader(ours)


def _end_now() -> NoReturn:
    try:
        print("Interrupted twice: ended at once, without cleaning up.", file=sys.stderr, flush=True)
        sys.stdout.flush()
    finally:  # a stream cannot be entered where the signal has come in the middle of a write to it
        os._exit(_EXIT_CODE)
