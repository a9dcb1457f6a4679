"""``asyncflow timeline``: who did what when, as a picture or in the terminal."""

from __future__ import annotations

import shutil
from functools import partial

import click

from .._show.words import plain
from .bars import lanes_of, lines
from .journals import journal_argument, report_of
from .options import json_option
from .out import say, say_json, tell
from .saving import written


@click.command(name="timeline")
@journal_argument
@click.option("-o", "--out", metavar="PATH", help="The file to write: .svg, .png or .html.")
@json_option
def command(journal: str, run: str | None, out: str | None, as_json: bool) -> None:
    """Draw who did what when: a line for each worker, from the beginning of the run to its end. Without -o it is drawn
    in the terminal.

    JOURNAL is the file that the run writes, or has written, with --journal PATH; or a report that was saved as JSON.

    \b
    Examples:
      asyncflow timeline run.jsonl
      asyncflow timeline run.jsonl -o timeline.html
    """
    report = report_of(journal, run)
    if out is not None:
        drawing = report.timeline()
        written(out, "-o", partial(drawing.save, out))
        tell(f"written: {plain(out)}")
        return
    lanes = lanes_of(report)
    if as_json:
        say_json(
            {
                "seconds": report.total,
                "workers": [
                    {"worker": lane.worker, "tasks": [each._asdict() for each in lane.bars]} for lane in lanes
                ],
            }
        )
        return
    say("\n".join(lines(lanes, report.total, shutil.get_terminal_size().columns)))
