"""What a value is after it has travelled: the same, with what it shares and the circles in it."""

from __future__ import annotations

import gc
import os
import pickle
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncflow import WorkflowEngine
from asyncflow._worker import wire
from asyncflow.backends.process import ProcessBackend

_LONG = bytes(range(256)) * 4096
_SHORT = b"short"


def travelled(value: Any) -> Any:
    parts = wire.Parts(value)
    return wire.unpack_memory(parts.into_memory(), parts.sizes())


_leaves = st.sampled_from([_LONG, bytearray(_LONG), _SHORT, bytearray(_SHORT), "text", 1, None])


@given(
    st.recursive(
        _leaves,
        lambda inner: st.one_of(
            st.lists(inner, max_size=4),
            st.tuples(inner, inner),
            st.dictionaries(st.text(max_size=2), inner, max_size=3),
        ),
        max_leaves=8,
    )
)
def test_values_are_the_same_after_a_journey_as_after_a_plain_pickle(value: Any) -> None:
    back = travelled(value)
    assert back == pickle.loads(pickle.dumps(value))
    assert repr(type(back)) == repr(type(value))


@pytest.mark.parametrize(
    "leaf", [_LONG, bytearray(_LONG), _SHORT, np.zeros(200_000)], ids=["bytes", "bytearray", "short", "array"]
)
def test_what_is_shared_is_shared_after_a_journey(leaf: Any) -> None:
    inner = [leaf]
    first, second, third = travelled([inner, {"again": inner}, leaf])
    assert first is second["again"]
    assert first[0] is third


@pytest.mark.parametrize("leaf", [_LONG, _SHORT])
def test_circles_travel(leaf: bytes) -> None:
    circle: dict[str, Any] = {"leaf": leaf}
    circle["self"] = [circle]
    back = travelled(circle)
    assert back["self"][0] is back
    assert back["leaf"] == leaf


def test_long_bytes_that_are_met_often_travel_once() -> None:
    assert wire.Parts([_LONG] * 50).size < 2 * len(_LONG)


def test_long_bytes_deep_in_a_large_list_travel_all_the_same() -> None:
    value = [*range(5000), [_LONG], _LONG]
    assert travelled(value) == value


async def test_circles_and_what_is_shared_pass_through_a_task() -> None:
    def through(value: list[Any]) -> list[Any]:
        assert value[0] is value
        assert value[1] is value[2]
        return value

    value: list[Any] = [None, data := [os.urandom(2 << 20)], data]
    value[0] = value
    async with WorkflowEngine(ProcessBackend(workers=1)) as engine:
        back = await engine.submit(through, value)
    assert back[0] is back
    assert back[1] is back[2]
    assert back[1] == data


def test_what_was_packed_is_freed_without_a_word_from_a_circle_of_garbage() -> None:
    class Circle:
        pass

    heard: list[object] = []
    before, sys.unraisablehook = sys.unraisablehook, heard.append
    try:
        circle = Circle()
        circle.parts = wire.Parts([b"x" * 100_000, "y" * 100_000])  # type: ignore[attr-defined]
        circle.itself = circle  # type: ignore[attr-defined]
        del circle
        gc.collect()
    finally:
        sys.unraisablehook = before
    assert heard == []
