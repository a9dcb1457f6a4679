"""Plans know amounts: what tasks need of cores, memory and GPUs, and how long that makes it take."""

from __future__ import annotations

from typing import Any

from asyncflow import WorkflowEngine
from asyncflow.plan import Plan


async def plan_of(there_are: dict[str, float], count: int = 4, **options: Any) -> Plan:
    """So many tasks of a second that need the same and wait for nothing."""
    engine = WorkflowEngine("sequential", amounts=there_are)
    task = engine.function_task(abs, expected=1, **options)

    @engine.block
    async def main() -> list[int]:
        return [await each for each in [task(-1) for _ in range(count)]]

    return await engine.plan(main)


async def test_no_more_run_at_once_than_there_are_gpus() -> None:
    plan = await plan_of({"gpus": 2}, gpus=1)
    assert plan.makespan(10) == 2
    assert plan.makespan(10, limits={"gpus": 4}) == 1


async def test_amount_that_follows_from_the_attempt_counts_as_of_the_first() -> None:
    plan = await plan_of({"memory": 8e9}, memory=lambda attempt, error: 4e9 * attempt)
    assert next(dict(task.limits) for task in plan.tasks if task.name == "abs") == {"memory": 4e9}
    assert plan.makespan(10) == 2


async def test_amount_that_cannot_be_told_yet_is_one() -> None:
    plan = await plan_of({"cores": 2}, cores=lambda attempt, error: error.missing)
    assert plan.makespan(10) == 2


async def test_amounts_and_limits_are_kept_in_the_json() -> None:
    plan = await plan_of({"cores": 2, "licence": 1}, cores=2, amounts={"licence": 1})
    again = Plan.from_json(plan.to_json())
    assert again == plan
    assert again.makespan(10) == 4
    assert {each.name: each.concurrency for each in again.capacities} == {"cores": 2, "licence": 1}
