"""Timelines: what is in them, whatever has happened, and that every form of them can be read."""

from __future__ import annotations

import json
import zlib
from array import array
from base64 import b64decode
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from profiles import examples
from report.kit import LOOP, histories, of, ran
from shown_kit import HOSTILE, does_nothing

from asyncflow._core.states import State
from asyncflow._record.history import History, Try
from asyncflow._show.folding import folded, ticks
from asyncflow._show.over_time import Average, highest
from asyncflow._show.timeline import NOBODY, Bars, Timeline, What
from asyncflow.plot.packed import packed
from asyncflow.plot.timeline_svg import svg
from asyncflow.plot.timelines import gantt, html
from asyncflow.report import Report
from asyncflow.report import timeline as timelines

SPANS = st.lists(st.tuples(st.floats(0, 10), st.floats(0, 3)).map(lambda each: (each[0], min(10, sum(each)))))


def timeline_of(report: Report) -> Timeline:
    return timelines.timeline(report._rows, report._path, "a run")


def row_of(lengths: list[tuple[float, float]]) -> Bars:
    """One row: gaps and bars in turns."""
    bars, at = Bars(), 0.0
    for gap, length in lengths:
        bars.add(0, at + gap, at + gap + length, What.DONE, NOBODY)
        at += gap + length
    return bars


# -- rows of bars ------------------------------------------------------------------------------------------


@examples(40)
@given(histories())
def test_no_two_bars_of_a_row_overlap_and_each_has_its_row_in_a_lane(history: History) -> None:
    timeline = timeline_of(Report(history))
    bars = timeline.bars
    rows = [row for lane in timeline.lanes for row in range(lane.first, lane.first + lane.rows)]
    assert rows == list(range(timeline.rows)) and set(bars.row) == set(rows)
    for at, other in pairwise(range(len(bars))):
        assert bars.row[at] <= bars.row[other]
        if bars.row[at] == bars.row[other]:
            assert bars.begin[at] <= bars.end[at] <= bars.begin[other]


def test_a_run_that_took_no_time_has_a_timeline_and_nothing_over_time() -> None:
    assert timeline_of(of({"name": "load", "times": ran(0.0, 0.0, 0.0)}, now=5e-324)).series == []


@examples(40)
@given(histories())
def test_the_critical_path_covers_the_run_from_its_beginning_to_its_end(history: History) -> None:
    path = timeline_of(Report(history)).path
    moments = [0.0, *(each for pair in zip(path.begin, path.end, strict=True) for each in pair), history.now]
    assert all(abs(one - other) < 1e-9 for one, other in zip(moments[::2], moments[1::2], strict=True))


@examples(40)
@given(histories())
def test_what_is_shaded_is_between_the_bars_of_its_row(history: History) -> None:
    timeline = timeline_of(Report(history))
    whole = Bars()
    for bars in (timeline.bars, timeline.gaps):
        for at in range(len(bars)):
            whole.add(bars.row[at], bars.begin[at], bars.end[at], bars.what[at], bars.task[at])
    ordered = whole.in_order()
    for at, other in pairwise(range(len(ordered))):
        if ordered.row[at] == ordered.row[other]:
            assert ordered.end[at] <= ordered.begin[other] + 1e-9
    assert all(What(what).is_wait for what in timeline.gaps.what)


def test_an_attempt_that_failed_has_its_own_bar_where_it_ran() -> None:
    tried = Try(0.0, 0.1, 1.0, "w-1", 1.0, "OSError: gone", 0.5)
    report = of({"name": "fetch", "times": ran(0, 2, 3), "worker": "w-2", "attempts": 2}, tries={1: [tried]})
    timeline = timeline_of(report)
    bars = timeline.bars
    lanes = {lane.first: lane.name for lane in timeline.lanes}
    found = {(lanes[row], What(what)) for row, what in zip(bars.row, bars.what, strict=True)}
    assert found == {("w-1", What.RETRIED), ("w-2", What.DONE)}
    assert ("attempt 1", "failed on w-1 at 1 s: OSError: gone") in timeline.stories.facts[0]


def test_waits_of_a_worker_without_work_are_those_of_the_task_that_it_ran_next() -> None:
    report = of(
        {"name": "load", "times": ran(0, 0, 4), "worker": "w-1"},
        {"name": "clean", "times": ran(0, 0, 1), "worker": "w-2"},
        {"name": "fit", "times": [0, 4, 4, 4, 5, 6, 6], "needs": (1,), "worker": "w-2"},
    )
    gaps = timeline_of(report).gaps
    told = [
        (What(what), begin, end) for what, begin, end in zip(gaps.what, gaps.begin, gaps.end, strict=True)
    ]
    assert told == [(What.DEPENDENCY, 1, 4), (What.QUEUE, 4, 5)]


