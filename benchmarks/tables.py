"""Rows as aligned text. Knows nothing of what they mean."""

from __future__ import annotations

from collections.abc import Sequence

from .measuring import Row

_WORDS = ("skipped", "failed")  # instead of numbers, a row may say why it has none


def as_text(title: str, rows: Sequence[Row]) -> str:
    """A table.

    Args:
        title: stands above it.
        rows: may lack columns.
    """
    columns = list(dict.fromkeys(key for row in rows for key in row if _is_shown(key, rows)))
    columns.sort(key="met".__eq__)  # the verdict comes last
    cells = [[_header(key) for key in columns], *([_cell(row.get(key)) for key in columns] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    left = [any(isinstance(row.get(key), str) for row in rows) for key in columns]
    remarks = ["", *(_remark(row) for row in rows)]
    lines = [
        "  ".join(
            text.ljust(width) if to_left else text.rjust(width)
            for text, width, to_left in zip(line, widths, left, strict=True)
        )
        + remark
        for line, remark in zip(cells, remarks, strict=True)
    ]
    return "\n".join([title, *(f"  {line}".rstrip() for line in lines)])


def _is_shown(key: str, rows: Sequence[Row]) -> bool:
    return key not in _WORDS and not any(isinstance(row.get(key), list) for row in rows)


def _header(key: str) -> str:
    words = key.replace("target_", "≤_").split("_")
    return " ".join({"us": "µs", "mb": "MB", "ms": "ms", "gb": "GB"}.get(word, word) for word in words)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "NO"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _remark(row: Row) -> str:
    return "".join(f"  {word}: {row[word]}" for word in _WORDS if word in row)
