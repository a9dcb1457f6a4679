"""The program that an agent's workers work for, which runs on another machine."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence

from ..backends.process.interpreter import interpreter
from ..backends.process.program import Program


class ProgramElsewhere(Program):
    """The engine's program, as far as it can be had here.

    Args:
        variables: of the workers' environment, where that of this process has no value for them.
        start_with: what each worker does before its first call, as for `wire.START`.
        flags: the arguments of the engine's interpreter.
        folder: its directory; left out where there is none of that name here.
    """

    def __init__(
        self, variables: Mapping[str, str], start_with: bytes, flags: Sequence[str], folder: str
    ) -> None:
        super().__init__(interpreter(), variables, start_with)
        self._flags = list(flags)
        self._folder = folder if os.path.isdir(folder) else None
        self._path: list[str] = sys.path[:]
        self._arguments: list[str] = []

    def changed(self, path: Sequence[str], own: Sequence[str], arguments: Sequence[str]) -> None:
        """Take where the program looks for modules, and its arguments.

        Args:
            path: as its `sys.path` is.
            own: the folders that belong to its interpreter there, which has others here.
            arguments: as its `sys.argv` is.
        """
        self._path = merged(path, own, sys.path)
        self._arguments = list(arguments)

    @property
    def path(self) -> Sequence[str]:
        """What the program has added to that of its interpreter, and the path of the one here."""
        return self._path

    @property
    def arguments(self) -> Sequence[str]:
        """As on the engine's side."""
        return self._arguments

    @property
    def flags(self) -> Sequence[str]:
        """As on the engine's side."""
        return self._flags

    @property
    def folder(self) -> str | None:
        """The engine's directory, if there is one of that name here."""
        return self._folder


def merged(path: Sequence[str], own: Sequence[str], here: Sequence[str]) -> list[str]:
    """Where workers look for modules: where the engine does, if its interpreter is the same; else what its program has
    added, and then where the interpreter here looks.

    Args:
        path: of the engine's program.
        own: the folders under which its interpreter has its own modules and installed ones.
        here: the path of this process.
    """
    under = tuple(os.path.join(folder, "") for folder in own)
    installed = [folder for folder in path if os.path.join(folder, "").startswith(under)]
    if set(installed) <= {*here}:
        return list(path)
    added = [folder for folder in path if folder not in installed]
    return [*added, *(folder for folder in here if folder not in added)]
