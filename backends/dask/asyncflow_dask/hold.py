"""What runs on a Dask worker: a lease, which is one Dask task that supervises an agent process for as long as it lives.

It is a coroutine on the worker's event loop and takes none of its threads, though Dask counts it as one that is busy.
Dask cancels it when the worker closes, as one that is scaled in or whose walltime is near, and then runs it again on
another worker. Its agent ends with it, whatever happens.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from distributed import Worker, WorkerPlugin, get_worker

from asyncflow.backends.carried import Lease, Supervised

ENDED: Final = "exit code 0"
"""How an agent ends that its engine has ended."""
_GRACE: Final = 5.0  # seconds that an agent may take to end its workers before it is killed


class _Withdrawn(WorkerPlugin):
    """Hears when the cluster takes back a lease that runs. Dask itself would let it run on, unknown to the scheduler.

    Args:
        key: of the lease.
        withdrawn: is set then.
    """

    def __init__(self, key: str, withdrawn: asyncio.Event) -> None:
        self._key = key
        self._withdrawn = withdrawn

    def transition(self, key: object, start: str, finish: str, **_: object) -> None:
        """A task of the worker has gone from one state to another."""
        if key == self._key and finish in ("cancelled", "released", "forgotten"):
            self._withdrawn.set()


async def hold(lease: Lease, key: str) -> str:
    """Run an agent on this Dask worker until one of the two ends.

    Args:
        lease: the way to the engine, for the agent of this.
        key: of the Dask task that this is.

    Returns:
        How the agent ended, in words.
    """
    worker = get_worker()
    # The last is for a lease that comes to the same worker again.
    agent = Supervised(lease.named(f"{lease.agent} on {worker.address} ({secrets.token_hex(2)})"))
    async with _withdrawn(worker, key) as withdrawn:
        await asyncio.to_thread(agent.start)
        ended = asyncio.ensure_future(agent.ended())
        gone = asyncio.ensure_future(withdrawn.wait())
        try:
            await asyncio.wait([ended, gone], return_when=asyncio.FIRST_COMPLETED)
            return ended.result() if ended.done() else "its lease was withdrawn"
        finally:
            gone.cancel()
            if not ended.done():
                await asyncio.shield(asyncio.to_thread(agent.end, _GRACE))
            ended.cancel()


@asynccontextmanager
async def _withdrawn(worker: Worker, key: str) -> AsyncIterator[asyncio.Event]:
    """An event that is set when the cluster takes a lease back."""
    withdrawn = asyncio.Event()
    await worker.plugin_add(_Withdrawn(key, withdrawn), name=key)
    try:
        yield withdrawn
    finally:
        await worker.plugin_remove(name=key)
