"""The directories of one run: a sandbox for each task that needs one, made only then, and cleared away at the end."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path
from typing import Final, Literal

from .._core.task import Task

Keep = Literal["failed", "all", "none"]
FETCHED: Final = "fetched"
"""Where files of other places are kept, for all that ask for them."""
_NAME: Final = 60  # characters of a task's name that go into its directory's


class Sandboxes:
    """Directories below ``<work_dir>/run-.../``.

    Args:
        work_dir: where; None for the system's place for temporary files.
        keep: whose stay when the run is over.
    """

    def __init__(self, work_dir: Path | None, keep: Keep) -> None:
        self._work_dir = work_dir
        self._keep = keep
        self._root: Path | None = None
        self._made: dict[int, Path] = {}
        self._kept: set[int] = set()

    @property
    def root(self) -> Path:
        """The directory of the run."""
        if self._root is None:
            if self._work_dir is not None:
                self._work_dir.mkdir(parents=True, exist_ok=True)
                self._root = Path(tempfile.mkdtemp(prefix="run-", dir=self._work_dir.absolute()))
            else:
                self._root = Path(tempfile.mkdtemp(prefix="asyncflow-run-"))
        return self._root

    @property
    def used(self) -> bool:
        """Whether there is anything to clear."""
        return self._root is not None

    def make(self, task: Task) -> Path:
        """A new, empty directory.

        Args:
            task: whose.
        """
        name = re.sub(r"[^\w.-]+", "_", task.name)[:_NAME].strip(".") or "task"
        path = self._made[task.id] = self.root / f"{name}-{task.id}"
        path.mkdir()
        return path

    def failed(self, task: Task) -> bool:
        """A task has failed; its directory, if it has one, is evidence. Returns whether it is kept."""
        if self._keep == "failed" and task.id in self._made:
            self._kept.add(task.id)
        return self._keep != "none" and task.id in self._made

    def clear(self) -> None:
        """Remove what is not to be kept; takes as long as the file system does."""
        if self._root is None or self._keep == "all":
            return
        shutil.rmtree(self._root / FETCHED, ignore_errors=True)
        for task_id, path in self._made.items():
            if task_id not in self._kept:
                shutil.rmtree(path, ignore_errors=True)
        self._made.clear()
        try:
            self._root.rmdir()
        except OSError:
            pass  # something is kept in it
        self._root = None
