"""Remembers the checksums of files on this machine, as long as they are what they were."""

from __future__ import annotations

import os
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Final

from .contents import digest_of

_REMEMBERED: Final = 50_000
_YOUNG: Final = 50_000_000  # nanoseconds since a change in which another one may leave the same time behind

_State = tuple[int, int, int, int]


class Digests:
    """The checksums of files, each worked out once. May be asked on any thread."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, tuple[_State, bytes]] = OrderedDict()

    def of(self, path: str | Path, wanted: Callable[[], bool] = lambda: True) -> bytes:
        """The checksum of a file; the first time it takes as long as reading it.

        Raises:
            OSError: it cannot be read, or is no regular file.
            Unwanted: `wanted`, which is asked now and then, has said no.
        """
        known = self.known(path)
        if known is not None:
            return known
        before = _state(path)
        digest = digest_of(path, wanted)
        if _state(path) == before and time.time_ns() - before[1] > _YOUNG:
            self._remember(str(path), before, digest)
        return digest

    def known(self, path: str | Path) -> bytes | None:
        """The checksum of a file, if it is known already."""
        found = self._known.get(str(path))
        try:
            return None if found is None or found[0] != _state(path) else found[1]
        except OSError:
            return None

    def tell(self, path: str | Path, digest: bytes) -> None:
        """A file of ours has come with its checksum."""
        self._remember(str(path), _state(path), digest)

    def forget(self, path: str | Path) -> None:
        """It was not what it was thought to be."""
        self._known.pop(str(path), None)

    def _remember(self, path: str, state: _State, digest: bytes) -> None:
        self._known[path] = state, digest
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)


def _state(path: str | Path) -> _State:
    status = os.stat(path)
    return status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size


DIGESTS: Final = Digests()
"""Of this program: what one run has looked at, the next need not read again."""
