"""Brings the files of a task into its sandbox and out of it. What is to be where, `_core/files.py` decides.

An input is a copy that shares its blocks with the original where the file system can do that, and else a copy in full:
never a link, because a task may write into what it was given, and a link would let that through to the original.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shlex
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PosixPath
from typing import Any, Final

from .._core.files import InputFile, OutputFile, Upstream, made_upstream, name_in_sandbox
from ..errors import StagingError

_FICLONE: Final = 0x40049409  # <linux/fs.h>
_SHOWN: Final = 20  # files that an error lists


class ShellPath(PosixPath):
    """A path that an f-string and `str.format` put into a command quoted for the shell."""

    def __format__(self, spec: str) -> str:
        return shlex.quote(format(str(self), spec))


class Staging:
    """The files of one run."""

    def __init__(self) -> None:
        self._publishers: dict[Path, str] = {}  # who has claimed a destination

    def stage_in(
        self, label: str, sandbox: Path, inputs: Sequence[InputFile], upstreams: Sequence[Upstream]
    ) -> dict[int, ShellPath]:
        """Copy the inputs of a task into its sandbox; to be called on a thread, it takes as long as it takes.

        Args:
            label: of the task, for errors.
            sandbox: where to.
            inputs: what it declares.
            upstreams: what the tasks that it depends on have made.

        Returns:
            The paths of the copies by the identity of the inputs.

        Raises:
            StagingError: something is not there, or two have one name.
        """
        staged: dict[int, ShellPath] = {}
        taken: dict[str, str] = {}
        for each in inputs:
            try:
                source = self._source(each, upstreams)
                name = name_in_sandbox(str(source), taken)
                target = ShellPath(sandbox / name)
                if name not in taken:
                    taken[name] = str(source)
                    _copy(source, target)
            except (OSError, ValueError, TypeError, shutil.Error) as error:
                raise StagingError(f"{label}: {_why(each, error)}") from error
            staged[id(each)] = target
        return staged

    def _source(self, given: InputFile, upstreams: Sequence[Upstream]) -> Path:
        made = made_upstream(given.source, upstreams)
        source = given.source if made is None else made
        if isinstance(source, list):
            raise ValueError(f"InputFile({given.source!r}) is {len(source)} files; pass them one by one")
        if isinstance(source, str) and "://" in source:
            raise ValueError(f"InputFile({source!r}): only files of this machine can be staged")
        if not isinstance(source, (str, os.PathLike)):
            raise TypeError(f"InputFile({source!r}): a path is needed, or the name of an output")
        path = Path(source).expanduser().absolute()
        if not path.exists():
            names = sorted({name for each in upstreams for name in each.outputs})
            made_by = (
                f"the tasks that it depends on declare {', '.join(names)}"
                if names
                else ("no task that it depends on declares an output")
            )
            raise FileNotFoundError(f"input {str(given.source)!r} is not there (looked at {path}); {made_by}")
        return path

    def claim(self, label: str, outputs: Iterable[OutputFile]) -> None:
        """Keep destinations for one task, before it starts.

        Raises:
            StagingError: another task publishes to the same.
        """
        for each in outputs:
            if each.to is None:
                continue
            destination = Path(each.to).expanduser().absolute()
            other = self._publishers.setdefault(destination, label)
            if other != label:
                raise StagingError(f"{label} would publish to {destination}, and so does {other}")

    def release(self, label: str) -> None:
        """A task that has published nothing leaves its destinations to others."""
        for destination in [path for path, owner in self._publishers.items() if owner == label]:
            del self._publishers[destination]

    def stage_out(self, label: str, sandbox: Path, outputs: Sequence[OutputFile]) -> Mapping[str, Any]:
        """Look for what a task has made, and publish what is to be published, all of it or none; on a thread.

        Args:
            label: of the task, for errors.
            sandbox: where it is.
            outputs: what was declared.

        Returns:
            Paths by name; of a glob, a list.

        Raises:
            StagingError: an output was not made, leads out of the sandbox, or cannot be published.
        """
        made = {each.name: _made(label, sandbox, each) for each in outputs}
        ready: list[tuple[Path, Path]] = []
        try:
            for each in outputs:
                if each.to is not None:
                    destination = Path(each.to).expanduser().absolute()
                    ready.append((_beside(made[each.name], destination), destination))
            while ready:
                os.replace(*ready[0])
                del ready[0]
        except OSError as error:
            raise StagingError(f"{label}: its outputs could not be published: {error}") from error
        finally:
            for halfway, _ in ready:
                _remove(halfway)
        return made


def _why(given: InputFile, error: Exception) -> str:
    if isinstance(error, FileNotFoundError) and error.errno is None:
        return str(error)
    if isinstance(error, OSError):
        return f"input {str(given.source)!r} could not be staged: {error}"
    return str(error)


def _made(label: str, sandbox: Path, output: OutputFile) -> Any:
    home = sandbox.resolve()
    found = sorted(sandbox.glob(output.name)) if output.is_glob else [sandbox / output.name]
    for path in found:
        if not path.exists():
            raise StagingError(f"{label} did not make its output {output.name!r}.\n  {_there(sandbox)}")
        if not path.resolve().is_relative_to(home):
            raise StagingError(f"{label}: its output {output.name!r} is a link that leads out of the sandbox")
    if not found:
        raise StagingError(f"{label} made no file {output.name!r}.\n  {_there(sandbox)}")
    return found if output.is_glob else found[0]


def _there(sandbox: Path) -> str:
    names = sorted(str(path.relative_to(sandbox)) for path in sandbox.rglob("*"))
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"There is: {', '.join(names[:_SHOWN]) or 'nothing'}{more}"


def _beside(path: Path, destination: Path) -> Path:
    """A complete copy next to where it is to go, so that the last step is one rename."""
    destination.parent.mkdir(parents=True, exist_ok=True)
    if destination.is_dir():
        raise IsADirectoryError(errno.EISDIR, "a directory is there already", str(destination))
    halfway = Path(tempfile.mkdtemp(prefix=f".{destination.name[:50]}-", dir=destination.parent))
    halfway.rmdir()
    try:
        _copy(path, halfway)
    except BaseException:
        _remove(halfway)
        raise
    return halfway


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True, copy_function=_copy_file)
    else:
        _copy_file(source, target)


def _copy_file(source: str | Path, target: str | Path) -> str | Path:
    with open(source, "rb") as original, open(target, "xb") as copied:
        try:
            fcntl.ioctl(copied, _FICLONE, original.fileno())
        except OSError:  # another file system, or one that cannot share blocks
            shutil.copyfileobj(original, copied, 1 << 20)
    shutil.copystat(source, target)
    return target
