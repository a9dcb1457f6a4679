"""In a real kernel, as a notebook's reader has it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[1] / "examples" / "notebook.ipynb"
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
PATIENCE = 60  # seconds until a kernel counts as hung

START = """
import asyncio, threading
from asyncflow import WorkflowEngine

engine = await WorkflowEngine.create(backend="thread", workers=1)
"""
DECORATE = """
@engine.function_task
def double(x):
    return 2 * x

@engine.function_task
async def add(x, y):
    return x + y

@engine.block
async def both(x):
    return await add(double(x), double(x))
"""
STUCK_COROUTINE = """
begun = asyncio.Event()

@engine.function_task
async def stuck():
    begun.set()
    await asyncio.Event().wait()

future = stuck()
await begun.wait()
print("begun", flush=True)
await future
"""
STUCK_THREAD = """
begun, release, loop = asyncio.Event(), threading.Event(), asyncio.get_running_loop()

@engine.function_task
def stuck():
    loop.call_soon_threadsafe(begun.set)
    release.wait()

future = stuck()
await begun.wait()
print("begun", flush=True)
await future
"""
STUCK_PROCESS = """
import os, tempfile
far = await WorkflowEngine.create(backend="process", workers=1)
pipe = os.path.join(tempfile.mkdtemp(), "pipe")
os.mkfifo(pipe)

@far.function_task
def stuck():
    open(pipe).read()

future = stuck()
ear = await asyncio.to_thread(open, pipe, "w")  # opens when the reader has
print("begun", flush=True)
await future
"""
BUSY_CELL = """
future = both(1)
print("begun", flush=True)
while True:
    pass
"""


class Notebook:
    """Runs cells in one kernel."""

    def __init__(self, manager: KernelManager, client: BlockingKernelClient) -> None:
        self._manager = manager
        self._client = client
        self.traceback = ""  # of the last exception, as the notebook shows it

    def run(self, cell: str, on_print: Callable[[], None] = lambda: None) -> str:
        """What the cell printed and its last value, or the name of the exception that ended it."""
        said: list[str] = []

        def hear(message: dict[str, Any]) -> None:
            content = message["content"]
            if message["msg_type"] == "stream":
                said.append(content["text"])
                on_print()
            elif message["msg_type"] == "execute_result":
                said.append(content["data"]["text/plain"])
            elif message["msg_type"] == "error":
                said.append(content["ename"])
                self.traceback = _COLOURS.sub("", "\n".join(content["traceback"]))

        self._client.execute_interactive(cell, timeout=PATIENCE, output_hook=hear)
        return "".join(said).strip()

    def inspected(self, name: str) -> str:
        """What ``name?`` shows."""
        content = self._client.inspect(name, reply=True, timeout=PATIENCE)["content"]
        return _COLOURS.sub("", content["data"]["text/plain"])

    def completed(self, typed: str) -> list[str]:
        """What the tab key offers."""
        matches: list[str] = self._client.complete(typed, reply=True, timeout=PATIENCE)["content"]["matches"]
        return matches

    def interrupt_once_begun(self, cell: str) -> str:
        """Nothing but the interrupt comes to the kernel, so that it takes effect by itself or never."""
        return self.run(cell, on_print=self._manager.interrupt_kernel)


@pytest.fixture(scope="module")
def kernel() -> Iterator[Notebook]:
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel()
    client = manager.blocking_client()
    try:
        client.start_channels()
        client.wait_for_ready(timeout=PATIENCE)
        yield Notebook(manager, client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()


@pytest.fixture
def notebook(kernel: Notebook) -> Notebook:
    """With no name of another test in it."""
    kernel.run("%reset -f")
    return kernel


async def test_the_example_notebook_runs_from_top_to_bottom() -> None:
    book = nbformat.read(NOTEBOOK, as_version=4)
    await NotebookClient(book, timeout=PATIENCE, kernel_name="python3").async_execute()
    values = {
        cell["id"]: output["data"]["text/plain"]
        for cell in book.cells
        for output in cell.get("outputs", ())
        if output["output_type"] == "execute_result"
    }
    assert values["chain"] == str(sum(map(ord, "asyncflow")))
    assert "SUCCEEDED" in values["await"]
    assert "'spam'" in values["block"]


def test_a_future_made_in_one_cell_is_awaited_in_another(notebook: Notebook) -> None:
    assert notebook.run(START) == ""
    assert notebook.run(DECORATE) == ""
    assert notebook.run("future = both(double(1))") == ""
    assert notebook.run("await future") == "8"


def test_a_cell_that_decorates_runs_again(notebook: Notebook) -> None:
    notebook.run(START)
    notebook.run(DECORATE)
    assert notebook.run("await both(1)") == "4"
    assert notebook.run(DECORATE.replace("2 * x", "10 * x")) == ""
    assert notebook.run("await both(1)") == "20"


def test_a_cell_that_makes_the_engine_runs_again(notebook: Notebook) -> None:
    for _ in range(2):
        assert notebook.run(START) == ""
        assert notebook.run(DECORATE) == ""
        assert notebook.run("await both(1)") == "4"


@pytest.mark.parametrize(
    "cell",
    [STUCK_COROUTINE, STUCK_THREAD, STUCK_PROCESS, BUSY_CELL],
    ids=["coroutine", "thread", "process", "cell"],
)
def test_after_an_interrupt_the_engine_goes_on(notebook: Notebook, cell: str) -> None:
    notebook.run(START)
    notebook.run(DECORATE)
    said = notebook.interrupt_once_begun(cell)
    assert said.split() in (["begun", "KeyboardInterrupt"], ["begun", "CancelledError"])
    if cell is STUCK_THREAD:
        notebook.run("release.set()")  # its only worker cannot be stopped, only let go
    assert notebook.run("await both(2)") == "8"
    assert notebook.run("await engine.shutdown(wait=False); print(future.done())") == "True"


FAILS = """
@engine.function_task
def load(name):
    rows = [name]
    raise ValueError(f"need 2 rows, not {rows}")

