"""What the run loop asks of any place where tasks run: a backend, the event loop, commands, awaitables of others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol


class Place(Protocol):
    """Where tasks of a lane run. Backends are such places as they are (see `asyncflow.backend`)."""

    @property
    def can_kill(self) -> bool:
        """Whether work that has begun can be stopped."""

    @property
    def reports_starts(self) -> bool:
        """Whether it is reported when work begins."""

    @property
    def stages_files(self) -> bool:
        """Whether the files that tasks declare are brought to them."""

    @property
    def shares_filesystem(self) -> bool:
        """Whether a path means the same there as here."""

    @property
    def carries_files(self) -> bool:
        """Whether it brings files to where tasks run."""

    @property
    def workers(self) -> int | None:
        """How many tasks can run at once; None if that is not known, or not limited."""

    @property
    def waits(self) -> str | None:
        """What it waits for before it can run anything; None if it can."""

    def submit(self, batch: Sequence[Any], /) -> None:
        """Take tasks that are ready to run."""


class Local:
    """What is so of all places that are the engine's own."""

    can_kill = True
    reports_starts = True
    stages_files = True
    shares_filesystem = True
    carries_files = False
    workers: int | None = None
    waits: str | None = None
