"""What follows from points and what comes after each."""

from __future__ import annotations

from itertools import pairwise
from math import fsum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncflow._graph import network

MANY = 100_000

Load = tuple[list[list[int]], list[int], list[bool], int]


@st.composite
def networks(draw: st.DrawFn) -> list[list[int]]:
    """Of each point, what comes after it: later ones in a hidden order, some of them twice."""
    size = draw(st.integers(0, 25))
    hidden = draw(st.permutations(range(size)))
    after: list[list[int]] = [[] for _ in range(size)]
    for place in range(size - 1):
        after[hidden[place]] = draw(st.lists(st.sampled_from(hidden[place + 1 :]), max_size=4))
    return after


@st.composite
def loads(draw: st.DrawFn) -> Load:
    """A network, how long each point takes, whether it needs a worker, and how many there are."""
    after = draw(networks())
    size = len(after)
    weights = draw(st.lists(st.integers(0, 9), min_size=size, max_size=size))
    works = draw(st.lists(st.sampled_from([True, True, False]), min_size=size, max_size=size))
    return after, weights, works, draw(st.integers(1, 6))


# -- order and circles ------------------------------------------------------------------------------------


@given(networks())
def test_each_point_stands_behind_those_before_it_and_once(after: list[list[int]]) -> None:
    order = network.in_order(after)
    place = {point: place for place, point in enumerate(order)}
    assert sorted(order) == list(range(len(after)))
    assert all(place[point] < place[follower] for point in order for follower in after[point])
    assert network.circle(after, order) == []


@given(networks(), st.data())
def test_a_circle_is_found_wherever_it_is(after: list[list[int]], data: st.DataObject) -> None:
    size = len(after)
    length = data.draw(st.integers(1, 5))
    after = [*(list(each) for each in after), *([size + (each + 1) % length] for each in range(length))]
    for point in range(size):  # into the circle from outside, and out of it
        for end in data.draw(st.lists(st.integers(size, size + length - 1), max_size=1)):
            ends = (point, end) if data.draw(st.booleans()) else (end, point)
            after[ends[0]].append(ends[1])
    order = network.in_order(after)
    found = network.circle(after, order)
    assert found and len(set(found)) == len(found)
    assert all(then in after[first] for first, then in pairwise([*found, found[0]]))
    assert not set(found) & set(order)


def test_a_point_after_itself_is_a_circle() -> None:
    after = [[1], [1]]
    assert network.circle(after, network.in_order(after)) == [1]


# -- paths ------------------------------------------------------------------------------------------------


@given(loads())
def test_the_longest_path_is_one_and_as_long_as_its_points(
    load: Load,
) -> None:
    after, weights, _, _ = load
    order = network.in_order(after)
    points, length = network.longest_path(after, order, weights)
    assert length == sum(weights[point] for point in points)
    assert all(then in after[first] for first, then in pairwise(points))
    assert length == max(network.to_the_end(after, order, weights), default=0)
    begins, _ = network.earliest(after, order, weights)
    assert length == max((begin + weight for begin, weight in zip(begins, weights, strict=True)), default=0)


@given(loads())
def test_a_point_begins_when_the_last_before_it_is_over(
    load: Load,
) -> None:
    after, weights, _, _ = load
    begins, held_by = network.earliest(after, network.in_order(after), weights)
    for point in range(len(after)):
        ends = {first: begins[first] + weights[first] for first in range(len(after)) if point in after[first]}
        assert begins[point] == max(ends.values(), default=0)
        if ends:
            assert ends[held_by[point]] == begins[point]
        else:
            assert held_by[point] == -1


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 6))))
def test_stretches_of_time_overlap_as_they_do_at_each_moment(stretches: list[tuple[int, int]]) -> None:
    begins, ends = [begin for begin, _ in stretches], [begin + length for begin, length in stretches]
    moments = (sum(b <= moment < e for b, e in zip(begins, ends, strict=True)) for moment in range(30))
    assert network.most_at_once(begins, ends) == max(moments)


# -- schedules --------------------------------------------------------------------------------------------


@given(loads())
def test_a_schedule_keeps_the_order_and_has_no_more_at_work_than_workers(
    load: Load,
) -> None:
    after, weights, works, workers = load
    begins = network.list_schedule(after, network.in_order(after), weights, works, workers)
    ends = [begin + weight for begin, weight in zip(begins, weights, strict=True)]
    assert all(ends[point] <= begins[follower] for point in range(len(after)) for follower in after[point])
    busy = [point for point in range(len(after)) if works[point]]
    assert network.most_at_once([begins[each] for each in busy], [ends[each] for each in busy]) <= workers


@given(loads())
def test_no_worker_is_idle_while_something_could_begin(
    load: Load,
) -> None:
    after, weights, works, workers = load
    begins = network.list_schedule(after, network.in_order(after), weights, works, workers)
    ends = [begin + weight for begin, weight in zip(begins, weights, strict=True)]
    for point in range(len(after)):
        could = max((ends[each] for each in range(len(after)) if point in after[each]), default=0)
        for moment in range(int(could), int(begins[point])):
            at_work = sum(begins[each] <= moment < ends[each] for each in range(len(after)) if works[each])
            assert works[point] and at_work == workers


@given(loads())
def test_what_has_most_before_the_end_goes_first(
    load: Load,
) -> None:
    after, weights, works, workers = load
    order = network.in_order(after)
    begins = network.list_schedule(after, order, weights, works, workers)
    lengths = network.to_the_end(after, order, weights)
    ends = [begin + weight for begin, weight in zip(begins, weights, strict=True)]
    could = [max((ends[e] for e in order if point in after[e]), default=0) for point in range(len(after))]
    for first in (point for point in order if works[point]):
        for then in (point for point in order if works[point]):
            if could[first] < begins[then] < begins[first]:
                assert lengths[then] >= lengths[first]


def test_the_schedule_of_a_textbook_is_the_textbooks() -> None:
    # Two chains of 3 and 1 and a task of 4 on two workers: the long ones first, the short one in the gap.
    after: list[list[int]] = [[1], [2], [], [], []]
    weights = [1, 1, 1, 1, 4]
    begins = network.list_schedule(after, network.in_order(after), weights, [True] * 5, 2)
    assert begins == [0, 1, 2, 3, 0]


# -- large ones -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", ["a chain", "a fan", "a funnel"])
def test_100_000_points_do_not_recurse(shape: str) -> None:
    after: list[list[int]] = [[] for _ in range(MANY)]
    for point in range(1, MANY):
        if shape == "a chain":
            after[point - 1].append(point)
        elif shape == "a fan":
            after[0].append(point)
        elif point < MANY - 1:
            after[point].append(MANY - 1)
    order = network.in_order(after)
    weights = [0.5] * MANY
    _, length = network.longest_path(after, order, weights)
    assert length == (MANY / 2 if shape == "a chain" else 1)
    begins = network.list_schedule(after, order, weights, [True] * MANY, 1)
    assert max(begins) + 0.5 == fsum(weights)


def test_a_circle_of_100_000_is_found() -> None:
    after = [[(point + 1) % MANY] for point in range(MANY)]
    assert len(network.circle(after, network.in_order(after))) == MANY
