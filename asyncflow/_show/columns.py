"""Text in a terminal: how wide it is, and rows whose columns stand below each other."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from textwrap import wrap
from typing import Final
from unicodedata import combining, east_asian_width

LINE: Final = 100  # columns of a terminal; no line that is shown is longer
_WIDE: Final = "WF"


def table_lines(rows: Sequence[Sequence[str]], right: Collection[int] = ()) -> list[str]:
    """A line for each row, two spaces before each cell.

    Args:
        rows: of cells, as many in each; they hold nothing that does something to a terminal.
        right: numbers of the columns that are set to the right, from 0.
    """
    widths = [max(map(width, cells)) for cells in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        line = ""
        for column, (cell, widest) in enumerate(zip(row, widths, strict=True)):
            space = " " * (widest - width(cell))
            line += f"  {space}{cell}" if column in right else f"  {cell}{space}"
        lines.append(_cut(line.rstrip()))
    return lines


def wrapped(text: str, indent: str = "", columns: int = LINE) -> list[str]:
    """The lines that a text takes; those after the first are indented by two spaces more.

    Args:
        text: of one line.
        indent: of the first.
        columns: how wide a line may be.
    """
    lines = wrap(
        text, columns, initial_indent=indent, subsequent_indent=f"{indent}  ", break_on_hyphens=False
    )
    return [_cut(line, columns) for line in lines]


def width(text: str) -> int:
    """How many columns a terminal takes for a text."""
    if text.isascii():
        return len(text)
    return sum(0 if combining(each) else 2 if east_asian_width(each) in _WIDE else 1 for each in text)


def _cut(line: str, columns: int = LINE) -> str:
    """As much of a line as fits; letters may be two columns wide."""
    if width(line) <= columns:
        return line
    while width(line) > columns - 3:
        line = line[:-1]
    return line + "..."
