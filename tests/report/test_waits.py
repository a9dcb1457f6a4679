"""The ledger of one task: its parts are what it says, and make up the whole."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given

from asyncflow._core.states import State
from asyncflow._record.history import History
from asyncflow.report import Report
from asyncflow.report.waits import CATEGORIES

from .kit import histories, of

ALL = [1.0, 2.0, 4.0, 7.0, 11.0, 16.0, 22.0]


def waits(times: Sequence[float | None], **more: object) -> dict[str, float]:
    """What is not zero."""
    spent = of({"times": times, **more}).tasks[0].waits
    assert tuple(spent) == CATEGORIES
    return {name: seconds for name, seconds in spent.items() if seconds}


def test_a_task_has_spent_its_time_between_the_things_that_happened_to_it() -> None:
    parts = {"dependency": 1.0, "staging": 2.0, "run": 5.0, "transfer": 6.0}
    assert waits(ALL) == {**parts, "queue": 3.0 + 4.0}
    assert waits(ALL, limit="workers") == {**parts, "limit": 3.0, "queue": 4.0}


@pytest.mark.parametrize(
    ("since", "start"),
    [(9.0, 2.0), (7.0, 4.0), (3.0, 4.0), (11.0, 0.0), (13.0, 0.0)],
    ids=["while it waited", "as soon as it was submitted", "before that", "not at all", "in another attempt"],
)
def test_that_a_worker_is_started_for_it_or_imports_what_it_needs_is_a_wait_of_its_own(
    since: float, start: float
) -> None:
    report = of({"times": ALL}, loading={1: since})
    spent = report.tasks[0].waits
    assert (spent["queue"], spent["start"], spent["run"]) == (3.0 + 4.0 - start, start, 5.0)
    assert report.functions["fit"].waits == spent


def test_a_block_waits_for_others_until_its_body_begins_and_for_what_it_has_returned() -> None:
    assert waits(ALL, kind="block") == {"dependency": 1.0 + 6.0, "staging": 2.0, "queue": 7.0, "run": 5.0}


def test_what_is_awaited_and_not_run_here_takes_all_its_time_itself() -> None:
    assert waits([1.0, None, None, None, None, None, 3.0], kind="awaitable") == {"run": 2.0}
    assert waits([1.0, 1.0, 1.0, 1.0, 1.0, 3.0, 3.0], kind="awaitable") == {"run": 2.0}


@pytest.mark.parametrize(
    ("times", "state", "parts"),
    [
        # cancelled, where it was
        ([1.0, None, None, None, None, None, 3.0], State.CANCELLED, {"dependency": 2.0}),
        ([1.0, 2.0, None, None, None, None, 3.0], State.CANCELLED, {"dependency": 1.0, "staging": 1.0}),
        ([1.0, 1.0, 1.0, None, None, None, 3.0], State.CANCELLED, {"limit": 2.0}),
        ([1.0, 1.0, 1.0, 1.0, None, None, 3.0], State.CANCELLED, {"queue": 2.0}),
        ([1.0, 1.0, 1.0, 1.0, 2.0, None, 4.0], State.CANCELLED, {"queue": 1.0, "run": 2.0}),
        # never ran
        ([1.0, None, None, None, None, None, 3.0], State.UPSTREAM_FAILED, {"dependency": 2.0}),
        ([1.0, 3.0, None, None, None, None, 3.0], State.UPSTREAM_FAILED, {"dependency": 2.0}),
        ([1.0, 1.0, 1.0, None, None, None, 3.0], State.FAILED, {"limit": 2.0}),
        # its backend told of the end only
        ([1.0, 1.0, 1.0, 2.0, None, None, 4.0], State.SUCCEEDED, {"limit": 1.0, "run": 2.0}),
        ([1.0, 1.0, 1.0, 2.0, None, None, 4.0], State.FAILED, {"limit": 1.0, "run": 2.0}),
        ([1.0, 1.0, 1.0, 2.0, None, 4.0, 5.0], State.FAILED, {"limit": 1.0, "run": 2.0, "transfer": 1.0}),
        # it runs still, at 9
        ([1.0], State.PENDING, {"dependency": 8.0}),
        ([1.0, 2.0, 2.0], State.READY, {"dependency": 1.0, "limit": 7.0}),
        ([1.0, 1.0, 1.0, 2.0], State.SUBMITTED, {"limit": 1.0, "queue": 7.0}),
        ([1.0, 1.0, 1.0, 2.0], State.RUNNING, {"limit": 1.0, "run": 7.0}),
        ([1.0, 1.0, 1.0, 2.0, 3.0], State.RUNNING, {"limit": 1.0, "queue": 1.0, "run": 6.0}),
        ([1.0, 1.0, 1.0, 2.0, 3.0, 4.0], State.RUNNING, {"limit": 1.0, "queue": 1.0, "run": 1.0, "transfer": 5.0}),
    ],
)  # fmt: skip
def test_what_is_missing_counts_for_where_the_task_was(
    times: list[float | None], state: State, parts: dict[str, float]
) -> None:
    told = of({"times": times, "state": state, "limit": "workers"}, now=9.0).tasks[0]
    assert {name: seconds for name, seconds in told.waits.items() if seconds} == parts
    assert told.seconds == (times[6] if len(times) == 7 and times[6] else 9.0) - 1.0


@given(histories())
def test_the_parts_make_up_the_whole_whatever_happened(history: History) -> None:
    for task in Report(history).tasks:
        end = history.now if task.over is None else task.over
        assert sum(task.waits.values()) == pytest.approx(end - task.called, abs=1e-9)
        assert min(task.waits.values()) >= 0
