"""Agents that the engine's own process has started: on this machine, or by a command that starts them on another."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from .lease import Lease
from .supervise import Supervised

_GRACE: Final = 2.0  # seconds that an agent has to end, which has no workers any more


class StartedAgents:
    """Agents that are started here, and again when they have ended.

    Args:
        lease: for them.
        lost: is called with the name of one that has ended, and how.
    """

    def __init__(self, lease: Lease, lost: Callable[[str, str], None]) -> None:
        self._lease = lease
        self._lost = lost
        self._there: dict[str, Supervised] = {}
        self._watching: dict[str, asyncio.Task[None]] = {}

    async def start(self, name: str, workers: int, command: Sequence[str] | None = None) -> None:
        """Start one.

        Args:
            name: of it.
            workers: processes that it runs.
            command: that starts it; None for one on this machine.
        """
        agent = Supervised(self._lease.named(name, workers=workers), command=command)
        agent.start()
        self._there[name] = agent
        self._watching[name] = asyncio.get_running_loop().create_task(self._watch(name, agent))
        await asyncio.sleep(0)

    async def _watch(self, name: str, agent: Supervised) -> None:
        how = await agent.ended()
        del self._there[name]
        self._lost(name, f"its agent ended by {how}")

    def explains(self, name: str) -> bool:
        """Whether it will be told how an agent has ended, whose channel is gone."""
        agent = self._there.get(name)
        if agent is None:
            return False
        asyncio.get_running_loop().call_later(_GRACE, agent.kill)
        return True

    async def close(self) -> None:
        """Wait until all have ended, which were told to; kill those that do not."""
        if self._watching:
            await asyncio.wait(self._watching.values(), timeout=_GRACE)
            for agent in list(self._there.values()):
                agent.kill()
            await asyncio.wait(self._watching.values())

    def abandon(self) -> None:
        """End all without a loop to wait on."""
        for agent in self._there.values():
            agent.end()
