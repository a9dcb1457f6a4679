"""How a report looks in a terminal, in a notebook and in pandas, whatever the names in it are."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from shown_kit import HOSTILE, Page, does_nothing

from asyncflow._core.states import State
from asyncflow._record.history import History
from asyncflow._show.columns import width
from asyncflow._show.page import STYLE
from asyncflow.report import Report

from .kit import THREADS, histories, of, ran

REPORT = of(
    {"name": "load", "times": ran(0.1, 0.2, 1.0), "worker": "w-1"},
    {"name": "load", "times": ran(0.1, 0.2, 1.5), "worker": "w-2"},
    {"name": "pipeline", "kind": "block", "times": [0.1, 1.5, 1.5, 1.5, 1.5, 4, 4], "needs": (2,)},
    {"name": "fit", "times": ran(1.6, 1.8, 3.0), "block": 3, "worker": "w-1"},
    {"name": "fit", "times": ran(1.6, 3.0, 3.9), "block": 3, "worker": "w-1"},
    {"name": "bad", "times": ran(4.1, 4.2, 4.5), "state": State.FAILED, "error": "ValueError: need 2 rows"},
    {"name": "plot", "times": [4.1, 4.5, None, None, None, None, 4.5], "state": State.UPSTREAM_FAILED,
     "needs": (6,), "roots": (6,)},
    now=5.0,
    workers={THREADS: 2},
    planning=0.2,
)  # fmt: skip

SHOWN = """\
Report: 7 tasks in 5 s: 5 SUCCEEDED, 1 FAILED, 1 UPSTREAM_FAILED
Time: 5 s in all, 200 ms planning, 4.3 s execution
Parallelism: 1.0 on average, 2 at most; the workers were busy 52 % of that time
Where the time went:
           time  of all
  queue   1.6 s    32 %
  run     2.5 s    50 %
  code   900 ms    18 %
Functions:
  function  tasks  bad    mean     p50     p95     max   total
  load          2       1.05 s  1.05 s  1.27 s   1.3 s   2.1 s
  fit           2       1.05 s  1.05 s  1.19 s   1.2 s   2.1 s
  bad           1    1  300 ms  300 ms  300 ms  300 ms  300 ms
  plot          1    1
