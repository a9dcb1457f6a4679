"""The trace: by the rules of the Trace Event Format, whatever has happened, and what one sees in it."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

import pytest
from hypothesis import given
from shown_kit import HOSTILE

from asyncflow._core.states import State
from asyncflow._record.history import History
from asyncflow.report import Report

from .kit import LOOP, histories, of, ran

KEYS = {
    "X": {"name", "cat", "ph", "ts", "dur", "pid", "tid", "args"},
    "i": {"name", "cat", "ph", "ts", "s", "pid", "tid", "args"},
    "s": {"name", "cat", "ph", "ts", "id", "pid", "tid"},
    "f": {"name", "cat", "ph", "ts", "id", "bp", "pid", "tid"},
    "M": {"name", "ph", "ts", "pid", "tid", "args"},
}
NAMES = {"process_name", "process_sort_index", "thread_name", "thread_sort_index"}


def nano(microseconds: float) -> int:
    return round(microseconds * 1000)


def events(trace: dict[str, Any], phase: str) -> list[dict[str, Any]]:
    return [event for event in trace["traceEvents"] if event["ph"] == phase]


def check(trace: dict[str, Any]) -> None:
    """What the format demands, and that on one thread what began last is done first."""
    assert json.loads(json.dumps(trace, allow_nan=False)) == trace
    assert trace["displayTimeUnit"] in ("ms", "ns")
    for event in trace["traceEvents"]:
        assert set(event) == KEYS[event["ph"]]
        assert all(type(event[key]) is int for key in ("pid", "tid"))
        assert isinstance(event["ts"], (int, float)) and event["ts"] >= 0
        assert event["name"] and event["name"].isprintable() and event["name"].encode()
    named = {(event["pid"], event["tid"]) for event in events(trace, "M") if event["name"] == "thread_name"}
    assert all(event["name"] in NAMES and len(event["args"]) == 1 for event in events(trace, "M"))
    slices = defaultdict(list)
    for event in events(trace, "X"):
        assert event["dur"] >= 0
        assert (event["pid"], event["tid"]) in named
        begin = nano(event["ts"])
        slices[event["pid"], event["tid"]].append((begin, begin + nano(event["dur"])))
    assert {(event["pid"], event["tid"]) for event in events(trace, "i")} <= named
    for thread in slices.values():
        stack: list[int] = []
        for begin, end in sorted(thread, key=lambda each: (each[0], -each[1])):
            while stack and stack[-1] <= begin:
                stack.pop()
            assert not stack or end <= stack[-1]
            stack.append(end)
    ends = {event["id"]: event for event in events(trace, "f")}
    assert len(ends) == len(events(trace, "f")) == len(events(trace, "s"))
    for start in events(trace, "s"):
        end = ends[start["id"]]
        assert (start["name"], start["cat"]) == (end["name"], end["cat"]) and end["bp"] == "e"
        assert start["ts"] <= end["ts"]
        for each in (start, end):
            assert any(
                begin <= nano(each["ts"]) and (nano(each["ts"]) < stop or begin == stop)
                for begin, stop in slices[each["pid"], each["tid"]]
            )


@given(histories(hostile=True))
def test_whatever_has_happened_the_trace_is_one(history: History) -> None:
    trace = Report(history).to_chrome_trace()
    check(trace)
    told = {event["args"]["task"] for phase in "Xi" for event in events(trace, phase)}
    assert told <= set(history.id)
    terminal = {task.id for task in Report(history).tasks if task.over is not None}
    assert terminal <= told


def tracks(trace: dict[str, Any]) -> dict[str, list[str]]:
    """Names of the tasks on each thread, by the names of process and thread."""
    processes = {
        event["pid"]: event["args"]["name"] for event in events(trace, "M") if event["name"] == "process_name"
    }
    threads = {
        event["tid"]: event["args"]["name"] for event in events(trace, "M") if event["name"] == "thread_name"
    }
    found: dict[str, list[str]] = {}
    for event in (*events(trace, "X"), *events(trace, "i")):
        name = f"{processes[event['pid']]}/{threads[event['tid']]}"
        found.setdefault(name, []).append(event["name"])
    return found


def test_each_worker_has_a_track_and_so_have_blocks_and_what_did_not_run() -> None:
    trace = of(
        {"name": "load", "times": ran(0, 0, 1), "worker": "w-1"},
        {"name": "load", "times": ran(0, 0, 1), "worker": "w-2"},
        {"name": "box", "kind": "block", "times": [0, 1, 1, 1, 1, 4, 4], "needs": (1,)},
        {"name": "inner", "kind": "block", "times": [1, 1, 1, 1, 1, 3, 3], "block": 3},
        {"name": "beside", "kind": "block", "times": [1, 1, 1, 1, 2, 4, 4], "block": 3},
        {"name": "fit", "times": ran(1, 1, 2), "block": 4, "worker": "w-1"},
        {"name": "plot", "times": [1, None, None, None, None, None, 2], "state": State.UPSTREAM_FAILED},
    ).to_chrome_trace()
    check(trace)
    assert tracks(trace) == {
        "backend 'thread'/w-1": ["load", "fit"],
        "backend 'thread'/w-2": ["load"],
        "blocks/blocks": ["box", "inner"],
        "blocks/blocks (2)": ["beside"],
        "blocks/did not run": ["plot"],
    }


def test_coroutines_that_run_at_once_are_on_several_tracks() -> None:
    trace = of(
        *({"name": f"get {n}", "times": ran(0, n, n + 2), "place": LOOP} for n in range(4))
    ).to_chrome_trace()
    check(trace)
    assert tracks(trace) == {
        f"{LOOP}/{LOOP}": ["get 0", "get 2"],
        f"{LOOP}/{LOOP} (2)": ["get 1", "get 3"],
    }


def test_an_event_has_its_times_in_microseconds_and_says_where_they_went() -> None:
    trace = of(
        {"name": "load", "times": ran(1, 1.5, 2), "worker": "w-1"},
        {"name": "fit", "times": ran(1, 3, 5.25, ready=2), "needs": (1,), "order": (), "worker": "w-1"},
        {"name": "log", "times": ran(1, 5.25, 6, ready=5.25), "order": (2,), "worker": "w-1"},
    ).to_chrome_trace()
    check(trace)
    fit = events(trace, "X")[1]
    assert (fit["ts"], fit["dur"], fit["cat"]) == (3e6, 2.25e6, "function")
    assert fit["args"]["task"] == 2 and fit["args"]["state"] == "SUCCEEDED"
    assert fit["args"]["seconds"]["queue"] == 1 and fit["args"]["seconds"]["dependency"] == 1
    arrows = [(event["name"], event["ts"]) for event in events(trace, "s")]
    assert arrows == [("data", pytest.approx(2e6, abs=0.01)), ("order", pytest.approx(5.25e6, abs=0.01))]
    assert [event["ts"] for event in events(trace, "f")] == [3e6, 5.25e6]


@pytest.mark.parametrize("name", HOSTILE)
def test_names_only_show(name: str) -> None:
    trace = of(
        {"name": name, "times": ran(0, 0, 1), "worker": name, "place": name, "workflow": name},
        {"name": name, "times": ran(0, 0, 1), "error": name, "state": State.FAILED, "called_at": name},
    ).to_chrome_trace()
    check(trace)
    assert all(character.isprintable() for character in json.dumps(trace, ensure_ascii=False))


def test_a_task_that_runs_still_is_shown_until_now() -> None:
    trace = of({"times": [0, 0, 0, 0, 1], "state": State.RUNNING}, now=4).to_chrome_trace()
    assert [(event["ts"], event["dur"]) for event in events(trace, "X")] == [(1e6, 3e6)]
