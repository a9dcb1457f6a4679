"""Reads what runs have written: journals, and reports that were saved as JSON."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, Final

import click

from .._show.words import plain
from ..report import Report
from .exits import Refused
from .given import JOURNAL, REPORT, refuse_others

_NEEDED: Final = "the journal or the report of a run"


def journal_argument(command: Callable[..., Any]) -> Callable[..., Any]:
    """The argument ``JOURNAL`` and the option ``--run``."""
    option = click.option("--run", metavar="ID", help="Which of the runs in the journal; else the last.")
    return option(click.argument("journal", type=click.Path(), metavar="JOURNAL")(command))


def report_of(path: str, run: str | None = None) -> Report:
    """The report of a run.

    Args:
        path: of a journal, or of a report that was saved as JSON.
        run: one of those in the journal; None for the last.

    Raises:
        Refused: there is none.
    """
    if not os.path.exists(path):
        program, _, target = path.rpartition(":")
        runs = plain(path) if (program or target).endswith(".py") else "FILE"
        raise Refused(
            f"there is no journal {plain(path)!r}",
            f"a run writes one with:  asyncflow run {runs} --journal run.jsonl",
        )
    if os.path.isdir(path):
        raise Refused(f"{plain(path)} is a folder, and a journal is needed")
    if os.path.isfile(path) and not os.path.getsize(path):
        raise Refused(f"{plain(path)} is empty: no run has begun that writes there")
    try:
        if not _is_journal(path):
            with open(path, "rb") as file:
                return Report.from_json(file.read())
        report = Report.from_journal(path, run)
        if not report.run:
            raise ValueError("no run has begun in it")
        return report
    except (ValueError, LookupError) as error:
        mend = ""
        if not isinstance(error, LookupError):
            refuse_others(path, _NEEDED, JOURNAL, REPORT)
            mend = f"{_NEEDED} is needed"
        raise Refused(f"{plain(path)}: {plain(str(error.args[0]), 500)}", mend) from None
    except OSError as error:
        raise Refused(f"{plain(path)} cannot be read: {error.strerror or error}") from None


def is_of_a_run(path: str) -> bool:
    """Whether a file is a journal, or a report that was saved as JSON."""
    try:
        with open(path, "rb") as file:
            return file.read(16).lstrip().startswith(b"{")
    except OSError:
        return False


def _is_journal(path: str) -> bool:
    """Whether a file is not JSON of a report."""
    with open(path, "rb") as file:
        return b'"asyncflow report"' not in file.read(4096)


def facts(report: Report) -> Mapping[str, object]:
    """A report in short, for JSON."""
    return {
        "run": report.run,
        "seconds": report.total,
        "counts": report.counts,
        "not_written_down": report.lost,
        "is_over": report.is_over,
    }
