"""What the checks make of a rehearsal, on calls made by hand."""

from __future__ import annotations

import sqlite3
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from shown_kit import HOSTILE

from asyncflow import InputFile, OutputFile
from asyncflow._checks import findings_of
from asyncflow._stand_ins.opaque import StandIn
from asyncflow.plan import Finding
from asyncflow.plan.rehearsed import Lack, RehearsedCall

CLOSED = sqlite3.connect(":memory:")
CLOSED.close()  # which makes it no more fit to be sent


def load(path: str) -> list[str]: ...


def fit(rows: list[float]) -> float: ...


def anything(*values: Any, **more: Any) -> Any: ...


class Counted:
    """Counts how often it is pickled."""

    tried = 0

    def __reduce__(self) -> Any:
        self.tried += 1
        return Counted, ()


class Future:
    """Stands for the future of a call."""

    def __init__(self, call: RehearsedCall) -> None:
        self.call = call


class Rehearsal:
    """Calls made by hand."""

    def __init__(self) -> None:
        self.calls: list[RehearsedCall] = []

    def call(self, fn: Any, *args: Any, name: str = "", line: int = 0, **fields: Any) -> Future:
        number = len(self.calls) + 1
        call = RehearsedCall(
            id=number,
            name=name or fn.__name__,
            kind=fields.pop("kind", "function"),
            fn=fn,
            args=args,
            kwargs={},
            called_at=f"a.py:{line or number}, in main",
            block=None,
            place="backend 'process'",
            needs_pickle=fields.pop("needs_pickle", False),
            dependencies=tuple(each.call.id for each in args if isinstance(each, Future)),
            **fields,
        )
        self.calls.append(call)
        return Future(call)

    def findings(self, **more: Any) -> list[Finding]:
        return findings_of(self.calls, lambda x: x.call.id if isinstance(x, Future) else None, **more)


@pytest.fixture
def rehearsal() -> Rehearsal:
    return Rehearsal()


def test_a_fault_of_10_000_calls_of_one_line_is_one_finding(rehearsal: Rehearsal) -> None:
    for _ in range(10_000):
        rehearsal.call(fit, rehearsal.call(load, "a", line=1), line=2)
    (found,) = rehearsal.findings()
    assert found.what.endswith("(so in 10,000 calls of this line)")
    assert found.ends == ("load (#1)", "fit (#2)")


def test_the_same_fault_at_two_lines_is_two(rehearsal: Rehearsal) -> None:
    rows = rehearsal.call(load, "a")
    rehearsal.call(fit, rows), rehearsal.call(fit, rows)
    assert [each.where for each in rehearsal.findings()] == ["a.py:2, in main", "a.py:3, in main"]


def test_all_faults_are_found_at_once(rehearsal: Rehearsal) -> None:
    rows = rehearsal.call(load, 3)
    rehearsal.call(fit, rows)
    rehearsal.call(anything, CLOSED, needs_pickle=True)
    rehearsal.call(anything, inputs=[InputFile("none.csv")])
    assert len(rehearsal.findings(exists=lambda path: False)) == 4


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_does_anything_to_whoever_reads_a_finding(name: str, rehearsal: Rehearsal) -> None:
    rows = rehearsal.call(load, "a", name=name)
    rehearsal.call(fit, rows, name=name)
    rehearsal.call(
        anything, 3, name=name, inputs=[InputFile(name or "x")], outputs={"o": OutputFile("o", to="here")}
    )
    rehearsal.call(anything, 3, name=name, outputs={"o": OutputFile("o", to="here")})
    lacks = [Lack(f"{name}#1", Path, name or "x", "a.py:1, in main")]
    found = rehearsal.findings(exists=lambda path: False, lacks=lacks, is_over=lambda first, then: False)
    assert len(found) == 4
    for each in found:
        assert all(text.isprintable() for text in (each.what, each.where, each.mend, *each.ends))


