"""How a plan looks in a terminal and in a notebook, whatever the names in it are."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from shown_kit import HOSTILE, Page, does_nothing

from asyncflow._show.page import STYLE
from asyncflow._show.words import name_of, path, plain, seconds, size
from asyncflow.plan import Edge, Finding, Plan, PlannedFile, PlannedTask

from .kit import plans, tasks_of

BOX = PlannedTask(1, "pipeline", "block")
INSIDE = [
    *(
        PlannedTask(id, "load", block=1, inputs=(PlannedFile("a.csv", 2_000_000), PlannedFile("b")))
        for id in range(2, 102)
    ),
    *(PlannedTask(id, "clean", block=1) for id in range(102, 202)),
    PlannedTask(202, "fit", block=1),
    PlannedTask(203, "fit", block=1),
    PlannedTask(204, "plot", block=1),
]
PLAN = Plan(
    [BOX, *INSIDE, PlannedTask(205, "report")],
    [
        *(Edge(id, id + 100) for id in range(2, 102)),
        *(Edge(id, fit, "file", "rows") for id in range(102, 202) for fit in (202, 203)),
        Edge(203, 204, "order"),
        Edge(1, 205),
    ],
    decisions=["a.py:12: `if` on <stand-in for load#1>"],
    findings=[Finding("nobody uses the result", "a.py:3, in main", ("load", "fit"), "await it")],
)

SHOWN = """\
Plan: 204 tasks in 1 block, 302 edges (101 data, 200 file, 1 order)
  stage  tasks  what       waits for
  1        100  100 load   nothing
  2        100  100 clean  load
  3          2  2 fit      clean
  4          1  plot       fit
  5          1  report     pipeline
