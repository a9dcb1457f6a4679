"""What things show of themselves in a notebook: as text and as HTML, whatever they are called."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from html.parser import HTMLParser

import pytest

from asyncflow import Graph, WorkflowEngine, ref, step
from asyncflow._show.outlined import Cell


class _Page(HTMLParser):
    """Texts of a page, and its elements."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def shown(thing: Cell) -> str:
    """As text; the page says as much, and has no script."""
    bundle = thing._repr_mimebundle_()
    text, page = bundle["text/plain"], _Page(bundle["text/html"])
    assert _Page(thing._repr_html_()).tags == page.tags
    assert "script" not in page.tags
    assert text.split(":")[0] in "".join(page.texts)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)
    return text


@pytest.fixture
async def engine() -> WorkflowEngine:
    return WorkflowEngine(workers=2)


async def test_an_engine_says_what_runs_waits_and_has_failed_on_which_backends_and_since_when(
    engine: WorkflowEngine,
) -> None:
    @engine.function_task
    def load(name: str) -> str:
        if name == "bad":
            raise ValueError("no such file")
        return name

    @engine.function_task
    async def held() -> None:
        begun.set()
        await release.wait()

    @engine.function_task
    def after(value: None) -> None: ...

    begun, release = asyncio.Event(), asyncio.Event()
    assert shown(engine) == "Engine: not started\nBackends: thread, 2 workers"
    async with engine:
        bad, good, waiting = load("bad"), load("good"), after(held())
        await asyncio.wait([bad, good])
        await begun.wait()
        text = shown(engine)
        assert text.startswith(
            "Engine: 1 tasks run, 1 wait, 2 are over\nBackends: thread, 2 workers\nSince: "
        )
        assert "Waiting: 1 for others; most behind held (#3): 1\nRunning: held (#3) for" in text
        rows = [line.split() for line in text.splitlines() if line.startswith("  ")]
        assert ["function", "waiting", "running", "succeeded", "bad", "mean"] in rows
        assert ["held", "1"] in rows and ["after", "1"] in rows
        assert any(row[:3] == ["load", "1", "1"] for row in rows)
        assert "Failed:\n  load (#1): ValueError: no such file" in text
        release.set()
        await waiting
        assert isinstance(bad.exception(), ValueError)
    assert shown(engine).startswith("Engine: shut down, 4 tasks are over\nBackends: thread, 2 workers\nRan: ")


async def test_an_engine_that_records_nothing_shows_itself_too() -> None:
    async with WorkflowEngine(report_limit=0) as engine:
        assert "0 tasks run" in shown(engine)


async def test_an_engine_shows_its_last_failures_alone(engine: WorkflowEngine) -> None:
    @engine.function_task
    def fail(number: int) -> None:
        raise ValueError(f"number {number}")

    async with engine:
        await asyncio.gather(*map(fail, range(20)), return_exceptions=True)
        text = shown(engine)
    assert "Failed last, of 20:" in text
    assert [line.split()[-1] for line in text.splitlines() if "fail (#" in line] == [
        "15",
        "16",
        "17",
        "18",
        "19",
    ]


async def test_a_future_shows_where_its_task_stands_and_its_value(engine: WorkflowEngine) -> None:
    @engine.function_task
    def double(number: int) -> int:
        if number < 0:
            raise ValueError("negative")
        return 2 * number

    async with engine:
        future = double(4)
        assert shown(future).startswith("Task: 'double' (#1) could run")
        await future
        text = shown(future)
        assert text.startswith("Task: 'double' (#1) succeeded on backend 'thread'\nValue: 8, an int\n")
        assert "called at " in text and "story: PENDING -> READY" in text
        failed = double(-1)
        await asyncio.wait([failed])
        assert shown(failed).startswith(
            "Task: 'double' (#2) failed on backend 'thread': ValueError: negative"
        )
        failed.exception()


