"""What the scheduler promises, one promise a test. That they hold together is shown in test_random_graphs.py."""

from __future__ import annotations

import gc
import weakref

import pytest

from asyncflow._core.lanes import Lane
from asyncflow._core.mending import mend
from asyncflow._core.states import (
    CANCELLED,
    CANCELLING,
    FAILED,
    KEPT,
    PENDING,
    READY,
    RUNNING,
    STEP,
    SUBMITTED,
    SUCCEEDED,
    UPSTREAM_FAILED,
    State,
)
from asyncflow._core.story import explain
from asyncflow._core.task import Task
from asyncflow.errors import ImpossibleTransition

from .kit import Bench, PlainTask, body, definition, states

BROKEN = ValueError("need 2 rows")


def roots(task: Task) -> list[int]:
    assert task.cause is not None
    return [root.task_id for root in task.cause.roots]


# -- running ----------------------------------------------------------------------------------------------


def test_a_call_without_dependencies_is_ready_at_once() -> None:
    bench = Bench()
    task = bench.call()
    assert task.state is State.READY
    assert bench.scheduler.lanes.due == [bench.lane]
    assert bench.take() == [task]
    assert (task.state, task.attempt) == (State.SUBMITTED, 1)


def test_a_lane_is_due_once_for_a_burst() -> None:
    bench = Bench()
    burst = [bench.call() for _ in range(5)]
    assert bench.scheduler.lanes.due == [bench.lane]
    assert bench.take() == burst


def test_a_call_waits_until_the_last_dependency_has_succeeded() -> None:
    bench = Bench()
    first, second = bench.run(), bench.run()
    both = bench.call(first, second)
    assert (both.state, both.waiting) == (State.PENDING, 2)
    bench.scheduler.succeeded(second)
    assert (both.state, both.waiting) == (State.PENDING, 1)
    bench.scheduler.succeeded(first)
    assert both.state is State.READY


def test_a_dependency_that_is_named_twice_is_waited_for_all_the_same() -> None:
    bench = Bench()
    first = bench.run()
    twice = bench.call(first, first)
    bench.scheduler.succeeded(first)
    assert twice.state is State.READY
    assert bench.take() == [twice]


def test_a_call_that_depends_on_what_is_done_is_ready_at_once() -> None:
    bench = Bench()
    done = bench.run()
    bench.scheduler.succeeded(done)
    assert bench.call(done).state is State.READY


def test_a_backend_may_report_the_end_without_the_start() -> None:
    bench = Bench()
    good, bad = bench.call(), bench.call()
    bench.take()
    bench.scheduler.succeeded(good)
    bench.scheduler.failed(bad, BROKEN)
    assert states([good, bad]) == ["SUCCEEDED", "FAILED"]


def test_tasks_of_different_lanes_are_taken_apart() -> None:
    bench = Bench()
    other = Lane("backend 'cpu'")
    here, there = bench.call(), bench.call(lane=other)
    assert bench.scheduler.lanes.due == [bench.lane, other]
    assert bench.scheduler.lanes.take(bench.lane) == [here]
    assert bench.scheduler.lanes.take(other) == [there]


@pytest.mark.parametrize("is_coroutine", [False, True])
@pytest.mark.parametrize("timeout", [None, 30.0])
def test_a_task_tells_a_backend_what_it_has_to_know(is_coroutine: bool, timeout: float | None) -> None:
    task = PlainTask(
        1, definition("fit", is_coroutine=is_coroutine, timeout=timeout), Lane("x"), (1,), {"a": 2}
    )
    assert (task.name, task.fn, task.args, task.kwargs) == ("fit", body, (1,), {"a": 2})
    assert task.is_coroutine is is_coroutine
    assert task.timeout is timeout


# -- a lane with a capacity -----------------------------------------------------------------------------------


def test_a_full_lane_holds_the_rest_in_order_and_goes_on_when_a_slot_comes_free() -> None:
    bench = Bench(capacity=2)
    tasks = [bench.call() for _ in range(4)]
    assert bench.take() == tasks[:2]
    assert (bench.lane.taken, bench.lane.is_due) == (2, False)
    assert states(tasks[2:]) == ["READY", "READY"]
    bench.scheduler.succeeded(tasks[0])
    assert bench.take() == [tasks[2]]
    bench.scheduler.failed(tasks[1], BROKEN)
    assert bench.take() == [tasks[3]]


def test_a_cancelled_task_keeps_its_slot_until_it_has_stopped() -> None:
    bench = Bench(capacity=1)
    task, next_one = bench.run(), bench.call()
    bench.scheduler.cancel(task)
    assert bench.take() == []
    bench.scheduler.stopped(task)
    assert bench.take() == [next_one]


def test_what_was_cancelled_while_it_was_held_takes_no_slot() -> None:
    bench = Bench(capacity=1)
    running, held, next_one = bench.run(), bench.call(), bench.call()
    bench.scheduler.cancel(held)
    bench.scheduler.succeeded(running)
    assert bench.take() == [next_one]
    assert bench.lane.taken == 1


