"""What is the same to whoever gives it: equal, and of one kind."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncflow._core.alike import alike

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=8,
)


@given(VALUES)
def test_a_value_is_like_a_copy_of_itself_and_not_like_one_that_is_wrapped(value: object) -> None:
    assert alike([value], [copied(value)])
    assert not alike([value], [[value]]) and not alike(value, (value,))


def copied(value: object) -> object:
    if isinstance(value, list):
        return [copied(each) for each in value]
    if isinstance(value, dict):
        return {key: copied(value[key]) for key in reversed(value)}
    return float(str(value)) if isinstance(value, float) else value


@pytest.mark.parametrize(
    ("one", "other"), [(1, True), (1, 1.0), ([1], (1,)), ({"a": 0}, {"a": False}), ({"a": 0}, {}), ("1", 1)]
)
def test_what_is_equal_and_of_another_kind_is_another(one: object, other: object) -> None:
    assert not alike(one, other) and not alike(other, one)
