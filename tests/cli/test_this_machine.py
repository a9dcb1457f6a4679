"""What the command line says of this machine, and of what is left on it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from asyncflow.cli import machine

from .kit import PROGRAM, Here, shell

KILLED = """
import os, signal
from asyncflow import WorkflowEngine
engine = WorkflowEngine(work_dir={work_dir!r})

@engine.executable_task
def fails(): return "echo evidence > file; exit 1"

@engine.executable_task
def leaves(): return ["sh", "-c", "head -c 100000 /dev/zero > file"]

@engine.block
async def pipeline():
    left = leaves()
    await left
    try:
        await fails()
    except Exception:
        pass
    os.kill(os.getpid(), signal.SIGKILL)

engine.run(pipeline)
"""


@pytest.fixture
def temp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The place for temporary files."""
    folder = tmp_path / "temp"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return folder


def killed(work_dir: Path | None) -> None:
    program = KILLED.format(work_dir=None if work_dir is None else str(work_dir))
    subprocess.run([sys.executable, "-c", program], check=False)


@pytest.mark.parametrize("has_work_dir", [False, True])
def test_what_a_killed_engine_has_left_is_removed_but_for_evidence(
    has_work_dir: bool, temp: Path, tmp_path: Path, here: Here
) -> None:
    work_dir = tmp_path / "scratch" if has_work_dir else None
    killed(work_dir)
    (run,) = (work_dir or temp).iterdir()
    more = () if work_dir is None else ("--work-dir", str(work_dir))
    foretold = json.loads(here("clean", "--dry-run", "--json", *more).out)
    assert run.exists() and foretold["bytes"] >= 100_000
    told = here("clean", *more)
    assert told.code == 0 and "Removed 1 directory, 1" in told.out
    assert [each.name for each in run.iterdir() if each.is_dir()] == ["fails-3"]
    os.utime(run, (time.time() - 100, time.time() - 100))
    assert "stays" in here("clean", *more).out and run.exists()
    here("clean", "--kept", *more)
    assert not run.exists()


def test_what_a_running_engine_uses_is_never_touched(temp: Path, here: Here) -> None:
    program = KILLED.format(work_dir=None).replace(
        "os.kill(os.getpid(), signal.SIGKILL)", "print(flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as running:
        assert running.stdout is not None and running.stdout.readline()
        (run,) = temp.iterdir()
        assert here("clean", "--kept", "--unknown").out == "Removed 0 directories, 0 B.\n"
        assert run.exists()
        running.communicate(b"\n")


def test_what_is_not_an_engines_is_never_touched(temp: Path, here: Here) -> None:
    for name, content in (("asyncflow-run-mine", "notes.txt"), ("asyncflow-run-other", ".owner")):
        folder = temp / name
        folder.mkdir()
        (folder / content).write_text("{}")
        os.utime(folder, (time.time() - 100, time.time() - 100))
    here("clean", "--kept", "--unknown")
    assert len(list(temp.iterdir())) == 2


def test_doctor_says_what_would_go_wrong_and_how_it_is_mended(
    monkeypatch: pytest.MonkeyPatch, here: Here
) -> None:
    told = here("doctor", "--json")
    facts = {each["name"]: each for each in json.loads(told.out)["facts"]}
    assert {"asyncflow", "Python", "CPUs", "open files", "extra serve", "backend process"} <= set(facts)
    assert "a task ran" in facts["backend process"]["value"]
    monkeypatch.setenv("ASYNCFLOW_WORKERS", "many")
    monkeypatch.setattr(machine, "_SCARCE_DISK", 1 << 80)
    wrong = here("doctor")
    assert wrong.code == 1 and "sandboxes and results may not fit" in wrong.out
    assert "ASYNCFLOW_WORKERS='many'" in wrong.out and "mend:" in wrong.out


def test_backends_says_what_each_can_do_and_how_to_get_the_others(here: Here) -> None:
    told = json.loads(here("backends", "--json").out)
    assert told["installed"]["process"]["can_kill"] and not told["installed"]["thread"]["needs_pickle"]
    text = here("backends").out
    assert "process: " in text and "yes  a running task can be stopped" in text
    for name, package in told["others"].items():
        assert f"{name}: not installed" in text and f"pip install {package}" in text


def test_without_click_one_line_says_how_to_get_it(tmp_path: Path) -> None:
    hidden = "import sys; sys.modules['click'] = None; import importlib.util as u; f = u.find_spec; "
    hidden += "u.find_spec = lambda n, *a: None if n == 'click' else f(n, *a); "
    program = hidden + "from asyncflow.cli.entry import main; sys.exit(main(['run']))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert (
        done.stderr
        == 'asyncflow: the command line needs click; get it with:  pip install "asyncflow-engine[cli]"\n'
    )


def test_help_loads_neither_subcommands_nor_the_engine() -> None:
    program = "import sys; from asyncflow.cli.entry import main; main(['--help']); "
    program += (
        "print([m for m in sys.modules if m in ('asyncio', 'asyncflow.engine', 'asyncflow.cli.run', 'rich')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_nothing_is_coloured_in_a_pipe_or_if_it_is_not_wanted() -> None:
    for env in ({}, {"NO_COLOR": "1"}, {"FORCE_COLOR": "0"}):
        said = shell("--help", env=env)
        assert said.code == 0 and "\x1b" not in said.out + said.err


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    command = f"{' '.join(PROGRAM)} backends | head -1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "") and len(done.stdout.splitlines()) == 1


def test_a_subcommand_that_there_is_not_is_told_with_what_may_be_meant(here: Here) -> None:
    assert "did you mean:  asyncflow check" in here("chekc").err
    assert "did you mean:  asyncflow run flow.py:fit" in here("flow.py:fit").err
    assert here("nothing").code == 2 and here("--nothing").code == 2 and here("check").code == 2
