"""The outline of a plan for a terminal."""

from __future__ import annotations

from dataclasses import astuple
from typing import Final

from .._core import table
from .outline import Outline

_HEADER: Final = ("stage", "tasks", "what", "waits for")
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
        lines += table.lines([_HEADER, *rows], (_NUMBERS,))
    lines += [f"{name}: {told}" for name, told in outline.facts.items()]
    for name, notes in outline.notes.items():
        lines.append(f"{name}:")
        for first, *more in notes:
            lines += [f"  {first}", *(f"    {line}" for line in more)]
    return "\n".join(lines)