def test_coroutines_that_ran_at_once_have_a_row_each_and_machines_a_group_each() -> None:
    coroutines = [{"name": "fetch", "times": ran(0, 0, 1), "place": LOOP} for _ in range(3)]
    workers = [{"name": "fit", "times": ran(0, 0, 1), "worker": f"w-{n} on node-{n}"} for n in (2, 10, 1)]
    lanes = timeline_of(of(*coroutines, *workers, workers={LOOP: None})).lanes
    assert [(lane.group, lane.name, lane.rows, lane.is_worker) for lane in lanes] == [
        (LOOP, LOOP, 3, False),
        ("backend 'thread' on node-2", "w-2", 1, True),
        ("backend 'thread' on node-10", "w-10", 1, True),
        ("backend 'thread' on node-1", "w-1", 1, True),
    ]


def test_a_service_is_a_bar_as_long_as_it_was_up() -> None:
    report = of(
        {"name": "database", "kind": "service", "times": [0, 0, 0, 0, 1, 2, 2]},
        {"name": "query", "times": ran(2, 3, 4, 2), "needs": (1,)},
        services={1: (9.0, "stopped")},
        now=10.0,
    )
    timeline = timeline_of(report)
    lane = next(lane for lane in timeline.lanes if lane.group == "services")
    bars = timeline.bars
    at = [at for at, row in enumerate(bars.row) if row == lane.first]
    assert [(What(bars.what[each]), bars.begin[each], bars.end[each]) for each in at] == [
        (What.START, 1, 2),
        (What.SERVICE, 2, 9),
    ]


def test_a_result_is_held_until_the_last_task_that_takes_it_is_over_and_its_bytes_where_they_are_known() -> (
    None
):
    report = of(
        {"name": "load", "times": ran(0, 0, 2)},
        {"name": "fit", "times": ran(0, 2, 4, 2), "needs": (1,)},
        {"name": "plot", "times": ran(0, 2, 8, 2), "needs": (1,)},
        {"name": "note", "times": ran(0, 2, 9, 2), "order": (1,)},
        kept={1: ("node-1", 5000)},
        now=10.0,
    )
    series = {each.name: each for each in timeline_of(report).series}
    held, kept = (
        series[name].layers[0].values
        for name in ("Results held for others", "Bytes kept on nodes for others")
    )
    assert (held[100], held[500], held[799], held[900]) == (0, 1, 1, 0)
    assert (kept[100], kept[500], kept[900]) == (0, 5000, 0)


def test_of_more_tasks_than_fit_those_that_failed_and_the_critical_path_are_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from asyncflow.report import stories

    many: list[dict[str, Any]] = [
        {"name": "fit", "times": ran(0, n / 100, n / 100 + 0.001)} for n in range(200)
    ]
    many.append({"name": "bad", "times": ran(0, 1, 1.1), "state": State.FAILED, "error": "ValueError: x"})
    many.append({"name": "last", "times": ran(0, 3, 9)})
    report = of(*many)
    monkeypatch.setattr(stories.chosen, "__defaults__", (20,))
    timeline = timeline_of(report)
    told = {timeline.stories.label(place) for place in range(len(timeline.stories))}
    assert len(told) == 20 and {"bad (#201)", "last (#202)"} <= told
    assert timeline.stories.left_out == 182 and "182 tasks without a bar" in timeline.notes[0]
    assert timeline.series[0].most > 0  # the series tell of all


# -- folding, ticks, sums ----------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.floats(0, 3), st.floats(0, 3))), st.floats(1e-6, 2))
def test_merged_bars_keep_the_sum_of_busy_time_and_their_order(
    lengths: list[tuple[float, float]], least: float
) -> None:
    bars = row_of(lengths)
    bands = list(folded(bars, 0, len(bars), least))
    assert [at for band in bands for at in band.places] == list(range(len(bars)))
    busy = sum(end - begin for begin, end in zip(bars.begin, bars.end, strict=True))
    assert sum(band.busy for band in bands) == pytest.approx(busy)
    for band in bands:
        assert band.busy <= (band.end - band.begin) * (1 + 1e-9) + 1e-12
        assert band.size == 1 or band.end - band.begin < 5 * least + 1e-9
    assert all(one.end <= other.begin + 1e-9 for one, other in pairwise(bands))


