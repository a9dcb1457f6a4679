"""How a run ends: with which exit code, after a signal, and what is left."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from asyncflow import Report

from .kit import PROGRAM, Here, shell

WAITS = """
import asyncio, os
from asyncflow import WorkflowEngine
engine = WorkflowEngine()

@engine.function_task
def quick() -> int:
    return 1

@engine.block
async def pipeline() -> int:
    await quick()
    os.write(int(os.environ["READY"]), b"ready")
    await asyncio.sleep(600)
    return 1
"""


@pytest.mark.parametrize(
    ("number", "code", "is_script"),
    [
        (signal.SIGINT, 130, False),
        (signal.SIGTERM, 143, False),
        (signal.SIGHUP, 129, False),
        (signal.SIGINT, 130, True),
        (signal.SIGTERM, 143, True),
    ],
)
def test_a_signal_ends_a_run_cleanly_with_its_exit_code(
    number: signal.Signals, code: int, is_script: bool, tmp_path: Path
) -> None:
    main = "\nif __name__ == '__main__':\n    engine.run(pipeline)\n" if is_script else ""
    (tmp_path / "flow.py").write_text(WAITS + main)
    ours, theirs = os.pipe()
    command = [*PROGRAM, "run", "flow.py", "--journal", "j", "--trace", "trace.json"]
    with subprocess.Popen(
        command,
        cwd=tmp_path,
        env={**os.environ, "READY": str(theirs)},
        pass_fds=[theirs],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        os.close(theirs)
        assert os.read(ours, 5) == b"ready"
        running.send_signal(number)
        _, err = running.communicate(timeout=60)
    os.close(ours)
    assert running.returncode == code
    assert "Traceback" not in err and "Stopped by" in err
    report = Report.from_journal(tmp_path / "j")
    assert report.is_over and report.counts == {"SUCCEEDED": 1, "CANCELLED": 1}
    assert json.loads((tmp_path / "trace.json").read_text())


SCRIPT = """
import sys
from asyncflow import WorkflowEngine, WiringError
engine = WorkflowEngine()
@engine.function_task
def fails():
    raise ValueError("no")
@engine.block
async def forgets():
    try:
        await fails()
    except ValueError:
        return "caught"
if __name__ == "__main__":
    {}
"""


@pytest.mark.parametrize(
    ("line", "code", "err"),
    [
        ("engine.run(fails)", 1, "ValueError: no"),
        ("engine.run(forgets)", 0, "ValueError × 1: fails (#2)"),
        ("sys.exit(7)", 7, ""),
        ("sys.exit('in words')", 1, "in words"),
        ("sys.exit()", 0, ""),
        ("raise WiringError('wired wrongly', ())", 3, "wired wrongly"),
        ("import nowhere", 1, "ModuleNotFoundError"),
    ],
)
def test_a_script_ends_with_the_exit_code_that_it_asks_for(
    line: str, code: int, err: str, tmp_path: Path, here: Here
) -> None:
    path = tmp_path / "flow.py"
    path.write_text(SCRIPT.format(line))
    told = here("run", str(path))
    assert told.code == code and err in told.err
    assert "asyncflow/" not in told.err and "click" not in told.err


def test_a_failure_that_nobody_looks_at_is_one_of_the_run(tmp_path: Path, here: Here) -> None:
    path = tmp_path / "flow.py"
    path.write_text(SCRIPT.format("pass").replace("        await fails()", "        fails()"))
    told = here("run", f"{path}:forgets")
    assert told.code == 1 and "ValueError" in told.err


def test_hostile_names_of_files_and_arguments_are_only_names(
    tmp_path: Path, here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    name = "a b\n\x1b[31m'\"`$(touch x)]]>%%\u202e.py"
    (tmp_path / name).write_text(SCRIPT.format("pass").replace("raise ValueError", "return repr") + "\n")
    said = shell("check", f"{name}:fails", cwd=tmp_path)
    assert said.code == 0, said.err
    for given in (f"{name}:nothing", f"{name}x", f"{name}:fails:"):
        told = here("run", given, "\x1b[31m")
        assert told.code == 2 and "\x1b" not in told.err and "Traceback" not in told.err
    assert [each.name for each in tmp_path.iterdir() if each.suffix == ".py"] == [name]
    assert not (tmp_path / "x").exists()


def test_ctrl_c_while_the_program_itself_is_loaded_shows_no_traceback(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*args: object) -> None:
        raise KeyboardInterrupt

    class Finder:
        find_spec = staticmethod(interrupted)

    monkeypatch.delitem(sys.modules, "asyncflow.cli.app", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Finder, *sys.meta_path])
    said = here("--version")
    assert (said.code, said.out, said.err) == (130, "", "")


@pytest.mark.parametrize("option", ["--report", "--journal", "--trace"])
def test_where_a_run_cannot_write_is_told_before_it_begins(
    option: str, here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "flow.py").write_text(WAITS)
    said = here("run", "flow.py:quick", option, "nowhere/it.json")
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith(f"asyncflow: {option} nowhere/it.json: there is no folder 'nowhere'")


@pytest.mark.parametrize(
    ("where", "code"), [("> /dev/full", 2), ("--json <&- >&-", 0), ("2>&-", 0), ("2> /dev/full", 0)]
)
def test_an_output_that_takes_nothing_ends_a_run_in_words(where: str, code: int, tmp_path: Path) -> None:
    (tmp_path / "flow.py").write_text(WAITS)
    command = shlex.join([*PROGRAM, "run", "flow.py:quick"])
    done = subprocess.run(
        f"{command} {where}",
        shell=True,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == code
    assert "Traceback" not in done.stderr
    if code:
        assert "the standard output cannot be written: No space left on device" in done.stderr


def test_a_run_of_which_only_the_block_fails_says_that_it_failed(here: Here, tmp_path: Path) -> None:
    (tmp_path / "flow.py").write_text(
        WAITS + "\n@engine.block\nasync def bad():\n    raise ValueError('no')\n"
    )
    said = here("run", f"{tmp_path}/flow.py:bad")
    assert said.code == 1
    assert "asyncflow: 1 block failed, 0 succeeded in" in said.err
