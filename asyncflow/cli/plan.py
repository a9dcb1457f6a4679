"""``asyncflow plan``: what would happen, and how long it would take on so many workers."""

from __future__ import annotations

import json
from collections.abc import Sequence

import click

from .._show.columns import table_lines
from .._show.words import seconds
from ..plan import Plan
from .behind import TargetCommand
from .journals import report_of
from .options import engine_parameters, json_flag, said
from .out import say, say_json
from .planned import planned
from .target import Place

_HELP = """Say what would happen, and how long it would take. Blocks run, and tasks do not: values stand in for results.

The table tells what so many workers would make of it. How long each function takes is what the code says by
expected=..., or what a run has shown, of which --durations names the journal or the report.

\b
Examples:
  asyncflow plan flow.py:pipeline data.csv
  asyncflow plan flow.py --workers 1,2,4,8 --durations run.jsonl
"""


class Numbers(click.ParamType[list[int]]):
    """Numbers of workers."""

    name = "N,N,..."

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> list[int]:
        """Read them."""
        try:
            numbers = [int(each) for each in str(value).split(",")]
        except ValueError:
            self.fail(f"{value!r}: numbers of workers are needed, as 1,2,4,8", param, ctx)
        if min(numbers) < 1:
            self.fail(f"{value!r}: there is at least one worker", param, ctx)
        return numbers


def _plan(
    place: Place,
    arguments: Sequence[str],
    backend: str | None,
    set_: Sequence[str],
    workers: list[int] | None,
    durations: str | None,
    as_json: bool,
) -> None:
    plan = planned(place, arguments, said(backend, None, set_), "plan")
    if durations is not None:
        known = report_of(durations).durations
        names = {each.name for each in plan.tasks}
        plan = plan.with_durations({name: each for name, each in known.items() if name in names})
    rows = what_if(plan, workers or ([1, 2, 4, 8] if durations is not None else []))
    is_in_seconds = any(each.expected is not None for each in plan.tasks)
    if as_json:
        unit = "seconds" if is_in_seconds else "steps"
        say_json({"plan": json.loads(plan.to_json()), "unit": unit, "workers": rows})
        return
    say(str(plan))
    if rows:
        say("On so many workers:")
        say("\n".join(_table(rows, is_in_seconds)))
        if not is_in_seconds:
            say(
                "How long functions take is not known: each counts as one step. Say it by expected=, or by --durations."
            )


def what_if(plan: Plan, numbers: Sequence[int]) -> list[dict[str, object]]:
    """How long a plan takes on so many workers, by list scheduling.

    Args:
        plan: whose tasks have expected durations.
        numbers: of workers.
    """
    alone = plan.makespan(1)
    rows: list[dict[str, object]] = []
    for each in numbers:
        length = plan.makespan(each)
        speedup = alone / length if length else 1.0
        rows.append(
            {
                "workers": each,
                "time": length,
                "speedup": speedup,
                "efficiency": speedup / each,
                "limited_by": plan.limits(each),
            }
        )
    return rows


def _table(rows: Sequence[dict[str, object]], is_in_seconds: bool) -> list[str]:
    shown = []
    for each in rows:
        time = float(str(each["time"]))
        shown.append(
            (
                str(each["workers"]),
                seconds(time) if is_in_seconds else f"{time:,.4g}",
                f"{each['speedup']:.2f}",
                f"{each['efficiency']:.0%}",
                str(each["limited_by"]).partition(" limit")[0].lower(),
            )
        )
    header = ("workers", "time" if is_in_seconds else "steps", "times as fast", "busy", "limited by")
    return table_lines([header, *shown], right=(0, 1, 2, 3))


command = TargetCommand(
    "plan",
    callback=_plan,
    params=[
        click.Option(
            ["--workers"], type=Numbers(), metavar="N,N,...", help="Numbers of workers for the table."
        ),
        click.Option(
            ["--durations"],
            type=click.Path(dir_okay=False),
            metavar="PATH",
            help="How long functions take: the journal or report of a run.",
        ),
        *engine_parameters(workers=False),
        json_flag(),
    ],
    help=_HELP,
)
