"""Passes on what workers print, whole lines at a time, and remembers the last of it."""

from __future__ import annotations

import os
import sys
from collections import deque
from typing import Final

_CHUNK: Final = 1 << 16  # bytes read at a time, and the longest piece of a line that is held back
_LINES: Final = 20  # that are remembered


class Relay:
    """One stream of one worker.

    Args:
        fd: the pipe's reading end; not blocking.
        name: "stdout" or "stderr": where it goes to here, whatever that is at the time.
    """

    def __init__(self, fd: int, name: str) -> None:
        self.fd = fd
        self._name = name
        self._held = b""
        self._last: deque[bytes] = deque(maxlen=_LINES)

    def read(self) -> bool:
        """Pass on what is there.

        Returns:
            False at the end of the stream.
        """
        while True:
            try:
                data = os.read(self.fd, _CHUNK)
            except BlockingIOError:
                return True
            self._take(data)
            if not data:
                return False
            if len(data) < _CHUNK:
                return True

    def _take(self, data: bytes) -> None:
        held = self._held + data
        end = held.rfind(b"\n") + 1
        if not data or (not end and len(held) >= _CHUNK):
            end = len(held)  # the stream is over, or the line is too long to wait for
        self._held = held[end:]
        if end:
            self._pass_on(held[:end])

    def _pass_on(self, data: bytes) -> None:
        self._last.extend(line[:1000] for line in data[-_CHUNK:].splitlines()[-_LINES:])
        stream = getattr(sys, self._name)
        if stream is None:
            return
        try:
            text = data.decode("utf-8", "replace")
            try:
                stream.write(text)
            except UnicodeEncodeError:  # a stream for few letters only; workers write all
                few = stream.encoding or "ascii"
                stream.write(text.encode(few, "backslashreplace").decode(few))
            stream.flush()
        except (OSError, ValueError):
            pass  # it was closed here: there is nobody to read it

    def tail(self) -> str:
        """The last lines, as text."""
        return b"\n".join(self._last).decode("utf-8", "replace")
