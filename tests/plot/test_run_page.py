"""The page of a whole run: what is in it, whatever has happened, in a file and in a real browser."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path

import pytest
from hypothesis import given
from profiles import examples
from report.kit import histories, of, ran
from shown_kit import HOSTILE, does_nothing
from shown_kit import Page as Parsed

from asyncflow import WorkflowEngine
from asyncflow._core.states import State
from asyncflow._record.history import History
from asyncflow._show.run_page import Failures, Grid, RunPage
from asyncflow.plot.pages import page as page_of
from asyncflow.plot.run_pages import html
from asyncflow.report import Report, run_page

from .chromium_kit import Browser, Page
from .runs_kit import report_of

READY = "while (!document.documentElement.dataset.ready) await new Promise((then) => setTimeout(then, 20)); return 1"
OUT_OF_SIGHT = """
// What is wider than the window though it does not stand in something that scrolls.
const found = [];
for (const each of document.querySelectorAll("main *, header *, nav *")) {
  const box = each.getBoundingClientRect();
  if (box.right > innerWidth + 1 && box.width && !each.closest(".wide, .view, .links, .picture, pre, .svg-of-print"))
    found.push(each.tagName + "." + each.className);
}
return [document.documentElement.scrollWidth <= innerWidth + 1, found.slice(0, 9)];
"""


def page(report: Report) -> RunPage:
    return run_page.run_page(report, report._rows, report._path)


def opened(browser: Browser, path: Path, **more: object) -> Page:
    tab = browser.open(path, **more)  # type: ignore[arg-type]
    tab.run(READY)
    return tab


# -- what is in it -----------------------------------------------------------------------------------------


def test_failures_come_first_by_their_class_with_what_they_held_up() -> None:
    told = page(
        of(
            {"name": "load", "times": ran(0, 0, 1)},
            {"name": "fit", "times": ran(0, 1, 2), "state": State.FAILED, "error": "ValueError: need 2 rows"},
            {"name": "fit", "times": ran(0, 1, 3), "state": State.FAILED, "error": "ValueError: need 2 rows"},
            {"name": "send", "times": ran(0, 1, 4), "state": State.FAILED, "error": "OSError: reset", "worker": "w-1"},
            {"name": "plot", "times": [0, 2, None, None, None, None, 2], "state": State.UPSTREAM_FAILED,
             "needs": (2,), "roots": (2,)},
        )
    )  # fmt: skip
    first = told.sections[0]
    assert first.anchor == "failures" and first.note == "3 tasks failed, of 2 kinds"
    one, other = first.items
    assert isinstance(one, Failures) and isinstance(other, Failures)
    assert (one.kind, one.what) == ("ValueError", "fit × 2; 1 task did not run because of them")
    assert [(each.error, each.tasks, each.more) for each in one.errors] == [
        ("ValueError: need 2 rows", [(2, "fit (#2)"), (3, "fit (#3)")], 0)
    ]
    assert other.errors[0].about == "called at a.py:1, in main, ran on w-1, failed 4 s after the beginning"


def test_a_run_without_failures_has_no_section_of_them() -> None:
    told = page(of({"name": "load", "times": ran(0, 0, 1)}))
    anchors = [section.anchor for section in told.sections]
    assert anchors == ["time", "timeline", "graph", "functions", "slowest", "path", "where", "on"]


def test_functions_are_told_with_what_they_waited_for() -> None:
    told = page(of({"name": "fit", "times": ran(0, 2, 5, 1)}, {"name": "fit", "times": ran(0, 2, 3, 1)}))
    grid = next(section.items[0] for section in told.sections if section.anchor == "functions")
    assert isinstance(grid, Grid)
    shown = dict(zip(grid.header, (cell.text for cell in grid.rows[0]), strict=True))
    assert shown == {
        "function": "fit", "tasks": "2", "no result": "", "mean": "2 s", "median": "2 s", "95 %": "2.9 s",
        "longest": "3 s", "ran in all": "4 s", "inputs": "2 s", "a worker": "2 s",
    }  # fmt: skip


def test_what_is_too_much_is_counted() -> None:
    many = [{"name": f"f{n}", "times": ran(n, n, n + 1)} for n in range(300)]
    bad = [
        {"name": "bad", "times": ran(0, 0, 1), "state": State.FAILED, "error": f"E{n % 40}: {n}"}
        for n in range(400)
    ]
    told = page(of(*many, *bad))
    sections = {section.anchor: section for section in told.sections}
    assert sections["failures"].note == "400 tasks failed, of 40 kinds; 20 other kinds not shown"
    assert len(sections["failures"].items) == 20
    grid = sections["functions"].items[0]
    assert isinstance(grid, Grid) and len(grid.rows) == 200 and grid.more == "101 more functions not shown"


@examples(40)
@given(histories(hostile=True, most=20))
def test_whatever_has_happened_the_page_has_none_but_its_own_tags(history: History) -> None:
    text = html(page(Report(history)))
    assert "\x1b" not in text and "\0" not in text
    body = text.split("<main>")[1].split("</main>")[0]
    parsed = Parsed(body.replace("<br>", ""))
    assert not parsed.tags & {"script", "img", "iframe", "link", "style"} or "<svg" in body
    assert not any(name.startswith("on") for name, _ in parsed.attributes)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_text_on_the_page(name: str) -> None:
    report = of(
        {
            "name": name,
            "times": ran(0, 1, 2),
            "error": name,
            "state": State.FAILED,
            "worker": name,
            "place": name,
        }
    )
    text = html(run_page.run_page(report, report._rows, report._path, name))
    assert "<script>alert" not in text and "<img" not in text
    assert does_nothing(text.split("<title>")[1].split("</title>")[0])


def test_a_page_runs_no_script_but_its_own_and_reaches_no_network() -> None:
    text = page_of("a page", "", styles=[], scripts=["1"])
    policy = text.split('Content-Security-Policy" content="')[1].split('"')[0]
    assert "default-src 'none'" in policy and "script-src 'sha256-" in policy
    script = policy.split("script-src ")[1].split(";")[0]
    assert "unsafe" not in script and "http" not in policy


# -- files -------------------------------------------------------------------------------------------------


def test_a_report_is_saved_in_the_form_that_the_file_says(tmp_path: Path) -> None:
    report = of({"name": "load", "times": ran(0, 0, 1)})
    assert report.save(tmp_path / "r.html", title="My run").read_text().count("<h1>My run</h1>") == 1
    assert Report.from_json(report.save(tmp_path / "r.json").read_text()) == report
    assert json.loads(report.save(tmp_path / "r.trace.json").read_text())["traceEvents"]
    assert report.save(str(tmp_path / "r.txt")).read_text() == f"{report}\n"
    with pytest.raises(
        ValueError, match=r"'r.pdf': the end of the name says the form; it can be one of \.html"
    ):
        report.save(tmp_path / "r.pdf")
    with pytest.raises(TypeError, match="takes a path, and was given 3, an int"):
        report.save(3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="True, False or None"):
        report.save(tmp_path / "r.html", dark="yes")  # type: ignore[arg-type]


async def test_a_journal_has_the_same_page(tmp_path: Path) -> None:
    engine = WorkflowEngine(journal=tmp_path / "run.jsonl")

    @engine.function_task
    def double(n: int) -> int:
        return 2 * n

    async with engine:
        await double(double(1))
    text = Report.from_journal(tmp_path / "run.jsonl").save(tmp_path / "r.html").read_text()
    assert "double (#2)" in text and "2 tasks in" in text


async def test_reports_journals_and_pages_say_where_the_run_was_and_how_the_engine_was_set(
    tmp_path: Path,
) -> None:
    engine = WorkflowEngine(journal=tmp_path / "run.jsonl", on_failure="stop", amounts={"memory": 4})
    async with engine:
        await engine.submit(abs, -1)
    told = dict(engine.report().about)
    assert told["machine"] == os.uname().nodename and told["Python"] == platform.python_version()
    assert (told["on_failure"], told["amount of memory"]) == ("stop", "4")
    assert Report.from_journal(tmp_path / "run.jsonl").about == told
    assert Report.from_json(engine.report().to_json()).about == told
    text = engine.report().save(tmp_path / "r.html").read_text()
    assert f"on {os.uname().nodename} · run " in text and "<dt>on_failure</dt><dd>stop</dd>" in text


def test_an_empty_run_has_a_page_too(tmp_path: Path) -> None:
    assert "0 tasks in 0 s" in Report(History()).save(tmp_path / "r.html").read_text()


# -- in a browser ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [10, 1_000])
def test_a_page_fits_a_phone_and_a_desk_in_light_and_dark(
    browser: Browser, tmp_path: Path, size: int
) -> None:
    report_of(size).save(tmp_path / "r.html")
    for dark, window in ((False, (1200, 800)), (True, (390, 800))):
        tab = opened(browser, tmp_path / "r.html", dark=dark, size=window)
        fits, wide = tab.run(OUT_OF_SIGHT)
        assert fits and wide == []
        assert tab.overlaps("h1, h2, .tile, .tools button, nav input")["pairs"] == []
        assert tab.requests == [] and tab.complaints == []
        tab.close()


def test_tables_are_sorted_tasks_are_found_and_tell_their_stories(browser: Browser, tmp_path: Path) -> None:
    report_of(1_000).save(tmp_path / "r.html")
    tab = opened(browser, tmp_path / "r.html")
    tab.run("document.querySelector('#failures button.task').click()")
    title = "return document.querySelector('#story h3').textContent"
    assert "✗ FAILED" in tab.run(title)
    assert tab.run("return document.querySelector('#story pre').textContent") == "ValueError: need 2 rows"
    tab.run(
        "[...document.querySelectorAll('#functions .sort')].find((each) => each.textContent === 'mean').click()"
    )
    means = tab.run(
        "return [...document.querySelectorAll('#functions tbody tr')].map((row) => +row.cells[3].dataset.v)"
    )
    assert means == sorted(means, reverse=True) and len(means) == 4
    tab.run("document.querySelector('.finder input').focus()")
    tab.write("compare #19")
    tab.press("Enter")
    assert "compare (#19)" in tab.run(title)
    tab.press("Escape")
    assert tab.run("return document.querySelector('#story').childElementCount") == 0
    tab.run("location.hash = '#task-21'; await new Promise((then) => setTimeout(then, 50))")
    assert "load (#21)" in tab.run(title)
    assert tab.requests == [] and tab.complaints == []
    tab.close()


def test_a_box_of_the_graph_opens_the_story_of_its_task_or_finds_all_that_are_folded_in_it(
    browser: Browser, tmp_path: Path
) -> None:
    pytest.importorskip("fast_sugiyama")
    report_of(200).save(tmp_path / "r.html")
    tab = opened(browser, tmp_path / "r.html")
    press = """
      const boxes = JSON.parse(document.querySelector(".picture").dataset.boxes);
      const [number] = Object.entries(boxes).find(([, told]) => told.name === NAME);
      document.querySelector(`.picture [data-node="${number}"]`).dispatchEvent(new MouseEvent("click", {bubbles: true}))
    """
    tab.run(press.replace("NAME", '"fit"'))
    assert tab.run("return document.querySelector('.count').textContent") == "140 of 200"
    tab.close()
    tasks = {"name": "load", "times": ran(0, 0, 1)}, {"name": "fit", "times": ran(0, 1, 2), "needs": (1,)}
    of(*tasks, labels={2: "second"}).save(tmp_path / "s.html")
    tab = opened(browser, tmp_path / "s.html")
    tab.run(press.replace("NAME", '"fit"'))
    assert "fit[second] (#2)" in tab.run("return document.querySelector('#story h3').textContent")
    tab.close()


def test_on_paper_the_timeline_is_a_picture_and_nothing_is_hidden(browser: Browser, tmp_path: Path) -> None:
    report_of(100).save(tmp_path / "r.html")
    tab = opened(browser, tmp_path / "r.html", print_=True, dark=True)
    seen = "return ['.svg-of-print svg', '.timeline', 'nav', '#story'].map((each) => {"
    seen += "const found = document.querySelector(each); return !!found && found.checkVisibility(); })"
    assert tab.run(seen) == [True, False, False, False]
    assert (
        tab.run("return getComputedStyle(document.documentElement).backgroundColor") == "rgb(255, 255, 255)"
    )
    tab.close()


@pytest.mark.soak
def test_a_page_of_a_hundred_thousand_tasks_is_bounded_and_says_what_it_leaves_out(
    browser: Browser, tmp_path: Path
) -> None:
    report_of(100_000, workers=16).save(tmp_path / "r.html")
    assert (tmp_path / "r.html").stat().st_size < 8e6
    tab = opened(browser, tmp_path / "r.html", dark=True)
    tab.run("location.hash = '#task-99999'; await new Promise((then) => setTimeout(then, 200))")
    assert "(#99999)" in tab.run("return document.querySelector('#story h3').textContent")
    assert tab.requests == [] and tab.complaints == []
    tab.close()
