"""Agents that the engine's own process has started: on this machine, or by a command that starts them on another."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Final

from ..._turns import Due, sure
from .lease import Lease
from .supervise import Supervised

_GRACE: Final = 2.0  # seconds that an agent has to end, which has no workers any more
_FALSE_STARTS: Final = 3  # agents in a row that end before they are up, after which no more are started


@dataclass(frozen=True)
class _Kind:
    name: str
    workers: int
    command: Sequence[str] | None = None


@dataclass(eq=False)
class _Agent:
    kind: _Kind
    process: Supervised
    names: set[str] = field(
        default_factory=set
    )  # of the agents that it is, and that are there: of `srun`, several
    is_up: bool = False
    rests: bool = False
    kill: Due | None = None
    why: str = ""  # it is killed


class StartedAgents:
    """Agents that are started here, and others in their places when they have ended.

    Args:
        lease: for them.
        lost: is called with the name of one that has ended, and how.
        failed: is called when none can be started, with the error.
    """

    def __init__(
        self, lease: Lease, lost: Callable[[str, str], None], failed: Callable[[Exception], None]
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._turns = sure(self._loop)
        self._lease = lease
        self._lost = lost
        self._failed = failed
        self._numbers = count(1)
        self._kinds: list[_Kind] = []  # each is there, or rests
        self._there: dict[str, _Agent] = {}  # by the name in its lease
        self._of: dict[str, _Agent] = {}  # by the names of agents
        self._resting: list[_Kind] = []  # of which there may be one more, when it is of use
        self._false_starts = 0
        self._asked = 0
        self._closing = False
        self._gone = asyncio.Event()

    def have(self, kind: str, workers: int) -> None:
        """There may be one on this machine, to be started when it is of use.

        Args:
            kind: what its name begins with.
            workers: processes that it runs.
        """
        self._kinds.append(_Kind(kind, workers))
        self._resting.append(self._kinds[-1])

    def start(self, kind: str, workers: int, command: Sequence[str]) -> None:
        """Start one now.

        Args:
            kind: what its name begins with.
            workers: processes that it runs.
            command: that starts it.

        Raises:
            OSError: there is no such command, or no process more can be started.
        """
        self._kinds.append(_Kind(kind, workers, command))
        self._start(self._kinds[-1])

    def _start(self, kind: _Kind) -> None:
        name = f"{kind.name}-{next(self._numbers)}"
        process = Supervised(self._lease.named(name, workers=kind.workers), command=kind.command)
        try:
            _begin(process, kind.command)
            agent = self._there[name] = _Agent(kind, process)
            self._loop.add_reader(process.fileno(), self._ended, name, agent)
        except BaseException:  # Ctrl-C: nobody would hear of its end
            with suppress(RuntimeError):  # it was not started
                self._loop.remove_reader(process.fileno())
                process.end()
            self._there.pop(name, None)
            raise

    def joined(self, lease: str, name: str) -> None:
        """An agent has come.

        Args:
            lease: the name in its lease, which all agents of one command have.
            name: that it goes by.
        """
        agent = self._there.get(lease)
        for each in self._without_names() if agent is None else [agent]:
            each.is_up = True
            self._false_starts = 0
        if agent is not None:
            agent.names.add(name)
            self._of[name] = agent

    def _without_names(self) -> list[_Agent]:
        """Those that an agent may be of which has its lease from a file, as `srun` hands it to many."""
        return [each for each in self._there.values() if each.kind.command is not None and not each.names]

    def released(self, name: str) -> None:
        """An agent was told to end, being idle: none is started in its place until it is asked for. Of several that one
        command has started, the last one is what counts: the command ends with it."""
        agent = self._of.get(name)
        if agent is not None:
            agent.rests = agent.names == {name}
        else:
            for each in self._without_names():
                each.rests = True  # when it ends; at once another is started, if one is of use

    def left(self, name: str) -> None:
        """An agent is gone."""
        agent = self._of.pop(name, None)
        if agent is not None:
            agent.names.discard(name)

    def ask(self, agents: int) -> None:
        """So many agents could be of use."""
        self._asked = agents
        while self._resting and len(self._there) < agents and not self._closing:
            self._start_again(self._resting.pop(0))

    def _start_again(self, kind: _Kind) -> None:
        try:
            self._start(kind)
        except OSError as error:
            error.add_note("No agent could be started.")
            self._give_up(error)

    def _ended(self, name: str, agent: _Agent) -> None:
        how = self._reap(name, agent)
        self._gone.set()
        self._lost(name, agent.why or f"its agent ended by {how}")
        if self._closing:
            return
        if agent.rests:
            self._resting.append(agent.kind)
            self.ask(self._asked)
            return
        if not agent.is_up:
            self._false_starts += 1
        if self._false_starts < _FALSE_STARTS:
            self._start_again(agent.kind)
        elif not agent.is_up:
            self._give_up(RuntimeError(f"agent {name} did not reach its engine and ended by {how}"))

    def recover(self) -> None:
        """Start those that are missing: Ctrl-C may have come when one had ended, before another was started."""
        missing = list(self._kinds)
        for kind in [*self._resting, *(agent.kind for agent in self._there.values())]:
            missing.remove(kind)
        if self._false_starts < _FALSE_STARTS and not self._closing:
            self._resting += missing
            self.ask(self._asked)

    def _give_up(self, error: Exception) -> None:
        if not self._there:
            self._failed(error)

    def _reap(self, name: str, agent: _Agent) -> str:
        self._there.pop(name, None)
        for each in agent.names:
            self._of.pop(each, None)
        if agent.kill is not None:
            agent.kill.cancel()
        if not self._loop.is_closed():
            self._loop.remove_reader(agent.process.fileno())
        return agent.process.wait()

    def explains(self, name: str, why: str) -> bool:
        """Whether it will be told how an agent has ended, whose channel is gone.

        Args:
            name: of the agent.
            why: its channel is gone, in words. That is told if the agent is there nevertheless, and has to be killed.
        """
        agent = self._of.get(name) or self._there.get(name)
        if agent is None or not agent.names <= {name}:  # others of the same command go on
            return False
        if agent.kill is None:
            agent.kill = self._turns.call_later(_GRACE, self._kill, agent, why)
        return True

    def _kill(self, agent: _Agent, why: str) -> None:
        agent.why = why
        agent.process.kill()

    async def close(self) -> None:
        """Wait until all have ended, which were told to; kill those that do not."""
        self._closing = True
        for name in list(self._there):
            self.explains(name, "it did not end in time")
        while self._there:
            self._gone.clear()
            await self._gone.wait()

    def abandon(self) -> None:
        """End all without a loop to wait on."""
        self._closing = True
        for name, agent in list(self._there.items()):
            agent.process.kill()
            self._reap(name, agent)


def _begin(process: Supervised, command: Sequence[str] | None) -> None:
    try:
        process.start()
    except OSError as error:
        if command is None:
            raise
        raise OSError(
            error.errno, f"commands=[{list(command)!r}] starts no agent: {error.strerror or error}"
        ) from error


def commands_of(given: Iterable[Sequence[str]]) -> list[list[str]]:
    """Check commands: text, or the words of one command, would be taken for many commands of a letter each.

    Args:
        given: as a user gave them.

    Raises:
        TypeError: they are no commands.
        ValueError: one of them is empty.
    """
    if isinstance(given, str):
        raise TypeError(f"commands={given!r}: a list of commands is needed:  commands=[{given.split()!r}]")
    commands = list(given)
    if commands and all(isinstance(each, str) for each in commands):
        raise TypeError(
            f"commands={commands!r}: that is one command, and a list of them is needed:  commands=[[...]]"
        )
    for command in commands:
        if isinstance(command, str) or not all(isinstance(word, str | os.PathLike) for word in command):
            raise TypeError(
                f"commands: {command!r} is no command: a list of words is needed, as ['ssh', 'node1', ...]"
            )
        if not command:
            raise ValueError("commands: one of them is empty")
    return [[os.fspath(word) for word in command] for command in commands]
