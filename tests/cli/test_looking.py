"""What is to be looked at before and after a run, for people and for programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .kit import Here

FLOW = """
from asyncflow import WorkflowEngine
engine = WorkflowEngine(workers=2)

@engine.function_task(expected=2.0)
def load(n: int) -> int:
    if n == 3:
        raise ValueError("no \\x1b[31m three")
    return n

@engine.function_task(expected=1.0)
def total(numbers: list[int]) -> int:
    return sum(numbers)

@engine.block
async def pipeline(n: int = 2) -> int:
    return await total([load(each) for each in range(n)])

@engine.block
async def badly() -> int:
    return await total(load)
"""


@pytest.fixture
def flow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "flow.py"
    path.write_text(FLOW)
    return path


@pytest.fixture
def journal(flow: Path, here: Here) -> str:
    here("run", "-q", "flow.py:pipeline", "4", "--journal", "run.jsonl")
    return "run.jsonl"


def test_check_runs_nothing_and_says_what_is_wrong(flow: Path, here: Here) -> None:
    right = here("check", "flow.py:pipeline", "4")
    assert right.code == 0 and right.out == "6 tasks, and nothing wrong with their wiring\n"
    wrong = here("check", "flow.py:badly")
    assert wrong.code == 3 and "flow.py" in wrong.out and "mend:" in wrong.out
    assert len(json.loads(here("check", "flow.py:badly", "--json").out)["findings"]) == 1


def test_check_makes_up_what_it_is_not_given(flow: Path, here: Here) -> None:
    told = here("check", "flow.py:load")
    assert told.code == 0 and "made up, as the command line does not give it: n" in told.err


def test_check_and_plan_of_a_script_run_no_task_of_it(flow: Path, here: Here) -> None:
    flow.write_text(FLOW + "\nif __name__ == '__main__':\n    print(engine.run(pipeline, 4))\n")
    told = here("check", "flow.py")
    assert told.code == 0 and told.out == "6 tasks, and nothing wrong with their wiring\n"
    assert json.loads(here("plan", "--json", "flow.py").out)["plan"]["format"] == "asyncflow plan"


def test_plan_tells_what_so_many_workers_make_of_it(flow: Path, here: Here) -> None:
    told = here("plan", "flow.py:pipeline", "4", "--workers", "1,2,4")
    rows = [line.split()[:3] for line in told.out.splitlines() if line.split()[:1] in (["1"], ["2"], ["4"])]
    assert rows[-3:] == [["1", "9", "s"], ["2", "5", "s"], ["4", "3", "s"]]
    found = json.loads(here("plan", "flow.py:pipeline", "--workers", "1,2", "--json").out)
    assert [each["time"] for each in found["workers"]] == [5.0, 3.0] and found["unit"] == "seconds"
    assert here("plan", "flow.py:pipeline", "--workers", "0,1").code == 2


def test_what_cannot_be_said_in_json_is_null(flow: Path, here: Here) -> None:
    flow.write_text(
        FLOW.replace("expected=2.0", "expected=2.0, limits={'api': 2}").replace(
            "engine = WorkflowEngine(workers=2)",
            "engine = WorkflowEngine(workers=2)\nengine.limit('api', concurrency=1)",
        )
    )
    told = here("plan", "flow.py:pipeline", "--workers", "1", "--json")
    document = json.loads(told.out, parse_constant=pytest.fail)
    assert told.code == 0 and document["workers"][0]["time"] is None
    assert here("plan", "flow.py:pipeline", "--workers", "1").code == 0


def test_durations_of_a_run_are_those_of_the_plan(journal: str, here: Here) -> None:
    told = json.loads(here("plan", "flow.py:pipeline", "--durations", journal, "--json").out)
    assert [each["workers"] for each in told["workers"]] == [1, 2, 4, 8]
    assert told["workers"][0]["time"] < 2  # of total, which did not run, what the code says


def test_a_run_ends_with_its_exit_code_and_leaves_what_was_asked_for(flow: Path, here: Here) -> None:
    good = here("run", "flow.py:pipeline", "2", "--report", "out.json", "--trace", "trace.json")
    assert (good.code, good.out) == (0, "1\n") and "written: out.json" in good.err
    bad = here(
        "run", "flow.py:pipeline", "4", "--report", "out.html", "--trace", "trace.json", "--journal", "j"
    )
    assert bad.code == 1 and "ValueError: no " in bad.err
    assert "<" in Path("out.html").read_text() and json.loads(Path("trace.json").read_text())["traceEvents"]
    assert here("report", "j").code == 0 and here("report", "out.json").code == 0


def test_what_cannot_be_written_is_told_before_anything_runs(flow: Path, here: Here) -> None:
    flow.write_text(FLOW.replace("return n\n", "open('ran', 'w').close(); return n\n"))
    for option, path in (
        ("--report", "x.pdf"),
        ("--report", "nowhere/x.html"),
        ("--trace", "nowhere/x.json"),
    ):
        told = here("run", "flow.py:pipeline", option, path)
        assert told.code == 2 and f"{option} {path}: " in told.err and not Path("ran").exists()
    assert here("run", "flow.py:pipeline").code == 0 and Path("ran").exists()


def test_json_of_a_run_is_alone_on_the_standard_output(flow: Path, here: Here) -> None:
    flow.write_text(
        FLOW.replace("return sum", "import os; print('said'); os.system('echo said'); return sum")
    )
    told = here("run", "flow.py:pipeline", "2", "--json")
    document = json.loads(told.out)
    assert document["value"] == 1 and document["exit_code"] == 0 and told.err.count("said") == 2
    assert document["runs"][0]["counts"] == {"SUCCEEDED": 4}
    failed = json.loads(here("run", "flow.py:pipeline", "4", "--json").out)
    assert failed["exit_code"] == 1 and failed["error"]["type"] == "UpstreamFailed"
    assert [each["name"] for each in failed["runs"][0]["failed"]] == ["load", "pipeline"][::-1]


def test_report_is_text_json_or_a_file(journal: str, here: Here) -> None:
    assert here("report", journal).out.startswith("Report: 6 tasks")
    assert json.loads(here("report", journal, "--json").out)["format"] == "asyncflow report"
    assert here("report", journal, "-o", "x.html").code == 0 and Path("x.html").exists()
    assert "it can be one of .html" in here("report", journal, "-o", "x.pdf").err
    assert "there is no folder 'nowhere'" in here("report", journal, "-o", "nowhere/x.html").err


@pytest.mark.parametrize("subcommand", ["report", "explain"])
def test_what_is_no_journal_is_told(subcommand: str, flow: Path, here: Here) -> None:
    more = ["1"] if subcommand == "explain" else []
    Path("empty").touch()
    for given, said in (
        ("nowhere", "there is no journal"),
        (".", "is a folder"),
        ("flow.py", ""),
        ("empty", "is empty"),
    ):
        told = here(subcommand, given, *more)
        assert told.code == 2 and said in told.err and "Traceback" not in told.err


def test_a_task_is_explained_by_number_or_name(journal: str, here: Here) -> None:
    failed = here("explain", journal, "load (#5)")
    assert here("explain", journal, "5").out == here("explain", journal, "#5").out == failed.out
    assert failed.out.startswith("load (#5) FAILED: function on backend 'thread', called at ")
    assert (
        "ValueError: no" in failed.out and "Needed by: total (#6)" in failed.out and "\x1b" not in failed.out
    )
    upstream = here("explain", journal, "total").out
    assert "UPSTREAM_FAILED" in upstream and "Because of: load (#5)" in upstream
    several = here("explain", journal, "load").out
    assert several.startswith("4 tasks: 3 SUCCEEDED, 1 FAILED\n  load (#5)")
    assert "did you mean 'total'?" in here("explain", journal, "totl").err
    assert here("explain", journal, "99").code == 2


def test_json_of_tasks_has_all_that_is_known(journal: str, here: Here) -> None:
    (told,) = json.loads(here("explain", journal, "5", "--json").out)
    assert told["state"] == "FAILED" and told["needed_by"] == [6]
    assert len(json.loads(here("explain", journal, "load", "--json").out)) == 4


def test_names_of_tasks_do_nothing_to_the_terminal(flow: Path, here: Here) -> None:
    name = "a\x1b[31m\nb\u202e<script>`]]>%%"
    flow.write_text(FLOW.replace("expected=2.0", f"expected=2.0, name={name!r}"))
    here("run", "-q", "flow.py:pipeline", "4", "--journal", "run.jsonl")
    said = [
        here("check", "flow.py:pipeline"),
        here("plan", "flow.py:pipeline"),
        here("report", "run.jsonl"),
        here("explain", "run.jsonl", "5"),
        here("explain", "run.jsonl", name),
        here("explain", "run.jsonl", f"{name}!"),
        here("run", f"flow.py:{name}"),
        here("check", f"{name}.py"),
    ]
    for each in said:
        assert "\x1b" not in each.out + each.err and "\u202e" not in each.out + each.err
    assert said[4].out.startswith("4 tasks: ")


def test_a_task_is_found_by_the_key_of_its_item(flow: Path, here: Here) -> None:
    flow.write_text(
        FLOW + "\n@engine.block\nasync def items():\n"
        "    async with load.stream([1, 2, 3], key=lambda n: f'item {n}', errors='collect') as stream:\n"
        "        async for _ in stream: pass\n"
    )
    here("run", "-q", "flow.py:items", "--journal", "run.jsonl")
    told = here("explain", "run.jsonl", "item 2")
    assert told.code == 0 and told.out.startswith("load (#3) SUCCEEDED")


def test_a_task_is_found_by_its_label(flow: Path, here: Here) -> None:
    flow.write_text(
        FLOW + "\n@engine.block\nasync def labelled():\n"
        "    for each in load.map([1, 2], label=['a.csv', 'b 7']): await each\n"
    )
    here("run", "-q", "flow.py:labelled", "--journal", "run.jsonl")
    for given in ("b 7", "load[b 7]", "load[b 7] (#3)", "3"):
        told = here("explain", "run.jsonl", given)
        assert told.code == 0 and told.out.startswith("load[b 7] (#3) SUCCEEDED"), given