def test_what_was_cancelled_while_it_was_held_is_let_go_though_no_slot_comes_free() -> None:
    bench = Bench(capacity=1)
    bench.run()
    held = [bench.call() for _ in range(100)]
    for task in held[::3] + held[1::3]:
        bench.scheduler.cancel(task)
        assert len(bench.lane.ready) <= 2 * sum(each.state == "READY" for each in held)
    assert [each for each in bench.lane.ready if each.state == "READY"] == held[2::3]


def test_what_was_cancelled_before_a_lane_without_limit_was_asked_is_not_submitted() -> None:
    bench = Bench()
    task, other = bench.call(), bench.call()
    bench.scheduler.cancel(task)
    assert bench.take() == [other]


def test_a_task_that_is_given_back_frees_its_slot_and_may_run_again() -> None:
    bench = Bench(capacity=1)
    task, other = bench.call(), bench.call()
    assert bench.take() == [task]
    bench.scheduler.given_back(task)
    assert (task.state, task.attempt, bench.lane.taken) == (State.READY, 0, 0)
    assert bench.take() == [other]
    bench.scheduler.succeeded(other)
    assert bench.take() == [task]
    assert task.attempt == 1


# -- a lane where files are staged ------------------------------------------------------------------------


class Stage(Bench):
    """A bench whose tasks have files: two may be on their way to a lane with one slot."""

    def __init__(self, ahead: int = 2) -> None:
        super().__init__(capacity=1)
        self.slots = self.lane
        self.lane = Lane("backend 'thread'", ahead, leads_to=self.slots)

    def take(self) -> list[Task]:
        taken = []
        while self.scheduler.lanes.due:
            lane = self.scheduler.lanes.due.pop()
            taken += (
                self.scheduler.lanes.take_to_stage(lane)
                if lane is self.lane
                else self.scheduler.lanes.take(lane)
            )
        return taken


def test_a_task_is_ready_until_its_files_are_there_and_goes_on_then() -> None:
    bench = Stage()
    task = bench.call()
    assert bench.take() == [task]
    assert (task.state, task.attempt, task.lane) == (State.READY, 0, bench.lane)
    bench.scheduler.lanes.staged(task, bench.lane)
    assert (task.state, task.lane) == (State.READY, bench.slots)
    assert bench.take() == [task]
    assert (task.state, task.attempt) == (State.SUBMITTED, 1)
    bench.scheduler.succeeded(task)
    assert (bench.lane.taken, bench.slots.taken) == (0, 0)


def test_no_more_is_staged_than_the_lane_has_room_for_or_waits_there_for_a_slot() -> None:
    bench = Stage()
    tasks = [bench.call() for _ in range(6)]
    assert bench.take() == tasks[:2]
    for task in tasks[:2]:
        bench.scheduler.lanes.staged(task, bench.lane)
    assert set(bench.take()) == {tasks[0], tasks[2]}  # one runs, and one waits for its slot
    bench.scheduler.lanes.staged(tasks[2], bench.lane)
    assert bench.take() == []
    bench.scheduler.succeeded(tasks[0])
    assert set(bench.take()) == {tasks[1], tasks[3]}


def test_a_failure_to_stage_is_the_tasks_own_and_frees_its_place() -> None:
    bench = Stage(ahead=1)
    task, other = bench.call(), bench.call()
    assert bench.take() == [task]
    bench.scheduler.failed(task, BROKEN)
    bench.scheduler.lanes.staged(task, bench.lane)
    assert task.state is State.FAILED
    assert bench.take() == [other]
    assert (bench.lane.taken, bench.slots.taken) == (1, 0)


def test_what_was_cancelled_while_its_files_were_on_their_way_does_not_go_on() -> None:
    bench = Stage(ahead=1)
    task, held, other = bench.call(), bench.call(), bench.call()
    bench.take()
    bench.scheduler.cancel(task)
    bench.scheduler.cancel(held)
    assert bench.take() == []
    bench.scheduler.lanes.staged(task, bench.lane)
    assert bench.take() == [other]
    assert states([task, held]) == ["CANCELLED", "CANCELLED"]


# -- chains -----------------------------------------------------------------------------------------------


def chain_bench() -> Bench:
    bench = Bench()
    bench.lane = Lane("backend 'process'", links=True)
    return bench


def links_of(task: Task) -> list[Task]:
    links = []
    link = task.link
    while link is not None:
        links.append(link)
        link = link.link
    return links


def test_a_chain_is_submitted_as_a_whole_where_the_lane_takes_chains() -> None:
    bench = chain_bench()
    a = bench.call()
    b = bench.call(a)
    c = bench.call(b)
    assert bench.take() == [a]
    assert links_of(a) == [b, c]
    assert states([a, b, c]) == ["SUBMITTED"] * 3
    assert [task.attempt for task in (a, b, c)] == [1, 1, 1]
    assert bench.lane.taken == 3
    for task in (a, b, c):
        bench.scheduler.started(task)
        bench.scheduler.succeeded(task)
    assert states([a, b, c]) == ["SUCCEEDED"] * 3
    assert bench.lane.taken == 0