def test_bars_that_could_be_told_apart_are_not_merged() -> None:
    bars = row_of([(0, 0.1), (5, 0.1), (0, 0.1), (0, 2)])
    assert [band.size for band in folded(bars, 0, 4, 1)] == [1, 2, 1]


@given(st.floats(0, 1e6), st.floats(1e-7, 1e7), st.integers(3, 20))
def test_ticks_cover_the_axis_and_are_not_too_many(begin: float, length: float, most: int) -> None:
    end = begin + length
    if end - begin < begin * 1e-9:
        return  # a float cannot tell its moments apart
    found = [time for time, _ in ticks(begin, end, most)]
    assert 1 <= len(found) <= most + 1
    step = found[1] - found[0] if len(found) > 1 else length
    slack = step * 1e-6 + end * 1e-12
    assert begin - slack <= found[0] <= begin + step + slack
    assert end - step - slack <= found[-1] <= end + slack
    names = [name for _, name in ticks(begin, end, most)]
    assert len(set(names)) == len(names) or begin > length * 1e3


@pytest.mark.parametrize(
    ("end", "names"),
    [
        (0.000004, ["0 µs", "1 µs", "2 µs", "3 µs", "4 µs"]),
        (0.09, ["0 ms", "20 ms", "40 ms", "60 ms", "80 ms"]),
        (3, ["0 s", "1 s", "2 s", "3 s"]),
        (2.2, ["0.0 s", "0.5 s", "1.0 s", "1.5 s", "2.0 s"]),
        (300, ["0", "1 min", "2 min", "3 min", "4 min", "5 min"]),
        (7000, ["0", "30 min", "1 h", "1 h 30 min"]),
        (200_000, ["0", "12 h", "1 d", "1 d 12 h", "2 d"]),
    ],
)
def test_ticks_are_round_numbers_of_their_unit(end: float, names: list[str]) -> None:
    assert [name for _, name in ticks(0, end, 5)] == names


@given(SPANS)
def test_averages_over_time_keep_the_sum_of_all_spans(spans: list[tuple[float, float]]) -> None:
    average = Average(10.0, 37)
    for begin, end in spans:
        average.add(begin, end)
    values = average.values()
    assert sum(values) * 10 / 37 == pytest.approx(sum(end - begin for begin, end in spans), abs=1e-6)


@given(SPANS)
def test_the_highest_of_a_stretch_is_that_of_its_moments(spans: list[tuple[float, float]]) -> None:
    values = highest(((begin, end, 1.0) for begin, end in spans), 10.0, 20)
    for begin, _ in spans:
        at_once = sum(one <= begin < other for one, other in spans)
        assert values[min(int(begin / 0.5), 19)] >= at_once
    assert max(values) == max(
        (sum(one <= begin < other for one, other in spans) for begin, _ in spans), default=0
    )


# -- forms -------------------------------------------------------------------------------------------------


def unpacked(text: str) -> tuple[dict[str, Any], dict[str, list[int]]]:
    """What the page's script reads."""
    data = zlib.decompress(b64decode(text))
    size = int.from_bytes(data[:4], "little")
    head = json.loads(data[4 : 4 + size])
    columns, at = {}, 4 + size
    for name, count in head["columns"]:
        planes = [data[at + byte * count : at + (byte + 1) * count] for byte in range(4)]
        columns[name] = [int.from_bytes(each, "little") for each in zip(*planes, strict=True)]
        at += 4 * count
    assert at == len(data)
    return head, columns


def summed(column: list[int]) -> list[int]:
    total, found = 0, []
    for value in column:
        total += value // 2 if value % 2 == 0 else -(value + 1) // 2
        found.append(total)
    return found


@examples(40)
@given(histories(hostile=True))
def test_what_a_page_carries_is_the_timeline(history: History) -> None:
    timeline = timeline_of(Report(history))
    head, columns = unpacked(packed(timeline))
    assert summed(columns["id"]) == list(history.id)
    assert summed(columns["barsRow"]) == list(timeline.bars.row)
    assert columns["barsWhat"] == list(timeline.bars.what)
    ticks_of = [round(time / head["unit"]) for time in timeline.stories.times[0]]
    assert summed(columns["called"]) == ticks_of
    for number in range(1, 8):
        ticks_of = [one + step for one, step in zip(ticks_of, columns[f"time{number}"], strict=True)]
        for tick, time in zip(ticks_of, timeline.stories.times[number], strict=True):
            assert tick * head["unit"] == pytest.approx(time, abs=head["unit"])


