"""The shapes that pictures and their legends are made of, as SVG."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import Final

from .._causes import spelled_lines
from .._show.picture import Link, Picture
from .._show.widths import clipped, lines, width

SIZE: Final = 13.0  # of letters
SMALL: Final = 11.0


def safe(text: str) -> str:
    """Text for an SVG: nothing in it does anything, and nothing that XML does not allow is in it."""
    return escape(spelled_lines(text))


def outline(kind: str, x: float, y: float, wide: float, high: float, name: str) -> str:
    """The border of a box, by the kind of its tasks."""
    at = f'x="{x:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{high:.1f}"'
    if kind == "service":
        return f'<rect class="{name}" {at} rx="{min(15.0, high / 2):.1f}"/>'
    if kind == "executable":
        sides = f"M{x + 5:.1f} {y:.1f}v{high:.1f}M{x + wide - 5:.1f} {y:.1f}v{high:.1f}"
        return f'<rect class="{name}" {at} rx="1"/><path class="{name}" d="{sides}"/>'
    if kind in ("stream", "awaitable"):
        cut = 8.0 if kind == "stream" else -8.0
        left, right, bottom, middle = x, x + wide, y + high, y + high / 2
        if kind == "stream":  # an arrow: items come through
            points = [(left - cut / 2, y), (right - cut / 2, y), (right + cut / 2, middle)]
            points += [(right - cut / 2, bottom), (left - cut / 2, bottom), (left + cut / 2, middle)]
        else:
            points = [(left - cut, y), (right + cut, y), (right, middle), (right + cut, bottom)]
            points += [(left - cut, bottom), (left, middle)]
        path = "L".join(f"{px:.1f} {py:.1f}" for px, py in points)
        return f'<path class="{name}" d="M{path}Z"/>'
    return f'<rect class="{name}" {at} rx="6"/>'


def tip(link: Link, at: tuple[float, float], angle: float) -> str:
    """The arrowhead of a link, by what goes there; a ring behind it where it is optional."""
    shapes = {
        "data": '<path class="af-tip" d="M0 0L-9 -4.2V4.2Z"/>',
        "file": '<path class="af-tip" d="M-8 -4H0V4H-8Z"/>',
        "order": '<path class="af-tip af-line" d="M-8 -4.5L0 0L-8 4.5"/>',
        "code": '<circle class="af-tip" cx="-3.2" r="2.6"/>',
    }
    ring = '<circle class="af-tip af-open" cx="-14" r="3.6"/>' if link.optional else ""
    return (
        f'<g transform="translate({at[0]:.1f} {at[1]:.1f}) rotate({angle:.0f})">{shapes[link.kind]}{ring}</g>'
    )


def warning(x: float, y: float, number: int, picture: Picture) -> str:
    """A triangle with the number of a finding."""
    told = safe("\n".join(picture.remarks[number]))
    label = f"{number + 1}"
    return (
        f'<g class="af-warning" data-finding="{number}"><title>{told}</title>'
        f'<path class="af-finding" d="M{x:.1f} {y - 13:.1f}L{x + 12:.1f} {y + 8:.1f}H{x - 12:.1f}Z"/>'
        f'<text class="af-remark af-small" x="{x:.1f}" y="{y + 5:.1f}" text-anchor="middle">{label}</text></g>'
    )


def text(content: str, x: float, middle: float, size: float, most: float, name: str = "") -> str:
    """Text that never takes more room than there is, whatever font the reader has."""
    shown = clipped(content, size, most)
    if not shown:  # a browser would take it for a point somewhere else
        return ""
    classes = f' class="{name}"' if name else ""
    return (
        f'<text{classes} x="{x:.1f}" y="{middle + size * 0.36:.1f}" textLength="{width(shown, size):.1f}" '
        f'lengthAdjust="spacingAndGlyphs">{safe(shown)}</text>'
    )


def loop(x: float, middle: float) -> str:
    """Says that tasks of a box wait for others of the same."""
    return (
        f'<path class="af-mark" d="M9.5 3.2A4.4 4.4 0 1 0 10 6.5M9.9 0.6V3.5H7" '
        f'transform="translate({x:.1f} {middle - 6:.1f})"/>'
    )


def remark_lines(picture: Picture, most: float) -> Iterator[tuple[int, Sequence[str]]]:
    """The remarks in lines that fit."""
    for number, remark in enumerate(picture.remarks):
        told = [line for part in remark for line in lines(part, SMALL, most)]
        yield number, told
