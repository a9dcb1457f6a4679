"""Names that were there once: the latest are known, of others nothing is claimed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from asyncflow._core.remembered import Remembered


@given(st.integers(1, 5), st.integers(1, 4), st.lists(st.integers(0, 30)))
def test_the_latest_names_are_remembered_and_forgetting_is_told(
    chunk: int, chunks: int, numbers: list[int]
) -> None:
    names = Remembered(chunk, chunks)
    for number in numbers:
        names.add(str(number))
    latest = {str(number) for number in numbers[len(numbers) - chunk * chunks :]} if numbers else set()
    assert all(name in names for name in latest)
    assert "other" not in names
    if not names.has_forgotten:
        assert all(str(number) in names for number in numbers)
    assert (
        names.has_forgotten or len(set(numbers)) < chunk * (chunks + 1) or len(numbers) != len(set(numbers))
    )


def test_a_name_takes_little_memory_and_there_is_an_end_of_it() -> None:
    names = Remembered(chunk=1000, chunks=3)
    for number in range(10_000):
        names.add(str(number))
    known = [str(number) in names for number in range(10_000)]
    assert known == [False] * 7000 + [True] * 3000 and names.has_forgotten
