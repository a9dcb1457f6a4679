"""Paths of a task's sandbox, which is elsewhere for a worker than for the engine if they do not share their files.

From the first such path on, paths in that sandbox go home as what they are for the engine.
"""

from __future__ import annotations

import os
from pathlib import Path, PosixPath
from typing import Final

SANDBOXES: Final = "ASYNCFLOW_SANDBOXES"
"""The environment variable with the directory in which there is a link to the sandbox of each task, by its number."""

GRACE: Final = "ASYNCFLOW_COMMAND_GRACE"
"""The environment variable with the seconds that a command has to end which is told to."""
HOME: Final = "home"
"""The ending of a link beside that: where the sandbox is for the engine."""

_latest: list[tuple[str, str]] = []  # the sandbox of the task that runs, here and for the engine


def sandbox_here(task_id: int) -> tuple[str, str]:
    """The sandbox of a task that runs in this process: here, and for the engine.

    Args:
        task_id: number of the task.

    Raises:
        FileNotFoundError: nobody has made it here.
    """
    link = os.path.join(os.environ.get(SANDBOXES, ""), str(task_id))
    try:
        here, home = os.readlink(link), os.readlink(f"{link}.{HOME}")
    except OSError as error:
        told = f"the files of task #{task_id} are not on this machine"
        raise FileNotFoundError(error.errno, told, link) from None
    if not _latest:
        from .by_value.kinds import OTHERS  # few tasks have files

        OTHERS[PosixPath] = _going_home
    _latest[:] = [(here, home)]
    return here, home


def path_here(task_id: int, home: str, name: str) -> Path:
    """The path of a file in the sandbox of a task that runs in this process.

    Args:
        task_id: number of the task.
        home: where the sandbox is for the engine.
        name: of the file in it.

    Raises:
        FileNotFoundError: nobody has made the sandbox here.
    """
    if SANDBOXES not in os.environ:  # this is the engine's own machine
        return Path(home, name)
    return Path(sandbox_here(task_id)[0], name)


def _going_home(path: object) -> object:
    text = str(path)
    for here, home in _latest:
        if text == here or text.startswith((f"{here}/", f"{here}.")):  # what is beside it, too
            return Path, (home + text[len(here) :],)
    return NotImplemented
