"""An outline for a notebook: HTML with a small style, in the colours of whatever theme it stands in, and no script."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from html import escape
from typing import Final

from .outline import Facts, Notes, Outline, Table

# Letters have the notebook's own colour, and lines one that is seen on any ground. Notebooks align cells of tables to
# the right, stripe them and draw their frames, with rules stronger than a class: hence what is marked important.
STYLE: Final = (
    "<style>"
    ".asyncflow{font-size:13px;line-height:1.5;overflow-x:auto}"
    ".asyncflow>p{margin:8px 0 2px;font-weight:600}"
    ".asyncflow>p:first-of-type{margin:0 0 4px;font-size:14px}"
    ".asyncflow dl{display:grid;grid-template-columns:max-content 1fr;gap:1px 14px;margin:4px 0}"
    ".asyncflow dt{opacity:.68;font-weight:normal!important}"
    ".asyncflow dd{margin:0;min-width:0;overflow-wrap:anywhere}"
    ".asyncflow ul{margin:2px 0;padding-left:20px}"
    ".asyncflow li,.asyncflow td{overflow-wrap:break-word}"
    ".asyncflow table{border-collapse:collapse;border:0;margin:8px 0!important;width:auto!important;font-size:12.5px;"
    "table-layout:auto}"
    ".asyncflow caption{caption-side:top;text-align:left;font-weight:600;padding:4px 0 2px;color:inherit}"
    ".asyncflow tr{background:none!important}"
    ".asyncflow th,.asyncflow td{text-align:left!important;vertical-align:top;max-width:none;background:none;border:0;"
    "border-bottom:1px solid rgba(127,127,127,.28);padding:2px 16px 2px 0;font-variant-numeric:tabular-nums}"
    ".asyncflow th{opacity:.68;font-weight:normal}"
    ".asyncflow .right{text-align:right!important}"
    "</style>"
)
"""The only element that is not made of an outline."""


def as_html(outline: Outline) -> str:
    """HTML in which everything that comes from somewhere else is escaped."""
    lines = [
        STYLE,
        f'<div class="asyncflow asyncflow-{outline.noun.lower()}">',
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
        case Table(name, header, rows, right) if rows:
            return [
                "<table>",
                *([f"<caption>{escape(name)}</caption>"] if name else []),
                f"<thead>{_row('th', header, right)}</thead>",
                "<tbody>",
                *(_row("td", row, right) for row in rows),
                "</tbody>",
                "</table>",
            ]
        case Notes(name, remarks) if remarks:
            items = (f"<li>{''.join(f'<div>{escape(line)}</div>' for line in each)}</li>" for each in remarks)
            return [f"<p>{escape(name)}:</p><ul>{''.join(items)}</ul>"]
    return []


def _row(tag: str, cells: Sequence[str], right: Collection[int]) -> str:
    begins = {True: f'<{tag} class="right">', False: f"<{tag}>"}
    made = (f"{begins[column in right]}{escape(cell)}</{tag}>" for column, cell in enumerate(cells))
    return f"<tr>{''.join(made)}</tr>"
