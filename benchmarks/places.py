"""Where tasks run: with the engine, and as one would write it by hand on what the standard library has.

Each side is a context that gives ``bind``; ``bind(body)`` gives ``call``; ``call(*inputs)`` makes a node of a graph
that starts when its inputs are done, and returns something to be awaited or to be the input of others.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from asyncflow import UnknownBackend, WorkflowEngine

from .bodies import nothing, nothing_async, nothing_awaiting

WORKERS = 2

Call = Callable[..., Awaitable[Any]]
Bind = Callable[..., Call]
Side = Callable[[], AbstractAsyncContextManager[Bind]]


@asynccontextmanager
async def bare_loop() -> AsyncIterator[Bind]:
    """``asyncio.create_task``; the bodies await their inputs themselves."""
    create_task = asyncio.get_running_loop().create_task

    def bind(body: Callable[..., Any]) -> Call:
        return lambda *inputs: create_task(body(*inputs))

    yield bind


@asynccontextmanager
async def bare_pool(make: Callable[[int], Executor]) -> AsyncIterator[Bind]:
    """``loop.run_in_executor``; a node that has inputs is a small coroutine that awaits them first."""
    loop = asyncio.get_running_loop()
    with make(WORKERS) as pool:

        def bind(body: Callable[..., Any], *leading: Any) -> Call:
            async def node(*inputs: Awaitable[Any]) -> Any:
                values = [await each for each in inputs]
                return await loop.run_in_executor(pool, body, *(*leading, *values))

            def call(*inputs: Awaitable[Any]) -> Awaitable[Any]:
                if inputs:
                    return loop.create_task(node(*inputs))
                return loop.run_in_executor(pool, body, *leading)

            return call

        yield bind


def bare_threads() -> AbstractAsyncContextManager[Bind]:
    """A `ThreadPoolExecutor`."""
    return bare_pool(ThreadPoolExecutor)


def bare_processes() -> AbstractAsyncContextManager[Bind]:
    """A `ProcessPoolExecutor`."""
    return bare_pool(ProcessPoolExecutor)


@dataclass(frozen=True)
class Place:
    """Where tasks run.

    Args:
        backend: of the engine.
        body: a no-op task.
        bare: the same without the engine; None if there is nothing to compare with.
        bare_body: the no-op there.
    """

    backend: str
    body: Callable[..., Any] = nothing
    bare: Side | None = None
    bare_body: Callable[..., Any] = nothing

    def engine(self) -> WorkflowEngine:
        """An engine, not started."""
        return WorkflowEngine(self.backend, workers=WORKERS)

    @asynccontextmanager
    async def ours(self) -> AsyncIterator[Bind]:
        """The engine."""
        async with self.engine() as engine:

            def bind(body: Callable[..., Any], *leading: Any) -> Call:
                task: Call = engine.function_task(body)
                return (lambda *inputs: task(*leading, *inputs)) if leading else task

            yield bind

    def missing(self) -> str | None:
        """Why it cannot be measured here; None if it can."""
        try:
            self.engine()
        except UnknownBackend as error:
            return str(error).partition("\n")[0]
        return None


PLACES = {
    "coroutines": Place("thread", nothing_async, bare_loop, nothing_awaiting),
    "threads": Place("thread", bare=bare_threads),
    "processes": Place("process", bare=bare_processes),
    "sequential": Place("sequential"),
    "noop": Place("noop"),
}
