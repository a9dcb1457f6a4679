"""Commands that run where a backend has brought their files: in a worker process there, by what runs them here."""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from pathlib import Path, PurePath
from typing import Any, Final

from .._core.commands import CommandDone
from .._core.lanes import Lane
from .._core.names_in_commands import unplain
from .._core.options import CommandOptions
from .._core.task import FIELDS, CallSite, Definition, Task
from .._files.entries import all_below
from .._files.sandboxes import Keep
from .._files.task_files import TaskFiles
from .._worker.gives_resources import with_resources
from .._worker.paths import GRACE, sandbox_here
from .._worker.resources import Resource
from .._worker.store import store_here
from .._worker.whose import identity_here
from ..backend import Event
from ..errors import CommandFailed
from .commands import Commands

_GRACE: Final = 0.5  # seconds that a command has to end which is told to, if nobody says


class FarCommand:
    """What a backend calls for an executable task: gets the command from the task's function, and runs that.

    Args:
        definition: of the task.

    Raises:
        TypeError: the command would read a file of this machine.
    """

    def __init__(self, definition: Definition) -> None:
        given: CommandOptions = definition.options
        if given.stdin is not None and not isinstance(given.stdin, (str, bytes)):
            raise TypeError(
                f"{definition.name!r}: stdin={str(given.stdin)!r} is a file of this machine, and its command runs on "
                f"backend {given.backend!r}.\n"
                "  Declare it as an InputFile, and have the command read that:  f'cat < {file}'"
            )
        self.fn = definition.fn
        self.name = definition.name
        self.is_coroutine = definition.is_coroutine
        self.options = {each: getattr(given, each) for each in _OPTIONS}

    async def __call__(self, *args: object, **kwargs: object) -> CommandDone:
        identity = identity_here()
        assert identity is not None
        task_id, _, attempt, label, workflow, _ = identity
        here, home = sandbox_here(task_id)
        definition = Definition(
            with_resources(self.fn),
            "executable",
            CommandOptions().changed(
                **{name: value for name, value in self.options.items() if value is not None}
            ),
            name=self.name,
            is_coroutine=self.is_coroutine,
        )
        task = _TaskHere()
        task.set_up(task_id, CallSite(definition, Lane("a node"), None, workflow), args, kwargs)
        task.attempt = attempt
        task.with_rare().label = label
        files = task.files = TaskFiles(f"{self.name!r} (#{task_id})", True, Path(here), False, False)
        files.sandbox = Path(here)
        files.unplain = unplain(here, _names(here, (*args, *kwargs.values())))
        try:
            value = await _commands(files.sandbox.parent).run(task)
        except CommandFailed as error:
            error.sandbox = home
            raise
        return CommandDone(value, task.outcome)


_OPTIONS: Final = ("env", "clean_env", "cwd", "stdin", "ok_codes", "capture_stdio", "text", "shell")


class _TaskHere(Task):
    __slots__ = FIELDS


class _Folder:
    """Takes the place of `Sandboxes`, where those of the tasks are made by others."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.keeps_failed = True
        self.keep: Keep = "failed"


def _commands(root: Path) -> Commands:
    """What runs commands whose sandboxes are in a directory, as long as this process does."""
    kept: dict[Path, Commands] = store_here().value(_KEPT)  # type: ignore[assignment]
    if root not in kept:
        grace = float(os.environ.get(GRACE, _GRACE))
        kept[root] = Commands(_told, _Folder(root), grace, contains=False)  # type: ignore[arg-type]
    return kept[root]


def _kept() -> Generator[dict[Path, Commands], None, None]:
    kept: dict[Path, Commands] = {}
    yield kept
    for commands in kept.values():
        commands.close()


_KEPT: Final = Resource(_kept)


def _told(events: Sequence[Event]) -> None:
    """Nobody here wants to know."""


def _names(sandbox: str, values: Sequence[object]) -> list[str]:
    """The names of the files in a sandbox, and of those to come."""
    names = [entry.name for entry in all_below(sandbox, "")]
    stack: list[Any] = list(values)
    while stack:
        value = stack.pop()
        if isinstance(value, PurePath) and value.is_relative_to(sandbox):
            names.append(str(value.relative_to(sandbox)))
        elif isinstance(value, (list, tuple, set, frozenset)):
            stack += value
        elif isinstance(value, dict):
            stack += value.values()
    return names
