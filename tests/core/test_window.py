"""The window of a stream: never more than its size under way, no item lost, none given twice, order kept."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncflow._core.window import Window, least_room


@given(st.integers(1, 8), st.booleans(), st.integers(0, 40), st.data())
def test_each_item_is_given_once_and_no_more_are_under_way_than_there_is_room_for(
    size: int, ordered: bool, items: int, data: st.DataObject
) -> None:
    window = Window(size, ordered=ordered)
    left, running, ended, got = items, list[int](), list[int](), list[int]()
    while not window.is_done:
        ways = ["take"] * (window.room() > 0) + ["end"] * bool(running) + ["give"] * bool(window.ready)
        if not ways:
            window.close()
            continue
        way = data.draw(st.sampled_from(ways))
        if way == "take" and left:
            left -= 1
            running.append(window.take())
        elif way == "take":
            window.close()
        elif way == "end":
            number = data.draw(st.sampled_from(running))
            running.remove(number)
            ended.append(number)
            window.end(number)
        else:
            number = window.give() or 0
            got.append(number)
        assert window.taken - window.given <= size
        assert window.running == len(running)
        assert window.over == len(ended)
    assert sorted(got) == list(range(1, items - left + 1))
    assert got == (sorted(got) if ordered else ended)
    assert window.give() is None and window.room() == 0


@given(st.integers(1, 8), st.booleans(), st.data())
def test_after_a_leave_nothing_is_taken_and_what_is_under_way_may_end_as_it_likes(
    size: int, ordered: bool, data: st.DataObject
) -> None:
    window = Window(size, ordered=ordered)
    running, ended, got = list[int](), list[int](), list[int]()
    left_at = data.draw(st.integers(0, 30))
    for step in range(60):
        if step == left_at:  # a break, an error or a cancel; some leave while their last item is being given
            window.close()
        ways = ["take"] * (window.room() > 0) + ["end"] * bool(running) + ["give"] * bool(window.ready)
        if not ways:
            break
        way = data.draw(st.sampled_from(ways))
        if way == "take":
            assert step < left_at
            running.append(window.take())
        elif way == "end":
            number = data.draw(st.sampled_from(running))  # with a value, an error or a cancel: all are ends
            running.remove(number)
            ended.append(number)
            window.end(number)
        else:
            number = window.give() or 0
            assert number in ended and number not in got
            got.append(number)
        assert window.taken - window.given <= size
        assert window.running == len(running) and window.over == len(ended)
    known = [*running, *ended]
    assert sorted(known) == list(range(1, window.taken + 1))
    assert window.ready <= len(ended) - len(got)
    if not ordered:
        assert window.ready == len(ended) - len(got)
    if window.is_closed:
        for number in running:
            window.end(number)
        assert [window.give() for _ in range(window.taken - len(got) + 1)].count(None) == 1
        assert window.is_done


@given(st.integers(1, 10_000), st.integers(1, 5_000))
def test_with_less_room_than_is_waited_for_all_workers_have_two_items_or_the_window_is_small(
    size: int, workers: int
) -> None:
    least = least_room(size, workers)
    assert 1 <= least <= max(1, size // 2)
    assert size - least >= min(2 * workers, size - 1)


@pytest.mark.parametrize("ordered", [False, True])
def test_a_consumer_that_stops_stops_the_source(ordered: bool) -> None:
    window = Window(3, ordered=ordered)
    for number in (1, 2, 3):
        assert window.take() == number
        window.end(number)
    assert window.room() == 0
    assert window.give() == 1
    assert window.room() == 1


def test_a_slow_head_holds_up_what_is_behind_it() -> None:
    window = Window(3, ordered=True)
    for _ in range(3):
        window.take()
    window.end(2)
    window.end(3)
    assert window.give() is None and window.ready == 0 and window.over == 2
    window.end(1)
    assert [window.give() for _ in range(4)] == [1, 2, 3, None]
