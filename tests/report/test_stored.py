"""A report as JSON: what comes back is what was there, and nothing else is taken for a report."""

from __future__ import annotations

import json
from array import array
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given

from asyncflow._core.states import State
from asyncflow._record.history import NOT_YET, History, Totals
from asyncflow.report import Report

from .kit import add, copied, histories, of, ran


@given(histories(hostile=True))
def test_what_comes_back_is_equal_to_the_last_bit(history: History) -> None:
    report = Report(history)
    text = report.to_json()
    back = Report.from_json(text)
    assert back == report == Report.from_json(text.encode())
    assert back.to_json() == text
    assert str(back) == str(report)


def test_the_text_says_what_it_is_and_is_told_by_columns() -> None:
    report = of(
        {"name": "load", "times": ran(0, 1, 2), "worker": "w-1"},
        {"name": "fit", "times": [0], "needs": (1,), "state": State.PENDING},
        run="r1",
        began=5.0,
    )
    assert json.loads(report.to_json()) == {
        "format": "asyncflow report",
        "version": 1,
        "run": "r1",
        "began": 5.0,
        "now": 2.0,
        "is_over": True,
        "planning": 0.0,
        "dropped": 0,
        "dry_run": False,
        "about": {},
        "workers": {},
        "names": ["", "w-1"],
        "sites": [
            ["load", "function", "backend 'thread'", "", "a.py:1, in main", None],
            ["fit", "function", "backend 'thread'", "", "a.py:1, in main", None],
        ],
        "endings": [],
        "loading": [],
        "tries": [],
        "held": [],
        "services": [],
        "kept": [],
        "streams": [],
        "keys": [],
        "labels": [],
        "lost": [],
        "lost_events": 0,
        "earlier": {},
        "columns": {
            "id": [1, 2],
            "site": [0, 1],
            "block": [0, 0],
            "state": [6, 1],
            "attempts": [1, 1],
            "worker": [1, 0],
            "called": [0.0, 0.0],
            "ready": [0.0, None],
            "staged": [0.0, None],
            "submitted": [0.0, None],
            "started": [1.0, None],
            "finished": [2.0, None],
            "over": [2.0, None],
            "starts": [0, 0, 1],
            "dependencies": [1],
            "edges": [0],
            "bytes_in": [],
            "bytes_out": [],
            "stream": [],
            "item": [],
        },
    }


# -- equality ---------------------------------------------------------------------------------------------


@given(histories())
def test_two_reports_of_the_same_are_equal(history: History) -> None:
    assert Report(history) == Report(copied(history))


@pytest.mark.parametrize("name", [each.name for each in fields(History)])
def test_reports_that_differ_in_anything_differ(name: str) -> None:
    def made() -> History:
        history = History(earlier={"a": Totals({"FAILED": 1}, 1.0, 1.0)})
        add(history, times=[0.0, 1.0], needs=(1,), state=State.FAILED, error="x")
        return history

    one, other = made(), made()
    assert Report(one) == Report(other)
    value = getattr(other, name)
    match value:
        case array():
            value.append(1)
        case bool():
            other.is_over = not value
        case str() | float() | int():
            setattr(other, name, type(value)(7))
        case dict():
            setattr(other, name, {}) if value else setattr(other, name, {"a": 1})
        case _:
            setattr(other, name, [*value, *value] or [1])
    assert Report(one) != Report(other)
    assert Report(one) != one


def test_what_has_not_happened_is_not_what_happened_at_another_time() -> None:
    one, other = (of({"times": [0.0, time]}) for time in (NOT_YET, 1.0))
    assert one != other


# -- what is no report ------------------------------------------------------------------------------------


def changed(**parts: Any) -> str:
    report = of({"times": ran(0, 1, 2)}, {"times": ran(0, 1, 2), "needs": (1,)})
    return json.dumps({**json.loads(report.to_json()), **parts})


def column(**columns: Any) -> str:
    return changed(columns={**json.loads(changed())["columns"], **columns})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            changed(
                streams=[[1, "fit", "a.py:1", 0, 4, False, None, 0.0, None, "late", 1, 1, 1, 0, "done", []]]
            ),
            "'late'",
        ),
        (changed(streams=[[1, 2]]), "TypeError"),
        (changed(keys=[[1, 2]]), "'keys'"),
        ("", "no report: the text is not JSON"),
        ("[" * 100_000, "no report: the text is not JSON"),
        (b"\xff\xfe\xfd", "no report: the text is not JSON"),
        ("[]", 'no report: the text has no "format": "asyncflow report"'),
        ('{"format": "asyncflow plan"}', 'no report: the text has no "format"'),
        (changed(version=2), "a report of version 2, and 1 is known here; a later asyncflow may read it"),
        (changed(now=float("nan")), "NaN is no number"),
        (changed(began=float("inf")), "Infinity is no number"),
        (changed(now="1"), "its 'now' has '1', and float is needed"),
        (changed(is_over=1), "its 'is_over' has 1, and bool is needed"),
        (changed(dropped=None), "its 'dropped' has None"),
        (changed(workers=[]), "no report: AttributeError"),
        (changed(workers={"x": "2"}), "its 'workers' has '2'"),
        (changed(names=[3]), "its 'names' has 3"),
        (changed(names=[]), "something in its 'worker' cannot be"),
        (changed(sites=[]), "something in its 'site' cannot be"),
        (changed(sites=[["fit"]]), "no report: TypeError"),
        (changed(sites=[["fit", "function", None, "", "", None]]), "its 'sites' have None as place"),
        (changed(endings=[[1, "x"]]), "no report"),
        (changed(endings=[[1, 2, []]]), "its 'endings' has 2"),
        (changed(endings=[[1, "", ["x"]]]), "its 'endings' has 'x'"),
        (changed(earlier={"fit": [{"GONE": 1}, 1.0, 1.0]}), "'GONE' is not a valid State"),
        (changed(earlier={"fit": [{"FAILED": 1}]}), "no report: TypeError"),
        (changed(columns=None), "no report: TypeError"),
        (changed(columns={}), "no report: KeyError"),
        (column(id="12"), "its 'id' are no list"),
        (column(id=[2, 1]), "something in its 'id' cannot be"),
        (column(id=[0, 1]), "something in its 'id' cannot be"),
        (column(id=[-1, 1]), "no report: OverflowError"),
        (column(id=[1, "2"]), "no report: TypeError"),
        (column(id=[1, 2, 3]), "its 'site' are 2, and 3 are needed"),
        (column(site=[0, 1]), "something in its 'site' cannot be"),
        (column(worker=[0, 9]), "something in its 'worker' cannot be"),
        (column(state=[0, 6]), "something in its 'state' cannot be"),
        (column(state=[11, 6]), "something in its 'state' cannot be"),
        (column(block=[1, 0]), "something in its 'block' cannot be"),
        (column(called=[None, 0]), "something in its 'called' cannot be"),
        (column(over=[True, 0]), "its 'over' has True"),
        (column(starts=[0, 1, 0]), "something in its 'starts' cannot be"),
        (column(starts=[0, 1]), "its 'starts' are 2, and 3 are needed"),
        (column(edges=[4]), "something in its 'edges' cannot be"),
        (column(edges=[]), "its 'edges' are 0, and 1 are needed"),
        (column(bytes_in=[1]), "its 'bytes_in' are 1, and 2 are needed"),
    ],
)
def test_what_is_no_report_is_told(text: str | bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Report.from_json(text)
