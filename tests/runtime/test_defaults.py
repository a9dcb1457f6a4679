"""`WorkflowEngine(defaults=...)`: what tasks have of which nothing else is said."""

from __future__ import annotations

from typing import Any

import pytest

from asyncflow import BlockOptions, CommandOptions, TaskOptions, WorkflowEngine

from .kit import never_called

TASKS = ("function_task", "executable_task")


@pytest.mark.parametrize("kind", TASKS)
def test_call_takes_with_options_then_decorator_then_engine_then_what_is_built_in(kind: str) -> None:
    engine = WorkflowEngine(defaults=TaskOptions(timeout=1, deadline=1, retries=1))
    task = getattr(engine, kind)(never_called, timeout=2, deadline=2)
    options = task.with_options(timeout=3)._definition.options
    assert (options.timeout, options.deadline, options.retries) == (3, 2, 1)
    assert options.limits is None


@pytest.mark.parametrize("kind", TASKS)
def test_default_may_be_taken_back_with_a_value(kind: str) -> None:
    engine = WorkflowEngine(defaults=TaskOptions(timeout=1, retries=1, limits="api"))
    task = getattr(engine, kind)(never_called, timeout=float("inf"), retries=0, limits=())
    assert task._definition.retries is task._definition.needs is None
    assert task._definition.timeout == float("inf")


def test_none_leaves_a_default_as_it_is() -> None:
    engine = WorkflowEngine(defaults=TaskOptions(retries=1))
    assert engine.function_task(never_called, retries=None)._definition.options.retries == 1


def test_each_kind_takes_the_defaults_of_its_own_class() -> None:
    engine = WorkflowEngine(
        defaults=[TaskOptions(retries=1), CommandOptions(ok_codes=3), BlockOptions(deadline=9)]
    )
    function, command, block = (
        getattr(engine, kind)(never_called)._definition.options for kind in (*TASKS, "block")
    )
    assert (function.retries, function.deadline) == (1, None)
    assert (command.retries, command.ok_codes, command.deadline) == (1, frozenset({3}), None)
    assert (block.retries, block.deadline) == (0, 9)


def test_shell_of_the_engine_gives_way_to_that_of_its_defaults() -> None:
    engine = WorkflowEngine(shell="bash", defaults=CommandOptions(env={"A": 1}))
    assert engine.executable_task(never_called)._definition.options.shell == "bash"
    engine = WorkflowEngine(shell="bash", defaults=CommandOptions(shell="dash"))
    assert engine.executable_task(never_called)._definition.options.shell == "dash"


def test_task_on_another_engine_takes_along_what_was_given_and_no_default() -> None:
    here = WorkflowEngine(defaults=TaskOptions(retries=1, deadline=1))
    there = WorkflowEngine(defaults=TaskOptions(retries=2, timeout=2))
    task = here.function_task(never_called, deadline=5).with_options(label="mine").on(there)
    options = task._definition.options
    assert (options.retries, options.timeout, options.deadline, options.label) == (2, 2, 5, "mine")
    assert task.with_options(retries=0).on(here)._definition.options.retries == 0


async def test_default_holds_for_calls() -> None:
    tries: list[int] = []

    async def flaky() -> None:
        tries.append(1)
        raise OSError

    async with WorkflowEngine("sequential", defaults=TaskOptions(retries=2, retry_delay=0)) as engine:
        for task in engine.function_task(flaky), engine.function_task(flaky).with_options(label="same"):
            with pytest.raises(OSError):
                await task()
            assert len(tries) == 3
            tries.clear()


async def test_default_limit_may_be_made_after_the_engine() -> None:
    async with WorkflowEngine("sequential", defaults=TaskOptions(limits="api")) as engine:
        with pytest.raises(LookupError, match="no limit is called 'api'"):
            engine.submit(never_called)
        engine.limit("api", concurrency=1)
        assert await engine.submit(abs, -1) == 1


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"name": "x"}, r"defaults=TaskOptions\(name='x'\): all tasks would be called the same"),
        ({"label": "x"}, r"defaults=TaskOptions\(label='x'\): it tells calls from others"),
        ({"example": 1}, r"defaults=TaskOptions\(example=1\): it stands in for the value of one task"),
        ({"backend": "thread"}, r"the first of backends= is the default"),
        ({"max_concurrent": 1}, r"it counts the calls of one task; for all of them:  engine\.limit"),
    ],
)
def test_what_belongs_to_one_task_is_refused_when_the_engine_is_made(
    options: dict[str, Any], told: str
) -> None:
    with pytest.raises(TypeError, match=told):
        WorkflowEngine(defaults=TaskOptions(**options))


@pytest.mark.parametrize("given", [{"retries": 2}, 3, [3], TaskOptions])
def test_defaults_that_are_no_options_are_refused_when_the_engine_is_made(given: Any) -> None:
    with pytest.raises(TypeError, match=r"defaults=TaskOptions\((retries=2|\.\.\.)\)"):
        WorkflowEngine(defaults=given)


def test_defaults_of_one_class_are_given_once() -> None:
    with pytest.raises(ValueError, match="TaskOptions is there twice"):
        WorkflowEngine(defaults=[TaskOptions(), TaskOptions(retries=1)])
