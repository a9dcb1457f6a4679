"""What worker processes have of the program that they work for: this one, or one on another machine."""

from __future__ import annotations

import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

from .interpreter import flags


class Program(ABC):
    """A program, as its worker processes are started and told of it.

    Args:
        python: path of the interpreter that they run.
        variables: of their environment, where that of this process has no value for them.
        start_with: what each does before its first call, as for `wire.START`.
    """

    def __init__(self, python: str, variables: Mapping[str, str], start_with: bytes) -> None:
        self.python = python
        self.start_with = start_with
        self._variables = dict(variables)

    @property
    @abstractmethod
    def path(self) -> Sequence[str]:
        """Where it looks for modules."""

    @property
    @abstractmethod
    def arguments(self) -> Sequence[str]:
        """Its command line, as `sys.argv` has it."""

    @property
    @abstractmethod
    def flags(self) -> Sequence[str]:
        """The arguments of its interpreter: ``-O``, ``-W``, ``-X`` and the like."""

    @property
    def folder(self) -> str | None:
        """Where its workers are started; None for the directory of this process."""
        return None

    def environment(self) -> dict[str, str]:
        """The environment of a worker that is started now."""
        return self._variables | dict(os.environ)


class ThisProgram(Program):
    """The program of this process, as it is at the moment when it is asked."""

    @property
    def path(self) -> Sequence[str]:
        """`sys.path` itself."""
        return sys.path

    @property
    def arguments(self) -> Sequence[str]:
        """`sys.argv`."""
        return sys.argv

    @property
    def flags(self) -> Sequence[str]:
        """Of this interpreter."""
        return flags()


def folders(path: Sequence[object]) -> list[str]:
    """The entries of a path for modules that name a folder; imports pass over all others, too."""
    return [folder for folder in path if isinstance(folder, str)]