def test_a_lane_that_takes_no_chains_gets_link_after_link() -> None:
    bench = Bench()
    a = bench.call()
    b = bench.call(a)
    assert bench.take() == [a]
    assert a.link is None and b.state is State.PENDING


def test_a_chain_ends_where_it_forks() -> None:
    bench = chain_bench()
    a = bench.call()
    left, right = bench.call(a), bench.call(a)
    bench.take()
    assert a.link is None
    assert states([left, right]) == ["PENDING", "PENDING"]


def test_a_chain_ends_where_something_else_is_waited_for() -> None:
    bench = chain_bench()
    other = bench.call(lane=Lane("backend 'thread'"))
    a = bench.call()
    both = bench.call(a, other)
    bench.take()
    assert a.link is None and both.state is State.PENDING


def test_a_chain_ends_where_the_next_runs_somewhere_else() -> None:
    bench = chain_bench()
    a = bench.call()
    b = bench.call(a, lane=Lane("backend 'cpu'", links=True))
    bench.take()
    assert a.link is None and b.state is State.PENDING


def test_a_chain_ends_where_a_value_is_wanted_inside_a_container() -> None:
    bench = chain_bench()
    a = bench.call()
    b = bench.call(a)
    b.holes = [object()]
    bench.take()
    assert a.link is None and b.state is State.PENDING


def test_a_chain_ends_where_the_next_will_not_run_or_was_cancelled() -> None:
    bench = chain_bench()
    bad = bench.run()
    bench.scheduler.failed(bad, BROKEN)
    a = bench.call()
    doomed = bench.call(a, bad)
    c = bench.call()
    cancelled = bench.call(c)
    bench.scheduler.cancel(cancelled)
    bench.take()
    assert a.link is c.link is None
    assert states([doomed, cancelled]) == ["PENDING", "CANCELLED"]


def test_a_very_long_chain_goes_in_pieces() -> None:
    bench = chain_bench()
    chain = [bench.call()]
    for _ in range(299):
        chain.append(bench.call(chain[-1]))
    (head,) = bench.take()
    sent = 1 + len(links_of(head))
    assert 100 < sent < 300
    for task in chain[:sent]:
        bench.scheduler.succeeded(task)
    assert bench.take() == [chain[sent]]


def test_a_failure_within_a_chain_is_told_to_all_behind_it_who_are_over_when_the_backend_gives_them_back() -> (
    None
):
    bench = chain_bench()
    a = bench.call()
    b = bench.call(a)
    c = bench.call(b)
    bench.take()
    bench.scheduler.failed(a, BROKEN)
    assert states([a, b, c]) == ["FAILED", "CANCELLING", "CANCELLING"]
    assert bench.ended() == [a, b, c]
    assert bench.stop() == [b, c]
    assert roots(c) == [a.id]
    bench.scheduler.given_back(b)
    bench.scheduler.stopped(c)
    assert states([b, c]) == ["UPSTREAM_FAILED", "UPSTREAM_FAILED"]
    assert [task.attempt for task in (a, b, c)] == [1, 0, 0]
    assert not bench.scheduler.live and bench.lane.taken == 0


def test_what_stands_behind_a_cancelled_link_is_cancelled_when_it_was_given_back() -> None:
    bench = chain_bench()
    a = bench.call()
    b = bench.call(a)
    bench.take()
    bench.scheduler.cancel(a)
    assert states([a, b]) == ["CANCELLING", "CANCELLING"]
    bench.scheduler.stopped(a)
    bench.scheduler.given_back(b)
    assert states([a, b]) == ["CANCELLED", "CANCELLED"]


def test_a_link_that_is_given_back_waits_again_for_what_is_before_it() -> None:
    bench = chain_bench()
    a = bench.call()
    b = bench.call(a)
    bench.take()
    bench.scheduler.given_back(b)
    assert (b.state, b.attempt, bench.lane.taken) == (State.PENDING, 0, 1)
    bench.scheduler.succeeded(a)
    assert bench.take() == [b]


# -- failing ----------------------------------------------------------------------------------------------


