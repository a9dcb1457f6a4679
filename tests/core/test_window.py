"""The window of a stream: never more than its size under way, no item lost, none given twice, order kept."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncflow._core.window import Window


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
