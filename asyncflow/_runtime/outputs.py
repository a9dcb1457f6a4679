"""The files that a task has made, as dependencies for others."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from .._core.files import OutputFile, straight
from .._core.near import meant
from .._core.task import Definition
from .._files.output_path import OutputPath
from .._files.path_standin import PathStandIn
from ..errors import EngineClosed

if TYPE_CHECKING:
    from .._files.task_files import TaskFiles
    from .future import TaskFuture


class Outputs:
    """``future.outputs["name"]`` is a future of the path of a file that the task declared;
    ``future.outputs.all("*.csv")``, of a glob, is one of all paths."""

    def __init__(self, future: TaskFuture[Any]) -> None:
        self._future = future

    def __getitem__(self, name: str) -> TaskFuture[Path]:
        """A future of the path of a file; of a glob, of the list that `all` tells of."""
        return self._asked(name, sys._getframe(1))

    def all(self, pattern: str) -> TaskFuture[list[Path]]:
        """A future of the paths of all files that a declared glob has found.

        Args:
            pattern: as it was declared.
        """
        return self._asked(pattern, sys._getframe(1))

    def _asked(self, name: str, caller: FrameType) -> TaskFuture[Any]:
        name = straight(str(name))
        files: TaskFiles = self._future.files
        run = self._future._run
        if name not in files.declares and not files.is_open:
            run.lacks_output(self._future.name, _no_such(files, name, files.declares))
        # A block, because that runs on the loop whatever the backend is.
        name_told = f"{self._future.name}.outputs[{name!r}]"
        definition = Definition(path_of_output, "output", name=name_told)
        args = (self._future, files, name)
        if run.closed is not None:
            raise EngineClosed(f"{name_told!r} was asked for, but {run.closed}")
        path = run.call(definition, run.lane_for(definition), args, {}, caller.f_code, caller.f_lasti)
        if run.record is not None:
            run.record.alias(path.id, (self._future.id,))
        path.files = files  # whoever depends on the file depends on its maker
        return path

    def __repr__(self) -> str:
        return f"<outputs of {self._future!r}>"


def path_of_output(value: object, files: TaskFiles, name: str) -> object:
    """A path, when the task (whose value is of no use here) has succeeded."""
    if files.is_dry:
        path = PathStandIn(name)
        return [path] if OutputFile.is_pattern(name) else path
    if name not in files.outputs:
        raise _no_such(files, name, files.outputs)
    made = files.outputs[name]
    return (
        [OutputPath.to(each, files) for each in made]
        if isinstance(made, list)
        else OutputPath.to(made, files)
    )


def _no_such(files: TaskFiles, name: str, known: Iterable[str]) -> KeyError:
    there = ", ".join(known) or "none"
    near = meant(name, known)
    return KeyError(f"{files.label} declares no output {name!r}; it has: {there}{near and '.' + near}")
