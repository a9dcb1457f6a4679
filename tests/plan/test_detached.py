"""A block's end does not wait for what is detached inside of it."""

from __future__ import annotations

import pytest

from asyncflow.plan import Edge, Plan, PlannedTask


@pytest.mark.parametrize("detached", [False, True])
def test_what_comes_after_a_block_waits_for_its_detached_tasks_not(detached: bool) -> None:
    tasks = [
        PlannedTask(1, "block", "block"),
        PlannedTask(2, "tail", block=1, expected=100, detached=detached),
        PlannedTask(3, "after", expected=1),
    ]
    plan = Plan(tasks, [Edge(1, 3)])
    assert [len(stage) for stage in plan.stages] == ([2] if detached else [1, 1])
    assert plan.makespan(8) == (100 if detached else 101)


def test_a_block_that_returns_a_detached_task_ends_after_it() -> None:
    tasks = [
        PlannedTask(1, "block", "block"),
        PlannedTask(2, "tail", block=1, expected=100, detached=True),
        PlannedTask(3, "after", expected=1),
    ]
    assert Plan(tasks, [Edge(2, 1), Edge(1, 3)]).makespan(8) == 101
