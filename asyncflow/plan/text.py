"""The outline of a plan for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple
from typing import Final
from unicodedata import combining, east_asian_width

from .outline import Outline

_HEADER: Final = ("stage", "tasks", "what", "waits for")
_WIDE: Final = "WF"
_NUMBERS: Final = 1  # the column that is set to the right


def of(outline: Outline) -> str:
    """Lines for a terminal.

    Args:
        outline: of the plan.
    """
    lines = [f"Plan: {outline.title}"]
    if outline.head:
        left_out = [("...", "", f"{outline.left_out:,} more", "")] if outline.tail else []
        rows = [*map(astuple, outline.head), *left_out, *map(astuple, outline.tail)]
        lines += _table([_HEADER, *rows])
    lines += [f"{name}: {told}" for name, told in outline.facts.items()]
    for name, notes in outline.notes.items():
        lines += [f"{name}:", *(f"  {note}" for note in notes)]
    return "\n".join(lines)


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(_columns, cells)) for cells in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        line = ""
        for place, (cell, width) in enumerate(zip(row, widths, strict=True)):
            space = " " * (width - _columns(cell))
            line += f"  {space}{cell}" if place == _NUMBERS else f"  {cell}{space}"
        lines.append(line.rstrip())
    return lines


def _columns(text: str) -> int:
    """How wide a terminal shows a text."""
    if text.isascii():
        return len(text)
    return sum(0 if combining(each) else 2 if east_asian_width(each) in _WIDE else 1 for each in text)
