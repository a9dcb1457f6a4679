"""Rows of text as lines whose columns stand below each other in a terminal. Pure; cells mean nothing here."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final
from unicodedata import combining, east_asian_width

_WIDE: Final = "WF"


def lines(rows: Sequence[Sequence[str]], right: Collection[int] = ()) -> list[str]:
    """A line for each row, two spaces before each cell.

    Args:
        rows: of cells, as many in each; they hold nothing that does something to a terminal.
        right: numbers of the columns that are set to the right, from 0.
    """
    widths = [max(map(columns, cells)) for cells in zip(*rows, strict=True)]
    told = []
    for row in rows:
        line = ""
        for place, (cell, width) in enumerate(zip(row, widths, strict=True)):
            space = " " * (width - columns(cell))
            line += f"  {space}{cell}" if place in right else f"  {cell}{space}"
        told.append(line.rstrip())
    return told


def columns(text: str) -> int:
    """How wide a terminal shows a text."""
    if text.isascii():
        return len(text)
    return sum(0 if combining(each) else 2 if east_asian_width(each) in _WIDE else 1 for each in text)
