"""Which of the tasks that could run goes first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from profiles import examples

from asyncflow._core.gates import Admission, Slots, hold
from asyncflow._core.lanes import Lane
from asyncflow._core.limits import Limit
from asyncflow._core.order import ByPriority, Order, Room, of_an_item, standing_of
from asyncflow._core.pace import Ahead, window
from asyncflow._core.states import State
from asyncflow._core.task import Task

from .kit import Bench

UNDECIDED = {State.PENDING, State.READY, State.SUBMITTED, State.RUNNING}


class Ordered(Bench):
    """A bench with a lane in which tasks go by priority."""

    def __init__(self, capacity: int | None = 1, ageing: float | None = None) -> None:
        super().__init__(capacity)
        self.order = self.scheduler.order = Order(self.scheduler.live, self.dependencies.__getitem__, ageing)
        self.lane.put_in_order(self.order)


def held(bench: Ordered) -> Task:
    """A task that waits for a limit."""
    limit = Limit("gpu", concurrency=1)
    gate = Lane("backend 'thread'", admission=Admission(Slots(None, "", None), {limit: 1}))
    gate.put_in_order(bench.order)
    task = bench.call(lane=gate)
    bench.scheduler.lanes.take_to_hold(gate, 1)
    hold(task, {limit: 1}, 0.0)
    return task


def run_all(bench: Bench, over: Callable[[Task], object] = lambda task: None) -> list[Task]:
    """Run what was called, one after another. Returns it in the order in which it ran."""
    ran = []
    while taken := bench.take():
        for task in taken:
            bench.scheduler.succeeded(task)
            over(task)
        ran += taken
    return ran


# -- among equals -----------------------------------------------------------------------------------------


@pytest.fixture(params=[Bench, Ordered])
def bench(request: pytest.FixtureRequest) -> Bench:
    made: Bench = request.param(1)
    return made


def test_equals_that_wait_for_nothing_go_in_the_order_of_their_calls(bench: Bench) -> None:
    tasks = [bench.call() for _ in range(5)]
    assert run_all(bench) == tasks


def test_what_was_begun_is_finished_before_more_is_begun(bench: Bench) -> None:
    firsts = [bench.call() for _ in range(3)]
    seconds = [bench.call(first) for first in firsts]
    thirds = [bench.call(second) for second in seconds]
    assert run_all(bench) == [task for chain in zip(firsts, seconds, thirds, strict=True) for task in chain]


def test_what_waits_for_the_same_goes_in_the_order_of_its_calls(bench: Bench) -> None:
    source, other = bench.call(), bench.call()
    users = [bench.call(source) for _ in range(5)]
    assert run_all(bench) == [source, *users, other]


def most_results(bench: Bench, tasks: Sequence[Task]) -> int:
    """How many results are there at most that somebody still waits for."""
    users = {task: [each for each in tasks if task in bench.dependencies[each]] for task in tasks}
    most, there = 0, set[Task]()

    def over(task: Task) -> None:
        nonlocal most
        there.add(task)
        most = max(most, len(there))
        for each in [*there]:
            if all(user.state is State.SUCCEEDED for user in users[each]):
                there.discard(each)

    run_all(bench, over)
    return most


@given(st.integers(1, 20), st.integers(1, 5))
@settings(examples(30))
def test_of_chains_as_many_hold_a_result_as_run_at_once_and_one_more(chains: int, long: int) -> None:
    for bench in (Bench(1), Ordered(1)):
        tasks = [bench.call() for _ in range(chains)]
        for _ in range(long):
            tasks += [bench.call(each) for each in tasks[-chains:]]
        assert most_results(bench, tasks) <= 2


def test_a_tree_holds_as_many_results_as_it_is_deep(bench: Bench) -> None:
    tasks = level = [bench.call() for _ in range(64)]
    while len(level) > 1:
        level = [bench.call(*level[at : at + 2]) for at in range(0, len(level), 2)]
        tasks = [*tasks, *level]
    assert most_results(bench, tasks) <= 8


def test_an_attempt_after_a_delay_goes_before_what_was_not_begun(bench: Bench) -> None:
    task, other = bench.call(), bench.call()
    bench.take()
    bench.scheduler.attempt_failed(task)
    bench.scheduler.again(task, bench.lane)
    assert run_all(bench) == [task, other]


# -- priorities -------------------------------------------------------------------------------------------


def test_the_highest_priority_goes_first_and_equals_in_the_order_of_their_calls() -> None:
    bench = Ordered()
    tasks = [bench.call(priority=each) for each in (0, -1.5, 2, None, 2, 1e9)]
    assert run_all(bench) == [tasks[each] for each in (5, 2, 4, 0, 3, 1)]


def test_what_a_task_waits_for_goes_by_the_priority_of_that_task() -> None:
    bench = Ordered()
    low = [bench.call() for _ in range(3)]
    middle = bench.call(priority=1)
    urgent = bench.call(bench.call(low[2]), priority=2)
    assert run_all(bench) == [low[2], *bench.dependencies[urgent], urgent, middle, low[0], low[1]]


def test_who_waits_for_nothing_urgent_raises_what_is_less_than_usual() -> None:
    bench = Ordered()
    low, usual = bench.call(priority=-5), bench.call()
    bench.call(low)
    assert standing_of(low) == standing_of(usual) == 0
    assert run_all(bench)[0] is low


def test_a_task_in_a_block_has_the_priority_of_the_block_unless_it_has_its_own() -> None:
    bench = Ordered()
    outer = bench.run(is_block=True, lane=Lane("the event loop"), priority=3)
    inner = bench.run(is_block=True, lane=Lane("the event loop"), owner=outer)
    inherits, own = bench.call(owner=inner), bench.call(owner=inner, priority=-1)
    assert [standing_of(each) for each in (inherits, own)] == [3, -1]


def test_what_is_inside_of_a_block_goes_by_what_waits_for_the_block() -> None:
    bench = Ordered()
    block = bench.run(is_block=True, lane=Lane("the event loop"))
    before = bench.call(owner=block, priority=-1)
    urgent = bench.call(block, priority=7)
    after = bench.call(bench.call(owner=block), owner=block)
    assert [standing_of(each) for each in (block, before, urgent, after)] == [7, 7, 7, 7]
    assert [standing_of(each) for each in bench.dependencies[after]] == [7]


def test_what_a_block_has_returned_goes_by_the_block() -> None:
    bench = Ordered()
    held = bench.call()
    returned = bench.call(held)
    block = bench.run(is_block=True, lane=Lane("the event loop"), priority=4)
    bench.dependencies[block] = (returned,)
    bench.scheduler.returned_futures(block, (returned,))
    assert [standing_of(each) for each in (held, returned)] == [4, 4]
    bench.call(block, priority=6)
    assert standing_of(returned) == 6


def test_all_that_is_inside_of_an_item_goes_before_later_items_also_in_blocks_inside_of_it() -> None:
    bench, loop = Ordered(), Lane("the event loop")
    first, second = [bench.run(is_block=True, lane=loop) for _ in range(2)]
    for item in (first, second):
        item.rank = of_an_item(item, item.rank)
    deep = bench.run(is_block=True, lane=loop, owner=first)
    deeper = bench.run(is_block=True, lane=loop, owner=deep)
    begun, of_second, inside = bench.call(owner=first), bench.call(owner=second), bench.call(owner=deep)
    later = [bench.call(owner=owner) for owner in (second, deeper, first)]
    assert run_all(bench) == [begun, inside, later[1], later[2], of_second, later[0]]


def test_a_call_that_is_cancelled_gets_nobody_before_others() -> None:
    bench = Ordered()
    tasks = [bench.call() for _ in range(3)]
    urgent = bench.call(priority=1)
    bench.scheduler.cancel(urgent)
    assert run_all(bench) == tasks


def test_what_waits_elsewhere_than_in_a_lane_is_told_that_it_stands_higher() -> None:
    bench = Ordered()
    waits = held(bench)
    bench.call(waits, priority=5)
    assert bench.order.raised == [waits]
    assert bench.order.standing(waits) == 5


@st.composite
def programs(draw: st.DrawFn) -> list[tuple[list[int], float | None, int]]:
    """Of each task, on which earlier ones it depends, its priority, and how many tasks run before it is called."""
    return [
        (
            draw(st.lists(st.integers(0, number - 1), max_size=3, unique=True)) if number else [],
            draw(st.sampled_from([None, None, -1, 0.5, 2, 9])),
            draw(st.sampled_from([0, 0, 0, 1])),
        )
        for number in range(draw(st.integers(1, 25)))
    ]


def highest(task: Task, users: dict[Task, list[Task]]) -> float:
    """What a task's standing has to be."""
    own = task.definition.priority or 0.0
    return max([own, *(highest(user, users) for user in users[task] if user.state in UNDECIDED)])


