"""Knows where in a sandbox what a task makes is to be, and finds it there, by the names that it declared."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from .._core.files import OutputFile, Stamp
from ..errors import StagingError
from .copying import is_inside
from .implicit import stamp_of

_SHOWN: Final = 20  # files that an error lists


def made(label: str, sandbox: Path, name: str, brought: Mapping[str, Stamp]) -> list[Path]:
    """The files of a declared name: one, or of a pattern as many as there are that the task has made or changed.

    Args:
        label: of the task, for messages.
        sandbox: in which it ran.
        name: as it was declared, straightened.
        brought: what was brought there before it ran, by name, as it was then.

    Raises:
        StagingError: there is none, or one leads out of the sandbox.
    """
    is_glob = OutputFile.is_pattern(name)
    if is_glob:
        found = [path for path in sorted(sandbox.glob(name)) if not _is_as_brought(path, sandbox, brought)]
    else:
        found = [sandbox / name]
    for path in found:
        if not path.exists():
            raise StagingError(f"{label} did not make its output {name!r}.\n  {_there(sandbox)}")
        if not is_inside(path, sandbox):
            raise StagingError(f"{label}: its output {name!r} is a link that leads out of the sandbox")
    if not found:
        raise StagingError(f"{label} made no file {name!r}.\n  {_there(sandbox)}")
    return found


def _is_as_brought(path: Path, sandbox: Path, brought: Mapping[str, Stamp]) -> bool:
    before = brought.get(str(path.relative_to(sandbox)))
    with suppress(OSError):
        return before is not None and before == stamp_of(path)
    return False


def _there(sandbox: Path) -> str:
    names = sorted(str(path.relative_to(sandbox)) for path in sandbox.rglob("*"))
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"There is: {', '.join(names[:_SHOWN]) or 'nothing'}{more}"


def place(sandbox: Path, name: str, is_file: bool = True) -> Path:
    """The path of a new file, whose directory is there; of a glob, as much of it as is no pattern.

    Args:
        sandbox: where it is to be.
        name: as it was declared, straightened.
        is_file: whether it is one, and no pattern.

    Raises:
        OSError: its directory cannot be made.
        ValueError: its name leads out of the sandbox through a link.
    """
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
