"""Completion, tried in a real bash."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
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

DRIVER = """
complete() {{ builtin complete "$@"; }}
eval "$(asyncflow completion bash)"
ask() {{
    COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
    _asyncflow_completion asyncflow
    echo "${{COMPREPLY[*]}}"
}}
{}
"""


@pytest.fixture
def asked(tmp_path: Path) -> list[str]:
    """What bash is told, in one start."""
    (tmp_path / "flow.py").write_text(FLOW)
    (tmp_path / "asyncflow").write_text(f'#!/bin/sh\nexec {sys.executable} -m asyncflow "$@"\n')
    (tmp_path / "asyncflow").chmod(0o755)
    questions = [
        'ask asyncflow exp',
        'ask asyncflow run --back',
        'ask asyncflow run --backend pro',
        'ask asyncflow run --set on_f',
        'ask asyncflow run flow.py:',
        'ask asyncflow run flow.py:load --k',
        'ask asyncflow run flow.py:load --kind fa',
        'ask asyncflow completion f',
    ]  # fmt: skip
    done = subprocess.run(
        ["bash", "-c", DRIVER.format("\n".join(questions))],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_bash_completes_subcommands_options_targets_and_what_they_take(asked: list[str]) -> None:
    assert asked == [
        "explain",
        "--backend",
        "process",
        "on_failure=",
        "flow.py:load flow.py:pipeline",
        "--kind",
        "fast far",
        "fish",
    ]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_a_script(shell: str, here: Here) -> None:
    told = here("completion", shell)
    assert told.code == 0 and f"_ASYNCFLOW_COMPLETE={shell}_complete" in told.out
