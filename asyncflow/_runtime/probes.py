"""Asks a command that goes on whether it is ready, with growing pauses, until it is. Nothing tells that by itself."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from inspect import isawaitable
from typing import Final
from urllib.parse import urlsplit

from .._causes import brief, spelled
from .._core.probes import Http, Line, Port, Probe, RunningService
from .._core.task import Task
from .._worker.command import Command
from .streams import Streams

_FIRST: Final = 0.005  # seconds between two questions, at first
_LONGEST: Final = 0.5
_FACTOR: Final = 1.5
_ANSWER: Final = 5.0  # seconds that an answer may take
_MOST: Final = 1 << 20  # bytes of output that are looked through for one question


class Probing:
    """Asks one command.

    Args:
        task: that runs it.
        command: that runs.
        streams: what it writes to.
    """

    def __init__(self, task: Task, command: Command, streams: Streams) -> None:
        self._task = task
        self._command = command
        self._lines = (_Lines(streams.stderr), _Lines(streams.stdout))
        self.answer = "it was not asked"
        """The last, in words."""

    async def until_ready(self) -> object:
        """Ask until it is ready. Returns what those get that depend on it."""
        probe: Probe | None = self._task.definition.options.ready
        if probe is None:
            return RunningService(self._command.pid)
        pause = _FIRST
        while True:
            try:
                async with asyncio.timeout(_ANSWER):
                    found = await self._ask(probe)
            except TimeoutError:
                found, self.answer = None, f"no answer within {_ANSWER:g} s"
            if isinstance(found, (Port, Http, Line)):  # from now on that is asked
                probe = found
                continue
            if found is not None:
                return found
            await asyncio.sleep(pause)
            pause = min(_LONGEST, pause * _FACTOR)

    async def _ask(self, probe: Probe) -> object:
        """What those get that depend on it, if it is ready; None if it is not; another probe to be asked instead."""
        if isinstance(probe, Port):
            refused = await takes_connections(probe)
            self.answer = refused or ""
            return None if refused else RunningService(self._command.pid, port=probe.number)
        if isinstance(probe, Http):
            self.answer = await status_of(probe)
            port = urlsplit(probe.url).port
            is_up = self.answer == f"status {probe.status}"
            return RunningService(self._command.pid, port=port, url=probe.url) if is_up else None
        if isinstance(probe, Line):
            return self._in_a_line(probe)
        return await self._of_callable(probe)

    def _in_a_line(self, probe: Line) -> RunningService | None:
        for lines in self._lines:
            for line in lines.new():
                if probe.pattern.search(line):
                    return RunningService(self._command.pid, line=line)
                self.answer = f"the last line is {spelled(line[:200])!r}"
        if self.answer == "it was not asked":
            self.answer = "no line of output"
        return None

    async def _of_callable(self, probe: Callable[..., object]) -> object:
        """One that raises an `Exception` says that the command is not ready."""
        try:
            found = probe(*self._task.args, **self._task.kwargs)
            if isawaitable(found):
                found = await found
        except TimeoutError:
            raise
        except Exception as error:
            self.answer = brief(error)
            return None
        if isinstance(found, (Port, Http, Line)) or not found:
            self.answer = repr(found)
            return found or None
        return RunningService(self._command.pid, answer=None if found is True else found)


class _Lines:
    """The lines that are added to a file."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._at = 0

    def new(self) -> list[str]:
        """Whole lines that were not looked at."""
        written = os.pread(self._descriptor, _MOST, self._at)
        end = written.rfind(b"\n") + 1
        if not end and len(written) == _MOST:
            end = _MOST
        self._at += end
        return written[:end].decode(errors="backslashreplace").splitlines()


async def takes_connections(probe: Port) -> str | None:
    """Why nothing takes connections there; None if something does."""
    try:
        _, writer = await asyncio.open_connection(probe.host, probe.number)
    except OSError as error:
        return f"{probe!r}: {_why(error)}"
    await _closed(writer)
    return None


async def status_of(probe: Http) -> str:
    """With what a URL is answered, in words: "status 503"."""
    url = urlsplit(probe.url)
    is_secure = url.scheme == "https"
    host = url.hostname or ""
    path = (url.path or "/") + (f"?{url.query}" if url.query else "")
    context = ssl.create_default_context() if is_secure else None
    try:
        reader, writer = await asyncio.open_connection(
            host, url.port or (443 if is_secure else 80), ssl=context
        )
        try:
            asked = f"GET {path} HTTP/1.1\r\nHost: {url.netloc}\r\nConnection: close\r\nAccept: */*\r\n\r\n"
            writer.write(asked.encode("ascii", "replace"))
            first = (await reader.readline()).decode("latin-1").split()
        finally:
            await _closed(writer)
    except (OSError, ValueError) as error:
        return f"{probe.url}: {_why(error)}"
    if len(first) < 2 or not first[0].startswith("HTTP/"):
        return f"{probe.url}: what answers there does not speak HTTP"
    return f"status {first[1]}"


def _why(error: Exception) -> str:
    number = getattr(error, "errno", None)
    return os.strerror(number) if isinstance(number, int) and number > 0 else str(error)


async def _closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


async def is_taken(probe: object) -> str | None:
    """What a command would find in its place: something else that answers already, in words; None if nothing does.

    Args:
        probe: that is to tell whether the command is ready.
    """
    port: Port | None = probe if isinstance(probe, Port) else None
    if isinstance(probe, Http):
        url = urlsplit(probe.url)
        port = Port(url.port or (443 if url.scheme == "https" else 80), url.hostname or "")
    if port is None:
        return None
    asked: Awaitable[str | None] = takes_connections(port)
    try:
        async with asyncio.timeout(_ANSWER):
            refused = await asked
    except TimeoutError:
        return None
    return None if refused else repr(port)
