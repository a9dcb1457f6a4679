"""The directory of an engine's agents on one node. Agents of the same engine share it; the last one removes it."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Final

from ..._files.copying import remove

_PREFIX: Final = "asyncflow-node-"
_LOCK: Final = ".used"


def folder_of(token: bytes) -> Path:
    """Where the agents of an engine have the files of its tasks, below the system's place for temporary files.

    Args:
        token: the engine's, from which its name follows; nobody can tell the token from that.
    """
    name = blake2b(token, digest_size=8, person=b"asyncflow files").hexdigest()
    return Path(_temporary(), f"{_PREFIX}{os.geteuid()}-{name}")


def _temporary() -> str:
    """The system's place for temporary files. `tempfile.gettempdir` tries it out with a file, which an agent that is
    killed in the midst would leave there."""
    named = (os.environ.get(name) for name in ("TMPDIR", "TEMP", "TMP"))
    for folder in (*named, "/tmp", "/var/tmp", "/usr/tmp"):
        if folder and os.path.isdir(folder) and os.access(folder, os.W_OK | os.X_OK):
            return os.path.abspath(folder)
    return os.getcwd()


class NodeFolder:
    """A directory that several processes use, and that goes with the last of them, however that ends.

    Args:
        path: of it.

    Raises:
        OSError: it cannot be made, or is somebody else's.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        while True:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            status = os.lstat(path)
            if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
                raise PermissionError(f"{path} is somebody else's")
            try:
                self._lock = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            except FileNotFoundError:  # its last user removes it just now
                continue
            fcntl.flock(self._lock, fcntl.LOCK_SH)
            with suppress(FileNotFoundError):
                if os.stat(path / _LOCK).st_ino == os.fstat(self._lock).st_ino:
                    return
            os.close(self._lock)

    def close(self) -> None:
        """It is not used here any more."""
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # others use it
            pass
        else:
            remove(self._path)
        finally:
            os.close(self._lock)


def sweep(folder: Path) -> None:
    """Remove what agents of this user have left there that were killed, all agents of an engine."""
    for path in unused(folder):
        remove(path)


def unused(folder: Path) -> Iterator[Path]:
    """The directories that agents of this user have left there; until the next is asked for, no other can be removing
    the one that was given."""
    with suppress(OSError), os.scandir(folder) as listing:
        for entry in listing:
            if not entry.name.startswith(f"{_PREFIX}{os.geteuid()}-") or entry.is_symlink():
                continue
            with suppress(OSError):
                lock = os.open(Path(entry.path, _LOCK), os.O_RDWR | os.O_CLOEXEC)
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    yield Path(entry.path)
                finally:
                    os.close(lock)
