"""`Plan.check`: all that is wrong in one error."""

from __future__ import annotations

import pytest

from asyncflow import WiringError
from asyncflow.plan import Finding, Plan, PlannedTask

TASK = PlannedTask(1, "fit")


def test_a_plan_with_nothing_wrong_is_handed_on() -> None:
    plan = Plan([TASK])
    assert plan.check() is plan


def test_each_finding_is_told_with_its_line_its_ends_and_its_mend() -> None:
    findings = (
        Finding("it does not fit", "a.py:3, in main", ("load", "fit"), "say fit(rows)"),
        Finding("nobody makes it"),
        Finding("dropped", "a.py:9, in main", ("helper",)),
    )
    with pytest.raises(WiringError) as caught:
        Plan([TASK], findings=findings).check()
    assert caught.value.findings == findings
    assert str(caught.value).splitlines() == [
        "3 things wrong with the wiring:",
        "  a.py:3, in main",
        "    it does not fit",
        "    between: load -> fit",
        "    mend: say fit(rows)",
        "  somewhere",
        "    nobody makes it",
        "  a.py:9, in main",
        "    dropped",
    ]
    with pytest.raises(WiringError, match=r"^1 thing wrong"):
        Plan([TASK], findings=findings[:1]).check()


def test_no_name_does_anything_to_the_terminal_that_shows_it() -> None:
    evil = "\x1b[2J\n\u202e" + "x" * 10_000
    with pytest.raises(WiringError) as caught:
        Plan([TASK], findings=[Finding(evil, evil, (evil, evil), evil)]).check()
    lines = str(caught.value).splitlines()
    assert len(lines) == 5 and all(line.isprintable() for line in lines)
    assert len(str(caught.value)) < 8_000