async def test_a_task_shows_signature_options_and_docstring(engine: WorkflowEngine) -> None:
    @engine.function_task(retries=2, timeout=30)
    def fit(rows: list[int], degree: int = 2) -> float:
        """Fit a curve.

        Args:
            rows: of numbers.
        """
        return 0.0

    @engine.block
    async def both() -> None: ...

    @engine.executable_task
    def render() -> list[str]:
        return ["true"]

    @engine.function_task
    def many(path: str):  # type: ignore[no-untyped-def]
        yield path

    text = shown(fit)
    assert text.startswith("function_task: fit(rows: list[int], degree: int = 2) -> float\n")
    assert "Options: timeout=30, retries=2\nDefined: " in text
    assert "test_cells.py:" in text
    assert "  Fit a curve.\n" in text
    assert repr(fit) == "<function_task fit: timeout=30, retries=2>"
    assert shown(both).startswith("block: both() -> None\nDefined:")
    assert shown(render).startswith("executable_task: render()")
    assert shown(many).startswith("generator function: many(path: str)")


async def test_streams_services_jobs_and_graphs_show_how_far_they_are(engine: WorkflowEngine) -> None:
    @engine.function_task
    def double(number: int) -> int:
        if number > 99:
            raise ValueError("too large")
        return 2 * number

    async with engine:
        stream = double.stream([1, 2, 3], window=7)
        assert shown(stream).startswith("Stream: of double: taken 0, ")
        assert "Window: 7 items" in shown(stream)
        assert sorted([value async for value in stream]) == [2, 4, 6]
        assert "given 3, failed 0, of 3" in shown(stream)
        service = engine.serve(double)
        good, bad = service.submit(4, id="good"), service.submit(100, id="bad")
        assert shown(good) == "Job: 'good' of double: RUNNING"
        await good.ended()
        await bad.ended()
        assert shown(good) == "Job: 'good' of double: SUCCEEDED\nValue: 8, an int"
        assert shown(bad) == "Job: 'bad' of double: FAILED\nError: ValueError: too large"
        text = shown(service)
        assert text.startswith("Service: double: 0 jobs run, 0 wait, 2 are over\nSubmitted last:\n")
        assert ["bad", "FAILED", "ValueError:", "too", "large"] in [
            line.split() for line in text.splitlines()
        ]
    graph = Graph({f"step {n}": step(double, ref(f"step {n - 1}") if n else 1) for n in range(30)})
    text = shown(graph)
    assert text.startswith("Graph: 30 steps in 30 stages\n")
    assert "... 6 more" in text
    assert ["2", "step", "1", "double", "step", "0"] in [line.split() for line in text.splitlines()]


HOSTILE = "<script>alert(1)</script>\x1b[31m\n\u202e]]>&" + "x" * 500


def _of_task(engine: WorkflowEngine) -> Cell:
    def plain(text: str = HOSTILE) -> None: ...

    plain.__doc__ = HOSTILE
    return engine.function_task(name="evil " + HOSTILE[:50])(plain)


def _of_graph(engine: WorkflowEngine) -> Cell:
    return Graph({HOSTILE: step(print)})


def _of_job(engine: WorkflowEngine) -> Cell:
    return engine.serve(engine.function_task(lambda: None)).submit(id=HOSTILE)


@pytest.mark.parametrize("make", [_of_task, _of_graph, _of_job])
async def test_hostile_names_only_show(
    engine: WorkflowEngine, make: Callable[[WorkflowEngine], Cell]
) -> None:
    async with engine:
        shown(make(engine))
        shown(engine)


async def test_a_value_that_cannot_be_shown_hides_nothing_else(engine: WorkflowEngine) -> None:
    class Shy:
        def __repr__(self) -> str:
            raise RuntimeError("no")

    @engine.function_task
    def shy() -> Shy:
        return Shy()

    async with engine:
        future = shy()
        await future
        assert "Value: something, a Shy\n" in shown(future)
