"""What is worked out of all tasks: functions, blocks, stages, how busy the workers were, failures, the tail."""

from __future__ import annotations

import random
import statistics
from array import array
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from profiles import examples

from asyncflow._core.states import STATES, State
from asyncflow._record.history import History, Totals
from asyncflow.report import Report
from asyncflow.report.order import PIECE, in_order, latest_first, quantile
from asyncflow.report.waits import times

from .kit import LOOP, THREADS, add, histories, of, ran

# -- tasks ------------------------------------------------------------------------------------------------


def test_a_task_is_told_with_all_that_is_known_of_it() -> None:
    report = of(
        {"name": "load", "times": ran(0, 1, 2), "worker": "w-1", "attempts": 2, "workflow": "nightly"},
        {"name": "fit", "times": [0, None, None, None, None, None, 2.5], "needs": (1,), "roots": (1,),
         "state": State.UPSTREAM_FAILED, "called_at": "b.py:7, in go"},
    )  # fmt: skip
    load, fit = report.tasks
    assert (load.id, load.name, load.kind, load.state, load.block) == (
        1,
        "load",
        "function",
        "SUCCEEDED",
        None,
    )
    assert (load.workflow, load.place, load.worker, load.attempts) == ("nightly", THREADS, "w-1", 2)
    assert (load.called, load.started, load.finished, load.over) == (0, 1, 2, 2)
    assert (fit.ready, fit.staged, fit.submitted, fit.started, fit.finished) == (None,) * 5
    assert (fit.dependencies, fit.roots, fit.error, fit.called_at) == ((1,), (1,), "", "b.py:7, in go")
    assert (fit.bytes_in, fit.bytes_out, fit.label) == (0, 0, "fit (#2)")
    assert report.task(2) == fit and list(report.named("load")) == [load] and not report.named("x")


def test_tasks_are_a_sequence_that_is_made_when_asked() -> None:
    tasks = of(*({"name": f"t{n}", "times": ran(0, 0, 1)} for n in range(9))).tasks
    assert len(tasks) == 9 and tasks[-1].name == "t8"
    assert [task.name for task in tasks[1:7:3]] == ["t1", "t4"]
    assert [task.name for task in reversed(tasks[:2])] == ["t1", "t0"]
    assert tasks[3] in tasks and tasks.index(tasks[3]) == 3
    assert tasks[2:4] == [tasks[2], tasks[3]] == tasks[2:][:2] and tasks[2:4] != tasks[:2]
    with pytest.raises(IndexError):
        tasks[9]
    assert "9 of them" in repr(tasks)


def test_a_task_that_is_not_there_is_told() -> None:
    with pytest.raises(LookupError, match=r"this report has no task #3$"):
        of({"times": ran(0, 0, 1)}).task(3)
    with pytest.raises(LookupError, match=r"no task #1; of 5 earlier tasks only totals are kept"):
        of({"times": ran(0, 0, 1), "id": 6}, dropped=5).task(1)


@given(histories())
def test_every_task_is_found_by_its_number_and_its_name(history: History) -> None:
    report = Report(history)
    assert [task.id for task in report.tasks] == list(history.id)
    for task in report.tasks:
        assert report.task(task.id) == task
        assert task in report.named(task.name)
    told = Counter(STATES[state - 1].value for state in history.state)
    for totals in history.earlier.values():
        told.update(totals.states)
    assert report.counts == told


# -- functions --------------------------------------------------------------------------------------------


