"""``asyncflow replay``: a recorded workflow is planned and run, and both are compared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from recorded_kit import INSTANCES, RECORDED, recorded

from asyncflow.graph import recorded as recorded_runs

from .kit import Here, shell

SECONDS = {"a": 2.0, "b": 4.0, "c": 4.0, "d": 2.0}


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    tasks: list[dict[str, Any]] = [
        {"id": "a", "name": "split", "parents": [], "children": ["b", "c"], "outputFiles": ["f"]},
        {"id": "b", "name": "work", "parents": ["a"], "children": ["d"], "inputFiles": ["f"]},
        {"id": "c", "name": "work", "parents": ["a"], "children": ["d"], "outputFiles": ["g"]},
        {"id": "d", "name": "join", "parents": ["b", "c"], "children": [], "inputFiles": ["g"]},
    ]
    run = {
        "schemaVersion": "1.5",
        "workflow": {
            "specification": {
                "tasks": tasks,
                "files": [{"id": "f", "sizeInBytes": 5_000}, {"id": "g", "sizeInBytes": 10**9}],
            },
            "execution": {
                "tasks": [{"id": name, "runtimeInSeconds": each} for name, each in SECONDS.items()]
            },
        },
    }
    path = tmp_path / "run.json"
    path.write_text(json.dumps(run))
    return path


def test_it_says_what_was_planned_and_what_it_took(trace: Path) -> None:
    said = shell("replay", str(trace), "--scale", "100", "--workers", "2")
    assert said.code == 0, said.err
    first, second, *_ = said.out.splitlines()
    assert first == "4 steps in 3 stages, 120 ms of work"
    assert second.startswith("planned on 2 workers: 80 ms, took: ") and second.endswith(" times the plan")


@pytest.mark.parametrize("run", ["sleep", "burn", "command"])
def test_each_way_to_run_is_told_as_json(here: Here, trace: Path, run: str) -> None:
    said = here("replay", str(trace), "--run", run, "--scale", "1000", "--workers", "2", "--json")
    assert said.code == 0, said.err
    told = json.loads(said.out)
    assert {name: row["count"] for name, row in told["functions"].items()} == {
        "split": 1,
        "work": 2,
        "join": 1,
    }
    assert (told["steps"], told["stages"], told["workers"], told["run"]) == (4, 3, 2, run)
    assert told["planned"] == pytest.approx(0.008) and told["work"] == pytest.approx(0.012)
    assert told["took"] >= told["planned"] and told["times_the_plan"] == told["took"] / told["planned"]


def test_what_if_runs_nothing(here: Here, trace: Path) -> None:
    said = here("replay", str(trace), "--scale", "0.001", "--what-if", "1,2,3", "--json")
    assert said.code == 0, said.err
    assert [round(row["time"]) for row in json.loads(said.out)["workers"]] == [12_000, 8_000, 8_000]
    assert "times as fast" in here("replay", str(trace), "--what-if", "2").out


def test_a_step_that_fails_is_told_with_the_exit_code(
    here: Here, trace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(seconds: float) -> None:
        raise OSError("no power")

    monkeypatch.setattr(recorded_runs.time, "sleep", refuse)
    said = here("replay", str(trace))
    assert said.code == 1 and "it has failed: no power" in said.err and "planned on 8 workers" in said.out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["{trace}", "--scale", "0"], "'0': a number above 0 is needed"),
        (["{trace}", "--run", "leap"], "'leap' is not one of"),
        (["{trace}", "--what-if", "one"], "numbers of workers are needed"),
        (["{folder}/none.json"], "does not exist"),
        (["{other}"], "not JSON"),
    ],
)
def test_what_cannot_be_replayed_is_refused_in_words(
    here: Here, trace: Path, tmp_path: Path, arguments: list[str], told: str
) -> None:
    other = tmp_path / "other.json"
    other.write_text("{")
    places = {"trace": trace, "other": other, "folder": tmp_path}
    said = here("replay", *(each.format(**places) for each in arguments))
    assert said.code == 2 and told in said.err and "Traceback" not in said.err


@recorded
@pytest.mark.parametrize("name", RECORDED)
def test_every_recorded_workflow_has_a_table(here: Here, name: str) -> None:
    said = here("replay", str(INSTANCES / f"{name}.json"), "--what-if", "1,8", "--json")
    assert said.code == 0, said.err
    one, eight = json.loads(said.out)["workers"]
    assert one["time"] >= eight["time"] > 0
