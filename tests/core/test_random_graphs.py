"""Random graphs, run in random orders, come out as the oracle says and are in order after every single event."""

from __future__ import annotations

from random import Random

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from asyncflow._core.task import Task

from .drill import Drill, Habits
from .kit import Bench, examples
from .oracle import CANCELLED, FAILED, SUCCEEDED, TIMED_OUT, in_sequence

percents = st.sampled_from([0, 2, 8, 25])
habits = st.builds(
    Habits,
    calls=st.sampled_from([15, 40, 80]),
    fails=percents,
    is_stopped=percents,
    times_out=percents,
    is_given_back=percents,
    cancels=percents,
    blocks=st.sampled_from([0, 20, 60]),
    inside=st.sampled_from([30, 90]),
    returns=st.sampled_from([0, 30, 80]),
    dependencies=st.sampled_from([1, 3, 8]),
    capacity=st.sampled_from([None, 1, 3]),
)


@settings(examples(150), suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.randoms(use_true_random=False), st.integers(1, 10), habits)
def test_a_small_graph_is_in_order_after_every_event(random: Random, size: int, habits: Habits) -> None:
    Drill(random, size, habits).run()


@settings(examples(40))
@given(st.integers(0, 2**64), st.integers(20, 200), habits)
def test_a_graph_of_up_to_200_tasks_is_in_order_after_every_event(seed: int, size: int, habits: Habits) -> None:
    drill = Drill(Random(seed), size, habits)
    drill.run()
    for state in {task.state for task in drill.tasks.values()}:
        event(f"some task is {state} in the end")
    assert len(drill.tasks) == size
