"""What may have been meant by a command line that click refuses."""

from __future__ import annotations

from typing import Final

import click

from .._show.words import plain

_FORMS: Final = (".html", ".svg", ".png", ".json", ".txt", ".mmd", ".dot")
_OUT: Final = ("--output", "--save", "--file", *(f"--{form[1:]}" for form in _FORMS))
_TOKEN: Final = (
    "lists of processes would show it:  ASYNCFLOW_TOKEN=... asyncflow serve ...  or  --token-file PATH"
)


def meant_by(refused: click.ClickException) -> str:
    """The mend for what newcomers type, "" if nothing is known.

    Args:
        refused: by click.
    """
    ctx = getattr(refused, "ctx", None)
    if ctx is None or not isinstance(refused, click.UsageError):
        return ""
    options = {each for param in ctx.command.params for each in param.opts}
    if isinstance(refused, click.NoSuchOption):
        return _of_option(refused.option_name, ctx.info_name or "", options)
    told, _, given = refused.message.partition("(")
    if told.startswith("Got unexpected extra argument") and "--out" in options:
        first = given.rstrip(")").split()[0] if given.rstrip(")").split() else ""
        if first.endswith(_FORMS):
            return f"to write it there:  -o {plain(first)}"
    return ""


def _of_option(name: str, subcommand: str, options: set[str]) -> str:
    if "--out" in options and name in _OUT:
        return f"to write it to a file:  -o {subcommand}.html"
    return _TOKEN if name == "--token" and "--token-file" in options else ""
