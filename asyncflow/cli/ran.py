"""What a run leaves: its value, its reports, a few lines at the end, and the exit code."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Final

import click

from .._engine.commanded import Commanded, Misdirected
from .._show.words import plain
from ..engine import WorkflowEngine
from ..live.summary import summary
from ..report import Report
from .exits import FAILED, INTERRUPTED, Refused
from .out import columns, say, say_json, tell
from .outcome import code_of, nothing_on_stdout, show
from .saving import check, written

REPORTS: Final = (".html", ".json", ".txt")
_SIGNALS: Final = {INTERRUPTED: "Ctrl-C", 143: "SIGTERM", 129: "SIGHUP"}


class Ran:
    """One run of a program.

    Args:
        report: where its report is written; None for nowhere.
        trace: the same for its trace.
        quiet: whether nothing is said at the end.
        as_json: whether that is JSON.
    """

    def __init__(self, report: str | None, trace: str | None, quiet: bool, as_json: bool) -> None:
        if report is not None:
            check(report, "--report", REPORTS)
        if trace is not None:
            check(trace, "--trace")
        self.value: object = None
        self._report = report
        self._trace = trace
        self._quiet = quiet
        self._as_json = as_json
        self._code = 0
        self._error: BaseException | None = None
        self._shown = False  # the display has said at its end how it went
        self.written: list[str] = []
        self.reports: list[Report] = []

    @contextmanager
    def watched(self, made: Commanded) -> Iterator[None]:
        """The run: what it raises is shown as Python would, and what was asked for is written also then.

        Args:
            made: the engines of the program.
        """
        with nothing_on_stdout() if self._as_json else nullcontext():
            try:
                yield
            except click.ClickException:
                raise
            except Misdirected as error:
                raise Refused(str(error)) from None
            except BaseException as error:
                show(error)
                self._error, self._code = error, code_of(error)
        engines = [each for each in made.engines if isinstance(each, WorkflowEngine)]
        self.reports = [
            each.report() for each in engines if each._settings.report_limit and each._run is not None
        ]
        self._shown = any(each._settings.progress for each in engines)
        if not self._code and any(each._run is not None and each._run.unseen.told for each in engines):
            self._code = FAILED  # the log has named them
        self._write()

    def leave(self) -> None:
        """Say how it was, and end the program if it has not gone well.

        Raises:
            SystemExit: it has not.
        """
        if self._as_json:
            say_json(self._document())
        else:
            if self.value is not None:
                say(_shown(self.value))
            if not self._quiet:
                for report in self.reports if not self._shown else ():
                    tell(summary(report, columns()))
                if isinstance(self._error, KeyboardInterrupt):
                    tell(
                        f"Stopped by {_SIGNALS.get(self._code, 'Ctrl-C')}: what ran was cancelled, and cleaned up."
                    )
                for path in self.written:
                    tell(f"written: {plain(path)}")
        if self._code:
            sys.exit(self._code)

    def _write(self) -> None:
        """Write what was asked for; where that fails, the run has still been, and its value is still told."""
        try:
            for number, report in enumerate(self.reports, 1):
                if self._report is not None:
                    path = _numbered(self._report, number)
                    written(path, "--report", partial(report.save, path))
                    self.written.append(path)
                if self._trace is not None:
                    path = _numbered(self._trace, number)
                    trace = json.dumps(report.to_chrome_trace())
                    written(path, "--trace", partial(Path(path).write_text, trace))
                    self.written.append(path)
        except Refused as refused:
            tell(f"asyncflow: {refused.message}")
            self._code = self._code or FAILED
        if not self.reports and (self._report or self._trace):
            tell("asyncflow: no engine has run, so that there is no report of it")

    def _document(self) -> dict[str, object]:
        error = self._error
        return {
            "exit_code": self._code,
            "value": _jsonable(self.value),
            "error": None if error is None else {"type": type(error).__name__, "message": str(error)},
            "runs": [_facts(each) for each in self.reports],
            "written": self.written,
        }


def _facts(report: Report) -> dict[str, object]:
    return {
        "run": report.run,
        "seconds": report.total,
        "counts": report.counts,
        "failed": [
            {"id": each.id, "name": each.name, "error": each.error}
            for each in report.tasks
            if each.state == "FAILED"
        ],
    }


def _numbered(path: str, number: int) -> str:
    """The path for one of several engines: "out.html", "out-2.html"."""
    return path if number == 1 else str(Path(path).with_stem(f"{Path(path).stem}-{number}"))


def _shown(value: object) -> str:
    """A value as a prompt shows it, but text as it is."""
    if isinstance(value, str):
        return value
    try:
        return repr(value)
    except Exception:  # of the user's own class
        return object.__repr__(value)


def _jsonable(value: object) -> object:
    try:
        json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        return _shown(value)
    return value
