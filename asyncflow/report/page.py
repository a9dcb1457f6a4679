"""The outline of a report for a notebook: tables, without style or script."""

from __future__ import annotations

from html import escape

from .outline import Outline, Table


def of(outline: Outline) -> str:
    """HTML in which everything that comes from somewhere else is escaped.

    Args:
        outline: of the report.
    """
    parts = [f"<p>Report: {escape(outline.title)}</p>"]
    if outline.facts:
        parts.append(_facts(outline.facts))
    parts += map(_table, outline.tables)
    if outline.notes:
        parts.append(_facts(outline.notes))
    return "\n".join(['<div class="asyncflow-report">', *parts, "</div>"])


def _facts(facts: dict[str, str]) -> str:
    told = "".join(f"<dt>{escape(name)}</dt><dd>{escape(fact)}</dd>" for name, fact in facts.items())
    return f"<dl>{told}</dl>"


def _table(table: Table) -> str:
    heads = "".join(f"<th>{escape(name)}</th>" for name in table.header)
    rows = ("".join(f"<td>{escape(cell)}</td>" for cell in row) for row in table.rows)
    return "\n".join(
        [
            "<table>",
            f"<caption>{escape(table.name)}</caption>",
            f"<thead><tr>{heads}</tr></thead>",
            "<tbody>",
            *(f"<tr>{row}</tr>" for row in rows),
            "</tbody>",
            "</table>",
        ]
    )