@settings(examples(200))
@given(programs(), st.integers(1, 3))
def test_whatever_is_called_no_task_goes_before_one_that_stands_higher(
    program: list[tuple[list[int], float | None, int]], capacity: int
) -> None:
    bench = Ordered(capacity)
    tasks: list[Task] = []
    users: dict[Task, list[Task]] = {}
    runs: list[Task] = []

    def take() -> None:
        taken = bench.take()
        runs.extend(taken)
        for task in taken:
            left = [each for each in tasks if each.state is State.READY]
            assert all(highest(task, users) >= highest(each, users) for each in left)

    for dependencies, priority, ends in program:
        for _ in range(ends):
            take()
            if runs:
                bench.scheduler.succeeded(runs.pop(0))
        task = bench.call(*(tasks[each] for each in dependencies), priority=priority)
        tasks.append(task)
        users[task] = []
        for each in dependencies:
            users[tasks[each]].append(task)
    while bench.scheduler.live:
        take()
        bench.scheduler.succeeded(runs.pop(0))


@settings(examples(100))
@given(
    st.lists(st.tuples(st.integers(0, 9), st.sampled_from("alrxp")), max_size=60),
    st.randoms(use_true_random=False),
)
def test_what_is_ready_comes_out_by_priority_and_then_from_left_to_right(
    steps: list[tuple[int, str]], random: Random
) -> None:
    bench = Ordered()
    ready, expected = ByPriority(bench.order), list[Task]()

    def stand() -> list[Task]:
        return sorted(expected, key=bench.order.key)  # stable: from left to right among equals

    for priority, step in steps:
        if step == "a":
            expected.append(bench.call(priority=priority))
            ready.append(expected[-1])
        elif step == "l":
            expected[:0] = [bench.call(priority=priority), bench.call(priority=priority)]
            ready.extendleft(reversed(expected[:2]))
        elif step == "r" and expected:
            task = random.choice(expected)
            bench.order.waits(bench.call(priority=priority + 5), [task])
            ready.move(task)
        elif step == "p" and expected:
            first = stand()[0]
            expected.remove(first)
            assert ready.popleft() is first
        elif step == "x":
            held = list(ready)
            ready.clear()
            ready.extend(held)
            expected[:] = held
        assert len(ready) == len(expected)
        assert list(ready) == stand()


