"""The carried backend: what users choose, what plugins fill in, and what the engine talks to. `crews` does the work."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple
from types import MappingProxyType
from typing import Final, Unpack

from ..._core.given import duration, flag, whole, whole_or_none
from ..._worker.by_value.pickler import Reducer
from ...backend import Concurrency, ExecutionBackend, Kept, Report, Work
from ..process.interpreter import flags
from ..process.options import ProcessKeywords, ProcessOptions, shows_process_options
from ..process.output import write_here
from ..process.start_with import math_variables
from ..thread import usable_cpus
from . import messages
from .addresses import split
from .agents import Agent
from .channel import Channel
from .crews import Crews
from .door import Door
from .engine_files import OfNode
from .handshake import Hello
from .here import node
from .lease import Lease
from .patience import LONG, Patience
from .program_folder import ProgramFolder
from .pulse import Pulse
from .started import StartedAgents, commands_of
from .tls import TLS

_PULSE: Final = 2.0  # seconds between signs of life, where nothing else is to be said


@shows_process_options
class CarriedBackend(ExecutionBackend):
    """Worker processes on other machines, or on this one: an *agent* runs some on each machine.

    By itself it starts agents on this machine, or by commands that start them elsewhere, or waits for those which
    somebody starts by ``python -m asyncflow.agent --lease FILE``. A plugin for a cluster fills in `open`, `ask`,
    `release` and `close`.

    Args:
        agents: to be started on this machine.
        workers: processes of each agent; None for as many as its machine has usable CPUs.
        lease_file: where to write what other agents need to find the engine; only its owner may read it.
        commands: each starts an agent that reads its lease from its standard input, as
            ``["ssh", "node1", "python", "-m", "asyncflow.agent", "--lease", "-"]``.
        listen: host and port that agents connect to; "0.0.0.0:0" for any port on all addresses of this machine. A
            plugin may set the attribute before each `start`.
        tls: encrypts; None for a certificate that is made for the run, or for no encryption where only agents on this
            machine can connect.
        insecure: let agents on other machines do without, too.
        lost_after: seconds without a sign of life after which an agent is lost; also one that has joined and does not
            tell which of the program's files it sees.
        shares_files: whether agents see this machine's files under the same paths; None to have each find out.
        idle_after: seconds without work after which an agent is let go; None for never.
        keep_from: bytes from which a result stays at the agent that has made it until somebody awaits it; None for
            those alone of which the task says so, by ``keep=True``.
        keep_at_most: bytes that an agent keeps, beyond which results go to the engine; None for half of the memory that
            its machine, or its control group, may have, shared among the agents there.
        options: of worker processes.
    """

    name = "carried"
    concurrency = Concurrency.PARALLEL
    runs_coroutines = True
    can_kill = True
    needs_pickle = True
    takes_chains = True
    keeps_event_loop = True
    reports_runs = True
    tells_late = True
    carries_files = True
    keeps_results = True
    keeps_generators = True
    reducers: Mapping[type, Reducer] = MappingProxyType({})
    """How arguments of a cluster's own kinds travel, by their class or one above it: what takes one of them and gives a
    function with its arguments, as ``__reduce__`` does, which is called in the worker process that needs the value."""

    def __init__(
        self,
        agents: int = 1,
        *,
        workers: int | None = None,
        lease_file: str | os.PathLike[str] | None = None,
        commands: Iterable[Sequence[str]] = (),
        listen: str = "127.0.0.1:0",
        tls: TLS | None = None,
        insecure: bool = False,
        lost_after: float = 20.0,
        shares_files: bool | None = None,
        idle_after: float | None = None,
        keep_from: int | None = 1 << 20,
        keep_at_most: int | None = None,
        **options: Unpack[ProcessKeywords],
    ) -> None:
        self._agents = whole("agents", agents, 0)
        self._each = whole_or_none("workers", workers)
        self._commands = commands_of(commands)
        split(listen, "listen")
        self.listen = listen
        lost_after = duration("lost_after", lost_after, is_limit=True)
        self._pulse = Pulse(min(_PULSE, max(lost_after / 4, 0.01)), lost_after)
        self._door = Door(lease_file, self._each or 0, tls, insecure, self._pulse)
        self._shares_files = None if shares_files is None else flag("shares_files", shares_files)
        self._nodes: dict[str, OfNode] = {}
        self._idle_after = None if idle_after is None else duration("idle_after", idle_after)
        self._keep_from = None if keep_from is None else whole("keep_from", keep_from, 0)
        self._keep_at_most = None if keep_at_most is None else whole("keep_at_most", keep_at_most, 0)
        self._options = ProcessOptions(**options)
        self.workers: int = (self._each or usable_cpus()) * max(1, self._agents + len(self._commands))
        self._crews: Crews | None = None
        self._started: StartedAgents | None = None
        self._opening: asyncio.Task[None] | None = None
        self._setup: tuple[object, ...] = ()
        self._asked = 0
        self._absence: str | None = None  # what is said when there is no agent
        self._patience: Patience | None = None
        self._hooks: set[asyncio.Task[None]] = set()

    @property
    def shares_filesystem(self) -> bool:  # type: ignore[override]  # it is found out
        """Whether a path means the same on all agents as here, as far as is known."""
        agents = () if self._crews is None else self._crews.all
        return bool(agents) and all(agent.files.shares_files for agent in agents)

    # -- what a plugin fills in ---------------------------------------------------------------------------

    async def open(self, lease: Lease) -> None:
        """Reach the cluster; work waits meanwhile. What it raises is the error of all work.

        Args:
            lease: for the agents.
        """
        started = self._started = StartedAgents(lease, self.lost, self.give_up)
        for _ in range(self._agents):
            started.have("local", self._each or usable_cpus())
        for command in self._commands:
            started.start("started", self._each or 0, command)
            await asyncio.sleep(0)  # others have their turn
        started.ask(self._asked)
        self._absence = "none of its agents is up yet"
        if not self._agents and not self._commands:
            file = "FILE" if self._door.file is None else self._door.file
            self._absence = f"no agent has come; start some:  python -m asyncflow.agent --lease {file}"
        self._changed()

    def ask(self, agents: int) -> None:
        """So many agents could be of use now. Called when that changes.

        Args:
            agents: how many.
        """
        if self._started is not None:
            self._started.ask(agents)

    def joined(self, agent: Agent) -> None:
        """An agent has come.

        Args:
            agent: which.
        """

    def left(self, agent: Agent) -> None:
        """An agent is gone, whatever the reason.

        Args:
            agent: which.
        """

    async def release(self, agent: Agent) -> None:
        """An agent was idle for ``idle_after`` seconds and has ended.

        Args:
            agent: which.
        """

    async def close(self) -> None:
        """Leave the cluster; all agents have ended, or were told to."""
        if self._started is not None:
            await self._started.close()
            self._started = None

    # -- what a plugin calls ------------------------------------------------------------------------------

    def lost(self, agent: str, why: str) -> None:
        """An agent is gone, or will be at once.

        Args:
            agent: its name; of one that is not there, or no longer, nothing follows.
            why: in words, as "worker tcp://10.0.0.3:4567 was killed".
        """
        if self._crews is not None:
            for each in [each for each in self._crews.all if each.name == agent]:
                self._crews.lose(each, why)

    def give_up(self, error: Exception) -> None:
        """No agent can be started. If none is there, all work that waits fails, and all that comes.

        Args:
            error: why.
        """
        if self._crews is not None and not self._crews.all:
            self._crews.fail(error)

    # -- the contract -------------------------------------------------------------------------------------

    async def start(self, report: Report) -> None:
        """Agents come in the background, and work waits for them."""
        self.abandon()  # what an engine that was shut down without its backends has left
        self._setup = (
            self._options.start_with(),
            messages.plain(flags()),
            os.getcwd(),
            math_variables(self._options.math_threads or 1),
            astuple(self._options.bounds),
        )
        self._patience = Patience(report, LONG)
        self._crews = Crews(
            report,
            write_here,
            self._changed,
            self._missed,
            self._idle_after,
            self._released,
            self._gone,
            self.reducers,
            ProgramFolder(self._pulse.lost_after),
        )
        self._opening = asyncio.get_running_loop().create_task(self._open(self._crews))

    async def _open(self, crews: Crews) -> None:
        try:
            lease = await self._door.open(self.listen, self._joined, self._refused)
            await self.open(lease)
        except Exception as error:
            crews.fail(error)
        except BaseException as error:
            if not isinstance(error, asyncio.CancelledError):
                crews.interrupted()
            raise

    def _joined(self, channel: Channel, hello: Hello) -> None:
        try:
            self._let_in(channel, hello)
        except BaseException:
            channel.cut()
            if self._crews is not None:
                self._crews.interrupted(channel)
            raise

    def _let_in(self, channel: Channel, hello: Hello) -> None:
        crews = self._crews
        if crews is None or crews.closing:
            channel.cut()
            return
        of_node = self._nodes.setdefault(hello.node, OfNode())
        name = hello.name
        if any(agent.name == name for agent in crews.all):  # one command may start several with one lease
            name = f"{name} ({hello.host}-{hello.pid})"
        agent = Agent(
            *(channel, name, hello.host, hello.node, hello.pid, hello.workers),
            *(self._shares_files, of_node),
        )
        if self._started is not None:
            self._started.joined(hello.name, name)
        agent.is_here = hello.node == node()
        home = crews.folder.question_for(agent)
        # How many agents another machine is to have nobody knows: those that are there count.
        there = 1 + sum(each.node == agent.node for each in crews.all)
        share = max(self._agents, there) if agent.is_here else there
        keep = self._keep_from, self._keep_at_most, share
        agent.tell(messages.SETUP, *self._setup, keep, home)
        crews.joined(agent)
        self.joined(agent)

    def _refused(self, error: Exception) -> None:
        if self._crews is not None and not self._crews.all:
            self._crews.fail_waiting(error)

    def _missed(self, agent: Agent, why: str) -> None:
        """The channel of an agent is gone. Whoever has started it knows better why."""
        if self._started is None or not self._started.explains(agent.name, why):
            self.lost(agent.name, why)

    def _gone(self, agent: Agent) -> None:
        if self._started is not None:
            self._started.left(agent.name)
        self.left(agent)

    def _released(self, agent: Agent) -> None:
        if self._started is not None:
            self._started.released(agent.name)
        release = asyncio.get_running_loop().create_task(self.release(agent))
        self._hooks.add(release)
        release.add_done_callback(self._hooks.discard)

    def _changed(self) -> None:
        crews = self._crews
        if crews is None:
            return
        there = sum(agent.workers for agent in crews.all)
        if there:
            self.workers = there
        silent = crews.folder.waits_for(crews.all)
        if silent is not None:
            self.waits = silent
        elif self._absence is not None:
            self.waits = None if crews.all else self._absence
        if self._patience is not None:
            self._patience.look(waits=bool(crews.chains) and (not crews.all or silent is not None))
        each = self._each or 1
        asked = -(-crews.chains // each)
        if asked != self._asked:
            self._asked = asked
            self.ask(asked)

    def submit(self, batch: Sequence[Work]) -> None:
        """Give the work out."""
        assert self._crews is not None
        self._crews.submit(batch)
        self._changed()

    async def fetch(self, kept: Kept) -> object:
        """The value of a result that an agent keeps."""
        if self._crews is None:
            raise kept.lost("the backend has been shut down")
        return await self._crews.kept.fetch(kept)

    async def close_generator(self, number: int) -> None:
        """Close a generator in the process of its agent."""
        if self._crews is not None:
            await self._crews.close_generator(number)

    async def cancel(self, task_id: int) -> bool:
        """Stop a task: asked first, killed after the grace time."""
        return self._crews is not None and self._crews.cancel(task_id)

    def recover(self, submitted: Sequence[int], lost: Sequence[int]) -> Sequence[int]:
        """Part with the agents of which nobody knows any more what they have."""
        crews = self._crews
        if crews is None:
            return submitted
        gone = crews.recover(submitted)
        opening = self._opening
        if opening is not None and opening.done() and not opening.cancelled() and opening.exception():
            self._opening = opening.get_loop().create_task(self._open_again(crews))
        elif self._started is not None:
            self._started.recover()
        return gone

    async def _open_again(self, crews: Crews) -> None:
        """Ctrl-C came while the cluster was being reached."""
        if self._started is not None:
            self._started.abandon()
        await self._door.close()
        await self._open(crews)

    async def shutdown(self, *, grace: float) -> list[int]:
        """End all agents."""
        crews = self._crews
        if crews is None:
            return []
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.wait([self._opening])
        if self._patience is not None:
            self._patience.end()
        await crews.leave(grace)
        if self._hooks:
            await asyncio.wait(self._hooks)
        await self.close()
        await self._door.close()
        self._crews = self._opening = None  # not before: Ctrl-C may come meanwhile
        return []

    def abandon(self) -> None:
        """Part with all agents, which end by themselves."""
        crews, self._crews = self._crews, None
        if crews is not None:
            if self._opening is not None and not self._opening.get_loop().is_closed():
                self._opening.cancel()
            crews.abandon()
            if self._patience is not None:
                self._patience.end()
            self._door.abandon()
            if self._started is not None:
                self._started.abandon()
            self._started = self._opening = None
