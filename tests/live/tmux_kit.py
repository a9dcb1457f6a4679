"""A real terminal: a window of tmux, in which a program runs, and of which a test sees what a person would see."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

import pytest

needs_tmux = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
_PATIENCE = 60.0  # seconds, for a machine that is busy


class Window:
    """One window.

    Args:
        socket: of its server.
        folder: in which its programs run.
    """

    def __init__(self, socket: Path, folder: Path) -> None:
        self._socket = socket
        self.folder = folder
        self._runs = 0

    def tmux(self, *args: str) -> str:
        """Have the server do something."""
        command = ["tmux", "-S", str(self._socket), "-f", "/dev/null", *args]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def run(self, program: Path, *args: str, before: str = "", after: str = "") -> None:
        """Run a program of Python in its shell.

        Args:
            program: the file.
            args: its arguments.
            before: what stands before it in the shell.
            after: what stands behind it.
        """
        command = shlex.join([sys.executable, str(program), *args])
        self._runs += 1
        line = f"clear; {before} {command} {after}; echo exit code $? of run {self._runs}."
        self.tmux("send-keys", "-t", "w", line, "Enter")

    def screen(self, *options: str) -> str:
        """What is seen; with ``-S -`` all that has scrolled away, too."""
        return self.tmux("capture-pane", "-p", "-t", "w", *options)

    def until(self, holds: Callable[[str], object], *options: str) -> str:
        """Wait until something holds of the screen. A terminal tells nobody when it has changed."""
        end = monotonic() + _PATIENCE
        while True:
            shown = self.screen(*options)
            if holds(shown):
                return shown
            assert monotonic() < end, f"this is what is seen:\n{shown}"
            sleep(0.03)

    def ended(self, *options: str) -> tuple[str, int]:
        """Wait until the program has ended: what is seen then, and its exit code."""
        said = re.compile(rf"^exit code (\d+) of run {self._runs}\.", re.M)
        shown = self.until(said.search, *options)
        return shown, int(said.findall(shown)[-1])

    def press(self, *keys: str) -> None:
        """Press keys."""
        self.tmux("send-keys", "-t", "w", *keys)

    def resize(self, columns: int, rows: int) -> None:
        """Make it larger or smaller."""
        self.tmux("resize-window", "-t", "w", "-x", str(columns), "-y", str(rows))


@contextmanager
def window(folder: Path, columns: int, rows: int = 24) -> Iterator[Window]:
    """A window of that size, with a shell.

    Args:
        folder: for its socket, and in which its programs run.
        columns: of the terminal.
        rows: of it.
    """
    opened = Window(folder / "tmux", folder)
    shell = "env -u NO_COLOR -u PROMPT_COMMAND PS1='$ ' PYTHONWARNINGS=error bash --norc --noprofile"
    size = ("-x", str(columns), "-y", str(rows))
    opened.tmux("new-session", "-d", "-s", "w", *size, "-c", str(folder), shell)
    opened.tmux("set-option", "-g", "window-size", "manual")
    opened.resize(columns, rows)
    try:
        yield opened
    finally:
        opened.tmux("kill-server")
