"""Runs an engine from a plain script: a loop of its own, and what Ctrl-C and a request to end do."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final, NoReturn, TypeVar

T = TypeVar("T")
_SIGNALED: Final = 128  # is added to a signal's number for the exit code, as shells have it
_TO_END: Final = (signal.SIGTERM, signal.SIGHUP)
"""What batch systems, containers and closed terminals send."""


class Interrupted(KeyboardInterrupt, SystemExit):
    """Ctrl-C, SIGTERM or SIGHUP has ended a workflow and all is cleaned up. Uncaught, the script ends with exit code
    130, 143 or 129 and without a traceback; ``except KeyboardInterrupt`` catches it.

    Args:
        number: of the signal.
    """

    def __init__(self, number: int = signal.SIGINT) -> None:
        super().__init__(_SIGNALED + number)
        self.code = _SIGNALED + number


def run_script(main: Callable[[], Coroutine[object, object, T]]) -> T:
    """Run a coroutine function to its end, on a new loop that is closed after.

    Args:
        main: begins and shuts down the engine itself; is cancelled by the first Ctrl-C, SIGTERM or SIGHUP.

    Raises:
        Interrupted: one of these has come.
    """
    runner = asyncio.Runner()
    loop = runner.get_loop()
    task = loop.create_task(main())
    with _told_to_end(loop, task) as come, runner:  # the loop's own end is still watched over
        try:
            return runner.run(_result(task))
        except asyncio.CancelledError:
            if come:
                raise Interrupted(come[0]) from None
            raise


async def _result(task: asyncio.Task[T]) -> T:
    return await task


@contextmanager
def _told_to_end(loop: asyncio.AbstractEventLoop, task: asyncio.Task[object]) -> Iterator[list[int]]:
    """The first signal cancels, a Ctrl-C after that ends the process at once. The old handlers are put back after.

    SIGTERM and SIGHUP are taken only where they would end the process: a handler of the user's stays, and so does a
    SIGHUP that ``nohup`` has ignored. They often come in pairs, of a supervisor or of a shell and its terminal, so
    another one of them changes nothing.
    """
    come: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield come  # signals are none of this thread's business
        return

    def on_signal(number: int, frame: object) -> None:
        come.append(number)
        if len(come) > 1:
            if number == signal.SIGINT:
                _end_now()
            return
        with suppress(RuntimeError):  # the loop is closed: it is all over anyway
            loop.call_soon_threadsafe(task.cancel)

    taken = [signal.SIGINT, *(number for number in _TO_END if signal.getsignal(number) is signal.SIG_DFL)]
    with _woken_by_signals(loop), _in_this_process_only(dict.fromkeys(taken, on_signal)):
        yield come


_put_back: list[Callable[[], None]] = []
_mask: list[set[Any]] = []  # of signals, while a fork is under way


@contextmanager
def _in_this_process_only(handlers: dict[int, Any]) -> Iterator[None]:
    """Handle signals until this is left. A child that the program forks has no run to cancel, and must end when a pool
    or the system tells it to: there they are handled as before."""
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}

    def put_back() -> None:
        for number, handler in before.items():
            replaceable = {
                handlers[number],
                signal.SIG_DFL,
                signal.default_int_handler,
            }  # a loop that closes sets these
            if signal.getsignal(number) in replaceable:
                signal.signal(number, handler)

    _put_back.append(put_back)
    try:
        yield
    finally:
        if put_back in _put_back:
            _put_back.remove(put_back)
            put_back()


def _before_fork() -> None:
    # One that comes to the child before its handlers are put back would be lost.
    _mask.append(signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, *_TO_END) if _put_back else ()))


def _after_fork() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _mask.pop())


def _in_a_forked_child() -> None:
    if _put_back:
        _put_back.pop()()
        signal.set_wakeup_fd(-1)  # it would wake the loop of this process's parent
    _after_fork()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_in_a_forked_child)


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


at_once: Final[list[Callable[[], object]]] = []
"""What is still to be done before a process is ended without cleaning up."""


def _end_now() -> NoReturn:
    for each in at_once:
        with suppress(Exception):
            each()
    try:
        print("Interrupted twice: ended at once, without cleaning up.", file=sys.stderr, flush=True)
        sys.stdout.flush()
    finally:  # a stream cannot be entered where the signal has come in the middle of a write to it
        os._exit(_SIGNALED + signal.SIGINT)
