"""What a script has defined itself reaches workers as it is, and comes back as the script's own."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

_SCRIPT = Path(__file__).parent / "scripts" / "definitions.py"
_CHECKS = re.findall(r"^@check\ndef (\w+)", _SCRIPT.read_text(), re.MULTILINE)


@cache
def ran(*arguments: str) -> dict[str, str | None]:
    """What was wrong, by check."""
    done = subprocess.run(
        [sys.executable, str(_SCRIPT), *arguments], capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0 and not done.stderr, done.stderr
    told: dict[str, str | None] = json.loads(done.stdout)
    return told


@pytest.mark.parametrize("name", _CHECKS)
@pytest.mark.xdist_group("scripts")
def test_of_a_script(name: str) -> None:
    assert ran()[name] is None
