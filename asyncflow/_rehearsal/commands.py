"""Asks the functions of executable tasks for their commands where nothing runs, so that what cannot work is told.

They get what a run would give them: values, or what stands in for them, and paths by the names that files have in the
sandbox.
"""

from __future__ import annotations

import inspect
import os
from typing import Any, NamedTuple

from .._core.commands import CommandOutcome, argv_of
from .._core.files import File, OutputFile, declared, with_paths
from .._core.task import Task
from .._files.shell_paths import ShellPath, ShellPaths
from .._stand_ins.opaque import StandIn
from .._worker.whose import runs_task


class Failed(NamedTuple):
    """There is no command.

    Args:
        error: that the function has raised, or that a run would raise.
        is_code: whether code of the user's has raised it.
    """

    error: BaseException
    is_code: bool


def ask(task: Task) -> Failed | None:
    """Call a task's function, and note its command; None if there is nothing wrong.

    Args:
        task: an executable one, with its values put in.
    """
    try:
        args, kwargs = with_paths(task.args, task.kwargs, declared(task.args, task.kwargs), _path_of)
        given = task.context.copy().run(_called, task, args, kwargs)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return Failed(error, True)
    if given is None or _is_opaque(given):  # a stub, or what nobody knows
        return None
    if isinstance(given, (list, tuple)):
        given = [str(each) if _is_opaque(each) else each for each in given]
    try:
        argv = argv_of(given, task.definition.options, task.name)
    except Exception as error:
        return Failed(error, False)
    task.outcome = CommandOutcome(given if isinstance(given, str) else argv)
    return None


@runs_task
def _called(task: Task, args: Any, kwargs: Any) -> object:
    definition = task.definition
    fn = task.fn if definition.options.backend is None else definition.fn  # not what runs it elsewhere
    given = fn(*args, **kwargs)
    if not inspect.iscoroutine(given):
        return given
    try:
        given.send(None)
    except StopIteration as end:
        return end.value
    else:
        return None  # it waits for something, and here nothing happens
    finally:
        given.close()


def _path_of(file: File) -> object:
    if isinstance(file, OutputFile):
        return ShellPath(file.name)
    source, name = getattr(file, "source", None), getattr(file, "name", None)
    if isinstance(source, list):
        return ShellPaths(ShellPath(_name(each)) for each in source)
    if name is None and isinstance(source, str) and OutputFile.is_pattern(source):
        return ShellPaths([ShellPath(source)])
    return ShellPath(name or _name(source))


def _name(source: object) -> str:
    """What a file is called in the sandbox."""
    text = os.fspath(source) if isinstance(source, (str, os.PathLike)) else str(source)
    return str(text).rstrip("/").rpartition("/")[2] or "file"


def _is_opaque(value: object) -> bool:
    return issubclass(type(value), StandIn)  # which says that it is of another class