Critical path: 5 steps: load (#2) -> clean (#102) -> fit (#203) -> plot (#204) -> report (#205)
Parallelism: 100 at most, 40.8 on average
Staged: 200 MB in 200 files, 100 of unknown size
Blocks: pipeline
Decisions on values that a plan cannot know:
  a.py:12: `if` on <stand-in for load#1>
Findings:
  a.py:3, in main
    nobody uses the result
    between: load -> fit
    mend: await it"""


def test_a_plan_prints_its_stages_with_tasks_grouped_by_name_and_counted() -> None:
    assert str(PLAN) == SHOWN
    assert repr(PLAN) == "<Plan: 204 tasks in 1 block, 302 edges (101 data, 200 file, 1 order)>"


def test_an_empty_plan_prints_too() -> None:
    assert str(Plan([])) == "Plan: 0 tasks, no edges"
    assert "<table>" not in Plan([])._repr_html_()


def test_stages_that_are_alike_share_a_row() -> None:
    chain = Plan(tasks_of(*["step"] * 10_000), [Edge(id, id + 1) for id in range(1, 10_000)])
    lines = str(chain).splitlines()
    assert lines[2:4] == ["  1             1  step  nothing", "  2-10,000      1  step  step"]
    assert len(lines) < 10


@pytest.mark.parametrize("wide", [1, 7, 100, 10_000])
def test_10_000_tasks_print_in_a_screen(wide: int) -> None:
    tasks = [PlannedTask(id, f"task_{id * 7 % 1000}_of_them", called_at="a.py:3") for id in range(10_000)]
    edges = [Edge(id - wide, id) for id in range(wide, 10_000)]
    plan = Plan(tasks, edges, decisions=[f"a.py:{line}" for line in range(90)], findings=[Finding("it")] * 90)
    lines = str(plan).splitlines()
    assert len(lines) <= 44
    assert max(map(len, lines)) <= 100
    assert len(plan._repr_html_()) < 10_000
    if wide < 500:
        more = next(line for line in lines if line.startswith("  ..."))
        assert more.split() == ["...", f"{-(-10_000 // wide) - 18:,}", "more"]
    assert sum(line.endswith("and 85 more") for line in lines) == 2


def test_what_limits_a_plan_is_told_in_lines_that_a_terminal_holds() -> None:
    tasks = [PlannedTask(id, f"task_{id}_of_them", called_at="a.py:3", expected=1) for id in range(40)]
    plan = Plan(tasks, [Edge(id - 1, id) for id in range(1, 40)])
    for workers in (1, 2):
        lines = plan.limits(workers).splitlines()
        assert len(lines) > 2
        assert max(map(len, lines)) <= 100


# -- hostile names ----------------------------------------------------------------------------------------


@given(plans(hostile=True))
def test_no_name_does_anything_to_the_terminal_that_shows_it(plan: Plan) -> None:
    for shown in (str(plan), repr(plan), plan.limits(3), str(Plan([]).diff(plan)), str(plan.diff(Plan([])))):
        assert does_nothing(shown)
        assert len(shown) < 40_000


@pytest.mark.parametrize("name", HOSTILE)
def test_an_error_shows_a_hostile_name_in_one_line(name: str) -> None:
    tasks = tasks_of(name, name)
    for edges in ([Edge(1, 2), Edge(2, 1)], [Edge(1, 3)]):
        with pytest.raises(ValueError) as caught:
            Plan(tasks, edges)
        assert str(caught.value).isprintable()


TAGS = {"div", "p", "table", "thead", "tbody", "tr", "th", "td", "dl", "dt", "dd", "ul", "li"}


@given(plans(hostile=True))
def test_no_name_is_markup_in_a_page(plan: Plan) -> None:
    page = plan._repr_html_()
    assert does_nothing(page)
    found = Page(page.removeprefix(STYLE))
    assert not found.open
    assert found.tags <= TAGS
    assert found.attributes <= {("class", "asyncflow asyncflow-plan"), ("class", "right")}


def test_a_page_says_what_the_terminal_says() -> None:
    text = Page(PLAN._repr_html_()).text
    for word in SHOWN.replace(": ", " ").split():
        assert word.rstrip(":") in text
    assert "&lt;stand-in" in PLAN._repr_html_()


def test_a_notebook_gets_both_forms() -> None:
    assert PLAN._repr_mimebundle_(include=None, exclude=None) == {
        "text/plain": str(PLAN),
        "text/html": PLAN._repr_html_(),
    }


def test_wide_letters_keep_the_columns() -> None:
    lines = str(Plan(tasks_of("名前", "ab"), [Edge(1, 2)])).splitlines()
    assert lines[2] == "  1          1  名前  nothing" and lines[3] == "  2          1  ab    名前"


# -- words ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("a\nb\tc", "a\\nb\\tc"),
        ("\x1b[31m", "\\x1b[31m"),
        ("\u202e", "\\u202e"),
        ("\udc80", "\\udc80"),
        ("é 名", "é 名"),
    ],
)
def test_what_would_do_something_is_spelled_out(text: str, shown: str) -> None:
    assert plain(text) == shown


def test_a_long_name_keeps_its_beginning_and_its_end() -> None:
    assert name_of("x" * 40) == "x" * 40
    assert (
        name_of("NFCORE_RNASEQ.RNASEQ.BAM_STATS_SAMTOOLS.SAMTOOLS_SORT")
        == "NFCORE_RNASE...TS_SAMTOOLS.SAMTOOLS_SORT"
    )
    assert all(len(name_of(character * 100)) <= 40 for character in "x\n\x1b\udc80")


@pytest.mark.parametrize(
    ("labels", "shown"),
    [
        ([], ""),
        (["a"], "a"),
        (["a", "b" * 200], "a -> " + "b" * 200),
        (["aaaa"] * 5, "aaaa -> aaaa -> aaaa -> aaaa -> aaaa"),
        (["aaaa"] * 6, "aaaa -> ... 4 more ... -> aaaa"),
        (["aaaa"] * 1_000, "aaaa -> ... 998 more ... -> aaaa"),
        (["b" * 200, "aaaa", "c"], "b" * 200 + " -> ... 1 more ... -> c"),
    ],
)
def test_a_path_names_as_many_as_there_is_room_for_and_both_ends(labels: list[str], shown: str) -> None:
    assert path(labels, 36) == shown


@pytest.mark.parametrize(
    ("duration", "shown"),
    [
        (0, "0 s"),
        (0.0000123, "12.3 µs"),
        (0.25, "250 ms"),
        (0.9999, "1 s"),
        (12.34, "12.3 s"),
        (119.4, "119 s"),
        (119.6, "2 min 0 s"),
        (3_725, "62 min 5 s"),
        (7_300, "2 h 2 min"),
        (1e15, "2.78e+11 h"),
    ],
)
def test_a_duration_is_told_in_units_of_its_size(duration: float, shown: str) -> None:
    assert seconds(duration) == shown


@pytest.mark.parametrize(
    ("number", "shown"),
    [(0, "0 B"), (999, "999 B"), (1_500, "1.5 kB"), (999_999, "1 MB"), (3_210_000_000, "3.21 GB")],
)
def test_a_number_of_bytes_is_told_in_units_of_its_size(number: int, shown: str) -> None:
    assert size(number) == shown


def test_the_largest_sizes_can_be_told() -> None:
    assert size(sys.maxsize * 1_000_000).endswith(" PB")


@pytest.mark.parametrize(
    ("durations", "shown"),
    [
        (None, "2 steps: load (#1) -> fit (#2)"),
        ({"fit": 90.0}, "91 s: load (#1) -> fit (#2)"),
        ({"load": 0.5, "fit": 0.5}, "1 s: load (#1) -> fit (#2)"),
    ],
)
def test_a_critical_path_prints_by_itself(durations: dict[str, float] | None, shown: str) -> None:
    assert str(Plan(tasks_of("load", "fit"), [Edge(1, 2)]).critical_path(durations)) == shown
