"""A report of many tasks costs little more than their columns."""

from __future__ import annotations

import tracemalloc
from array import array

import pytest

from asyncflow._record.history import History, Site
from asyncflow.report import Report
from asyncflow.report.order import PIECE

MANY = 20_000  # by tracemalloc, which makes all of it five times slower


def history(shape: str) -> History:
    """Many tasks at once, in a loop that awaits each, in a chain, or each in a block of its own."""
    step, nothing = 0.001, array("I", [0])
    begins = array("d", (place * step for place in range(MANY)))
    ends = array("d", (begin + step / 2 for begin in begins))
    made = History(
        is_over=True,
        now=MANY * step,
        workers={"backend 'thread'": 4},
        sites=[
            Site("fit", "function", "backend 'thread'", "", "a.py:1, in main", None),
            Site("box", "block", "the event loop", "", "a.py:2, in main", None),
        ],
        id=array("I", range(1, MANY + 1)),
        site=nothing * MANY,
        block=nothing * MANY,
        state=array("B", [6]) * MANY,
        attempts=array("H", [1]) * MANY,
        worker=array("H", [0]) * MANY,
        called=begins,
        ready=begins,
        staged=begins,
        submitted=begins,
        started=begins,
        finished=ends,
        over=ends,
        starts=nothing * (MANY + 1),
    )
    if shape in ("burst", "chain"):
        made.called = array("d", [0.0]) * MANY
    if shape == "chain":
        made.starts = array("I", [0, *range(MANY)])
        made.dependencies = array("I", range(1, MANY))
        made.edges = array("B", [0]) * (MANY - 1)
    if shape == "boxes":
        made.site = array("I", [1, 0]) * (MANY // 2)
        made.block = array("I", (0 if place % 2 == 0 else place for place in range(MANY)))
        made.over = made.finished = array(
            "d", (begin + (2 if place % 2 == 0 else 0.5) * step for place, begin in enumerate(begins))
        )
    return made


@pytest.mark.parametrize("shape", ["burst", "loop", "chain", "boxes"])
def test_a_summary_takes_a_few_tens_of_bytes_a_task(shape: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PIECE, "rows", 1000)  # of which Python's own numbers are in memory at a time
    given = history(shape)
    tracemalloc.start()
    try:
        text = str(Report(given))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert f"{MANY:,} tasks" in text or f"{MANY:,} SUCCEEDED" in text
    assert peak < 80 * MANY + 200_000  # and what a report of no tasks takes


@pytest.mark.parametrize("shape", ["burst", "loop", "chain", "boxes"])
def test_many_tasks_print_in_a_screen(shape: str) -> None:
    report = Report(history(shape))
    lines = str(report).splitlines()
    assert len(lines) <= 60
    assert max(map(len, lines)) <= 100
    assert len(repr(report)) < 200 and len(repr(report.tasks)) < 2_000
    assert len(report._repr_html_()) < 12_000
    assert sum(report.ledger.values()) == pytest.approx(report.total)


def test_a_report_is_cheap_to_make_and_works_nothing_out() -> None:
    given = history("loop")
    tracemalloc.start()
    try:
        Report(given)
        assert tracemalloc.get_traced_memory()[1] < 10_000
    finally:
        tracemalloc.stop()
