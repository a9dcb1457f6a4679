"""A picture as SVG."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from zlib import crc32

from .._show import palette, words
from .._show.picture import Link, Node, Picture
from .._show.widths import clipped, lines, width
from .layout import Layout, Place, layout
from .legend import legend
from .routes import Route, routes
from .shapes import SIZE, SMALL, loop, outline, safe, text, tip, warning
from .texts import mermaid, tally

_WIDEST: Final = 250.0  # a label
_ROW: Final = 30.0  # height of a box
_SIDE: Final = 12.0  # between its border and what is in it
_MARK: Final = 10.0
_MARGIN: Final = 20.0
_LEAST: Final = 420.0

STYLE: Final = f"""
.af{{font-family:{palette.FONT};font-size:{SIZE:g}px;background:var(--af-bg)}}
.af text{{fill:var(--af-fg)}}
.af .af-small{{font-size:{SMALL:g}px}}
.af .af-muted{{fill:var(--af-muted)}}
.af .af-ground{{fill:var(--af-bg)}}
.af .af-body{{stroke-width:1.25}}
.af .af-block{{fill:var(--af-box);stroke-width:1.25}}
.af .af-sheet .af-body{{stroke-width:1}}
.af .af-mark{{fill:none;stroke-width:1.6;stroke-linecap:round;stroke-linejoin:round}}
.af pattern{{color:var(--af-fg)}}
.af .af-over{{opacity:.16;stroke:none}}
.af .af-link{{fill:none;stroke:var(--af-line);stroke-width:1.4}}
.af .af-tip{{fill:var(--af-line);stroke:var(--af-line);stroke-width:1.2;stroke-linejoin:round}}
.af .af-open{{fill:var(--af-bg)}}
.af .af-line{{fill:none}}
.af .af-file{{stroke-width:3.2}}
.af .af-core{{fill:none;stroke:var(--af-bg);stroke-width:1.2}}
.af .af-order{{stroke-dasharray:6 4}}
.af .af-code{{stroke-dasharray:1.5 4;stroke-linecap:round}}
.af .af-critical.af-link{{stroke:var(--af-critical);stroke-width:3}}
.af .af-critical.af-file{{stroke-width:5}}
.af .af-critical .af-tip{{fill:var(--af-critical);stroke:var(--af-critical)}}
.af .af-critical .af-open{{fill:var(--af-bg)}}
.af .af-dot{{fill:var(--af-line)}}
.af .af-finding{{fill:var(--af-bg);stroke:var(--af-finding);stroke-width:1.6;stroke-linejoin:round}}
.af text.af-remark{{fill:var(--af-finding);font-weight:bold}}
"""


def svg(picture: Picture, dark: bool | None = None) -> str:
    """A picture as one ``<svg>``, which may stand in a page.

    Args:
        picture: to be drawn.
        dark: whether the ground is dark; None to follow the reader's system and theme.

    Raises:
        ImportError: the extra ``plot`` is not installed.
    """
    return _Drawn(picture).svg(dark)


def look_css() -> str:
    """Rules for the classes of all states."""
    rules = []
    for look in (palette.PLANNED, *palette.LOOKS.values()):
        ink, dash = f"var(--af-{look.name})", f";stroke-dasharray:{look.dash}" if look.dash else ""
        state = f".af .af-{look.name}"
        rules.append(f"{state} .af-body{{fill:var(--af-{look.name}-fill);stroke:{ink}{dash}}}")
        rules.append(f"{state} .af-block{{fill:var(--af-box);stroke:{ink}{dash}}}")
        rules.append(f"{state} .af-mark{{stroke:{ink}}}")
        rules.append(f".af .af-part-{look.name}{{fill:{ink}}}")
    rules.append(
        ".af .af-critical>.af-body,.af .af-critical>.af-block{stroke:var(--af-critical);stroke-width:3}"
    )
    return "\n".join(rules)


class _Drawn:
    """One picture on its way."""

    def __init__(self, picture: Picture) -> None:
        self._picture = picture
        # Of the ids in it: several pictures may stand in one page.
        self._prefix = f"af-{crc32(mermaid(picture).encode()):08x}"
        self._blocks = picture.blocks
        self._nodes = {node.number: node for node in picture.nodes}
        self._layout: Layout = layout(
            picture,
            {node.number: self._size(node) for node in picture.nodes},
            {node.number: _header(node) for node in picture.nodes},
        )
        self._routes: list[Route] = routes(picture, self._layout)

    def svg(self, dark: bool | None) -> str:
        picture, placed = self._picture, self._layout
        right = max([placed.width, *(route.right for route in self._routes)])
        inner = max(right, _LEAST)
        below, height = legend(picture, inner)
        wide = inner + 2 * _MARGIN
        heads = lines(f"{picture.noun}: {words.plain(picture.title)}", SIZE, inner)
        top = _MARGIN + 20.0 * len(heads) + 10
        # never one ground's variables only: a style inside of a page holds for all of it
        style = palette.css() + palette.with_fallbacks(STYLE + look_css(), bool(dark))
        name = "af" if dark is None else f"af af-{'dark' if dark else 'light'}"
        high = top + placed.height + 8 + height + _MARGIN
        title = " ".join(heads)
        body = [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide:.0f}" height="{high:.0f}" '
            f'viewBox="0 0 {wide:.0f} {high:.0f}" class="{name}" role="img" aria-label="{safe(title)}">',
            f"<style>{style}</style>",
            f"<defs>{palette.patterns(self._prefix)}</defs>",
            '<rect class="af-ground" width="100%" height="100%"/>',
            '<g class="af-all"><g class="af-title">',
            *(
                text(line, _MARGIN, _MARGIN + 6 + 20 * row, SIZE, inner, "af-muted")
                for row, line in enumerate(heads)
            ),
            "</g>",
            f'<g transform="translate({_MARGIN + (inner - right) / 2:.1f} {top:.0f})">',
            *self._boxes(True),
            *(self._link(link, route) for link, route in zip(picture.links, self._routes, strict=True)),
            *self._boxes(False),
            *self._findings(),
            "</g>",
            f'<g class="af-legend" transform="translate({_MARGIN:g} {top + placed.height + 8:.1f})">',
            *below,
            "</g></g></svg>",
        ]
        return "\n".join(body)

    # -- boxes ---------------------------------------------------------------------------------------------

    def _size(self, node: Node) -> tuple[float, float]:
        if node.kind == "pause":
            return 10.0, 10.0
        wide = self._content(node) + 2 * _SIDE
        if len(node.states) > 1:
            wide = max(wide, width(tally(node), SMALL) + 2 * _SIDE)
        return max(wide, 60.0), _header(node)

    def _content(self, node: Node) -> float:
        """How wide what stands in the first line is."""
        return _label_width(node) + (_MARK + 6 if _mark(node) else 0) + (20 if node.again else 0)

    def _boxes(self, blocks: bool) -> Iterator[str]:
        for node in self._picture.nodes:
            if (node.number in self._blocks) == blocks:
                yield self._box(node, self._layout.places[node.number])

    def _box(self, node: Node, place: Place) -> str:
        x, y, wide, high = place.x, place.y, place.width, place.height
        if node.kind == "pause":
            return f'<circle class="af-dot" cx="{x + 5:.1f}" cy="{y + 5:.1f}" r="4"/>'
        look = palette.look_of(node.state)
        is_block = node.number in self._blocks
        body = "af-block" if is_block else "af-body"
        parts = [
            f'<g class="af-node af-{look.name}{" af-critical" if node.critical else ""}" data-node="{node.number}">',
            f"<title>{safe(self._told(node))}</title>",
        ]
        if node.count > 1:
            for step in (6, 3):
                parts.append(
                    f'<g class="af-sheet">{outline(node.kind, x + step, y + step, wide, high, body)}</g>'
                )
        parts.append(outline(node.kind, x, y, wide, high, body))
        if look.pattern and not is_block:
            parts.append(
                f'<rect class="af-over" x="{x:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{high:.1f}" rx="6" '
                f'fill="url(#{self._prefix}-{look.pattern})"/>'
            )
        middle = y + _ROW / 2
        left = x + _SIDE if is_block else x + (wide - self._content(node)) / 2
        if mark := _mark(node):
            parts.append(
                f'<path class="af-mark" d="{mark}" transform="translate({left:.1f} {middle - _MARK / 2:.1f})"/>'
            )
            left += _MARK + 6
        parts += _label(node, left, middle)
        if node.again:
            parts.append(loop(left + _label_width(node) + 8, middle))
        if len(node.states) > 1:
            parts += self._parts(node, Place(x, y + _ROW, wide, high))
        return "".join([*parts, "</g>"])

    def _parts(self, node: Node, place: Place) -> Iterator[str]:
        """A strip of which each state has its share, and how many there are of each."""
        x, left, room = place.x + _SIDE, 0.0, place.width - 2 * _SIDE
        if node.number in self._blocks:
            room = min(room, max(120.0, width(tally(node), SMALL)))
        shares = [(state, node.states[state]) for state in palette.LOOKS if state in node.states]
        least = min(4.0, room / len(shares))
        scale = (room - least * len(shares)) / sum(number for _, number in shares)
        y = place.y - 4
        for state, number in shares:
            look, share = palette.look_of(state), least + number * scale
            bar = f'x="{x + left:.1f}" y="{y:.1f}" width="{share:.1f}" height="5"'
            yield f'<rect class="af-part-{look.name}" {bar}/>'
            left += share
        yield text(tally(node), x, y + 12.5, SMALL, room, "af-small af-muted")

    def _told(self, node: Node) -> str:
        told = [f"{words.plain(node.name)} {node.suffix}".rstrip()]
        if node.states:
            told.append(", ".join(f"{number:,} {state}" for state, number in node.states.items()))
        told += [f"{name}: {fact}" for name, fact in node.details]
        return "\n".join(told)

    # -- links ---------------------------------------------------------------------------------------------

    def _link(self, link: Link, route: Route) -> str:
        told = [f"{self._name(link.source)} → {self._name(link.target)}", f"{link.kind}, {link.count:,}"]
        told += ["optional"] if link.optional else []
        told += [words.listed([words.plain(each) for each in link.files], 100)] if link.files else []
        critical = " af-critical" if link.critical else ""
        drawn = f'<path class="af-link af-{link.kind}{critical}" d="{route.path}"/>'
        if link.kind == "file":  # a double line
            drawn += f'<path class="af-core" d="{route.path}"/>'
        return (
            f'<g class="af-edge{critical}" data-from="{link.source}" data-to="{link.target}">'
            f"<title>{safe(chr(10).join(told))}</title>{drawn}{tip(link, route.tip, route.angle)}</g>"
        )

    def _name(self, number: int) -> str:
        return words.plain(self._nodes[number].label) or "code that waits"

    def _findings(self) -> Iterator[str]:
        for link, route in zip(self._picture.links, self._routes, strict=True):
            for step, number in enumerate(link.remarks[:3]):
                yield warning(route.middle[0] + step * 24, route.middle[1], number, self._picture)
        for node in self._picture.nodes:
            place = self._layout.places[node.number]
            for step, number in enumerate(node.remarks[:3]):
                yield warning(place.x + place.width - 6 - step * 24, place.y - 2, number, self._picture)


def _header(node: Node) -> float:
    """How high what stands in a box is: its label, and how many of its tasks are in which state."""
    return _ROW + (20.0 if len(node.states) > 1 else 0.0)


def _mark(node: Node) -> str:
    """What stands before a label: the mark of a state."""
    return palette.look_of(node.state).mark if node.states else ""


def _shown(node: Node) -> str:
    """A name that fits: of a long one the beginning and the end."""
    for most in range(48, 16, -2):
        shown = words.name_of(node.name, most)
        if width(shown, SIZE) <= _WIDEST:
            return shown
    return clipped(shown, SIZE, _WIDEST)


def _label_width(node: Node) -> float:
    suffix = 5 + width(node.suffix, SIZE) if node.suffix else 0
    return width(_shown(node), SIZE) + suffix


def _label(node: Node, left: float, middle: float) -> list[str]:
    """Name and number apart: a name that is written from right to left keeps its side."""
    name = _shown(node)
    parts = [text(name, left, middle, SIZE, _WIDEST, "af-label")]
    if node.suffix:
        after = left + width(name, SIZE) + 5
        parts.append(text(node.suffix, after, middle, SIZE, _WIDEST, "af-label af-muted"))
    return parts
