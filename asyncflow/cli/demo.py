"""``asyncflow demo``: an example, and all that there is to see of it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from .._engine.commanded import Said, commanding
from .._show.words import plain
from ..report import Report
from . import modules
from .exits import Refused
from .options import json_option
from .out import say, tell
from .ran import Ran
from .target import found_in, place_of

_PICTURES = {
    "report.html": "all of the run in one page",
    "graph.html": "what ran, to move in and to search",
    "graph.svg": "the same for a paper",
    "timeline.html": "who did what when",
}


@click.command(name="demo")
@click.argument("folder", type=click.Path(exists=True, file_okay=False), required=False)
@click.option(
    "-o",
    "--out",
    default="asyncflow-demo",
    metavar="DIR",
    show_default=True,
    help="Where it puts what it leaves.",
)
@click.option("--progress/--no-progress", default=True, help="Show how far it is, live.")
@json_option
def command(folder: str | None, out: str, progress: bool, as_json: bool) -> None:
    """Run an example: a census of the Python source in FOLDER, or in the standard library. It leaves the code, the
    journal, the report and pictures in a folder, to look at and to change.

    \b
    Examples:
      asyncflow demo
      asyncflow demo src -o /tmp/demo
    """
    there = Path(out)
    code, journal = there / "census.py", there / "run.jsonl"
    _prepare(there, code, journal)
    settings = {
        "journal": Said("--journal", str(journal)),
        "progress": Said("--progress", progress and not as_json),
    }
    ran = Ran(report=None, trace=None, quiet=not as_json, as_json=as_json)
    with commanding(settings) as made, modules.loaded(str(code)) as module:
        found = found_in(place_of(str(code)), module, made)
        census: Any = found.call
        with ran.watched(made):
            ran.value = found.engine.run(census, None if folder is None else Path(folder).absolute())
    ran.written += [str(code), str(journal)]
    for report in ran.reports:
        ran.written += _draw(report, there)
    try:
        ran.leave()
    finally:
        if not as_json:
            _tell(there, ran.written, folder)


def _prepare(there: Path, code: Path, journal: Path) -> None:
    from . import census

    try:
        there.mkdir(parents=True, exist_ok=True)
        code.write_text(inspect.getsource(census))
        journal.unlink(missing_ok=True)  # of the run before
    except OSError as error:
        raise Refused(f"-o {plain(str(there))}: it cannot be written to: {error.strerror}") from None


def _draw(report: Report, there: Path) -> list[str]:
    """Write the report and the pictures; of those that cannot be had, say what they need."""
    draw: dict[str, Callable[[Path], object]] = {
        "report.html": report.save,
        "graph.html": report.draw,
        "graph.svg": report.draw,
        "timeline.html": report.timeline,
    }
    drawn = []
    for name, make in draw.items():
        try:
            make(there / name)
        except ImportError as error:
            tell(f"no {name}: {error}")
        else:
            drawn.append(str(there / name))
    return drawn


def _tell(there: Path, written: list[str], folder: str | None) -> None:
    shown = plain(str(there))
    more = "" if folder is None else f" {plain(folder)}"
    say(f"\nIn {shown}:")
    for path in written:
        name = Path(path).name
        meaning = _PICTURES.get(
            name, {"census.py": "the code", "run.jsonl": "the journal of the run"}.get(name, "")
        )
        say(f"  {name:14} {meaning}")
    say(
        "Next:\n"
        f"  asyncflow plan {shown}/census.py --durations {shown}/run.jsonl{more}\n"
        f"  asyncflow explain {shown}/run.jsonl table\n"
        f"  asyncflow run {shown}/census.py --backend thread{more}"
    )
