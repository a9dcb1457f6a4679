"""Pictures on the command line: in each form, of names that would do harm, and all of the demo."""

from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from asyncflow import Report

from .kit import Here

NAME = 'a\x1b[31m\nb\u202e<script>`]]>%%"'
FLOW = f"""
from asyncflow import WorkflowEngine
engine = WorkflowEngine()

@engine.function_task(name={NAME!r})
def load(n: int) -> int:
    return 1 // n

@engine.block
async def pipeline(n: int = 2) -> int:
    return sum([await each for each in [load(each) for each in range(n)]])

@engine.block
async def chain() -> int:
    return await load(load(1))
"""


@pytest.fixture
def flow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "flow.py").write_text(FLOW)
    return tmp_path


def test_a_graph_is_drawn_in_the_form_that_the_file_is_called_by(flow: Path, here: Here) -> None:
    for suffix in ("svg", "html", "mmd", "dot"):
        told = here("graph", "flow.py:pipeline", "3", "-o", f"x.{suffix}")
        assert told.code == 0 and told.out == "" and told.err == f"written: x.{suffix}\n"
        text = (flow / f"x.{suffix}").read_text()
        assert suffix == "dot" or "<script>`" not in text
        assert "\x1b" not in text and "\u202e" not in text
    assert ET.parse(flow / "x.svg").getroot().tag.endswith("svg")
    assert "the end of the name says the format" in here("graph", "flow.py:pipeline", "-o", "x.pdf").err
    assert here("graph", "flow.py:pipeline", "-o", "nowhere/x.svg").code == 2


def test_a_graph_without_a_file_is_text_for_mermaid(flow: Path, here: Here) -> None:
    told = here("graph", "flow.py:pipeline", "3")
    assert told.out.count("flowchart") == 1 and told.code == 0
    assert "flowchart" in json.loads(here("graph", "flow.py:pipeline", "--json").out)["mermaid"]


def test_graphs_and_timelines_are_drawn_of_runs(flow: Path, here: Here) -> None:
    here("run", "-q", "flow.py:pipeline", "--journal", "run.jsonl", "--report", "run.json")
    for journal in ("run.jsonl", "run.json"):
        assert here("graph", journal, "-o", "x.svg").code == 0
        assert here("timeline", journal, "-o", "t.svg").code == 0
    assert ET.parse(flow / "t.svg").getroot().tag.endswith("svg")
    text = here("timeline", "run.jsonl")
    assert "x where a task has failed" in text.out and "\x1b" not in text.out
    lanes = json.loads(here("timeline", "run.jsonl", "--json").out)["workers"]
    assert sum(len(each["tasks"]) for each in lanes) == 2


def test_without_the_extra_for_pictures_one_line_says_how_to_get_it(flow: Path) -> None:
    program = "import sys; sys.modules['fast_sugiyama'] = None; from asyncflow.cli.entry import main; "
    program += "print(main(['graph', 'flow.py:chain', '-o', 'x.svg']), main(['graph', 'flow.py:pipeline']))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("\n2 0\n") and "flowchart" in done.stdout
    assert 'pip install "asyncflow-engine[plot]"' in done.stderr and "Traceback" not in done.stderr


def test_the_demo_leaves_all_that_there_is_to_see(flow: Path, here: Here) -> None:
    (flow / "src" / "pack").mkdir(parents=True)
    (flow / "src" / "pack" / "good.py").write_text("def f():\n    return 1\n")
    (flow / "src" / "bad.py").write_text("def f(:\n")
    told = here("demo", "src", "-o", "shown")
    assert told.code == 0 and "pack" in told.out and "1 files could not be measured." in told.out
    left = {"census.py", "run.jsonl", "report.html", "graph.html", "graph.svg", "timeline.html"}
    found = {each.name for each in (flow / "shown").iterdir()}
    assert found - {"__pycache__"} == left  # what worker processes compile is Python's
    report = Report.from_journal(flow / "shown" / "run.jsonl")
    assert report.is_over and report.counts["FAILED"] == 1
    assert here("run", "-q", "shown/census.py", "src", "--backend", "thread").out.startswith("package")
    assert json.loads(here("demo", "src", "-o", "shown", "--json").out)["written"]
