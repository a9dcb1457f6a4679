"""What code has waited for comes before what it calls then, also where nothing is handed over."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from asyncflow import Plan, TaskFuture, WorkflowEngine
from asyncflow.plan import Checkpoint, Edge, PlannedTask

from .kit import tasks_of


def names(plan: Plan) -> list[list[str]]:
    return [sorted(task.name for task in stage) for stage in plan.stages]


@pytest.fixture
def engine() -> WorkflowEngine:
    return WorkflowEngine("thread")


def task(engine: WorkflowEngine, name: str) -> Any:
    def step(*inputs: Any) -> int:
        raise AssertionError("it is only planned")

    return engine.function_task(step, name=name)


async def test_what_is_called_after_an_await_comes_after_what_was_awaited(engine: WorkflowEngine) -> None:
    load, fit, plot, other = (task(engine, name) for name in ("load", "fit", "plot", "other"))

    @engine.block
    async def pipeline() -> Any:
        rows = await load()
        beside = other()
        model = await fit(rows)
        return [await plot(model), await beside]

    plan = await engine.plan(pipeline)
    assert names(plan) == [["load"], ["fit", "other"], ["plot"]]
    assert [each.name for each in plan.waits_for(plan.tasks[-1])] == ["fit"]
    assert plan.critical_path().length == 3
    assert plan.makespan(2) == 3
    assert "plot  fit" in " ".join(str(plan).split()).replace("plot fit", "plot  fit")


async def test_gather_is_waited_for_when_it_is_awaited(engine: WorkflowEngine) -> None:
    load, fit = task(engine, "load"), task(engine, "fit")

    @engine.block
    async def pipeline() -> Any:
        rows = await asyncio.gather(*(load() for _ in range(1000)))
        return await asyncio.gather(*(fit(each) for each in rows))

    plan = await engine.plan(pipeline)
    assert [len(stage) for stage in plan.stages] == [1000, 1000]
    assert len(plan.checkpoints) == 1  # and not a million edges
    assert plan.edges == ()


async def test_asyncio_tasks_beside_each_other_do_not_wait_for_each_other(engine: WorkflowEngine) -> None:
    load, fit, plot = (task(engine, name) for name in ("load", "fit", "plot"))

    @engine.block
    async def pipeline() -> Any:
        async def one() -> Any:
            return await fit(await load())

        await plot()
        return await asyncio.gather(one(), one(), one())

    plan = await engine.plan(pipeline)
    assert names(plan) == [["plot"], ["load"] * 3, ["fit"] * 3]


async def test_inside_of_a_block_only_its_own_code_counts(engine: WorkflowEngine) -> None:
    load, fit, plot = (task(engine, name) for name in ("load", "fit", "plot"))

    @engine.block
    async def inner() -> Any:
        return await fit(await load())

    @engine.block
    async def outer() -> Any:
        first = await inner()
        return await plot(first)

    plan = await engine.plan(outer)
    assert names(plan) == [["load"], ["fit"], ["plot"]]
    assert [each.name for each in plan.waits_for(plan.tasks[-1])] == ["inner"]


async def test_what_a_loop_has_waited_for_is_one_step_after_another(engine: WorkflowEngine) -> None:
    step = task(engine, "step")

    @engine.block
    async def loop() -> None:
        for _ in range(100):
            await step()

    plan = await engine.plan(loop)
    assert len(plan.stages) == 100
    assert [len(each.waited_for) for each in plan.checkpoints] == [1] * 99


async def test_without_an_await_nothing_is_waited_for(engine: WorkflowEngine) -> None:
    step = task(engine, "step")

    @engine.block
    def wire() -> list[TaskFuture[int]]:
        return [step(), step(step())]

    plan = await engine.plan(wire)
    assert plan.checkpoints == ()
    assert names(plan) == [["step", "step"], ["step"]]


async def test_plan_with_checkpoints_is_the_same_after_json_and_with_durations(
    engine: WorkflowEngine,
) -> None:
    step = task(engine, "step")

    @engine.block
    async def loop() -> None:
        await step()
        await step()

    plan = await engine.plan(loop)
    assert Plan.from_json(plan.to_json()) == plan
    assert plan.with_durations({"step": 2.0}).critical_path().length == 4
    written = plan.to_wfformat()
    assert Plan.from_wfformat(written).stages[1][0].name == "step"


def test_checkpoint_that_is_none_is_refused() -> None:
    tasks = tasks_of("load", "fit")
    for wrong, message in (
        ([Checkpoint((9,))], "there is no task #9"),
        ([Checkpoint((1,), 0)], "has to stand before it"),
        ([Checkpoint((1,), 5)], "has to stand before it"),
    ):
        with pytest.raises(ValueError, match=message):
            Plan(tasks, checkpoints=wrong)
    with pytest.raises(ValueError, match="there is no checkpoint 3"):
        Plan([PlannedTask(1, "load", checkpoint=3)])
    with pytest.raises(TypeError, match="a tuple of numbers of tasks is needed"):
        Checkpoint([1])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="its checkpoint is 'x'"):
        PlannedTask(1, "load", checkpoint="x")  # type: ignore[arg-type]


def test_circle_through_a_checkpoint_is_told_by_the_names_of_tasks() -> None:
    tasks = [PlannedTask(1, "load"), PlannedTask(2, "fit", checkpoint=0)]
    with pytest.raises(
        ValueError, match=r"load \(#1\) -> fit \(#2\) -> load|fit \(#2\) -> load \(#1\) -> fit"
    ):
        Plan(tasks, [Edge(2, 1)], checkpoints=[Checkpoint((1,))])
