"""Paths that an f-string and `str.format` put into a command quoted for the shell."""

from __future__ import annotations

import shlex
from pathlib import PosixPath
from typing import Final

from .._core.names_in_commands import is_plain_path
from .._worker.paths import path_here


class ShellPath(PosixPath):
    """One path."""

    SHOWN_AS_PATH: Final = True  # in errors, as other paths are: showing it runs no code of a user's

    def __repr__(self) -> str:
        return f"PosixPath({str(self)!r})"  # what users know it as

    def __format__(self, spec: str) -> str:
        text = format(str(self), spec)
        return text if is_plain_path(text) else shlex.quote(text)


class ShellPaths(list[ShellPath]):
    """Several, one word each."""

    def __format__(self, spec: str) -> str:
        return " ".join(format(path, spec) for path in self)


def shell_path_here(task_id: int, home: str, name: str) -> ShellPath:
    """The path of a file in the sandbox of a task, where that runs; as `path_here`."""
    return ShellPath(path_here(task_id, home, name))
