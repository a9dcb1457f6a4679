"""An outline for a terminal."""

from __future__ import annotations

from .columns import table_lines, wrapped
from .outline import Facts, Notes, Outline, Table


def as_text(outline: Outline) -> str:
    """Lines for a terminal, none of them too long."""
    lines = wrapped(f"{outline.noun}: {outline.title}")
    for part in outline.parts():
        lines += _lines(part)
    return "\n".join(lines)


def _lines(part: Facts | Table | Notes) -> list[str]:
    lines: list[str] = []
    match part:
        case Facts(by_name):
            for name, fact in by_name.items():
                lines += wrapped(f"{name}: {fact}")
        case Table(name, header, rows, right) if rows:
            lines += [f"{name}:"] if name else []
            lines += table_lines([header, *rows], right)
        case Notes(name, remarks) if remarks:
            lines += [f"{name}:"] if name else []
            for first, *more in remarks:
                lines += wrapped(first, "  ")
                for line in more:
                    lines += wrapped(line, "    ")
    return lines
