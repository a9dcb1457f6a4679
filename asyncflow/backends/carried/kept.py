"""Results that stay with the agents which have made them: where each is, how it is had, and when it is let go."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from itertools import count
from typing import Any, Final

from ..._worker import kept as there
from ..._worker import wire
from ...backend import Kept, Work
from ..process.packing import HEAVY
from ..process.porter import Porter
from . import messages
from .agents import Agent
from .pieces import FileSource, MemoryFile

_OPENS: Final = os.O_RDONLY | os.O_CLOEXEC
_NOWHERE: Final = "/nowhere"
Way = tuple[list[str], str | None]
"""To an agent, for others: its addresses and its certificate."""


class _Result:
    """One kept result.

    Args:
        agent: that has made it.
        file: number of its memory file there.
        sizes: of its parts.
    """

    __slots__ = ("comes_from", "coming", "copies", "sizes", "why")

    def __init__(self, agent: Agent, file: int, sizes: wire.Sizes) -> None:
        self.copies = {agent: file}  # who has it, and by which number; the first has made it
        self.sizes = sizes
        self.why = ""  # it is lost, in words
        self.coming: asyncio.Future[MemoryFile | None] | None = None  # to this process
        self.comes_from: Agent | None = None

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(size for _, size in self.sizes)


class KeptResults:
    """What the agents of one start keep.

    Args:
        node: of this process, as agents tell theirs.
        porter: takes in what is large.
        freed: is called with an agent that keeps nothing any more.
    """

    def __init__(self, node: str, porter: Porter, freed: Callable[[Agent], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._node = node
        self._porter = porter
        self._freed = freed
        self._results: dict[int, _Result] = {}
        # By numbers of their own: an agent gives that of a file to another one when it is let go.
        self._coming: dict[int, _Result] = {}
        self._numbers = count(1)
        self._copying: dict[tuple[Agent, int], asyncio.Future[bool]] = {}
        self._ways: dict[Agent, asyncio.Future[Way | None]] = {}  # by which others reach an agent
        self._apart: set[tuple[Agent, Agent]] = set()  # who do not reach each other
        self._bringing: dict[tuple[Agent, int], asyncio.Task[None]] = {}
        self._let_go: deque[int] = deque()
        self._is_told = False

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self._results)

    # -- what agents tell ---------------------------------------------------------------------------------

    def add(self, agent: Agent, task_id: int, file: int, sizes: wire.Sizes) -> Kept:
        """An agent keeps the result of a task."""
        result = self._results[task_id] = _Result(agent, file, sizes)
        agent.keeps += 1
        return Kept(agent.host, result.size, task_id, partial(self._nobody_asks, task_id))

    def refuse(self, agent: Agent, file: int) -> None:
        """Nobody wants what an agent keeps: its task was cancelled."""
        agent.tell(messages.FREE, [file])

    def why_gone(self, task_id: int, why: str) -> str:
        """Why a result is no more which a worker could not open.

        Args:
            task_id: of the task that had made it.
            why: as the worker has it.
        """
        result = self._results.get(task_id)
        return why if result is None else result.why or why

    def came(self, agent: Agent, number: int, piece: int) -> None:
        """An agent has sent what it was asked for, or has it not, if the number of the pieces is 0."""
        result = self._coming.get(number)
        if result is None or result.comes_from is not agent:
            return  # it was not asked for
        del self._coming[number]
        if not piece:
            self._has_no_more(result, agent, "its memory file is not there any more")
        _answer(result.coming, agent.inlet.whole(piece) if piece else None)

    def copied(self, agent: Agent, task_id: int, file: int) -> None:
        """An agent has a copy; or could not get one, if it is below 0."""
        if (agent, task_id) not in self._copying:
            return  # it was not asked for
        result = self._results.get(task_id)
        if file >= 0:
            if result is None:
                self.refuse(agent, file)
            else:
                result.copies[agent] = file
                agent.keeps += 1
        _answer(self._copying.pop((agent, task_id), None), file >= 0)

    def serves(self, agent: Agent, way: Way | None) -> None:
        """How other agents reach one; None if they cannot."""
        _answer(self._ways.get(agent), way)

    def lose(self, agent: Agent, why: str) -> None:
        """An agent is gone, with what it kept. Of what another has a copy nothing is lost."""
        for result in [*self._results.values(), *self._coming.values()]:
            if agent in result.copies:
                self._has_no_more(result, agent, why)
        self._coming = {number: each for number, each in self._coming.items() if each.comes_from is not agent}
        for key in [key for key in self._copying if key[0] is agent]:
            _answer(self._copying.pop(key), False)
        for key in [key for key in self._bringing if key[0] is agent]:
            self._bringing[key].cancel()
        _answer(self._ways.pop(agent, None), None)
        self._apart = {pair for pair in self._apart if agent not in pair}

    def _has_no_more(self, result: _Result, agent: Agent, why: str) -> None:
        """An agent has a result no more, or is gone."""
        del result.copies[agent]
        agent.keeps -= 1
        if not result.copies:
            result.why = f"agent {agent.name}: {why}"
        if result.comes_from is agent:
            _answer(result.coming, None)

    # -- where they are -----------------------------------------------------------------------------------

    def missing(self, agent: Agent, keys: Sequence[int]) -> int:
        """Bytes that would have to be brought to an agent for a call which takes these results."""
        results = [self._results[key] for key in keys if key in self._results]
        return sum(each.size for each in results if not _at(each, agent.node))

    def places(self, agent: Agent, kept: Sequence[Kept]) -> tuple[list[there.Place], int]:
        """Where the workers of an agent find results, and how many bytes have to be brought there first. What is lost
        is nowhere: the worker finds that it is not there."""
        places: list[there.Place] = []
        for each in kept:
            result = self._results[_key(each)]
            holder = _at(result, agent.node)
            path = _NOWHERE if holder is None else _path(holder, result.copies[holder])
            places.append((_key(each), path, result.sizes))
        return places, self.missing(agent, self.absent(agent, kept))

    def absent(self, agent: Agent, kept: Sequence[Kept]) -> list[int]:
        """The results that are only elsewhere."""
        keys = [_key(each) for each in kept]
        results = [(key, self._results[key]) for key in keys if key in self._results]
        return [key for key, result in results if result.copies and not _at(result, agent.node)]

    def bring(self, agent: Agent, key: int, done: Callable[[], None]) -> None:
        """Have a result brought to an agent.

        Args:
            agent: that is to have a copy.
            key: of the result.
            done: is called when it has, or the result is lost.
        """
        bringing = self._bringing.get((agent, key))
        if bringing is None:
            bringing = self._bringing[agent, key] = self._loop.create_task(self._bring(agent, key))
            bringing.add_done_callback(lambda _: self._bringing.pop((agent, key)))
        bringing.add_done_callback(lambda _: done())

    async def _bring(self, agent: Agent, key: int) -> None:
        result = self._results[key]
        for holder, file in list(result.copies.items()):
            if (holder, agent) in self._apart or holder not in result.copies:
                continue
            way = await self._way_to(holder)
            if way is not None:
                if await self._copy(agent, key, messages.COPY, file, result.sizes, *way):
                    return
                if holder not in result.copies or not agent.workers:
                    continue  # it was lost, or the other
            self._apart.add((holder, agent))
        file_here = await self._file(result)  # through this process, then
        if file_here is not None:
            sent = self._loop.create_future()
            source = FileSource(file_here.release(), result.sizes)
            number = agent.outlet.send(source, lambda: _answer(sent, None))
            await sent
            await self._copy(agent, key, messages.STORE, number)

    async def _way_to(self, holder: Agent) -> Way | None:
        if holder not in self._ways:
            self._ways[holder] = self._loop.create_future()
            holder.tell(messages.SERVE)
        return await asyncio.shield(self._ways[holder])

    async def _copy(self, agent: Agent, key: int, kind: int, *fields: object) -> bool:
        copying: asyncio.Future[bool] = self._loop.create_future()
        self._copying[agent, key] = copying
        agent.tell(kind, key, *fields)
        return await copying

    # -- to this process ----------------------------------------------------------------------------------

    async def fetch(self, kept: Kept) -> object:
        """As for `ExecutionBackend`."""
        result = self._results.get(_key(kept))
        if result is None:
            raise kept.lost("the agents have ended")
        file = await self._file(result)
        if file is None:
            raise kept.lost(result.why)
        return await self._unpacked(file.release(), result.sizes)

    async def _file(self, result: _Result) -> MemoryFile | None:
        """Its memory file, or a copy that was sent; None if it is lost."""
        holder = _at(result, self._node)
        if holder is not None:
            with suppress(OSError):
                return MemoryFile(os.open(_path(holder, result.copies[holder]), _OPENS))
        while result.copies:
            coming = result.coming
            if coming is None or coming.done():
                holder, file = next(iter(result.copies.items()))
                coming = result.coming = self._loop.create_future()
                result.comes_from = holder
                number = next(self._numbers)
                self._coming[number] = result
                holder.tell(messages.BRING, number, file, result.sizes)
            memory = await asyncio.shield(coming)
            if memory is not None:
                return MemoryFile(memory.duplicate())  # another may want it, too
        return None

    async def _unpacked(self, file: int, sizes: wire.Sizes) -> object:
        load = partial(wire.unpack_memory, file, sizes, is_shared=True)
        if sum(size for way, size in sizes if way) <= HEAVY:  # what is mapped is not copied
            return load()
        future: asyncio.Future[object] = self._loop.create_future()
        self._porter.carry(partial(_load, load, future))
        return await future

    # -- the end ------------------------------------------------------------------------------------------

    def _nobody_asks(self, task_id: int) -> None:
        """On any thread, and in the middle of anything, when the collector says so."""
        self._let_go.append(task_id)
        if not self._is_told:
            self._is_told = True
            with suppress(RuntimeError):  # the loop is closed, and the agents are gone
                self._loop.call_soon_threadsafe(self._free)

    def _free(self) -> None:
        self._is_told = False
        files: dict[Agent, list[int]] = {}
        while self._let_go:
            result = self._results.pop(self._let_go.popleft(), None)
            if result is not None:
                for agent, file in result.copies.items():
                    agent.keeps -= 1
                    files.setdefault(agent, []).append(file)
        for agent, numbers in files.items():
            agent.tell(messages.FREE, numbers)
            if not agent.keeps:
                self._freed(agent)

    def close(self) -> None:
        """All agents are gone."""
        for bringing in list(self._bringing.values()):
            bringing.cancel()
        for result in self._coming.values():
            if result.coming is not None:
                result.coming.cancel()
        self._coming.clear()
        self._copying.clear()


def _answer(waiting: asyncio.Future[Any] | None, value: object) -> None:
    if waiting is not None and not waiting.done():
        waiting.set_result(value)


def check_kept(file: object, sizes: object) -> None:
    """See that an agent tells of a kept result what can be.

    Raises:
        ValueError: it does not.
    """
    if type(file) is not int or file < 0 or not isinstance(sizes, tuple) or not sizes:
        raise ValueError("a kept result has no number, or no sizes")
    for way, size in sizes:
        if type(way) is not int or type(size) is not int or size < 0:
            raise ValueError("a part of a kept result has no size")


def among(work: Work) -> list[int]:
    """The kept results among the arguments of work, as far as they are easily seen: in none or in one container."""
    keys: list[int] = []
    for each in (*work.args, *work.kwargs.values()):
        inner: Iterable[object] = ()
        if type(each) in (list, tuple, set):
            inner = each  # type: ignore[assignment]
        elif isinstance(each, dict):
            inner = each.values()
        keys += [one.key for one in (each, *inner) if type(one) is Kept]  # type: ignore[misc]
    return keys


def _at(result: _Result, node: str) -> Agent | None:
    """An agent of a node that has a result."""
    return next((agent for agent in result.copies if agent.node == node), None)


def _path(agent: Agent, file: int) -> str:
    return f"/proc/{agent.pid}/fd/{file}"


def _key(kept: Kept) -> int:
    assert isinstance(kept.key, int)
    return kept.key


def _load(load: Callable[[], Any], future: asyncio.Future[object]) -> None:
    """On the porter's thread."""
    try:
        value = load()
    except BaseException as error:
        _settle(future, asyncio.Future.set_exception, error)
    else:
        _settle(future, asyncio.Future.set_result, value)


def _settle(future: asyncio.Future[object], how: Callable[[Any, Any], None], what: object) -> None:
    def settle() -> None:
        if not future.done():
            how(future, what)

    with suppress(RuntimeError):  # the loop is closed
        future.get_loop().call_soon_threadsafe(settle)
