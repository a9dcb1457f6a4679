"""Timelines in a real browser: at any size, light and dark, whatever the names, nothing overlaps and all is found."""

from __future__ import annotations

from pathlib import Path

import pytest
from report.kit import LOOP, of, ran

from .chromium_kit import Browser, Page
from .runs_kit import report_of

OVERLAPS = """
// Pairs of the texts on the canvas that stand in each other's way, and those that leave it.
const [labels, bad] = [timeline.labels, []];
for (let i = 0; i < labels.length; i++) {
  const a = labels[i];
  if (a.x < 0 || a.x + a.w > timeline.width + 0.5) bad.push([a.text, "leaves the picture"]);
  for (let k = i + 1; k < labels.length; k++) {
    const b = labels[k];
    const wide = Math.min(a.x + a.w, b.x + b.w) - Math.max(a.x, b.x);
    const high = Math.min(a.y + a.h, b.y + b.h) - Math.max(a.y, b.y);
    if (wide > 0.5 && high > 0.5) bad.push([a.text, b.text]);
  }
}
return [labels.length, bad.slice(0, 9)];
"""
READY = "while (!document.documentElement.dataset.ready) await new Promise((then) => setTimeout(then, 20)); return 1"
SETTLED = "await new Promise((then) => requestAnimationFrame(() => requestAnimationFrame(then)));"


def opened(browser: Browser, path: Path, **more: object) -> Page:
    page = browser.open(path, **more)  # type: ignore[arg-type]
    page.run(READY)
    return page


def well(page: Page) -> None:
    """That nothing on the canvas overlaps, and that the page asked for nothing and complained of nothing."""
    count, bad = page.run(SETTLED + OVERLAPS)
    assert count > 5 and bad == []
    assert page.requests == [] and page.complaints == []


@pytest.mark.parametrize(("size", "workers"), [(10, 4), (1_000, 8), (1_000, 120)])
def test_labels_of_a_page_do_not_overlap_at_any_zoom_in_light_and_dark(
    browser: Browser, tmp_path: Path, size: int, workers: int
) -> None:
    report_of(size, workers=workers).timeline(tmp_path / "t.html")
    for dark, window in ((False, (1200, 800)), (True, (390, 800))):
        page = opened(browser, tmp_path / "t.html", dark=dark, size=window)
        well(page)
        for _ in range(3):
            page.run("timeline.zoom(0.3)")
            well(page)
        page.run("timeline.show(0, timeline.data.seconds); timeline.view.scrollTop = 300")
        well(page)
        page.close()


@pytest.mark.parametrize("size", [10, 1_000, 20_000])
def test_labels_of_an_svg_do_not_overlap_and_it_is_bounded(
    browser: Browser, tmp_path: Path, size: int
) -> None:
    report_of(size, workers=40).timeline(tmp_path / "t.svg")
    assert (tmp_path / "t.svg").stat().st_size < 2e6
    page = browser.open(tmp_path / "t.svg", size=(1200, 1600))
    found = page.overlaps("text.label")
    assert found["labels"] > 20 and found["pairs"] == []
    page.close()


def test_what_ran_at_once_is_told_by_how_much_and_each_is_seen_when_it_is_opened(
    browser: Browser, tmp_path: Path
) -> None:
    coroutines = [{"name": "fetch", "times": ran(0, n / 100, 1 + n / 50), "place": LOOP} for n in range(40)]
    report = of(*coroutines, {"name": "serve", "kind": "service", "times": ran(0, 0, 1)})
    report.timeline(tmp_path / "t.svg")
    page = browser.open(tmp_path / "t.svg")
    assert page.overlaps("text.label")["pairs"] == []
    page.close()
    report.timeline(tmp_path / "t.html")
    page = opened(browser, tmp_path / "t.html")
    well(page)
    x, y = page.run("""
      const box = timeline.canvas.getBoundingClientRect(), item = timeline.items.find((each) => each.kind === "area");
      return [box.left + timeline.left / 2, box.top + AsyncflowTimeline.TOP + item.top + 30]""")
    page.click(x, y)
    assert page.run(
        SETTLED + "return timeline.items.filter((each) => each.isOpen).map((each) => each.rows)"
    ) == [40]
    well(page)
    page.click(x, y)
    assert page.run(SETTLED + "return timeline.items.filter((each) => each.isOpen).length") == 0
    page.close()


