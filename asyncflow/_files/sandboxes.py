"""The directories of one run: a sandbox for each task that needs one, made only then, and cleared away at the end."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal

from .._core.task import Task
from .copying import remove
from .output_path import Directory
from .owners import KEPT, forget_owner, sweep, write_owner
from .task_files import TaskFiles

Keep = Literal["failed", "all", "none"]
FETCHED: Final = "fetched"
"""Where files of other places are kept, for all that ask for them."""
STREAMS: Final = ("stdout", "stderr")
_TELL_NOTHING: Final = frozenset({type(None), bool, int, float})
_LONG: Final = 1 << 20  # characters in which no path is looked for
_NAME: Final = 60  # characters of a task's name that go into its directory's


class Sandboxes:
    """Directories below ``<work_dir>/run-.../``.

    Args:
        work_dir: None for the system's place for temporary files.
        keep: whose stay when the run is over.
    """

    def __init__(self, work_dir: Path | None, keep: Keep) -> None:
        self._work_dir = work_dir
        self._keep = keep
        self._root: Path | None = None
        self._made: dict[int, list[Path]] = {}  # one for each attempt of a task
        self._kept: set[Path] = set()
        self._owner = os.getpid()

    def _is_elsewhere(self) -> bool:
        """Whether this is a child that the program has forked: nothing here is its own."""
        return os.getpid() != self._owner

    def begin(self) -> None:
        """Make the directory of the run, if it is not there: on the loop, before threads make any in it."""
        if self._root is not None:
            return
        folder, prefix = self._place()
        folder.mkdir(parents=True, exist_ok=True)
        self._root = Path(tempfile.mkdtemp(prefix=prefix, dir=folder))
        write_owner(self._root, self._keep)

    def _place(self) -> tuple[Path, str]:
        if self._work_dir is not None:
            return self._work_dir, "run-"
        return Path(tempfile.gettempdir()), "asyncflow-run-"

    def sweep(self, stopped: Callable[[], bool]) -> None:
        """Remove what engines have left there that were killed; takes as long as the file system does."""
        sweep(*self._place(), stopped)

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
        """A new, empty directory for a task."""
        name = re.sub(r"[^\w.-]+", "_", task.name)[:_NAME].strip(".") or "task"
        made = self._made.setdefault(task.id, [])
        path = self.root / (f"{name}-{task.id}" if not made else f"{name}-{task.id}-{len(made) + 1}")
        made.append(path)
        path.mkdir()
        return path

    def failed(self, task: Task, error: BaseException) -> None:
        """A task has failed; its directory, if it has one, is evidence, and the error says where it is."""
        path = self._made.get(task.id, [None])[-1]
        if (
            self._keep == "failed"
            and path is not None
            and path not in self._kept
            and not self._is_elsewhere()
        ):
            self._kept.add(path)
            with (
                suppress(OSError),
                open(path.parent / KEPT, "a") as file,
            ):  # for whoever sweeps, if this is killed
                file.write(f"{path.name}\n")
        if self._keep != "none" and task.id in self._made:
            with suppress(Exception):  # an exception class may refuse notes; the failure itself must arrive
                if getattr(error, "sandbox", None) is None:
                    error.add_note(f"its sandbox: {task.files.sandbox}")

    def succeeded(self, task: Task, value: object, give_back: Callable[[int], None]) -> None:
        """A task has succeeded: when nobody can reach its directory any more, `give_back` takes its number.

        Its value may tell somebody where the directory is; then that stays.
        """
        files: TaskFiles = task.files
        tells = type(value) not in _TELL_NOTHING and (
            type(value) is not str
            or len(value) > _LONG
            or files.sandbox is None
            or files.sandbox.name in value  # by its whole path, through a link, or from elsewhere by ..
        )
        if task.id in self._made and self._keep != "all" and not (tells or files.is_reached):
            files.directory = Directory(task.id, give_back)

    def remove(self, task_ids: Iterable[int]) -> None:
        """Remove directories of tasks that nobody can reach any more; takes as long as the file system does."""
        if self._is_elsewhere():
            return
        for task_id in task_ids:
            for path in self._made.pop(task_id, ()):
                if path not in self._kept:
                    _remove(path)

    def clear(self) -> None:
        """Remove what is not to be kept; takes as long as the file system does."""
        if self._root is None or self._is_elsewhere():
            return
        if self._keep != "all":
            remove(self._root / FETCHED)
            for path in [path for paths in self._made.values() for path in paths if path not in self._kept]:
                _remove(path)
            self._made.clear()
        forget_owner(self._root)
        self._root = None


def _remove(sandbox: Path) -> None:
    remove(sandbox)
    for stream in STREAMS:
        beside(sandbox, stream).unlink(missing_ok=True)


def beside(sandbox: Path, stream: str) -> Path:
    """The file for one of `STREAMS` of a command: beside its sandbox, in which there is nothing of ours."""
    return sandbox.with_name(f"{sandbox.name}.{stream}")
