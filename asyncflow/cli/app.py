"""The program ``asyncflow`` and the table of its subcommands, each of which is loaded only when it is asked for."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module
from typing import Final

import click

from .._version import __version__
from .exits import INTERRUPTED, MEANING, Refused
from .meant import meant_by

SUBCOMMANDS: Final = {
    "Run": {
        "run": "Run a workflow, or a script as Python would.",
        "demo": "Run an example, and look at all that there is to see of it.",
        "watch": "Watch a run from another terminal.",
        "serve": "Take jobs for workflows over HTTP.",
        "replay": "Run a recorded workflow: how long it should take, and how long it does.",
    },
    "Before a run": {
        "check": "Check the wiring of a workflow; nothing runs.",
        "plan": "Say what would happen, and how long it would take.",
        "graph": "Draw what would run.",
    },
    "After a run": {
        "report": "Say what has happened, and where the time went.",
        "timeline": "Draw who did what when.",
        "explain": "Tell the story of a task.",
    },
    "This machine": {
        "backends": "List what can run tasks, and what each can do.",
        "doctor": "Look for what would go wrong on this machine.",
        "clean": "Remove what killed engines have left.",
        "completion": "Let the shell complete what is typed.",
    },
}
"""By the heading under which ``--help`` has them."""

COMPLETES: Final = "_ASYNCFLOW_COMPLETE"
"""The variable in which a shell asks what may be typed."""
NAMES: Final = tuple(name for names in SUBCOMMANDS.values() for name in names)

_HELP: Final = """Run workflows of ordinary Python functions, and look at them.

\b
Examples:
  asyncflow demo                             see what there is to see
  asyncflow check flow.py:pipeline           is it wired as it should be?
  asyncflow run flow.py:pipeline data.csv    run it
  asyncflow run --help                       more about one subcommand
"""


class Subcommands(click.Group):
    """Those of the table."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names."""
        return list(NAMES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load one."""
        if cmd_name not in NAMES:
            return None
        module = import_module(f".{cmd_name}", __package__)
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the one that is asked for, or say which may be meant."""
        name = args[0]
        if name not in NAMES and not name.startswith("-") and not ctx.resilient_parsing:
            near = get_close_matches(name, NAMES, 1)
            if near:
                meant = f"did you mean:  asyncflow {near[0]}"
            elif name.partition(":")[0].endswith(".py"):
                meant = f"did you mean:  asyncflow run {name}"
            else:
                meant = "they are:  asyncflow --help"
            raise Refused(f"there is no subcommand {name!r}", meant)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List them without loading them."""
        for heading, commands in SUBCOMMANDS.items():
            with formatter.section(heading):
                formatter.write_dl(list(commands.items()), col_max=12)
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(code), meaning) for code, meaning in MEANING.items()], col_max=12)

    def shell_complete(
        self, ctx: click.Context, incomplete: str
    ) -> list[click.shell_completion.CompletionItem]:
        """Complete a name, without loading what it names."""
        told = {name: line for names in SUBCOMMANDS.values() for name, line in names.items()}
        found = [name for name in NAMES if name.startswith(incomplete)]
        return [
            *(click.shell_completion.CompletionItem(name, help=told[name]) for name in found),
            *click.Command.shell_complete(self, ctx, incomplete),
        ]


app: Final = Subcommands(
    "asyncflow", help=_HELP, no_args_is_help=True, context_settings={"help_option_names": ["-h", "--help"]}
)
click.version_option(__version__, prog_name="asyncflow", message="%(prog)s %(version)s")(app)


def run(arguments: Sequence[str]) -> int:
    """Run a subcommand.

    Args:
        arguments: those after the name of the program.

    Returns:
        The exit code.
    """
    if os.environ.get(COMPLETES, "").startswith("bash"):
        from . import bash  # noqa: F401  # which click then knows
    if list(arguments[:1]) == ["help"]:  # as of git, pip and others
        arguments = [*arguments[1:2], "--help"]
    try:
        code = app.main(list(arguments), prog_name="asyncflow", standalone_mode=False)
    except click.Abort as aborted:
        return getattr(aborted.__cause__, "code", INTERRUPTED)
    except click.exceptions.NoArgsIsHelpError as asked:
        print(asked.format_message(), file=sys.stderr)
        return asked.exit_code
    except click.ClickException as refused:
        show(refused)
        return refused.exit_code
    return code if isinstance(code, int) else 0


def show(refused: click.ClickException) -> None:
    """Say on the standard error what was refused: the message first."""
    ctx = getattr(refused, "ctx", None)
    where = ctx.command_path if ctx is not None else "asyncflow"
    print(f"{where}: {refused.format_message()}", file=sys.stderr)
    if mend := meant_by(refused):
        print(f"  {mend}", file=sys.stderr)
    if isinstance(refused, click.UsageError) and ctx is not None and ctx.command.get_help_option(ctx):
        print(f"  Its help:  {where} --help", file=sys.stderr)
