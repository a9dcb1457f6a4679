"""Passes on what workers print, whole lines at a time, and remembers the last of it."""

from __future__ import annotations

import asyncio
import codecs
import fcntl
import os
import sys
from collections.abc import Callable
from typing import Final

_HALF_LINE: Final = 0.1  # seconds that half a line waits for the other half, before it is shown
_LONGEST: Final = 1 << 16  # characters of a line that are held back
_LINES: Final = 20  # that are remembered
_WIDTH: Final = 1000  # and so many characters of each

Write = Callable[[str, str], None]
"""Takes text that a worker has printed: "stdout" or "stderr", and the text."""


class Relay:
    """One stream of one worker.

    Args:
        fd: the pipe's reading end; not blocking.
        name: "stdout" or "stderr".
        write: where it goes to.
    """

    def __init__(self, fd: int, name: str, write: Write) -> None:
        self.fd = fd
        self._name = name
        self._write = write
        self._loop = asyncio.get_running_loop()
        self._room = fcntl.fcntl(fd, fcntl.F_GETPIPE_SZ)
        self.speaks("utf-8")
        self._held = ""
        self._last = ""
        self._timer: asyncio.TimerHandle | None = None

    def speaks(self, encoding: str) -> None:
        """Take what comes from here on as text in this encoding: the one of the worker's own stream."""
        self._decoder: codecs.IncrementalDecoder = codecs.getincrementaldecoder(encoding)("replace")

    def read(self) -> bool:
        """Pass on what is there: as much as was in the pipe, so that a flood leaves time for others.

        Returns:
            False at the end of the stream.
        """
        try:
            data = os.read(self.fd, self._room)
        except BlockingIOError:
            return True
        if data:
            self._take(self._decoder.decode(data))
        return bool(data)

    def finish(self) -> None:
        """Pass on what is left, the worker having ended."""
        self.read()
        self._held += self._decoder.decode(b"", True)
        self._show_half()
        self.close()

    def close(self) -> None:
        """Wait no longer for the rest of a line. The descriptor is its owner's to close."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _take(self, text: str) -> None:
        held = self._held + text
        end = held.rfind("\n") + 1
        if not end and len(held) >= _LONGEST:
            end = len(held)
        self._held = held[end:]
        if end:
            self._pass_on(held[:end])
        if self._held and self._timer is None:
            self._timer = self._loop.call_later(_HALF_LINE, self._show_half)

    def _show_half(self) -> None:
        self._timer = None
        half, self._held = self._held, ""
        if half:
            self._pass_on(half)

    def _pass_on(self, text: str) -> None:
        most = _LINES * _WIDTH
        self._last = (self._last + text[-most:])[-most:]
        self._write(self._name, text)

    def tail(self) -> str:
        """The last lines, as text."""
        return "\n".join(line[:_WIDTH] for line in self._last.splitlines()[-_LINES:])


def write_here(name: str, text: str) -> None:
    """Write to a stream of this process, whatever that is at the time."""
    stream = getattr(sys, name)
    if stream is None:
        return
    try:
        try:
            stream.write(text)
        except UnicodeEncodeError:  # a stream for few letters only; workers write all
            few = stream.encoding or "ascii"
            stream.write(text.encode(few, "backslashreplace").decode(few))
        stream.flush()
    except (OSError, ValueError):
        pass  # it was closed here: there is nobody to read it
