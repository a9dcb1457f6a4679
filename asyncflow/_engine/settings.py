"""What an engine is told once, when it is made, and what all of its runs go by. Owns the checks of these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from os import PathLike
from pathlib import Path
from typing import Any, Self, get_args

from .._core.commands import checked_shell
from .._core.options import duration, flag, meant, whole, whole_or_none
from .._files.sandboxes import Keep
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
    shell: str | tuple[str, ...]
    contain_commands: bool

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
        grace: float | timedelta,
        report_limit: int,
        journal: str | PathLike[str] | None,
        max_tasks: int,
        check_types: bool,
        shell: str | Sequence[str],
        contain_commands: bool,
    ) -> Self:
        """Make them of what a user has given.

        Raises:
            TypeError: one is of the wrong type.
            ValueError: one is out of its range, or two do not go together.
        """
        workers = whole_or_none("workers", workers)
        report_limit = whole("report_limit", report_limit, 0)
        if journal is not None and not report_limit:
            raise ValueError(f"journal={str(journal)!r}: with report_limit=0 nothing is recorded")
        if keep not in get_args(Keep):
            allowed = ", ".join(map(repr, get_args(Keep)))
            raise ValueError(f"keep={keep!r}: it can be one of {allowed}.{meant(keep, get_args(Keep))}")
        return cls(
            dry_run=flag("dry_run", dry_run),
            max_coroutines=whole_or_none("max_coroutines", max_coroutines),
            executables=whole_or_none("executables", executables) or workers or usable_cpus(),
            work_dir=_path("work_dir", work_dir),
            implicit_data=flag("implicit_data", implicit_data),
            keep=keep,
            grace=duration("grace", grace),
            report_limit=report_limit,
            journal=_path("journal", journal),
            max_tasks=whole("max_tasks", max_tasks),
            check_types=flag("check_types", check_types),
            shell=checked_shell(shell),
            contain_commands=flag("contain_commands", contain_commands),
        )


def _path(option: str, given: Any) -> Path | None:
    if given is None:
        return None
    if not isinstance(given, (str, PathLike)):
        raise TypeError(f"{option}={given!r}: a path is needed, as text or a pathlib.Path")
    return Path(given).absolute()
