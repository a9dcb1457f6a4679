"""``asyncflow completion``: lets the shell complete what is typed."""

from __future__ import annotations

from typing import Final

import click
from click.shell_completion import get_completion_class

from .exits import Refused
from .out import say

_SETTINGS: Final = {
    "bash": 'eval "$(asyncflow completion bash)"    in ~/.bashrc',
    "zsh": 'eval "$(asyncflow completion zsh)"    in ~/.zshrc, after compinit',
    "fish": "asyncflow completion fish > ~/.config/fish/completions/asyncflow.fish",
}


@click.command(name="completion")
@click.argument("shell", type=click.Choice(list(_SETTINGS)))
def command(shell: str) -> None:
    """Print what lets a shell complete subcommands, options, files, what is in them, and what targets take.

    \b
    Examples:
      eval "$(asyncflow completion bash)"    in ~/.bashrc
      eval "$(asyncflow completion zsh)"     in ~/.zshrc, after compinit
      asyncflow completion fish > ~/.config/fish/completions/asyncflow.fish

    To complete what a target takes, its file is loaded, and nothing in it is called.
    """
    from . import bash  # noqa: F401  # which click then knows
    from .app import COMPLETES, app

    kind = get_completion_class(shell)
    if kind is None:
        raise Refused(f"this click completes nothing for {shell}", 'pip install --upgrade "click>=8.1"')
    say(kind(app, {}, "asyncflow", COMPLETES).source())
