"""Progress in a notebook, in a real kernel."""

from __future__ import annotations

from collections.abc import Callable

import nbformat
import pytest
from nbclient import NotebookClient

from asyncflow.live.notebook import Notebook, html
from asyncflow.live.progress import Failure, Function, Items, Progress, since

START = """
import asyncio
from asyncflow import WorkflowEngine

engine = await WorkflowEngine.create(progress=True, workers=2)

@engine.function_task
def fit(x):
    if x == 7:
        raise ValueError("<b>seven</b>")
    return x
"""
FITS = "await asyncio.gather(*fit.map(range(20)), return_exceptions=True);"
MORE = "print('more'); await asyncio.gather(*fit.map(range(100, 103)));"


def executed(*cells: str) -> list[nbformat.NotebookNode]:
    made = [nbformat.v4.new_code_cell(cell) for cell in cells]
    for number, cell in enumerate(made):
        cell["id"] = f"cell-{number}"
    notebook = nbformat.v4.new_notebook(cells=made)
    # Sockets of the client are closed when they are collected.
    NotebookClient(notebook, timeout=60).execute()
    return list(notebook.cells)


def blocks(cell: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [each for each in cell.outputs if "af-live" in each.get("data", {}).get("text/html", "")]


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_cell_that_has_work_done_has_one_block_and_is_saved_with_its_last_state() -> None:
    start, fits, more, end, after = executed(START, FITS, MORE, "await engine.shutdown()", "1 + 1")
    assert not blocks(start)  # nothing was called there
    (block,) = blocks(fits)
    assert block.data["text/plain"].startswith("asyncflow: 20 of 20 (100 %), 1 failed")
    assert "ValueError: &lt;b&gt;seven&lt;/b&gt;" in block.data["text/html"]
    (block,) = blocks(more)  # of this cell alone
    assert block.data["text/plain"].startswith("asyncflow: 3 of 3 (100 %)")
    (block,) = blocks(end)
    assert "asyncflow: 1 failed, 22 succeeded in" in block.data["text/plain"]
    assert "ValueError × 1: fit (#8)" in block.data["text/html"]
    assert not blocks(after)


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_display_in_one_cell_ends_with_its_summary_in_place() -> None:
    start, fits = executed(
        START.replace("progress=True, ", ""),
        "async with engine.live():\n    " + FITS + "\nprint('below')",
    )
    assert not blocks(start)
    (block,) = blocks(fits)
    assert "asyncflow: 1 failed, 19 succeeded in" in block.data["text/plain"]
    assert [each.output_type for each in fits.outputs] == ["display_data", "stream"]


class Paper:
    """A page that keeps what is put on it."""

    def __init__(self) -> None:
        self.number = 1
        self.blocks: dict[str, list[str]] = {}

    def cell(self) -> object:
        return self.number

    def show(self, block: str, bundle: dict[str, str]) -> None:
        self.blocks.setdefault(block, []).append(bundle["text/plain"])

    def when_cells_end(self, call: Callable[[], None]) -> Callable[[], None]:
        return lambda: None


def run(called: int, over: int) -> Progress:
    return Progress(1.0, [Function("fit", "function", "here", called, 0, over, 0, 0)])


def test_a_block_is_begun_when_another_cell_has_work_and_all_before_is_over() -> None:
    paper = Paper()
    shown = Notebook(paper)
    shown.begin(lambda: None)
    shown.paint(Progress(1.0, []))
    assert not paper.blocks
    shown.paint(run(3, 1))
    paper.number = 2
    shown.paint(run(5, 2))  # what the first cell has begun is not over
    assert len(paper.blocks) == 1
    shown.paint(run(5, 5))
    shown.paint(run(5, 5))  # nothing has changed
    (first,) = paper.blocks.values()
    assert [each.split(",")[0] for each in first] == [
        "asyncflow: 1 of 3 so far",
        "asyncflow: 2 of 5 so far",
        "asyncflow: 5 of 5 so far",
    ]
    paper.number = 3
    shown.paint(run(7, 6))
    _, second = paper.blocks.values()
    assert second[0].startswith("asyncflow: 1 of 2 so far")
    shown.end(run(7, 7))
    assert len(paper.blocks) == 3


def test_since_a_moment_counts_what_has_come_after_it() -> None:
    before = Progress(10.0, [Function("a", "function", "here", 5, 0, 4, 1, 0, expected=5)])
    now = Progress(
        13.0,
        [
            Function("a", "function", "here", 9, 1, 6, 2, 0, expected=10),
            Function("b", "function", "here", 1, 0, 0, 0, 0),
        ],
        failures=[Failure("a", 1, "E: old"), Failure("a", 8, "E: new")],
    )
    told = since(now, before)
    assert told.lasts == 3.0
    assert [(each.name, each.called, each.over, each.expected) for each in told.functions] == [
        ("a", 4, 3, 5),
        ("b", 1, 0, None),
    ]
    assert told.failures == [Failure("a", 8, "E: new")]
    assert since(now, None) is now


def test_nothing_in_a_block_is_markup_of_a_name() -> None:
    evil = "<script>alert(1)</script>\x1b[2J\n"
    progress = Progress(
        1.0,
        [Function(evil, "function", evil, 2, 1, 0, 1, 0)],
        holds=evil,
        failures=[Failure(evil, 1, evil)],
        items=[Items(evil, "item", 1, 1, 0, 0, None)],
    )
    for told in (html(progress), html(progress, [evil])):
        assert "<script" not in told
        assert "\x1b" not in told.split("<pre>")[0]
