"""Brings the files of a task into its sandbox and out of it; on a thread, it takes as long as it takes. What is to be
where, `_core/files.py` decides.

An input is a copy, which shares its blocks with the original where the file system can do that, and never a link: a
task may write into what it was given, and a link would let that through to the original.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shlex
import stat
import tempfile
import threading
from collections.abc import Callable, Hashable, Iterable, Mapping
from contextlib import suppress
from functools import cached_property, partial
from pathlib import Path, PosixPath
from typing import TYPE_CHECKING, Any, Final

from .._core import urls
from .._core.files import Declared, File, InputFile, OutputFile, hides, made_upstream, name_in_sandbox
from .._core.names_in_commands import is_plain, is_plain_path, unplain
from ..errors import StagingError
from .copying import Unwanted, copy, is_inside, remove
from .held_path import plain_path
from .implicit import bring_left, left_under, stamp_of, walk
from .task_files import TaskFiles

if TYPE_CHECKING:
    from .remote import Remote

_SHOWN: Final = 20  # files that an error lists
_BLOCK: Final = (
    4 << 20
)  # bytes of a file whose checksum is worked out, between two looks at whether it is wanted


class ShellPath(PosixPath):
    """A path that an f-string and `str.format` put into a command quoted for the shell."""

    def __format__(self, spec: str) -> str:
        text = format(str(self), spec)
        return text if is_plain_path(text) else shlex.quote(text)


class ShellPaths(list[ShellPath]):
    """Several, one word each."""

    def __format__(self, spec: str) -> str:
        return " ".join(format(path, spec) for path in self)


class Staging:
    """The files of one run.

    Args:
        stopped: set when nobody wants anything any more.
        implicit: whether what commands have made without declaring it is brought along.
        makers: labels of tasks by the names of outputs that they declare, to be told where a file is missing.
    """

    def __init__(self, stopped: threading.Event, implicit: bool, makers: Mapping[str, str]) -> None:
        self._stopped = stopped
        self._implicit = implicit
        self._makers = makers
        self._ours: set[Path] = set()  # directories that this run has published

    @cached_property
    def _remote(self) -> Remote:
        from .remote import Remote  # few workflows need it, and it takes a while to load

        return Remote(self._stopped)

    def fetch(self, url: str, folder: Path) -> Path:
        """Bring a file of another place to this machine.

        Args:
            url: where it is.
            folder: a new directory for it.

        Returns:
            Where it is now.
        """
        folder.mkdir(parents=True)
        target = folder / urls.name_of(url)
        self._remote.fetch(url, target)
        return target

    # -- in -----------------------------------------------------------------------------------------------

    def stage_in(
        self, files: TaskFiles, of_call: Declared, fetched: Mapping[str, Path], wanted: Callable[[], bool]
    ) -> Callable[[File], Any]:
        """Copy the inputs of a task into its sandbox, and make place for its outputs.

        Args:
            files: of the task.
            files: what it declares.
            fetched: where files of other places are, by URL.
            wanted: whether all this is still wanted.

        Returns:
            What gives the path in the sandbox of each that was declared; of several files, a list.

        Raises:
            StagingError: something is not there or is not what it should be, or two have one name.
            Unwanted: as told.
        """
        sandbox = files.sandbox
        assert sandbox is not None
        path_class: Any = ShellPath if files.is_command else Path
        paths_class: Any = ShellPaths if files.is_command else list
        staged: dict[int, Any] = {}
        taken: dict[str, tuple[Hashable, str]] = {}
        for each in of_call.inputs:
            try:
                source = self._source(each, files, fetched)
                if isinstance(source, Path):
                    staged[id(each)] = path_class(sandbox / self._bring(each, source, files, taken, wanted))
                else:
                    names = [self._bring(each, path, files, taken, wanted) for path in source]
                    staged[id(each)] = paths_class(path_class(sandbox / name) for name in names)
            except (OSError, ValueError, TypeError, ImportError) as error:
                raise StagingError(f"{files.label}: {_why(each, error)}") from error
        try:
            for name in of_call.outputs:
                _place(sandbox, name, is_file=False)
            if self._implicit and files.is_command:
                is_hidden = partial(hides, [*taken, *of_call.outputs])
                bring_left(files, is_hidden, partial(_place, sandbox), wanted)
        except (OSError, ValueError) as error:
            raise StagingError(f"{files.label}: {error}") from error

        if files.is_command:
            named = [
                name
                for name, each in of_call.outputs.items()
                if not each.is_glob or not is_plain(_bare(name))
            ]
            files.unplain = unplain(str(sandbox), [*named, *files.brought])

        def path_of(file: File) -> Any:
            return path_class(sandbox / file.name) if isinstance(file, OutputFile) else staged[id(file)]

        return path_of

    def _bring(
        self,
        given: InputFile,
        source: Path,
        files: TaskFiles,
        taken: dict[str, tuple[Hashable, str]],
        wanted: Callable[[], bool],
    ) -> str:
        assert files.sandbox is not None
        told = urls.shown(given.source) if isinstance(given.source, str) else str(source)
        is_new = (given.name or source.name) not in taken
        name = name_in_sandbox(given.name or source.name, os.path.normpath(source), told, taken)
        target = _place(files.sandbox, name)
        if is_new:
            copy(source, target, wanted)
        if given.sha256 is not None:  # of the copy, which nobody else can change
            _verify(target, told, given.sha256.lower(), wanted)
        if is_new:
            files.brought.update((found, (stamp, None)) for found, _, stamp in walk(files.sandbox, name))
        return name

    def _source(self, given: InputFile, files: TaskFiles, fetched: Mapping[str, Path]) -> Path | list[Path]:
        source = made_upstream(given.source, files.upstreams)
        if source is None and isinstance(given.source, str):
            source = fetched.get(given.source)
            if source is None and self._implicit:
                source = left_under(given.source, files.upstreams)
        if source is None:
            source = given.source
        if isinstance(source, PosixPath):
            source = plain_path(source)
        if isinstance(source, list) and source and all(isinstance(each, os.PathLike) for each in source):
            if given.name is not None or given.sha256 is not None:
                raise ValueError(f"InputFile of {len(source)} files: neither name= nor sha256= fits them all")
            return [plain_path(each) for each in source]
        path = _local(source, files.folder)
        if path is None:
            raise TypeError(f"InputFile({source!r}): a path or a URL is needed, or the name of an output")
        if not path.exists():
            raise FileNotFoundError(missing(given.source, path, files.upstreams, self._makers))
        return path

    # -- out ----------------------------------------------------------------------------------------------

    def stage_out(self, files: TaskFiles, wanted: Callable[[], bool]) -> dict[str, Any]:
        """Look for what a task has made, and publish what is to be published, all of it or none.

        Args:
            files: of the task.
            wanted: whether it is still wanted; asked for the last time just before the first file appears.

        Returns:
            Paths by name; of a glob, a list.

        Raises:
            StagingError: an output was not made, leads out of the sandbox, or cannot be published.
            Unwanted: as told.
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
                    self._remote.send(made[name], destination)
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
            if (
                destination.is_dir()
            ):  # published by this run before: a directory that is not empty has to go first
                old = _unused(destination)
                os.rename(destination, old)
                os.rename(halfway, destination)
                remove(old)
                return
            self._ours.add(destination)
        os.replace(halfway, destination)


