"""The outline of a report for a terminal of 100 columns."""

from __future__ import annotations

from textwrap import wrap
from typing import Final

from .._core import table
from .outline import Outline

_WIDTH: Final = 100


def of(outline: Outline) -> str:
    """Lines for a terminal.

    Args:
        outline: of the report.
    """
    lines = _wrapped(f"Report: {outline.title}")
    for name, told in outline.facts.items():
        lines += _wrapped(f"{name}: {told}")
    for each in outline.tables:
        lines += [f"{each.name}:", *table.lines([each.header, *each.rows], each.right)]
    for name, told in outline.notes.items():
        lines += _wrapped(f"{name}: {told}")
    return "\n".join(map(_cut, lines))


def _wrapped(text: str) -> list[str]:
    return wrap(text, _WIDTH, subsequent_indent="  ", break_on_hyphens=False)


def _cut(line: str) -> str:
    """As much of a line as fits; letters may be two columns wide."""
    if table.columns(line) <= _WIDTH:
        return line
    while table.columns(line) > _WIDTH - 3:
        line = line[:-1]
    return line + "..."
