"""``asyncflow report``: what has happened, and where the time went."""

from __future__ import annotations

import json
from functools import partial

import click

from .._show.words import plain
from .journals import journal_argument, report_of
from .options import json_option
from .out import say, say_json, tell
from .saving import written


@click.command(name="report")
@journal_argument
@click.option("-o", "--out", metavar="PATH", help="Write it there instead: .html, .json or .txt.")
@json_option
def command(journal: str, run: str | None, out: str | None, as_json: bool) -> None:
    """Say what has happened in a run, and where the time went; also of one that goes on, or that was killed.

    JOURNAL is the file that the run writes, or has written, with --journal PATH; or a report that was saved as JSON.

    \b
    Examples:
      asyncflow report run.jsonl
      asyncflow report run.jsonl -o report.html
    """
    report = report_of(journal, run)
    if out is not None:
        written(out, "-o", partial(report.save, out))
        tell(f"written: {plain(out)}")
    elif as_json:
        say_json(json.loads(report.to_json()))
    else:
        say(str(report))
