"""The results that an agent keeps: memory files that it holds open until the engine says that nobody wants them."""

from __future__ import annotations

from collections.abc import Iterable

from .._worker import wire
from ..backends.carried.pieces import FileSource, MemoryFile


class KeptHere:
    """The kept results of one agent, by the numbers of their descriptors: workers open them by these."""

    def __init__(self) -> None:
        self.keep_from: int | None = None
        """Bytes from which a result is kept, if nothing is said; None for none."""
        self._files: dict[int, MemoryFile] = {}

    def keeps(self, flags: int, size: int) -> bool:
        """Whether a result is to be kept.

        Args:
            flags: of its call.
            size: bytes of it.
        """
        if flags & (wire.KEEP | wire.BRINGS):
            return bool(flags & wire.KEEP)
        return self.keep_from is not None and size >= self.keep_from

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


def written(data: bytes) -> MemoryFile:
    """A memory file with nothing but these bytes."""
    return MemoryFile(wire.write_file(data))
