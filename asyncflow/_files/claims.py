"""Knows who makes which file, and who may publish where: one task at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from .._core.files import OutputFile
from .._core.task import Task
from ..errors import StagingError
from .destinations import destination_of, refuse_no_file
from .task_files import TaskFiles

_REMEMBERED: Final = 10_000  # names of outputs whose makers are known, for errors


class Claims:
    """Of the tasks of one run."""

    def __init__(self) -> None:
        self.makers: dict[str, str] = {}  # labels of tasks, by the names of outputs
        self._publishers: dict[Path | str, Task] = {}

    def declare(self, task: Task, outputs: Mapping[str, OutputFile]) -> None:
        """Note what a task makes, and keep the destinations for it until it is over.

        Raises:
            StagingError: another task that is not over publishes to the same place, or no file can be there.
            ValueError: two of its outputs would go to one place.
            TypeError: a destination is neither a path nor a URL.
        """
        files: TaskFiles = task.files
        files.declares = outputs
        destinations: dict[str, Path | str] = {}
        for name, each in outputs.items():
            if len(self.makers) < _REMEMBERED:
                self.makers[name] = files.label
            if each.to is not None and not (files.is_open and asyncio.isfuture(each.to)):
                place = destination_of(each.target, files.folder)
                if place in destinations.values():
                    raise ValueError(f"{files.label}: two of its outputs would go to {place}")
                destinations[name] = place
        for place in destinations.values():
            if isinstance(place, Path):
                try:
                    refuse_no_file(place)
                except OSError as error:
                    raise StagingError(f"{files.label}: it cannot publish there: {error}") from None
            other = self._publishers.get(place, task)
            if other is not task:
                raise StagingError(f"{files.label} would publish to {place}, and so does {other.files.label}")
        files.destinations = destinations
        self._publishers.update(dict.fromkeys(destinations.values(), task))

    def release(self, task: Task) -> None:
        """A task is over: others may publish where it has, or would have."""
        for place in task.files.destinations.values():
            if self._publishers.get(place) is task:
                del self._publishers[place]
