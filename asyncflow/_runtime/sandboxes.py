"""The directories of one run: a sandbox for each task that needs one, made only then, and cleared away at the end."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Final, Literal

from .._core.task import Task
from .copying import remove

Keep = Literal["failed", "all", "none"]
FETCHED: Final = "fetched"
"""Where files of other places are kept, for all that ask for them."""
STREAMS: Final = ("stdout", "stderr")
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

    def begin(self) -> None:
        """Make the directory of the run, if it is not there: on the loop, before threads make any in it."""
        if self._root is not None:
            return
        if self._work_dir is not None:
            self._work_dir.mkdir(parents=True, exist_ok=True)
            self._root = Path(tempfile.mkdtemp(prefix="run-", dir=self._work_dir))
        else:
            self._root = Path(tempfile.mkdtemp(prefix="asyncflow-run-"))

    @property
    def root(self) -> Path:
        """The directory of the run."""
        if self._root is None:
            self.begin()
        assert self._root is not None
        return self._root

    @property
    def used(self) -> bool:
        """Whether there is anything to clear."""
        return self._root is not None

    @property
    def keeps_failed(self) -> bool:
        """Whether the directory of a task that fails is there for its user to look into."""
        return self._keep != "none"

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
        remove(self._root / FETCHED)
        for task_id, path in self._made.items():
            if task_id not in self._kept:
                remove(path)
                for stream in STREAMS:
                    beside(path, stream).unlink(missing_ok=True)
        self._made.clear()
        try:
            self._root.rmdir()
        except OSError:
            pass  # something is kept in it
        self._root = None


def beside(sandbox: Path, stream: str) -> Path:
    """Where the output of a command goes that wants it in files: beside its sandbox, in which there is nothing of ours.

    Args:
        sandbox: of its task.
        stream: one of `STREAMS`.
    """
    return sandbox.with_name(f"{sandbox.name}.{stream}")
