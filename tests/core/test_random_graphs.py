"""Random graphs, run in random orders, come out as the oracle says and are in order after every single event."""

from __future__ import annotations

from random import Random
from typing import Any
from unittest.mock import patch

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from profiles import examples

from asyncflow._core import dependents, lanes
from asyncflow._core.dependents import tell_more
from asyncflow.errors import Cause

from .drill import Drill, Habits
from .invariants import check_invariants
from .kit import Bench
from .oracle import CANCELLED, FAILED, SKIPPED, SUCCEEDED, TIMED_OUT, in_sequence

percents = st.sampled_from([0, 2, 8, 25])
habits = st.builds(
    Habits,
    calls=st.sampled_from([15, 40, 80]),
    fails=percents,
    is_stopped=percents,
    skips=percents,
    times_out=percents,
    is_given_back=percents,
    cancels=percents,
    blocks=st.sampled_from([0, 20, 60]),
    inside=st.sampled_from([30, 90]),
    returns=st.sampled_from([0, 30, 80]),
    dependencies=st.sampled_from([1, 3, 8]),
    chains=st.sampled_from([0, 30, 95]),
    capacity=st.sampled_from([None, 1, 3]),
    priorities=st.sampled_from([None, None, 30]),
)


@settings(examples(300), suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.randoms(use_true_random=False), st.integers(1, 10), habits)
def test_a_small_graph_is_in_order_after_every_event(random: Random, size: int, habits: Habits) -> None:
    Drill(random, size, habits).run()


@settings(examples(40))
@given(st.integers(0, 2**64), st.integers(20, 200), habits, st.sampled_from([(3, 2), (500, 127)]))
def test_a_graph_of_up_to_200_tasks_is_in_order_after_every_event(
    seed: int, size: int, habits: Habits, at_a_time: tuple[int, int]
) -> None:
    drill = Drill(Random(seed), size, habits)
    most, longest = at_a_time  # tasks that are told; in a chain
    with (
        patch.multiple(lanes, MOST=most, _LONGEST_CHAIN=longest),
        patch.object(dependents, "MOST", most),
    ):
        drill.run()
    for state in {task.state for task in drill.tasks.values()}:
        event(f"some task is {state} in the end")
    assert len(drill.tasks) >= size


# -- whatever the order -----------------------------------------------------------------------------------

ENDS = [SUCCEEDED, SUCCEEDED, SUCCEEDED, FAILED, CANCELLED, SKIPPED, TIMED_OUT]


@st.composite
def plans(draw: st.DrawFn) -> list[tuple[list[int], str]]:
    """Of each task, on which earlier ones it depends and how it ends if it runs."""
    size = draw(st.integers(1, 30))
    return [
        (
            draw(st.lists(st.integers(0, number - 1), max_size=4)) if number else [],
            draw(st.sampled_from(ENDS)),
        )
        for number in range(size)
    ]


@settings(examples(300))
@given(plans(), st.randoms(use_true_random=False), st.integers(0, 30), st.sampled_from([1, 2, 500]))
def test_ends_and_root_causes_are_the_same_in_whatever_order_tasks_end(
    plan: list[tuple[list[int], str]], random: Random, called_at_first: int, most: int
) -> None:
    with patch.object(dependents, "MOST", most):  # dependents that are told at a time
        came_out = _run_in_some_order(plan, random, called_at_first)
    assert came_out == list(in_sequence(plan))


def _run_in_some_order(plan: list[tuple[list[int], str]], random: Random, called_at_first: int) -> list[Any]:
    bench = Bench()
    scheduler = bench.scheduler
    tasks, under_way = [], []

    def something_happens() -> None:
        if scheduler.telling and random.randrange(2):
            tell_more(scheduler)
        else:
            something_ends()
        check_invariants(scheduler, {task: bench.dependencies[task] for task in tasks}, [bench.lane])

    def something_ends() -> None:
        under_way.extend(bench.take())
        if not under_way:
            return
        task = under_way.pop(random.randrange(len(under_way)))
        end = plan[task.id - 1][1]
        if end == SUCCEEDED:
            scheduler.succeeded(task)
        elif end == FAILED:
            scheduler.failed(task, ValueError(task.id))
        elif end == SKIPPED:
            scheduler.skipped(task, "nothing to do")
        elif end == CANCELLED:
            scheduler.cancel(task)
            scheduler.stopped(task)
        elif task.state != "CANCELLING":
            scheduler.timed_out(task, TimeoutError(task.id))
            under_way.append(task)  # stops at any time after
        else:
            scheduler.stopped(task)

    for dependencies, _ in plan:
        if len(tasks) >= called_at_first:
            something_happens()
        tasks.append(bench.call(*(tasks[each] for each in dependencies)))
    while scheduler.live:
        something_happens()
    return [(task.state, tuple(root.task_id - 1 for root in roots_of(task.cause))) for task in tasks]


def roots_of(cause: Cause | None) -> tuple[Cause, ...]:
    return cause.roots if cause is not None else ()
