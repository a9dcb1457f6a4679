"""``asyncflow check``: is the workflow wired as it should be?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import click

from .._show.words import counted
from ..plan import findings_text
from .behind import TargetCommand
from .exits import WIRING
from .options import engine_parameters, json_flag, said
from .out import say, say_json
from .planned import planned
from .target import Place

_HELP = """Check the wiring of a workflow. Its blocks run, and its tasks do not: values stand in for their results.

Arguments that are needed and not given are made up, by their annotations.

\b
Examples:
  asyncflow check flow.py
  asyncflow check flow.py:pipeline data.csv --degree 3

The exit code is 3 if something is wrong, so that a script or CI can ask.
"""


def _check(
    place: Place, arguments: Sequence[str], backend: str | None, set_: Sequence[str], as_json: bool
) -> None:
    plan = planned(place, arguments, said(backend, None, set_), "check")
    if as_json:
        say_json({"tasks": len(plan.tasks), "findings": [asdict(each) for each in plan.findings]})
    elif plan.findings:
        say(findings_text.all_as_text(plan.findings))
    else:
        say(f"{counted(len(plan.tasks), 'task')}, and nothing wrong with their wiring")
    if plan.findings:
        click.get_current_context().exit(WIRING)


command = TargetCommand(
    "check", callback=_check, params=[*engine_parameters(workers=False), json_flag()], help=_HELP
)
