"""A node that does not share the engine's files, for tests: worker processes here with a directory of their own, behind
a channel."""

from __future__ import annotations

import asyncio
import os
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from asyncflow._worker.paths import SANDBOXES
from asyncflow.backend import CANCELLED, FAILED, SUCCEEDED, Event, Report, Work
from asyncflow.backends.carried.engine_files import EngineFiles
from asyncflow.backends.carried.node_files import NodeFiles
from asyncflow.backends.process import ProcessBackend
from asyncflow.errors import StagingError, WorkerDied
from asyncflow.testing import channel_pair

_ENDS = (SUCCEEDED, FAILED, CANCELLED)


class FarBackend(ProcessBackend):
    """Brings the files of its tasks to a directory that only its workers use, and back.

    Args:
        folder: of the node.
        shares: whether it sees the engine's files; None to have it find out.
        nodes: how many there are; tasks take turns.
    """

    name = "far"
    shares_filesystem = False
    carries_files = True
    takes_chains = False

    def __init__(self, folder: Path, *, shares: bool | None = False, workers: int = 2) -> None:
        super().__init__(workers)
        self.folder = folder
        self.shares = shares
        self.under_way: dict[int, tuple[Work, asyncio.Task[None]]] = {}
        self.ending: set[asyncio.Task[None]] = set()
        self.before = os.environ.get(SANDBOXES)

    async def start(self, report: Report) -> None:
        self.report = report
        self.here, self.there = channel_pair()
        self.engine = EngineFiles(lambda message: self.here.send(pickle.dumps(message)), "far", self.shares)
        self.node = NodeFiles(self.folder, lambda message: self.there.send(pickle.dumps(message)))
        self.here.listen(lambda message: self.engine.received(pickle.loads(message)), self.engine.lost)
        self.there.listen(lambda message: self.node.received(pickle.loads(message)), self.node.lost)
        os.environ[SANDBOXES] = str(self.node.links)
        await super().start(self.hear)

    def submit(self, batch: Sequence[Work]) -> None:
        for work in batch:
            if work.carried is None:
                super().submit([work])
            else:
                begun = asyncio.get_running_loop().create_task(self.bring(work))
                self.under_way[work.id] = work, begun

    async def bring(self, work: Work) -> None:
        prepared: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.engine.prepare(work, lambda: prepared.set_result(None), prepared.set_exception)
        try:
            await prepared
        except asyncio.CancelledError:
            self.over(work.id)
            self.report([(CANCELLED, work.id, None)])
        except (StagingError, ConnectionError) as error:
            self.over(work.id)
            self.report([(FAILED, work.id, error)])
        else:
            super().submit([work])

    def over(self, task_id: int) -> None:
        self.under_way.pop(task_id, None)
        self.engine.over(task_id)

    def hear(self, events: Sequence[Event]) -> None:
        for event in events:
            kind, task_id, _ = event
            if kind in _ENDS and task_id in self.under_way:
                end = asyncio.get_running_loop().create_task(self.end(event))
                self.ending.add(end)
                end.add_done_callback(self.ending.discard)
            else:
                self.report([event])

    async def end(self, event: Event) -> None:
        kind, task_id, payload = event
        work, _ = self.under_way[task_id]
        await self.node.finish(task_id, kind == SUCCEEDED)
        await asyncio.sleep(0)  # what it tells has a turn of the loop to come
        await asyncio.sleep(0)
        try:
            await self.engine.outputs(work.id, kind == SUCCEEDED)
        except StagingError as error:
            kind, payload = FAILED, error
        except ConnectionError as error:
            kind, payload = FAILED, WorkerDied(task_id, work.name, str(error), 0, "far", 0, "")
        self.over(task_id)
        self.report([(kind, task_id, payload)])

    async def cancel(self, task_id: int) -> bool:
        if task_id in self.under_way and not self.under_way[task_id][1].done():
            self.under_way[task_id][1].cancel()
            return True
        return await super().cancel(task_id)

    async def shutdown(self, *, grace: float) -> list[int]:
        for _, begun in list(self.under_way.values()):
            begun.cancel()
        left = await super().shutdown(grace=grace)
        while self.ending:
            await asyncio.wait(self.ending)
        await self.engine.close()
        self.node.close()
        self.here.close()
        self.there.close()
        if self.before is None:
            os.environ.pop(SANDBOXES, None)
        return left

    @property
    def bytes_sent(self) -> int:
        """Bytes that went to the node."""
        return self.here.bytes_sent

    def left(self) -> list[str]:
        """What is on the node, but for its store."""
        return sorted(
            str(path.relative_to(self.folder))
            for path in self.folder.rglob("*")
            if "store" not in path.parts and path.is_file()
        )


Anything = Any
