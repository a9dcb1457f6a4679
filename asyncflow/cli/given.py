"""What a file is that was given where another kind of file is needed, and which subcommand reads it."""

from __future__ import annotations

import os
from typing import Final

from .._show.words import plain
from .exits import Refused

_LOOKED_AT: Final = 1 << 16  # bytes of its beginning
_READ_JOURNALS: Final = (
    "asyncflow report {0}    says what has happened; watch, timeline, explain and graph read it, too"
)
JOURNAL: Final = "the journal of a run"
REPORT: Final = "the report of a run"
RECORDED: Final = "a workflow recorded in WfFormat"
PYTHON: Final = "a file of Python"
_KINDS: Final = (
    (b'"event": "RunBegan"', JOURNAL, _READ_JOURNALS),
    (
        b'"asyncflow report"',
        REPORT,
        "asyncflow report {0}    shows it; timeline, explain and graph read it, too",
    ),
    (
        b'"asyncflow plan"',
        "a plan",
        "no subcommand reads it:  asyncflow plan FILE  makes one, Plan.from_json(...) reads it",
    ),
    (b'"schemaVersion"', RECORDED, "asyncflow replay {0}    runs it"),
    (b'"traceEvents"', "a trace", "open it at ui.perfetto.dev"),
)


def refuse_others(path: str, needed: str, *but: str) -> None:
    """Refuse a file that is known to be of another kind than needed; any other is let through.

    Args:
        path: of the file.
        needed: what it should be, in words.
        but: the kinds that it may be.

    Raises:
        Refused: it is of another kind.
    """
    kind, mend = _kind_of(path)
    if kind and kind not in but:
        raise Refused(f"{plain(path)} is {kind}, and {needed} is needed", mend.format(plain(path)))


def _kind_of(path: str) -> tuple[str, str]:
    if path.endswith(".py"):
        return PYTHON, "asyncflow run {0}    runs it"
    if path.endswith(".html"):
        return "a page", "open it in a browser"
    try:
        with open(path, "rb") as file:
            begin = file.read(_LOOKED_AT) if os.path.isfile(path) else b""
    except OSError:
        return "", ""
    if begin.lstrip()[:1] == b"{":
        for mark, kind, mend in _KINDS:
            if mark in begin:
                return kind, mend
    return "", ""
