"""No test may hang: past its time, every thread's stack is shown and what runs in the main thread is stopped."""

from __future__ import annotations

import faulthandler
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final, TextIO

_AGAIN: Final = 5.0  # seconds; code under test may catch what is raised in it, so that once may not be enough
_END: Final = 30.0  # seconds after which a main thread that cannot be reached is taken to be stuck in C


class TookTooLong(AssertionError):
    """A block of code was not over by its `deadline`."""


@contextmanager
def deadline(seconds: float, *, file: TextIO | int | None = None) -> Iterator[None]:
    """Stop a block of code that takes too long.

    Where the main thread does not listen either, the whole process is ended.

    Args:
        seconds: that it may take.
        file: where the stacks go; None for the standard error.

    Raises:
        TookTooLong: in the main thread, wherever it is by then.
    """
    where = sys.__stderr__ if file is None else file
    assert where is not None
    stoppable = hasattr(signal, "SIGALRM") and threading.current_thread() is threading.main_thread()
    if not stoppable:
        with _ended_after(seconds, where):
            yield
        return

    def on_alarm(number: int, frame: FrameType | None) -> None:
        if _is_pytests_report(frame):
            return  # it comes again
        faulthandler.dump_traceback(where)
        raise TookTooLong(
            f"not over after {seconds:g} s; the stacks of all threads are on the standard error"
        )

    begun = time.monotonic()
    before = signal.signal(signal.SIGALRM, on_alarm)
    outer, again = signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN)
    try:
        with _ended_after(seconds + _END, where):
            yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        if outer:  # the deadline around this one; zero would unset it
            left = max(outer - (time.monotonic() - begun), 0.001)
            signal.setitimer(signal.ITIMER_REAL, left, again)


def _is_pytests_report(frame: FrameType | None) -> bool:
    """Whether pytest puts a failure into words, which it does before a test's fixtures end: errors there end pytest."""
    while frame is not None and frame.f_code.co_name != "pytest_runtest_makereport":
        frame = frame.f_back
    return frame is not None


@contextmanager
def _ended_after(seconds: float, where: TextIO | int) -> Iterator[None]:
    faulthandler.dump_traceback_later(seconds, exit=True, file=where)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
