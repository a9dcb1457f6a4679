"""One agent, as the engine sees it: its channel, its workers and the calls that it has."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, Protocol

from ..._core import placement
from ..._turns import Due
from ..._worker import wire
from ..._worker.kept import Place
from ..._worker.whose import Identity
from ...backend import Kept
from ...errors import WorkerDied
from ..process.packing import Function, Packed
from ..process.program import folders
from . import messages
from .channel import Channel
from .engine_files import EngineFiles, OfNode
from .pieces import Inlet, Outlet, ViewSource

_KEPT: Final = 1024  # functions that it is sent, before it is told which of them nobody will ask for again


class Results(Protocol):
    """Where kept results are, as far as an agent needs to know."""

    def places(self, agent: Agent, kept: Sequence[Kept], /) -> tuple[list[Place], int]:
        """Where its workers find them, and how many bytes have to be brought there first."""

    def absent(self, agent: Agent, kept: Sequence[Kept], /) -> list[int]:
        """Those that have to be brought there first."""

    def bring(self, agent: Agent, key: int, done: Callable[[], None], /) -> None:
        """Bring one; ``done`` is called when it is there, or is known to be lost."""


class Agent:
    """An agent.

    Attributes:
        name: given by whoever has started it.
        host: the name of its machine.
        node: tells its machine from all others; the same for all agents there.
        pid: of its process.
        workers: processes that it may run; 0 as long as it is to get no work.
        size: processes that it may run in any case.
        is_here: whether its machine is this one.
        given: the calls that it has, in the order in which they were sent.
        load: seconds of work in them, as far as known.
        idle_since: when it had no call left, by the clock of the event loop.
        is_leaving: it was told to end, being idle.
        results: what this agent and others keep.
        keeps: how many of these it has.

    Args:
        channel: to it.
        name: as above; and so are the others.
        host:
        node:
        pid:
        workers:
        shares_files: whether it sees this machine's files under the same paths; None to have it find out.
        of_node: what is on its way to agents of the same machine.
    """

    def __init__(
        self,
        channel: Channel,
        name: str,
        host: str,
        node: str,
        pid: int,
        workers: int,
        shares_files: bool | None = None,
        of_node: OfNode | None = None,
    ) -> None:
        self.channel = channel
        self.files = EngineFiles(partial(self.tell, messages.FILES), host, shares_files, of_node)
        self.failed: Callable[[Agent, int, Exception], None] | None = None
        self.name, self.host, self.node, self.pid = name, host, node, pid
        self.workers = self.size = workers
        self.is_here = True
        self.answer: Due | None = None  # when it is lost that has not told which files it sees
        self.given: dict[int, Packed] = {}
        self.load = 0.0
        self.results: Results | None = None
        self.keeps = 0
        self.known: dict[int, Function] = {}  # that it was sent
        self.inlet, self.outlet = Inlet(), Outlet(channel)
        self.is_asked = False  # to give something back, and nothing has come from it or went to it since
        self.idle_since = 0.0
        self.is_leaving = False
        self.is_in_doubt = False  # Ctrl-C came in the midst of what it has told
        self._most_known = _KEPT
        self._tails: set[int] = set()  # the last call of each chain that it has
        self._on_their_way: dict[int, _OnItsWay] = {}  # calls of chains that are too large to be there yet
        self._path: list[str] = []
        self._arguments: list[str] = []

    @property
    def chains(self) -> int:
        """Chains of calls that it has and that are not over."""
        return len(self._tails)

    @property
    def calls(self) -> int:
        """Calls that it has."""
        return len(self.given)

    def __repr__(self) -> str:
        return f"<Agent {self.name} on {self.host}: {self.workers} workers, {len(self.given)} calls>"

    def tell(self, kind: int, *fields: object) -> None:
        """Send it a message."""
        self.channel.send(messages.pack(kind, *fields))

    # -- calls --------------------------------------------------------------------------------------------

    def send(self, frame: list[Packed]) -> None:
        """Give it calls."""
        self.is_asked = False
        self._tell_program()
        definitions: dict[int, object] = {}
        calls: list[Call] = []
        identities: dict[int, object] = {}
        large: set[int] = set()  # heads of chains in which something is
        known, given, tails, load = self.known, self.given, self._tails, self.load
        head = previous = 0
        for packed in frame:
            function, work, flags = packed.function, packed.work, packed.flags
            number, task_id = function.number, work.id
            if number not in known:
                definitions[number] = function.definition
                known[number] = function
            packed.load = function.pace.seconds
            given[task_id] = packed
            if flags & wire.LINKED:
                tails.discard(previous)
            else:
                head = task_id
            previous = task_id
            tails.add(task_id)
            if flags & wire.TAGGED:
                identities[task_id] = _plain_identity(work.identity)
            if packed.parts is not None:
                large.add(head)
                packed.load = placement.load(packed.load, packed.parts.size)
            if work.carried is not None:
                large.add(head)
            if flags & wire.TAKES:
                packed.payload, absent = self._with_kept(packed)
                if absent:
                    large.add(head)
                    packed.load = placement.load(packed.load, absent)
            if flags & wire.PINNED:
                packed.payload = [packed.payload, work.generator]
            calls.append((task_id, flags, number, packed.payload))
            packed.payload = None  # it is in the message
            load += packed.load
        self.load = load
        if large:
            calls, later = _split(calls, large)
        else:
            later = []
        if calls or definitions:
            self.tell(messages.FRAME, definitions, self._forgotten(), calls, identities)
        for chain in later:
            self._send_large(chain, identities)

    def _with_kept(self, packed: Packed) -> tuple[list[object], int]:
        """The payload of a call that takes kept results, with where they are; and the bytes that are not here yet."""
        assert self.results is not None
        places, absent = self.results.places(self, packed.kept)
        return [packed.payload, places], absent

    def _tell_program(self) -> None:
        if self._path != sys.path or self._arguments != sys.argv:
            self._path, self._arguments = sys.path[:], sys.argv[:]
            own = {sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix}
            path, arguments = messages.plain(folders(self._path)), messages.plain(self._arguments)
            self.tell(messages.PROGRAM, path, sorted(own), arguments)

    def _forgotten(self) -> list[int]:
        """The functions that it need not keep."""
        if len(self.known) < self._most_known:
            return []
        needed = {packed.function.number for packed in self.given.values()}
        old = [n for n, function in self.known.items() if not function.is_current and n not in needed]
        for number in old:
            del self.known[number]
        self._most_known = len(self.known) + _KEPT
        return old

    def _send_large(self, calls: list[Call], identities: dict[int, object]) -> None:
        """Send a chain when all that is large in it is there."""
        chain = _OnItsWay(calls, {each[0]: identities[each[0]] for each in calls if each[0] in identities})
        for task_id, *_ in calls:
            self._on_their_way[task_id] = chain
            packed = self.given[task_id]
            if packed.flags & wire.TAKES and self.results is not None:
                chain.absent[task_id] = self.results.absent(self, packed.kept)
                chain.awaited += len(chain.absent[task_id])
            chain.awaited += (packed.parts is not None) + (packed.work.carried is not None)
        for task_id, *_ in calls:
            work, parts = self.given[task_id].work, self.given[task_id].parts
            if parts is not None:
                views = [parts.stream, *parts.buffers]
                chain.pieces[task_id] = self.outlet.send(
                    ViewSource(views), partial(self._is_there, chain, task_id)
                )
            if work.carried is not None:
                self.files.prepare(work, partial(self._go_on, chain), partial(self._cannot, task_id))
            for key in chain.absent.get(task_id, ()):
                assert self.results is not None
                self.results.bring(self, key, partial(self._go_on, chain))

    def _is_there(self, chain: _OnItsWay, task_id: int) -> None:
        self.given[task_id].drop()
        self._go_on(chain)

    def _cannot(self, task_id: int, error: Exception) -> None:
        if self.failed is not None:
            self.failed(self, task_id, error)

    def _go_on(self, chain: _OnItsWay) -> None:
        """Something of a chain is there; if it was the last, the calls follow."""
        chain.awaited -= 1
        if chain.awaited or chain.is_withheld:
            return
        calls = []
        for number, flags, function, payload in chain.calls:
            del self._on_their_way[number]
            piece = chain.pieces.get(number)
            takes = bool(flags & wire.TAKES)
            inner = payload[0] if takes else payload
            whole: object = inner if piece is None else (piece, inner)
            if takes and self.results is not None:  # they may be elsewhere by now
                whole = [whole, self.results.places(self, self.given[number].kept)[0]]
            calls.append((number, flags, function, whole))
        self.tell(messages.FRAME, {}, [], calls, chain.identities)

    def withhold(self, task_id: int) -> list[int]:
        """Send no more of a call that is not there yet, nor of its chain.

        Returns:
            The calls of the chain, in order; none if it is there.
        """
        chain = self._on_their_way.get(task_id)
        if chain is None:
            return []
        chain.is_withheld = True
        for piece in chain.pieces.values():
            self.outlet.drop(piece)
            self.tell(messages.DROP, piece)
        for number, *_ in chain.calls:
            del self._on_their_way[number]
            self.files.over(number)
        return [number for number, *_ in chain.calls]

    def died(self, task_id: int, name: str, why: str) -> WorkerDied:
        """The error of a task that was lost with it.

        Args:
            task_id: the task's number.
            name: of the task.
            why: it is gone, in words.
        """
        return WorkerDied(task_id, name, why, 0, f"agent {self.name} on {self.host}", 0, "", True)

    def take(self, task_id: int) -> Packed | None:
        """Remove a call from those that it has."""
        packed = self.given.pop(task_id, None)
        if packed is not None:
            self.is_asked = False
            self._tails.discard(task_id)
            self.load = self.load - packed.load if self.given else 0.0
        return packed

    def begun(self) -> list[int]:
        """Of the calls that it has, those that it may have begun, in order."""
        return [task_id for task_id in self.given if task_id not in self._on_their_way]

    def answered(self) -> None:
        """It has told which files it sees, or will not."""
        if self.answer is not None:
            self.answer.cancel()
            self.answer = None

    def close(self) -> None:
        """Let go of what is on its way, and of the channel at once."""
        self.answered()
        self.outlet.close()
        self.inlet.close()
        self.files.lost(f"agent {self.name} on {self.host} is gone")
        self.channel.cut()


Call = tuple[int, int, int, Any]


class _OnItsWay:
    """A chain with something large in it.

    Args:
        calls: as they are sent in the end.
        identities: of those that are tagged.
    """

    def __init__(self, calls: list[Call], identities: dict[int, object]) -> None:
        self.calls = calls
        self.identities = identities
        self.pieces: dict[int, int] = {}  # by call, the number under which its large part travels
        self.awaited = 0  # things that are not there yet
        self.absent: dict[int, list[int]] = {}  # by call, the kept results that are to be brought
        self.is_withheld = False


def _split(calls: list[Call], large: set[int]) -> tuple[list[Call], list[list[Call]]]:
    """The calls of chains in which nothing is large, and the other chains."""
    light: list[Call] = []
    heavy: list[list[Call]] = []
    target = light
    for call in calls:
        if not call[1] & wire.LINKED:
            target = light
            if call[0] in large:
                target = []
                heavy.append(target)
        target.append(call)
    return light, heavy


def _plain_identity(identity: Identity) -> tuple[object, ...]:
    task_id, name, attempt, label, workflow, gpus = identity
    texts = [None if text is None else str.__str__(text) for text in (name, label, workflow)]
    return int(task_id), texts[0], int(attempt), texts[1], texts[2], tuple(map(int, gpus))
