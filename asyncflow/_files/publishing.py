"""Looks for what a task has made, and publishes it; on a thread, it takes as long as it takes."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from .._core.files import OutputFile
from ..errors import StagingError
from .copying import Unwanted, copy, remove
from .destinations import refuse_no_file
from .made import made
from .task_files import TaskFiles


class Publishing:
    """What one run publishes; to a URL by `send`."""

    def __init__(self, send: Callable[[Path, str], None]) -> None:
        self._send = send
        self._ours: set[Path] = set()  # directories that this run has published

    def all(self, files: TaskFiles, wanted: Callable[[], bool]) -> dict[str, Any]:
        """Look for what a task has made, and publish what is to be published, all of it or none.

        Args:
            wanted: asked for the last time just before the first file appears.

        Returns:
            Paths by name; of a glob, a list.

        Raises:
            StagingError: an output was not made, leads out of the sandbox, or cannot be published.
            Unwanted: nobody wants it any more.
        """
        made = {name: _made(files, each) for name, each in files.declares.items()}
        ready: list[tuple[Path, Path]] = []
        try:
            for name, destination in files.destinations.items():
                if isinstance(destination, Path):
                    ready.append((self._beside(made[name], destination, wanted), destination))
            if not wanted():
                raise Unwanted
            for name, destination in files.destinations.items():
                if isinstance(destination, str):
                    self._send(made[name], destination)
            while ready:
                self._publish(*ready[0])
                del ready[0]
            files.published = sum(map(_size, (made[name] for name in files.destinations)))
        except (OSError, ValueError, ImportError) as error:
            raise StagingError(f"{files.label}: its outputs could not be published: {error}") from error
        finally:
            for halfway, _ in ready:
                remove(halfway)
        return made

    def _beside(self, path: Path, destination: Path, wanted: Callable[[], bool]) -> Path:
        """A complete copy next to where it is to go, so that the last step is one rename."""
        destination.parent.mkdir(parents=True, exist_ok=True)
        if destination.is_dir() and destination not in self._ours:
            told = f"a directory is there already; to={f'{destination}/'!r} puts it in there"
            raise IsADirectoryError(errno.EISDIR, told, str(destination))
        if path.is_dir() and destination.exists() and not destination.is_dir():
            raise NotADirectoryError(
                errno.ENOTDIR, "a file is there already, and this is a directory", str(destination)
            )
        halfway = _unused(destination)
        copy(path, halfway, wanted)
        with suppress(FileNotFoundError):
            if not path.is_dir():  # who may read a file is for whoever has made it first
                os.chmod(halfway, os.stat(destination).st_mode & 0o777)  # as whom it runs is not for others
        return halfway

    def _publish(self, halfway: Path, destination: Path) -> None:
        refuse_no_file(destination)
        if halfway.is_dir():
            # Published by this run before: a directory that is not empty has to go first.
            if destination.is_dir():
                old = _unused(destination)
                os.rename(destination, old)
                os.rename(halfway, destination)
                remove(old)
                return
            self._ours.add(destination)
        os.replace(halfway, destination)


def _unused(destination: Path) -> Path:
    return Path(tempfile.mktemp(prefix=f".{destination.name[:50]}-", dir=destination.parent))


def _made(files: TaskFiles, output: OutputFile) -> Any:
    assert files.sandbox is not None
    brought = {name: stamp for name, (stamp, _) in files.brought.items()}
    found = made(files.label, files.sandbox, output.name, brought)
    return found if output.is_glob else found[0]


def _size(path: Path) -> int:
    """Of a file, or of all files in a directory."""
    return sum(
        each.stat().st_size for each in (path.rglob("*") if path.is_dir() else [path]) if each.is_file()
    )