# -- lanes to one place -----------------------------------------------------------------------------------


def test_of_lanes_to_one_place_the_one_goes_whose_first_stands_highest() -> None:
    bench = Ordered()
    room = Room(2)
    lanes = [Lane("backend 'thread'") for _ in range(2)]
    for lane in lanes:
        lane.put_in_order(bench.order, room)
    given = [(0, 1), (0, 5), (1, 3), (1, 0), (0, 2)]
    tasks = [bench.call(lane=lanes[number], priority=priority) for number, priority in given]

    def take() -> list[Task]:
        taken = []
        bench.order.wake(bench.scheduler.lanes)
        due = bench.scheduler.lanes.due
        while due:
            lane = bench.order.first_of(due)
            most = bench.order.most(lane, due)
            taken += bench.scheduler.lanes.take(lane, most) if most else []
        return taken

    assert take() == [tasks[1], tasks[2]]
    bench.scheduler.succeeded(tasks[2])
    assert take() == [tasks[4]]
    for task in (tasks[1], tasks[4]):
        bench.scheduler.succeeded(task)
    assert take() == [tasks[0], tasks[3]]
    assert room.left() == 0


# -- ageing -----------------------------------------------------------------------------------------------


def test_a_task_rises_by_one_for_each_so_many_seconds_since_its_call() -> None:
    bench = Ordered(ageing=10.0)
    bench.order.passes(100.0, 0)
    task = bench.call(priority=0.5)
    for seconds, standing in ((0, 0.5), (9, 0.5), (10, 1.5), (35, 3.5)):
        bench.order.passes(100.0 + seconds, 1)
        assert bench.order.standing(task) == standing