def test_a_call_that_a_run_would_refuse_is_not_looked_into(rehearsal: Rehearsal) -> None:
    rehearsal.call(fit, "no", "such", "parameters", is_refused=True)
    assert not rehearsal.findings()


def test_arguments_that_do_not_bind_are_not_held_to_anything(rehearsal: Rehearsal) -> None:
    rehearsal.call(fit)
    rehearsal.call(fit, 1, 2)
    assert not rehearsal.findings()


def test_stand_ins_are_of_any_type_but_the_class_that_they_say(rehearsal: Rehearsal) -> None:
    rehearsal.call(fit, StandIn("load#1"))
    rehearsal.call(fit, [StandIn("load#1"), 2.0])
    rehearsal.call(fit, [StandIn("load#1", pretends=Path)])
    assert not rehearsal.findings()


# -- files ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "path"),
    [
        ("rows.csv", "/home/me/rows.csv"),
        ("../rows.csv", "/home/rows.csv"),
        ("/data/rows.csv", "/data/rows.csv"),
        (Path("in/rows.csv"), "/home/me/in/rows.csv"),
        ("file:///data/a%20b", "/data/a b"),
    ],
)
def test_an_input_is_looked_for_where_its_call_was_made(source: Any, path: str, rehearsal: Rehearsal) -> None:
    asked: list[str] = []
    rehearsal.call(anything, inputs=[InputFile(source)], folder="/home/me")
    assert not rehearsal.findings(exists=lambda each: asked.append(each) is None)
    assert asked == [path]
    assert len(rehearsal.findings(exists=lambda each: False)) == 1


@pytest.mark.parametrize("source", ["https://example.org/a", "s3://bucket/a", "data:,a", "memory://a"])
def test_what_is_elsewhere_is_not_looked_for(source: str, rehearsal: Rehearsal) -> None:
    rehearsal.call(anything, inputs=[InputFile(source)])
    assert not rehearsal.findings(exists=lambda path: False)


@pytest.mark.parametrize(("implicit_data", "count"), [(True, 0), (False, 1)])
def test_commands_may_leave_what_they_did_not_declare(
    implicit_data: bool, count: int, rehearsal: Rehearsal
) -> None:
    made = rehearsal.call(anything, kind="executable")
    rehearsal.call(anything, made, kind="executable", inputs=[InputFile("left.txt")])
    assert len(rehearsal.findings(exists=lambda path: False, implicit_data=implicit_data)) == count


def test_two_who_publish_to_one_place_race_unless_one_is_over_first(rehearsal: Rehearsal) -> None:
    to = {"o": OutputFile("o", to="here")}
    first = rehearsal.call(anything, outputs=to)
    rehearsal.call(anything, first, outputs=to)
    rehearsal.call(anything, outputs=to)
    (found,) = rehearsal.findings(is_over=lambda first, then: False)
    assert found.ends == ("anything (#2)", "anything (#3)")
    assert not rehearsal.findings(is_over=lambda first, then: True)


# -- leaving the process ----------------------------------------------------------------------------------


def test_a_large_argument_is_not_copied_to_see_whether_it_could_be_sent(rehearsal: Rehearsal) -> None:
    array, text = np.zeros(1 << 28, dtype=np.uint8), bytes(1 << 24)
    rehearsal.call(anything, array, [array, text], {"text": text}, needs_pickle=True)
    tracemalloc.start()
    try:
        assert not rehearsal.findings()
        assert tracemalloc.get_traced_memory()[1] < 1 << 23
    finally:
        tracemalloc.stop()


def test_an_argument_of_many_calls_is_tried_once(rehearsal: Rehearsal) -> None:
    shared = Counted()
    for _ in range(10):
        rehearsal.call(anything, shared, needs_pickle=True)
    assert not rehearsal.findings()
    assert shared.tried == 1


def test_nothing_is_pickled_that_stays_here(rehearsal: Rehearsal) -> None:
    rehearsal.call(anything, CLOSED)
    assert not rehearsal.findings()
