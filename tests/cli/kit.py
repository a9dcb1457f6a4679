"""The command line as a shell runs it, and in this process, which is quicker."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from asyncflow.cli.entry import main

PROGRAM = (sys.executable, "-m", "asyncflow")


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str


def shell(
    *arguments: str, cwd: Path | None = None, env: dict[str, str] | None = None, input: str | None = None
) -> Said:
    """Run the command in a process of its own."""
    done = subprocess.run(
        [*PROGRAM, *arguments],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        input=input,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return Said(done.returncode, done.stdout, done.stderr)


class Here:
    """Runs the command in this process."""

    def __init__(self, capfd: pytest.CaptureFixture[str]) -> None:
        self._capfd = capfd

    def __call__(self, *arguments: str) -> Said:
        self._capfd.readouterr()
        try:
            code: object = main(arguments)
        except SystemExit as leaving:
            code = leaving.code
        said = self._capfd.readouterr()
        return Said(code if isinstance(code, int) else 0, said.out, said.err)
