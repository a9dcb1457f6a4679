"""Files of tasks that run where the files of this machine are not: nothing is copied here. What has to be there is
noted, and the backend brings it; the function gets paths that become those of its sandbox there when they are sent."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PosixPath
from typing import Final

from .._core import arguments
from .._core.carried_files import FILE, FOLDER, LINK, CarriedFiles, Entry
from .._core.containers import Kinds
from .._core.files import Declared, File
from .._worker.paths import path_here
from ..errors import StagingError
from .contents import digest_of_small, small
from .digests import DIGESTS
from .entries import entries_of, entry_at
from .implicit import visible_left
from .output_path import OutputPath, plain_path
from .shell_paths import shell_path_here
from .staging import StageIn

STREAMS: Final = ("stdout", "stderr")
_GIVEN: Final = ".given"
"""Where in a sandbox files are that others have made, and of which the task was given the paths alone."""
_EVIDENCE: Final = 16 << 20  # bytes of what a failed task has left that come back at most


class CarriedPath(PosixPath):
    """The path of a file in a task's sandbox. Sent to where the task runs, it is the path in its sandbox there."""

    SHOWN_AS_PATH: Final = True  # in errors, as other paths are: showing it runs no code of a user's
    _place: tuple[int, str, str] | None = None  # number of the task, its sandbox here, and the name in it
    _is_of_command: bool = False

    @classmethod
    def of(cls, task_id: int, sandbox: Path, name: str, is_of_command: bool) -> CarriedPath:
        """The path of that name in the sandbox of a task."""
        made = cls(sandbox / name)
        made._place = task_id, str(sandbox), name
        made._is_of_command = is_of_command
        return made

    def __repr__(self) -> str:
        return f"PosixPath({str(self)!r})"

    def __reduce__(self) -> tuple[object, ...]:
        if self._place is None:
            return Path, (str(self),)
        return (shell_path_here if self._is_of_command else path_here), self._place


class StageInFar(StageIn):
    """Notes what has to be where a task runs, and brings nothing.

    Args:
        args: as for `StageIn`.
        task_id: number of the task.
        hashes: whether checksums are worked out now.
        keeps_failed: whether what it leaves is to be looked into if it fails.
    """

    def __init__(self, *args: object, task_id: int, hashes: bool, keeps_failed: bool) -> None:
        super().__init__(*args)  # type: ignore[arg-type]
        self._task_id = task_id
        self._hashes = hashes
        self._evidence = _EVIDENCE if keeps_failed else 0
        self._entries: dict[str, Entry] = {}

    def every(self, found: Declared, given: Sequence[Path]) -> Callable[[object], object]:
        """As `all`, with what makes paths of outputs of others, which its arguments hold as they are, too.

        Args:
            found: what the task declares.
            given: these paths.

        Raises:
            StagingError: something is not there or is not what it should be, or two have one name.
            Unwanted: nobody wants it any more.
        """
        path_of = self.all(found)
        files = self._files
        paths: dict[str, Path] = {}
        for path in map(plain_path, given):
            if str(path) not in paths:
                name = f"{_GIVEN}/{len(paths) + 1}/{path.name}"
                try:
                    self._put(path, name)
                except OSError as error:
                    raise StagingError(
                        f"{files.label}: {str(path)!r} could not be staged: {error}"
                    ) from error
                paths[str(path)] = self._path(name)
        inputs = sorted(self._entries.values(), key=lambda each: each.name.split("/"))
        files.carried = CarriedFiles(
            files.label,
            str(self._sandbox),
            tuple(map(self._hashed, inputs)),
            tuple(found.outputs),
            self._implicit and files.is_command,
            _beside(self._sandbox) if files.is_command else {},
            self._evidence,
        )

        def either(given: object) -> object:
            return path_of(given) if isinstance(given, File) else paths[str(plain_path(given))]  # type: ignore[arg-type]

        return either

    def _hashed(self, entry: Entry) -> Entry:
        if entry.kind != FILE:
            return entry
        if not self._hashes:
            return entry._replace(digest=DIGESTS.known(entry.source))
        content = small(entry.source, entry.size)
        if content is not None:
            return entry._replace(digest=digest_of_small(content), content=content)
        return entry._replace(digest=DIGESTS.of(entry.source, self._wanted))

    def _path(self, name: str) -> Path:
        return CarriedPath.of(self._task_id, self._sandbox, name, self._files.is_command)

    def _make_room(self, output: str) -> None:
        pass  # that is done where it runs

    def _put(self, source: Path, name: str) -> None:
        for entry in entries_of(source, name):
            self._note(entry)
            if entry.kind in (FILE, LINK):
                self._files.brought[entry.name] = (entry.changed, entry.size), None

    def _seen(self, source: Path, name: str) -> Path:
        return source

    def _bring_left(self, is_hidden: Callable[[str], bool]) -> None:
        for name, (left, is_link) in visible_left(self._files, is_hidden).items():
            for entry in [entry_at(left.path, name)] if is_link else entries_of(Path(left.path), name):
                self._note(entry)
                if entry.kind in (FILE, LINK):
                    maker = replace(left, path=left.path + entry.name.removeprefix(name))
                    self._files.brought[entry.name] = (entry.changed, entry.size), maker

    def _note(self, entry: Entry) -> None:
        known = self._entries.setdefault(entry.name, entry)
        if known is not entry and not known.kind == entry.kind == FOLDER:
            raise FileExistsError(f"two things would be called {entry.name!r} in the sandbox")

    def _unplain(self, names: list[str]) -> dict[str, str]:
        return {}  # it goes by the sandbox there


def outputs_in(args: tuple[object, ...], kwargs: Mapping[str, object]) -> Sequence[Path]:
    """The paths of others' outputs that the arguments of a call hold, wherever they are nested."""
    found, _, _ = arguments.scan(args, kwargs, _OUTPUTS, _never)
    return found


def with_carried(
    args: tuple[object, ...], kwargs: Mapping[str, object], path_of: Callable[[File], object]
) -> tuple[tuple[object, ...], Mapping[str, object]]:
    """The arguments of a call with the paths for where it runs in place of those. ``path_of`` is what
    `StageInFar.every` has given, which knows them, too."""
    found, holes, _ = arguments.scan(args, kwargs, _OUTPUTS, _never)
    return arguments.fill(args, kwargs, holes, OutputPath, path_of) if found else (args, kwargs)


_OUTPUTS: Final = Kinds(OutputPath, lambda cls: False, lazy=False)


def _never(awaitable: object) -> object:
    raise AssertionError("no class is foreign here")


def _beside(sandbox: Path) -> Mapping[str, str]:
    return {stream: os.fspath(sandbox.with_name(f"{sandbox.name}.{stream}")) for stream in STREAMS}