def test_after_a_pause_a_new_call_has_not_waited() -> None:
    bench = Ordered(ageing=1.0)
    bench.order.passes(5.0, 0)
    old = bench.call()
    bench.order.passes(3600.0, 1)
    new = bench.call()
    bench.order.passes(3600.0, 2)
    assert [bench.order.standing(each) for each in (old, new)] == [3595, 0]


def test_with_ageing_too_what_was_begun_is_finished_before_what_was_called_with_it() -> None:
    bench = Ordered(ageing=10.0)
    firsts = [bench.call() for _ in range(3)]
    seconds = [bench.call(first) for first in firsts]
    bench.order.passes(1000.0, 6)
    assert run_all(bench) == [task for chain in zip(firsts, seconds, strict=True) for task in chain]


def test_what_waits_for_limits_is_looked_at_anew_when_it_has_risen() -> None:
    bench = Ordered(ageing=10.0)
    waits = held(bench)
    bench.order.passes(5.0, 1)
    assert not bench.order.raised
    bench.order.passes(12.0, 1)
    assert bench.order.raised == [waits]


@settings(examples(50))
@given(st.integers(1, 20), st.sampled_from([0.5, 1.0, 3.0]), st.integers(1, 3))
def test_with_ageing_nothing_waits_for_ever_behind_what_is_urgent(
    priority: int, ageing: float, at_once: int
) -> None:
    bench = Ordered(ageing=ageing)
    bench.order.passes(0.0, 0)
    waits = bench.call()
    now = 0
    while waits.state is State.READY:
        now += 1
        bench.order.passes(float(now), bench.count)
        for _ in range(at_once):
            bench.call(priority=priority)
        for task in bench.take()[:1]:
            bench.scheduler.succeeded(task)
        # It goes before all that is called once it has risen as high, and after those that were called until then.
        assert now <= (priority * ageing + 2) * at_once + 2


def test_of_times_that_are_past_only_those_are_kept_that_somebody_may_ask_for() -> None:
    bench = Ordered(ageing=1.0)
    for now in range(1000):
        bench.order.passes(float(now), bench.count)
        bench.call()
        run_all(bench)
    assert len(bench.order._begins) < 5


# -- how much is handed ahead -----------------------------------------------------------------------------


def handed(ahead: Ahead, turn: float, each: float, turns: int = 50) -> int:
    """How many tasks a place with two workers has in the end, which always takes all that it may have.

    Args:
        ahead: of the place.
        turn: seconds from one look at it to the next.
        each: seconds that a task takes.
        turns: how many looks there are.
    """
    has = ahead.taken = ahead.capacity(0)
    for _ in range(turns):
        over = min(has, max(1, int(2 * turn / each) if each else has))
        for _ in range(over):
            ahead.saw(each)
        has = ahead.taken = max(has - over, ahead.capacity(has - over))
    return has


def test_at_first_a_place_is_handed_one_task_for_each_worker() -> None:
    assert Ahead(4).capacity(0) == 4


def test_of_long_tasks_a_place_is_never_handed_more() -> None:
    assert handed(Ahead(2), 1.0, 1.0) == 2


def test_of_short_tasks_it_is_handed_as_many_as_keep_it_busy() -> None:
    assert 10 <= handed(Ahead(2), 0.001, 0.0005) <= 20  # of 2 that a worker does until the next look


def test_where_the_loop_comes_late_a_place_is_handed_more() -> None:
    assert handed(Ahead(2), 0.02, 0.0005) > 100  # of 40 that a worker does until the next look


def test_of_tasks_that_take_no_time_it_is_handed_less_than_without_priorities() -> None:
    assert 100 < handed(Ahead(2), 0.001, 0.0) < window(2) / 2


@settings(examples(100))
@given(st.lists(st.tuples(st.integers(0, 5000), st.floats(0, 1e6)), max_size=30), st.integers(1, 100))
def test_whatever_is_measured_no_worker_is_without_a_task(
    looks: list[tuple[int, float]], workers: int
) -> None:
    ahead = Ahead(workers)
    for taken, seconds in looks:
        ahead.saw(seconds)
        ahead.taken = ahead.capacity(taken)
        assert ahead.taken >= workers
