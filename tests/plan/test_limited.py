"""How long a plan takes where tasks share limits, and what keeps it from being quicker."""

from __future__ import annotations

from math import inf
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from profiles import examples

from asyncflow import Limit, WorkflowEngine
from asyncflow._graph import network
from asyncflow._graph.limited import LimitedSchedule, Needs, Scarce
from asyncflow.plan import Edge, Plan, PlannedLimit, PlannedTask


def plan_of(count: int, *capacities: PlannedLimit, seconds: float = 1.0, **options: object) -> Plan:
    """So many tasks that need the same and wait for nothing."""
    tasks = [PlannedTask(number, "fit", expected=seconds, **options) for number in range(1, count + 1)]  # type: ignore[arg-type]
    return Plan(tasks, capacities=capacities)


GPU = PlannedLimit("gpu", concurrency=2)
CALLS = PlannedLimit("calls", rate=2, per=1.0, burst=1)


# -- how long ---------------------------------------------------------------------------------------------


def test_no_more_run_at_once_than_a_limit_allows() -> None:
    plan = plan_of(10, GPU, limits=(("gpu", 1.0),))
    assert plan.makespan(10) == 5
    assert plan.makespan(1) == 10


def test_a_weight_takes_as_many_slots() -> None:
    assert plan_of(4, PlannedLimit("gpu", concurrency=3), limits=(("gpu", 2.0),)).makespan(10) == 4
    assert plan_of(4, PlannedLimit("gpu", concurrency=4), limits=(("gpu", 2.0),)).makespan(10) == 2
    assert plan_of(4, GPU, limits=(("gpu", 0.0),)).makespan(10) == 1


def test_what_follows_from_arguments_counts_one() -> None:
    assert plan_of(4, GPU, limits=(("gpu", None),)).makespan(10) == 2


def test_max_concurrent_is_a_limit_of_one_function() -> None:
    assert plan_of(6, max_concurrent=3).makespan(10) == 2


def test_no_more_begin_in_a_time_than_a_rate_allows() -> None:
    assert plan_of(5, CALLS, limits=(("calls", 1.0),)).makespan(10) == pytest.approx(4 / 2 + 1)
    burst = PlannedLimit("calls", rate=2, per=1.0, burst=3)
    assert plan_of(5, burst, limits=(("calls", 1.0),)).makespan(10) == pytest.approx(2 / 2 + 1)


def test_a_limit_of_which_nothing_is_known_holds_nobody() -> None:
    assert plan_of(4, limits=(("gpu", 1.0),)).makespan(4) == 1


def test_a_block_holds_a_limit_until_what_is_inside_is_over() -> None:
    tasks = [
        PlannedTask(1, "main", "block", limits=(("gpu", 2.0),)),
        PlannedTask(2, "in", block=1, expected=3.0),
    ]
    tasks += [PlannedTask(3, "other", limits=(("gpu", 1.0),), expected=1.0)]
    assert Plan(tasks, capacities=[GPU]).makespan(4) == 4


def test_what_can_never_run_takes_for_ever() -> None:
    assert plan_of(2, GPU, limits=(("gpu", 3.0),)).makespan(4) == inf
    tasks = [PlannedTask(1, "main", "block", limits=(("gpu", 2.0),))]
    tasks += [PlannedTask(2, "inside", block=1, limits=(("gpu", 1.0),))]
    assert Plan(tasks, capacities=[GPU]).makespan(4) == inf


def test_limits_may_be_supposed_to_be_others() -> None:
    plan = plan_of(8, GPU, limits=(("gpu", 1.0),), max_concurrent=4)
    assert plan.makespan(8) == 4
    assert plan.makespan(8, limits={"gpu": 8}) == 2
    assert plan.makespan(8, limits={"gpu": 8, "max_concurrent of fit": None}) == 1
    assert plan.makespan(8, limits={"gpu": PlannedLimit("gpu", rate=1)}) == pytest.approx(8)
    assert plan.makespan(8, {"fit": 2.0}, limits={"gpu": 1}) == 16


