"""A path to a file that nobody has made: it can be looked at and read, and what is done to it reaches no disk."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Generator
from pathlib import PosixPath
from typing import Any, Final, Self

TEXT = "1"
"""What any text is that stands in for another: not empty, and a number, as much text is."""
_SIZE = len(TEXT)
_STATUS = os.stat_result((stat.S_IFREG | 0o644, 0, 0, 1, 0, 0, _SIZE, 0, 0, 0))


class PathStandIn(PosixPath):
    """A path of a regular file with one character in it. What is made of it with ``/``, ``parent`` and the like is one,
    too; the functions of `os` and the built-in `open` take it for a file that is not there."""

    SHOWN_AS_PATH: Final = True  # in errors, as other paths are: showing it runs no code of a user's

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        """As of a small file."""
        return _STATUS

    def lstat(self) -> os.stat_result:
        """As of a small file."""
        return _STATUS

    def exists(self, *args: object, **options: object) -> bool:
        """It is taken to be there."""
        return True

    def is_file(self, *args: object, **options: object) -> bool:
        """It is taken to be one."""
        return True

    def open(self, mode: str = "r", *args: object, **options: object) -> Any:
        """A file in memory, which is lost."""
        return io.BytesIO(TEXT.encode()) if "b" in mode else io.StringIO(TEXT)

    def read_text(self, *args: object, **options: object) -> str:
        """One character."""
        return TEXT

    def read_bytes(self) -> bytes:
        """One byte."""
        return TEXT.encode()

    def write_text(self, data: str, *args: object, **options: object) -> int:
        """Write nothing."""
        return len(data)

    def write_bytes(self, data: Any) -> int:
        """Write nothing."""
        return len(data)

    def iterdir(self) -> Generator[Self, None, None]:
        """One file, for code that takes it for a directory."""
        yield self / TEXT

    def glob(self, pattern: object, *args: object, **options: object) -> Generator[Self, None, None]:
        """One file."""
        return self.iterdir()

    def rglob(self, pattern: object, *args: object, **options: object) -> Generator[Self, None, None]:
        """One file."""
        return self.iterdir()

    def owner(self, **options: object) -> str:
        """Nobody."""
        return TEXT

    group = owner

    def rename(self, target: Any) -> Self:
        """Move nothing."""
        return type(self)(target)

    replace = rename

    def _nothing(self, *args: object, **options: object) -> None:
        """Do nothing."""

    chmod = lchmod = mkdir = rmdir = touch = unlink = symlink_to = hardlink_to = _nothing