def test_a_function_has_its_calls_counted_and_their_times_told() -> None:
    report = of(
        *({"name": "fit", "times": ran(0, n, 2 * n)} for n in range(1, 5)),
        {"name": "fit", "times": ran(0, 4, 9), "state": State.FAILED, "called_at": "b.py:1, in go"},
        {"name": "fit", "times": [0, None, None, None, None, None, 9], "state": State.UPSTREAM_FAILED},
        {"name": "fit", "times": [0, 0, 0, None, None, None, 9], "state": State.FAILED},
        {"name": "fit", "times": [0, 0, 0, 0, 1], "state": State.RUNNING},
        {"name": "box", "kind": "block", "times": ran(0, 0, 9)},
    )
    assert list(report.functions) == ["fit"]
    fit = report.functions["fit"]
    assert fit.count == 8 and fit.ran == 5
    assert fit.states == {"RUNNING": 1, "SUCCEEDED": 4, "FAILED": 2, "UPSTREAM_FAILED": 1}
    assert fit.bad == {"FAILED": 2, "UPSTREAM_FAILED": 1}
    assert (fit.total, fit.mean, fit.p50, fit.max) == (15, 3, 3, 5)
    assert fit.p95 == pytest.approx(4.8)
    assert fit.waits["run"] == 15 + 8 and fit.waits["dependency"] == 9
    assert report.durations == {"fit": 3}


def test_what_is_known_of_earlier_calls_counts_too() -> None:
    report = of(
        {"name": "fit", "times": ran(0, 1, 3)},
        {"name": "box", "kind": "block", "times": ran(0, 0, 1)},
        dropped=13,
        earlier={
            "fit": Totals({"SUCCEEDED": 2, "FAILED": 1, "CANCELLED": 1}, 10.0, 7.0),
            "load": Totals({"CANCELLED": 4}, 0.0, 0.0),
            "box": Totals({"SUCCEEDED": 5}, 1.0, 1.0),
        },
    )
    fit, load = report.functions.values()
    assert (fit.count, fit.ran, fit.total, fit.mean, fit.max, fit.p50) == (5, 4, 12, 3, 7, 2)
    assert (load.count, load.ran, load.mean, load.p50, load.max) == (4, 0, None, None, None)
    assert report.counts == {"SUCCEEDED": 9, "FAILED": 1, "CANCELLED": 5}
    assert "Not told one by one: 13 earlier tasks" in str(report)


@given(st.lists(st.floats(0, 1e6), min_size=2), st.sampled_from([0.5, 0.95]))
def test_a_quantile_is_what_the_standard_library_says(values: list[float], part: float) -> None:
    told = quantile(values, part)
    assert told == pytest.approx(
        statistics.quantiles(values, n=100, method="inclusive")[round(part * 100) - 1]
    )


@given(histories())
def test_waits_of_functions_are_those_of_their_tasks(history: History) -> None:
    report = Report(history)
    for name, told in report.functions.items():
        tasks = [task for task in report.named(name) if task.kind != "block"]
        for category, seconds in told.waits.items():
            assert seconds == pytest.approx(sum(task.waits[category] for task in tasks), abs=1e-9)


# -- blocks and stages ------------------------------------------------------------------------------------

NESTED = of(
    {"name": "load", "times": ran(0, 0, 1)},
    {"name": "outer", "kind": "block", "times": [0, 1, 1, 1, 1, 8, 8], "needs": (1,)},
    {"name": "inner", "kind": "block", "times": [1, 1, 1, 1, 2, 6, 6], "block": 2},
    {"name": "fit", "times": ran(2, 2, 4), "block": 3},
    {"name": "fit", "times": ran(2, 4, 5, ready=4), "block": 3, "needs": (4,)},
    {"name": "plot", "times": ran(1, 6, 8, ready=6), "block": 2, "needs": (3,)},
    {"name": "empty", "kind": "block", "times": ran(0, 0, 1)},
    {"name": "after", "times": ran(0, 8, 9, ready=8), "needs": (2, 7)},
)


def test_a_block_is_told_with_all_that_was_inside() -> None:
    assert [(each.task.name, each.tasks, each.wall, each.run) for each in NESTED.blocks] == [
        ("outer", 3, 7, 2 + 1 + 2),
        ("inner", 2, 4, 2 + 1),
        ("empty", 0, 1, 0),
    ]
    assert len(of({"times": ran(0, 0, 1)}).blocks) == 0


def test_stages_look_through_the_walls_of_blocks() -> None:
    assert [(each.number, each.tasks, each.run, each.begins, each.ends) for each in NESTED.stages] == [
        (0, 1, 1, 0, 1),
        (1, 1, 2, 2, 4),
        (2, 1, 1, 4, 5),
        (3, 1, 2, 6, 8),
        (4, 1, 1, 8, 9),
    ]


