"""A backend driven by hand that keeps results: where a result is, and when it is fetched, is what the test says."""

from __future__ import annotations

import asyncio
from functools import partial

from ..backend import LOST, SUCCEEDED, Kept
from .manual import ManualBackend


class KeepingBackend(ManualBackend):
    """As `ManualBackend`; `keep` lets a piece of work succeed whose result stays where it is. Results are named by the
    names of their tasks; of several with one name the one that was kept last is meant."""

    keeps_results = True

    def __init__(self, name: str = "manual", *, fetches_at_once: bool = False) -> None:
        super().__init__(name)
        self.fetches_at_once = fetches_at_once
        """Whether what is fetched is there without `bring`."""
        self.values: dict[int, object] = {}
        """What is kept, by a number of its own."""
        self.freed: list[str] = []
        """The names of the results that were let go, in order."""
        self.asked: list[str] = []
        """The names of the results that were to be fetched, in order."""
        self._names: dict[int, str] = {}
        self._lost: dict[int, str] = {}
        self._brought: set[int] = set()
        self._fetches: dict[int, list[asyncio.Future[None]]] = {}

    def keep(
        self, which: str | int, value: object = None, *, node: str = "node1", size: int = 1_000_000
    ) -> None:
        """Let a piece of work return, whose result is kept.

        Args:
            which: a name or an id.
            value: what it returns.
            node: where that is kept.
            size: bytes of it.
        """
        work = self.work(which)
        number = len(self._names) + 1
        self._names[number] = work.name
        self.values[number] = value
        kept = Kept(node, size, number, partial(self._let_go, number))
        task_id = self._end(which)
        self.tell(SUCCEEDED, task_id, kept)

    def value(self, argument: object) -> object:
        """What an argument of a piece of work is there, of which the work has a `Kept`."""
        return self.values[self._number(argument)] if isinstance(argument, Kept) else argument

    def bring(self, which: str) -> None:
        """Let a result that is fetched, or will be, be there.

        Args:
            which: name of the task.
        """
        number = self._kept(which)
        self._brought.add(number)
        self._go_on(number)

    def lose(self, which: str, why: str = "the node does not answer") -> None:
        """Lose a result, and with it what is being fetched of it.

        Args:
            which: name of the task.
            why: in words.
        """
        number = self._kept(which)
        self._lost[number] = why
        self._go_on(number)

    def cannot_begin(self, which: str | int, kept: Kept) -> None:
        """Tell of a piece of work that it cannot be begun, because a result among its arguments is lost.

        Args:
            which: a name or an id.
            kept: the result.
        """
        self.tell(LOST, self._end(which), (kept, self._lost[self._number(kept)]))

    async def fetch(self, kept: Kept) -> object:
        """Wait until the test brings or loses it."""
        number = self._number(kept)
        self.asked.append(self._names[number])
        if not (self.fetches_at_once or number in self._lost or number in self._brought):
            waiting = asyncio.get_running_loop().create_future()
            self._fetches.setdefault(number, []).append(waiting)
            await waiting
        if number in self._lost:
            raise kept.lost(self._lost[number])
        return self.values[number]

    def _go_on(self, number: int) -> None:
        for waiting in self._fetches.pop(number, ()):
            if not waiting.done():
                waiting.set_result(None)

    def _let_go(self, number: int) -> None:
        del self.values[number]
        self.freed.append(self._names[number])

    def _number(self, kept: object) -> int:
        assert isinstance(kept, Kept)
        assert isinstance(kept.key, int)
        return kept.key

    def _kept(self, which: str) -> int:
        return max(number for number, name in self._names.items() if name == which)
