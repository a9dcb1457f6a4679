"""The engine's side of the contract, by hand: work to submit and a record of what is reported."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from contextvars import Context
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from ...backend import LOADING, RAN, STARTED, SUCCEEDED, CarriedFiles, Event, Work
from .. import bad_tasks as bad
from ._base import Conformance

_ids = count(1)


@dataclass
class Piece:
    """A piece of work, as a backend sees it."""

    fn: Callable[..., Any]
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    name: str = "piece"
    is_coroutine: bool = False
    context: Context | None = None
    attempt: int = 1
    timeout: float | None = 600
    tells_start: bool = True
    keep: bool | None = None
    link: Work | None = None
    example: Any = ...
    returns: type | None = None
    carried: CarriedFiles | None = None
    generator: int | None = None
    id: int = field(default_factory=lambda: next(_ids))
    is_tagged: bool = True

    @property
    def identity(self) -> tuple[int, str, int, str | None, str | None, tuple[int, ...]]:
        """What the function is told of the piece."""
        return self.id, self.name, self.attempt, None, None, ()


class Record:
    """Everything a backend reports, from any thread, in order."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.threads: set[int] = set()
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()

    def report(self, events: Sequence[Event]) -> None:
        """Take events, as the engine does: never raising, never blocking, holding no lock."""
        self.threads.add(threading.get_ident())
        self.events.extend(events)
        try:
            self._loop.call_soon_threadsafe(self._news.set)
        except RuntimeError:
            pass  # the loop is closed

    def ends(self, piece: Piece) -> list[tuple[int, Any]]:
        """How often and how a piece was reported over: kind and payload."""
        return [
            (kind, payload)
            for kind, task_id, payload in self.events
            if task_id == piece.id and kind not in (STARTED, RAN, LOADING)
        ]

    def runs(self, piece: Piece) -> list[tuple[float, float, str]]:
        """When a piece was reported to have run, and what ran it."""
        return [payload for kind, task_id, payload in self.events if kind == RAN and task_id == piece.id]

    def starts(self, piece: Piece) -> int:
        """How often a piece was reported to have begun."""
        return sum(kind == STARTED and task_id == piece.id for kind, task_id, _ in self.events)

    async def until(self, happened: Callable[[], bool]) -> None:
        """Wait until something is so; looked at after each report."""
        while True:
            self._news.clear()
            if happened():
                return
            await self._news.wait()

    async def over(self, *pieces: Piece) -> list[tuple[int, Any]]:
        """Wait until pieces are over, and tell how each ended."""
        for piece in pieces:
            await self.until(lambda piece=piece: bool(self.ends(piece)))  # type: ignore[misc]
        return [self.ends(piece)[0] for piece in pieces]


class Raw(Conformance):
    """The base of the themes that have no engine."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Record]:
        """The backend, started; afterwards the next pieces work and nothing is left of it."""
        record = Record()
        await self.backend.start(record.report)
        try:
            yield record
        except BaseException:
            self.open_all_gates()
            await self.backend.shutdown(grace=self.grace)
            raise
        self.open_all_gates()
        pieces = [Piece(bad.add, (number, 1)) for number in range(2 * self.workers)]
        self.backend.submit(list(pieces))
        ends = await record.over(*pieces)
        assert [kind for kind, _ in ends] == [SUCCEEDED] * len(pieces)
        assert await self.backend.shutdown(grace=self.grace) == []
