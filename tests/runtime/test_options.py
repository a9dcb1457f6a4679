"""`with_options`: the same task, otherwise."""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
from collections.abc import Iterator
from concurrent.futures import Future
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from asyncflow import UnknownBackend, UpstreamFailed, WorkflowEngine
from asyncflow._core.options import (
    AllCommandKeywords,
    BlockKeywords,
    BlockOptions,
    CommandOptions,
    ServiceKeywords,
    ServiceOptions,
    TaskKeywords,
    TaskOptions,
)
from asyncflow.testing import ManualBackend

from .kit import never_called, turns


async def test_with_options_leaves_the_original_as_it_was(engine: WorkflowEngine) -> None:
    task = engine.function_task(never_called, name="plain")
    other = task.with_options(name="other")
    assert other is not task
    assert (task().name, other().name) == ("plain", "other")
    assert other.fn is task.fn


async def test_options_left_out_are_kept(engine: WorkflowEngine, hands: ManualBackend) -> None:
    task = engine.function_task(never_called, name="plain", timeout=30)
    other = task.with_options(name="other").with_options(timeout=timedelta(minutes=1))
    assert other().name == "other"
    assert other._definition.timeout == 60
    assert task.with_options()._definition.timeout == 30


async def test_backend_option_chooses_the_backend() -> None:
    here, there = ManualBackend(), ManualBackend()
    engine = WorkflowEngine(backends={"here": here, "there": there})
    async with engine:
        task = engine.function_task(never_called, name="task")
        futures = task(), task.with_options(backend="there")(), task.with_options(backend="here")()
        await there.received("task")
        assert (here.waiting, there.waiting) == (["task", "task"], ["task"])
        there.succeed(2, "there")
        assert await futures[1] == "there"
        await engine.shutdown(wait=False)


async def test_after_orders_without_passing_data(engine: WorkflowEngine, hands: ManualBackend) -> None:
    first = engine.function_task(lambda: None, name="first")()
    second = engine.function_task(lambda: "ran", name="second").with_options(after=first)()
    await hands.received("first")
    assert hands.waiting == ["first"]
    hands.succeed("first", "its value goes nowhere")
    await hands.received("second")
    assert hands.work("second").args == ()
    hands.run("second")
    assert await second == "ran"


async def test_after_takes_many_and_adds_up(engine: WorkflowEngine, hands: ManualBackend) -> None:
    wait_for = engine.function_task(lambda: None, name="early")
    early = [wait_for() for _ in range(3)]
    late = engine.function_task(lambda: None, name="late").with_options(after=early[:2])
    late = late.with_options(after=iter([early[2]]))
    late()
    for number in (3, 1, 2):
        await hands.received(number)
        assert "late" not in hands.waiting
        hands.succeed(number)
    await hands.received("late")


async def test_after_holds_for_every_call_and_for_map(engine: WorkflowEngine, hands: ManualBackend) -> None:
    first = engine.function_task(lambda: None, name="first")()
    late = engine.function_task(lambda _: None, name="late").with_options(after=first)
    late.map(range(3))
    await hands.received("first")
    assert hands.batches == [["first"]]
    hands.succeed("first")
    await hands.received("late")
    assert hands.batches == [["first"], ["late"] * 3]


async def test_after_takes_awaitables_of_others(engine: WorkflowEngine, hands: ManualBackend) -> None:
    loops: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    pools: Future[None] = Future()
    engine.function_task(lambda: None, name="late").with_options(after=[loops, pools])()
    await turns()
    loops.set_result(None)
    await turns()
    assert hands.waiting == []
    pools.set_result(None)
    await hands.received("late")


async def test_failure_of_what_it_comes_after_keeps_a_task_from_running(
    engine: WorkflowEngine, hands: ManualBackend
) -> None:
    first = engine.function_task(lambda: None, name="first")()
    second = engine.function_task(never_called, name="second").with_options(after=first)()
    await hands.received("first")
    hands.fail("first", ValueError("broken"))
    with pytest.raises(UpstreamFailed, match=r"'first' .* failed, ValueError: broken"):
        await second


