"""The results that an agent keeps: memory files that it holds open until the engine says that nobody wants them."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterable
from typing import Final

from .._core.kept_bytes import bound, fits
from .._worker import wire
from ..backends.carried.pieces import FileSource, MemoryFile
from .memory import usable_memory

_FOR_OTHERS: Final = 512  # descriptors that workers, files and connections may need
_PAGE: Final = resource.getpagesize()


class KeptHere:
    """The kept results of one agent, by the numbers of their descriptors: workers open them by these."""

    def __init__(self) -> None:
        self.keep_from: int | None = None
        """Bytes from which a result is kept, if nothing is said; None for none."""
        self._files: dict[int, MemoryFile] = {}
        self._bytes: dict[int, int] = {}  # of each, by whole pages
        self._held = 0  # bytes of all
        self._at_most: int | None = None  # bytes; None as long as that was not worked out
        self._agents = 1
        self._most = resource.getrlimit(resource.RLIMIT_NOFILE)[0] - _FOR_OTHERS
        self._has_asked = False  # for more files

    def bound(self, at_most: int | None, agents: int) -> None:
        """Say how many bytes are kept.

        Args:
            at_most: that many; None for a share of the memory here, worked out when it is needed.
            agents: that this machine is to have.
        """
        self._at_most, self._agents = at_most, agents

    def keeps(self, flags: int, size: int) -> bool:
        """Whether a result is to be kept. One for which there is no room, or for which this process may open no more
        files, goes to the engine.

        Args:
            flags: of its call.
            size: bytes of it.
        """
        if len(self._files) >= self._most and not self._more():
            return False
        if flags & (wire.KEEP | wire.BRINGS):
            is_wanted = bool(flags & wire.KEEP)
        else:
            is_wanted = self.keep_from is not None and size >= self.keep_from
        return is_wanted and fits(size, self._held, self._room())

    def _room(self) -> int:
        if self._at_most is None:
            self._at_most = bound(usable_memory(), self._agents)
        return self._at_most

    def _more(self) -> bool:
        """Ask for as many open files as there may be; not before they are needed, as workers get the same."""
        if not self._has_asked:
            self._has_asked = True
            self._most = _raised() - _FOR_OTHERS
        return len(self._files) < self._most

    def keep(self, file: MemoryFile) -> int:
        """Hold a memory file; also one for which there was no room, as the copy that a task here needs.

        Returns:
            Its number.
        """
        self._files[file.fd] = file
        size = self._bytes[file.fd] = -(-os.fstat(file.fd).st_size // _PAGE) * _PAGE
        self._held += size
        return file.fd

    def free(self, numbers: Iterable[int]) -> None:
        """Let go of results."""
        for number in numbers:
            self._files.pop(number, None)
            self._held -= self._bytes.pop(number, 0)

    def source(self, number: int, sizes: wire.Sizes) -> FileSource | None:
        """What reads a result; None if it is not here."""
        file = self._files.get(number)
        return None if file is None else FileSource(file.duplicate(), sizes)

    def close(self) -> None:
        """Let go of all."""
        self._files.clear()
        self._bytes.clear()
        self._held = 0


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