def destination_of(to: Any, folder: Path) -> Path | str:
    """Where an output is published: a path of this machine, with the links of its directory followed, or a URL.

    Args:
        to: as its user has it.
        folder: what a path is relative to.

    Raises:
        TypeError: it is neither.
    """
    if isinstance(to, str) and urls.is_url(to) and urls.local_path(to) is None:
        return to
    path = _local(to, folder)
    if path is None:
        raise TypeError(f"OutputFile(..., to={to!r}): a path or a URL is needed")
    path = Path(os.path.normpath(path))
    return Path(os.path.realpath(path.parent), path.name)


def refuse_no_file(place: Path) -> None:
    """Refuse to publish where a device, a pipe or a socket is: a rename would put a file in its place.

    Args:
        place: a destination on this machine.

    Raises:
        OSError: there is one.
    """
    with suppress(FileNotFoundError, NotADirectoryError):
        mode = os.stat(place).st_mode
        leads_to = os.readlink(place) if place.is_symlink() else ""
        is_stream = any(each.startswith("/proc/") for each in (str(place), leads_to))  # as /dev/stdout is
        if is_stream or not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            told = "a device, pipe or socket is there, which a file would replace; leave to= out, or name another place"
            raise OSError(errno.EINVAL, told, str(place))


def missing(source: Any, path: Path, upstreams: Iterable[TaskFiles], makers: Mapping[str, str]) -> str:
    """The words for an input that is not there, with who could have made it.

    Args:
        source: of the `InputFile`.
        path: where it would be.
        upstreams: of the tasks that its reader depends on.
        makers: labels of tasks by the names of outputs that they declare.
    """
    names = sorted({name for upstream in upstreams for name in upstream.declares})
    told = f"input {str(source)!r} is not there (looked at {path}); "
    if source in makers:
        return told + f"{makers[source]} makes it: pass its  future.outputs[{source!r}]  or say  after="
    if names:
        return told + f"the tasks that it depends on declare {', '.join(names)}"
    return told + "no task that it depends on declares an output"


