"""A part of a terminal that is painted again and again, at the end of what has been printed.

Between two paintings the cursor rests at the beginning of that part. So what others write, who know nothing of it
(child processes, code in C), stands where it would stand without it, and the next painting begins behind that; and
when the terminal is made narrower and its lines are broken anew, all that is to be wiped away is still behind the
cursor.

What this process prints to the same terminal is taken by the streams' own ``write``, so that loggers and others who
have kept a stream are seen, too. It is written in front of the part: whole lines, in the order in which they were
printed.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from time import monotonic
from typing import Final, TextIO

from .._runtime.script import at_once

_WIPE: Final = "\x1b[J"  # from the cursor to the end of the screen
_TO_END: Final = "\x1b[K"  # of the line
_HOLD, _SHOW = "\x1b[?2026h", "\x1b[?2026l"  # the terminal shows what is between the two at once
# A line that is wider after all, since the terminal has just been made narrower, is cut off and takes no second line.
_CUT, _WRAP = "\x1b[?7l", "\x1b[?7h"
_SOON: Final = 0.04  # seconds within which a flood of prints is collected
_MOST: Final = 1 << 16  # characters that are collected
_LONGEST: Final = 1000  # characters of half a line that are shown


class Screen:
    """A terminal with such a part.

    Args:
        stream: of the terminal.
        woken: is called when prints were collected, and the part is to be painted soon.
    """

    def __init__(self, stream: TextIO, woken: Callable[[], None]) -> None:
        self._stream = stream
        self._woken = woken
        self._lock = threading.RLock()
        self._collected: list[tuple[_Taken, str]] = []
        self._characters = 0
        self._lines: Sequence[str] = ()
        self._at = 0.0  # when it was painted last
        self._size = (0, 0)  # of the terminal, at that time
        self._taken: list[_Taken] = []
        _screens.add(self)
        atexit.register(self.leave)

    def size(self) -> tuple[int, int]:
        """Columns and rows."""
        with suppress(OSError, ValueError):
            columns, rows = os.get_terminal_size(self._stream.fileno())
            if columns and rows:
                return columns, rows
        return 80, 24

    # -- painting -----------------------------------------------------------------------------------------

    def enter(self) -> None:
        """Take what is printed to the same terminal from now on."""
        with self._lock:
            for stream in (sys.stdout, sys.stderr):
                if stream is not None and _is_terminal(stream):
                    self._taken.append(_Taken(stream, self))

    def paint(self, lines: Sequence[str]) -> None:
        """Show other lines.

        Args:
            lines: none wider than the terminal, and fewer than it has rows.
        """
        with self._lock:
            self._lines = lines
            self._put(self._pop(), lines)

    def flush(self) -> None:
        """Write what was printed, and show the same lines as before."""
        with self._lock:
            if self._collected:
                self._put(self._pop(), self._lines)

    def leave(self) -> None:
        """Wipe the part away, and let prints through again. May be called twice."""
        atexit.unregister(self.leave)
        _screens.discard(self)
        with self._lock:
            for each in self._taken:
                self._collected += [(each, half) for half in each.halves.values()]
                each.halves.clear()
            with suppress(OSError, ValueError):
                self._put(self._pop(), ())
            for each in self._taken:
                each.give_back()
            self._taken.clear()

    def forked(self) -> None:
        """In a child: its prints are its own, and the terminal its parent's."""
        self._lock = threading.RLock()
        for each in self._taken:
            each.give_back()
        self._taken.clear()
        self._collected.clear()
        atexit.unregister(self.leave)

    # -- prints -------------------------------------------------------------------------------------------

    def printed(self, by: _Taken, text: str) -> None:
        """Somebody has printed."""
        with self._lock:
            whole = by.divided(text)
            if whole:
                self._collected.append((by, whole))
                self._characters += len(whole)
            now = monotonic()
            if self._characters >= _MOST or (whole and now - self._at >= _SOON):
                self._put(self._pop(), self._lines)
                return
        self._woken()

    def _pop(self) -> list[tuple[_Taken, str]]:
        collected, self._collected, self._characters = self._collected, [], 0
        return collected

    def _put(self, collected: Sequence[tuple[_Taken, str]], lines: Sequence[str]) -> None:
        """Write what was printed, and behind it the lines."""
        self._at = monotonic()
        here, size = self._stream, self.size()
        # After a change of its size a terminal joins lines that it has broken, unless they were wiped away.
        wipes = bool(collected) or not lines or size != self._size
        self._size = size
        text = _HOLD + (_WIPE if wipes else "")
        for by, printed in collected:
            if by.stream is here:
                text += printed
            else:
                self._write(here, text)
                self._write(by.stream, printed)
                text = ""
        if lines:
            halves = [half for each in self._taken for half in each.halves.values()]
            first = _shown_half(halves[-1], size[0]) if halves else ""
            painted = f"{_TO_END}\r\n".join((first, *lines))
            text += f"{_CUT}{painted}{_TO_END}{_WIPE}{_WRAP}\r\x1b[{len(lines)}A"
        self._write(here, text + _SHOW)

    @staticmethod
    def _write(stream: TextIO, text: str) -> None:
        write = type(stream).write  # not the one that was put in its place
        try:
            write(stream, text)
        except UnicodeEncodeError:  # a terminal for few letters only
            few = stream.encoding or "ascii"
            write(stream, text.encode(few, "replace").decode(few))
        stream.flush()


class _Taken:
    """A stream of this process of which a screen takes what is written."""

    def __init__(self, stream: TextIO, screen: Screen) -> None:
        self.stream = stream
        self.halves: dict[int, str] = {}  # lines that have not ended, by thread: each ends its own
        stream.write = self._write  # type: ignore[method-assign]
        stream.writelines = self._write_all  # type: ignore[assignment,method-assign]
        self._screen = screen

    def _write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        self._screen.printed(self, text)
        return len(text)

    def divided(self, text: str) -> str:
        """The lines that a thread has ended with this; the rest is kept until it ends that, too."""
        thread = threading.get_ident()
        whole, half = _divided(self.halves.pop(thread, "") + text)
        if half:
            self.halves[thread] = half
        return whole

    def _write_all(self, lines: Sequence[str]) -> None:
        self._write("".join(lines))

    def give_back(self) -> None:
        for name in ("write", "writelines"):
            vars(self.stream).pop(name, None)


def _is_terminal(stream: TextIO) -> bool:
    """Whether it is one, and can be taken."""
    try:
        return stream.isatty() and isinstance(vars(stream), dict)
    except (AttributeError, TypeError, ValueError):
        return False


def _divided(text: str) -> tuple[str, str]:
    """Whole lines, and the half line behind them; of that only what stands there after it was overwritten."""
    end = text.rfind("\n") + 1
    half = text[end:]
    begins = half.rstrip("\r").rfind("\r")
    if begins >= 0:  # as bars of progress do
        half = half[begins:]
    return text[:end], half


def _shown_half(half: str, columns: int) -> str:
    """Half a line as it is shown until the other half is there."""
    from rich.cells import set_cell_size

    from .._causes import spelled

    text = spelled(half.strip("\r")[-_LONGEST:])
    return set_cell_size(text, columns - 1).rstrip()


_screens: weakref.WeakSet[Screen] = weakref.WeakSet()


def leave_all() -> None:
    """Wipe away all that is shown, because the process ends at once."""
    for screen in list(_screens):
        with suppress(Exception):
            screen.leave()


def _in_a_forked_child() -> None:
    for screen in list(_screens):
        screen.forked()
    _screens.clear()


os.register_at_fork(after_in_child=_in_a_forked_child)
at_once.append(leave_all)
