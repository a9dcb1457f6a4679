"""Paths of a task's sandbox, which is elsewhere for a worker than for the engine if they do not share their files.

From the first such path on, paths in that sandbox go home as what they are for the engine.
"""

from __future__ import annotations

import os
from pathlib import Path, PosixPath
from typing import Final

SANDBOXES: Final = "ASYNCFLOW_SANDBOXES"
"""The environment variable with the directory in which there is a link to the sandbox of each task, by its number."""

_latest: list[tuple[str, str]] = []  # the sandbox of the task that runs, here and for the engine


def sandbox_here(task_id: int, home: str) -> str:
    """The sandbox of a task that runs in this process.

    Args:
        task_id: number of the task.
        home: where the sandbox is for the engine.

    Raises:
        FileNotFoundError: nobody has made it here.
    """
    links = os.environ.get(SANDBOXES)
    if links is None:  # this is the engine's own machine
        return home
    try:
        here = os.readlink(os.path.join(links, str(task_id)))
    except OSError as error:
        raise FileNotFoundError(
            error.errno, f"the files of task #{task_id} are not on this machine", home
        ) from None
    if not _latest:
        from .by_value.kinds import OTHERS  # few tasks have files

        OTHERS[PosixPath] = _going_home
    _latest[:] = [(here, home)]
    return here


def path_here(task_id: int, home: str, name: str) -> Path:
    """The path of a file in the sandbox of a task; as `sandbox_here`."""
    return Path(sandbox_here(task_id, home), name)


def _going_home(path: object) -> object:
    text = str(path)
    for here, home in _latest:
        if text == here or text.startswith(f"{here}/"):
            return Path, (home + text[len(here) :],)
    return NotImplemented