async def test_after_works_for_blocks(engine: WorkflowEngine, hands: ManualBackend) -> None:
    @engine.block
    async def steps() -> str:
        return "ran"

    first = engine.function_task(lambda: None, name="first")()
    block = steps.with_options(after=first, name="later")()
    await hands.received("first")
    assert block.state == "PENDING"
    hands.succeed("first")
    assert await block == "ran"
    assert block.name == "later"


async def test_options_of_a_bound_method_keep_the_instance(threads: WorkflowEngine) -> None:
    class Model:
        @threads.function_task
        def me(self) -> Model:
            return self

    model = Model()
    assert await model.me.with_options(name="self")() is model


async def test_changed_backend_does_not_change_what_was_called_before() -> None:
    here, there = ManualBackend(), ManualBackend()
    async with WorkflowEngine(backends={"here": here, "there": there}) as engine:
        task = engine.function_task(never_called, name="task")
        task()
        await here.received(1)  # the lane is known now
        moved = task.with_options(backend="there")
        moved()
        task()
        await there.received(2)
        await here.received(3)
        assert there.batches == [["task"]]
        await engine.shutdown(wait=False)


@pytest.mark.parametrize("expected", [2, 2.0, timedelta(seconds=2)])
async def test_what_a_task_is_expected_to_take_is_in_its_plan(expected: float | timedelta) -> None:
    engine = WorkflowEngine()
    task = engine.function_task(never_called, name="task", expected=expected)
    command = engine.executable_task(never_called, name="command", expected=expected)
    other = task.with_options(expected=timedelta(minutes=1)).with_options(name="other")

    def target() -> None:
        task(), command(), other(), command.with_options(expected=0)(), engine.submit(never_called)

    plan = await engine.plan(target)
    assert [each.expected for each in plan.tasks] == [2, 2, 60, 0, None]


@pytest.mark.parametrize("expected", [-1, float("nan"), float("inf"), timedelta(seconds=-1)])
def test_an_expected_duration_that_is_none_is_refused_where_it_is_given(expected: float | timedelta) -> None:
    engine = WorkflowEngine()
    with pytest.raises(ValueError, match=r"'never_called': expected=.*: it takes seconds, 0 or more"):
        engine.function_task(never_called, expected=expected)
    with pytest.raises(ValueError, match=r"'never_called': expected=.*: it takes seconds, 0 or more"):
        engine.executable_task(expected=expected)(never_called)
    with pytest.raises(ValueError, match=r"'task': expected=.*: it takes seconds, 0 or more"):
        engine.function_task(never_called, name="task").with_options(expected=expected)
    with pytest.raises(TypeError, match="'never_called': expected='soon': it takes seconds as a number"):
        engine.function_task(never_called, expected="soon")


def test_a_block_takes_as_long_as_what_is_inside() -> None:
    engine = WorkflowEngine()
    with pytest.raises(TypeError, match="'never_called': expected=3: a block takes as long as"):
        engine.block(never_called).with_options(expected=3)


# -- where options are listed -----------------------------------------------------------------------------


def options_of(fn: Any) -> set[str]:
    return {
        name
        for name, parameter in inspect.signature(fn).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }


KINDS = [
    ("function_task", TaskOptions, TaskKeywords),
    ("block", BlockOptions, BlockKeywords),
    ("executable_task", CommandOptions, AllCommandKeywords),
    ("service", ServiceOptions, ServiceKeywords),
]


def decorated(engine: WorkflowEngine, decorator: str, name: str = "never_called") -> Any:
    """A task that is not called."""

    def service() -> Iterator[None]:
        yield never_called()

    return getattr(engine, decorator)(service if decorator == "service" else never_called, name=name)


@pytest.mark.parametrize(("decorator", "options", "keywords"), KINDS)
def test_an_option_is_known_to_all_that_take_options(decorator: str, options: Any, keywords: Any) -> None:
    engine = WorkflowEngine()
    names = set(options.defaults())
    assert set(keywords.__annotations__) == names  # what type checkers know
    assert options_of(getattr(engine, decorator)) == names  # what editors and notebooks show
    told = inspect.getdoc(getattr(engine, decorator))
    assert told is not None and all(re.search(rf"    {name}: \w", told) for name in names)
    task = decorated(engine, decorator)
    assert options_of(type(task).with_options) >= {"after", *names}
    with pytest.raises(TypeError, match="'never_called': no option is called 'no'") as caught:
        task.with_options(no=1)
    assert all(name in str(caught.value) for name in {"after", *names})


