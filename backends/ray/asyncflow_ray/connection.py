"""This program's connection to Ray: at most one, as Ray has it, used by all backends of the program.

All calls of Ray's that may take a while are made on one thread, for as long as a backend needs it: a Ray that was
started here ends with the thread that has started it, because the kernel is told to kill its processes then.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, TypeVar

import ray

T = TypeVar("T")
_LOCK: Final = threading.Lock()
_Job = tuple[Callable[[], object], Callable[[object, BaseException | None], None]]


class _Thread:
    """Runs one call after another, until it is told to end."""

    def __init__(self) -> None:
        self.users = 0
        self.is_ours = False  # Ray, or the connection to it, which was made here
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        # A daemon: a program that ends without a shutdown has Ray's own atexit function end Ray.
        self.thread = threading.Thread(target=self._run, name="asyncflow-ray", daemon=True)
        self.thread.start()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            call, done = job
            del job
            try:
                result, error = call(), None
            except BaseException as problem:
                result, error = None, problem
            done(result, error)
            del call, done, result, error  # nothing is held until the next

    def put(self, call: Callable[[], object], done: Callable[[object, BaseException | None], None]) -> None:
        self._jobs.put((call, done))

    def end(self) -> None:
        self._jobs.put(None)


_CURRENT: Final[list[_Thread]] = []  # the one that there is, if any


class Connection:
    """The part of one backend.

    Args:
        address: of the cluster; None to start one here, unless the program is connected to one already.
        options: of ``ray.init``, if one is started here.
    """

    def __init__(self, address: str | None, options: dict[str, object]) -> None:
        self._address = address
        self._options = options
        self._thread: _Thread | None = None

    async def open(self) -> None:
        """Connect.

        Raises:
            ConnectionError: there is no such cluster.
            RuntimeError: the program is connected to another one.
        """
        with _LOCK:
            if not _CURRENT:
                _CURRENT.append(_Thread())
            self._thread = _CURRENT[0]
            self._thread.users += 1
        await self.call(self._connect)

    def _connect(self) -> None:
        assert self._thread is not None
        if ray.is_initialized():
            self._check(ray.get_runtime_context().gcs_address)
            return
        quietly: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
        if self._address is None:
            quietly |= {"address": "local", "include_dashboard": False, **self._options}
        else:
            quietly["address"] = self._address
        ray.init(**quietly)
        self._thread.is_ours = True

    def _check(self, connected: str) -> None:
        if self._address not in (None, "auto", connected):
            raise RuntimeError(
                f"RayBackend({self._address!r}): this program is connected to the Ray at {connected} already, and Ray "
                "has one connection for each program.\n  Leave that first:  ray.shutdown()"
            )

    async def call(self, fn: Callable[[], T]) -> T:
        """Have the thread make a call.

        Args:
            fn: what it calls.
        """
        assert self._thread is not None
        loop = asyncio.get_running_loop()
        over: asyncio.Future[T] = loop.create_future()

        def done(result: Any, error: BaseException | None) -> None:
            with suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(_settle, over, result, error)

        self._thread.put(fn, done)
        return await over

    def post(self, fn: Callable[[], object]) -> None:
        """The same, for what nobody waits for.

        Args:
            fn: what it calls; if it raises, nothing follows.
        """
        if self._thread is not None:
            self._thread.put(fn, lambda result, error: None)

    async def close(self) -> None:
        """Disconnect, and end Ray, if it was we who did the contrary and nobody else uses it."""
        thread = self._thread
        if thread is None:
            return
        if _leave(thread):
            if thread.is_ours:
                await self.call(_shut_down)
            thread.end()
            thread.thread.join()
        self._thread = None

    def abandon(self) -> None:
        """The same, without waiting for it."""
        thread, self._thread = self._thread, None
        if thread is not None and _leave(thread):
            if thread.is_ours:
                thread.put(_shut_down, lambda result, error: None)
            thread.end()


def _leave(thread: _Thread) -> bool:
    """Whether nobody uses it any more."""
    with _LOCK:
        thread.users -= 1
        if thread.users == 0:
            _CURRENT.remove(thread)
        return thread.users == 0


def _shut_down() -> None:
    ray.shutdown()


def _settle(over: asyncio.Future[T], result: T, error: BaseException | None) -> None:
    if over.done():
        return
    if error is None:
        over.set_result(result)
    else:
        over.set_exception(error)
