"""The files that a command reads from and writes to, and what becomes of them: a value, an error, evidence."""

from __future__ import annotations

import errno
import os
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

from .._core.commands import script_of
from .._core.options import CommandOptions
from .._core.task import Task
from .._files.sandboxes import STREAMS, beside
from .._worker.descriptors import Descriptors
from ..errors import OutputNotText, OutputTooLarge

NO_ROOM: Final = (errno.EMFILE, errno.ENFILE, errno.EAGAIN)
"""Errors for which there is no room for one more command now."""
_MOST: Final = 256 << 20  # bytes of output that may become a value
_LINES: Final = 20  # of stderr that an error shows
_TAIL: Final = 64 << 10  # bytes in which these are looked for


class Streams:
    """The standard streams of one command: files, those without a name in ``folder``, closed by ``opened``.

    Raises:
        OSError: the input cannot be read, or no file can be opened.
    """

    def __init__(self, options: CommandOptions, sandbox: Path, folder: Path, opened: Descriptors) -> None:
        self._sandbox = sandbox
        self._folder = folder
        self._is_captured = options.capture_stdio
        self._as_text = options.text
        self.stdin = self._input(options.stdin, opened)
        self.stdout, self.stderr = (self._output(name, opened) for name in STREAMS)

    def _input(self, given: object, opened: Descriptors) -> int:
        if given is None:
            return subprocess.DEVNULL
        if not isinstance(given, (str, bytes)):
            return opened.open(os.open, given, os.O_RDONLY | os.O_CLOEXEC)
        descriptor = self._nameless(opened)
        with open(descriptor, "wb", closefd=False) as file:
            file.write(given.encode() if isinstance(given, str) else given)
        os.lseek(descriptor, 0, os.SEEK_SET)
        return descriptor

    def _output(self, name: str, opened: Descriptors) -> int:
        if not self._is_captured:
            return self._nameless(opened)
        flags = os.O_CREAT | os.O_RDWR | os.O_TRUNC | os.O_CLOEXEC
        return opened.open(os.open, beside(self._sandbox, name), flags, 0o666)

    def _nameless(self, opened: Descriptors) -> int:
        """A file on disk that nobody else sees and that is gone when it is closed, unless it is given a name."""
        try:
            return opened.open(os.open, self._folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except OSError as error:
            if error.errno in NO_ROOM:
                raise
            with tempfile.TemporaryFile(
                dir=self._folder, buffering=0
            ) as file:  # not every file system has these
                return opened.open(os.dup, file.fileno())

    def value(self, task: Task) -> str | bytes | Path:
        """The standard output of the command.

        Raises:
            OutputTooLarge: there is too much of it.
            OutputNotText: text is wanted, and it is none.
        """
        if self._is_captured:
            return beside(self._sandbox, "stdout")
        size = os.fstat(self.stdout).st_size
        if size > _MOST:
            raise OutputTooLarge(task.id, task.name, size, _MOST)
        written = os.pread(self.stdout, size, 0)
        if not self._as_text:
            return written
        try:
            return written.decode()
        except UnicodeDecodeError as error:
            raise OutputNotText(task.id, task.name, error.start, written[error.start : error.end]) from None

    def complaints(self) -> str:
        """What the command wrote to its standard error. What is no text is spelled out."""
        size = min(os.fstat(self.stderr).st_size, _MOST)
        return os.pread(self.stderr, size, 0).decode(errors="backslashreplace")

    def last_complaints(self) -> str:
        """The last lines of it."""
        size = os.fstat(self.stderr).st_size
        tail = os.pread(self.stderr, _TAIL, max(0, size - _TAIL)).decode(errors="backslashreplace")
        return "\n".join(tail.splitlines()[-_LINES:])

    def keep(self, argv: list[str | bytes], options: CommandOptions, cwd: Path) -> None:
        """Write the command, its options and its output into its sandbox, which is kept."""
        with suppress(OSError):  # a full disk, say: the command's own failure is what has to be told
            self._free("command.sh").write_bytes(script_of(argv, options, os.fsencode(cwd)))
            for name, descriptor in zip(STREAMS, (self.stdout, self.stderr), strict=True):
                source = f"/proc/self/fd/{descriptor}"
                try:  # the very file, however large; a directory's descriptor has links followed
                    os.link(source, self._free(name), src_dir_fd=0, follow_symlinks=True)
                except OSError:
                    self._copied(descriptor, self._free(name))

    def _copied(self, descriptor: int, target: Path) -> None:
        size = os.fstat(descriptor).st_size
        target.write_bytes(os.pread(descriptor, min(size, _TAIL), max(0, size - _TAIL)))

    def _free(self, name: str) -> Path:
        path = self._sandbox / name
        while os.path.lexists(path):  # the command's own
            path = path.with_name(f"_{path.name}")
        return path
