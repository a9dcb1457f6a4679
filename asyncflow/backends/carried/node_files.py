"""The files of tasks on a node: brought to a sandbox there before a task begins, and back when it is over.

A node may see the engine's files. Whether it does is found out: the directory of a run has a file in it that says whose
it is, with a random word in it, and only who sees the same directory knows that word. Then a task's sandbox is the
engine's own, and what belongs in it is copied there from here, once. Else it is a directory of this node, and contents
come over the channel into a store, each once, by their checksums.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Coroutine
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Final

from ..._core.carried_files import CarriedFiles, Entry, Plain
from ..._files.aside import aside
from ..._files.contents import Store
from ..._files.copying import Unwanted, remove
from ..._files.entries import copied_from_source, put_up, replace_all
from ..._files.made import place
from ..._files.owners import is_run_of
from ..._worker.paths import HOME
from ...errors import StagingError
from .collected import collected
from .file_messages import DIGESTS, MADE, MANIFEST, NOT_MADE, NOT_PREPARED, OVER, PREPARED, SHARES, TOLD
from .node_folder import NodeFolder, sweep
from .transfers import KINDS, Send, Transfers

_TRIES: Final = 3  # times that a content is asked for which others remove for want of room


class _Prepared:
    """What there is of one task."""

    def __init__(self, files: CarriedFiles, sandbox: Path, is_shared: bool) -> None:
        self.files = files
        self.sandbox = sandbox
        self.is_shared = is_shared
        self.offered: set[bytes] = set()


class NodeFiles:
    """The files of the tasks of one agent.

    Args:
        folder: for them, which is there and empty, or has the store of other agents of the same engine in it.
        send: sends a message to the engine.
    """

    def __init__(self, folder: Path, send: Send) -> None:
        own = folder / str(os.getpid())
        self.links = own / "tasks"
        """Where there is a link to the sandbox of each task by its number, for workers."""
        self._sandboxes = own / "sandboxes"
        self._own = own
        store = folder / "store"
        self._store = Store(store)
        self._folder = folder
        self._used: NodeFolder | None = None
        self._beginning: asyncio.Task[None] | None = None
        self._send = send
        self._transfers = Transfers(send, self)
        self._numbers = count(1)
        self._prepared: dict[int, _Prepared] = {}
        self._coming: dict[bytes, asyncio.Future[None]] = {}
        self._asked: dict[int, asyncio.Future[tuple[bytes, ...]]] = {}
        self._shared: dict[str, bool] = {}
        self._preparing: dict[int, frozenset[bytes]] = {}  # contents that are needed now
        self._tasks: dict[int, asyncio.Task[None]] = {}  # that are prepared
        self._dropping: dict[int, asyncio.Task[None]] = {}
        self._all: set[asyncio.Task[None]] = set()
        self._is_closed = False

    def __bool__(self) -> bool:
        return bool(self._prepared)

    def __contains__(self, task_id: object) -> bool:
        """Whether a task has files here, so that it has to `finish`."""
        return task_id in self._prepared

    # -- before a task --------------------------------------------------------------------------------------

    async def _prepare(self, task_id: int, manifest: Plain) -> None:
        """Have all that a task reads in its sandbox here."""
        try:
            await self._all_brought(task_id, manifest)
        except ConnectionError:
            return  # the engine is lost
        except asyncio.CancelledError:
            return  # nobody wants it
        except Exception as error:
            self._send((NOT_PREPARED, task_id, str(error)))
        else:
            self._send((PREPARED, task_id))
        finally:
            if self._tasks.get(task_id) is asyncio.current_task():
                del self._tasks[task_id]

    async def _all_brought(self, task_id: int, manifest: Plain) -> None:
        if task_id in self._dropping:  # it was here before, and taken back
            await asyncio.wait([self._dropping[task_id]])
        plain, word, shares = manifest
        assert isinstance(plain, tuple)
        files = CarriedFiles.of_plain(plain)
        if self._beginning is None:
            self._beginning = self._keep(aside(self._begin))
        await asyncio.shield(self._beginning)
        if shares is None:
            shares = await self._is_shared(files.sandbox, str(word))
        try:
            if shares:
                sandbox = Path(files.sandbox)
                await aside(self._shared_put_up, task_id, files, sandbox)
            else:
                if files.unknown:
                    files = files.with_digests(await self._digests(task_id))
                sandbox = await self._brought(task_id, files)
        except (OSError, ValueError, LookupError, Unwanted) as error:
            if isinstance(error, (StagingError, ConnectionError)):
                raise
            raise StagingError(
                f"{files.label}: its files could not be brought to {_host()}: {error}"
            ) from error
        self._prepared[task_id] = _Prepared(files, sandbox, bool(shares))

    def _begin(self) -> None:
        if self._used is None:
            sweep(self._folder.parent)
            self._used = NodeFolder(self._folder)
        for each in (self.links, self._sandboxes, self._folder / "store"):
            each.mkdir(parents=True, exist_ok=True)

    def _wanted(self) -> bool:
        return not self._is_closed

    async def _is_shared(self, sandbox: str, word: str) -> bool:
        run = os.path.dirname(sandbox)
        if run not in self._shared:
            self._shared[run] = await aside(is_run_of, run, word)
            self._send((SHARES, 0, self._shared[run]))
        return self._shared[run]

    async def _digests(self, task_id: int) -> tuple[bytes, ...]:
        told: asyncio.Future[tuple[bytes, ...]] = asyncio.get_running_loop().create_future()
        self._asked[task_id] = told
        try:
            self._send((DIGESTS, task_id))
            return await told
        finally:
            del self._asked[task_id]

    async def _brought(self, task_id: int, files: CarriedFiles) -> Path:
        of_digest = {each.digest: each for each in files.inputs if each.digest and each.content is None}
        self._preparing[task_id] = frozenset(each.digest for each in files.inputs if each.digest)
        sandbox = self._sandboxes / f"{task_id}-{next(self._numbers)}"
        try:
            for attempt in range(_TRIES):
                async with asyncio.TaskGroup() as group:
                    for digest, entry in of_digest.items():
                        if digest not in self._store:
                            group.create_task(self._have(task_id, files.label, digest, entry))
                try:
                    await self._with_room(task_id, files, sandbox)
                    break
                except LookupError:  # somebody has removed it meanwhile, or written into it
                    if attempt == _TRIES - 1:
                        raise
        except BaseExceptionGroup as group_of_errors:
            raise group_of_errors.exceptions[0] from None
        finally:
            del self._preparing[task_id]
        return sandbox

    async def _fetched(self, task_id: int, digest: bytes, size: int) -> None:
        has_made_room = False
        while True:
            try:
                await self._transfers.fetch(task_id, digest, self._store)
            except OSError as error:
                if error.errno == errno.EAGAIN and not isinstance(error, ConnectionError):
                    if digest not in self._store:  # another agent of this node was to have it, and has not
                        continue
                elif has_made_room or not await self._made_room(error, size):
                    raise
                else:
                    has_made_room = True
                    continue
            return

    async def _with_room(self, task_id: int, files: CarriedFiles, sandbox: Path) -> None:
        try:
            await aside(self._put_up, task_id, files, sandbox)
        except OSError as error:
            if not await self._made_room(error, sum(each.size for each in files.inputs)):
                raise
            await aside(self._put_up, task_id, files, sandbox)

    def _shared_put_up(self, task_id: int, files: CarriedFiles, sandbox: Path) -> None:
        # Over what another agent has put there, to which the call went before and from which it was taken back.
        replace_all(files.inputs, sandbox, copied_from_source(self._wanted), self._wanted)
        _make_room(files, sandbox)
        self._link(task_id, sandbox, files.sandbox)

    def _put_up(self, task_id: int, files: CarriedFiles, sandbox: Path) -> None:
        def give(entry: Entry, target: Path) -> None:
            assert entry.digest is not None
            if entry.content is not None:
                self._store.put(entry.content, entry.digest)
            self._store.give(entry.digest, target, self._wanted)

        remove(sandbox)
        sandbox.mkdir()
        try:
            put_up(files.inputs, sandbox, give, self._wanted)
            _make_room(files, sandbox)
            self._link(task_id, sandbox, files.sandbox)
        except BaseException:
            remove(sandbox)
            raise

    async def _have(self, task_id: int, label: str, digest: bytes, entry: Entry) -> None:
        """Have a content in the store. Who asks while it comes for another task waits for that."""
        while digest not in self._store:
            coming = self._coming.get(digest)
            if coming is not None:
                await asyncio.wait([coming])
                continue
            coming = self._coming[digest] = asyncio.get_running_loop().create_future()
            try:
                await self._fetched(task_id, digest, entry.size)
            except ConnectionError:
                raise
            except (OSError, ValueError, LookupError) as error:
                raise StagingError(
                    f"{label}: {entry.name!r} could not be brought to {_host()}: {error}"
                ) from error
            finally:
                del self._coming[digest]
                coming.set_result(None)

    async def _made_room(self, error: OSError, size: int) -> bool:
        """Whether the disk was full and is not any more."""
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            return False
        needed: set[bytes] = set(self._coming)
        needed.update(*self._preparing.values(), *(each.offered for each in self._prepared.values()))
        return await aside(self._store.free, size, needed) > 0

    def _link(self, task_id: int, sandbox: Path, home: str) -> None:
        new = self.links / f".{task_id}"
        for target, name in ((home, f"{task_id}.{HOME}"), (sandbox, str(task_id))):
            new.unlink(missing_ok=True)
            os.symlink(target, new)
            os.replace(new, self.links / name)

    # -- after it -------------------------------------------------------------------------------------------

    async def finish(self, task_id: int, succeeded: bool) -> None:
        """Tell the engine what a task has made, before it is told that it is over.

        Args:
            task_id: number of the task, which may have no files.
            succeeded: whether it has; else only what it is to be looked into for comes back.
        """
        prepared = self._prepared.get(task_id)
        if prepared is None:
            return
        if prepared.is_shared:
            await self._drop(task_id)
            return
        try:
            entries, beside, untouched = await aside(self._all_collected, task_id, prepared, succeeded)
        except OSError as error:
            words = str(error)
            if not isinstance(error, StagingError):
                words = f"{prepared.files.label}: its outputs could not be looked at on {_host()}: {error}"
            self._send((NOT_MADE, task_id, words))
        else:
            self._send((MADE, task_id, tuple(map(tuple, entries)), tuple(map(tuple, beside)), untouched))

    def _all_collected(
        self, task_id: int, prepared: _Prepared, succeeded: bool
    ) -> tuple[list[Entry], list[Entry], tuple[str, ...]]:
        try:
            return collected(prepared.files, prepared.sandbox, self._store, prepared.offered, succeeded)
        finally:
            self._removed(task_id, prepared)  # what is to come back is in the store by now

    async def _drop(self, task_id: int) -> None:
        """Nobody wants anything of a task any more: its sandbox goes."""
        prepared = self._prepared.pop(task_id, None)
        if prepared is not None:
            await aside(self._removed, task_id, prepared)

    def _removed(self, task_id: int, prepared: _Prepared) -> None:
        with suppress(OSError):
            link = self.links / str(task_id)
            if os.readlink(link) == str(prepared.sandbox):
                link.unlink()
                link.with_name(f"{link.name}.{HOME}").unlink()
        if not prepared.is_shared:
            remove(prepared.sandbox)
            for ending in prepared.files.also:
                remove(Path(f"{prepared.sandbox}.{ending}"))

    # -- messages -------------------------------------------------------------------------------------------

    async def turn(self, digest: bytes) -> bool:
        """Wait until a content may go."""
        return True

    def gone(self, digest: bytes) -> None:
        """A content has gone."""

    def path_of(self, task_id: int, digest: bytes) -> Path:
        """Where a content is that a task has made."""
        prepared = self._prepared.get(task_id)
        if prepared is None or digest not in prepared.offered:
            raise LookupError(digest.hex())
        return self._store.path(digest)

    def received(self, message: tuple[object, ...]) -> None:
        """Take a message of the engine's.

        Raises:
            TypeError: it is none that goes with files.
            ValueError: the same.
        """
        kind, task_id, *rest = message
        if kind in KINDS:
            self._transfers.received(message)
        elif kind == TOLD:
            asked = self._asked.get(task_id) if isinstance(task_id, int) else None
            if asked is not None and not asked.done():
                if isinstance(rest[0], str):
                    asked.set_exception(StagingError(rest[0]))
                elif isinstance(rest[0], tuple):
                    asked.set_result(rest[0])
        elif kind == OVER and isinstance(task_id, int):
            preparing = self._tasks.pop(task_id, None)
            if preparing is not None:
                preparing.cancel()
            if task_id in self._prepared:
                self._dropping[task_id] = self._keep(self._drop(task_id))
                self._dropping[task_id].add_done_callback(lambda _: self._dropping.pop(task_id, None))
        elif kind == MANIFEST and isinstance(task_id, int):
            self._tasks[task_id] = self._keep(self._prepare(task_id, tuple(rest)))
        else:
            raise TypeError(f"{message!r:.100} is none that goes with files")

    def _keep(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        begun = asyncio.get_running_loop().create_task(work)
        self._all.add(begun)
        begun.add_done_callback(self._all.discard)
        return begun

    def lost(self, why: str) -> None:
        """The engine is gone.

        Args:
            why: in words.
        """
        self._is_closed = True
        self._transfers.lost(why)
        for asked in self._asked.values():
            if not asked.done():
                asked.set_exception(ConnectionError(why))

    def close(self) -> None:
        """Remove all that is this agent's own, as it ends."""
        self.lost("the agent ends")
        for task in list(self._all):
            task.cancel()
        remove(self._own)
        if self._used is not None:
            self._used.close()
            self._used = None


def _make_room(files: CarriedFiles, sandbox: Path) -> None:
    for name in files.outputs:
        place(sandbox, name, is_file=False)


def _host() -> str:
    return socket.gethostname()
