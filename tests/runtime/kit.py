"""What the tests of this folder share."""

from __future__ import annotations

import asyncio
import functools
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

from asyncflow import WorkflowEngine
from asyncflow.events import Event
from asyncflow.testing import run_with_fake_clock


def line() -> int:
    """The number of the line that asks."""
    return sys._getframe(1).f_lineno


async def turns(count: int = 10) -> None:
    """Let the event loop turn: enough for whatever could happen by itself to have happened."""
    for _ in range(count):
        await asyncio.sleep(0)


def in_no_time(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run an async test on a clock that jumps to the next timer as soon as nothing else can happen."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        run_with_fake_clock(test, *args, **kwargs)

    return run


def script(code: str, *flags: str) -> subprocess.CompletedProcess[str]:
    """Run a program of its own, to its end."""
    command = [sys.executable, "-W", "error", *flags, "-c", textwrap.dedent(code)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COV_")}
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        stdin=subprocess.DEVNULL,
        env=environment,
    )


def never_called(*args: Any) -> None:
    """The body of a task that must not run."""
    raise AssertionError(f"this should not have run; it got {args}")


class Bell:
    """A named pipe that a command writes to when it is up."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "bell"
        os.mkfifo(self.path)
        self._descriptor = os.open(self.path, os.O_RDWR | os.O_NONBLOCK)

    async def rung(self, times: int = 1) -> None:
        for _ in range(times):
            await until_readable(self._descriptor)
            os.read(self._descriptor, 3)

    def close(self) -> None:
        os.close(self._descriptor)


class Heard:
    """What an engine tells its listeners from now on, to be waited for."""

    def __init__(self, engine: WorkflowEngine) -> None:
        self._events: list[Event] = []
        self._more = asyncio.Event()
        engine.subscribe(self._hear)

    def _hear(self, events: Sequence[Event]) -> None:
        self._events += events
        self._more.set()

    async def of(self, kind: type[Event], times: int = 1) -> None:
        """Wait until so many events of a kind have been told."""
        async with asyncio.timeout(15):
            while sum(isinstance(event, kind) for event in self._events) < times:
                self._more.clear()
                await self._more.wait()


async def until_readable(descriptor: int) -> None:
    """Wait until there is something to read."""
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(descriptor, ready.set)
    async with asyncio.timeout(30):
        await ready.wait()
    loop.remove_reader(descriptor)
