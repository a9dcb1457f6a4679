"""An outline for a notebook: HTML without style or script."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from .outline import Facts, Notes, Outline, Table


def as_html(outline: Outline) -> str:
    """HTML in which everything that comes from somewhere else is escaped."""
    lines = [
        f'<div class="asyncflow-{outline.noun.lower()}">',
        f"<p>{outline.noun}: {escape(outline.title)}</p>",
    ]
    for part in outline.parts():
        lines += _lines(part)
    return "\n".join([*lines, "</div>"])


def _lines(part: Facts | Table | Notes) -> list[str]:
    match part:
        case Facts(by_name) if by_name:
            facts = (f"<dt>{escape(name)}</dt><dd>{escape(fact)}</dd>" for name, fact in by_name.items())
            return [f"<dl>{''.join(facts)}</dl>"]
        case Table(name, header, rows) if rows:
            return [
                "<table>",
                *([f"<caption>{escape(name)}</caption>"] if name else []),
                f"<thead>{_row('th', header)}</thead>",
                "<tbody>",
                *(_row("td", row) for row in rows),
                "</tbody>",
                "</table>",
            ]
        case Notes(name, remarks) if remarks:
            items = (f"<li>{''.join(f'<div>{escape(line)}</div>' for line in each)}</li>" for each in remarks)
            return [*([f"<p>{escape(name)}:</p>"] if name else []), f"<ul>{''.join(items)}</ul>"]
    return []


def _row(tag: str, cells: Sequence[str]) -> str:
    return f"<tr>{''.join(f'<{tag}>{escape(cell)}</{tag}>' for cell in cells)}</tr>"