def test_a_failed_task_fails_only_its_dependents() -> None:
    bench = Bench()
    bad, sibling = bench.run(), bench.run()
    child, grandchild = bench.call(bad), None
    grandchild = bench.call(child)
    bench.scheduler.failed(bad, BROKEN)
    assert states([bad, child, grandchild, sibling]) == [
        "FAILED",
        "UPSTREAM_FAILED",
        "UPSTREAM_FAILED",
        "RUNNING",
    ]
    assert bench.ended() == [bad, child, grandchild]
    assert roots(grandchild) == [bad.id]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_a_task_is_decided_when_all_have_ended_and_tells_all_root_causes(order: tuple[int, ...]) -> None:
    bench = Bench()
    above = [bench.run(), bench.run(), bench.run()]
    task = bench.call(*above)
    for count, position in enumerate(order, start=1):
        if position == 1:
            bench.scheduler.succeeded(above[position])
        else:
            bench.scheduler.failed(above[position], BROKEN)
        assert task.state is (State.UPSTREAM_FAILED if count == 3 else State.PENDING)
    assert roots(task) == [above[0].id, above[2].id]
    assert task.cause is not None
    assert [cause.task_id for cause in task.cause.upstream] == [above[0].id, above[2].id]


def test_a_call_that_depends_on_what_has_failed_is_decided_at_once() -> None:
    bench = Bench()
    bad = bench.run()
    bench.scheduler.failed(bad, BROKEN)
    bench.ended()
    late = bench.call(bad)
    assert late.state is State.UPSTREAM_FAILED
    assert bench.ended() == [late]
    assert not bench.scheduler.live


def test_a_call_that_depends_on_what_has_failed_and_on_what_runs_waits_for_the_whole_story() -> None:
    bench = Bench()
    bad, running = bench.run(), bench.run()
    bench.scheduler.failed(bad, BROKEN)
    late = bench.call(bad, running)
    assert late.state is State.PENDING
    bench.scheduler.failed(running, KeyError("x"))
    assert roots(late) == [bad.id, running.id]


def test_a_failure_and_a_cancellation_together_are_a_failure_with_both_as_root_causes() -> None:
    bench = Bench()
    cancelled, bad = bench.run(), bench.run()
    task = bench.call(cancelled, bad)
    bench.scheduler.cancel(cancelled)
    bench.scheduler.failed(bad, BROKEN)
    assert task.state is State.UPSTREAM_FAILED
    assert task.cause is not None
    assert [(root.task_id, root.error) for root in task.cause.roots] == [(1, None), (2, BROKEN)]


def test_a_task_that_could_not_be_submitted_fails_from_ready() -> None:
    bench = Bench()
    task = bench.call()
    bench.scheduler.failed(task, BROKEN)
    assert task.state is State.FAILED
    assert bench.lane.taken == 0
    assert bench.take() == []


def test_a_failure_that_a_dependent_tells_of_is_marked_as_passed_on() -> None:
    bench = Bench()
    told, untold = bench.run(), bench.run()
    bench.call(told)
    bench.scheduler.failed(told, BROKEN)
    bench.scheduler.failed(untold, BROKEN)
    assert told.cause is not None and untold.cause is not None
    assert (told.cause.passed_on, untold.cause.passed_on) == (True, False)


def test_a_failure_is_not_passed_on_by_a_dependent_that_was_cancelled_before() -> None:
    bench = Bench()
    bad = bench.run()
    dependent = bench.call(bad)
    bench.scheduler.cancel(dependent)
    bench.scheduler.failed(bad, BROKEN)
    assert bad.cause is not None and not bad.cause.passed_on
    assert dependent.blames is None


# -- cancelling -------------------------------------------------------------------------------------------


def test_a_waiting_task_is_cancelled_without_ever_starting() -> None:
    bench = Bench()
    first = bench.run()
    second = bench.call(first)
    bench.scheduler.cancel(second)
    assert second.state is State.CANCELLED
    assert bench.stop() == []
    bench.scheduler.succeeded(first)
    assert second.state is State.CANCELLED
    assert bench.take() == []


def test_running_work_is_cancelling_until_it_has_stopped() -> None:
    bench = Bench()
    task = bench.run()
    bench.scheduler.cancel(task)
    assert task.state is State.CANCELLING
    assert bench.ended() == bench.stop() == [task]
    assert bench.scheduler.live == {task.id: task}
    bench.scheduler.stopped(task)
    assert task.state is State.CANCELLED
    assert bench.ended() == bench.stop() == []
    assert not bench.scheduler.live


def test_dependents_of_a_cancelled_task_are_cancelled_at_once() -> None:
    bench = Bench()
    task = bench.run()
    child = bench.call(task)
    grandchild = bench.call(child)
    bench.scheduler.cancel(task)
    assert states([task, child, grandchild]) == ["CANCELLING", "CANCELLED", "CANCELLED"]
    assert roots(grandchild) == [task.id]


def test_a_call_that_depends_on_what_is_being_cancelled_is_cancelled_at_once() -> None:
    bench = Bench()
    task = bench.run()
    bench.scheduler.cancel(task)
    assert bench.call(task).state is State.CANCELLED


@pytest.mark.parametrize("report", ["stopped", "failed", "given_back"])
def test_however_the_end_of_cancelled_work_is_reported_it_is_cancelled(report: str) -> None:
    bench = Bench()
    task = bench.call()
    bench.take()
    bench.scheduler.cancel(task)
    if report == "failed":
        bench.scheduler.failed(task, BROKEN)
    else:
        getattr(bench.scheduler, report)(task)
    assert task.state is State.CANCELLED
    assert task.cause is not None and task.cause.error is None
    assert bench.lane.taken == 0