@engine.function_task
def plot(rows):
    return rows

@engine.block
async def both(name):
    return await plot(load(name))
"""


@pytest.mark.parametrize("backend", ["thread", "process"])
def test_a_failed_task_takes_few_lines_and_none_of_ours(notebook: Notebook, backend: str) -> None:
    notebook.run(START.replace('"thread"', f'"{backend}"'))
    notebook.run(FAILS)
    for cell in ("await load('a')", "await plot(load('a'))", "await both('a')"):
        assert notebook.run(cell) in ("ValueError", "UpstreamFailed")
        assert "need 2 rows, not ['a']" in notebook.traceback
        assert len(notebook.traceback.splitlines()) <= 25, notebook.traceback
        assert "asyncflow/" not in notebook.traceback
        assert "ipykernel" not in notebook.traceback


def test_cells_are_named_as_the_notebook_does(notebook: Notebook) -> None:
    notebook.run(START)
    notebook.run(FAILS)
    notebook.run("future = load('a')")
    number = int(notebook.run("len(In) - 1")) - 1
    told = notebook.run(
        "import asyncio; await asyncio.wait([future]); print(future.exception() and future.explain())"
    )
    assert f"called at In [{number}]:1, in <module>" in told


def test_an_engine_that_takes_the_name_of_another_ends_that_after_its_work(notebook: Notebook) -> None:
    notebook.run(START)
    notebook.run(DECORATE)
    notebook.run("held, first = asyncio.Event(), engine")
    notebook.run("""
@engine.block
async def waits():
    await held.wait()
    return await both(3)
""")
    notebook.run("future = waits()")
    said = notebook.run(START)
    assert "another engine is 'engine' now; the one before ends when its work is over" in said
    assert notebook.run("both(1)") == "EngineClosed"
    assert "'both' was called, but it is a task of the engine that was 'engine' before" in notebook.traceback
    assert "Run the cell again that decorates 'both'." in notebook.traceback
    assert notebook.run("held.set(); await future") == "12"
    assert notebook.run("await first.shutdown(); first").startswith("Engine: shut down")
    notebook.run(DECORATE)
    assert notebook.run("await both(2)") == "8"


@pytest.mark.parametrize(
    "cell",
    [
        "other = WorkflowEngine()",
        "WorkflowEngine()",
        "engines = [WorkflowEngine()]",
        "def f():\n    engine = WorkflowEngine()\n    return engine\nsecond = f()",
    ],
)
def test_an_engine_of_another_name_ends_none(notebook: Notebook, cell: str) -> None:
    notebook.run(START)
    notebook.run(DECORATE)
    notebook.run(cell)
    assert notebook.run("await both(1)") == "4"


HELPED = """
@engine.function_task(retries=2, timeout=30)
def fit(rows: list[int], degree: int = 2) -> float:
    "Fit a curve."
    return 0.0

@engine.block
async def pipeline(path: str) -> float:
    "From a file to a model."
    return await fit([1])

future = fit([1])
"""


def test_a_question_mark_shows_signature_options_and_docstring(notebook: Notebook) -> None:
    notebook.run(START)
    notebook.run(HELPED)
    text = notebook.inspected("fit")
    assert "fit(rows: list[int], degree: int = 2) -> float" in text
    assert "<function_task fit: timeout=30, retries=2>" in text
    assert "Fit a curve." in text
    text = notebook.inspected("pipeline")
    assert "pipeline(path: str) -> float" in text and "From a file to a model." in text
    text = notebook.inspected("fit.with_options")
    assert "retries:" in text and "The same task with other options" in text


@pytest.mark.parametrize(
    "typed, found",
    [
        ("fit(deg", "degree="),
        ("pipeline(pa", "path="),
        ("fit.with_options(retr", "retries="),
        ("engine.func", "engine.function_task"),
        ("fit.wi", "fit.with_options"),
        ("future.expl", "future.explain"),
    ],
)
def test_the_tab_key_completes_arguments_options_and_methods(
    notebook: Notebook, typed: str, found: str
) -> None:
    notebook.run(START)
    notebook.run(HELPED)
    # with the word that was begun, or without what stands before the dot
    assert any(found.endswith(each) and each for each in notebook.completed(typed))


def test_a_plan_of_a_task_of_the_engine_before_says_which_cell_to_run_again(notebook: Notebook) -> None:
    notebook.run(START)
    notebook.run(DECORATE)
    notebook.run(START)
    assert notebook.run("await engine.plan(both, 1)") == "ValueError"
    assert "Run the cell again that decorates 'both'." in notebook.traceback
    assert "planning.py" not in notebook.traceback