def test_a_limit_that_no_task_has_is_refused() -> None:
    with pytest.raises(
        LookupError, match=r"no task has a limit 'gqu'\. Did you mean 'gpu'\?\n  There are: gpu"
    ):
        plan_of(1, GPU, limits=(("gpu", 1.0),)).makespan(1, limits={"gqu": 2})
    with pytest.raises(ValueError, match="above 0"):
        plan_of(1, GPU, limits=(("gpu", 1.0),)).makespan(1, limits={"gpu": 0})


def test_what_is_urgent_goes_first_in_a_schedule_with_what_it_waits_for() -> None:
    tasks = [PlannedTask(number, "long", expected=5.0) for number in (1, 2)]
    tasks += [PlannedTask(3, "first", expected=1.0), PlannedTask(4, "urgent", expected=1.0, priority=1.0)]
    edges = [Edge(3, 4)]
    plan = Plan(tasks, edges)
    assert plan.makespan(2) == 7
    assert Plan([*tasks[:3], PlannedTask(4, "urgent", expected=1.0)], edges).makespan(2) == 7
    assert plan._network.standing() == [0, 0, 1, 1]


# -- what it is held to -----------------------------------------------------------------------------------


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[list[int]], list[float], dict[int, Needs]]:
    size = draw(st.integers(1, 20))
    after: list[list[int]] = [[] for _ in range(size)]
    for point in range(1, size):
        for before in draw(st.lists(st.integers(0, point - 1), max_size=2, unique=True)):
            after[before].append(point)
    weights = [draw(st.sampled_from([0.0, 0.5, 1.0, 3.0])) for _ in range(size)]
    need = st.lists(
        st.tuples(st.integers(0, 2), st.sampled_from([0.5, 1.0, 2.0])), max_size=2, unique_by=lambda n: n[0]
    )
    needs = {point: tuple(sorted(draw(need))) for point in range(size)}
    return after, weights, {point: each for point, each in needs.items() if each}


SCARCE = [Scarce(slots=2.0), Scarce(slots=3.0), Scarce(pace=2.0, burst=2.0)]


@settings(examples(200))
@given(graphs(), st.integers(1, 4))
def test_a_schedule_keeps_to_limits_workers_and_order(
    graph: tuple[list[list[int]], list[float], dict[int, Needs]], workers: int
) -> None:
    after, weights, needs = graph
    size = len(after)
    works = [True] * size
    begins = LimitedSchedule(
        after, network.in_order(after), weights, works, workers, SCARCE, needs, {}
    ).begins
    assert all(begin < inf for begin in begins)
    for point, followers in enumerate(after):
        assert all(begins[each] >= begins[point] + weights[point] for each in followers)
    for now in begins:
        at_once = [each for each in range(size) if begins[each] <= now < begins[each] + weights[each]]
        assert len(at_once) <= workers
        for number in (0, 1):
            used = sum(amount for each in at_once for what, amount in needs.get(each, ()) if what == number)
            assert used <= SCARCE[number].slots
        for then in begins:
            begun = [each for each in range(size) if then <= begins[each] <= now]
            took = sum(amount for each in begun for what, amount in needs.get(each, ()) if what == 2)
            assert took <= 2.0 + max(0.0, now - then) * 2.0 + 1e-6 or now < then


@settings(examples(100))
@given(graphs(), st.integers(1, 4))
def test_without_needs_it_is_the_schedule_that_there_is_without_limits(
    graph: tuple[list[list[int]], list[float], dict[int, Needs]], workers: int
) -> None:
    after, weights, _ = graph
    given_ = after, network.in_order(after), weights, [True] * len(after), workers
    assert LimitedSchedule(*given_, [], {}, {}).begins == network.list_schedule(*given_)


def test_a_schedule_of_many_tasks_that_need_many_things_is_linear_enough() -> None:
    random = Random(1)
    limits = [PlannedLimit(f"limit {number}", concurrency=10) for number in range(5)]
    tasks = [
        PlannedTask(
            number, "fit", expected=random.random(), limits=((f"limit {number % 5}", 1.0 + number % 3),)
        )
        for number in range(1, 20_001)
    ]
    assert Plan(tasks, capacities=limits).makespan(100) < inf