def test_a_bar_that_is_clicked_tells_its_story_and_what_is_found_is_shown(
    browser: Browser, tmp_path: Path
) -> None:
    report_of(1_000).timeline(tmp_path / "t.html")
    page = opened(browser, tmp_path / "t.html")
    x, y, name = page.run("""
      const box = timeline.canvas.getBoundingClientRect(), { bars } = timeline.data;
      let bar = 0;
      const long = (at) => bars.end[at] - bars.begin[at];
      for (let at = 0; at < bars.row.length; at++) if (long(at) > long(bar)) bar = at;
      const y = timeline.rowTop[bars.row[bar]] + AsyncflowTimeline.TOP - timeline.view.scrollTop + 5;
      return [box.left + timeline.x((bars.begin[bar] + bars.end[bar]) / 2), box.top + y,
        asyncflowStories.label(timeline.data, bars.task[bar])]""")
    page.click(x, y)
    assert name in page.run("return document.querySelector('#story h3').textContent")
    page.run("document.querySelector('.finder input').focus()")
    page.write("#21")
    assert page.run("return document.querySelector('.count').textContent") == "1 of 1,000"
    page.press("Enter")
    assert page.run("return document.querySelector('#story article').dataset.task") == "21"
    assert page.run(SETTLED + "return timeline.until - timeline.from < timeline.data.seconds / 2")
    needed = "return [...document.querySelectorAll('#story dl button')].map((each) => each.textContent)"
    assert "fit (#22)" in page.run(needed)
    page.press("Escape")
    assert page.run("return document.querySelector('#story').childElementCount") == 0
    well(page)
    page.close()


def test_the_keyboard_and_the_wheel_move_through_time(browser: Browser, tmp_path: Path) -> None:
    report_of(100).timeline(tmp_path / "t.html")
    page = opened(browser, tmp_path / "t.html")
    page.run("timeline.view.focus()")
    page.press("+", "+")
    page.press("ArrowRight")
    zoomed = page.run(SETTLED + "return (timeline.until - timeline.from) / timeline.data.seconds")
    assert zoomed == pytest.approx(0.5)
    page.mouse("mouseWheel", 600, 300, deltaX=0, deltaY=-200, modifiers=2)
    assert page.run(SETTLED + "return (timeline.until - timeline.from) / timeline.data.seconds") < 0.4
    page.press("0", "0")
    assert page.run(SETTLED + "return (timeline.until - timeline.from) / timeline.data.seconds") == 1
    page.close()


def test_hostile_names_are_text_in_a_page(browser: Browser, tmp_path: Path) -> None:
    report_of(200, hostile=True).timeline(tmp_path / "t.html")
    page = opened(browser, tmp_path / "t.html")
    well(page)
    page.run("timeline.show(0, timeline.data.seconds / 20)")
    well(page)
    for task in range(1, 12):
        page.run(f"timeline.pick({task})")
    assert page.run("return document.querySelectorAll('#story script, #story img').length") == 0
    well(page)
    page.close()


@pytest.mark.soak
def test_a_hundred_thousand_tasks_are_a_page_that_is_quick_and_small(
    browser: Browser, tmp_path: Path
) -> None:
    report = report_of(100_000, workers=16)
    report.timeline(tmp_path / "t.html")
    report.timeline(tmp_path / "t.svg")
    assert (tmp_path / "t.html").stat().st_size < 8e6 and (tmp_path / "t.svg").stat().st_size < 2e6
    page = opened(browser, tmp_path / "t.html", dark=True)
    well(page)
    for _ in range(8):
        page.run("timeline.zoom(0.3)")
        well(page)
    page.close()
