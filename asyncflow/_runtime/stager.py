"""Has the files of tasks brought to them and published, beside everything else that happens on the loop.

It stands between what the scheduler decides and the threads on which `staging.py` works.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Sequence
from contextvars import Context
from itertools import count
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from .._core import urls
from .._core.files import Declared, OutputFile, declared, is_plain_name, with_paths
from .._core.states import CANCELLING, NOW, READY
from .._core.task import Task
from ..errors import StagingError
from .aside import aside
from .copying import Unwanted
from .facts import Facts
from .remote import Remote
from .sandboxes import FETCHED, Sandboxes
from .staging import Staging, destination_of, missing

T = TypeVar("T")
AT_ONCE: Final = 16
"""Tasks of one lane whose inputs are on their way at the same time, or wait there for a slot."""
_REMEMBERED: Final = 10_000  # names of outputs whose makers are known, for errors


class Told(Protocol):
    """Who is told how it went; on the loop's thread."""

    def staged(self, task: Task) -> None:
        """All that a task reads is in its sandbox."""

    def not_staged(self, task: Task, error: BaseException) -> None:
        """It could not be brought."""

    def published(self, task: Task, value: Any) -> None:
        """All that a task was to make is there, and where it was to go."""

    def not_published(self, task: Task, error: BaseException) -> None:
        """It is not, or nobody wants it any more."""


