"""The options of tasks: checked when they are given, and never after."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from asyncflow._core.options import BlockOptions, CommandOptions, TaskOptions


def test_options_are_checked_when_they_are_made_and_when_they_are_changed() -> None:
    made = TaskOptions(timeout=timedelta(minutes=1), name="fit")
    assert (made.timeout, made.name, made.backend) == (60.0, "fit", None)
    for give in (TaskOptions, made.changed):
        with pytest.raises(ValueError, match=r"^timeout=-1: it takes seconds, more than 0$"):
            give(timeout=-1)
        with pytest.raises(
            TypeError, match=r"^no option is called 'timeot'. Did you mean 'timeout'\?\n  There are: "
        ):
            give(timeot=3)  # type: ignore[call-arg]


def test_options_do_not_change() -> None:
    made: Any = CommandOptions(env={"A": 1})
    changed = made.changed(env={"B": 2}, name="other")
    assert (made.env, made.name, changed.env, changed.name) == ({"A": "1"}, None, {"B": "2"}, "other")
    with pytest.raises(AttributeError, match=r"others:  options.changed\(env=\.\.\.\)"):
        made.env = {}
    assert made == CommandOptions(env={"A": "1"}) != changed
    assert made.changed().without("env") == CommandOptions()
    assert repr(changed) == "CommandOptions(name='other', env={'B': '2'})"


@pytest.mark.parametrize("left_open", [{"timeout": None}, {"example": ...}, {}])
def test_what_is_left_open_stays_as_it_is(left_open: dict[str, Any]) -> None:
    made = TaskOptions(timeout=3, example=None)
    assert made.changed(**left_open) == made
    assert made.example is None and TaskOptions().example is ...


@pytest.mark.parametrize(
    ("options", "given", "why"),
    [
        (BlockOptions, {"backend": "cpu"}, "the body of a block runs on the event loop"),
        (BlockOptions, {"example": None}, "the body of a block runs also in a dry run"),
        (BlockOptions, {"expected": 3}, "a block takes as long as what is inside"),
    ],
)
def test_what_a_kind_of_tasks_cannot_be_given_is_refused_with_the_reason(
    options: Any, given: dict[str, Any], why: str
) -> None:
    (option,) = given
    assert option not in options.names()
    with pytest.raises(TypeError, match=rf"^{option}=.*: {why}"):
        options().changed(**given)
