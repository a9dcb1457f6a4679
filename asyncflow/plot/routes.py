"""Which way links take between boxes that have their places."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from math import atan2, degrees
from typing import Final

from .._show.picture import Link, Picture
from .layout import Layout, Place, beside

_PORT: Final = 14.0  # between links at a box
_ASIDE: Final = 26.0  # how far a loop goes to the right of its boxes

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Route:
    """The way of one link.

    Args:
        path: as SVG has it.
        tip: where its arrowhead is.
        angle: at which it comes there, in degrees; 0 is to the right.
        middle: a point halfway.
        right: how far to the right it goes.
    """

    path: str
    tip: Point
    angle: float
    middle: Point
    right: float


def routes(picture: Picture, layout: Layout) -> list[Route]:
    """The way of each link, in their order."""
    around = {node.number: node.around for node in picture.nodes}
    ways: list[list[Point]] = []
    for link in picture.links:
        ends = beside(around, link.source, link.target)
        ways.append(list(layout.bends.get(ends) or layout.bends.get(ends[::-1], [])[::-1]))
    leaves, comes = _ports(picture, layout, ways)
    made = []
    for number, link in enumerate(picture.links):
        source, target = layout.places[link.source], layout.places[link.target]
        if target.y + target.height / 2 <= source.y:
            made.append(_back(source, target))
            continue
        start = leaves[number], source.y + source.height
        end = comes[number], target.y
        if end[1] <= start[1]:  # the one is beside the other, or goes lower
            start, end = (source.middle, source.y + source.height), (target.middle, target.y)
        one, other = beside(around, link.source, link.target)
        leaves_at, comes_at = layout.layers[one][1], layout.layers[other][0]
        points = [start, (start[0], leaves_at), *ways[number], (end[0], comes_at), end]
        made.append(
            _down(
                [each for each, before in zip(points, [None, *points], strict=False) if each != before], link
            )
        )
    return made


def _ports(
    picture: Picture, layout: Layout, ways: list[list[Point]]
) -> tuple[dict[int, float], dict[int, float]]:
    """Where links leave a box below and come to it above: side by side, by where they go, so that none cross there."""
    sides: list[defaultdict[int, list[tuple[float, int]]]] = [defaultdict(list), defaultdict(list)]
    for number, link in enumerate(picture.links):
        if not link.again:
            way = ways[number]
            toward = way[0][0] if way else layout.places[link.target].middle
            come_from = way[-1][0] if way else layout.places[link.source].middle
            sides[0][link.source].append((toward, number))
            sides[1][link.target].append((come_from, number))
    found: tuple[dict[int, float], dict[int, float]] = ({}, {})
    for side, ports in zip(sides, found, strict=True):
        for box, links in side.items():
            place = layout.places[box]
            gap = min(_PORT, (place.width - 16) / max(1, len(links) - 1)) if len(links) > 1 else 0.0
            for step, (_, number) in enumerate(sorted(links)):
                ports[number] = place.middle + (step - (len(links) - 1) / 2) * gap
    for number, link in enumerate(picture.links):
        found[0].setdefault(number, layout.places[link.source].middle)
        found[1].setdefault(number, layout.places[link.target].middle)
    return found


def _down(points: list[Point], link: Link) -> Route:
    """From the top to the bottom, by curves that are upright in each point."""
    *_, (tip_x, tip_y) = points
    short = 9.0 if link.kind in ("data", "file") else 1.0
    stop = [*points[:-1], (tip_x, tip_y - short)]
    path = [f"M{stop[0][0]:.1f} {stop[0][1]:.1f}"]
    for (x, y), (to_x, to_y) in pairwise(stop):
        if abs(x - to_x) < 0.05:
            path.append(f"V{to_y:.1f}")
        else:
            lean = max(8.0, (to_y - y) / 2)
            path.append(f"C{x:.1f} {y + lean:.1f} {to_x:.1f} {to_y - lean:.1f} {to_x:.1f} {to_y:.1f}")
    place = len(stop) // 2
    (x, y), (to_x, to_y) = stop[place - 1], stop[place]
    middle = (x + to_x) / 2, (y + to_y) / 2
    return Route("".join(path), (tip_x, tip_y), 90.0, middle, max(x for x, _ in points))


def _back(source: Place, target: Place) -> Route:
    """Up again, on the right of both."""
    x, y = source.x + source.width, source.y + source.height / 2
    to_x, to_y = target.x + target.width, target.y + target.height / 2
    right = max(x, to_x) + _ASIDE
    path = f"M{x:.1f} {y:.1f}C{right:.1f} {y:.1f} {right:.1f} {to_y:.1f} {to_x + 9:.1f} {to_y:.1f}"
    middle = (x + to_x) / 8 + right * 0.75, (y + to_y) / 2
    return Route(path, (to_x, to_y), degrees(atan2(0.0, -1.0)), middle, right)
