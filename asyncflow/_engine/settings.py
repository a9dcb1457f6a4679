"""What an engine is told once, when it is made, and what all of its runs go by. Owns the checks of these."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Self, get_args

from .._runtime.sandboxes import Keep
from ..backends.thread import usable_cpus


@dataclass(frozen=True, slots=True)
class Settings:
    """Each as `WorkflowEngine` has it; what was left open is filled in, and no change of directory moves a path."""

    dry_run: bool
    max_coroutines: int | None
    executables: int
    work_dir: Path | None
    implicit_data: bool
    keep: Keep
    grace: float
    report_limit: int
    journal: Path | None
    max_tasks: int
    check_types: bool

    @classmethod
    def checked(
        cls,
        *,
        workers: int | None,
        dry_run: bool,
        max_coroutines: int | None,
        executables: int | None,
        work_dir: str | PathLike[str] | None,
        implicit_data: bool,
        keep: Keep,
        grace: float,
        report_limit: int,
        journal: str | PathLike[str] | None,
        max_tasks: int,
        check_types: bool,
    ) -> Self:
        """Make them of what a user has given.

        Raises:
            ValueError: one is out of its range, or two do not go together.
        """
        _at_least_one(workers=workers, max_coroutines=max_coroutines, executables=executables)
        if report_limit < 0:
            raise ValueError(f"report_limit={report_limit}: a number of tasks, or 0 to record nothing")
        if journal is not None and not report_limit:
            raise ValueError(f"journal={str(journal)!r}: with report_limit=0 nothing is recorded")
        _at_least_one(max_tasks=max_tasks)
        if keep not in get_args(Keep):
            raise ValueError(f"keep={keep!r}: it can be one of {', '.join(map(repr, get_args(Keep)))}")
        return cls(
            dry_run=dry_run,
            max_coroutines=max_coroutines,
            executables=executables or workers or usable_cpus(),
            work_dir=None if work_dir is None else Path(work_dir).absolute(),
            implicit_data=implicit_data,
            keep=keep,
            grace=grace,
            report_limit=report_limit,
            journal=None if journal is None else Path(journal).absolute(),
            max_tasks=max_tasks,
            check_types=check_types,
        )


def _at_least_one(**numbers: int | None) -> None:
    for name, number in numbers.items():
        if number is not None and number < 1:
            raise ValueError(f"{name}={number}: at least one is needed")
