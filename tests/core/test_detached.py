"""Detached tasks: what is waited for beside them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from asyncflow._core.detached import Awaited, is_tail
from asyncflow._core.lanes import Lane
from asyncflow._core.options import BlockOptions, TaskOptions
from asyncflow._core.task import Definition

from .kit import PlainTask

_LANE = Lane("here")


def task(
    number: int, kind: str = "function", *, detached: bool = False, owner: PlainTask | None = None
) -> PlainTask:
    options = (BlockOptions if kind == "block" else TaskOptions)(detached=detached)
    return PlainTask(number, Definition(int, kind, options), _LANE, (), {}, owner=owner)


def test_what_is_inside_of_a_detached_block_is_a_tail() -> None:
    outer = task(1, "block")
    tail = task(2, "block", detached=True)
    assert not is_tail(outer)
    assert not is_tail(task(3, owner=outer))
    assert is_tail(tail)
    assert is_tail(task(4, owner=task(5, "block", owner=tail)))


@given(st.data())
def test_awaited_is_over_exactly_when_nothing_is_left_that_counts(data: st.DataObject) -> None:
    live = {number: task(number) for number in range(data.draw(st.integers(0, 6)))}
    counting = set(data.draw(st.sets(st.integers(0, 20))))
    awaited = Awaited(live, lambda each: each.id in counting)
    last = len(live)
    for step in data.draw(st.lists(st.sampled_from(["ask", "end", "call"]), max_size=40)):
        if step == "call":
            live[last] = task(last)
            last += 1
        elif step == "end" and live:
            del live[data.draw(st.sampled_from(sorted(live)))]
        assert awaited.is_over() is (not counting & live.keys())


def test_an_end_is_not_paid_for_by_a_walk_over_all_that_is_live() -> None:
    looked = 0
    live = {number: task(number) for number in range(2000)}

    def counts(each: PlainTask) -> bool:
        nonlocal looked
        looked += 1
        return each.id >= 1000

    awaited = Awaited(live, counts)
    for number in range(1000, 2000):
        assert not awaited.is_over()
        del live[number]
    assert awaited.is_over()
    assert looked <= 5 * 2000
