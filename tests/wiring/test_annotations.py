"""Parts of annotations are changed wherever they are, and all the rest stays what it was."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable
from typing import Annotated, Any, Literal, Optional, Union

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncflow._inspect.annotations import changed, is_union


class Box(typing.Generic[typing.TypeVar("T")]):
    """A generic class of a user's."""


class Picky:
    """Takes no other parameter than int."""

    def __class_getitem__(cls, item: Any) -> Any:
        if item is not int:
            raise TypeError(item)
        return types.GenericAlias(cls, item)


def text_for_int(part: Any) -> Any:
    return str if part is int else ...


@pytest.mark.parametrize(
    ("annotation", "new"),
    [
        (int, str),
        (list[int], list[str]),
        (typing.List[int], typing.List[str]),  # noqa: UP006
        (dict[bytes, list[int]], dict[bytes, list[str]]),
        (tuple[int, ...], tuple[str, ...]),
        (int | None, str | None),
        (Optional[int], str | None),  # noqa: UP045
        (Union[int, bytes, str], str | bytes),  # noqa: UP007
        (Box[int], Box[str]),
        (Callable[[bytes], int], Callable[[bytes], str]),
        (list[Annotated[int, "seconds"]], list[str]),
    ],
)
def test_a_part_is_changed_wherever_it_is(annotation: Any, new: Any) -> None:
    assert changed(annotation, text_for_int) == new


@pytest.mark.parametrize(
    "annotation",
    [bytes, list, list[bytes], Literal[1], list[Literal[1, 2]], Annotated[bytes, "seconds"], "int", None],
)
def test_what_has_no_such_part_is_itself(annotation: Any) -> None:
    assert changed(annotation, text_for_int) is annotation


def test_what_was_put_in_is_not_looked_into() -> None:
    assert changed(list[int], lambda part: list[int] if part is int else ...) == list[list[int]]


def test_what_cannot_be_put_together_again_is_anything() -> None:
    assert changed(dict[int, Picky[int]], text_for_int) == dict[str, Any]


_PARTS = st.recursive(
    st.sampled_from([int, bytes, None, Any]),
    lambda inner: st.one_of(
        inner.map(lambda each: list[each]),
        st.tuples(inner, inner).map(lambda pair: dict[pair]),
        st.tuples(inner, inner).map(lambda pair: Union[pair]),  # noqa: UP007
    ),
    max_leaves=6,
)


@given(_PARTS)
def test_no_part_that_is_to_go_is_left(annotation: Any) -> None:
    new = changed(annotation, text_for_int)
    assert "int" not in repr(new)
    assert ("int" in repr(annotation)) == (new is not annotation)


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (int | None, True),
        (Optional[int], True),  # noqa: UP045
        (Union[int, str], True),  # noqa: UP007
        (list[int | None], False),
        (int, False),
    ],
)
def test_a_union_is_one_in_either_spelling(annotation: Any, expected: bool) -> None:
    assert is_union(annotation) is expected
