"""Asks a Dask cluster for leases, as many as are of use, and again for those that end.

All that is Dask's happens on the event loop of a thread: whatever holds up the engine's loop, or ends it, the cluster
is told what it has to know.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future as Promise
from contextlib import suppress
from itertools import count
from typing import Any, Final, NamedTuple

from distributed import Client, Future, Scheduler, Security

from asyncflow.backends.carried import Lease

from .hold import ENDED, hold

_log = logging.getLogger("asyncflow.dask")
_PREFIX: Final = "asyncflow-lease"
_LASTS: Final = 1e6  # seconds: Dask is to expect that a lease lasts
_FIRST_PAUSE: Final = (
    0.5  # seconds before a lease that has failed is asked for again; each time twice as long
)
_LONGEST_PAUSE: Final = 30.0
_HOLD: Final = 5.0  # seconds for which a lease that is of no use is still asked for
_FAREWELL: Final = 5.0  # seconds that a connection may still take, when there is no use for it any more
_CONNECT: Final = 30.0  # seconds that a scheduler may take to answer


class Size(NamedTuple):
    """What each lease has: worker processes, and what it needs of Dask's resources."""

    cores: int
    resources: Mapping[str, float]


class Leases:
    """Keeps leases at a cluster.

    Args:
        reach: tells where the scheduler is, and what it wants to see; may block, as until a cluster has been started.
        lease: the way to the engine.
        size: of each.
        failed: is told why one could not begin, on the thread.
    """

    def __init__(
        self,
        reach: Callable[[], tuple[str, Security | None]],
        lease: Lease,
        size: Size,
        failed: Callable[[str], None],
    ) -> None:
        self._reach = reach
        self._lease = lease
        self._size = size
        self._failed = failed
        self._opened: Promise[None] = Promise()
        self._wanted = 0
        self._numbers = count(1)
        self._keys = count(1)
        self._id = secrets.token_hex(4)  # of these leases among those of all engines on the cluster
        self._kept: dict[int, asyncio.Task[None]] = {}
        self._begun: set[int] = set()
        self._withdrawal: asyncio.TimerHandle | None = None
        self._connecting = asyncio.Lock()
        self._client: Client | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = asyncio.Event()
        self._thread: threading.Thread | None = None

    async def open(self) -> None:
        """Reach the cluster.

        Raises:
            OSError: it does not answer.
        """
        self._opened.set_running_or_notify_cancel()  # it is told also if nobody waits for it any more
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._be, args=[self._loop], name="asyncflow-dask", daemon=True
        )
        self._thread.start()
        await asyncio.wrap_future(self._opened)

    def ask(self, wanted: int) -> None:
        """So many leases are of use from now on. Those that have begun are not taken back.

        Args:
            wanted: their number.
        """
        self._call(self._fit, wanted)

    def begun(self, agent: str) -> None:
        """The agent of a lease has come.

        Args:
            agent: its name.
        """
        self._call(self._begun.add, _number(agent))

    def ended(self, agent: str) -> None:
        """The agent of a lease is gone. Dask may run the lease again by itself.

        Args:
            agent: its name.
        """
        self._call(self._begun.discard, _number(agent))

    def close(self) -> None:
        """Give all back; does not wait for that."""
        self._call(self._closed.set)

    async def closed(self) -> None:
        """Wait until nothing of this is left here."""
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)

    # -- on the thread ------------------------------------------------------------------------------------

    def _call(self, do: Callable[..., object], *args: object) -> None:
        if self._loop is not None:
            with suppress(RuntimeError):  # closed meanwhile
                self._loop.call_soon_threadsafe(do, *args)

    def _be(self, loop: asyncio.AbstractEventLoop) -> None:
        # What goes wrong when Dask closes its connections is no concern of anybody here.
        loop.set_exception_handler(_note)
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(self._run())

    async def _run(self) -> None:
        connecting = asyncio.ensure_future(self._connected())
        closed = asyncio.ensure_future(self._closed.wait())
        await asyncio.wait([connecting, closed], return_when=asyncio.FIRST_COMPLETED)
        if (
            not connecting.done()
        ):  # Dask does not like to be cut short in this; nor is it waited for if nobody answers
            await asyncio.wait([connecting], timeout=_FAREWELL)
            connecting.cancel()
            await asyncio.wait([connecting])
        error = asyncio.CancelledError() if connecting.cancelled() else connecting.exception()
        if error is not None:
            self._opened.set_exception(error)
            return
        self._opened.set_result(None)
        await closed
        for each in self._kept.values():
            each.cancel()
        await asyncio.gather(*self._kept.values(), return_exceptions=True)
        if self._client is not None:
            await self._client.close()

    def _fit(self, wanted: int) -> None:
        self._wanted = wanted
        while len(self._kept) < wanted:
            number = next(self._numbers)
            self._kept[number] = asyncio.ensure_future(self._keep(number))
        if self._withdrawal is not None:
            self._withdrawal.cancel()
            self._withdrawal = None
        if len(self._kept) > wanted:
            # Work comes in waves: what was asked for a moment ago may be of use again in another.
            self._withdrawal = asyncio.get_running_loop().call_later(_HOLD, self._withdraw)

    def _withdraw(self) -> None:
        """Take back leases that have not begun, the latest first."""
        for number in [each for each in self._kept if each not in self._begun][::-1]:
            if len(self._kept) <= self._wanted:
                break
            self._kept.pop(number).cancel()

    async def _keep(self, number: int) -> None:
        """Have one lease until it ends and is not wanted any more."""
        pause = _FIRST_PAUSE
        while True:
            how, has_failed = await self._one(self._lease.named(f"lease {number}", workers=self._size.cores))
            if len(self._kept) > self._wanted:
                break
            if has_failed:
                self._failed(how)
                await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE) if has_failed else _FIRST_PAUSE
        self._kept.pop(number, None)

    async def _one(self, lease: Lease) -> tuple[str, bool]:
        """Ask for a lease, and wait for its end. Tells how it ended, and whether that is no end for one."""
        # Never one that was there before: Dask may still be at ending that.
        key = f"{_PREFIX}-{self._id}-{next(self._keys)}"
        try:
            client = await self._connected()
            # Or an adaptive cluster would go by the half second that Dask takes an unknown task to last.
            with suppress(Exception):  # a scheduler may allow nobody to have it run something
                await client.run_on_scheduler(expect_long)
            future: Future[Any] = client.submit(
                hold, lease, key, key=key, pure=False, resources=dict(self._size.resources) or None
            )
        except Exception as error:
            return _in_words(error), True
        try:
            how = str(await future)
            return how, how != ENDED
        except Exception as error:
            return _in_words(error), True
        except asyncio.CancelledError as error:
            if (task := asyncio.current_task()) is not None and task.cancelling():
                raise
            return f"its Dask task was cancelled: {error}", True
        finally:
            future.release()

    async def _connected(self) -> Client:
        async with self._connecting:
            if self._client is None or self._client.status in ("closed", "closing"):
                self._client = None
                address, security = await asyncio.to_thread(self._reach)
                self._client = await Client(
                    address,
                    security=security,
                    asynchronous=True,
                    set_as_default=False,
                    timeout=_CONNECT,
                    name="asyncflow",
                )
            if self._client.status == "connecting":
                # What is submitted now would wait for ever, should the client give up.
                raise ConnectionError("the scheduler is gone, and is being looked for")
            return self._client


def _note(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    _log.debug(
        "on the event loop of a Dask client: %s", context.get("message"), exc_info=context.get("exception")
    )


def _number(agent: str) -> int:
    return int(agent.split()[1])  # "lease 3 on tcp://..."


def _in_words(error: BaseException) -> str:
    while error.__cause__ is not None and "deserializ" in str(error):  # Dask's words for what is said below
        error = error.__cause__
    mend = ""
    if isinstance(error, ImportError) and "asyncflow" in str(error):
        mend = "; where its scheduler and workers run:  pip install asyncflow-dask"
    return f"{type(error).__name__}: {error}".partition("\n")[0] + mend


def expect_long(dask_scheduler: Scheduler) -> None:
    """Have a scheduler expect that leases last: an adaptive cluster grows to as many as are asked for then, at once.

    Args:
        dask_scheduler: where this runs.
    """
    from distributed.scheduler import TaskPrefix

    prefix = dask_scheduler.task_prefixes.setdefault(_PREFIX, TaskPrefix(_PREFIX))
    prefix.duration_average = _LASTS
