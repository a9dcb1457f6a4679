"""Moves files between this machine and places that have a URL, and again while that may help. What a URL means,
`_core/urls.py` decides.

All of it takes as long as it takes and belongs on a thread, never on the loop. No path of this machine is decided on
here, and nothing is kept: each transfer connects and ends for itself.
"""

from __future__ import annotations

import os
import shutil
import stat
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from ..._core.urls import (
    DELAYS,
    delay_before,
    has_query,
    is_directory,
    is_web,
    joined,
    publishes_whole,
    scheme,
    shown,
)
from .connection import Connection
from .drivers import check_size, listing, move, prepare, remove
from .failures import may_pass, stopped, told

T = TypeVar("T")

_BLOCK: Final = 4 << 20  # bytes: large against what a block costs, small against what anybody waits for


class Remote:
    """The transfers of one run; any number of threads may use it at once.

    Args:
        stopped: set when nobody wants anything any more; what goes on then ends at its next block.
        delays: seconds to wait before the second attempt, the third, and so on.
    """

    def __init__(self, stopped: threading.Event, delays: Sequence[float] = DELAYS) -> None:
        self._stopped = stopped
        self._delays = delays

    def fetch(self, url: str, target: Path) -> None:
        """Bring a file here; with a slash at the end of its URL, a directory and all that is in it.

        Where it goes nothing may be yet, and after a failure nothing is.

        Raises:
            OSError: it is not there, or could not be brought here; `InterruptedError`: nobody wants it any more.
            ValueError: the URL means nothing.
            ImportError: what speaks to such places is not installed.
        """
        with Connection(url) as connection:
            fetch = self._fetch_folder if is_directory(url) else self._fetch_file
            fetch(connection, self._tried(connection, "", lambda: connection.path), target, "")

    def send(self, path: Path, url: str) -> None:
        """Put a file or a directory somewhere, in one piece where that is possible.

        To object stores and over HTTP, each file of a directory goes by itself, next to those that are there already.
        Elsewhere a directory appears as a whole, and only where nothing is yet.

        Raises:
            OSError: it could not be put there; `InterruptedError`: nobody wants it any more.
            ValueError: the URL means nothing.
            ImportError: what speaks to such places is not installed.
        """
        tree = _tree(path)
        if scheme(url) == "data":
            raise ValueError(f"{shown(url)}: nothing can be written there")
        if path.is_dir():
            if is_web(url) and has_query(url):
                raise ValueError(
                    f"{shown(url)}: what follows the question mark is for one file, not a directory"
                )
        elif is_directory(url):
            raise IsADirectoryError(f"{shown(url)} ends in a slash, and {str(path)!r} is a file")
        with Connection(url) as connection:
            target = self._tried(connection, "", lambda: connection.path)
            if path.is_dir():
                target = target.rstrip("/")
            if publishes_whole(url):
                self._send_each(connection, tree, target)
            else:
                self._send_beside(connection, tree, target)

    # -- from there to here -------------------------------------------------------------------------------

    def _fetch_folder(self, connection: Connection, source: str, target: Path, below: str) -> None:
        target.mkdir()
        try:
            for name, (path, folder) in self._tried(
                connection, below, lambda: listing(connection.fs, source, connection.is_web)
            ).items():
                fetch = self._fetch_folder if folder else self._fetch_file
                fetch(connection, path, target / name, f"{below}/{name}" if below else name)
        except BaseException:
            shutil.rmtree(target, ignore_errors=True)
            raise

    def _fetch_file(self, connection: Connection, source: str, target: Path, below: str) -> None:
        target.touch(exist_ok=False)
        try:
            self._tried(connection, below, lambda: self._receive(connection, source, target))
        except BaseException:
            target.unlink(missing_ok=True)
            raise

    def _receive(self, connection: Connection, source: str, target: Path) -> None:
        with connection.reading(source) as (stream, size), open(target, "wb") as file:
            self._pour(stream, file, size)

    def _pour(self, source: Any, sink: Any, size: int | None) -> None:
        """Copy until there is no more, and see that as many bytes came as there should be, if somebody knows."""
        done = 0
        while block := source.read(_BLOCK):
            self._go_on()
            sink.write(block)
            done += len(block)
        if size not in (None, done):
            raise OSError(f"{done:,} bytes came, of {size:,}")

    # -- from here to there -------------------------------------------------------------------------------

    def _send_each(self, connection: Connection, tree: dict[str, Path], target: str) -> None:
        files = {below: path for below, path in tree.items() if not path.is_dir()}
        if not files:
            raise OSError(
                f"{connection.shown}: the directory holds no file, and there are no empty ones there"
            )
        for below, path in files.items():
            remote = joined(target, below) if below else target
            self._tried(connection, below, partial(self._put, connection, path, remote))

    def _put(self, connection: Connection, path: Path, remote: str) -> None:
        # By the driver's own `put_file`: a file that it has opened is published by closing it, whole or not.
        from fsspec.callbacks import Callback

        watch = Callback(hooks={"stopped": lambda size, value: self._go_on()})
        size = path.stat().st_size
        if connection.is_web:
            with open(path, "rb") as file:
                # Signed URLs take no upload that does not tell its size first.
                headers = {"Content-Length": str(size)}
                connection.fs.put_file(file, remote, callback=watch, method="put", headers=headers)
        else:
            connection.fs.put_file(str(path), remote, callback=watch)
            with suppress(PermissionError):  # one may be allowed to write and not to look
                check_size(connection.fs, remote, size)

    def _send_beside(self, connection: Connection, tree: dict[str, Path], target: str) -> None:
        hidden = f"{target.rpartition('/')[0]}/.asyncflow-{os.urandom(8).hex()}"
        self._tried(connection, "", lambda: prepare(connection.fs, target, tree[""].is_dir()))
        try:
            for below, path in tree.items():
                remote = joined(hidden, below) if below else hidden
                self._tried(connection, below, partial(self._write, connection, path, remote))
            self._tried(connection, "", lambda: move(connection.fs, hidden, target))
        except BaseException:
            with suppress(Exception):  # where nobody answers, nothing can be tidied
                remove(connection.fs, hidden)
            raise

    def _write(self, connection: Connection, path: Path, remote: str) -> None:
        if path.is_dir():
            connection.fs.makedirs(remote, exist_ok=True)
            return
        with open(path, "rb") as source:
            with connection.fs.open(remote, "wb") as sink:
                self._pour(source, sink, None)
            check_size(connection.fs, remote, source.tell())

    # -- again --------------------------------------------------------------------------------------------

    def _tried(self, connection: Connection, below: str, step: Callable[[], T]) -> T:
        """Take a step, and again while that may help, from its beginning and newly connected.

        Errors say which part of a directory it was: `below`.
        """
        attempt = 1
        while True:
            try:
                self._go_on()
                return step()
            except Exception as error:
                failure = stopped() if self._stopped.is_set() else error  # a driver wraps what stops it
                where = f"{connection.shown.rstrip('/')}/{below}" if below else connection.shown
                problem = told(failure, where, connection.url, attempt)
                delay = delay_before(attempt + 1, self._delays) if may_pass(failure) else None
                del failure
            # Out of the handler: what a driver says may hold a password, and would be shown as the context.
            connection.close()
            if delay is None:
                raise problem
            self._stopped.wait(delay)
            attempt += 1

    def _go_on(self) -> None:
        if self._stopped.is_set():
            raise stopped()


def _tree(root: Path) -> dict[str, Path]:
    """All that is to be sent, by its path below the root, each directory before what is in it.

    Raises:
        OSError: something can be no copy elsewhere: a link to a directory, a pipe, a file that cannot be read.
    """
    found = {"": root}
    for folder, folders, files in os.walk(root, onerror=_raise) if root.is_dir() else ():
        for name in sorted(folders + files):
            path = Path(folder, name)
            if name in folders and path.is_symlink():
                raise OSError(f"{str(path)!r} is a link to a directory, which cannot be sent")
            found[str(path.relative_to(root))] = path
    for path in found.values():
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            raise OSError(f"{str(path)!r} is neither a file nor a directory, and cannot be sent")
    return found


def _raise(error: OSError) -> None:
    raise error