def test_a_block_may_be_called_after_what_waits_for_it_and_run_before() -> None:
    report = of(
        {"name": "box", "kind": "block", "times": [0, 0, 0, 0, 1, 5, 5]},
        {"name": "after", "times": ran(0, 5, 6, ready=5), "needs": (1,)},
        {"name": "fit", "times": ran(1, 1, 4), "block": 1},
        {"name": "left", "times": ran(1, 6, 7, ready=6), "block": 1, "needs": (2,)},
    )
    assert [[stage.tasks, stage.begins] for stage in report.stages] == [[1, 1], [1, 5], [1, 6]]


def test_a_chain_of_any_length_and_blocks_of_any_depth_have_their_stages() -> None:
    history = History()
    for depth in range(3_000):
        add(history, "box", [0, 0, 0, 0, 0, 9, 9], kind="block", block=depth)
    first = add(history, "fit", ran(0, 1, 2), block=3_000)
    for _ in range(3_000):
        first = add(history, "fit", ran(0, 1, 2), needs=(first,))
    report = Report(history)
    assert len(report.stages) == 3_001
    assert report.blocks[0].tasks == 1
    assert sum(report.ledger.values()) == pytest.approx(report.total)


@given(histories())
def test_every_task_that_runs_is_in_one_stage(history: History) -> None:
    report = Report(history)
    tasks = [task for task in report.tasks if task.kind != "block"]
    assert sum(stage.tasks for stage in report.stages) == len(tasks)
    assert all(stage.tasks for stage in report.stages)
    work = [task.waits["run"] for task in tasks if task.kind != "awaitable"]
    assert sum(stage.run for stage in report.stages) == pytest.approx(sum(work), abs=1e-9)


# -- how busy the workers were ----------------------------------------------------------------------------


def test_parallelism_and_efficiency_are_of_the_time_in_which_tasks_ran() -> None:
    report = of(
        {"times": ran(0, 1, 5)},
        {"times": ran(0, 1, 4)},
        {"times": ran(0, 4, 5)},
        {"kind": "block", "times": ran(0, 0, 9)},
        {"kind": "awaitable", "times": ran(0, 0, 9)},
        workers={THREADS: 4, LOOP: None, "backend 'process'": 2},
        planning=0.5,
        now=10,
    )
    assert (report.total, report.planning, report.execution) == (10, 0.5, 4)
    assert (report.parallelism, report.most_at_once, report.efficiency) == (2, 2, 0.5)


def test_efficiency_is_of_places_whose_workers_are_counted_and_none_where_there_are_none() -> None:
    coroutine = {"times": ran(0, 0, 4), "place": LOOP}
    assert of(coroutine, workers={LOOP: None}).efficiency is None
    assert of(coroutine).efficiency is None
    assert of(coroutine, {"times": ran(0, 0, 4)}, workers={LOOP: None, THREADS: 2}).efficiency == 0.5
    empty = of()
    assert (empty.execution, empty.parallelism, empty.most_at_once, empty.efficiency) == (0, 0, 0, None)
    assert empty.tail is None and empty.counts == {} and not empty.stages


def test_the_tail_is_where_less_than_half_as_many_ran_and_names_who() -> None:
    report = of(
        *({"name": "quick", "times": ran(0, 0, 4)} for _ in range(3)),
        {"name": "slow", "times": ran(0, 0, 5)},
        {"name": "slower", "times": ran(0, 0, 9)},
        {"name": "late", "times": ran(0, 6, 7)},
    )
    tail = report.tail
    assert tail is not None
    assert (tail.begins, tail.ends, tail.seconds) == (4, 9, 5)
    told = [(each.task.name, each.seconds) for each in tail.tasks]
    assert told == [("slower", 5), ("slow", 1), ("late", 1)]