class Stager:
    """The files of one run.

    Args:
        sandboxes: of the run; None if nothing is to be staged.
        implicit: whether what commands have made without declaring it is brought along.
        told: who is told.
    """

    def __init__(self, sandboxes: Sandboxes | None, implicit: bool, told: Told) -> None:
        self._sandboxes = sandboxes
        self._implicit = implicit
        self._told = told
        self._stopped = threading.Event()
        self._makers: dict[str, str] = {}
        self._staging = Staging(
            Remote(self._stopped), implicit, self._makers, lambda: not self._stopped.is_set()
        )
        self._publishers: dict[Path | str, Task] = {}  # who has claimed a destination
        self._fetches: dict[str, asyncio.Task[Path]] = {}
        self._numbers = count(1)
        self._context = Context()
        self.waiting: set[asyncio.Task[Any]] = set()

    # -- calls --------------------------------------------------------------------------------------------

    def called(self, task: Task, dependencies: Sequence[Task], is_staged: bool) -> bool:
        """Take note of a call that runs a command or declares files.

        Args:
            task: just called, not yet known to the scheduler.
            dependencies: what it depends on, whose files it may want.
            is_staged: whether files are staged where it is to run.

        Returns:
            Whether there is anything to bring.

        Raises:
            StagingError: another task that is not over publishes to the same place, or it is certain already that an
                input will not be there.
            ValueError: it declares two outputs of one name.
            TypeError: a destination is neither a path nor a URL.
        """
        files = declared(task.args, task.kwargs)
        upstreams = [each.facts for each in dependencies if isinstance(each.facts, Facts)]
        facts = task.facts = Facts(
            label=f"{task.name!r} (#{task.id})",
            is_command=task.definition.command is not None,
            upstreams=upstreams,
            is_dry=self._sandboxes is None or not is_staged,
        )
        if dependencies and all(
            isinstance(each.facts, Facts) or each.story & NOW > CANCELLING for each in dependencies
        ):
            self._expect(facts, files)
        self._claim(task, facts, files.outputs)
        has_inherited = self._implicit and facts.is_command and any(each.is_command for each in upstreams)
        if facts.is_dry or not (files or has_inherited):
            facts.upstreams = ()
            return False
        return True

    def _expect(self, facts: Facts, files: Declared) -> None:
        """Refuse an input by name that none of the tasks makes that come before; they all tell what they make."""
        if facts.is_dry or (self._implicit and any(each.is_command for each in facts.upstreams)):
            return
        named = {each.name for upstream in facts.upstreams for each in upstream.declares}
        for each in files.inputs:
            if isinstance(each.source, str) and is_plain_name(each.source) and each.source not in named:
                path = Path(each.source).absolute()
                if not path.exists():
                    raise StagingError(
                        f"{facts.label}: {missing(each.source, path, facts.upstreams, self._makers)}"
                    )

    def _claim(self, task: Task, facts: Facts, outputs: Sequence[OutputFile]) -> None:
        """Keep destinations for one task until it is over."""
        facts.declares = outputs
        for each in outputs:
            if len(self._makers) < _REMEMBERED:
                self._makers[each.name] = facts.label
            if each.to is None:
                continue
            destination = destination_of(each.to)
            other = self._publishers.setdefault(destination, task)
            if other is not task:
                self.release(task)
                raise StagingError(
                    f"{facts.label} would publish to {destination}, and so does {other.facts.label}"
                )

    def release(self, task: Task) -> None:
        """A task is over: others may publish where it has, or would have."""
        for each in task.facts.declares:
            if each.to is not None and self._publishers.get(destination_of(each.to)) is task:
                del self._publishers[destination_of(each.to)]

    # -- in -----------------------------------------------------------------------------------------------

    def bring(self, batch: Sequence[Task]) -> None:
        """Begin to bring what tasks read."""
        for task in batch:
            self._begin(self._bring(task), f"{task.name}#{task.id}")

    async def _bring(self, task: Task) -> None:
        facts: Facts = task.facts
        try:
            files = declared(task.args, task.kwargs)
            self._claim(task, facts, files.outputs)  # of those that came as somebody's result
            fetched = await self._all_fetched(facts.label, files)
            paths = await aside(self._all_brought, task, files, fetched)
            facts.upstreams = ()
            if task.story & NOW == READY:  # else it is cancelled, and what it was given is gone
                task.args, task.kwargs = with_paths(
                    task.args, task.kwargs, files, lambda each: paths[id(each)]
                )
        except asyncio.CancelledError:
            self._told.not_staged(task, Unwanted())
        except Exception as error:
            self._told.not_staged(task, error)
        else:
            self._told.staged(task)

    def _all_brought(self, task: Task, files: Declared, fetched: dict[str, Path]) -> dict[int, Any]:
        assert self._sandboxes is not None
        task.facts.sandbox = self._sandboxes.make(task)
        return self._staging.stage_in(task.facts, files, fetched)

    async def _all_fetched(self, label: str, files: Declared) -> dict[str, Path]:
        """What comes from other places; each is fetched once, however many ask for it."""
        wanted = [each.source for each in files.inputs if isinstance(each.source, str)]
        wanted = [url for url in wanted if urls.is_url(url) and urls.local_path(url) is None]
        fetched = {}
        for url, fetch in [(url, self._fetch(url)) for url in dict.fromkeys(wanted)]:
            try:
                fetched[url] = await asyncio.shield(fetch)
            except (OSError, ValueError, ImportError) as error:
                raise StagingError(f"{label}: {error}") from error
        return fetched

    def _fetch(self, url: str) -> asyncio.Task[Path]:
        fetch = self._fetches.get(url)
        if fetch is None:
            assert self._sandboxes is not None
            folder = self._sandboxes.root / FETCHED / str(next(self._numbers))
            fetch = self._fetches[url] = self._begin(aside(self._staging.fetch, url, folder), url)
            fetch.add_done_callback(lambda done: self._fetched(url, done))
        return fetch

    def _fetched(self, url: str, done: asyncio.Task[Path]) -> None:
        if done.cancelled() or done.exception() is not None:
            del self._fetches[url]  # whoever asks later is worth another attempt

    # -- out ----------------------------------------------------------------------------------------------

    def publish(self, task: Task, value: Any) -> None:
        """Begin to look for what a task has made, and to publish it; its value is what it ends with."""
        facts: Facts = task.facts
        if facts.declares and not facts.is_dry:
            self._begin(self._publish(task, value), f"{task.name}#{task.id}")
        else:
            self._told.published(task, value)

    async def _publish(self, task: Task, value: Any) -> None:
        facts: Facts = task.facts
        try:
            facts.outputs = await aside(
                self._staging.stage_out, facts, lambda: task.story & NOW != CANCELLING
            )
        except (Exception, asyncio.CancelledError) as error:
            self._told.not_published(task, error)
        else:
            self._told.published(task, value)

    # -- the end ------------------------------------------------------------------------------------------

    def failed(self, task: Task, error: BaseException) -> None:
        """A task has failed; its sandbox is evidence, and the error says where it is."""
        if self._sandboxes is None or not self._sandboxes.failed(task):
            return
        if getattr(error, "sandbox", None) is None:
            error.add_note(f"its sandbox: {task.facts.sandbox}")

    def stop(self) -> None:
        """Nobody wants anything any more: what is under way ends soon."""
        self._stopped.set()

    def _begin(self, work: Coroutine[Any, Any, T], what: str) -> asyncio.Task[T]:
        begun = asyncio.Task(work, name=f"files of {what}", context=self._context)
        self.waiting.add(begun)
        begun.add_done_callback(self.waiting.discard)
        return begun
