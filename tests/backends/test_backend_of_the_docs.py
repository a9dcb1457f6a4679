"""The backend that `docs/reference/writing-a-backend.md` shows whole keeps the contract."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType

from asyncflow.backend import ExecutionBackend
from asyncflow.testing.conformance import BackendConformance

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "writing-a-backend.md"


def _shown() -> ModuleType:
    block = re.search(r"<!-- file: spawning.py -->\n```python\n(.*?)^```$", PAGE.read_text(), re.M | re.S)
    assert block is not None
    module = ModuleType("spawning")
    exec(compile(block[1], str(PAGE), "exec"), vars(module))
    sys.modules["spawning"] = module
    return module


spawning = _shown()


class TestSpawning(BackendConformance):
    """A thread for each task."""

    workers = 4

    def make_backend(self) -> ExecutionBackend:
        backend: ExecutionBackend = spawning.SpawningBackend(workers=self.workers)
        return backend
