"""Whether agents see the folder of the program. Those on other machines are asked, and get no work before they tell.

Where one does not see it, the modules in it travel by value from then on.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Iterable
from typing import Final

from ..._inspect.libraries import is_library
from ..._turns import sure
from ..._worker.by_value.modules import only_here
from .agents import Agent

_MARGIN: Final = 1.0  # seconds in which is taken what has come while the loop was busy


class ProgramFolder:
    """The folder of the program that runs here, as agents see it.

    Args:
        within: seconds that an agent has to tell.
    """

    def __init__(self, within: float) -> None:
        self._turns = sure(asyncio.get_running_loop())
        self._within = within
        folder = os.path.abspath(sys.path[0] if sys.path else "")
        self._path = "" if is_library(os.path.join(folder, "")) else folder

    def question_for(self, agent: Agent) -> str:
        """What an agent is to look for, before which it is to get no work; "" for nothing."""
        path = "" if agent.is_here else self.witness
        if path:
            agent.workers = 0
        return path

    @property
    def witness(self) -> str:
        """What is there where the folder is: the program's script, if it has one."""
        script: object = getattr(sys.modules.get("__main__"), "__file__", None)
        if self._path and isinstance(script, str):
            path = os.path.abspath(script)
            if path.startswith(os.path.join(self._path, "")):
                return path
        return self._path

    def wait_for(self, agent: Agent, lost: Callable[[Agent, str], None]) -> None:
        """An agent was asked.

        Args:
            agent: which.
            lost: is called with it, and in words why, if it does not tell in time.
        """
        if not agent.workers:
            agent.answer = self._turns.call_later(self._within, self._is_late, agent, lost)

    def _is_late(self, agent: Agent, lost: Callable[[Agent, str], None]) -> None:
        """It gives signs of life and does not do what it is told. What it has told while this loop was busy is taken
        first."""
        why = f"it has not told within {self._within:g} s whether it sees {self._path or 'the program'}"
        agent.answer = self._turns.call_later(_MARGIN, lost, agent, why)

    def told(self, agent: Agent, sees_it: bool) -> None:
        """An agent has looked, and may get work."""
        agent.answered()
        if not sees_it:
            only_here(self._path)
        if not agent.is_leaving:
            agent.workers = agent.size

    def waits_for(self, agents: Iterable[Agent]) -> str | None:
        """In words, which agent has not told yet, if no other is of use."""
        silent = None
        for agent in agents:
            if agent.workers:
                return None
            if silent is None and agent.answer is not None:
                silent = agent
        if silent is None:
            return None
        return f"agent {silent.name} on {silent.host} has not told yet whether it sees {self._path}"
