"""Has the event loop of a notebook wake up when its kernel is interrupted."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
import threading
from typing import ClassVar


class Awake:
    """An event loop that each signal wakes, until the last of those who have asked for it has closed it.

    While a cell awaits something, a kernel of IPython handles SIGINT by a function that only leaves word for its event
    loop. One that sleeps in ``select`` is not woken by that: the interrupt would take effect when something else
    happens, such as the end of the task that the cell waits for. `asyncio` itself sees to this only for handlers that
    are given to ``loop.add_signal_handler``. No handler is installed here.

    Args:
        loop: of this thread, which is the main one.
    """

    _open: ClassVar[Awake | None] = None

    @classmethod
    def of(cls, loop: asyncio.AbstractEventLoop) -> Awake | None:
        """For the loop of a notebook; None where there is none, or where somebody sees to it already."""
        if "ipykernel" not in sys.modules or threading.current_thread() is not threading.main_thread():
            return None
        if cls._open is None or cls._open._loop is not loop:
            before = signal.set_wakeup_fd(-1)
            if before != -1:
                signal.set_wakeup_fd(before)
                return None
            cls._open = cls(loop)
        cls._open._users += 1
        return cls._open

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._users = 0
        self._ear, self._mouth = socket.socketpair()
        for end in (self._ear, self._mouth):
            end.setblocking(False)
        loop.add_reader(self._ear, self._ear.recv, 4096)
        signal.set_wakeup_fd(self._mouth.fileno(), warn_on_full_buffer=False)

    def close(self) -> None:
        """Leave signals as they were; from any thread, for an engine may end where the garbage collector is."""
        if threading.current_thread() is threading.main_thread():
            self._close()
        elif not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._close)

    def _close(self) -> None:
        self._users -= 1
        if self._users:
            return
        type(self)._open = None
        ours = self._mouth.fileno()
        now = signal.set_wakeup_fd(-1)
        if now != ours:  # somebody has come after us
            signal.set_wakeup_fd(now)
        if not self._loop.is_closed():
            self._loop.remove_reader(self._ear)
        self._ear.close()
        self._mouth.close()
