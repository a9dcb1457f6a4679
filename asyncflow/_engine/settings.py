"""The settings of an engine, which hold for all of its runs: what each may be, and where it may be set."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from os import PathLike
from pathlib import Path
from typing import Any, Final, NamedTuple, Self, get_args

from .._core.given import amounts_there, duration, flag, reaction, whole, whole_or_none
from .._core.given import shell as check_shell
from .._core.near import meant
from .._core.options import TaskOptions
from .._files.sandboxes import Keep
from ..backends.thread import usable_cpus
from ..errors import UnknownBackend
from .defaults import defaults_by_kind
from .discovery import backend_class


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
    tail_timeout: float
    on_failure: str
    report_limit: int
    journal: Path | None
    max_tasks: int
    check_types: bool
    contain_commands: bool
    amounts: Mapping[str, float]
    ageing: float | None
    progress: bool
    defaults: Mapping[str, TaskOptions]
    """The options of tasks of which nothing else is said, by kind."""

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
        tail_timeout: float | timedelta,
        on_failure: str,
        report_limit: int,
        journal: str | PathLike[str] | None,
        max_tasks: int,
        check_types: bool,
        shell: str | Sequence[str],
        contain_commands: bool,
        amounts: object,
        defaults: object,
        ageing: float | timedelta | None,
        progress: bool,
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
        return cls(
            dry_run=flag("dry_run", dry_run),
            max_coroutines=whole_or_none("max_coroutines", max_coroutines),
            executables=whole_or_none("executables", executables) or workers or usable_cpus(),
            work_dir=None if work_dir is None else path("work_dir", work_dir),
            implicit_data=flag("implicit_data", implicit_data),
            keep=_kept("keep", keep),
            grace=duration("grace", grace),
            tail_timeout=duration("tail_timeout", tail_timeout),
            on_failure=reaction("on_failure", on_failure),
            report_limit=report_limit,
            journal=None if journal is None else path("journal", journal),
            max_tasks=whole("max_tasks", max_tasks),
            check_types=flag("check_types", check_types),
            contain_commands=flag("contain_commands", contain_commands),
            amounts={} if amounts is None else amounts_there("amounts", amounts),
            defaults=defaults_by_kind(defaults, shell),
            ageing=None if ageing is None else _above_0("ageing", ageing),
            progress=_shown(progress, report_limit),
        )


def path(option: str, given: object) -> Path:
    """A path that no change of directory moves.

    Raises:
        TypeError: it is none.
    """
    if not isinstance(given, (str, PathLike)):
        raise TypeError(f"{option}={given!r}: a path is needed, as text or a pathlib.Path")
    return Path(given).absolute()


def _shown(progress: object, report_limit: int) -> bool:
    shows = flag("progress", progress)
    if shows and not report_limit:
        raise ValueError("progress=True: with report_limit=0 nothing is recorded that could be shown")
    return shows


def _above_0(option: str, given: object) -> float:
    length = duration(option, given)
    if not length:
        raise ValueError(f"{option}={given!r}: it takes seconds, more than 0")
    return length


def _kept(option: str, given: Any) -> Keep:
    if given not in get_args(Keep):
        allowed = ", ".join(map(repr, get_args(Keep)))
        raise ValueError(f"{option}={given!r}: it can be one of {allowed}.{meant(given, get_args(Keep))}")
    kept: Keep = given
    return kept


# -- where they may be set besides the code -----------------------------------------------------------------


class Outside(NamedTuple):
    """A setting that may be given in the environment, and in ``pyproject.toml``."""

    check: Callable[[str, object], object]
    """Gives the value; raises for a wrong one, naming what it is told to."""
    from_text: Callable[[str, str], object]
    """What an environment variable gives to be checked."""
    meaning: str
    in_file: bool = True


def _text(_: str, text: str) -> object:
    return text


def _number(_: str, text: str) -> object:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text  # is refused as it is


def _yes_or_no(variable: str, text: str) -> object:
    if text.lower() in ("1", "true", "yes", "on"):
        return True
    if text.lower() in ("0", "false", "no", "off"):
        return False
    raise ValueError(f"{variable}={text!r}: it can be 1 or 0, true or false, yes or no, on or off")


def _words(_: str, text: str) -> object:
    words = text.split()
    return text if len(words) == 1 else words


def _backend(option: str, given: object) -> str:
    if not isinstance(given, str):
        raise TypeError(f"{option}={given!r}: the name of a backend is needed")
    try:
        backend_class(given)
    except UnknownBackend as error:
        raise UnknownBackend(f"{option}={given!r}: {error}") from None
    return given


def _whole_or_0(option: str, given: object) -> int:
    return whole(option, given, 0)


PREFIX: Final = "ASYNCFLOW_"
OUTSIDE: Final = {
    "backend": Outside(_backend, _text, "where plain functions run: the name of an installed backend"),
    "workers": Outside(whole, _number, "how many workers a backend given by name has"),
    "dry_run": Outside(flag, _yes_or_no, "whether nothing runs but blocks"),
    "max_coroutines": Outside(whole, _number, "how many coroutine tasks may be under way at once"),
    "executables": Outside(whole, _number, "how many commands may run at once"),
    "work_dir": Outside(path, _text, "the directory in which runs make their sandboxes"),
    "implicit_data": Outside(flag, _yes_or_no, "whether undeclared files go to commands that depend on them"),
    "keep": Outside(_kept, _text, "whose sandboxes stay: failed, all or none"),
    "grace": Outside(duration, _number, "seconds that running work is given to end at a shutdown"),
    "tail_timeout": Outside(
        duration, _number, "seconds that a shutdown waits for detached tasks when all others are over"
    ),
    "on_failure": Outside(
        reaction, _text, "what the first failure does: stop cancels all of the run, continue lets it go on"
    ),
    "report_limit": Outside(
        _whole_or_0, _number, "how many tasks reports tell of one by one; 0 for no report"
    ),
    "journal": Outside(path, _text, "the file to which each run adds its events"),
    "max_tasks": Outside(whole, _number, "how many tasks a dry run or a plan may call"),
    "check_types": Outside(flag, _yes_or_no, "whether values are held to their annotations as they flow"),
    "shell": Outside(check_shell, _words, "the shell that runs commands given as text"),
    "contain_commands": Outside(flag, _yes_or_no, "whether each command has a control group of its own"),
    "ageing": Outside(_above_0, _number, "seconds in which a task that is not over rises by a priority of 1"),
    "progress": Outside(flag, _yes_or_no, "whether it is shown how runs stand, while they go on"),
    "full_traceback": Outside(flag, _yes_or_no, "whether tracebacks show the frames of asyncflow", False),
}
"""What may be set outside of the code, by its name there; the variable is called the same after `PREFIX`."""
