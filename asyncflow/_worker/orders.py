"""Carries out the engine's orders while a task runs: a thread waits for them, and a signal stops the task.

The thread takes the interpreter only when an order has come, and all it does is to take calls out of the queue that
the main thread takes them from, and to send the main thread a signal.
"""

from __future__ import annotations

import os
import pickle
import signal
import socket
import threading
from typing import Any

from . import wire
from .call_queue import CallQueue
from .process_state import ProcessState
from .records import NOBODY
from .store import Store, have_here
from .wire import Stopped


class Orders:
    """What a worker process is told to stop, and what it runs.

    Two variables, each with one writer: the main thread says in `current` which call runs, and this one's thread in
    `to_stop` which is not to. Each writes its own before it reads the other's. So of a call that begins just as the
    order comes, one of them sees it: the main thread before it begins, or the thread, which then sends the signal. A
    signal that comes late finds another call, or none, and does nothing.

    Args:
        channel: the socket that orders come from.
        calls: those that have not begun.
    """

    def __init__(self, channel: socket.socket, calls: CallQueue) -> None:
        self._channel = channel
        self._calls = calls
        self._main = threading.get_ident()
        self.current = NOBODY  # as `wire.call_id` tells attempts apart
        self.to_stop = NOBODY
        self._event_loop: Any = None
        self._coroutine: Any = None  # the asyncio task that runs
        signal.signal(signal.SIGUSR1, self._on_stop)
        # After that, since it keeps what handlers it finds.
        self.process_state = ProcessState(self._stop_if_told)
        self._store = Store(self.process_state.settling)
        have_here(self._store)

    def listen(self) -> None:
        """Begin to wait for orders."""
        threading.Thread(target=self._obey, daemon=True).start()

    def _obey(self) -> None:
        """All that the other thread does."""
        while data := self._channel.recv(wire.PACKET):
            order, call = pickle.loads(data)
            self._calls.hand_back()
            if order == wire.STOP:
                self.to_stop = call  # before the look at what runs; it may be only about to begin
                if self.current == call:
                    signal.pthread_kill(self._main, signal.SIGUSR1)
        os._exit(0)

    # -- on the main thread -------------------------------------------------------------------------------

    def _on_stop(self, number: int, frame: object) -> None:
        """Runs between two instructions of whatever runs on the main thread: perhaps no longer what was meant."""
        if self.current and self.current == self.to_stop:
            if self._coroutine is not None:
                self._event_loop.call_soon_threadsafe(self._coroutine.cancel)
            elif not self.process_state.is_importing:
                raise Stopped  # in the midst of an import it would leave half a package, which no other import mends

    def _stop_if_told(self) -> None:
        """After each import: the order may have come meanwhile, and was put off."""
        if self.current and self.current == self.to_stop and self._coroutine is None:
            raise Stopped

    def leave(self) -> None:
        """Tear down what this process keeps: it is about to end."""
        if self._event_loop is None:
            self._store.leave()
        else:
            self._event_loop.run_until_complete(self._store.leave_later(None))

    def awaited(self, coroutine: object) -> object:
        """Run a coroutine, which is stopped by cancelling it.

        Returns:
            What it returns.
        """
        if self._event_loop is None:
            import asyncio  # only for those who have coroutines: it takes as long to load as all the rest

            self._event_loop = self._store.loop = asyncio.new_event_loop()
            asyncio.set_event_loop(self._event_loop)
        self._coroutine = self._event_loop.create_task(coroutine)
        try:
            return self._event_loop.run_until_complete(self._coroutine)
        except BaseException:
            if self.to_stop == self.current:
                raise Stopped from None
            raise
        finally:
            self._coroutine = None
