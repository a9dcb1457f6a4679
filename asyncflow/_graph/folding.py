"""Folds a graph until it is small enough to look at: what repeats becomes one group. Pure.

Points are numbers from 0 on; each has a key (such as its function), and may be inside of another point (its block).
Nothing is known of what they mean. There are several ways to fold, from fine to coarse, and the first is taken that
leaves few enough groups:

1. the same key, inside of the same group, at the same level, with neighbours in the same groups;
2. the same without a look at the neighbours: the steps of a map and reduce;
3. the same key again and again, one after another: chains, trees and stencils; also blocks inside of their like;
4. the same key inside of the same group;
5. whatever is at the same level, and at last whatever is inside of the same group: graphs in which nothing repeats.

The level of a point is how many come before it, one after another, inside of the same block. So a thousand blocks
that look the same fold into one, with what is inside of them, wherever each of them is.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Final

NOTHING: Final = -1
"""Stands for the block around a point that is in none."""

_DEEPEST: Final = 6  # boxes in boxes, where there is another way

Arrow = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Points:
    """A graph.

    Args:
        keys: of each point; only what has the same one is put together, as long as there is another way.
        around: of each point the one that it is inside of, or `NOTHING`.
        arrows: from points to those after them.
        blocks: those that may have others inside.
    """

    keys: Sequence[Hashable]
    around: Sequence[int]
    arrows: Sequence[Arrow]
    blocks: frozenset[int] = frozenset()


def folded(points: Points, most: int) -> list[int]:
    """The number of the group that each point is in: 0, 1 and so on, in the order of their first points.

    What is inside of a block is in a group that is inside of the block's group.

    Args:
        points: to be folded.
        most: how many groups are few enough; there may be more only where blocks are inside of each other.
    """
    if len(points.keys) <= most:
        return list(range(len(points.keys)))
    groups: list[int] = []
    for groups, deepest in _Folding(points).ways(most):
        if len(set(groups)) <= most and deepest <= _DEEPEST:
            break
    return _numbered(groups)


def by_key(points: Points) -> list[int]:
    """The same, in the fourth of the ways: each key once inside of a group."""
    folding = _Folding(points)
    return _numbered(folding.grouped([0] * len(points.keys), nests=False))


def again(groups: int, arrows: Iterable[Arrow]) -> set[Arrow]:
    """The arrows between groups that lead back; without them nothing goes round in a circle.

    Args:
        groups: how many there are; one with a lower number stands before the others.
        arrows: between them.
    """
    after: list[list[int]] = [[] for _ in range(groups)]
    for one, other in arrows:
        after[one].append(other)
    circles = _circles(after)
    return {
        (one, other)
        for one in range(groups)
        for other in after[one]
        if circles[one] == circles[other] and other <= one
    }


class _Folding:
    """One graph on its way."""

    def __init__(self, points: Points) -> None:
        self._points = points
        around = points.around
        self._depths = depths = _depths(around)
        self._by_depth: list[list[int]] = [[] for _ in range(max(depths, default=0) + 1)]
        for point, depth in enumerate(depths):
            self._by_depth[depth].append(point)
        self._beside = self._arrows_beside() if points.blocks else list(set(points.arrows))
        self._levels = self._levelled()

    def ways(self, most: int) -> Iterator[tuple[list[int], int]]:
        """Each way to fold, and how deep groups are inside of each other."""
        deepest = len(self._by_depth) - 1
        levels, none = self._levels, [0] * len(self._levels)
        by_level = self.grouped(levels)
        if len(set(by_level)) <= most:  # else a look at the neighbours leaves more still
            yield self.grouped([*zip(levels, self._neighbours(by_level), strict=True)]), deepest
            yield by_level, deepest
        yield self.grouped(levels, nests=False, runs=True), 0
        yield self.grouped(none, nests=False), 0
        yield self.grouped(levels, keyed=False), deepest
        yield self.grouped(none, keyed=False, nests=False), 0

    def grouped(
        self, extra: Sequence[Hashable], *, keyed: bool = True, nests: bool = True, runs: bool = False
    ) -> list[int]:
        """Groups of what is in the same group and has the same key and extra.

        Args:
            extra: of each point.
            keyed: whether keys count.
            nests: whether a block inside of its like is another group; else it is part of that one.
            runs: whether what has the same key and comes right after another is one group, whatever its extra.
        """
        points = self._points
        keys, around, blocks = points.keys, points.around, points.blocks
        groups = [NOTHING] * len(keys)
        named: dict[object, int] = {}
        outer: dict[int, dict[object, int]] = {NOTHING: {}}  # groups around each group, by key
        beside = self._arrows_by_depth() if runs else []
        for depth, members in enumerate(self._by_depth):
            for point in members:
                block = around[point]
                group = groups[block] if block != NOTHING else NOTHING
                is_block = point in blocks
                key = (keys[point] if keyed else None, is_block)
                if is_block and not nests and key in outer[group]:
                    groups[point] = outer[group][key]
                    continue
                groups[point] = named.setdefault((group, key, extra[point]), len(named))
                if is_block and groups[point] not in outer:
                    outer[groups[point]] = {**outer[group], key: groups[point]}
            if runs:
                self._join(beside[depth], members, groups, outer)
        return groups

    def _join(
        self,
        arrows: Sequence[Arrow],
        members: Sequence[int],
        groups: list[int],
        outer: dict[int, dict[object, int]],
    ) -> None:
        """Make one group of those that follow each other with the same key."""
        keys, around = self._points.keys, self._points.around
        joined: dict[int, int] = {}

        def root(group: int) -> int:
            while (above := joined.get(group, group)) != group:
                joined[group] = group = joined.get(above, above)
            return group

        pairs = {
            (groups[one], groups[other])
            for one, other in arrows
            if keys[one] == keys[other] and _around(groups, around[one]) == _around(groups, around[other])
        }
        for one, other in sorted(pairs):
            if (one in outer) == (other in outer):
                first, second = sorted((root(one), root(other)))
                joined[second] = first
        for group in list(joined):
            if group in outer:
                outer.setdefault(root(group), outer[group])
        for point in members:
            groups[point] = root(groups[point])

    def _arrows_beside(self) -> list[Arrow]:
        """The arrows between points inside of the same block: of each arrow, what it means for the blocks around."""
        around, depths = self._points.around, self._depths
        beside = set()
        for arrow in self._points.arrows:
            one, other = arrow
            while depths[one] > depths[other]:
                one = around[one]
            while depths[other] > depths[one]:
                other = around[other]
            while around[one] != around[other]:
                one, other = around[one], around[other]
            if one != other:
                beside.add((one, other))
        return list(beside)

    def _arrows_by_depth(self) -> list[list[Arrow]]:
        arrows: list[list[Arrow]] = [[] for _ in self._by_depth]
        depths = self._depths
        for one, other in self._points.arrows:
            if depths[one] == depths[other]:
                arrows[depths[one]].append((one, other))
        return arrows

    def _levelled(self) -> list[int]:
        """The level of each point; of those on a circle, which no run has, one that is too low."""
        levels = [0] * len(self._depths)
        before = [0] * len(levels)
        after: list[list[int]] = [[] for _ in levels]
        for one, other in self._beside:
            after[one].append(other)
            before[other] += 1
        ready = [point for point, count in enumerate(before) if not count]
        for point in ready:  # which grows meanwhile
            level = levels[point] + 1
            for each in after[point]:
                if levels[each] < level:
                    levels[each] = level
                before[each] -= 1
                if not before[each]:
                    ready.append(each)
        return levels

    def _neighbours(self, groups: Sequence[int]) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
        """In which groups the points before each and after it are."""
        number = len(self._depths) + 1
        before = sorted({other * number + groups[one] for one, other in self._points.arrows})
        after = sorted({one * number + groups[other] for one, other in self._points.arrows})
        found: list[dict[int, tuple[int, ...]]] = []
        for pairs in (before, after):
            by_point = groupby((divmod(pair, number) for pair in pairs), itemgetter(0))
            found.append({point: tuple(group for _, group in each) for point, each in by_point})
        return [(found[0].get(point, ()), found[1].get(point, ())) for point in range(len(groups))]


def _around(groups: Sequence[int], block: int) -> int:
    return NOTHING if block == NOTHING else groups[block]


def _depths(around: Sequence[int]) -> list[int]:
    """How many blocks each point is inside of."""
    depths = [NOTHING] * len(around)
    for start in range(len(around)):
        point, way = start, []
        while point != NOTHING and depths[point] == NOTHING:
            way.append(point)
            point = around[point]
        depth = NOTHING if point == NOTHING else depths[point]
        for each in reversed(way):
            depth += 1
            depths[each] = depth
    return depths


def _numbered(groups: Iterable[int]) -> list[int]:
    numbers: dict[int, int] = {}
    return [numbers.setdefault(group, len(numbers)) for group in groups]


def _circles(after: Sequence[Sequence[int]]) -> list[int]:
    """A number for each point, which those have in common that lead to each other (R. Tarjan, 1972)."""
    found: dict[int, int] = {}
    low, circle = [0] * len(after), [NOTHING] * len(after)
    stack: list[int] = []
    for start in range(len(after)):
        if start in found:
            continue
        found[start] = low[start] = len(found)
        stack.append(start)
        way = [(start, iter(after[start]))]
        while way:
            point, rest = way[-1]
            for each in rest:
                if each not in found:
                    found[each] = low[each] = len(found)
                    stack.append(each)
                    way.append((each, iter(after[each])))
                    break
                if circle[each] == NOTHING:
                    low[point] = min(low[point], found[each])
            else:
                way.pop()
                if way:
                    low[way[-1][0]] = min(low[way[-1][0]], low[point])
                if low[point] == found[point]:
                    while circle[point] == NOTHING:
                        circle[stack.pop()] = point
    return circle
