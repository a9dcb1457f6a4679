"""The files of one task: what it declares, what was brought to it, and what it has made."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .._core.carried_files import CarriedFiles
from .._core.files import Left, OutputFile, Stamp
from .output_path import Directory


@dataclass(slots=True, eq=False)
class TaskFiles:
    """Of a task that runs a command or has files among its arguments.

    Args:
        label: of the task, for messages: "'split' (#3)".
        is_command: whether it is an executable task.
        folder: what paths of this call are relative to: the working directory when it was made.
        is_dry: whether files are neither brought nor looked for.
        is_open: whether more files may come with the results that it waits for.
        upstreams: of the tasks that it depends on, until its inputs have been brought.
        is_carried: whether the backend brings its files to where it runs, and back.
        is_service: whether it goes on while others run: of what it writes only what it declares is handed on.
    """

    label: str
    is_command: bool
    folder: Path
    is_dry: bool
    is_open: bool
    upstreams: Sequence[TaskFiles] = ()
    is_service: bool = False
    is_carried: bool = False
    declares: Mapping[str, OutputFile] = field(default_factory=dict)  # by name
    destinations: dict[str, Path | str] = field(default_factory=dict)  # of those that are published
    sandbox: Path | None = None
    brought: dict[str, tuple[Stamp, Left | None]] = field(default_factory=dict)
    outputs: Mapping[str, Any] = field(default_factory=dict)  # paths of what was made
    published: int = 0  # bytes
    unplain: dict[str, str] = field(default_factory=dict)  # what may stand in its command only as quoted
    left: dict[str, Left] | None = None  # worked out when somebody wants to know
    directory: Directory | None = None  # holds the sandbox when the task has succeeded
    before: tuple[tuple[object, ...], Mapping[str, object], Sequence[TaskFiles]] | None = None
    """The arguments as they were before anything was brought, and from whom that is to be, for another attempt."""
    carried: CarriedFiles | None = None  # what the backend is to bring to it and back
    is_reached: bool = False  # whether somebody may know a path in it, whom nobody can see

    @property
    def hands_on_all(self) -> bool:
        """Whether what it has made and not declared is for those that depend on it."""
        return self.is_command and not self.is_service

    def start_over(
        self, args: tuple[object, ...], kwargs: Mapping[str, object]
    ) -> tuple[tuple[object, ...], Mapping[str, object]]:
        """Another attempt is made, in another sandbox; gives the arguments with which that begins."""
        if self.before is not None:
            args, kwargs, self.upstreams = self.before
        self.sandbox = self.left = self.directory = self.carried = None
        self.brought, self.outputs, self.unplain = {}, {}, {}
        return args, kwargs

    @property
    def is_staged(self) -> bool:
        """Whether anything is brought to it before an attempt."""
        return self.before is not None

    @property
    def untouched(self) -> Collection[str]:
        """Names of what was brought to it where it ran, which it left as it was."""
        return () if self.carried is None else self.carried.untouched

    def reached(self) -> None:
        """Somebody may know a path in the sandbox from now on: it stays until the run is over."""
        self.is_reached = True
        if self.directory is not None:
            self.directory.give_back = None
