"""Where the time of a run went: each moment once, to what it really waited for."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given

from asyncflow._core.states import State
from asyncflow._record.history import History
from asyncflow.report import Report
from asyncflow.report.path import LEDGER
from asyncflow.report.waits import CATEGORIES

from .kit import histories, of, ran


def told(report: Report) -> list[tuple[str, float, float]]:
    """Whose time it was, from when to when."""
    steps = []
    for step in report.critical_path:
        name = "" if step.task is None else step.task.name
        steps.append(
            (f"code of {name}".removesuffix(" of ") if step.is_code else name, step.begins, step.ends)
        )
    return steps


def spent(report: Report) -> dict[str, float]:
    return {name: seconds for name, seconds in report.ledger.items() if seconds}


def test_a_task_is_held_up_by_the_dependency_that_ended_last() -> None:
    report = of(
        {"name": "quick", "times": ran(1, 1, 2)},
        {"name": "slow", "times": ran(1, 1, 5)},
        {"name": "last", "times": ran(1, 6, 8, ready=5), "needs": (1, 2)},
    )
    assert told(report) == [("code", 0, 1), ("slow", 1, 5), ("last", 5, 8)]
    assert spent(report) == {"code": 1, "run": 6, "queue": 1}
    assert report.total == 8


def test_what_was_called_when_its_dependencies_had_ended_was_held_up_by_the_code_that_called_it() -> None:
    report = of(
        {"name": "load", "times": ran(0, 0, 2)},
        {"name": "other", "times": ran(0, 0, 3)},
        {"name": "fit", "times": ran(4, 4, 5), "needs": (1,)},
        now=6,
    )
    assert told(report) == [("other", 0, 3), ("code", 3, 4), ("fit", 4, 5), ("code", 5, 6)]


def test_code_that_awaits_call_after_call_is_what_comes_between() -> None:
    report = of(*({"name": f"step {n}", "times": ran(n, n, n + 0.5)} for n in range(1, 4)))
    assert told(report) == [
        ("code", 0, 1),
        ("step 1", 1, 1.5),
        ("code", 1.5, 2),
        ("step 2", 2, 2.5),
        ("code", 2.5, 3),
        ("step 3", 3, 3.5),
    ]
    assert spent(report) == {"run": 1.5, "code": 2.0}


BLOCK: list[dict[str, Any]] = [
    {"name": "load", "times": ran(0, 0, 1)},
    {"name": "box", "kind": "block", "times": [0, 1, 1, 1, 2, 9, 9], "needs": (1,)},
    {"name": "first", "times": ran(3, 3, 5), "block": 2},
    {"name": "beside", "times": ran(3, 3, 4), "block": 2},
    {"name": "second", "times": ran(6, 7, 8), "block": 2},
]


def test_a_block_takes_what_its_tasks_and_its_code_take() -> None:
    report = of(*BLOCK, {"name": "after", "times": ran(0, 9, 10, ready=9), "needs": (2,)})
    assert told(report) == [
        ("load", 0, 1),
        ("box", 1, 2),
        ("code of box", 2, 3),
        ("first", 3, 5),
        ("code of box", 5, 6),
        ("second", 6, 8),
        ("code of box", 8, 9),
        ("after", 9, 10),
    ]
    assert spent(report) == {"run": 1 + 2 + 1 + 1, "queue": 1 + 1, "code": 3}


def test_what_a_block_has_left_behind_did_not_hold_it_up() -> None:
    left = {"name": "left", "times": ran(3, 3, 9.5), "block": 2}
    report = of(*BLOCK, left, {"name": "after", "times": ran(9, 9, 20)})
    assert "left" not in [name for name, _, _ in told(report)]
    assert told(of(*BLOCK, left))[-1] == ("left", 3, 9.5)


def test_a_block_without_tasks_is_its_code() -> None:
    report = of({"name": "box", "kind": "block", "times": [1, 1, 1, 1, 2, 5, 5]})
    assert told(report) == [("code", 0, 1), ("box", 1, 2), ("code of box", 2, 5)]


def test_what_is_awaited_from_outside_is_its_own_time() -> None:
    report = of(
        {"name": "event", "kind": "awaitable", "times": [0, 0, None, None, None, 3, 3]},
        {"name": "fit", "times": ran(0, 3, 4, ready=3), "needs": (1,)},
    )
    assert told(report) == [("event", 0, 3), ("fit", 3, 4)]
    assert spent(report) == {"run": 4}


def test_a_dependency_without_a_row_is_time_of_who_waited_for_it() -> None:
    report = of({"name": "fit", "times": ran(1, 5, 6, ready=5), "needs": (7,), "id": 9}, dropped=8)
    assert told(report) == [("code", 0, 1), ("fit", 1, 6)]
    assert spent(report) == {"code": 1, "dependency": 4, "run": 1}


def test_calls_that_wait_for_nobody_are_held_up_by_the_code_that_makes_them_until_they_are_ready() -> None:
    report = of({"times": ran(0, 3, 4, ready=2)})
    assert spent(report) == {"code": 2, "queue": 1, "run": 1}


def test_in_the_middle_of_a_run_the_way_begins_at_what_is_not_over() -> None:
    report = of(
        {"name": "load", "times": [0, 0, 0, 0, 1], "state": State.RUNNING},
        {"name": "done", "times": ran(0, 0, 2)},
        {"name": "fit", "times": [0], "needs": (1,), "state": State.PENDING},
        now=5,
        is_over=False,
    )
    assert told(report) == [("load", 0, 5), ("fit", 5, 5)]
    assert spent(report) == {"queue": 1, "run": 4}


def test_a_run_without_tasks_is_code() -> None:
    assert told(of(now=3)) == [("code", 0, 3)]
    assert list(of(now=0).critical_path) == []


def test_what_failed_holds_up_what_did_not_run_for_it() -> None:
    report = of(
        {"name": "bad", "times": ran(0, 0, 2), "state": State.FAILED},
        {"name": "plot", "times": [0, None, None, None, None, None, 3], "state": State.UPSTREAM_FAILED, "needs": (1,)},
    )  # fmt: skip
    assert told(report) == [("bad", 0, 2), ("plot", 2, 3)]
    assert spent(report) == {"run": 2, "dependency": 1}


@given(histories())
def test_each_moment_of_a_run_is_counted_once(history: History) -> None:
    report = Report(history)
    steps = list(report.critical_path)
    assert tuple(report.ledger) == LEDGER == (*CATEGORIES, "code")
    assert sum(report.ledger.values()) == pytest.approx(report.total, abs=1e-9)
    assert min(report.ledger.values()) >= 0
    assert all(one.ends == pytest.approx(next_.begins, abs=1e-12) for one, next_ in pairwise(steps))
    if steps:
        assert (steps[0].begins, steps[-1].ends) == (0, report.total)
    for step in steps:
        assert step.begins <= step.ends
        assert sum(step.shares.values()) == pytest.approx(step.seconds, abs=1e-9)
    for name, seconds in report.ledger.items():
        assert seconds == pytest.approx(sum(step.shares[name] for step in steps), abs=1e-9)
    own = [step.task.id for step in steps if step.task and not step.is_code and step.task.kind != "block"]
    assert len(set(own)) == len(own)