def test_work_that_somebody_else_stopped_is_cancelled() -> None:
    bench = Bench()
    task = bench.run()
    child = bench.call(task)
    bench.scheduler.stopped(task)
    assert states([task, child]) == ["CANCELLED", "CANCELLED"]
    assert bench.ended() == [task, child]


def test_a_task_that_was_told_to_have_stopped_before_it_was_submitted_is_cancelled() -> None:
    bench = Bench()
    task = bench.call()
    bench.scheduler.stopped(task)
    assert task.state is State.CANCELLED
    assert bench.stop() == []


def test_cancelling_what_is_over_or_being_cancelled_changes_nothing() -> None:
    bench = Bench()
    done, bad, stopping = bench.run(), bench.run(), bench.run()
    bench.scheduler.succeeded(done)
    bench.scheduler.failed(bad, BROKEN)
    bench.scheduler.cancel(stopping)
    bench.ended(), bench.stop()
    stories = [task.story for task in (done, bad, stopping)]
    for task in (done, bad, stopping):
        bench.scheduler.cancel(task)
    assert [task.story for task in (done, bad, stopping)] == stories
    assert bench.ended() == bench.stop() == []


def test_a_start_that_crosses_a_cancel_changes_nothing() -> None:
    bench = Bench()
    task = bench.call()
    bench.take()
    bench.scheduler.cancel(task)
    bench.scheduler.started(task)
    assert task.state is State.CANCELLING


# -- time -------------------------------------------------------------------------------------------------


def test_a_task_that_ran_out_of_time_has_failed_for_others_at_once_and_itself_when_it_stops() -> None:
    bench = Bench()
    task = bench.run()
    child = bench.call(task)
    late = TimeoutError("30 s")
    bench.scheduler.timed_out(task, late)
    assert states([task, child]) == ["CANCELLING", "UPSTREAM_FAILED"]
    assert bench.ended() == [task, child]
    assert bench.stop() == [task]
    assert bench.lane.taken == 1
    bench.scheduler.stopped(task)
    assert task.state is State.FAILED
    assert task.cause is not None and task.cause.error is late
    assert bench.lane.taken == 0


def test_a_cancel_after_the_time_has_run_out_does_not_change_the_end() -> None:
    bench = Bench()
    task = bench.run()
    bench.scheduler.timed_out(task, TimeoutError())
    bench.scheduler.cancel(task)
    bench.scheduler.failed(task, BROKEN)
    assert task.state is State.FAILED
    assert task.cause is not None and isinstance(task.cause.error, TimeoutError)


def test_time_that_runs_out_for_what_does_not_run_changes_nothing() -> None:
    bench = Bench()
    running = bench.run()
    waiting, stopping, done = bench.call(running), bench.run(), bench.run()
    bench.scheduler.cancel(stopping)
    bench.scheduler.succeeded(done)
    ready = bench.call()
    tasks = [waiting, stopping, done, ready]
    stories = [task.story for task in tasks]
    for task in tasks:
        bench.scheduler.timed_out(task, TimeoutError())
    assert [task.story for task in tasks] == stories


# -- blocks -----------------------------------------------------------------------------------------------


def test_what_a_block_called_is_inside_it_until_it_is_over() -> None:
    bench = Bench()
    block = bench.run(is_block=True)
    inner = bench.run(owner=block)
    assert block.children == {inner.id: inner}
    bench.scheduler.succeeded(inner)
    assert block.children == {} and inner.owner is None


def test_a_block_that_fails_cancels_all_that_it_started_and_has_not_finished() -> None:
    bench = Bench()
    block = bench.run(is_block=True)
    done = bench.run(owner=block)
    bench.scheduler.succeeded(done)
    running = bench.run(owner=block)
    waiting = bench.call(running, owner=block)
    nested = bench.run(owner=block, is_block=True)
    inmost = bench.run(owner=nested)
    bench.scheduler.failed(block, BROKEN)
    assert states([block, done, running, waiting, nested, inmost]) == [
        "FAILED",
        "SUCCEEDED",
        "CANCELLING",
        "CANCELLED",
        "CANCELLING",
        "CANCELLING",
    ]


def test_a_cancelled_block_is_over_when_all_inside_has_stopped() -> None:
    bench = Bench()
    block = bench.run(is_block=True)
    inner = bench.run(owner=block)
    bench.scheduler.cancel(block)
    assert states([block, inner]) == ["CANCELLING", "CANCELLING"]
    bench.scheduler.stopped(block)
    assert states([block, inner]) == ["CANCELLING", "CANCELLING"]
    bench.scheduler.stopped(inner)
    assert states([block, inner]) == ["CANCELLED", "CANCELLED"]
    assert not bench.scheduler.live and not bench.scheduler.closing


