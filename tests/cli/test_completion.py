"""Completion, tried in a real bash."""

from __future__ import annotations

import os
import pty
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from .kit import Here

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")

FLOW = """
from pathlib import Path
from typing import Literal
from asyncflow import WorkflowEngine
engine = WorkflowEngine()

@engine.function_task
def load(path: Path, kind: Literal["fast", "far"] = "fast") -> int: ...

@engine.block
async def pipeline(path: Path, degree: int = 3) -> int: ...

def plain(): ...
"""

TYPED = [
    ("asyncflow exp\t", "asyncflow explain"),
    ("asyncflow run --set on_f\tstop", "asyncflow run --set on_failure=stop"),
    ("asyncflow run flow.py:pi\t", "asyncflow run flow.py:pipeline"),
    ("asyncflow run fl\t", "asyncflow run flow.py"),
    ("asyncflow run flow.py:load --kind fas\t", "asyncflow run flow.py:load --kind fast"),
    ("asyncflow run flow.py:load --path 'a b\t", "asyncflow run flow.py:load --path a b.csv"),
    ("asyncflow run flow.py:load --workers 2 --pa\t", "asyncflow run flow.py:load --workers 2 --path"),
]


@pytest.fixture
def bash(tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """Types a line into a bash with a terminal, and gives it back as it then is."""
    (tmp_path / "flow.py").write_text(FLOW)
    (tmp_path / "a b.csv").touch()
    (tmp_path / "asyncflow").write_text(f'#!/bin/sh\nexec {sys.executable} -m asyncflow "$@"\n')
    (tmp_path / "asyncflow").chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}", "INPUTRC": os.devnull}
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        ["bash", "--norc", "--noprofile", "-i"],
        cwd=tmp_path,
        env={**environment, "TERM": "dumb", "PS1": ""},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    ):
        os.close(theirs)

        def typed(text: str) -> str:
            os.write(ours, text.encode())
            said = b""
            while b"<<" not in said.rpartition(b"\n>>")[2] or not said.rpartition(b"\n>>")[1]:
                said += os.read(ours, 4096)
            return said.rpartition(b"\n>>")[2].partition(b"<<")[0].decode()

        typed("eval \"$(asyncflow completion bash)\"; printf '\\n>>%s<<\\n' ready\n")
        # What is completed is not run, but printed: the beginning of the line is where it is put into an echo.
        yield lambda line: typed(f"{line}\x01printf '\\n>>%s<<\\n' \"$(echo \x05)\"\n").strip()
        os.write(ours, b"\x15exit\n")
        with suppress(OSError):  # its end is closed
            while os.read(ours, 4096):
                pass
    os.close(ours)


def test_bash_completes_subcommands_options_targets_and_what_they_take(bash: Callable[[str], str]) -> None:
    assert [bash(text) for text, _ in TYPED] == [line for _, line in TYPED]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_a_script(shell: str, here: Here) -> None:
    told = here("completion", shell)
    assert told.code == 0 and f"_ASYNCFLOW_COMPLETE={shell}_complete" in told.out
