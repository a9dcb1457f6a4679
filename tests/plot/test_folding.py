"""What repeats is folded: a picture is as small for 100,000 tasks as for a hundred, and says nothing that is not so."""

from __future__ import annotations

from collections import Counter
from graphlib import TopologicalSorter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncflow._graph.folding import NOTHING, Points, again, by_key, folded


@st.composite
def graphs(draw: st.DrawFn) -> Points:
    """Blocks in blocks, and arrows from earlier points to later ones that are not around them."""
    size = draw(st.integers(1, 40))
    around: list[int] = []
    blocks: list[int] = []
    for point in range(size):
        around.append(draw(st.sampled_from([NOTHING, *blocks[-3:]])))
        if draw(st.integers(0, 4)) == 0:
            blocks.append(point)
    keys = [draw(st.sampled_from("abc")) for _ in range(size)]
    ends = st.integers(0, size - 1)
    arrows = {
        (one, other)
        for one, other in draw(st.lists(st.tuples(ends, ends), max_size=80))
        if one < other and one not in outer(around, other) and other not in outer(around, one)
    }
    return Points(keys, around, sorted(arrows), frozenset(blocks))


def outer(around: list[int], point: int) -> list[int]:
    found = []
    while (point := around[point]) != NOTHING:
        found.append(point)
    return found


def check(points: Points, groups: list[int]) -> None:
    assert len(groups) == len(points.keys)  # each in one group
    assert list(dict.fromkeys(groups)) == list(range(max(groups) + 1))  # numbered by their first points
    blocks = {groups[block] for block in points.blocks}
    for point, group in enumerate(groups):
        assert (group in blocks) == (point in points.blocks)  # blocks with blocks only
    boxes: dict[int, int] = {}
    for point, group in enumerate(groups):
        block = points.around[point]
        box = NOTHING if block == NOTHING else groups[block]
        if box != boxes.setdefault(group, box):  # a block inside of its like is part of that
            while box not in (NOTHING, group):
                box = boxes[box]
            assert box == group


@given(graphs(), st.integers(1, 12))
def test_each_task_is_in_one_box_that_is_inside_of_the_box_of_its_block(points: Points, most: int) -> None:
    check(points, folded(points, most))
    check(points, by_key(points))


@given(graphs())
def test_folded_by_key_no_two_boxes_in_a_box_have_the_same(points: Points) -> None:
    groups = by_key(points)
    seen = set()
    for group in set(groups):
        first = groups.index(group)
        block = points.around[first]
        seen.add((None if block == NOTHING else groups[block], points.keys[first], first in points.blocks))
    assert len(seen) == len(set(groups))


@given(graphs(), st.integers(1, 12))
def test_without_links_that_lead_back_nothing_goes_round_in_a_circle(points: Points, most: int) -> None:
    groups = folded(points, most)
    arrows = {(groups[one], groups[other]) for one, other in points.arrows if groups[one] != groups[other]}
    back = again(max(groups) + 1, arrows)
    assert back <= arrows
    sorter: TopologicalSorter[int] = TopologicalSorter()
    for one, other in arrows - back:
        sorter.add(other, one)
    sorter.prepare()
    if len(set(groups)) == len(groups):  # nothing is folded: the graph itself has no circle
        assert not back


@given(graphs())
def test_few_tasks_are_not_folded(points: Points) -> None:
    assert folded(points, len(points.keys)) == list(range(len(points.keys)))


WIDE = 300
SHAPES = {
    "a chain": (
        Points(["step"] * 3_000, [NOTHING] * 3_000, [(n, n + 1) for n in range(2_999)]),
        {"step": 3_000},
    ),
    "a map": (
        Points(["load"] * 1_500 + ["fit"] * 1_500, [NOTHING] * 3_000, [(n, n + 1_500) for n in range(1_500)]),
        {"load": 1_500, "fit": 1_500},
    ),
    "a stencil": (
        Points(
            ["cell"] * 3_000 * 2,
            [NOTHING] * 6_000,
            [
                (n - WIDE + step, n)
                for n in range(WIDE, 6_000)
                for step in (-1, 0, 1)
                if 0 <= n % WIDE + step < WIDE
            ],
        ),
        dict.fromkeys([f"cell{row}" for row in range(20)], WIDE),
    ),
    "a loop of two functions": (
        Points(["a", "b"] * 1_500, [NOTHING] * 3_000, [(n, n + 1) for n in range(2_999)]),
        {"a": 1_500, "b": 1_500},
    ),
    "other functions each time": (
        Points(list(range(3_000)), [NOTHING] * 3_000, [(n, n + 1) for n in range(2_999)]),
        {0: 3_000},
    ),
    "blocks that look the same": (
        Points(
            ["pipeline", "load", "fit"] * 1_000,
            [around for n in range(1_000) for around in (NOTHING, 3 * n, 3 * n)],
            [(3 * n + 1, 3 * n + 2) for n in range(1_000)],
            frozenset(range(0, 3_000, 3)),
        ),
        {"pipeline": 1_000, "load": 1_000, "fit": 1_000},
    ),
    "blocks in their like, deep": (
        Points(["solve"] * 500, [n - 1 for n in range(500)], [], frozenset(range(500))),
        {"solve": 500},
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_what_repeats_is_one_box(shape: str) -> None:
    points, counts = SHAPES[shape]
    groups = folded(points, 50)
    assert sorted(Counter(groups).values()) == sorted(counts.values())
    assert {points.keys[groups.index(group)] for group in set(groups)} <= {*points.keys}
