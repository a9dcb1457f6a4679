"""Ends commands with all that they have started, also out of their group, and reaps what falls to this process."""

from __future__ import annotations

import asyncio
import os
import select
import signal
from collections.abc import Collection, Iterable
from contextlib import suppress
from time import monotonic
from typing import Final

from .._files.aside import aside
from .._worker.command import Command, Family, is_reaper, reap
from .._worker.watch import Process

_QUIET: Final = 2  # looks in a row that find nothing: one may miss what was being started while it looked
_KILLED: Final = 5.0  # seconds that are waited for the kernel where there is no loop


class Ending:
    """The processes that the commands of a run have started, and their end. ``since`` is when the first could begin,
    in clock ticks; ``live`` are the commands that are not reaped."""

    def __init__(self, family: Family, since: int, live: Collection[Command]) -> None:
        self._family = family
        self._since = since
        self._live = live
        self._loop = asyncio.get_running_loop()
        self._looking: asyncio.Future[dict[str, list[Process]]] | None = None
        self._adopts = is_reaper()
        self._adopted: set[int] = set()

    async def stop(self, command: Command, ended: asyncio.Future[None], grace: float) -> None:
        """Ask a command and all its processes to end, and kill those that live on after ``grace`` seconds. ``ended``
        is done when the command's own process has ended, which is not reaped before."""
        asked: list[int] = []
        try:
            asked = command.send(signal.SIGTERM, await self._family_of(command))
            async with asyncio.timeout(grace):
                await asyncio.shield(ended)
        except TimeoutError:
            pass
        finally:
            try:
                await self._kill(command, ended)
                # What was asked and is no longer seen may still be on its way out: to be reaped it must be over.
                _kill_all(asked)
                await _over(asked)
            except asyncio.CancelledError:  # once more, by somebody who does not wait
                self.kill_now([command])
                raise
            finally:
                _reap_all(asked)

    async def _kill(self, command: Command, ended: asyncio.Future[None]) -> None:
        quiet = 0
        while quiet < _QUIET:
            killed = command.send(signal.SIGKILL, await self._family_of(command))
            quiet = 0 if killed else quiet + 1
            await asyncio.shield(ended)
            try:
                await _over(killed)
            finally:
                _reap_all(killed)

    def kill_now(self, commands: Collection[Command]) -> None:
        """Kill commands and all their processes at once, where there is no event loop to wait on. None of them may
        have been reaped."""
        until = monotonic() + _KILLED
        quiet = 0
        while quiet < _QUIET and monotonic() < until:
            families = self._family.look(self._since, self._live)
            killed = [
                pidfd
                for command in commands
                for pidfd in command.send(signal.SIGKILL, families.get(command.number, ()))
            ]
            quiet = 0 if killed else quiet + 1
            for pidfd in killed:
                if pidfd >= 0:
                    waiting = select.poll()
                    waiting.register(pidfd, select.POLLIN)
                    waiting.poll(1000 * max(0.0, until - monotonic()))
                    reap(pidfd)

    async def _family_of(self, command: Command) -> list[Process]:
        """One look is for all that ask in the same turn of the loop."""
        if self._looking is None or self._looking.done():  # cancelled, with all that ran on the loop
            self._looking = asyncio.ensure_future(self._look())
        return (await asyncio.shield(self._looking)).get(command.number, [])

    async def _look(self) -> dict[str, list[Process]]:
        await asyncio.sleep(0)
        self._looking = None  # whoever asks from here on may be about something newer
        live = list(self._live)
        try:
            return await aside(
                self._family.look, self._since, live
            )  # a machine may have thousands of processes
        except RuntimeError:  # no thread can be started
            return self._family.look(self._since, live)

    async def adopt(self, command: Command) -> None:
        """Reap the processes that a command, itself over and reaped, has left to this process, when they end."""
        if not self._adopts:
            return
        for pid, parent, _, _ in await self._family_of(command):
            if parent == os.getpid():
                descriptor = os.pidfd_open(pid)
                self._adopted.add(descriptor)
                self._loop.add_reader(descriptor, self._reap_adopted, descriptor)

    def _reap_adopted(self, descriptor: int) -> None:
        self._adopted.discard(descriptor)
        self._loop.remove_reader(descriptor)
        reap(descriptor)

    def close(self) -> None:
        """Watch over nothing any more."""
        for descriptor in self._adopted:
            if not self._loop.is_closed():
                self._loop.remove_reader(descriptor)
            reap(descriptor)
        self._adopted.clear()


def _kill_all(descriptors: Iterable[int]) -> None:
    for descriptor in descriptors:
        if descriptor >= 0:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)


def _reap_all(descriptors: Iterable[int]) -> None:
    """Once all have ended, so that each is by now a child of its last parent."""
    for descriptor in descriptors:
        if descriptor >= 0:
            reap(descriptor)


async def _over(descriptors: Iterable[int]) -> None:
    """Wait until all of these processes have ended."""
    await asyncio.gather(*(readable(descriptor) for descriptor in descriptors if descriptor >= 0))


async def readable(descriptor: int) -> None:
    """Wait until there is something to read."""
    loop = asyncio.get_running_loop()
    there = loop.create_future()
    try:
        try:
            loop.add_reader(descriptor, _settle, there)
            await there
        finally:
            loop.remove_reader(descriptor)
    except (
        BaseException
    ):  # Ctrl-C, perhaps before the line above: the next to have this number would never be heard
        loop.remove_reader(descriptor)
        raise


def _settle(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
