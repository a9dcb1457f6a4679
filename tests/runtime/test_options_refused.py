"""Options that say nothing are refused where they are given, in words that name the task and the mend."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

from asyncflow import WorkflowEngine


def load(path: str) -> int:
    return len(path)


@pytest.mark.parametrize("timeout", ["3 minutes", [3], object])
def test_a_timeout_that_is_no_number_is_refused(timeout: Any) -> None:
    with pytest.raises(TypeError, match=r"timeout=.*: it takes seconds as a number, or a timedelta$"):
        WorkflowEngine().function_task(timeout=timeout)(load)


def test_a_name_or_a_task_to_wait_for_is_refused() -> None:
    task = WorkflowEngine().function_task(load)
    for after in ("load", b"load", task):
        with pytest.raises(TypeError, match=r"'load' was given after=.*, which is no future\.\n  Pass what"):
            task.with_options(after=after)  # type: ignore[arg-type]


def test_a_plan_that_is_not_awaited_is_named_as_its_user_wrote_it() -> None:
    engine = WorkflowEngine()
    with pytest.warns(RuntimeWarning, match=r"coroutine 'engine\.plan' was never awaited"):
        engine.plan(engine.function_task(load), "a")  # type: ignore[unused-coroutine]
    with pytest.warns(RuntimeWarning, match=r"coroutine 'engine\.plan' was never awaited"):
        engine.plan()  # type: ignore[unused-coroutine]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert engine.run(engine.plan(engine.function_task(load), "a")).tasks
