"""What runs in a worker process: this program's Python, with its flags, and never the program itself."""

from __future__ import annotations

import multiprocessing.spawn
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from asyncflow import WorkflowEngine
from asyncflow._engine import discovery
from asyncflow.backends.process import ProcessBackend

_FLAGS = """
import sys, warnings
from asyncflow import WorkflowEngine

def seen():
    return [*sys.flags], sys.warnoptions, sorted(sys._xoptions.items()), __debug__

engine = WorkflowEngine(backend="process", workers=1)
there, here = engine.run(engine.function_task(seen)), seen()
print(there == here)
"""


def test_the_flags_of_the_interpreter_reach_workers(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(_FLAGS)
    flags = ["-OO", "-bb", "-W", "error::UserWarning", "-X", "utf8", "-X", "int_max_str_digits=5000", "-B"]
    ran = subprocess.run(
        [sys.executable, *flags, str(script)], capture_output=True, text=True, check=True, timeout=60
    )
    assert ran.stdout == "True\n"


async def refused(engine: WorkflowEngine) -> str:
    with pytest.raises(RuntimeError, match=r"ProcessBackend\(python=") as told:
        async with engine:
            await engine.submit(int)
    return str(told.value)


async def test_a_frozen_program_is_told_and_starts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    assert "was frozen into" in await refused(WorkflowEngine(backend="process"))


async def test_a_program_with_python_inside_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "")
    monkeypatch.setattr(multiprocessing.spawn, "_python_exe", b"")
    assert "sys.executable is empty" in await refused(WorkflowEngine(backend="process"))


async def test_a_frozen_program_runs_workers_with_a_python_that_it_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    python = sys.executable
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    async with WorkflowEngine(backend=ProcessBackend(workers=1, python=python)) as engine:
        assert await engine.submit(int) == 0
    monkeypatch.setattr(multiprocessing.spawn, "_python_exe", python.encode())
    async with WorkflowEngine(backend="process", workers=1) as engine:
        assert await engine.submit(int) == 0


async def test_a_frozen_program_runs_commands(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "not_there"))
    async with WorkflowEngine(work_dir=tmp_path) as engine:

        @engine.executable_task
        def hello() -> str:
            return "echo hello"

        assert await hello() == "hello\n"


_APP = """
import sys
with open({log!r}, "a") as log:
    log.write("started\\n")
sys.executable = {app!r}
from asyncflow import WorkflowEngine

engine = WorkflowEngine(backend="process", workers=1)

@engine.executable_task
def hello():
    return "echo hello"

async def main():
    print(await hello())
    print(await engine.submit(int))

engine.run(main())
"""


def test_a_program_that_runs_itself_in_a_worker_stops_at_the_first(tmp_path: Path) -> None:
    app, log, script = tmp_path / "app", tmp_path / "log", tmp_path / "script.py"
    app.write_text(f"#!/bin/sh\nexec {sys.executable} {script}\n")
    app.chmod(0o755)
    script.write_text(_APP.format(log=str(log), app=str(app)))
    ran = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ran.returncode == 1
    assert "was started as a worker of process" in ran.stderr
    assert "ProcessBackend(python=" in ran.stderr
    assert 1 < len(log.read_text().splitlines()) < 10


def test_the_backends_that_come_along_are_found_without_metadata(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_at_all(**_: Any) -> tuple[()]:
        return ()

    monkeypatch.setattr(discovery, "entry_points", none_at_all)
    discovery.installed.cache_clear()
    try:
        assert discovery.backend_class("process") is ProcessBackend
        assert sorted(discovery.installed()) == ["noop", "process", "sequential", "thread"]
    finally:
        discovery.installed.cache_clear()


def test_the_table_of_our_own_backends_is_that_of_the_metadata() -> None:
    from importlib.metadata import entry_points

    told = {point.name: point.value for point in entry_points(group=discovery.GROUP)}
    assert {name: told[name] for name in discovery._OURS} == discovery._OURS
