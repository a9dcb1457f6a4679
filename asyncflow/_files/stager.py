"""Has the files of tasks brought to them and published, beside everything else that happens on the loop.

It stands between what the scheduler decides and the threads on which `staging.py` works. Both are work that is waited
for: a task is not over, and others may not publish where it does, before its own publishing has ended.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from contextvars import Context
from pathlib import Path
from typing import Final, Protocol, TypeVar

from .._core.files import (
    Declared,
    File,
    declared,
    inputs_and_outputs,
    with_paths,
)
from .._core.task import Task
from ..errors import StagingError
from .aside import aside
from .carrying import StageInFar, outputs_in, with_carried
from .claims import Claims
from .copying import Unwanted
from .names_ahead import refuse_collisions, refuse_missing
from .other_places import OtherPlaces
from .publishing import Publishing
from .sandboxes import FETCHED, Sandboxes
from .staging import StageIn
from .task_files import TaskFiles

T = TypeVar("T")
AT_ONCE: Final = 16
"""Tasks of one lane whose inputs are on their way or wait there for a slot; and tasks that publish at the same time."""


class Tasks(Protocol):
    """The tasks of the run: which of them still want their files, and who hears what became of these. What is asked
    may be asked on any thread; all else happens on the loop's."""

    def want_inputs(self, task: Task) -> bool:
        """Whether a task still waits for what it reads."""

    def want_outputs(self, task: Task) -> bool:
        """Whether a task still is to end with what it has made."""

    def shares_files(self, task: Task) -> bool:
        """Whether a path means the same where a task runs, as far as that is known."""

    def are_over(self, tasks: Sequence[Task]) -> bool:
        """Whether none of them will make anything any more."""

    def staged(self, task: Task) -> None:
        """All that a task reads is in its sandbox."""

    def not_staged(self, task: Task, error: BaseException) -> None:
        """It could not be brought; if it is `Unwanted`, because nobody wants it any more."""

    def published(self, task: Task, value: object) -> None:
        """All that a task was to make is there, and where it was to go."""

    def not_published(self, task: Task, error: BaseException) -> None:
        """It is not; if the error is `Unwanted`, because nobody wants it any more."""


