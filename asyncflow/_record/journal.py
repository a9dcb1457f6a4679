"""Writes what happens into a file, a line of JSON for each event, so that a report can be had of a run that was killed.

The file is opened and written by a thread: a disk that stalls holds up no event loop. What waits for the disk is
bounded; what is more is left out, and where that was, the file says how much. What it has written is safe from the end
of this process, though not from that of the machine.
"""

from __future__ import annotations

import fcntl
import logging
import os
import stat
import threading
from collections.abc import Sequence
from contextlib import suppress
from queue import SimpleQueue
from time import time
from typing import Final

from ..events import Event, EventsLost, RunBegan, RunEnded
from .lines import Written, line_of

_log = logging.getLogger("asyncflow")
_MOST: Final = 100_000  # events that wait for the disk
_OPENED: Final = 1.0  # seconds for which it is waited for a file to be opened


class Journal:
    """A file of events, to which each run adds its own.

    Args:
        path: of the file. Those of other engines may write there at the same time.
        grace: seconds for which `close` waits while nothing gets written.

    Raises:
        OSError: it cannot be opened.
    """

    def __init__(self, path: str | os.PathLike[str], grace: float = 5.0) -> None:
        self._path = os.fspath(path)
        self._grace = grace
        self._file = -1
        self._is_pipe = False
        self._asked = threading.Event()  # whether it can be opened is known, or that it takes long
        self._refused: list[OSError] = []
        self._queue: SimpleQueue[Sequence[Written] | None] = SimpleQueue()
        self._queued = 0  # events, by whoever tells them
        self._done = 0  # events, by the thread: written, or lost
        self._left_out = 0  # events, since the last that was queued
        self._lost = 0  # events, by the thread, since the last that was written
        self._has_told = False
        self._is_open = True
        self._run = ""
        self._thread = threading.Thread(target=self._work, name="asyncflow-journal", daemon=True)
        self._thread.start()
        self._asked.wait(_OPENED)
        if self._refused:
            self._thread.join()
            raise self._refused[0]

    def __call__(self, events: Sequence[Event]) -> None:
        if self._queued - self._done >= _MOST:
            self._tell("does not keep up; events are left out")
            ends = [each for each in events if isinstance(each, RunEnded)]
            self._left_out += len(events) - len(ends)
            if not ends:
                return
            events = ends  # by which readers see that no more is to come
        if self._left_out:
            self._queue_lost()
        self._queued += len(events)
        self._queue.put(events)

    def close(self) -> None:
        """Write what is left, as long as the disk takes any of it, and let go of the file."""
        if not self._is_open:
            return
        self._is_open = False
        if self._left_out:
            self._queue_lost()
        self._queue.put(None)
        if threading.current_thread() is self._thread:  # where the collector may have found the engine
            return
        done = -1
        while self._thread.is_alive() and done != self._done:
            done = self._done
            self._thread.join(self._grace)
        if self._thread.is_alive():
            self._tell(f"takes nothing; the last {self._queued - done:,} events are not written")
            if self._is_pipe and self._file < 0:
                self._let_go_of_pipe()

    def _queue_lost(self) -> None:
        self._queued += 1
        self._queue.put((EventsLost(time(), self._left_out),))
        _log.info("journal %r: %d events are lost: it did not keep up", self._path, self._left_out)
        self._left_out = 0

    def _tell(self, what: str) -> None:
        if not self._has_told:
            self._has_told = True
            _log.error("journal %r %s", self._path, what)

    def _let_go_of_pipe(self) -> None:
        """Nobody has come to read: be that for a moment, so that the thread need not wait any longer."""
        with suppress(OSError):
            os.close(os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))

    # -- on its thread ------------------------------------------------------------------------------------

    def _work(self) -> None:
        try:
            self._file = self._open()
        except OSError as error:
            if self._asked.is_set():
                self._tell(f"cannot be opened: {error}")
            self._refused.append(error)
        finally:
            self._asked.set()
        if not self._refused:
            self._write()
            with suppress(OSError):  # somebody may have closed all files, as daemons do
                os.close(self._file)

    def _open(self) -> int:
        with suppress(OSError):
            self._is_pipe = stat.S_ISFIFO(os.stat(self._path).st_mode)
        if self._is_pipe:
            self._asked.set()  # that waits until somebody reads
        file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        if not self._is_pipe:
            with suppress(OSError):  # by it who reads meanwhile sees that somebody still writes
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return file

    def _write(self) -> None:
        while (events := self._queue.get()) is not None:
            self._lost += len(events)
            try:
                data = b"".join(map(self._line, events))
                if self._lost > len(events):
                    data = self._line(EventsLost(time(), self._lost - len(events))) + data
                while data:
                    data = data[os.write(self._file, data) :]
            except Exception as error:  # a full disk must not end the run
                self._tell(f"cannot be written, until there is room again: {error}")
            else:
                if self._lost > len(events):
                    _log.info(
                        "journal %r: %d events are lost: they could not be written",
                        self._path,
                        self._lost - len(events),
                    )
                self._lost = 0
            self._done += len(events)

    def _line(self, event: Written) -> bytes:
        if isinstance(event, RunBegan):
            self._run = event.run
        return line_of(event, self._run)

    def __repr__(self) -> str:
        return f"<journal {self._path}>"