# -- in words ---------------------------------------------------------------------------------------------


def test_a_plan_says_which_limit_keeps_it_from_being_quicker() -> None:
    plan = plan_of(10, GPU, limits=(("gpu", 1.0),))
    assert plan.limits(10) == (
        "Limit 'gpu' (2 at once) limits it: 10 tasks that need it take 5 s at least; planned: 5 s.\n"
        "  Without limits it would take 1 s."
    )
    assert plan.limits(1).startswith("The number of workers limits it")
    assert plan.limits(10, limits={"gpu": None}).startswith("The critical path limits it")


def test_a_plan_says_that_a_limit_keeps_it_from_ending() -> None:
    assert plan_of(2, GPU, limits=(("gpu", 3.0),)).limits(4) == (
        "Limit 'gpu' (2 at once) keeps it from ending: a task needs more than there is."
    )


def test_a_rate_limits_a_plan() -> None:
    told = plan_of(101, CALLS, limits=(("calls", 1.0),)).limits(200)
    assert told.startswith(
        "Limit 'calls' (2 in 1 s) limits it: 101 tasks that need it take 51 s at least; planned: 51 s."
    )


def test_what_is_shown_of_a_plan_tells_its_limits() -> None:
    assert "gpu (2 at once): 10 tasks" in str(plan_of(10, GPU, limits=(("gpu", 1.0),)))


# -- what a rehearsal finds -------------------------------------------------------------------------------


async def test_a_plan_knows_limits_and_priorities_of_what_was_rehearsed() -> None:
    engine = WorkflowEngine()
    engine.limit("api", concurrency=2, rate=10, burst=3)
    own = Limit("api", concurrency=5)

    @engine.function_task(limits="api", max_concurrent=4, priority=2)
    def fetch(page: int) -> int:
        return page

    @engine.function_task(limits={own: 2})
    def other(page: int) -> int:
        return page

    @engine.block(priority=1.5)
    async def main() -> None:
        await other(await fetch(1))

    plan = await engine.plan(main)
    assert not plan.findings
    main_, fetch_, other_ = plan.tasks
    assert [each.priority for each in (main_, fetch_, other_)] == [1.5, 2, 1.5]
    assert (fetch_.limits, fetch_.max_concurrent) == ((("api", 1.0),), 4)
    assert other_.limits == (("api (2)", 2.0),)
    assert plan.capacities == (
        PlannedLimit("api", concurrency=2, rate=10, per=1.0, burst=3),
        PlannedLimit("api (2)", concurrency=5),
    )
    assert Plan.from_json(plan.to_json()) == plan
    assert '"max_concurrent": 4, "priority": 2' in plan.to_json()


async def test_a_plan_of_what_was_called_in_a_dry_run_knows_them_too() -> None:
    engine = WorkflowEngine(dry_run=True)
    engine.limit("api", concurrency=2)

    async with engine:
        await engine.function_task(abs, limits="api", priority=3)(-1)
        plan = await engine.plan()
    assert plan.capacities == (PlannedLimit("api", concurrency=2),)
    assert plan.tasks[0].priority == 3


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ({"name": 3}, "text"),
        ({"concurrency": 0}, "above 0"),
        ({"rate": "2"}, "numbers"),
        ({"per": inf}, "above 0"),
    ],
)
def test_what_is_no_limit_is_refused(given: dict[str, object], wrong: str) -> None:
    with pytest.raises((TypeError, ValueError), match=wrong):
        PlannedLimit(**{"name": "gpu", **given})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "given", [{"priority": "1"}, {"priority": inf}, {"max_concurrent": 0}, {"limits": (("gpu", -1.0),)}]
)
def test_a_task_with_options_that_cannot_be_is_refused(given: dict[str, object]) -> None:
    with pytest.raises((TypeError, ValueError), match=r"fit \(#1\)"):
        PlannedTask(1, "fit", **given)  # type: ignore[arg-type]
