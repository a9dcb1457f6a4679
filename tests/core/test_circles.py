"""Circles of those who wait for one another, and of limits, as the core finds them."""

from __future__ import annotations

from itertools import combinations, pairwise

from hypothesis import given
from hypothesis import strategies as st

from asyncflow._core.circles import drawn, for_ever, never, way_to
from asyncflow._core.lanes import Lane
from asyncflow._core.limits import Limit
from asyncflow._core.task import Task

from .kit import PlainTask, definition

EDGES = st.sets(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=15)


@given(EDGES, st.integers(0, 6), st.integers(0, 6))
def test_way_is_the_shortest_of_those_who_wait_and_there_is_none_only_if_nobody_does(
    edges: set[tuple[int, int]], goal: int, start: int
) -> None:
    way = way_to(goal, start, lambda node: [waits for waits, awaited in edges if awaited == node])
    reached, distance = {start}, 0
    while True:
        distance += 1
        following = {waits for waits, awaited in edges if awaited in reached}
        if goal in following:
            break
        if following <= reached:
            assert way is None
            return
        reached |= following
    assert way is not None
    assert (way[0], way[-1], len(way)) == (goal, start, distance + 1)
    assert all(step in edges for step in pairwise(way))


def test_long_circle_is_drawn_by_its_ends() -> None:
    assert drawn(["a", "b"]) == "a -> b -> a"
    assert drawn([*"abcdefgh"]) == "a -> b -> c -> 3 more -> g -> h -> a"


def _task(number: int) -> Task:
    return PlainTask(number, definition(), Lane("the event loop"), (), {})


HELD = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(1, 3)), min_size=1, max_size=5)


@given(HELD, st.integers(3, 6))
def test_stuck_are_all_who_cannot_go_on_whoever_else_does(
    held: list[tuple[int, int, int]], most: int
) -> None:
    """Each holds some of two limits, and waits for a task that needs some of the first."""
    first, second = Limit("first", concurrency=most), Limit("second", concurrency=most)
    holders: dict[Task, list[Task]] = {}
    for number, (of_first, of_second, needs) in enumerate(held):
        holder, inside = _task(2 * number), _task(2 * number + 1)
        amounts = {first: of_first, second: of_second}
        holder.amounts = {limit: amount for limit, amount in amounts.items() if amount}
        inside.wants = {first: needs}
        holders[holder] = [inside]

    def cannot_go_on(some: tuple[Task, ...]) -> bool:
        kept = sum((each.amounts or {}).get(first, 0) for each in some)
        return all((holders[each][0].wants or {})[first] > most - kept for each in some)

    largest = max(
        (
            set(some)
            for size in range(len(holders) + 1)
            for some in combinations(holders, size)
            if cannot_go_on(some)
        ),
        key=len,
    )
    found = for_ever(holders)
    assert set(found) == largest
    assert all(found[holder] == (holders[holder][0], first) for holder in found)


@given(st.lists(st.tuples(st.booleans(), st.sets(st.integers(0, 4), max_size=3)), max_size=5))
def test_what_is_never_over_is_all_that_holds_itself_up(told: list[tuple[bool, set[int]]]) -> None:
    needs = dict(enumerate(told))

    def holds_itself_up(some: set[int]) -> bool:
        return all(needs[each][1] and (all if needs[each][0] else any)(other in some for other in needs[each][1])
                   for each in some)  # fmt: skip

    sets = (set(some) for size in range(len(needs) + 1) for some in combinations(needs, size))
    assert never(needs) == set().union(*filter(holds_itself_up, sets))
