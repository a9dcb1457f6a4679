"""Brings the files of a task into its sandbox; on a thread, it takes as long as it takes. What is to be where,
`_core/files.py` decides.

An input is a copy, which shares its blocks with the original where the file system can do that, and never a link: a
task may write into what it was given, and a link would let that through to the original.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Hashable, Mapping
from functools import partial
from pathlib import Path, PosixPath
from typing import Final

from .._core import urls
from .._core.files import Declared, File, InputFile, OutputFile, hides, made_upstream, name_in_sandbox
from .._core.names_in_commands import is_plain, unplain
from ..errors import StagingError
from .copying import Unwanted, copy
from .destinations import local_path
from .implicit import bring_left, left_under, walk
from .made import place
from .names_ahead import missing
from .output_path import plain_path
from .shell_paths import ShellPath, ShellPaths
from .task_files import TaskFiles

_BLOCK: Final = 4 << 20  # bytes whose checksum is worked out between two looks at whether it is wanted


class StageIn:
    """Brings the files of one task, once.

    Args:
        files: of the task, whose sandbox is there.
        fetched: where files of other places are, by URL.
        implicit: whether what commands have made without declaring it is brought along.
        makers: labels of tasks by the names of outputs that they declare, to be told where a file is missing.
        wanted: whether all this is still wanted.
    """

    def __init__(
        self,
        files: TaskFiles,
        fetched: Mapping[str, Path],
        implicit: bool,
        makers: Mapping[str, str],
        wanted: Callable[[], bool],
    ) -> None:
        assert files.sandbox is not None
        self._files = files
        self._sandbox = files.sandbox
        self._fetched = fetched
        self._implicit = implicit
        self._makers = makers
        self._wanted = wanted
        self._taken: dict[str, tuple[Hashable, str]] = {}  # names in the sandbox

    def all(self, found: Declared) -> Callable[[File], object]:
        """Copy the inputs, and make place for the outputs.

        Args:
            found: what the task declares.

        Returns:
            What gives the path in the sandbox of each that was declared; of several files, a list.

        Raises:
            StagingError: something is not there or is not what it should be, or two have one name.
            Unwanted: nobody wants it any more.
        """
        files = self._files
        staged: dict[int, object] = {}
        for each in found.inputs:
            try:
                source = self._source(each)
                if isinstance(source, Path):
                    staged[id(each)] = self._path(self._bring(each, source))
                else:
                    paths = [self._path(self._bring(each, path)) for path in source]
                    staged[id(each)] = ShellPaths(paths) if files.is_command else paths  # type: ignore[arg-type]
            except (OSError, ValueError, TypeError, ImportError) as error:
                raise StagingError(f"{files.label}: {_why(each, error)}") from error
        try:
            for name in found.outputs:
                self._make_room(name)
            if self._implicit and files.is_command:
                self._bring_left(partial(hides, [*self._taken, *found.outputs]))
        except (OSError, ValueError) as error:
            raise StagingError(f"{files.label}: {error}") from error
        if files.is_command:
            outputs = found.outputs.items()
            named = [name for name, each in outputs if not each.is_glob or not is_plain(_bare(name))]
            files.unplain = self._unplain([*named, *files.brought])

        def path_of(file: File) -> object:
            return self._path(file.name) if isinstance(file, OutputFile) else staged[id(file)]

        return path_of

    def _path(self, name: str) -> Path:
        """What the task is given for a file of its sandbox."""
        return (ShellPath if self._files.is_command else Path)(self._sandbox / name)

    def _make_room(self, output: str) -> None:
        """Make the directory that an output goes to."""
        place(self._sandbox, output, is_file=False)

    def _bring_left(self, is_hidden: Callable[[str], bool]) -> None:
        """Bring what commands before have made without declaring it."""
        bring_left(self._files, is_hidden, partial(place, self._sandbox), self._wanted)

    def _unplain(self, names: list[str]) -> dict[str, str]:
        """What may stand in the command only as quoted, of files of such names."""
        return unplain(str(self._sandbox), names)

    def _bring(self, given: InputFile, source: Path) -> str:
        """Copy one file or directory, and tell what it is called in the sandbox."""
        told = urls.shown(given.source) if isinstance(given.source, str) else str(source)
        is_new = (given.name or source.name) not in self._taken
        name = name_in_sandbox(given.name or source.name, os.path.normpath(source), told, self._taken)
        if is_new:
            self._put(source, name)
        if given.sha256 is not None:
            _verify(self._seen(source, name), told, given.sha256.lower(), self._wanted)
        return name

    def _put(self, source: Path, name: str) -> None:
        """Have a file or directory under a name in the sandbox."""
        copy(source, place(self._sandbox, name), self._wanted)
        brought = ((found, (stamp, None)) for found, _, stamp in walk(self._sandbox, name))
        self._files.brought.update(brought)

    def _seen(self, source: Path, name: str) -> Path:
        """The file of which a checksum tells what the task is given: the copy, which nobody else can change."""
        return self._sandbox / name

    def _source(self, given: InputFile) -> Path | list[Path]:
        upstreams = self._files.upstreams
        source = made_upstream(given.source, upstreams)
        if source is None and isinstance(given.source, str):
            source = self._fetched.get(given.source)
            if source is None and self._implicit:
                source = left_under(given.source, upstreams)
        if source is None:
            source = given.source
        if isinstance(source, PosixPath):
            source = plain_path(source)
        if isinstance(source, list) and source and all(isinstance(each, os.PathLike) for each in source):
            if given.name is not None or given.sha256 is not None:
                raise ValueError(f"InputFile of {len(source)} files: neither name= nor sha256= fits them all")
            return [plain_path(each) for each in source]
        path = local_path(source, self._files.folder)
        if path is None:
            raise TypeError(f"InputFile({source!r}): a path or a URL is needed, or the name of an output")
        if not path.exists():
            raise FileNotFoundError(missing(given.source, path, upstreams, self._makers))
        return path


def _why(given: InputFile, error: Exception) -> str:
    if isinstance(error, OSError) and not isinstance(error, FileNotFoundError):
        source = urls.shown(given.source) if isinstance(given.source, str) else str(given.source)
        return f"input {source!r} could not be staged: {error}"
    return str(error)


def _verify(path: Path, told: str, sha256: str, wanted: Callable[[], bool]) -> None:
    import hashlib

    made = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(_BLOCK):
            if not wanted():
                raise Unwanted
            made.update(block)
    if made.hexdigest() != sha256:
        raise ValueError(
            f"{told!r} is not what it should be: its sha256 is {made.hexdigest()}, and {sha256} was asked for"
        )


def _bare(pattern: str) -> str:
    return re.sub(r"[*?\[\]]", "", pattern)
