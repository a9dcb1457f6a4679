"""The worker processes of one agent: what the engine tells them, and what they tell the engine."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from .._turns import Due
from .._worker import wire
from .._worker.paths import GRACE, SANDBOXES
from ..backends.carried import messages
from ..backends.carried.channel import Channel, Message
from ..backends.carried.lease import Lease
from ..backends.carried.node_files import NodeFiles
from ..backends.carried.pieces import Inlet, Outlet
from ..backends.process.worker_pool import Bounds, Exchange, WorkerPool
from .calls import FunctionsThere, PackedWork
from .kept import KeptHere
from .peers import Peers, Way
from .program import ProgramElsewhere
from .told import Told, packed_results

ENDED: Final = "the engine has ended it"
_OF_GRACE: Final = 0.7  # of what a task has to stop, a command has; then its process can still tell
_LOOK: Final = 0.02  # seconds after which it is told what runs


class Crew:
    """A pool of worker processes for an engine at the other end of a channel.

    Args:
        channel: to the engine.
        lease: by which it is one of the engine's.
        folder: for the files of tasks, if there are any.
    """

    def __init__(self, channel: Channel, lease: Lease, folder: Path) -> None:
        self._loop = asyncio.get_running_loop()
        self._channel = channel
        self._workers = lease.workers
        self._variables = lease.variables
        self._functions = FunctionsThere()
        self._inlet, self._outlet = Inlet(), Outlet(channel)
        self._files = NodeFiles(folder, self._tell_files)
        self._told = Told(channel, self._hold, self._look_soon, self._files)
        self._kept = KeptHere()
        self._peers = Peers(lease, channel.here, self._kept)
        self._with_peers: set[asyncio.Task[None]] = set()
        self._pool: WorkerPool | None = None
        self._program: ProgramElsewhere | None = None
        self._look: Due | None = None
        self._leaving: asyncio.Task[None] | None = None
        self.over: asyncio.Future[str] = self._loop.create_future()
        """Why there is nothing more to do, in words."""
        channel.listen(self._received, self.end)

    def end(self, why: str) -> None:
        """There is nothing more to do.

        Args:
            why: in words.
        """
        if not self.over.done():
            self.over.set_result(why)

    def _hold(self, is_held: bool) -> None:
        if self._pool is not None:
            self._pool.hold(is_held)

    # -- what the engine tells ----------------------------------------------------------------------------

    def _received(self, message: Message) -> None:
        if messages.is_piece(message):
            self._inlet.take(*messages.read_piece(message))
            return
        kind, *fields = messages.unpack(message)
        _TAKES[kind](self, *fields)

    def _set_up(
        self,
        start_with: bytes,
        flags: list[str],
        folder: str,
        variables: dict[str, str],
        bounds: tuple[int, int, float],
        keep: tuple[int | None, int | None, int],
        home: str,
    ) -> None:
        own = {**variables, **self._variables, SANDBOXES: str(self._files.links)}
        own[GRACE] = str(_OF_GRACE * bounds[-1])
        self._program = ProgramElsewhere(own, start_with, flags, folder)
        self._kept.keep_from, at_most, agents = keep
        self._kept.bound(at_most, agents)
        results = packed_results(self._told, self._outlet, self._kept)
        exchange = Exchange(self._functions, results, self._told.printed)
        self._pool = WorkerPool(self._workers, self._told.report, self._program, Bounds(*bounds), exchange)
        if home:
            self._told.send(messages.HOME, os.path.exists(home))

    def _change_program(self, path: list[str], own: list[str], arguments: list[str]) -> None:
        assert self._program is not None
        self._program.changed(path, own, arguments)

    def _take_frame(
        self,
        definitions: dict[int, Any],
        forgotten: list[int],
        calls: list[tuple[int, int, int, Any]],
        identities: dict[int, Any],
    ) -> None:
        assert self._pool is not None
        self._functions.define(definitions, forgotten)
        heads: list[PackedWork] = []
        last: PackedWork | None = None
        for task_id, flags, number, payload in calls:
            inner, places = payload if flags & wire.TAKES else (payload, None)
            work = PackedWork(task_id, flags, number, inner)
            if flags & wire.PINNED:
                work.payload, work.generator = inner
            if flags & wire.IN_FILE:
                piece, work.payload = inner
                work.file = self._inlet.whole(piece)
            if places is not None:
                work.payload = [work.payload, places]
            if flags & wire.TAGGED:
                work.identity = identities[task_id]
            if flags & wire.LINKED and last is not None:
                last.link = work
            else:
                heads.append(work)
            last = work
        if heads:
            self._pool.submit(heads)
            self._look_soon()

    def _stop(self, task_id: int) -> None:
        assert self._pool is not None
        self._pool.cancel(task_id)

    def _withdraw(self, most: int) -> None:
        assert self._pool is not None
        self._pool.withdraw(most)

    def _renew(self) -> None:
        """The program has loaded modules again, which the workers have imported."""
        assert self._pool is not None
        self._pool.renew()

    def _of_files(self, message: tuple[object, ...]) -> None:
        self._files.received(message)

    def _tell_files(self, message: tuple[object, ...]) -> None:
        self._told.send(messages.FILES, message)

    def _drop(self, piece: int) -> None:
        self._inlet.whole(piece)

    # -- results that stay here ---------------------------------------------------------------------------

    def _free(self, numbers: list[int]) -> None:
        self._kept.free(numbers)

    def _bring(self, number: int, file: int, sizes: wire.Sizes) -> None:
        def answer(piece: int) -> None:
            self._told.add(None, [(messages.BROUGHT, 0, 0.0, 0.0, (number, piece))])

        source = self._kept.source(file, sizes)
        if source is None:
            answer(0)
        else:
            piece = self._outlet.send(source, lambda: answer(piece))

    def _store(self, task_id: int, piece: int) -> None:
        file = self._kept.keep(self._inlet.whole(piece))
        self._told.add(None, [(messages.COPIED, task_id, 0.0, 0.0, file)])

    def _serve(self) -> None:
        self._begin(self._served())

    async def _served(self) -> None:
        try:
            addresses, certificate = await self._peers.serve()
            way = list(addresses), certificate
        except (OSError, RuntimeError, ValueError):
            way = None  # the engine hands on what is kept here
        self._told.add(None, [(messages.SERVES, 0, 0.0, 0.0, way)])

    def _copy(
        self, task_id: int, file: int, sizes: wire.Sizes, addresses: list[str], certificate: str | None
    ) -> None:
        self._begin(self._copied(task_id, file, sizes, (tuple(addresses), certificate)))

    async def _copied(self, task_id: int, file: int, sizes: wire.Sizes, way: Way) -> None:
        number = -1
        with suppress(OSError):
            memory = await self._peers.copy(file, sizes, way)
            if memory is not None:
                number = self._kept.keep(memory)
        self._told.add(None, [(messages.COPIED, task_id, 0.0, 0.0, number)])

    def _begin(self, work: Coroutine[object, object, None]) -> None:
        begun = self._loop.create_task(work)
        self._with_peers.add(begun)
        begun.add_done_callback(self._with_peers.discard)

    # -- the end ------------------------------------------------------------------------------------------

    def _leave(self, grace: float) -> None:
        self._leaving = self._loop.create_task(self._end(grace))

    async def _end(self, grace: float) -> None:
        if self._pool is not None:
            await self._pool.leave(grace)
        await self._told.finished()
        self._told.flush()
        self._told.send(messages.LEFT)
        self._channel.close()
        self.end(ENDED)

    # -- what runs ----------------------------------------------------------------------------------------

    def _look_soon(self) -> None:
        if self._look is None:
            self._look = self._loop.call_later(_LOOK, self._tell_what_runs)

    def _tell_what_runs(self) -> None:
        self._look = None
        if self._pool is not None and self._pool.look_now():
            self._look_soon()

    def close(self) -> None:
        """End all at once, the engine being gone."""
        if self._look is not None:
            self._look.cancel()
        self._outlet.close()
        self._inlet.close()
        for begun in self._with_peers:
            begun.cancel()
        self._peers.close()
        self._kept.close()
        self._told.close()
        if self._pool is not None:
            self._pool.abandon()
        self._files.close()
        self._channel.cut()


_TAKES: Final[dict[int, Callable[..., None]]] = {
    messages.SETUP: Crew._set_up,
    messages.PROGRAM: Crew._change_program,
    messages.FRAME: Crew._take_frame,
    messages.STOP: Crew._stop,
    messages.WITHDRAW: Crew._withdraw,
    messages.RENEW: Crew._renew,
    messages.DROP: Crew._drop,
    messages.FILES: Crew._of_files,
    messages.LEAVE: Crew._leave,
    messages.FREE: Crew._free,
    messages.BRING: Crew._bring,
    messages.STORE: Crew._store,
    messages.SERVE: Crew._serve,
    messages.COPY: Crew._copy,
}
