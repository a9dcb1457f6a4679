"""A plan of every example equals the graph of its real run.

Not of those that decide by real values, which no plan can know: where these differ it is said below.
"""

from __future__ import annotations

import ast
import asyncio
import importlib.util
import json
import sys
from collections.abc import Callable
from functools import partialmethod
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import pytest
from graphs_kit import recorded
from pages_kit import examples, write_files
from test_examples import EXAMPLES

import asyncflow
from asyncflow import Plan, WorkflowEngine

PAGES = examples()
NOT_COMPARED = {
    "dry.py": "its tasks cannot run; see below",
    "mistakes.py": "it shows what is wrong; see below",
    "plan.py": "it shows what is wrong",
    "what_if.py": "it plans itself",
    "stages.py": "it plans itself",
    "words.py": "it takes its arguments from the command line",
    "server.py": "it runs a server",
    "threads.py": "it calls from threads",
}
"""Scripts that pages show, and why their plan cannot be held against their run."""


class _Reached(Exception):
    """A script has come to where it would run its engine."""


class Script:
    """A script, up to where it runs its engine.

    Args:
        path: of it.
        monkeypatch: for what it finds there.
    """

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.target: Any = None
        self.args: tuple[Any, ...] = ()
        self.engine: Any = None

        def run(engine: WorkflowEngine, target: Any, *args: Any) -> None:
            self.engine, self.target, self.args = engine, target, args
            raise _Reached

        def run_main(main: Any) -> None:
            main.close()
            raise _Reached

        monkeypatch.setattr(WorkflowEngine, "run", run)
        monkeypatch.setattr(asyncio, "run", run_main)
        namespace: dict[str, Any] = {"__name__": "script"}
        with pytest.raises(_Reached):
            exec(compile(path.read_text(), path, "exec"), namespace)
        if self.target is None:
            self.engine, self.target = namespace["engine"], namespace["main"]


