"""Shows how a run of another process stands, by the journal that it writes."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from os import PathLike
from time import monotonic, time
from typing import BinaryIO, Final

from .._record.lines import Written, events_in
from .._show import words
from ..events import RunBegan
from .followed import CountsOfEvents
from .painters import painter_for
from .progress import Progress

_PAUSE: Final = 0.25  # seconds between two looks at the file
_PIECE: Final = 1 << 22  # bytes that are read at once
_QUIET: Final = 4  # looks in a row at which nobody writes, until the engine is taken to be dead


def watch(path: str | PathLike[str], *, run: str | None = None) -> bool:
    """Show how a run stands by the journal that it writes, from another terminal, until it is over or its engine dead.

    Args:
        path: of the journal; see `WorkflowEngine`.
        run: `Report.run` of one of those that write there; None for the one that began last.

    Returns:
        Whether it ended, and nothing has failed.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no journal.
        LookupError: that run is not in it.
    """
    if not isinstance(path, (str, PathLike)):
        raise TypeError(f"watch() takes a path, and was given {words.given(path)}")
    with open(path, "rb") as file:
        followed = _Followed(file, run)
        followed.read()
        if followed.counts is None:
            what = f"no run {run!r}" if run is not None else "no run yet"
            raise LookupError(f"{os.fspath(path)}: there is {what}")
        return _shown(followed, os.fspath(path))


def _shown(followed: _Followed, path: str) -> bool:
    wakes = threading.Event()
    painter = painter_for(wakes.set)
    painter.begin(lambda: None)
    progress: Progress | None = None
    quiet = 0
    try:
        while True:
            followed.read()
            assert followed.counts is not None
            progress = followed.counts.take(time())
            if progress.is_over:
                break
            quiet = quiet + 1 if not followed.is_written() else 0
            if quiet >= _QUIET:
                progress = followed.counts.take(followed.counts.last)._replace(
                    places=[("its engine is gone, and has not ended the run; journal", path)]
                )
                break
            painter.paint(progress)
            _wait(wakes, painter.flush)
    except BaseException:
        painter.end(None)
        raise
    painter.end(
        progress._replace(places=progress.places or [("to look into it", f"asyncflow report {path}")])
    )
    return progress.is_over and not (progress.sums.failed or progress.sums.other or progress.lost)


def _wait(wakes: threading.Event, flush: Callable[[], None]) -> None:
    """Until the next look."""
    until = monotonic() + _PAUSE
    while (left := until - monotonic()) > 0:
        if not wakes.wait(left):
            return
        wakes.clear()
        flush()


class _Followed:
    """A journal that grows.

    Args:
        file: at its beginning.
        run: which is followed; None for the one that began last when it is read first.
    """

    def __init__(self, file: BinaryIO, run: str | None) -> None:
        self._file = file
        self._wanted = run
        self._rest = b""
        self.counts: CountsOfEvents | None = None
        self._run = ""

    def read(self) -> None:
        """Take what has been written since the last time."""
        found_first = self.counts is not None
        for name, event in self._events():
            if isinstance(event, RunBegan) and not found_first and self._wanted in (None, name):
                self._run, self.counts = name, CountsOfEvents(event)
            elif name == self._run and self.counts is not None:
                self.counts.tell(event)

    def _events(self) -> Iterator[tuple[str, Written]]:
        while data := self._file.read(_PIECE):
            whole, end, rest = (self._rest + data).rpartition(b"\n")
            self._rest = rest
            if end:
                yield from events_in(each + b"\n" for each in whole.split(b"\n"))

    def is_written(self) -> bool:
        """Whether somebody has it open to write to it."""
        with self._tried() as is_free:
            return not is_free

    @contextmanager
    def _tried(self) -> Iterator[bool]:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        except OSError:  # a file system without locks: it is not known
            yield False
            return
        try:
            yield True
        finally:
            with suppress(OSError):
                fcntl.flock(self._file, fcntl.LOCK_UN)
