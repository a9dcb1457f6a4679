"""The engine's side of files that travel to one agent: what goes along with a call, and what comes back."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from ..._core.carried_files import FILE, CarriedFiles, Entry, entry_of
from ..._files.aside import aside
from ..._files.contents import digest_of_small
from ..._files.copying import Unwanted, copy, remove
from ..._files.digests import DIGESTS as KNOWN
from ..._files.entries import replace_all
from ..._files.owners import word_of
from ...backend import Work
from ...errors import StagingError
from .file_messages import DIGESTS, MADE, MANIFEST, NOT_MADE, NOT_PREPARED, OVER, PREPARED, SHARES, TOLD
from .transfers import KINDS, Into, Send, Transfers

_REMEMBERED: Final = 100_000  # small contents of which it is known that a node has them
_Made = tuple[list[Entry], list[Entry], tuple[str, ...]]


class OfNode:
    """The contents that are on their way to one node: each goes to one of its agents, and the others find it there."""

    def __init__(self) -> None:
        self._going: dict[bytes, asyncio.Future[None]] = {}
        self._small: set[bytes] = set()  # contents that went along with something

    def news(self, files: CarriedFiles) -> CarriedFiles:
        """The files of a task without the contents that the node was sent before."""
        told = []
        for entry in files.inputs:
            digest = entry.digest
            is_known = digest in self._small
            told.append(entry._replace(content=None) if is_known else entry)
            if entry.content is not None and digest is not None and len(self._small) < _REMEMBERED:
                self._small.add(digest)
        return replace(files, inputs=tuple(told))

    async def turn(self, digest: bytes) -> bool:
        """Whether a content is to be sent; if it is on its way, it is waited for that, and the answer is no."""
        going = self._going.get(digest)
        if going is None:
            self._going[digest] = asyncio.get_running_loop().create_future()
            return True
        await asyncio.wait([going])
        return False

    def gone(self, digest: bytes) -> None:
        """It has gone, or was given up."""
        going = self._going.pop(digest, None)
        if going is not None:
            going.set_result(None)


class EngineFiles:
    """The files of the tasks that one agent has.

    Args:
        send: sends a message to it.
        host: where it is, for messages.
        shares_files: whether it sees this machine's files under the same paths; None to have it find out.
        node: what is on its way to agents of the same node.
    """

    def __init__(
        self, send: Send, host: str, shares_files: bool | None = None, node: OfNode | None = None
    ) -> None:
        self._node = node or OfNode()
        self._sending: set[bytes] = set()
        self._sent_on: set[bytes] = set()  # contents that it was told to look for
        self._send = send
        self._host = host
        self.shares_files = shares_files
        """Whether it sees this machine's files under the same paths; None as long as that is not known."""
        self._is_told = shares_files
        self._transfers = Transfers(send, self)
        self._given: dict[int, CarriedFiles] = {}
        self._made: dict[int, _Made | str] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._names: dict[int, str] = {}
        self._waiting: dict[int, tuple[Callable[[], None], Callable[[StagingError], None]]] = {}
        self._words: dict[str, str] = {}  # of the directories of runs

    def __bool__(self) -> bool:
        return bool(self._given)

    def __contains__(self, task_id: object) -> bool:
        """Whether a task has files there, so that its `outputs` are to be waited for."""
        return task_id in self._given

    # -- before a task --------------------------------------------------------------------------------------

    def prepare(self, work: Work, done: Callable[[], None], failed: Callable[[StagingError], None]) -> None:
        """Have the agent bring there what a task reads, before it gets the call.

        Args:
            work: the task, which has files.
            done: is called when all is there.
            failed: is called if that cannot be.
        """
        files = work.carried
        assert files is not None
        self._given[work.id] = files
        self._names[work.id] = work.name
        self._waiting[work.id] = done, failed
        run = os.path.dirname(files.sandbox)
        if run not in self._words:
            self._words[run] = word_of(run)
        self._send((MANIFEST, work.id, self._node.news(files).plain(), self._words[run], self._is_told))

    async def turn(self, digest: bytes) -> bool:
        """Wait until a content may go; False if the agent is to look first whether it is on its node by now."""
        if digest in self._sent_on:  # it has looked, and has a store of its own, it seems
            return True
        is_first = await self._node.turn(digest)
        if is_first:
            self._sending.add(digest)
        else:
            self._sent_on.add(digest)
        return is_first

    def gone(self, digest: bytes) -> None:
        """A content has gone, or was given up."""
        if digest in self._sending:
            self._sending.discard(digest)
            self._node.gone(digest)

    def path_of(self, task_id: int, digest: bytes) -> Path:
        """Where a content is that belongs to what a task reads."""
        files = self._given.get(task_id)
        for entry in () if files is None else files.inputs:
            if entry.digest == digest:
                return Path(entry.source)
        raise LookupError(digest.hex())

    async def _tell_digests(self, task_id: int) -> None:
        files = self._given.get(task_id)
        if files is None:
            self._send((TOLD, task_id, "it is not wanted any more"))
            return
        try:
            digests = await aside(lambda: tuple(KNOWN.of(each.source) for each in files.unknown))
        except (OSError, Unwanted) as error:
            self._send((TOLD, task_id, f"{files.label}: an input could not be read: {error}"))
            return
        if task_id in self._given:
            self._given[task_id] = files.with_digests(digests)
        self._send((TOLD, task_id, digests))

    # -- after it -------------------------------------------------------------------------------------------

    def name_of(self, task_id: int) -> str:
        """The name of a task that has files there."""
        return self._names.get(task_id, "")

    async def outputs(self, task_id: int, succeeded: bool = True) -> None:
        """Have here what a task has made, after the agent has told that it is over.

        Args:
            task_id: number of the task, which is not `over` before this is told.
            succeeded: whether it has; of what failed, as much as comes back does.

        Raises:
            StagingError: an output was not made, or could not be brought here.
            ConnectionError: the agent is lost, which is to be told as such.
        """
        files, made = self._given.get(task_id), self._made.pop(task_id, None)
        try:
            if files is None or made is None:
                return
            if isinstance(made, str):
                raise StagingError(made)
            await self._fetched(task_id, files, made)
        except StagingError:
            if succeeded:
                raise

    def over(self, task_id: int) -> None:
        """A task is over here, or is not to be with this agent any more.

        Args:
            task_id: its number.
        """
        self._made.pop(task_id, None)
        self._waiting.pop(task_id, None)
        self._names.pop(task_id, None)
        if self._given.pop(task_id, None) is not None:
            self._send((OVER, task_id))

    async def _fetched(self, task_id: int, files: CarriedFiles, made: _Made) -> None:
        entries, beside, untouched = made
        sandbox = Path(files.sandbox)
        coming = sandbox.with_name(f".coming-{sandbox.name}")
        all_made = (*entries, *beside)
        wanted = {each.digest: each for each in all_made if each.digest is not None and each.content is None}
        entry = None
        try:
            here: dict[bytes | None, str] = {
                each.digest: each.source for each in files.inputs if each.digest in wanted
            }
            for digest, entry in wanted.items():  # noqa: B007 - errors name the one that was under way
                if digest not in here or KNOWN.known(here[digest]) != digest:
                    await self._transfers.fetch(task_id, digest, Into(coming / digest.hex()))
                    here.pop(digest, None)
            if all_made:
                await aside(_put_down, files, coming, here, entries, beside)
            files.untouched.update(each for each in untouched if each not in {one.name for one in entries})
        except ConnectionError as error:
            name = "" if entry is None else f" while its output {entry.name!r} was brought here"
            raise ConnectionError(f"{error}{name}") from None
        except (OSError, ValueError, LookupError) as error:
            name = "" if entry is None else f" {entry.name!r}"
            raise StagingError(
                f"{files.label}: its output{name} could not be brought here from {self._host}: {error}"
            ) from error
        finally:
            if wanted:
                await aside(remove, coming)

    # -- messages -------------------------------------------------------------------------------------------

    def received(self, message: tuple[object, ...]) -> None:
        """Take a message of the agent's.

        Raises:
            TypeError: it is none that goes with files.
            ValueError: the same, or a name leads out of a sandbox.
        """
        kind, task_id, *rest = message
        if kind in KINDS:
            self._transfers.received(message)
            return
        if not isinstance(task_id, int):
            raise TypeError(f"{message!r:.100} is none that goes with files")
        if kind == MADE:
            entries, beside, untouched = rest
            if not (
                isinstance(entries, tuple) and isinstance(beside, tuple) and isinstance(untouched, tuple)
            ):
                raise TypeError(f"{message!r:.100} is none that goes with files")
            if task_id in self._given:
                names = tuple(str(each) for each in untouched)
                self._made[task_id] = list(map(entry_of, entries)), list(map(entry_of, beside)), names
        elif kind == NOT_MADE:
            if task_id in self._given:
                self._made[task_id] = str(rest[0])
        elif kind in (PREPARED, NOT_PREPARED):
            waiting = self._waiting.pop(task_id, None)
            if waiting is not None:
                done, failed = waiting
                if kind == PREPARED:
                    done()
                else:
                    failed(StagingError(str(rest[0])))
        elif kind == DIGESTS:
            self._begin(self._tell_digests(task_id))
        elif kind == SHARES:
            self.shares_files = bool(rest[0])
        else:
            raise TypeError(f"{message!r:.100} is none that goes with files")

    def _begin(self, work: Coroutine[object, object, None]) -> None:
        begun = asyncio.get_running_loop().create_task(work)
        self._tasks.add(begun)
        begun.add_done_callback(self._tasks.discard)

    def lost(self, why: str) -> None:
        """The agent is gone.

        Args:
            why: in words.
        """
        self._transfers.lost(why)

    async def close(self) -> None:
        """Stop all that is under way."""
        await self._transfers.close()
        for task in list(self._tasks):
            await task


def _put_down(
    files: CarriedFiles,
    coming: Path,
    here: Mapping[bytes | None, str],
    entries: Sequence[Entry],
    beside: Sequence[Entry],
) -> None:
    """Put what has come where it belongs, each content by a rename the first time."""
    placed: dict[bytes | None, Path] = {digest: Path(path) for digest, path in here.items()}

    def give(entry: Entry, target: Path) -> None:
        assert entry.digest is not None
        if entry.content is not None:
            if digest_of_small(entry.content) != entry.digest:
                raise ValueError("it is not what it is said to be")
            with open(target, "xb") as file:
                file.write(entry.content)
        elif entry.digest in placed:
            copy(placed[entry.digest], target, lambda: True)
        else:
            os.rename(coming / entry.digest.hex(), target)
            placed[entry.digest] = target

    sandbox = Path(files.sandbox)
    replace_all(entries, sandbox, give, lambda: True)
    for entry in beside:
        if entry.kind == FILE and entry.name in files.also:
            target = Path(files.also[entry.name])
            remove(target)
            give(entry, target)
    for entry in entries:
        if entry.kind == FILE and entry.digest is not None:
            KNOWN.tell(sandbox / entry.name, entry.digest)