def _local(given: Any, folder: Path) -> Path | None:
    """A path of this machine as its user has it, also as a file: URL; None if it is none."""
    if isinstance(given, str) and (path := urls.local_path(given)) is not None:
        given = path
    if not isinstance(given, (str, os.PathLike)):
        return None
    return folder / os.path.expanduser(given)


def _why(given: InputFile, error: Exception) -> str:
    if isinstance(error, OSError) and not isinstance(error, FileNotFoundError):
        source = urls.shown(given.source) if isinstance(given.source, str) else str(given.source)
        return f"input {source!r} could not be staged: {error}"
    return str(error)


def _verify(path: Path, told: str, sha256: str, wanted: Callable[[], bool]) -> None:
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


def _place(sandbox: Path, name: str, is_file: bool = True) -> Path:
    """The path of a new file, whose directory is there; of a glob, as much of it as is no pattern."""
    target = sandbox / name
    if "/" not in name:
        return target
    folder = target.parent
    while not is_file and OutputFile.is_pattern(str(folder.relative_to(sandbox))):
        folder = folder.parent
    folder.mkdir(parents=True, exist_ok=True)
    if not is_inside(folder, sandbox):
        raise ValueError(f"{name!r} leads out of the sandbox through a link")
    return target


def _bare(pattern: str) -> str:
    return re.sub(r"[*?\[\]]", "", pattern)


def _unused(destination: Path) -> Path:
    return Path(tempfile.mktemp(prefix=f".{destination.name[:50]}-", dir=destination.parent))


def _made(files: TaskFiles, output: OutputFile) -> Any:
    sandbox = files.sandbox
    assert sandbox is not None
    if output.is_glob:
        found = [path for path in sorted(sandbox.glob(output.name)) if not _is_as_brought(path, files)]
    else:
        found = [sandbox / output.name]
    for path in found:
        if not path.exists():
            raise StagingError(f"{files.label} did not make its output {output.name!r}.\n  {_there(sandbox)}")
        if not is_inside(path, sandbox):
            raise StagingError(
                f"{files.label}: its output {output.name!r} is a link that leads out of the sandbox"
            )
    if not found:
        raise StagingError(f"{files.label} made no file {output.name!r}.\n  {_there(sandbox)}")
    return found if output.is_glob else found[0]


def _size(path: Path) -> int:
    """Of a file, or of all files in a directory."""
    return sum(
        each.stat().st_size for each in (path.rglob("*") if path.is_dir() else [path]) if each.is_file()
    )


def _is_as_brought(path: Path, files: TaskFiles) -> bool:
    assert files.sandbox is not None
    brought = files.brought.get(str(path.relative_to(files.sandbox)))
    with suppress(OSError):
        return brought is not None and brought[0] == stamp_of(path)
    return False


def _there(sandbox: Path) -> str:
    names = sorted(str(path.relative_to(sandbox)) for path in sandbox.rglob("*"))
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"There is: {', '.join(names[:_SHOWN]) or 'nothing'}{more}"
