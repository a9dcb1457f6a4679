"""The outline of a plan for a notebook: a table, without style or script."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple
from html import escape

from .outline import Outline, Row


def of(outline: Outline) -> str:
    """HTML in which everything that comes from somewhere else is escaped.

    Args:
        outline: of the plan.
    """
    parts = [f"<p>Plan: {escape(outline.title)}</p>"]
    if outline.head:
        left_out = f"<tr><td>...</td><td></td><td>{outline.left_out:,} more</td><td></td></tr>"
        parts += [
            "<table>",
            "<thead><tr><th>stage</th><th>tasks</th><th>what</th><th>waits for</th></tr></thead>",
            "<tbody>",
            *_rows(outline.head),
            *([left_out] if outline.tail else []),
            *_rows(outline.tail),
            "</tbody>",
            "</table>",
        ]
    if outline.facts:
        facts = (f"<dt>{escape(name)}</dt><dd>{escape(told)}</dd>" for name, told in outline.facts.items())
        parts.append(f"<dl>{''.join(facts)}</dl>")
    for name, notes in outline.notes.items():
        items = "".join(
            f"<li>{''.join(f'<div>{escape(line)}</div>' for line in note)}</li>" for note in notes
        )
        parts.append(f"<p>{escape(name)}:</p><ul>{items}</ul>")
    return "\n".join(['<div class="asyncflow-plan">', *parts, "</div>"])


def _rows(rows: Iterable[Row]) -> Iterable[str]:
    for row in rows:
        cells = "".join(f"<td>{escape(cell)}</td>" for cell in astuple(row))
        yield f"<tr>{cells}</tr>"