def module(name: str) -> ModuleType:
    """An example, imported."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    sys.modules[name] = made  # dataclasses look there
    try:
        spec.loader.exec_module(made)
    finally:
        del sys.modules[name]
    return made


async def compared(engine: WorkflowEngine, target: Any, *args: Any) -> tuple[Plan, Plan]:
    """The plan of a target, and what was called when that was run."""
    plan = await engine.plan(target, *args)
    with recorded() as recorder:
        async with engine:
            await plan.run()
    return plan, recorder.plan()


def assert_equal(plan: Plan, real: Plan) -> None:
    # a run does not tell of decisions
    graph = Plan(plan.tasks, plan.edges, checkpoints=plan.checkpoints)
    assert not graph.diff(real), str(graph.diff(real))
    assert len(plan.tasks) == len(real.tasks) > 0


@pytest.mark.parametrize("name", sorted(PAGES.keys() - NOT_COMPARED.keys()))
async def test_a_plan_of_an_example_of_a_page_equals_its_run(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_files(PAGES[name].page, tmp_path)
    script = PAGES[name].write(tmp_path)
    example = Script(script, monkeypatch)
    plan, real = await compared(example.engine, example.target, *example.args)
    assert plan.findings == ()
    assert_equal(plan, real)


async def test_the_dry_example_equals_its_dry_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Its tasks cannot run: that is what it shows.
    script = PAGES["dry.py"].write(tmp_path)
    example = Script(script, monkeypatch)
    plan = await example.engine.plan(example.target, *example.args)
    async with example.engine:
        await plan.run()
    again = await example.engine.plan()
    assert plan == again
    assert plan.decisions != () and len(plan.tasks) == 6


async def test_the_mistakes_shown_are_findings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A run refuses them and a plan goes on, so the two differ: the call that does not fit is a task of the plan.
    script = PAGES["mistakes.py"].write(tmp_path)
    example = Script(script, monkeypatch)
    plan = await example.engine.plan(example.target)
    (finding,) = plan.findings
    assert finding.what == "fit() missing a required argument: 'degree'"
    assert [task.name for task in plan.tasks] == ["mistakes", "fit", "fit"]


async def test_a_plan_of_the_search_equals_its_run() -> None:
    engine = WorkflowEngine("thread")
    search = module("before_and_after").searching(engine)
    plan, real = await compared(engine, search, [1, 2])
    assert plan.findings == ()
    assert_equal(plan, real)


async def test_a_plan_of_the_quickstart_equals_its_run() -> None:
    example = module("quickstart")
    assert_equal(*await compared(example.engine, example.pipeline, ["a b", "c"]))


async def test_a_plan_of_the_warm_workers_equals_its_run() -> None:
    example = module("warm_workers")
    plan, real = await compared(example.engine, example.main, ["retrun", "policy"])
    assert plan.findings == ()
    assert_equal(plan, real)


@pytest.mark.parametrize("backend", ["thread", "sequential"])
async def test_a_plan_of_the_census_equals_its_run(
    backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "good.py").write_text("x = 1\n")
    (tmp_path / "bad.py").write_text("x = \n")
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "good.py").write_text("def f(): pass\n")
    example = module("source_census")
    engine = WorkflowEngine(backend)
    targets: list[Callable[[], Any]] = []
    monkeypatch.setattr(engine, "run", targets.append)
    example.take_census(engine, str(tmp_path), example.find(str(tmp_path)))
    plan, real = await compared(engine, targets[0])
    assert_equal(plan, real)
    assert len(plan.tasks) == 14 and plan.findings == ()


async def test_a_plan_of_the_service_beside_equals_its_run() -> None:
    example = module("service_beside")
    plan, real = await compared(example.engine, example.count, 3)
    assert plan.findings == ()
    assert_equal(plan, real)
    assert {task.name for task in plan.tasks if task.kind == "service"} == {"site", "server"}


@pytest.mark.parametrize("kinds", [3, 40])
async def test_a_plan_of_the_package_files_equals_its_run_up_to_a_decision_by_values(
    kinds: int, tmp_path: Path
) -> None:
    files = []
    for number in range(60):
        files.append(tmp_path / f"list {number}")
        files[-1].write_text("".join(f"/usr/file.e{kind}\n" for kind in range(kinds)))
    example = module("package_files")
    plan, real = await compared(example.engine, example.survey, files, tmp_path / "table.gz")
    assert plan.findings == ()
    assert plan.bytes_staged == sum(file.stat().st_size for file in files)
    if kinds <= example.LONG:
        assert_equal(plan, real)
    else:  # a plan cannot know that the table is long: what stands in for the number of kinds is 1
        diff = plan.diff(real)
        assert [task.name for task in diff.tasks.came] == ["pack", "sizes"] and not diff.tasks.went


async def test_a_dry_run_of_the_notebook_equals_its_run(monkeypatch: pytest.MonkeyPatch) -> None:
    real = await plan_of_cells(EXAMPLES / "notebook.ipynb")
    init = WorkflowEngine.__init__
    monkeypatch.setattr(WorkflowEngine, "__init__", partialmethod(init, dry_run=True))
    dry = await plan_of_cells(EXAMPLES / "notebook.ipynb")
    assert {task.name for task in real.tasks} == {"load", "total", "ranking"}
    diff = real.diff(dry)
    assert not diff.tasks and not diff.edges, str(diff)
    assert all(ours.block == theirs.block for ours, theirs in diff.changed)  # but one run took its time


async def plan_of_cells(notebook: Path) -> Plan:
    """What the cells of a notebook have called, before the one that shuts down."""
    cells = [cell for cell in json.loads(notebook.read_text())["cells"] if cell["cell_type"] == "code"]
    namespace: dict[str, Any] = {}
    *before, last = ["".join(cell["source"]) for cell in cells]
    for source in before:
        code = compile(source, "cell", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        body = FunctionType(code, namespace)()
        if body is not None:
            await body
    plan: Plan = await namespace["engine"].plan()
    assert "shutdown" in last
    await namespace["engine"].shutdown()
    return plan


def test_all_examples_are_looked_at() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == {
        "before_and_after",
        "election_night",
        "quickstart",
        "source_census",
        "package_files",
        "flaky_service",
        "service_beside",
        "warm_workers",
        "cluster",
        "replay",
        "service",
        "stream_folder",
    }
    assert NOT_COMPARED.keys() <= PAGES.keys()
    assert asyncflow.Plan is Plan
