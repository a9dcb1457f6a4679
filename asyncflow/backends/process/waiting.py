"""Work that no process has yet: in which order it goes, and packed as far as it is. Knows no process."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Container, Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Protocol

from ..._core.pace import FRAME_LEAST, FRAME_SECONDS
from ..._worker import wire
from ...backend import CANCELLED, FAILED, RETURNED, Report, Work
from .generators import Generators
from .packing import Packed
from .porter import Porter


class Packs(Protocol):
    """What packs calls, as `Book` does."""

    def is_outdated(self) -> bool:
        """As for `Book`."""

    def pack(self, work: Work, linked: bool) -> Packed:
        """As for `Book`."""


class Waiting:
    """The work that waits.

    Args:
        report: the engine's.
        book: packs it.
        porter: writes what is large; None if it stays where it is.
        workers: how many processes there may be.
        ready: is called when what was being written can go.
        generators: whose slices go where they are.
    """

    def __init__(
        self,
        report: Report,
        book: Packs,
        porter: Porter | None,
        workers: int,
        ready: Callable[[], None],
        generators: Generators[Any],
    ) -> None:
        self._generators = generators
        self._loop = asyncio.get_running_loop()
        self._report = report
        self._porter = porter
        self._ready = ready
        self._book = book
        self._written: dict[int, Packed] = {}  # calls that were packed and could not be sent yet
        self._works: dict[int, Work] = {}
        self.heads: deque[int] = deque()  # numbers of those that begin a chain, or are alone
        self._heavy: deque[int] = deque()  # heads for whose memory it is not yet time
        self._most_written = workers + 1
        self._carried: set[int] = set()  # heads of which the porter writes a call, or will

    def is_outdated(self) -> bool:
        """As for `Book`."""
        return self._book.is_outdated()

    def add(self, batch: Sequence[Work]) -> None:
        """Take the heads of chains, with all that is linked to them."""
        if self._generators:
            batch = self._without_slices(batch)
        for head in batch:
            self.heads.append(head.id)
            work: Work | None = head
            while work is not None:
                self._works[work.id] = work
                work = work.link

    def add_again(self, works: Sequence[Work], heads: Sequence[int]) -> None:
        """Take back work that a process has not begun; it goes before all other work. ``heads`` are the numbers of
        those that begin a chain."""
        if self._generators:
            works = self._without_slices(works)
            there = {work.id for work in works}
            heads = [head for head in heads if head in there]
        self._works.update((work.id, work) for work in works)
        self.heads.extendleft(reversed(heads))

    def _without_slices(self, works: Sequence[Work]) -> list[Work]:
        """Let slices wait for where their generators are; those whose generator is no more fail.

        Returns:
            All other work.
        """
        slices = [work for work in works if work.generator is not None]
        self._works.update((work.id, work) for work in slices)
        self.put_in_place([work.id for work in slices])
        return [work for work in works if work.generator is None]

    def put_in_place(self, slices: Iterable[int]) -> None:
        """Let slices wait for where their generators are by now.

        Args:
            slices: their numbers.
        """
        for number in slices:
            work = self._works.get(number)  # None: cancelled
            if work is None:
                continue
            try:
                self._generators.queue_of(work).append(number)
            except Exception as error:
                del self._works[number]
                self._written.pop(number, None)
                self._report([(FAILED, number, error)])

    def call_heavy(self) -> None:
        """Let those go on for whose memory it is time now."""
        if self._heavy:
            called = [self._heavy.popleft() for _ in range(min(self._room(), len(self._heavy)))]
            self.heads.extendleft(reversed(called))

    def _room(self) -> int:
        """How many more heavy calls may be written into memory. All that wait at once would take all there is."""
        ahead = len(self._carried) + sum(each.file >= 0 for each in self._written.values())
        return max(0, self._most_written - ahead)

    def recover(self) -> None:
        """Queue what was cut short on its way: all that begins a chain and is not queued goes before all others."""
        linked = {work.link.id for work in self._works.values() if work.link is not None}
        queued = {*self.heads, *self._heavy, *self._carried}.union(*self._generators.slices.values())
        again = [number for number in self._works if number not in queued and number not in linked]
        slices = [number for number in again if self._works[number].generator is not None]
        self.put_in_place(slices)
        self.heads.extendleft([number for number in again if number not in slices][::-1])

    def __contains__(self, task_id: int) -> bool:
        return task_id in self._works

    # -- frames -------------------------------------------------------------------------------------------

    def frame(
        self,
        most: int,
        known: Container[int],
        budget: float = FRAME_SECONDS,
        slices: deque[int] | None = None,
    ) -> tuple[list[Packed], list[int]]:
        """The calls to send next, perhaps none, and those of them that are heads of chains; they stay here until
        `sent`. A chain is not cut for ``most``, nor for the ``budget``, seconds of work; what takes hardly any time is
        not spread over several frames for ``most``. Functions that are ``known`` need not be sent. Of ``slices``, that
        wait for one place, in their stead."""
        frame: list[Packed] = []
        heads: list[int] = []
        size = 0
        left = budget - FRAME_LEAST
        queue = self.heads if slices is None else slices
        while queue and (len(frame) < most or budget > left) and budget > 0 and size < wire.FRAME_BYTES:
            head = queue.popleft()
            chain, bytes_more = self._packed(head, known)
            if not chain:
                continue
            heads.append(head)
            frame += chain
            size += bytes_more
            for each in chain:
                budget -= each.function.pace.seconds
                if slices is not None:
                    each.flags |= wire.PINNED
        return frame, heads

    def sent(self, frame: Sequence[Packed]) -> None:
        """A process has a frame."""
        for each in frame:
            del self._works[each.work.id]

    def not_sent(
        self, frame: Sequence[Packed], heads: Sequence[int], slices: deque[int] | None = None
    ) -> None:
        """No process could take a frame now: it goes before all others, or of ``slices`` before these."""
        self._written.update((each.work.id, each) for each in frame)
        queue = self.heads if slices is None else slices
        queue.extendleft(reversed(heads))

    def cannot_be_sent(self, frame: Sequence[Packed], error: OSError) -> None:
        """A frame is larger than we thought, or no memory is left: these calls alone are lost."""
        for each in frame:
            each.drop()
            del self._works[each.work.id]
        self._report([(FAILED, each.work.id, error) for each in frame])

    def _packed(self, head: int, known: Container[int]) -> tuple[list[Packed], int]:
        """A chain, as far as it can be sent at once, and its size; what fails here fails alone."""
        chain: list[Packed] = []
        size = 0
        work: Work | None = self._works.get(head)  # None: cancelled
        while work is not None and work.id in self._works and size < wire.FRAME_BYTES:
            try:
                packed = self._written.pop(work.id, None) if self._written else None
                if packed is None:
                    packed = self._book.pack(work, linked=bool(chain))
                if packed.parts is not None and packed.is_heavy and self._porter is not None:
                    self._written.update((each.work.id, each) for each in chain)
                    self._carry(packed, head, self._porter)
                    return [], 0
                chain.append(packed)
                size += packed.size
                if packed.function.number not in known:
                    size += packed.function.size
            except Exception as error:
                del self._works[work.id]
                self._report([(FAILED, work.id, error)])
                work = work.link
                break
            work = work.link
        self._return_links(work)
        return chain, size

    def _carry(self, packed: Packed, head: int, porter: Porter) -> None:
        if not self._room():
            self._heavy.append(head)  # and packed again in time: what is packed may hold as much again
            return
        self._carried.add(head)
        porter.carry(partial(self._write, packed, head))

    def _write(self, packed: Packed, head: int) -> None:
        """On the porter's thread."""
        error = None
        try:
            packed.write()
        except Exception as problem:  # no memory left
            error = problem
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._was_written, packed, head, error)

    def _was_written(self, packed: Packed, head: int, error: Exception | None) -> None:
        task_id = packed.work.id
        self._carried.discard(head)
        if task_id not in self._works:
            packed.drop()  # cancelled meanwhile
        elif error is not None:
            del self._works[task_id]
            self._report([(FAILED, task_id, error)])
            self._return_links(packed.work.link)
        else:
            self._written[task_id] = packed
        self.heads.appendleft(head)
        self._ready()

    def _return_links(self, work: Work | None) -> None:
        """What was linked to work that does not go on goes back to the engine, which knows why."""
        while work is not None:
            packed = self._written.pop(work.id, None)
            if packed is not None:
                packed.drop()  # it was packed as a link, which it may not be the next time
            if self._works.pop(work.id, None) is not None:
                self._report([(RETURNED, work.id, None)])
            work = work.link

    # -- what does not go ---------------------------------------------------------------------------------

    def cancel(self, task_id: int) -> bool:
        """Drop a task that waits here, and give back what was linked to it.

        Returns:
            False if it does not wait here.
        """
        work = self._works.pop(task_id, None)
        if work is None:
            return False
        if task_id in self._written:
            self._written.pop(task_id).drop()
        self._report([(CANCELLED, task_id, None)])
        self._return_links(work.link)
        if self._heavy:
            self._ready()  # one of them may be written now
        return True

    def last(self, most: int) -> tuple[int, list[int]]:
        """Let go of those that would come last, unreported, with what is linked to them: so many heads at most.

        Returns:
            How many heads, and the numbers of all, in order, each head before its links.
        """
        given: list[list[int]] = []
        while self.heads and len(given) < most:
            chain: list[int] = []
            work = self._works.get(self.heads.pop())
            while work is not None and self._works.pop(work.id, None) is not None:
                if work.id in self._written:
                    self._written.pop(work.id).drop()
                chain.append(work.id)
                work = work.link
            if chain:
                given.append(chain)
        return len(given), [task_id for chain in reversed(given) for task_id in chain]

    def cancel_all(self) -> None:
        """Let go of all work."""
        for task_id in list(self._works):
            self.cancel(task_id)

    def give_up(self) -> list[Work]:
        """Let go of all work, unreported, and tell which it was."""
        works, self._works = self._works, {}
        self.heads.clear()
        self._heavy.clear()
        return list(works.values())

    def close(self) -> None:
        """Give back what was written."""
        for packed in self._written.values():
            packed.drop()
