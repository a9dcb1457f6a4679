"""Imports run downwards only, and the core stays pure."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def test_imports_run_downwards_only() -> None:
    pytest.importorskip("importlinter", reason="import-linter is not installed here; see tox -e layers")
    program = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports())"
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout


@pytest.mark.parametrize("name", ["asyncio", "multiprocessing", "logging", "cloudpickle", "typeguard"])
def test_importing_the_package_and_its_core_loads_no(name: str) -> None:
    program = f"import asyncflow, asyncflow._core.scheduler, sys; print({name!r} in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout == "False\n"