class Stager:
    """The files of one run.

    Args:
        sandboxes: None if nothing is to be staged.
        implicit: whether what commands have made without declaring it is brought along.
    """

    def __init__(
        self, sandboxes: Sandboxes | None, implicit: bool, tasks: Tasks, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._sandboxes = sandboxes
        self._implicit = implicit
        self._tasks = tasks
        self._stopped = threading.Event()
        self._claims = Claims()
        self._elsewhere = OtherPlaces(self._stopped, self._begin)
        self._publishing = Publishing(self._elsewhere.send)
        self._under_way: set[int] = set()  # tasks that publish
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._has_swept = False
        self._unreachable: deque[int] = deque()  # tasks whose sandboxes nobody can reach any more
        self._is_told = False  # whether the loop has been told of them
        self._context = Context()
        self._loop = loop
        self.waiting: set[asyncio.Task[object]] = set()

    # -- calls --------------------------------------------------------------------------------------------

    def called(
        self,
        task: Task,
        dependencies: Sequence[Task],
        given: Sequence[File],
        is_staged: bool,
        is_carried: bool,
    ) -> bool:
        """Take note of a call that runs a command or declares files, and tell whether there is anything to bring.

        Args:
            task: not yet known to the scheduler.
            dependencies: whose files it may want.
            given: the files among its arguments.
            is_staged: whether files are staged where it is to run.
            is_carried: whether the backend brings them there.

        Raises:
            StagingError: another task that is not over publishes to the same place, no file can be there, or it is
                certain already that an input will not be there, or that two have one name.
            ValueError: it declares two outputs of one name, or for one place.
            TypeError: a destination is neither a path nor a URL.
        """
        if not self._has_swept and self._sandboxes is not None:
            self._has_swept = True
            self._begin(aside(self._sandboxes.sweep, self._stopped.is_set), "engines that were killed")
        inputs, outputs = inputs_and_outputs(given)
        files = task.files = TaskFiles(
            label=f"{task.name!r} (#{task.id})",
            is_command=task.definition.is_command,
            folder=Path.cwd() if given or task.holes else Path(),
            is_dry=self._sandboxes is None or not is_staged,
            is_open=bool(task.holes),
            is_service=task.definition.is_service,
            is_carried=is_carried,
            upstreams=[each.files for each in dependencies if each.files is not None],
        )
        inherits_any = self._implicit and any(each.hands_on_all for each in files.upstreams)
        try:
            refuse_collisions(files, inputs)
        except ValueError as error:
            raise StagingError(f"{files.label}: {error}") from None
        tell_all = self._tasks.are_over([each for each in dependencies if each.files is None])
        if dependencies and tell_all and not (files.is_dry or inherits_any):
            refuse_missing(files, inputs, self._claims.makers)
        self._claims.declare(task, outputs)
        is_wanted = given or is_carried or (files.is_command and inherits_any)
        if files.is_dry or not is_wanted:
            files.upstreams = ()
            return False
        return True

    # -- in -----------------------------------------------------------------------------------------------

    def bring(self, batch: Sequence[Task]) -> None:
        """Begin to bring what tasks read."""
        for task in batch:
            self._begin(self._bring(task), f"{task.name}#{task.id}")

    async def _bring(self, task: Task) -> None:
        files: TaskFiles = task.files
        try:
            assert self._sandboxes is not None
            self._sandboxes.begin()
            found = declared(task.args, task.kwargs)
            if files.is_open:  # more may have come as somebody's result
                self._claims.declare(task, found.outputs)
                files.is_open = False
            fetched = await self._elsewhere.fetched(files.label, found.inputs, self._sandboxes.root / FETCHED)
            if task.definition.retries is not None:
                files.before = task.args, task.kwargs, files.upstreams
            given = outputs_in(task.args, task.kwargs) if files.is_carried else ()
            path_of = await aside(self._all_brought, task, found, fetched, given)
            files.upstreams = ()
            if self._tasks.want_inputs(task):  # else it is cancelled, and what it was given is gone
                task.args, task.kwargs = with_paths(task.args, task.kwargs, found, path_of)
                if files.is_carried:
                    task.args, task.kwargs = with_carried(task.args, task.kwargs, path_of)
        except asyncio.CancelledError:  # by somebody who cancels all that runs on the loop
            self._tasks.not_staged(task, Unwanted())
        except Exception as error:
            self._tasks.not_staged(task, error)
        else:
            self._tasks.staged(task)

    def _all_brought(
        self, task: Task, found: Declared, fetched: Mapping[str, Path], given: Sequence[Path]
    ) -> Callable[[File], object]:
        def wanted() -> bool:
            return self._tasks.want_inputs(task) and not self._stopped.is_set()

        assert self._sandboxes is not None
        files: TaskFiles = task.files
        files.sandbox = self._sandboxes.make(task)
        how = files, fetched, self._implicit, self._claims.makers, wanted
        if files.is_carried:
            hashes = not self._tasks.shares_files(task)
            keeps = self._sandboxes.keeps_failed
            return StageInFar(*how, task_id=task.id, hashes=hashes, keeps_failed=keeps).every(found, given)
        return StageIn(*how).all(found)

    # -- out ----------------------------------------------------------------------------------------------

    def publish(self, task: Task, value: object) -> None:
        """Begin to look for what a task has made, and to publish it; its value is what it ends with."""
        files: TaskFiles = task.files
        if files.declares and not files.is_dry:
            self._under_way.add(task.id)
            self._begin(self._publish(task, value), f"{task.name}#{task.id}")
        else:  # there is nothing to wait for, as in a dry run, and the places are for others again
            self._hold(task, value)
            self._tasks.published(task, value)
            self.release(task)

    def release(self, task: Task) -> None:
        """A task is over: others may publish where it has, or would have. Not while it does."""
        if task.id not in self._under_way:
            self._claims.release(task)

    def is_publishing(self, task: Task) -> bool:
        """Whether the work of a task is over and its files are on their way: nobody else tells when it stops."""
        return task.id in self._under_way

    async def _publish(self, task: Task, value: object) -> None:
        problem: BaseException = Unwanted()
        done: list[Mapping[str, object]] = []
        try:
            async with self._slots:
                await aside(self._all_published, task, done)
        except (
            asyncio.CancelledError
        ):  # by somebody who cancels all that runs on the loop; what is done is done
            pass
        except Exception as error:
            problem = error
        self._under_way.discard(task.id)
        if done:
            task.files.outputs = done[0]
            self._hold(task, value)
            self._tasks.published(task, value)
        else:
            self._tasks.not_published(task, problem)
        self.release(task)

    def _all_published(self, task: Task, done: list[Mapping[str, object]]) -> None:
        done.append(self._publishing.all(task.files, lambda: self._tasks.want_outputs(task)))

    # -- what nobody can reach any more -------------------------------------------------------------------

    def _hold(self, task: Task, value: object) -> None:
        if self._sandboxes is not None:
            self._sandboxes.succeeded(task, value, self._give_back)

    def _give_back(self, task_id: int) -> None:
        """On any thread, and in the middle of anything, when the collector says so."""
        self._unreachable.append(task_id)
        if not self._is_told:
            self._is_told = True
            with suppress(RuntimeError):  # the loop is closed: the end clears all
                self._loop.call_soon_threadsafe(self._remove)

    def _remove(self) -> None:
        if not self._stopped.is_set() and self._sandboxes is not None:
            self._begin(self._removed(self._sandboxes), "tasks that are over")

    async def _removed(self, sandboxes: Sandboxes) -> None:
        while self._unreachable:
            batch = [self._unreachable.popleft() for _ in range(len(self._unreachable))]
            await aside(sandboxes.remove, batch)
        self._is_told = False
        if self._unreachable:  # since it was looked at
            self._remove()

    # -- the end ------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Nobody wants anything any more: what is under way ends soon."""
        self._stopped.set()

    def _begin(self, work: Coroutine[object, object, T], what: str) -> asyncio.Task[T]:
        begun = asyncio.Task(work, name=f"files of {what}", context=self._context)
        self.waiting.add(begun)
        begun.add_done_callback(self.waiting.discard)
        return begun
