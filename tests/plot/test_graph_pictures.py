"""Pictures of graphs, looked at in a real browser: nothing overlaps, nothing runs out of its box, nothing gets out."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asyncflow.plan import Edge, Plan, PlannedTask
from asyncflow.plot.drawing import Drawing

from .chromium_kit import Browser, Page
from .subjects_kit import HOSTILE, hostile_plan, report_of_a_run, shapes

LABELS = "#stage .af-label, #stage .af-small"
OUTSIDE = """
// Labels that are not in their box, and boxes that are not in the box around them or touch their neighbours.
const rect = each => each.getBoundingClientRect(), wrong = [];
const holds = (a, b) =>
  a.left <= b.left + 1 && a.right >= b.right - 1 && a.top <= b.top + 1 && a.bottom >= b.bottom - 1;
const boxes = [...document.querySelectorAll(".af-node")].map(each =>
  [each, rect(each.querySelector(":scope > .af-body, :scope > .af-block"))]);
const around = new Map(data.nodes.map(each => [String(each.number), String(each.around)]));
const byNumber = new Map(boxes.map(([each, box]) => [each.dataset.node, box]));
for (const [each, box] of boxes) {
  for (const label of each.querySelectorAll("text"))
    if (!holds(box, rect(label))) wrong.push(["label", label.textContent]);
  const outer = byNumber.get(around.get(each.dataset.node));
  if (outer && !holds(outer, box)) wrong.push(["inside", each.dataset.told]);
}
for (const [one, a] of boxes) for (const [other, b] of boxes) {
  if (one === other || around.get(one.dataset.node) !== around.get(other.dataset.node)) continue;
  const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
  if (wide > 0 && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 0)
    wrong.push(["touch", one.dataset.told, other.dataset.told]);
}
return wrong;
"""


def opened(browser: Browser, drawing: Drawing, folder: Path, *, dark: bool = False) -> Page:
    path = drawing.save(folder / "picture.html")
    return browser.open(path, dark=dark, size=(1300, 850))


def check_geometry(page: Page) -> None:
    assert page.overlaps(LABELS)["pairs"] == []
    assert page.run(OUTSIDE) == []
    assert page.complaints == page.requests == []


@pytest.mark.parametrize("tasks", [10, 1_000, pytest.param(100_000, marks=pytest.mark.soak)])
def test_no_labels_overlap_and_boxes_hold_what_is_inside(
    browser: Browser, tmp_path: Path, tasks: int
) -> None:
    for plan in shapes(tasks).values():
        page = opened(browser, plan.draw(), tmp_path)
        assert 0 < page.run("return boxes.size") <= 50
        check_geometry(page)
        page.look(dark=True, size=(700, 900))
        check_geometry(page)
        page.close()


async def test_a_run_with_blocks_and_states_is_drawn_without_overlaps(
    browser: Browser, tmp_path: Path
) -> None:
    report = await report_of_a_run()
    for fold in (None, True, False, 3):
        page = opened(browser, report.draw(fold=fold), tmp_path, dark=True)
        check_geometry(page)
        page.close()


def test_hostile_names_are_only_read(browser: Browser, tmp_path: Path) -> None:
    for fold in (False, True):
        page = opened(browser, hostile_plan().draw(fold=fold), tmp_path)
        check_geometry(page)
        assert page.run("return [document.scripts.length, typeof alerted]") == [2, "undefined"]
        for number in range(page.run("return data.nodes.length")):
            page.run(f"choose(data.nodes[{number}].number)")
        assert (
            page.run("return document.querySelectorAll('#side b, #side script, #stage script').length") == 0
        )
        page.close()


def test_a_page_may_load_nothing(browser: Browser, tmp_path: Path) -> None:
    page = opened(browser, shapes(10)["chain"].draw(), tmp_path)
    refused = "try { await fetch('https://example.org/'); return 'sent' } catch { return 'refused' }"
    assert page.run(refused) == "refused"
    assert any("Content Security Policy" in each for each in page.complaints)
    page.close()


async def test_a_click_tells_of_a_box_and_then_of_one_task(browser: Browser, tmp_path: Path) -> None:
    page = opened(browser, (await report_of_a_run()).draw(fold=True), tmp_path)
    x, y = page.run(
        "const at = [...boxes.values()].find(each => each.dataset.told.startsWith('fit')).getBoundingClientRect();"
        "return [at.left + at.width / 2, at.top + 12]"
    )
    page.click(x, y)
    told = page.run("return side.innerText")
    assert "16 succeeded" in told and "4 failed" in told
    assert "ValueError: need 2 rows, <b>not</b> 4" in told
    page.run("side.querySelector('ol button').click()")  # failures come first
    told = page.run("return side.innerText")
    assert "subjects_kit.py:" in told and "attempt 1: failed" in told and "attempts\n2" in told
    page.press("Escape")
    assert page.run("return side.hidden")
    page.close()


def test_the_keyboard_is_enough(browser: Browser, tmp_path: Path) -> None:
    page = opened(browser, shapes(1_000)["tree"].draw(), tmp_path)
    page.press("/")
    assert page.run("return document.activeElement.id") == "search"
    page.write("#750")
    assert page.run("return side.innerText").startswith("1 found") or "add (#750)" in page.run(
        "return side.innerText"
    )
    page.press("Enter")
    assert "add (#750)" in page.run("return side.innerText")
    page.press("Escape")
    before = page.run("return view.scale")
    page.press("+")
    page.press("ArrowDown")
    assert page.run("return view.scale") > before
    page.press("0")
    assert page.run("return view.isWhole")
    for _ in range(5):  # behind the field and the buttons
        page.press("Tab")
    assert page.run("return document.activeElement.classList.contains('af-node')")
    page.press("Enter")
    assert not page.run("return side.hidden")
    page.close()


def test_any_task_is_found_by_its_number(browser: Browser, tmp_path: Path) -> None:
    page = opened(browser, shapes(5_000)["map"].draw(), tmp_path)
    page.run("search.value = '#4999'; search.dispatchEvent(new Event('input'))")
    assert "#4999, one of fit × 2,500" in page.run("return side.innerText")
    page.close()


def test_it_can_be_moved_and_enlarged_by_the_mouse(browser: Browser, tmp_path: Path) -> None:
    page = opened(browser, shapes(10)["map"].draw(), tmp_path)
    page.mouse("mouseWheel", 600, 400, deltaX=0, deltaY=-300)
    assert page.run("await new Promise(requestAnimationFrame); return view.scale") > 1
    before = page.run("return [view.x, view.scale]")
    page.mouse("mousePressed", 1200, 700, button="left", buttons=1, clickCount=1)
    page.mouse("mouseMoved", 1100, 700, button="left", buttons=1)
    page.mouse("mouseReleased", 1100, 700, button="left", clickCount=1)
    assert page.run("return view.x") == pytest.approx(before[0] + 100 / before[1])
    page.close()


async def test_print_is_on_white_and_has_the_whole_picture(browser: Browser, tmp_path: Path) -> None:
    page = opened(browser, (await report_of_a_run()).draw(), tmp_path, dark=True)
    page.look(dark=True, print_=True, size=(800, 1100))
    page.run("window.dispatchEvent(new Event('beforeprint'))")
    ground = page.run("return getComputedStyle(document.body).backgroundColor")
    shown = page.run("return getComputedStyle(document.getElementById('search')).display")
    assert (ground, shown) == ("rgb(255, 255, 255)", "none")
    page.close()


@pytest.mark.parametrize("dark", [None, True, False])
def test_the_ground_is_as_it_was_asked_for(browser: Browser, tmp_path: Path, dark: bool | None) -> None:
    plan = shapes(10)["chain"]
    for name in ("picture.html", "picture.svg"):
        path = tmp_path / name
        plan.draw(path, dark=dark)
        page = browser.open(path, dark=True)
        ground = page.run("return getComputedStyle(document.querySelector('.af-ground')).fill")
        assert ground == ("rgb(255, 255, 255)" if dark is False else "rgb(20, 24, 29)")
        page.close()


def test_several_stand_in_a_notebook_each_on_its_ground(browser: Browser, tmp_path: Path) -> None:
    plans = shapes(10)
    shown = [plans["map"].draw(), plans["tree"].draw(dark=True), plans["chain"].draw(dark=False)]
    cells = "".join(drawing._repr_html_() for drawing in shown)
    page_of = tmp_path / "notebook.html"
    grounds = (
        "return [...document.querySelectorAll('.af-ground')].map(each =>"
        " getComputedStyle(each).fill === 'rgb(255, 255, 255)' ? 'light' : 'dark')"
    )
    for theme, own in (("true", "light"), ("false", "dark")):
        page_of.write_text(f'<meta charset="utf-8"><body data-jp-theme-light="{theme}">{cells}')
        page = browser.open(page_of, dark=theme == "true")  # the notebook's theme counts, not the system's
        assert page.run(grounds) == [own, "dark", "light"]
        ids = page.run("return [...document.querySelectorAll('[id]')].map(each => each.id)")
        assert len(ids) == len(set(ids))
        page.close()


# -- what needs no browser ---------------------------------------------------------------------------------------------


def test_svg_is_well_formed_whatever_tasks_are_called() -> None:
    for fold in (None, True, False):
        root = ET.fromstring(hostile_plan().draw(fold=fold).to_svg())
        texts = [each.text or "" for each in root.iter("{http://www.w3.org/2000/svg}text")]
        if not fold:
            assert any("<script>" in each for each in texts)
        assert not [each for each in root.iter() if each.tag.endswith("script")]


def test_the_same_plan_gives_the_same_picture_each_time() -> None:
    for plan in shapes(300).values():
        assert plan.draw().to_svg() == Plan.from_json(plan.to_json()).draw().to_svg()


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_every_plan_is_drawn(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 14))
    tasks: list[PlannedTask] = []
    for number in range(size):
        blocks = [task.id for task in tasks if task.kind == "block"]
        block = data.draw(st.sampled_from([None, *blocks]))
        kind = data.draw(st.sampled_from(["function", "block", "executable"]))
        tasks.append(PlannedTask(number, data.draw(st.sampled_from("abc")), kind, block))  # type: ignore[arg-type]
    ends = st.integers(0, size - 1)
    edges = []
    for one, other in data.draw(st.lists(st.tuples(ends, ends), max_size=20)):
        around = {task.id: task.block for task in tasks}
        outer = other
        while outer is not None and outer != one:
            outer = around[outer]  # type: ignore[assignment]
        if one < other and outer is None:
            edges.append(Edge(one, other))
    try:
        plan = Plan(tasks, edges)
    except ValueError:  # what is inside of a block would wait for what waits for the block
        return
    fold = data.draw(st.sampled_from([None, True, False, 1, 3]))
    ET.fromstring(plan.draw(fold=fold).to_svg())


def test_saved_by_the_end_of_the_name(tmp_path: Path) -> None:
    plan = shapes(10)["map"]
    for suffix in (".svg", ".png", ".html", ".mmd", ".dot"):
        assert plan.draw().save(tmp_path / f"x{suffix}").stat().st_size > 100
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(
        ValueError, match=r"'x\.pdf': the end of the name says the format; it can be one of \.svg \.png"
    ):
        plan.draw(tmp_path / "x.pdf")


def test_wrong_arguments_are_told() -> None:
    plan = shapes(10)["chain"]
    with pytest.raises(
        TypeError, match=r"draw\(fold='yes'\): True, False, None or a number of boxes is needed"
    ):
        plan.draw(fold="yes")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"draw\(fold=0\): a picture has one box at least"):
        plan.draw(fold=0)
    with pytest.raises(TypeError, match=r"draw\(dark=1\): True, False or None is needed"):
        plan.draw(dark=1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="pixels of it; a smaller scale is needed"):
        plan.draw().to_png(scale=1_000)


def test_blocks_may_be_deeper_inside_of_each_other_than_calls_may_be() -> None:
    tasks = [PlannedTask(n, "solve", "block", n - 1 if n else None) for n in range(1_500)]
    plan = Plan([*tasks, PlannedTask(1_500, "leaf", block=1_499)])
    deep = plan.draw(fold=False)
    assert deep.to_mermaid().count("subgraph") == deep.to_dot().count("subgraph") == 1_500
    assert ">× 1,500</text>" in plan.draw().to_svg()


def test_a_plan_of_nothing_is_a_picture_too() -> None:
    drawing = Plan([]).draw()
    assert "0 tasks, no edges" in drawing.to_svg()
    assert drawing.to_mermaid() and drawing.to_dot() and drawing.to_png() and drawing.to_html()


def test_a_notebook_shows_the_svg() -> None:
    shown = shapes(10)["map"].draw()._repr_mimebundle_()
    assert shown["text/plain"] == "<Drawing of a plan: 11 tasks, 10 edges (10 data)>"
    assert "<svg " in shown["text/html"] and "data-jp-theme-light" in shown["text/html"]


def test_data_in_a_page_cannot_end_its_element() -> None:
    page = hostile_plan().draw().to_html()
    found = re.search(r'id="data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    labels = {node["label"] for node in json.loads(found[1])["nodes"]}
    assert any("<script>" in label for label in labels)
    assert HOSTILE[2] not in page
