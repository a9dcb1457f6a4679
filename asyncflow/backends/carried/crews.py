"""The agents of one start: which of them gets which work, and what becomes of it when one is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import Final

from ..._core import placement
from ..._turns import Due, sure
from ..._worker.by_value.pickler import Reducer
from ...backend import CANCELLED, FAILED, RETURNED, Event, Report, Work
from ..process.generators import Generators
from ..process.handed_out import HandedOut
from ..process.output import Write
from ..process.packing import Packed
from ..process.porter import Porter
from ..process.waiting import Waiting
from . import messages
from .agents import Agent
from .book import SealedBook
from .channel import Channel, Message
from .here import node
from .idle import IdleAgents
from .kept import KeptResults, among
from .outcomes import Outcomes
from .program_folder import ProgramFolder

_PATIENCE: Final = 0.005  # seconds that calls may wait at one agent while another one has idle workers
_MARGIN: Final = 1.0  # seconds that an agent has to say that it has ended, beside the grace time


class Crews:
    """Agents, each with a crew of worker processes.

    Args:
        report: the engine's.
        write: takes what workers print.
        changed: is called when an agent has come or gone, or could be of use, or is of none any more.
        missed: is called with an agent whose channel is gone, and why; is to call `lose` when it is known better.
        idle_after: seconds without work after which an agent is told to end; None for never.
        released: is called with an agent that has ended for that.
        left: is called with an agent that is gone.
        reducers: how arguments of some kinds travel.
        folder: of the program.
    """

    def __init__(
        self,
        report: Report,
        write: Write,
        changed: Callable[[], None],
        missed: Callable[[Agent, str], None],
        idle_after: float | None,
        released: Callable[[Agent], None],
        left: Callable[[Agent], None],
        reducers: Mapping[type, Reducer],
        folder: ProgramFolder,
    ) -> None:
        self._turns = sure(asyncio.get_running_loop())
        self._generators: Generators[Agent] = Generators(report)
        report = self._report = self._generators.reported
        self._write = write
        self._changed = changed
        self._missed = missed
        self._released = released
        self._left = left
        self.folder = folder
        self._idle = IdleAgents(idle_after, lambda: self.all, self._generators.are_at, self._end)
        self._porter = Porter()
        self._book = SealedBook(reducers)
        self._waiting = Waiting(report, self._book, None, 0, self.feed, self._generators)
        self._calls = HandedOut(report, self._waiting, self._generators)
        self.kept = KeptResults(node(), self._porter, self._idle.look_at)
        self._outcomes = Outcomes(report, self._calls, self._porter, self.kept)
        self._near: dict[int, list[int]] = {}  # of work that waits, the kept results that it takes
        self._recall: Due | None = None
        self._gone = asyncio.Event()  # an agent, perhaps
        self._problem: Exception | None = None
        self.all: list[Agent] = []
        self.closing = False

    # -- work comes in ------------------------------------------------------------------------------------

    def submit(self, batch: Sequence[Work]) -> None:
        """Take work, with what is linked to it."""
        if self._waiting.is_outdated():
            for agent in self.all:
                agent.tell(messages.RENEW)
        self._waiting.add(batch)
        if self.kept:
            self._near.update((work.id, keys) for work in batch if (keys := among(work)))
        if self._problem is not None:
            self.fail(self._problem)
        self.feed()

    @property
    def chains(self) -> int:
        """Chains of work that wait or are with agents."""
        return len(self._waiting.heads) + sum(agent.chains for agent in self.all)

    def fail(self, error: Exception) -> None:
        """Let all work that waits fail, and all that comes."""
        self._problem = error
        self.fail_waiting(error)

    def fail_waiting(self, error: Exception) -> None:
        """Let all work that waits fail."""
        self._report([(FAILED, work.id, error) for work in self._waiting.give_up()])

    def feed(self) -> None:
        """Give out what can be given out."""
        try:
            workers = sum(agent.workers for agent in self.all)
            waiting = self._waiting
            for agent, slices in list(self._generators.slices.items()):
                while slices:
                    frame, _ = waiting.frame(len(slices), agent.known, slices=slices)
                    if frame:
                        self._give(agent, frame)
            while waiting.heads:
                near = self._near.get(waiting.heads[0]) if self._near else None
                if near is None:
                    index = placement.next_for_work(self.all)
                else:
                    missing = [self.kept.missing(agent, near) for agent in self.all]
                    index = placement.nearest(self.all, missing)
                if index is None:
                    break
                agent = self.all[index]
                most, seconds = placement.portion(agent, len(waiting.heads), workers)
                if near is not None:
                    del self._near[waiting.heads[0]]
                    most, seconds = 1, placement.AHEAD
                elif self._near:  # those that follow may have their place, too
                    heads = enumerate(islice(waiting.heads, most))
                    most = next((place for place, head in heads if head in self._near), most)
                frame, _ = waiting.frame(most, agent.known, seconds)
                if frame:
                    self._give(agent, frame)
            if not waiting.heads:
                self._spread()
        except BaseException:
            self._calls.interrupted()
            raise

    def _give(self, agent: Agent, frame: list[Packed]) -> None:
        try:
            self._waiting.sent(frame)
            agent.send(frame)
        except BaseException:  # perhaps it has them, perhaps not
            agent.is_in_doubt = True
            raise

    # -- balance ------------------------------------------------------------------------------------------

    def _spread(self) -> None:
        """Nothing waits here. If an agent has idle workers, another may have more than it can begin at once."""
        if self._recall is None and len(self.all) > 1 and placement.to_take_back(self.all):
            self._recall = self._turns.call_later(_PATIENCE, self._take_back)

    def _take_back(self) -> None:
        self._recall = None
        if self._waiting.heads or self.closing:
            return
        for index, chains in placement.to_take_back(self.all):
            agent = self.all[index]
            if not agent.is_asked:
                agent.is_asked = True
                agent.tell(messages.WITHDRAW, chains)

    # -- agents -------------------------------------------------------------------------------------------

    def joined(self, agent: Agent) -> None:
        """An agent has come, and was told what its workers need."""
        self.all.append(agent)
        self.folder.wait_for(agent, self._lost)
        self._idle.look_at(agent)
        agent.failed = self._outcomes.not_begun
        agent.results = self.kept
        agent.channel.listen(
            partial(self._received, agent), partial(self._lost, agent), partial(self._in_doubt, agent)
        )
        self._changed()
        self.feed()

    def _received(self, agent: Agent, message: Message) -> None:
        if messages.is_piece(message):
            agent.inlet.take(*messages.read_piece(message))
            return
        kind, *fields = messages.unpack(message)
        if kind == messages.TOLD:
            self._outcomes.take(agent, *fields)
            self.feed()
            self._idle.look_at(agent)
            self._changed()
        elif kind == messages.PRINTED:
            stream, text = fields
            if stream in ("stdout", "stderr"):
                self._write(stream, text)
        elif kind == messages.HOME:
            self._found(agent, *fields)
        elif kind == messages.FILES:
            agent.files.received(tuple(fields[0]))
            self.feed()
        elif kind == messages.LEFT:
            self.lose(agent, "it has ended")

    def _in_doubt(self, agent: Agent) -> None:
        """Nobody knows whether what an agent has told last was taken."""
        if not agent.is_in_doubt:
            agent.is_in_doubt = True
            self._calls.interrupted()

    def _found(self, agent: Agent, has_folder: bool) -> None:
        """An agent on another machine has looked for the folder of the program."""
        self.folder.told(agent, has_folder)
        if not has_folder:
            self._book.forget()  # what was sent by name
        self._changed()
        self.feed()

    def _end(self, agent: Agent) -> None:
        """Tell an agent to end that has nothing to do."""
        agent.tell(messages.LEAVE, _MARGIN)

    def _lost(self, agent: Agent, why: str) -> None:
        agent.workers = 0  # it gets no more
        agent.answered()
        self._missed(agent, why)

    def lose(self, agent: Agent, why: str) -> None:
        """An agent is gone: what it may have begun has failed, what it cannot have begun waits again."""
        if agent not in self.all:
            return
        self.all.remove(agent)
        self.kept.lose(agent, why)
        self._lose_generators(agent, why)
        for task_id in list(agent.given):
            self._calls.begin_again(agent, agent.withhold(task_id))
        events: list[Event] = []
        back: list[Event] = []
        came: set[int] = (
            set()
        )  # links of what is lost, too: nothing with retries has any, so that they never run
        for task_id, packed in agent.given.items():
            work = packed.work
            if work.link is not None:
                came.add(work.link.id)
            if task_id in came:
                back.append((RETURNED, task_id, None))
            elif task_id in self._calls.stopping:
                events.append((CANCELLED, task_id, None))
            else:
                events.append((FAILED, task_id, agent.died(task_id, work.name, why)))
            self._calls.over(task_id)
            packed.drop()
        agent.given.clear()
        agent.files.lost(why)
        agent.close()
        if events:
            self._report(back + events)
        self._gone.set()
        if agent.is_leaving:
            self._released(agent)
        self._left(agent)
        self._changed()
        self.feed()

    def _lose_generators(self, agent: Agent, why: str) -> None:
        """The generators of an agent are no more."""
        if self._generators:
            slices = self._generators.lose(agent, lambda work: agent.died(work.id, work.name, why))
            self._waiting.put_in_place(slices)

    # -- what is asked of it ------------------------------------------------------------------------------

    async def close_generator(self, number: int) -> None:
        """Close a generator where it is.

        Args:
            number: of it.
        """
        await self._generators.close(number, self.submit)

    def cancel(self, task_id: int) -> bool:
        """Take back what has not begun; have what runs stopped."""
        if self._waiting.cancel(task_id):
            return True
        if self._outcomes.stop_bringing(task_id):
            return True
        agent = next((agent for agent in self.all if task_id in agent.given), None)
        if agent is None or task_id in self._calls.stopping:
            return agent is not None
        self._calls.stopping[task_id] = None
        chain = agent.withhold(task_id)
        if chain:
            self._calls.begin_again(agent, chain)
        else:
            agent.tell(messages.STOP, task_id)
        self.feed()
        return True

    def interrupted(self, channel: Channel | None = None) -> None:
        """Ctrl-C came out of what has to do with an agent, or with the way to all.

        Args:
            channel: to the agent.
        """
        for agent in self.all:
            agent.is_in_doubt = agent.is_in_doubt or agent.channel is channel
        self._calls.interrupted()

    def recover(self, submitted: Sequence[int]) -> list[int]:
        """Part with the agents whose state is in doubt, and queue the work that was lost on its way.

        Returns:
            The numbers of the submitted work that is no longer here.
        """
        why = "Ctrl-C came in the midst of what it told"
        for agent in [agent for agent in self.all if agent.is_in_doubt]:
            self.all.remove(agent)
            self.kept.lose(agent, why)
            self._lose_generators(agent, why)
            agent.close()
            self._left(agent)
        for agent in self.all:
            agent.outlet.recover()
        if self._recall is not None:
            self._recall.cancel()
            self._recall = None
        there = {task_id for agent in self.all for task_id in agent.given} | self._calls.loading
        for task_id in [*self._calls.told, *self._calls.stopping]:
            if task_id not in there:
                self._calls.over(task_id)
        gone = [task_id for task_id in submitted if task_id not in there and task_id not in self._waiting]
        self._waiting.recover()
        self._gone.set()
        self._changed()
        self.feed()
        return gone

    # -- shutdown -----------------------------------------------------------------------------------------

    async def leave(self, grace: float) -> None:
        """Let all agents end, and part with those that do not."""
        self.closing = True
        self._idle.stop()
        self._waiting.cancel_all()
        for task_id in list(self._outcomes.bringing):
            self._outcomes.stop_bringing(task_id)
        if self._outcomes.bringing:
            await asyncio.wait(self._outcomes.bringing.values())
        for task_id in [task_id for agent in self.all for task_id in agent.given]:
            self.cancel(task_id)
        for agent in self.all:
            agent.tell(messages.LEAVE, grace)
        with suppress(TimeoutError):
            async with asyncio.timeout(grace + _MARGIN):
                while self.all:
                    self._gone.clear()
                    await self._gone.wait()
        for agent in list(self.all):
            self.lose(agent, "it did not end in time")
        self.close()

    def close(self) -> None:
        """Give back what is left."""
        self._idle.stop()
        if self._recall is not None:
            self._recall.cancel()
        self.kept.close()
        self._porter.dismiss()
        self._waiting.close()

    def abandon(self) -> None:
        """Part with all agents, which then end by themselves, without a loop to wait on."""
        self.closing = True
        agents, self.all = self.all, []
        for agent in agents:
            agent.close()
        self.close()