@pytest.mark.parametrize("is_due", [False, True], ids=["not due", "due"])
def test_a_block_that_is_given_up_between_two_attempts_is_over_when_all_inside_has_stopped(
    is_due: bool,
) -> None:
    bench = Bench()
    block = bench.run(is_block=True)
    inner = bench.run(owner=block)
    bench.scheduler.attempt_failed(block)
    bench.stop()
    if is_due:
        bench.scheduler.again(block, bench.lane)
    bench.scheduler.cancel(block)
    assert states([block, inner]) == ["CANCELLING", "CANCELLING"]
    assert not bench.stop()  # its body is over
    bench.scheduler.stopped(inner)
    assert states([block, inner]) == ["CANCELLED", "CANCELLED"]
    assert not bench.scheduler.live and not bench.scheduler.closing


def test_a_cancelled_block_whose_inside_has_stopped_is_over_when_its_body_has() -> None:
    bench = Bench()
    block = bench.run(is_block=True)
    inner = bench.run(owner=block)
    bench.scheduler.cancel(block)
    bench.scheduler.stopped(inner)
    assert block.state is State.CANCELLING
    bench.scheduler.stopped(block)
    assert block.state is State.CANCELLED


def test_a_block_that_ran_out_of_time_cancels_its_inside_and_fails_when_that_has_stopped() -> None:
    bench = Bench()
    block = bench.run(is_block=True)
    inner = bench.run(owner=block)
    bench.scheduler.timed_out(block, TimeoutError())
    bench.scheduler.stopped(block)
    assert states([block, inner]) == ["CANCELLING", "CANCELLING"]
    bench.scheduler.stopped(inner)
    assert states([block, inner]) == ["FAILED", "CANCELLED"]


def test_what_a_block_calls_while_it_cleans_up_is_cancelled_when_its_body_stops() -> None:
    bench = Bench()
    block = bench.run(is_block=True)
    bench.scheduler.cancel(block)
    late_runs = bench.run(owner=block)
    late_waits = bench.call(late_runs, owner=block)
    assert states([late_runs, late_waits]) == ["RUNNING", "PENDING"]
    bench.scheduler.stopped(block)
    assert states([block, late_runs, late_waits]) == ["CANCELLING", "CANCELLING", "CANCELLED"]
    bench.scheduler.stopped(late_runs)
    assert block.state is State.CANCELLED


def test_a_second_report_that_a_block_has_stopped_may_close_it() -> None:
    bench = Bench()
    block = bench.run(is_block=True)
    inner = bench.run(owner=block)
    bench.scheduler.cancel(block)
    bench.scheduler.stopped(block)
    late = bench.call(owner=block)
    bench.scheduler.stopped(inner)
    assert states([block, late]) == ["CANCELLING", "READY"]
    bench.scheduler.stopped(block)
    assert states([block, late]) == ["CANCELLED", "CANCELLED"]


def test_each_task_inside_a_cancelled_block_is_its_own_root_cause() -> None:
    bench = Bench()
    block = bench.run(is_block=True)
    nested = bench.run(owner=block, is_block=True)
    source = bench.run(owner=nested)
    reader = bench.call(source, owner=block)
    bench.scheduler.succeeded(nested)  # the source comes to stand behind its reader
    outside = bench.call(reader)
    bench.scheduler.cancel(block)
    assert roots(reader) == [reader.id]
    assert roots(outside) == [reader.id]


def test_what_a_block_leaves_unfinished_when_it_succeeds_belongs_to_the_block_around_it() -> None:
    bench = Bench()
    outer = bench.run(is_block=True)
    inner = bench.run(owner=outer, is_block=True)
    left = bench.run(owner=inner)
    bench.scheduler.succeeded(inner)
    assert left.owner is outer
    assert outer.children == {left.id: left}
    bench.scheduler.cancel(outer)
    assert left.state is State.CANCELLING


def test_what_the_outermost_block_leaves_unfinished_belongs_to_nobody_and_goes_on() -> None:
    bench = Bench()
    block = bench.run(is_block=True)
    left = bench.run(owner=block)
    bench.scheduler.succeeded(block)
    assert left.owner is None and block.children is None
    bench.scheduler.succeeded(left)
    assert left.state is State.SUCCEEDED


def test_a_block_that_returned_futures_is_told_when_all_of_them_are_over() -> None:
    bench = Bench()
    block = bench.run(is_block=True)
    good, bad = bench.run(owner=block), bench.run(owner=block)
    bench.scheduler.returned_futures(block, [good, bad])
    bench.scheduler.failed(bad, BROKEN)
    assert bench.scheduler.returned == []
    bench.scheduler.succeeded(good)
    assert bench.scheduler.returned == [block]


def test_a_block_that_returned_what_is_over_is_told_at_once() -> None:
    bench = Bench()
    block = bench.run(is_block=True)
    good, bad = bench.run(owner=block), bench.run(owner=block)
    bench.scheduler.succeeded(good)
    bench.scheduler.failed(bad, BROKEN)
    bench.scheduler.returned_futures(block, [good, bad])
    assert bench.scheduler.returned == [block]


