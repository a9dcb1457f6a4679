"""Where the boxes of a picture stand, and which way its links take.

Layers, and the order of the boxes in each, are those of ``fast-sugiyama`` (K. Sugiyama, S. Tagawa, M. Toda, "Methods
for visual understanding of hierarchical system structures", 1981). It knows points; boxes have sizes, and hold others.
So the inside of each block is laid out first, and the block is then a box of that size among its neighbours; links from
one inside to another are between the blocks there. Places in a layer are worked out here: as near as can be to what
the links would like, without touching.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import fsum  # `sum` of floats is another since Python 3.12, and pictures are to be the same
from typing import Any, Final

from .._graph.folding import again
from .._show.picture import OUTSIDE, Picture
from .needs import needs

GAP: Final = 26.0  # between boxes side by side
LAYER: Final = 40.0  # between layers
LANE: Final = 14.0  # what a link takes that passes a layer
PADDING: Final = 16.0  # between a block's border and what is inside
SWEEPS: Final = 24  # to find their places in the layers
MANY: Final = 500  # boxes, for which a third of these has to do
WIDEST: Final = 1600.0  # of parts without links to each other, side by side

Size = tuple[float, float]


@dataclass(slots=True)
class Place:
    """Where a box stands: its left upper corner, and its size."""

    x: float
    y: float
    width: float
    height: float

    @property
    def middle(self) -> float:
        """From left to right."""
        return self.x + self.width / 2


@dataclass(slots=True)
class Layout:
    """Where all stands.

    Args:
        places: of each box, by number.
        bends: of a link from one box to another that passes layers: where; by the numbers of the boxes side by side
            that it goes between.
        layers: where the layer of each box begins and ends, from top to bottom.
        width: of all.
        height: of all.
    """

    places: dict[int, Place] = field(default_factory=dict)
    bends: dict[tuple[int, int], list[tuple[float, float]]] = field(default_factory=dict)
    layers: dict[int, tuple[float, float]] = field(default_factory=dict)
    width: float = 0.0
    height: float = 0.0


def layout(picture: Picture, sizes: Mapping[int, Size], headers: Mapping[int, float]) -> Layout:
    """Lay out a picture.

    Args:
        picture: of which the boxes and links are.
        sizes: of each box; of a block, what it needs at least.
        headers: what a block needs above what is inside.

    Raises:
        ImportError: the extra ``plot`` is not installed.
    """
    return _Layouter(picture, sizes, headers).laid_out()


def beside(around: Mapping[int, int], one: int, other: int) -> tuple[int, int]:
    """The boxes inside of the same block that two boxes are, or are inside of."""
    outer = [one]
    while (one := around[one]) != OUTSIDE:
        outer.append(one)
    inside = {around[each]: each for each in outer}
    while around[other] not in inside:
        other = around[other]
    return inside[around[other]], other


class _Layouter:
    """One picture on its way."""

    def __init__(self, picture: Picture, sizes: Mapping[int, Size], headers: Mapping[int, float]) -> None:
        self._sizes, self._headers = dict(sizes), headers
        self._around = {node.number: node.around for node in picture.nodes}
        self._inside: dict[int, list[int]] = {OUTSIDE: []}
        for node in picture.nodes:  # blocks before what is inside
            self._inside.setdefault(node.around, []).append(node.number)
        self._links: dict[int, set[tuple[int, int]]] = {}
        for link in picture.links:
            if not link.again:
                one, other = beside(self._around, link.source, link.target)
                if one != other:
                    self._links.setdefault(self._around[one], set()).add((one, other))
        self._layouts: dict[int, Layout] = {}

    def laid_out(self) -> Layout:
        for block in reversed(list(self._inside)):  # from the inside out
            inner = self._layouts[block] = self._box(self._inside[block], self._links.get(block, set()))
            if block != OUTSIDE:
                least = self._sizes[block]
                width, height = inner.width + 2 * PADDING, inner.height + self._headers[block] + PADDING
                self._sizes[block] = max(least[0], width), max(least[1], height)
        whole = self._layouts[OUTSIDE]
        for block in list(self._inside)[1:]:
            self._put(whole, block)
        return whole

    def _put(self, whole: Layout, block: int) -> None:
        """Put what is inside of a block where the block is."""
        box, inner = whole.places[block], self._layouts[block]
        left, top = box.x + (box.width - inner.width) / 2, box.y + self._headers[block]
        for number, place in inner.places.items():
            whole.places[number] = Place(place.x + left, place.y + top, place.width, place.height)
        for ends, bends in inner.bends.items():
            whole.bends[ends] = [(x + left, y + top) for x, y in bends]
        for number, (begin, end) in inner.layers.items():
            whole.layers[number] = begin + top, end + top

    def _box(self, boxes: Sequence[int], links: Iterable[tuple[int, int]]) -> Layout:
        """Lay out what is inside of one block; parts without links to each other side by side, row by row."""
        number = {box: place for place, box in enumerate(boxes)}
        pairs = sorted((number[one], number[other]) for one, other in links)
        back = again(len(boxes), pairs)
        forward = sorted({pair[::-1] if pair in back else pair for pair in pairs})
        parts = _parts(len(boxes), forward)
        whole = Layout()
        x = y = row = 0.0
        for members, edges in parts:
            part = _Part(members, edges, [self._sizes[box] for box in boxes]).laid_out()
            if x and x + part.width > WIDEST:
                x, y, row = 0.0, y + row + LAYER, 0.0
            for place, box in part.places.items():
                whole.places[boxes[place]] = Place(box.x + x, box.y + y, box.width, box.height)
            for (one, other), bends in part.bends.items():
                whole.bends[boxes[one], boxes[other]] = [(bend + x, down + y) for bend, down in bends]
            for place, (begin, end) in part.layers.items():
                whole.layers[boxes[place]] = begin + y, end + y
            whole.width = max(whole.width, x + part.width)
            whole.height = max(whole.height, y + part.height)
            x, row = x + part.width + GAP, max(row, part.height)
        return whole


def _parts(boxes: int, edges: Sequence[tuple[int, int]]) -> list[tuple[list[int], list[tuple[int, int]]]]:
    """Boxes that are tied to each other, with the links between them; large parts first, single boxes last."""
    root = list(range(boxes))

    def find(box: int) -> int:
        while root[box] != box:
            root[box] = box = root[root[box]]
        return box

    for one, other in edges:
        first, second = sorted((find(one), find(other)))
        root[second] = first
    parts: dict[int, tuple[list[int], list[tuple[int, int]]]] = {}
    for box in range(boxes):
        parts.setdefault(find(box), ([], []))[0].append(box)
    for edge in edges:
        parts[find(edge[0])][1].append(edge)
    return sorted(parts.values(), key=lambda part: len(part[0]) == 1)


class _Part:
    """Boxes that are tied to each other.

    Args:
        members: numbers of the boxes.
        edges: links between them, each once, none in a circle.
        sizes: of all boxes.
    """

    def __init__(
        self, members: Sequence[int], edges: Sequence[tuple[int, int]], sizes: Sequence[Size]
    ) -> None:
        self._members, self._edges = members, edges
        self._sizes: dict[int, Size] = {box: sizes[box] for box in members}
        self._layers: list[list[int]] = []
        self._ways: dict[
            tuple[int, int], list[int]
        ] = {}  # what stands for a link in the layers that it passes
        self._before: dict[int, list[int]] = {}
        self._after: dict[int, list[int]] = {}

    def laid_out(self) -> Layout:
        self._order()
        middles = self._middles()
        least = min(middle - self._sizes[box][0] / 2 for box, middle in middles.items())
        whole, y, tops = Layout(), 0.0, {}
        for layer in self._layers:
            height = max(self._sizes[box][1] for box in layer)
            for box in layer:
                width, own = self._sizes[box]
                tops[box] = y, height
                if box >= 0:
                    place = Place(middles[box] - width / 2 - least, y + (height - own) / 2, width, own)
                    whole.places[box] = place
                    whole.layers[box] = y, y + height
                    whole.width = max(whole.width, place.x + width)
            whole.height = y + height
            y += height + self._space(layer)
        for ends, way in self._ways.items():
            bends = []
            for box in way:
                x, (top, height) = middles[box] - least, tops[box]
                bends += [(x, top), (x, top + height)]
                whole.width = max(whole.width, x + LANE / 2)
            whole.bends[ends] = bends
        return whole

    def _space(self, layer: Sequence[int]) -> float:
        """Below a layer: more, where many links go sideways."""
        links = sum(len(self._after.get(box, ())) for box in layer)
        return LAYER + min(60.0, 2.5 * max(0, links - len(layer)))

    def _order(self) -> None:
        """The layers, each from left to right. What stands for links has numbers below zero."""
        if not self._edges:
            self._layers = [list(self._members)]
            return
        places = {box: place for place, box in enumerate(self._members)}
        edges = [(places[one], places[other]) for one, other in self._edges]
        sugiyama: Any = needs("fast_sugiyama", "SVG")
        ((positions, _, _, pieces),) = sugiyama.from_edges(
            edges, vertex_spacing=10, minimum_length=1, dummy_vertices=True, dummy_size=0.5, ranking_type="up"
        )
        size, at = len(places), dict(positions)
        follows: dict[int, list[int]] = {}
        for one, other in pieces:
            follows.setdefault(one, []).append(other)
        known = dict(enumerate(self._members))  # by the numbers of the library, which are others each time
        ways = {}
        for one in range(size):
            for each in follows.get(one, ()):
                way = [each]
                while way[-1] >= size:
                    way += follows[way[-1]]
                ways[one, way.pop()] = way
        for ends in sorted(ways):
            way = []
            for each in ways[ends]:
                known[each] = size - 1 - len(known)
                self._sizes[known[each]] = LANE, 0.0
                way.append(known[each])
            one, other = self._members[ends[0]], self._members[ends[1]]
            self._ways[one, other] = way
            for before, after in pairwise([one, *way, other]):
                self._after.setdefault(before, []).append(after)
                self._before.setdefault(after, []).append(before)
        rows: dict[float, list[int]] = {}
        for each in sorted(at, key=lambda each: (-at[each][1], at[each][0], known[each])):
            rows.setdefault(at[each][1], []).append(known[each])
        self._layers = list(rows.values())

    def _middles(self) -> dict[int, float]:
        """Where each box of each layer has its middle: near to those it is tied to, and none on another."""
        middles: dict[int, float] = {}
        for layer in self._layers:
            x = -fsum(self._sizes[box][0] + GAP for box in layer) / 2
            for box in layer:
                middles[box] = x + self._sizes[box][0] / 2
                x += self._sizes[box][0] + GAP
        sweeps = SWEEPS if len(self._sizes) < MANY else SWEEPS // 3
        for sweep in range(sweeps):
            down = sweep % 2 == 0
            # At last both sides count: the one that came last would have all its way else.
            sides = (
                (self._before, self._after)
                if sweep >= sweeps // 2
                else (self._before,)
                if down
                else (self._after,)
            )
            for layer in self._layers if down else self._layers[::-1]:
                wanted, weights = [], []
                for box in layer:
                    tied = [each for ties in sides for each in ties.get(box, ())]
                    # What stands for a link is to be straight above all, which a long way needs more than a box.
                    weights.append(4.0 if box < 0 else 1.0 + len(tied))
                    wanted.append(fsum(middles[each] for each in tied) / len(tied) if tied else middles[box])
                for box, middle in zip(layer, self._apart(layer, wanted, weights), strict=True):
                    middles[box] = middle
        return middles

    def _apart(self, layer: Sequence[int], wanted: Sequence[float], weights: Sequence[float]) -> list[float]:
        """What is nearest to what is wanted, in squares, if boxes keep their order and their distance.

        The pool-adjacent-violators algorithm (M. Ayer and others, 1955), of what is left of each wish when all that
        stands to the left in the row has its room.
        """
        offsets, x = [], 0.0
        for place, box in enumerate(layer):
            if place:
                before = layer[place - 1]
                gap = GAP if box >= 0 and before >= 0 else LANE if box >= 0 or before >= 0 else 0.0
                x += (self._sizes[before][0] + self._sizes[box][0]) / 2 + gap
            offsets.append(x)
        pools: list[tuple[float, float, int]] = []  # mean, weight, how many
        for wish, weight, offset in zip(wanted, weights, offsets, strict=True):
            mean, total, number = wish - offset, weight, 1
            while pools and pools[-1][0] > mean:
                left, heavy, many = pools.pop()
                mean = (mean * total + left * heavy) / (total + heavy)
                total, number = total + heavy, number + many
            pools.append((mean, total, number))
        means = [mean for mean, _, number in pools for _ in range(number)]
        return [mean + offset for mean, offset in zip(means, offsets, strict=True)]
