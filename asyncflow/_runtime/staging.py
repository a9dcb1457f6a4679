"""Brings the files of a task into its sandbox and out of it; on a thread, it takes as long as it takes. What is to be
where, `_core/files.py` decides.

An input is a copy, which shares its blocks with the original where the file system can do that, and never a link: a
task may write into what it was given, and a link would let that through to the original.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shlex
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PosixPath
from typing import Any, Final

from .._core import urls
from .._core.files import (
    Declared,
    InputFile,
    Left,
    OutputFile,
    Stamp,
    all_left,
    left_behind,
    made_upstream,
    name_in_sandbox,
)
from ..errors import StagingError
from .copying import copy, remove
from .facts import Facts
from .remote import Remote

_SHOWN: Final = 20  # files that an error lists


class ShellPath(PosixPath):
    """A path that an f-string and `str.format` put into a command quoted for the shell."""

    def __format__(self, spec: str) -> str:
        return shlex.quote(format(str(self), spec))


class ShellPaths(list[ShellPath]):
    """Several, one word each."""

    def __format__(self, spec: str) -> str:
        return " ".join(format(path, spec) for path in self)


class Staging:
    """The files of one run.

    Args:
        remote: reaches other places than this machine's file systems.
        implicit: whether what commands have made without declaring it is brought along.
        makers: labels of tasks by the names of outputs that they declare, to be told where a file is missing.
        running: whether the run goes on, for which alone all this is worth the trouble.
    """

    def __init__(
        self, remote: Remote, implicit: bool, makers: Mapping[str, str], running: Callable[[], bool]
    ) -> None:
        self._remote = remote
        self._implicit = implicit
        self._makers = makers
        self._running = running
        self._right: set[tuple[Path, str]] = set()  # what was fetched, with a checksum that it has

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

    def stage_in(self, facts: Facts, files: Declared, fetched: Mapping[str, Path]) -> dict[int, Any]:
        """Copy the inputs of a task into its sandbox, and make place for its outputs.

        Args:
            facts: of the task.
            files: what it declares.
            fetched: where files of other places are, by URL.

        Returns:
            The paths in the sandbox by the identity of what was declared.

        Raises:
            StagingError: something is not there or is not what it should be, or two have one name.
        """
        sandbox = facts.sandbox
        assert sandbox is not None
        path_class: Any = ShellPath if facts.is_command else Path
        paths_class: Any = ShellPaths if facts.is_command else list
        paths: dict[int, Any] = {}
        taken: dict[str, str] = {}
        for each in files.inputs:
            try:
                source = self._source(each, facts.upstreams, fetched)
                if isinstance(source, list):
                    names = [self._bring(None, path, facts, taken) for path in source]
                    paths[id(each)] = paths_class(path_class(sandbox / name) for name in names)
                else:
                    if each.sha256 is not None:
                        self._verify(source, each.sha256.lower(), is_ours=source in fetched.values())
                    paths[id(each)] = path_class(sandbox / self._bring(each.name, source, facts, taken))
            except (OSError, ValueError, TypeError, ImportError) as error:
                raise StagingError(f"{facts.label}: {_why(each, error)}") from error
        for output in files.outputs:
            paths[id(output)] = path_class(sandbox / output.name)
            paths[id(output)].parent.mkdir(parents=True, exist_ok=True)
        if self._implicit and facts.is_command:
            self._bring_left(facts, {*taken, *(each.name for each in files.outputs)})
        return paths

    def _verify(self, path: Path, sha256: str, is_ours: bool) -> None:
        if (path, sha256) in self._right:
            return
        with open(path, "rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != sha256:
            raise ValueError(
                f"{path.name} is not what it should be: its sha256 is {found}, and {sha256} was asked for"
            )
        if is_ours:  # and nobody writes into it
            self._right.add((path, sha256))

    def _bring(self, wanted: str | None, source: Path, facts: Facts, taken: dict[str, str]) -> str:
        assert facts.sandbox is not None
        name = name_in_sandbox(wanted, str(source), taken)
        if name not in taken:
            taken[name] = str(source)
            target = facts.sandbox / name
            target.parent.mkdir(parents=True, exist_ok=True)
            copy(source, target, self._running)
            facts.brought.update((found, (stamp, None)) for found, _, stamp in _walk(facts.sandbox, name))
        return name

    def _bring_left(self, facts: Facts, hidden: set[str]) -> None:
        """What commands have made without declaring it, as it was left."""
        assert facts.sandbox is not None
        makers = [each for each in dict.fromkeys(facts.upstreams) if each.is_command and each.sandbox]
        try:
            for name, left in all_left([_left_by(maker) for maker in makers], hidden).items():
                target = facts.sandbox / name
                target.parent.mkdir(parents=True, exist_ok=True)
                copy(Path(left.path), target, self._running)
                facts.brought[name] = _stamp(target), left
        except (OSError, ValueError) as error:
            raise StagingError(f"{facts.label}: {error}") from error

    def _source(
        self, given: InputFile, upstreams: Sequence[Facts], fetched: Mapping[str, Path]
    ) -> Path | list[Path]:
        made = made_upstream(given.source, upstreams)
        source = given.source if made is None else made
        if isinstance(source, list) and source and all(isinstance(each, os.PathLike) for each in source):
            return [Path(each) for each in source]
        if isinstance(source, str) and source in fetched:
            return fetched[source]
        if isinstance(source, str) and (local := urls.local_path(source)) is not None:
            source = local
        if not isinstance(source, (str, os.PathLike)):
            raise TypeError(f"InputFile({source!r}): a path or a URL is needed, or the name of an output")
        path = Path(os.path.expanduser(source)).absolute()
        if not path.exists():
            left = self._left_under(given.source, upstreams)
            if left is None:
                raise FileNotFoundError(missing(given.source, path, upstreams, self._makers))
            path = Path(left.path)
        return path

    def _left_under(self, name: Any, upstreams: Sequence[Facts]) -> Left | None:
        if not self._implicit:
            return None
        makers = [each for each in dict.fromkeys(upstreams) if each.is_command and each.sandbox]
        wanted = [{name: left[name]} for left in map(_left_by, makers) if name in left]
        return all_left(wanted, ()).get(name)

    def stage_out(self, facts: Facts, wanted: Callable[[], bool]) -> dict[str, Any]:
        """Look for what a task has made, and publish what is to be published, all of it or none.

        Args:
            facts: of the task.
            wanted: whether it is still wanted; asked for the last time just before the first file appears.

        Returns:
            Paths by name; of a glob, a list.

        Raises:
            StagingError: an output was not made, leads out of the sandbox, or cannot be published.
            Unwanted: as told.
        """
        assert facts.sandbox is not None
        made = {each.name: _made(facts, facts.sandbox, each) for each in facts.declares}
        ready: list[tuple[Path, Path]] = []
        try:
            away = []
            for each in facts.declares:
                if each.to is None:
                    continue
                destination = destination_of(each.to)
                if isinstance(destination, Path):
                    ready.append((_beside(made[each.name], destination, wanted), destination))
                else:
                    away.append((made[each.name], destination))
            for path, url in away:
                self._remote.send(path, url)
            while ready:
                os.replace(*ready[0])
                del ready[0]
        except (OSError, ImportError) as error:
            raise StagingError(f"{facts.label}: its outputs could not be published: {error}") from error
        finally:
            for halfway, _ in ready:
                remove(halfway)
        return made


def destination_of(to: Any) -> Path | str:
    """Where an output is published: a path of this machine, or a URL.

    Args:
        to: as its user has it.

    Raises:
        TypeError: it is neither.
    """
    if isinstance(to, str) and urls.is_url(to):
        local = urls.local_path(to)
        if local is None:
            return to
        to = local
    if not isinstance(to, (str, os.PathLike)):
        raise TypeError(f"OutputFile(..., to={to!r}): a path or a URL is needed")
    return Path(os.path.expanduser(to)).absolute()


def _why(given: InputFile, error: Exception) -> str:
    if isinstance(error, OSError) and not isinstance(error, FileNotFoundError):
        return f"input {urls.shown(str(given.source))!r} could not be staged: {error}"
    return str(error)


def missing(source: Any, path: Path, upstreams: Iterable[Facts], makers: Mapping[str, str]) -> str:
    """The words for an input that is not there, with who could have made it.

    Args:
        source: of the `InputFile`.
        path: where it would be.
        upstreams: of the tasks that its reader depends on.
        makers: labels of tasks by the names of outputs that they declare.
    """
    names = sorted({each.name for upstream in upstreams for each in upstream.declares})
    told = f"input {str(source)!r} is not there (looked at {path}); "
    if source in makers:
        return told + f"{makers[source]} makes it: pass its  future.outputs[{source!r}]  or say  after="
    if names:
        return told + f"the tasks that it depends on declare {', '.join(names)}"
    return told + "no task that it depends on declares an output"


def _left_by(maker: Facts) -> dict[str, Left]:
    if maker.left is None:
        assert maker.sandbox is not None
        there = {name: (path, stamp) for name, path, stamp in _walk(maker.sandbox, "")}
        outputs = set()
        for made in maker.outputs.values():
            for path in made if isinstance(made, list) else [made]:
                outputs |= {
                    inner for _, inner, _ in _walk(maker.sandbox, str(path.relative_to(maker.sandbox)))
                }
        maker.left = left_behind(maker.label, there, maker.brought, outputs)
    return maker.left


def _walk(sandbox: Path, inside: str) -> Iterator[tuple[str, str, Stamp]]:
    """Each file at or below a place in a sandbox: its name there, its path and its stamp."""
    start = os.path.join(sandbox, inside) if inside else str(sandbox)
    if inside and not os.path.isdir(start):
        yield inside, start, _stamp(start)
        return
    for folder, folders, files in os.walk(start):
        links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
        for name in [*files, *links]:
            path = os.path.join(folder, name)
            yield os.path.relpath(path, sandbox), path, _stamp(path)


def _stamp(path: str | Path) -> Stamp:
    status = os.lstat(path)
    return status.st_mtime_ns, status.st_size


def _made(facts: Facts, sandbox: Path, output: OutputFile) -> Any:
    home = sandbox.resolve()
    found = sorted(sandbox.glob(output.name)) if output.is_glob else [sandbox / output.name]
    for path in found:
        if not path.exists():
            raise StagingError(f"{facts.label} did not make its output {output.name!r}.\n  {_there(sandbox)}")
        if not path.resolve().is_relative_to(home):
            raise StagingError(
                f"{facts.label}: its output {output.name!r} is a link that leads out of the sandbox"
            )
    if not found:
        raise StagingError(f"{facts.label} made no file {output.name!r}.\n  {_there(sandbox)}")
    return found if output.is_glob else found[0]


def _there(sandbox: Path) -> str:
    names = sorted(str(path.relative_to(sandbox)) for path in sandbox.rglob("*"))
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"There is: {', '.join(names[:_SHOWN]) or 'nothing'}{more}"


def _beside(path: Path, destination: Path, wanted: Callable[[], bool]) -> Path:
    """A complete copy next to where it is to go, so that the last step is one rename."""
    destination.parent.mkdir(parents=True, exist_ok=True)
    if destination.is_dir():
        raise IsADirectoryError(errno.EISDIR, "a directory is there already", str(destination))
    halfway = Path(tempfile.mktemp(prefix=f".{destination.name[:50]}-", dir=destination.parent))
    copy(path, halfway, wanted)
    return halfway
