"""Writes what happens into a file, a line of JSON for each event, so that a report can be had of a run that was killed.

The file is written by a thread: a disk that stalls holds up no event loop. What it has written is safe from the end of
this process, though not from that of the machine.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Sequence
from queue import SimpleQueue

from .._core.lines import line_of
from ..events import Event, RunBegan

_log = logging.getLogger("asyncflow")


class Journal:
    """A file of events, to which each run adds its own.

    Args:
        path: of the file. Those of other engines may write there at the same time.

    Raises:
        OSError: it cannot be opened.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = os.fspath(path)
        self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
        self._queue: SimpleQueue[Sequence[Event] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._write, name="asyncflow-journal", daemon=True)
        self._thread.start()
        self._is_open = True
        self._run = ""

    def __call__(self, events: Sequence[Event]) -> None:
        self._queue.put(events)

    def close(self) -> None:
        """Write what is left, and let go of the file."""
        if self._is_open:
            self._is_open = False
            self._queue.put(None)
            if (
                threading.current_thread() is not self._thread
            ):  # where the collector may have found the engine
                self._thread.join()

    def _write(self) -> None:
        failed = False
        while (events := self._queue.get()) is not None:
            if failed:
                continue
            try:
                data = b"".join(map(self._line, events))
                while data:
                    data = data[os.write(self._file, data) :]
            except Exception as error:  # a full disk must not end the run
                failed = True
                _log.error("journal %r cannot be written any more: %s", self._path, error)
        os.close(self._file)

    def _line(self, event: Event) -> bytes:
        if isinstance(event, RunBegan):
            self._run = event.run
        return line_of(event, self._run)

    def __repr__(self) -> str:
        return f"<journal {self._path}>"