def test_a_block_that_was_cancelled_is_not_told_of_what_it_returned() -> None:
    bench = Bench()
    block = bench.run(is_block=True)
    good, bad = bench.run(), bench.run()
    bench.scheduler.returned_futures(block, [good, bad])
    bench.scheduler.cancel(block)
    bench.scheduler.succeeded(good)
    bench.scheduler.failed(bad, BROKEN)
    assert bench.scheduler.returned == []
    assert bad.cause is not None and not bad.cause.passed_on


# -- what is kept -----------------------------------------------------------------------------------------


def ends(bench: Bench) -> list[Task]:
    """A task that has come to each end."""
    succeeded, failed, cancelled, stopped = (bench.run() for _ in range(4))
    upstream, waiting, inner = bench.call(failed), bench.call(cancelled), bench.run(owner=succeeded)
    bench.scheduler.succeeded(inner)
    bench.scheduler.succeeded(succeeded)
    bench.scheduler.failed(failed, BROKEN)
    bench.scheduler.cancel(cancelled)
    bench.scheduler.stopped(cancelled)
    bench.scheduler.stopped(stopped)
    return [succeeded, failed, cancelled, stopped, upstream, waiting, inner]


@pytest.mark.parametrize("is_watched", [False, True])
def test_a_task_that_is_over_holds_nothing_that_nobody_can_ask_for(is_watched: bool) -> None:
    bench = Bench()
    if is_watched:
        bench.scheduler.watched.add(-1)
    tasks = ends(bench)
    assert {task.state.terminal for task in tasks} == {True}
    for task in tasks:
        assert (task.args, dict(task.kwargs), task.after) == ((), {}, ())
        assert task.context is task.dependents is task.holes is task.blames is task.owner is task.link is None


def test_a_task_that_is_over_can_be_collected_without_the_cycle_collector() -> None:
    bench = Bench()

    class Marked(PlainTask):
        __slots__ = ("__weakref__",)

    gc.disable()
    try:
        tasks = []
        for end in ("succeeded", "stopped", "failed"):
            task = Marked(len(tasks) + 1, bench.call().definition, bench.lane, (), {})
            bench.scheduler.called(task, ())
            bench.take()
            bench.scheduler.failed(task, BROKEN) if end == "failed" else getattr(bench.scheduler, end)(task)
            tasks.append(weakref.ref(task))
        bench.ended(), bench.stop()
        del task
        assert [reference() for reference in tasks] == [None, None, None]
    finally:
        gc.enable()


def test_what_waits_no_longer_does_not_hold_what_it_waited_for() -> None:
    bench = Bench()
    first = bench.run()
    second = bench.call(first)
    second.after = [first]
    bench.scheduler.succeeded(first)
    assert bench.take() == [second]
    assert second.after == ()


def test_work_that_is_left_behind_is_forgotten_as_what_it_is() -> None:
    bench = Bench()
    block = bench.run(is_block=True)
    stubborn = bench.run(owner=block)
    bench.scheduler.cancel(block)
    bench.scheduler.stopped(block)
    bench.scheduler.left_behind(stubborn)
    assert states([block, stubborn]) == ["CANCELLED", "CANCELLING"]
    assert not bench.scheduler.live and bench.lane.taken == 0


def test_a_block_that_is_left_behind_does_not_close_any_more() -> None:
    bench = Bench()
    block = bench.run(is_block=True)
    inner = bench.run(owner=block)
    bench.scheduler.cancel(block)
    bench.scheduler.stopped(block)
    bench.scheduler.left_behind(block)
    bench.scheduler.stopped(inner)
    assert states([block, inner]) == ["CANCELLING", "CANCELLED"]
    assert not bench.scheduler.live and not bench.scheduler.closing and bench.lane.taken == 0


# -- who wants to hear when all is quiet ------------------------------------------------------------------------


def test_a_watched_task_is_quiet_when_its_work_has_stopped() -> None:
    bench = Bench()
    task, other = bench.run(), bench.run()
    bench.scheduler.watched |= {task.id}
    bench.scheduler.cancel(task)
    bench.scheduler.succeeded(other)
    assert bench.scheduler.quiet == []
    bench.scheduler.stopped(task)
    assert bench.scheduler.quiet == [task]
    assert not bench.scheduler.watched


def test_a_watched_block_that_failed_is_quiet_when_nothing_inside_runs_any_more() -> None:
    bench = Bench()
    block = bench.run(is_block=True)
    inner = bench.run(owner=block)
    bench.scheduler.watched |= {block.id}
    bench.scheduler.failed(block, BROKEN)
    assert (block.state, bench.scheduler.quiet) == (State.FAILED, [])
    bench.scheduler.stopped(inner)
    assert bench.scheduler.quiet == [block]


