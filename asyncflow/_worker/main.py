"""The main loop of a worker process: reads calls and runs them one after another.

Two threads. The main thread is this loop, and `runner.py` runs each call on it. The other, of `orders.py`, waits for
orders. What both touch: the queue in `call_queue.py`, two variables in `orders.py`, and the pipe in `records.py`.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import pickle
import signal
import socket
import sys
from contextlib import suppress
from importlib import invalidate_caches
from typing import Final, NoReturn

from . import wire
from .by_value.known import HOME, hold_modules
from .call_queue import CallQueue
from .marks import WORKER_OF
from .orders import Orders
from .records import NEVER, NOBODY, Records
from .runner import Runner

_GENERATORS: Final = f"{__package__}.generators"


class Worker:
    """One process.

    Args:
        calls: the socket that packets of calls come from.
        orders: the socket for orders, and for large results.
        records: the pipe that records go to.
        page: a memory file of one page: the number of the task that runs, and when its function began; 0 if it has not.
        most_memory: bytes that the process may hold between two tasks; 0 for any.
    """

    def __init__(self, calls: int, orders: int, records: int, page: int, most_memory: int) -> None:
        self._packets = wire.blocking(socket.socket(fileno=calls))
        channel = wire.blocking(socket.socket(fileno=orders))
        told = memoryview(mmap.mmap(page, mmap.PAGESIZE))
        self._page = told.cast("Q")
        self._records = Records(records, channel)
        self._calls = CallQueue(self._records)
        self._orders = Orders(channel, self._calls)
        began = told.cast("d")[1:]
        self._runner = Runner(self._page, began, self._records, self._calls, self._orders, most_memory)

    def run(self) -> NoReturn:
        """Work until the engine closes the socket or is gone."""
        self._orders.listen()
        self._records.add(wire.UP, NOBODY, NEVER, (sys.stdout.encoding, sys.stderr.encoding))
        queue, run = self._calls.queue, self._runner.run
        previous: list[object] = []  # the value of the call before, if it gave one
        while True:
            try:
                call = queue.popleft()
            except IndexError:  # or the other thread has given back what was seen there
                self._read_packet()
                continue
            task_id, flags, payload, file = call
            if flags & wire.LINKED and not previous:
                self._records.add(wire.NOT_BEGUN, task_id, NEVER, [task_id])
            else:
                previous = run(task_id, flags, payload, file, previous)

    def _read_packet(self) -> None:
        data, files = wire.receive(self._packets)
        if not data:
            if _GENERATORS in sys.modules:
                sys.modules[_GENERATORS].close_all()
            self._orders.leave()
            _flush()
            os._exit(0)
        definitions, forgotten, calls = pickle.loads(data)
        functions = self._runner.functions
        self._runner.tags = definitions.pop(
            wire.TAGS, {}
        )  # of all calls that are here: those before are over
        for number in forgotten:
            functions.forget(number)
        for number, definition in definitions.items():
            large = type(definition) is int  # its size, in a file of its own
            whole = wire.read_file(files.pop(0), definition) if large else definition
            if number == wire.PATH:
                with self._orders.process_state.settling():
                    sys.path[:], sys.argv[:] = pickle.loads(whole)
                invalidate_caches()
            elif number == wire.START:
                first, _, _ = calls[0]
                self._page[0] = first  # if the process ends here, that task is lost with it, and no other
                self._start(*pickle.loads(whole))
                self._page[0] = NOBODY
            else:
                functions.define(number, whole)
        self._calls.take(calls, files)

    def _start(self, engine: str, pieces: list[bytes], initializer: bytes | None) -> None:
        """Set what the program has set for its process, and run the initializer."""
        HOME.engine = engine
        with self._orders.process_state.settling():
            for piece in pieces:
                with suppress(Exception):  # it is the program's, but may make sense there alone
                    set_it, args = pickle.loads(piece)
                    set_it(*args)
            try:
                if initializer is not None:
                    fn, args = pickle.loads(initializer)
                    fn(*args)
            except BaseException as error:
                error.add_note("in the initializer of this worker process")
                self._runner.functions.fail_with(error)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # a task has closed it
            stream.flush()


def die_with(lifeline: int) -> None:
    """Have the kernel kill this process when the engine's process ends, however that ends.

    Args:
        lifeline: the reading end of a pipe whose writing end only the engine's process holds. Its hang-up is made
            to send SIGKILL, which needs no thread of ours to wait for it and no interpreter lock.

    What tasks have started ends with it, but for what has left the process group.
    """
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, -os.getpgrp())
    fcntl.fcntl(lifeline, fcntl.F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)


def main(
    calls: int, orders: int, records: int, page: int, lifeline: int, most_memory: int, engine: int
) -> NoReturn:
    """The whole life of a worker process. The descriptors are as for `Worker` and `die_with`; ``engine`` is the
    process id of the engine."""
    die_with(lifeline)
    os.environ.pop(WORKER_OF, None)  # before tasks start processes, which are none
    if os.getppid() != engine:
        os._exit(0)  # it ended before the kernel knew that we want to hear of it
    for descriptor in (calls, orders, records, page, lifeline):
        os.set_inheritable(descriptor, False)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]
    hold_modules()
    Worker(calls, orders, records, page, most_memory).run()
