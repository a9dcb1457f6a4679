"""What the marks of a picture mean: below it, as far as they are in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from .._show import palette
from .._show.picture import Link, Picture
from .._show.widths import width
from .shapes import SMALL, loop, outline, remark_lines, text, tip, warning

_ROW: Final = 22.0
_LINKS: Final = {
    "data": "hands over a value",
    "file": "hands over a file",
    "order": "only comes after",
    "code": "code has waited",
}
_KINDS: Final = {
    "executable": "command",
    "service": "service",
    "awaitable": "is awaited, not run",
    "stream": "stream of items",
}


def legend(picture: Picture, wide: float) -> tuple[list[str], float]:
    """The lines of SVG, and how high they are.

    Args:
        picture: whose marks are explained.
        wide: how wide it may be.
    """
    made, x, y = [], 0.0, 14.0
    for sample, sample_width, words in _samples(picture):
        needed = sample_width + 6 + width(words, SMALL) + 20
        if x and x + needed - 20 > wide:
            x, y = 0.0, y + _ROW
        made.append(f'<g transform="translate({x:.1f} {y:.1f})">{sample}')
        made.append(f"{text(words, sample_width + 6, 0, SMALL, wide, 'af-small af-muted')}</g>")
        x += needed
    y = y + _ROW if made else 6.0
    for number, told in remark_lines(picture, wide - 30):
        made.append(warning(12, y + 2, number, picture))
        for line in told:
            made.append(text(line, 32, y, SMALL, wide - 30, "af-small"))
            y += 15
        y += 8
    return made, y - 6


def _samples(picture: Picture) -> Iterator[tuple[str, float, str]]:
    """Each with how wide it is, and what it means."""
    for state in picture.states:
        look = palette.look_of(state)
        box = outline("function", 0, -8, 22, 16, "af-body")
        mark = f'<path class="af-mark" d="{look.mark}" transform="translate(6 -5)"/>'
        yield f'<g class="af-{look.name}">{box}{mark}</g>', 22, look.words
    found = {node.kind for node in picture.nodes}
    for kind, words in _KINDS.items():
        if kind in found:
            yield f'<g class="af-planned">{outline(kind, 1, -8, 24, 16, "af-body")}</g>', 26, words
    for link_kind in picture.kinds:
        link = Link(0, 0, link_kind)
        core = '<path class="af-core" d="M0 0H26"/>' if link_kind == "file" else ""
        line = f'<path class="af-link af-{link_kind}" d="M0 0H26"/>{core}'
        yield f"{line}{tip(link, (34, 0), 0)}", 34, _LINKS[link_kind]
    if any(link.optional for link in picture.links):
        link = Link(0, 0, "data", optional=True)
        yield f'<path class="af-link" d="M0 0H26"/>{tip(link, (34, 0), 0)}', 34, "goes on also without"
    if any(node.again for node in picture.nodes):
        yield f'<g class="af-planned">{loop(0, 0)}</g>', 14, "one waits for another of the same"
    if any(node.critical for node in picture.nodes):
        yield '<path class="af-link af-critical" d="M0 0H28"/>', 28, "critical path"