def test_watched_blocks_are_quiet_when_the_inmost_task_has_stopped() -> None:
    bench = Bench()
    outer = bench.run(is_block=True)
    inner = bench.run(owner=outer, is_block=True)
    inmost = bench.run(owner=inner)
    bench.scheduler.watched |= {outer.id, inner.id, inmost.id}
    bench.scheduler.cancel(outer)
    for task in (outer, inner, inmost):
        assert bench.scheduler.quiet == []
        bench.scheduler.stopped(task)
    assert sorted(task.id for task in bench.scheduler.quiet) == [outer.id, inner.id, inmost.id]


# -- what cannot be ---------------------------------------------------------------------------------------

BROUGHT = {
    "PENDING": (PENDING,),
    "READY": (PENDING, READY),
    "SUBMITTED": (PENDING, READY, SUBMITTED),
    "RUNNING": (PENDING, READY, SUBMITTED, RUNNING),
    "SUCCEEDED": (PENDING, READY, SUBMITTED, RUNNING, SUCCEEDED),
    "FAILED": (PENDING, READY, SUBMITTED, RUNNING, FAILED),
    "CANCELLED": (PENDING, READY, SUBMITTED, RUNNING, CANCELLING, CANCELLED),
    "UPSTREAM_FAILED": (PENDING, UPSTREAM_FAILED),
}
IMPOSSIBLE = [
    *[("started", state) for state in BROUGHT if state != "SUBMITTED"],
    *[("succeeded", state) for state in BROUGHT if state not in ("SUBMITTED", "RUNNING")],
    *[("failed", state) for state in BROUGHT if state not in ("PENDING", "READY", "SUBMITTED", "RUNNING")],
    *[("attempt_failed", state) for state in BROUGHT if state not in ("PENDING", "SUBMITTED", "RUNNING")],
    *[("given_back", state) for state in BROUGHT if state != "SUBMITTED"],
    *[("stopped", state) for state in BROUGHT if State(state).terminal],
]


@pytest.mark.parametrize(("event", "state"), IMPOSSIBLE)
def test_an_event_that_cannot_be_raises_and_changes_nothing(event: str, state: str) -> None:
    bench = Bench()
    task = bench.run(is_block=True)
    inner = bench.run(owner=task)
    story = 0
    for step in BROUGHT[state]:
        story = (story << STEP | step) & KEPT
    task.story = story
    task.waiting = state == "PENDING"
    before = {name: getattr(task, name) for name in Task.__slots__}
    with pytest.raises(
        ImpossibleTransition, match=f"'fit' \\(#1\\).*Its story: (PENDING|PENDING .* {state})\\."
    ):
        if event == "failed":
            bench.scheduler.failed(task, BROKEN)
        else:
            getattr(bench.scheduler, event)(task)
    assert {name: getattr(task, name) for name in Task.__slots__} == before
    assert inner.state is State.RUNNING
    assert bench.ended() == bench.stop() == []
    assert bench.lane.taken == 2


def test_a_link_that_is_told_to_run_before_the_end_of_the_one_before_is_no_block_that_has_returned() -> None:
    bench = Bench()
    bench.lane = Lane("backend 'process'", links=True)
    first = bench.call()
    second = bench.call(first)
    bench.take()
    bench.scheduler.started(first)
    bench.scheduler.started(second)
    bench.scheduler.succeeded(first)
    assert bench.scheduler.returned == []
    bench.scheduler.succeeded(second)
    assert second.state is State.SUCCEEDED


@pytest.mark.parametrize("has_run", [False, True])
def test_a_link_behind_what_was_cancelled_was_attempted_if_it_ran_all_the_same(has_run: bool) -> None:
    bench = chain_bench()
    head = bench.call(name="head")
    link = bench.call(head, name="link")
    bench.take()
    assert head.link is link
    bench.scheduler.cancel(head)
    assert link.state == "CANCELLING"
    bench.scheduler.stopped(head)
    bench.scheduler.stopped(link, has_run)
    assert (link.state, link.attempt) == ("CANCELLED", int(has_run))
    what = "ran, and its result was not wanted any more" if has_run else "did not run"
    assert f"'link' (#2) {what}, because of head (#1)" in explain(link)


def test_a_block_that_closes_is_over_also_when_the_last_inside_was_cut_short_in_leaving_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    bench = Bench()
    outer = bench.run(is_block=True)
    block = bench.run(is_block=True, owner=outer)
    inside = bench.run(owner=block)
    bench.scheduler.cancel(outer)
    for each in (block, outer):  # their bodies have stopped
        bench.scheduler.stopped(each)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("asyncflow._core.scheduler.leave_owner", interrupted)
        bench.scheduler.stopped(inside)
    assert [*bench.scheduler.live.values()] == [outer, block]
    mend(bench.scheduler, [bench.lane], lambda task: bench.dependencies[task])
    assert bench.scheduler.live == {}
    assert {each.state for each in (outer, block, inside)} == {State.CANCELLED}