@examples(40)
@given(histories(hostile=True))
def test_whatever_has_happened_the_svg_is_xml_and_every_text_only_shows(history: History) -> None:
    picture = svg(timeline_of(Report(history)))
    root = ElementTree.fromstring(picture)
    names = {each.tag.partition("}")[2] for each in root.iter()}
    assert names <= {"svg", "style", "defs", "g", "pattern", "path", "rect", "text", "title"}
    assert not any(name.lower().startswith("on") for each in root.iter() for name in each.attrib)
    assert all(does_nothing(each.text or "") for each in root.iter("{http://www.w3.org/2000/svg}text"))


@examples(40)
@given(histories(hostile=True))
def test_whatever_has_happened_the_gantt_chart_has_one_bar_a_line(history: History) -> None:
    text = gantt(timeline_of(Report(history)))
    assert does_nothing(text)
    for line in text.splitlines()[1:]:
        if line.startswith("    "):
            name, _, rest = line.partition(":")
            *tags, begin, end = rest.split(", ")
            assert not set(name) & set(';#,<>"`') and set(tags) <= {"crit", "active", "done"}
            assert int(begin) < int(end)


def test_a_gantt_chart_says_what_ran_when() -> None:
    report = of(
        {"name": "load", "times": ran(0, 0, 1), "worker": "w-1"},
        {
            "name": "fit: a; b",
            "times": ran(1, 1, 3),
            "needs": (1,),
            "worker": "w-1",
            "state": State.FAILED,
            "error": "x",
        },
    )
    assert gantt(timeline_of(report)) == (
        "gantt\n  title a run\n  dateFormat x\n  axisFormat %S.%L s\n  section w-1\n"
        "    load ( 1) :active, 0, 1000\n    fit  a  b ( 2) - failed :crit, active, 1000, 3000\n"
    )


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_text_in_every_form(name: str) -> None:
    report = of({"name": name, "times": ran(0, 1, 2), "error": name, "state": State.FAILED, "worker": name,
                 "place": name, "called_at": name})  # fmt: skip
    page = html(timeline_of(report))
    assert "<script>alert" not in page and "<img" not in page and "\x1b" not in page
    assert "<script>alert" not in svg(timeline_of(report))


def test_a_task_is_called_by_what_tells_it_from_others_of_its_function() -> None:
    timeline = timeline_of(of({"name": "fit", "times": ran(0, 0, 1)}, labels={1: "model <a>"}))
    assert timeline.stories.label(0) == "fit[model <a>] (#1)"
    assert "fit[model &lt;a&gt;] (#1)" in svg(timeline)
    head, _ = unpacked(packed(timeline))
    assert head["labels"] == [[0, "model <a>"]]


def test_an_empty_run_has_a_timeline_too() -> None:
    timeline = timeline_of(Report(History()))
    for form in (svg(timeline), html(timeline), gantt(timeline)):
        assert "a run" in form


def test_a_timeline_is_saved_in_the_format_that_the_file_says(tmp_path: Path) -> None:
    report = of({"name": "load", "times": ran(0, 0, 1)})
    assert repr(report.timeline(tmp_path / "t.svg")) == "<Drawing of a timeline: 1 task in 1 s: 1 SUCCEEDED>"
    assert (tmp_path / "t.svg").read_text().startswith("<svg ")
    report.timeline(tmp_path / "t.html")
    assert "Content-Security-Policy" in (tmp_path / "t.html").read_text()
    with pytest.raises(ValueError, match="a timeline is no graph"):
        report.timeline(tmp_path / "t.dot")
    with pytest.raises(ValueError, match=r"can be one of \.svg"):
        report.timeline(tmp_path / "t.pdf")


def test_a_png_is_drawn_of_a_timeline(tmp_path: Path) -> None:
    pytest.importorskip("resvg_py")
    of({"name": "load", "times": ran(0, 0, 1)}).timeline(tmp_path / "t.png", dark=True)
    assert (tmp_path / "t.png").read_bytes().startswith(b"\x89PNG")


def test_no_array_of_a_timeline_is_longer_for_what_is_dropped() -> None:
    timeline = timeline_of(of({"name": "load", "times": ran(0, 0, 1)}, dropped=3))
    assert timeline.notes == ["3 earlier tasks not told of one by one in this report."]
    assert isinstance(timeline.bars.begin, array)
