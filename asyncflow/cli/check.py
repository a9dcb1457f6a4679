"""``asyncflow check``: is the workflow wired as it should be?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import click

from .._show.words import counted
from ..plan import findings_text
from .exits import WIRING
from .options import Settings, engine_options, json_option
from .out import say, say_json
from .planned import planned
from .target import file_argument


@click.command(
    name="check", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False}
)
@json_option
@engine_options
@file_argument
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def command(
    ctx: click.Context, file: str, arguments: Sequence[str], as_json: bool, settings: Settings
) -> None:
    """Check the wiring of a workflow. Its blocks run, and its tasks do not: values stand in for their results.

    Arguments that are needed and not given are made up, by their annotations.

    \b
    Examples:
      asyncflow check flow.py
      asyncflow check flow.py:pipeline data.csv --degree 3

    The exit code is 3 if something is wrong, so that a script or CI can ask.
    """
    plan = planned(file, arguments, settings, "check")
    if as_json:
        say_json(
            {
                "tasks": len(plan.tasks),
                "findings": [asdict(each) for each in plan.findings],
            }
        )
    else:
        say(
            findings_text.all_as_text(plan.findings)
            if plan.findings
            else f"{counted(len(plan.tasks), 'task')}, and nothing wrong with their wiring"
        )
    if plan.findings:
        ctx.exit(WIRING)