Critical path:
  what                     time  of all  spent on
  code                   100 ms   2.0 %  code 100 ms
  load (#2)               1.4 s    28 %  run 1.3 s, queue 100 ms
  code of pipeline (#3)  100 ms   2.0 %  code 100 ms
  fit (#5)                2.3 s    46 %  queue 1.4 s, run 900 ms
  code of pipeline (#3)  100 ms   2.0 %  code 100 ms
  code                   100 ms   2.0 %  code 100 ms
  bad (#6)               400 ms   8.0 %  run 300 ms, queue 100 ms
  plot (#7)                 0 s   0.0 %
  code                   500 ms    10 %  code 500 ms
First failure: bad (#6), called at a.py:1, in main: ValueError: need 2 rows; held up 1 task: plot
  (#7)"""


def test_a_report_prints_where_the_time_went() -> None:
    assert str(REPORT) == SHOWN
    assert repr(REPORT) == "<Report: 7 tasks in 5 s: 5 SUCCEEDED, 1 FAILED, 1 UPSTREAM_FAILED>"


def test_a_run_that_goes_on_says_so() -> None:
    report = of({"times": [0.0], "state": State.PENDING}, now=2.0, is_over=False)
    assert repr(report) == "<Report: 1 task in 2 s: 1 PENDING; not over yet>"


def test_an_empty_report_prints_too() -> None:
    assert str(Report(History())) == "Report: 0 tasks in 0 s; not over yet"
    assert "<table>" not in Report(History())._repr_html_()


def test_a_tail_is_told_by_name() -> None:
    report = of(*({"name": f"t{n}", "times": ran(0, 0, 1 + n // 4 * 9)} for n in range(5)))
    assert str(report).splitlines()[-1] == (
        "Tail: 9 s, with less than half as many at once as at most: t4 (#5) 9 s"
    )


def test_what_is_too_much_is_counted() -> None:
    failed = {"name": "bad", "times": ran(0, 0, 1), "state": State.FAILED, "error": "x"}
    behind = {"name": "plot", "times": [0, 1, None, None, None, None, 1], "roots": (1,), "needs": (1,)}
    many = [{**behind, "state": State.UPSTREAM_FAILED} for _ in range(500)]
    functions = [{"name": f"f{n}", "times": ran(n, n, n + 1)} for n in range(1, 100)]
    text = str(of(failed, *many, *functions))
    assert "... 90 more" in text  # of 101 names, eleven and themselves have a row
    assert "held up 500 tasks: plot (#2), plot (#3)," in text and "more" in text.splitlines()[-1]


# -- hostile names ----------------------------------------------------------------------------------------


@given(histories(hostile=True, most=20))
def test_no_name_does_anything_to_the_terminal_that_shows_it(history: History) -> None:
    report = Report(history)
    for shown in (str(report), repr(report)):
        assert does_nothing(shown)
    assert all(width(line) <= 100 for line in str(report).split("\n"))


@given(histories(hostile=True))
def test_nothing_in_a_page_but_our_own_tags_whatever_the_names(history: History) -> None:
    page = Page(Report(history)._repr_html_().removeprefix(STYLE))
    allowed = {"div", "p", "table", "caption", "thead", "tbody", "tr", "th", "td", "dl", "dt", "dd"}
    assert page.tags <= allowed and not page.open
    assert page.attributes <= {("class", "asyncflow asyncflow-report"), ("class", "right")}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_shown_as_text(name: str) -> None:
    report = of({"name": name, "times": ran(0, 1, 2), "error": name, "state": State.FAILED})
    assert "<script" not in report._repr_html_() and "<img" not in report._repr_html_()


def test_a_notebook_gets_text_and_a_page() -> None:
    bundle = REPORT._repr_mimebundle_()
    assert bundle == {"text/plain": str(REPORT), "text/html": REPORT._repr_html_()}
    assert "need 2 rows" in Page(bundle["text/html"]).text


# -- pandas -----------------------------------------------------------------------------------------------


@given(histories(hostile=True))
def test_a_frame_has_a_row_for_each_task_with_all_that_is_known_of_it(history: History) -> None:
    pandas = pytest.importorskip("pandas")
    report = Report(history)
    frame = report.to_dataframe()
    assert isinstance(frame, pandas.DataFrame) and len(frame) == len(report.tasks)
    for row, task in zip(frame.to_dict("records"), report.tasks, strict=True):
        for name in (
            "id",
            "name",
            "kind",
            "state",
            "called_at",
            "place",
            "worker",
            "attempts",
            "error",
            "roots",
        ):
            assert row[name] == getattr(task, name)
        assert (None if pandas.isna(row["block"]) else row["block"]) == task.block
        assert (None if pandas.isna(row["workflow"]) else row["workflow"]) == task.workflow
        for name in ("called", "ready", "staged", "submitted", "started", "finished", "over"):
            assert (None if pandas.isna(row[name]) else row[name]) == getattr(task, name)
        assert {name: row[name] for name in task.waits} == task.waits
        assert (row["bytes_in"], row["bytes_out"]) == (task.bytes_in, task.bytes_out)


def test_a_missing_pandas_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r'pip install "asyncflow-engine\[report\]"') as caught:
        REPORT.to_dataframe()
    assert caught.value.name == "pandas"


def test_a_step_of_a_critical_path_prints_by_itself() -> None:
    assert [str(step) for step in REPORT.critical_path][-3:] == [
        "bad (#6) 400 ms: run 300 ms, queue 100 ms",
        "plot (#7) 0 s",
        "code 500 ms: code 500 ms",
    ]
