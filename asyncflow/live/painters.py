"""Where progress is shown: in a terminal, a notebook, or line by line where there is neither."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Final, Protocol, TextIO

from .progress import Progress, line
from .summary import lines_of

if TYPE_CHECKING:
    from .screen import Screen
    from .terminal import Frames

_FIRST, _LATER, _RARELY = (
    5.0,
    1.5,
    60.0,
)  # seconds until the first line; each pause is longer by so much, up to that
MEND: Final = 'pip install "asyncflow-engine[live]"'


class Painter(Protocol):
    """Shows progress somewhere."""

    on_loop: bool
    """Whether it is to be called on the thread of the event loop."""

    @property
    def pause(self) -> float:
        """Seconds until the next painting, at least."""

    def begin(self, takes: Callable[[], None]) -> None:
        """It begins; `takes` paints at once how the run stands, on the thread of the event loop."""

    def paint(self, progress: Progress) -> None:
        """Show how the run stands."""

    def flush(self) -> None:
        """Show what was printed meanwhile."""

    def end(self, progress: Progress | None) -> None:
        """Show how it ended, and nothing any more; None if only the latter."""


class Lines:
    """A line every so often: the first after five seconds, then less and less often, at least one a minute.

    Args:
        stream: where to.
        first: what is said before all else.
    """

    on_loop = False

    def __init__(self, stream: TextIO | None, first: str = "") -> None:
        self._stream = stream
        self._first = first
        self._between = _FIRST
        self._next = monotonic() + _FIRST

    @property
    def pause(self) -> float:
        """Seconds until the next line."""
        return max(0.5, self._next - monotonic())

    def begin(self, takes: Callable[[], None]) -> None:
        """Say what is to be said first."""
        if self._first:
            self._write([self._first])

    def paint(self, progress: Progress) -> None:
        """Write a line, if it is time for one."""
        now = monotonic()
        if now < self._next:
            return
        self._between = min(_RARELY, self._between * _LATER)
        self._next = now + self._between
        told = line(progress)
        if progress.holds and not progress.sums.running:
            told += f"; {progress.holds}"
        self._write([f"asyncflow: {told}"])

    def flush(self) -> None:
        """Nothing is held back."""

    def end(self, progress: Progress | None) -> None:
        """Write the summary."""
        if progress is not None:
            self._write(lines_of(progress))

    def _write(self, lines: Sequence[str]) -> None:
        if self._stream is None:
            return
        with suppress(ValueError):  # it was closed
            try:
                self._stream.write("\n".join((*lines, "")))
            except UnicodeEncodeError:
                few = self._stream.encoding or "ascii"
                text = "\n".join((*lines, "")).encode(few, "backslashreplace").decode(few)
                self._stream.write(text)
            self._stream.flush()


class Terminal:
    """A part of a terminal that is painted again and again.

    Args:
        stream: of the terminal.
        woken: is called when the part is to be painted soon.
    """

    on_loop = False
    pause = 0.1

    def __init__(self, stream: TextIO, woken: Callable[[], None]) -> None:
        from .screen import Screen
        from .terminal import Frames

        self._stream = stream
        self._screen: Screen = Screen(stream, woken)
        self._frames: Frames = Frames()
        self._is_hidden = False

    def begin(self, takes: Callable[[], None]) -> None:
        """Take what is printed there."""
        self._screen.enter()

    def paint(self, progress: Progress) -> None:
        """Show how the run stands; in a shell of Python nothing where its prompt is: when all is over."""
        hides = progress.is_idle and hasattr(sys, "ps1")
        if not hides or not self._is_hidden:
            self._screen.paint(() if hides else self._frames.lines(progress, *self._screen.size()))
        self._is_hidden = hides

    def flush(self) -> None:
        """Show what was printed meanwhile."""
        self._screen.flush()

    def end(self, progress: Progress | None) -> None:
        """Wipe all away, and write the summary."""
        self._screen.leave()
        if progress is None:
            return
        from .terminal import styled

        head, *others = lines_of(progress, self._screen.size()[0])
        lines = [styled(head, "bold red" if progress.sums.failed else "bold green"), *others]
        with suppress(OSError, ValueError):
            self._stream.write("\n".join((*lines, "")))
            self._stream.flush()


def painter_for(woken: Callable[[], None]) -> Painter:
    """What shows progress here.

    Args:
        woken: is called when it is to be painted soon.
    """
    from .notebook import notebook

    shown = notebook()
    if shown is not None:
        return shown
    stream = sys.stderr  # so that what a program prints can go into a file
    if stream is None or not _is_terminal(stream) or os.environ.get("TERM", "dumb") == "dumb":
        return Lines(stream)
    try:
        return Terminal(stream, woken)
    except ImportError:
        return Lines(stream, f"asyncflow: progress comes as lines; for a display:  {MEND}")


def _is_terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except ValueError:  # it is closed
        return False
