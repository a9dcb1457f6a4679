"""``asyncflow graph``: draws what would run."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from functools import partial

import click

from .._show.words import plain
from ..plan import Plan
from ..report import Report
from .behind import TargetCommand
from .journals import is_of_a_run, report_of
from .options import engine_parameters, json_flag, said
from .out import say, say_json, tell
from .planned import planned
from .saving import written
from .source import Source
from .target import Place

_HELP = """Draw what would run, without running it: blocks as boxes, tasks that are called often folded into one. In
place of a file of Python it takes the journal of a run, and draws what became of its tasks.

Without -o it prints text for Mermaid, which GitHub and many wikis draw.

\b
Examples:
  asyncflow graph flow.py:pipeline data.csv -o graph.svg
  asyncflow graph run.jsonl -o graph.html
"""


def _graph(
    place: Place,
    arguments: Sequence[str],
    backend: str | None,
    set_: Sequence[str],
    out: str | None,
    fold: bool | None,
    dark: bool | None,
    as_json: bool,
) -> None:
    told: Plan | Report
    if is_of_a_run(place.path):
        told = report_of(place.path)
    else:
        told = planned(place, arguments, said(backend, None, set_), "graph")
    drawing = told.draw(fold=fold, dark=dark)
    if out is not None:
        written(out, "-o", partial(drawing.save, out))
        tell(f"written: {plain(out)}")
    if as_json:
        say_json({"title": drawing.title, "mermaid": drawing.to_mermaid(), "written": out})
    elif out is None:
        say(drawing.to_mermaid().rstrip("\n"))


class _Command(TargetCommand):
    """Takes journals, too."""

    def place(self, given: str) -> Place:
        """What is to be drawn."""
        if is_of_a_run(given):
            return Place(given, "", Source(given, ast.Module([], [])))
        return super().place(given)


command = _Command(
    "graph",
    callback=_graph,
    params=[
        click.Option(
            ["-o", "--out"],
            metavar="PATH",
            help="The file to write: .svg, .png, .html, .mmd or .dot.",
        ),
        click.Option(
            ["--fold/--no-fold"], default=None, help="Fold what is called often; else it goes by the size."
        ),
        click.Option(
            ["--dark/--light"], default=None, help="The ground; else as the reader's system prefers."
        ),
        *engine_parameters(workers=False),
        json_flag(),
    ],
    help=_HELP,
)
