"""A file of another kind than a subcommand needs: it is called what it is, with the subcommand that reads it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from asyncflow import WorkflowEngine

from .kit import Here

READ_BY = {
    "run.jsonl": ("the journal of a run", "asyncflow report {}"),
    "report.json": ("the report of a run", "asyncflow report {}"),
    "plan.json": ("a plan", "Plan.from_json(...)"),
    "recorded.json": ("a workflow recorded in WfFormat", "asyncflow replay {}"),
    "a.trace.json": ("a trace", "ui.perfetto.dev"),
    "flow.py": ("a file of Python", "asyncflow run {}"),
    "page.html": ("a page", "browser"),
}
NEEDS = {
    "replay": {"recorded.json"},
    "report": {"run.jsonl", "report.json"},
    "watch": {"run.jsonl"},
    "timeline": {"run.jsonl", "report.json"},
    "explain": {"run.jsonl", "report.json"},
    "run": {"flow.py"},
    "check": {"flow.py"},
    "plan": {"flow.py"},
    "serve": {"flow.py"},
    "graph": {"flow.py", "run.jsonl", "report.json"},
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    engine = WorkflowEngine(journal=folder / "run.jsonl")

    @engine.block
    async def flow() -> None:
        await engine.submit(len, "abc")

    (folder / "plan.json").write_text(asyncio.run(engine.plan(flow)).to_json())
    engine.run(flow)
    report = engine.report()
    report.save(folder / "report.json")
    (folder / "recorded.json").write_text(json.dumps(report.to_wfformat()))
    report.save(folder / "a.trace.json")
    (folder / "page.html").write_text("<html></html>")
    (folder / "flow.py").write_text("print('never runs')\n")
    return folder


@pytest.mark.parametrize(
    "subcommand, name",
    [(each, name) for each, needed in NEEDS.items() for name in READ_BY if name not in needed],
)
def test_a_file_of_another_kind_is_called_what_it_is_with_what_reads_it(
    here: Here, files: Path, subcommand: str, name: str
) -> None:
    path = str(files / name)
    said = here(subcommand, path, *(["1"] if subcommand == "explain" else []))
    kind, mend = READ_BY[name]
    assert (said.code, said.out) == (2, "")
    first, second = said.err.splitlines()
    assert first.startswith(f"asyncflow: {path} is {kind}, and ") and first.endswith(" is needed")
    assert mend.format(path) in second


@pytest.mark.parametrize("text", ['{"a": 1}\n', '{"a": 1}', '{"event": "RunBe', "hello"])
@pytest.mark.parametrize(
    "subcommand, needed",
    [("report", "the journal or the report"), ("watch", "the journal or"), ("replay", "WfFormat")],
)
def test_what_nobody_knows_is_refused_with_what_is_needed(
    here: Here, tmp_path: Path, subcommand: str, needed: str, text: str
) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    said = here(subcommand, str(path))
    assert said.code == 2 and said.err.startswith(f"asyncflow: {path}: ")
    assert needed in said.err.splitlines()[1] and said.err.count(str(path)) == 1
