"""A report as a file, in the form that the end of its name says."""

from __future__ import annotations

import json
from collections.abc import Callable
from os import PathLike, fspath
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Final

from .._show import words

if TYPE_CHECKING:
    from .path import Path
    from .report import Report
    from .rows import Rows

_ENDS: Final = ".html .json .trace.json .txt"


def save(
    report: Report, rows: Rows, path: Path, file: str | PathLike[str], title: str | None, dark: bool | None
) -> FilePath:
    """Write a report to a file, as `Report.save` tells."""
    from ..plot.drawing import checked_dark

    if not isinstance(file, (str, PathLike)):
        raise TypeError(f"save() takes a path, and was given {words.given(file)}")
    checked_dark(dark)
    where = FilePath(fspath(file))

    def page() -> str:
        from ..plot.run_pages import html
        from .run_page import run_page

        return html(run_page(report, rows, path, title), dark)

    forms: dict[str, Callable[[], str]] = {
        ".html": page,
        ".trace.json": lambda: json.dumps(report.to_chrome_trace()),
        ".json": report.to_json,
        ".txt": lambda: f"{report}\n",
    }
    name = where.name.lower()
    form = next((form for end, form in forms.items() if name.endswith(end)), None)
    if form is None:
        raise ValueError(f"{where.name!r}: the end of the name says the form; it can be one of {_ENDS}")
    where.write_text(form(), encoding="utf-8")
    return where
