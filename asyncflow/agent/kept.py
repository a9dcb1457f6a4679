"""The results that an agent keeps: memory files that it holds open until the engine says that nobody wants them."""

from __future__ import annotations

import resource
from collections.abc import Iterable
from typing import Final

from .._worker import wire
from ..backends.carried.pieces import FileSource, MemoryFile

_FOR_OTHERS: Final = 512  # descriptors that workers, files and connections may need


class KeptHere:
    """The kept results of one agent, by the numbers of their descriptors: workers open them by these."""

    def __init__(self) -> None:
        self.keep_from: int | None = None
        """Bytes from which a result is kept, if nothing is said; None for none."""
        self._files: dict[int, MemoryFile] = {}
        self._most = resource.getrlimit(resource.RLIMIT_NOFILE)[0] - _FOR_OTHERS
        self._has_asked = False  # for more files

    def keeps(self, flags: int, size: int) -> bool:
        """Whether a result is to be kept. One for which this process may open no more files goes to the engine.

        Args:
            flags: of its call.
            size: bytes of it.
        """
        if len(self._files) >= self._most and not self._more():
            return False
        if flags & (wire.KEEP | wire.BRINGS):
            return bool(flags & wire.KEEP)
        return self.keep_from is not None and size >= self.keep_from

    def _more(self) -> bool:
        """Ask for as many open files as there may be; not before they are needed, as workers get the same."""
        if not self._has_asked:
            self._has_asked = True
            self._most = _raised() - _FOR_OTHERS
        return len(self._files) < self._most

    def keep(self, file: MemoryFile) -> int:
        """Hold a memory file.

        Returns:
            Its number.
        """
        self._files[file.fd] = file
        return file.fd

    def free(self, numbers: Iterable[int]) -> None:
        """Let go of results."""
        for number in numbers:
            self._files.pop(number, None)

    def source(self, number: int, sizes: wire.Sizes) -> FileSource | None:
        """What reads a result; None if it is not here."""
        file = self._files.get(number)
        return None if file is None else FileSource(file.duplicate(), sizes)

    def close(self) -> None:
        """Let go of all."""
        self._files.clear()


def _raised() -> int:
    """How many files this process may open, once it has asked for all that it is allowed to."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError):
        return soft
    return hard if hard != resource.RLIM_INFINITY else 1 << 20


def written(data: bytes) -> MemoryFile:
    """A memory file with nothing but these bytes."""
    return MemoryFile(wire.write_file(data))
