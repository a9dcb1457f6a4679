"""Writes what is to be looked at into files, in the form that their names ask for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from .._show.words import plain
from ..report import Report
from .exits import Refused


def saved(report: Report, path: str, option: str) -> None:
    """Write a report.

    Args:
        report: which.
        path: of the file; its suffix tells the form.
        option: that names it, for errors.

    Raises:
        Refused: there is no such form, or the file cannot be written.
    """
    forms: dict[str, Callable[[], str]] = {
        ".json": report.to_json,
        ".html": report._repr_html_,
        ".txt": report.__str__,
    }
    suffix = Path(path).suffix
    if suffix not in forms:
        raise Refused(f"{option} {plain(path)}: a report can be written as {', '.join(forms)}")
    written(path, option, lambda: Path(path).write_text(forms[suffix](), encoding="utf-8"))


def written(path: str, option: str, write: Callable[[], object]) -> None:
    """Write a file.

    Args:
        path: of it.
        option: that names it, for errors.
        write: does so.

    Raises:
        Refused: it cannot be written, or not in that form.
    """
    try:
        write()
    except OSError as error:
        raise Refused(f"{option} {plain(path)}: it cannot be written: {error.strerror or error}") from None
    except (ValueError, ImportError) as error:
        raise Refused(f"{option} {plain(path)}: {error}") from None
