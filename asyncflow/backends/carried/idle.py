"""Which agents have had nothing to do for too long, and are told to end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from typing import Final

from ..._turns import Due, sure
from .agents import Agent

_CLOCK: Final = 0.001  # seconds by which a timer may come early


class IdleAgents:
    """Has agents end that are idle.

    Args:
        after: seconds without work after which one is; None for never.
        agents: all that are there.
        is_held: whether there is something at an agent that keeps it up, though it has no work.
        let_go: tells one to end.
    """

    def __init__(
        self,
        after: float | None,
        agents: Callable[[], Collection[Agent]],
        is_held: Callable[[Agent], bool],
        let_go: Callable[[Agent], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._turns = sure(self._loop)
        self._after = after
        self._agents = agents
        self._is_held = is_held
        self._let_go = let_go
        self._due: Due | None = None  # when to look for such

    def look_at(self, agent: Agent) -> None:
        """An agent has come, or something of it is over."""
        if agent.given:
            return
        agent.idle_since = self._loop.time()
        if self._after is not None and self._due is None:
            self._due = self._turns.call_later(self._after, self._look)

    def _look(self) -> None:
        self._due = None
        if self._after is None:
            return
        left: list[float] = []
        for agent in self._agents():
            if agent.files:
                left.append(self._after)
                continue
            if agent.given or agent.keeps or agent.is_leaving or self._is_held(agent):
                continue
            seconds = agent.idle_since + self._after - self._loop.time()
            if seconds > _CLOCK:
                left.append(seconds)
                continue
            agent.is_leaving = True
            agent.workers = 0  # it gets no more
            self._let_go(agent)
        if left:
            self._due = self._turns.call_later(min(left), self._look)

    def stop(self) -> None:
        """Let none go any more."""
        self._after = None
        if self._due is not None:
            self._due.cancel()
            self._due = None
