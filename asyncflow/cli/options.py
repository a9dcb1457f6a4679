"""Options that several subcommands have."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import TypeVar

import click
from click.shell_completion import CompletionItem

from .exits import Refused

F = TypeVar("F", bound=Callable[..., object])

Settings = Mapping[str, tuple[str, object]]
"""Of engines, by the names of their options: where each was said, and its value."""


def json_option(command: F) -> F:
    """``--json``: the facts as JSON on the standard output, and nothing else there."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs to read.")(command)


def engine_parameters(*, workers: bool = True) -> list[click.Option]:
    """``--backend``, ``--workers``, ``--set``: `said` makes settings of what they are given.

    Args:
        workers: whether there is ``--workers``.
    """
    options = [
        click.Option(
            ["--backend"],
            metavar="NAME",
            shell_complete=_backends,
            help="Where functions run, whatever the code says: thread, process, ...; NAME=BACKEND for one of several.",
        ),
        click.Option(["--workers"], type=Count(), metavar="N", help="How many workers the backend has."),
        click.Option(
            ["--set", "set_"],
            multiple=True,
            metavar="OPTION=VALUE",
            shell_complete=_settings,
            help="Any other option of the engine, as --set on_failure=stop; again for more.",
        ),
    ]
    return [each for each in options if workers or each.name != "workers"]


def json_flag() -> click.Option:
    """``--json``, given as ``as_json``."""
    return click.Option(["--json", "as_json"], is_flag=True, help="Print JSON, for programs to read.")


class Count(click.ParamType[int]):
    """A number of something.

    Args:
        least: that it may be.
        most: the same; None for any.
    """

    name = "N"

    def __init__(self, least: int = 1, most: int | None = None) -> None:
        self._least = least
        self._most = most

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read it."""
        try:
            number = int(str(value))
        except ValueError:
            number = self._least - 1
        if number < self._least or (self._most is not None and number > self._most):
            upto = "or more" if self._most is None else f"to {self._most}"
            self.fail(f"{str(value)!r}: a whole number is needed, {self._least} {upto}", param, ctx)
        return number


class Seconds(click.ParamType[float]):
    """A number of seconds, 0 or more."""

    name = "SECONDS"
    _needed = "a number of seconds is needed, 0 or more"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read it."""
        try:
            number = float(str(value))
        except ValueError:
            number = -1.0
        if not self._is_fine(number):
            self.fail(f"{str(value)!r}: {self._needed}", param, ctx)
        return number

    def _is_fine(self, number: float) -> bool:
        return number >= 0


class AboveZero(Seconds):
    """A number above 0."""

    name = "N"
    _needed = "a number above 0 is needed"

    def _is_fine(self, number: float) -> bool:
        return number > 0


def said(backend: str | None, workers: int | None, pairs: Sequence[str]) -> dict[str, tuple[str, object]]:
    """What the command line says of engines.

    Args:
        backend: of ``--backend``.
        workers: of ``--workers``.
        pairs: of ``--set``, as "option=value".

    Raises:
        Refused: there is no such option, backend or value.
    """
    settings: dict[str, tuple[str, object]] = {}
    for pair in pairs:
        name, is_given, text = pair.partition("=")
        if not is_given:
            raise Refused(f"--set {pair}: option=value is needed, as  --set keep=all")
        name = name.strip().replace("-", "_")
        settings[name] = (f"--set {name}", checked(f"--set {name}", name, text))
    if backend is not None:
        settings["backend"] = ("--backend", _backend(backend))
    if workers is not None:
        settings["workers"] = ("--workers", workers)
    return settings


def checked(where: str, name: str, text: str) -> object:
    """The value of an option of engines.

    Args:
        where: it was given, for errors.
        name: of the option.
        text: its value as text.

    Raises:
        Refused: there is no such option, or it cannot have that value.
    """
    from .._engine.settings import OUTSIDE

    there = [each for each, setting in OUTSIDE.items() if setting.in_file]
    if name not in there:
        near = get_close_matches(name, there, 1)
        meant = f" Did you mean {near[0]!r}?" if near else ""
        raise Refused(
            f"{where}: an engine has no option {name!r} that can be set.{meant}",
            f"There are: {', '.join(there)}.",
        )
    setting = OUTSIDE[name]
    try:
        return setting.check(where, setting.from_text(where, text))
    except (TypeError, ValueError, LookupError) as error:
        raise Refused(str(error)) from None


def _backend(given: str) -> str:
    _, is_named, kind = given.rpartition("=")
    checked("--backend", "backend", kind if is_named else given)
    return given


def _backends(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from .._engine.discovery import installed

    return [CompletionItem(name) for name in sorted(installed()) if name.startswith(incomplete)]


def _settings(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from .._engine.settings import OUTSIDE

    return [
        CompletionItem(f"{name}=", help=setting.meaning)
        for name, setting in OUTSIDE.items()
        if setting.in_file and name.startswith(incomplete)
    ]