@pytest.mark.parametrize(("decorator", "options", "keywords"), KINDS)
def test_every_option_has_a_line_of_documentation(decorator: str, options: Any, keywords: Any) -> None:
    tree = ast.parse(inspect.getsource(inspect.getmodule(keywords)))  # type: ignore[arg-type]
    classes = {each.name: each.body for each in tree.body if isinstance(each, ast.ClassDef)}
    told = {
        key.target.id
        for name, body in classes.items()
        if name.endswith("Keywords")
        for key, text in pairwise(body)
        if isinstance(key, ast.AnnAssign) and isinstance(text, ast.Expr) and isinstance(key.target, ast.Name)
    }
    assert set(keywords.__annotations__) <= told


@pytest.mark.parametrize("option", sorted({*TaskOptions.names(), *CommandOptions.names()}))
def test_an_option_in_a_call_is_told_where_it_goes(option: str) -> None:
    engine = WorkflowEngine("sequential")
    tasks = [
        task
        for decorator, options, _ in KINDS
        if option in options.names() and (task := decorated(engine, decorator, "fit"))
    ]

    async def target() -> None:
        for task in tasks:
            with pytest.raises(TypeError, match=rf"go before the call:  fit.with_options\({option}=\.\.\.\)"):
                task(**{option: 3})

    engine.run(target)
    assert tasks


def test_what_a_call_waits_for_is_no_option_of_a_function() -> None:
    with pytest.raises(TypeError, match=r"after= goes before a call, .*with_options\(after="):
        WorkflowEngine().function_task(after=())


class Library:
    """As somebody else wrote it, with an engine of its own."""

    engine = WorkflowEngine("thread")

    def __init__(self, factor: int) -> None:
        self.factor = factor

    @engine.function_task
    def times(self, number: int) -> int:
        return self.factor * number


@Library.engine.function_task(timeout=30)
def double(number: int) -> int:
    return 2 * number


@Library.engine.executable_task(env={"WORD": "there"}, capture_stdio=True)
def greet() -> str:
    return "printf $WORD"


@Library.engine.block
async def flow(number: int) -> Any:
    return number


async def test_a_task_of_another_engine_runs_on_the_one_that_is_said() -> None:
    async with WorkflowEngine("sequential") as engine:
        library = Library(3)
        calls = [double.on(engine)(2), library.times.on(engine)(2), flow.on(engine)(5)]
        assert await asyncio.gather(*calls) == [4, 6, 5]
        assert (await greet.on(engine)()).read_text() == "there"
        assert (
            await double.on(engine)(double.on(engine)(1)) == 4
        )  # of one engine, so that futures may be passed on
        assert await Library.times.on(engine)(library, 1) == 3
        assert double.on(engine).with_options(name="d")(1).name == "d"
        assert double.on(engine)._definition.timeout == 30 and double.on(engine).fn is double.fn
        assert Library.engine._run is None, "its own engine was started"
        cpu = WorkflowEngine(backends={"cpu": "thread"})
        with pytest.raises(UnknownBackend, match="'double' asks for backend 'cpu'"):
            cpu.function_task(backend="cpu")(double.fn).on(engine)
        with pytest.raises(TypeError, match=r"double.on\(\) got 'thread'; a WorkflowEngine is needed"):
            double.on("thread")  # type: ignore[arg-type]


def test_a_task_of_another_engine_is_not_run_without_a_word() -> None:
    engine = WorkflowEngine("sequential")
    for task, args in ((double, (1,)), (flow, (1,)), (greet, ()), (Library(3).times, (1,))):
        with pytest.raises(
            ValueError, match=r"engine.run got .* of another engine; .*\n  engine.run\(\w+.on"
        ):
            engine.run(task, *args)  # type: ignore[arg-type]
    assert engine.run(double.on(engine), 4) == 8