@pytest.mark.parametrize(
    "spans",
    [
        [(0, 1), (1, 2), (2, 3)],  # one after another: at its height to the end
        [(0, 4), (0, 4), (0, 4)],  # all done at once
        [(0, 4), (0, 5)],  # one is half of two
        [(0, 1), (0, 1), (0, 1), (1, 2), (2, 5), (3, 5), (3, 5)],  # low only in between
        [(1, 1), (2, 2)],
    ],
)
def test_workers_that_were_busy_to_the_end_leave_no_tail(spans: list[tuple[float, float]]) -> None:
    assert of(*({"times": ran(0, *span)} for span in spans)).tail is None


@given(histories())
def test_how_busy_is_what_counting_says(history: History) -> None:
    report = Report(history)
    spans = []
    for row, task in enumerate(report.tasks):
        told = times(history, row)
        if task.kind in ("function", "executable") and told.started < told.finished:
            spans.append((told.started, told.finished))
    at_once = [sum(begin <= moment < end for begin, end in spans) for moment, _ in spans]
    assert report.most_at_once == max(at_once, default=0)
    work = sum(end - begin for begin, end in spans)
    assert report.parallelism * report.execution == pytest.approx(work, abs=1e-9)
    if (tail := report.tail) is not None:
        moments = [moment for span in spans for moment in span if tail.begins <= moment < tail.ends]
        assert all(2 * sum(begin <= each < end for begin, end in spans) < max(at_once) for each in moments)
        left = sorted(end - max(begin, tail.begins) for begin, end in spans if end > tail.begins)
        assert sorted(each.seconds for each in tail.tasks if each.seconds) == pytest.approx(left)


# -- failures ---------------------------------------------------------------------------------------------


def test_the_first_failure_has_all_that_it_held_up() -> None:
    def behind(*roots: int) -> dict[str, object]:
        times = [0, None, None, None, None, None, 9]
        return {"times": times, "roots": roots, "state": State.UPSTREAM_FAILED}

    report = of(
        {"name": "late", "times": ran(0, 0, 5), "state": State.FAILED, "error": "KeyError: 1"},
        {"name": "first", "times": ran(0, 0, 3), "state": State.FAILED, "error": "ValueError: need 2 rows"},
        behind(1),
        behind(2),
        behind(1, 2),
        {"times": [0, None, None, None, None, None, 9], "roots": (2,), "state": State.CANCELLED},
    )
    failure = report.first_failure
    assert failure is not None and failure.task.error == "ValueError: need 2 rows"
    assert [task.id for task in failure.held_up] == [4, 5]
    assert of({"times": ran(0, 0, 1)}).first_failure is None


# -- columns ----------------------------------------------------------------------------------------------


def test_long_columns_are_sorted_as_short_ones() -> None:
    column = array("d", (n * 7919 % 50_021 / 3 for n in range(50_000)))
    assert list(in_order(column)) == sorted(column)
    equal = array("d", (n % 3 for n in range(50_000)))
    rows = array("I", range(50_000))
    assert list(latest_first(rows, equal.__getitem__)) == sorted(rows, key=lambda row: -equal[row])


@given(st.integers(0, 2**32), st.sampled_from([0.0, 0.01, 0.5, 0.95, 1.0]), st.integers(9_000, 20_000))
@settings(examples(30))
def test_quantile_of_many_is_found_without_sorting_them_all(seed: int, part: float, many: int) -> None:
    chance = random.Random(seed)
    kind = chance.randrange(4)
    values = [
        (chance.random(), float(chance.randrange(3)), float(place), float(place % 9 == 0) * chance.random())[
            kind
        ]
        for place in range(many)
    ]
    place = part * (many - 1)
    below, ordered = int(place), sorted(values)
    above = min(below + 1, many - 1)
    assert quantile(values, part) == ordered[below] + (place - below) * (ordered[above] - ordered[below])


@given(histories())
def test_pieces_of_columns_tell_what_the_whole_does(history: History) -> None:
    whole = str(Report(history)), Report(history).functions
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PIECE, "rows", 3)
        assert str(Report(history)) == whole[0]
        for name, told in Report(history).functions.items():
            assert told.waits == pytest.approx(whole[1][name].waits)
            assert (told.count, told.states, told.ran) == (
                whole[1][name].count,
                whole[1][name].states,
                whole[1][name].ran,
            )
