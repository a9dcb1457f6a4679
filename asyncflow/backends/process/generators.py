"""Where generators stay between two slices, and the slices that have to go there."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextvars import Context
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeAlias, TypeVar

from ..._worker.generators import close, close_later
from ...backend import CANCELLED, FAILED, SUCCEEDED, CarriedFiles, Event, Report, Work
from ...errors import WorkerDied

_CLOSING: Final = 1 << 47  # added to a generator's number it is the id of the call that closes it
_ENDS: Final = (SUCCEEDED, FAILED, CANCELLED)
Died: TypeAlias = Callable[[Work], Exception]
"""Makes the error of a slice whose generator is no more."""
Place = TypeVar("Place")


class Generators(Generic[Place]):
    """The generators of one start. A place is a process, or an agent.

    Args:
        report: the engine's.
    """

    def __init__(self, report: Report) -> None:
        self._report = report
        self._places: dict[int, Place] = {}  # by the generators' numbers
        self._lost: dict[int, Died] = {}
        self._async: set[int] = set()
        self._closing: dict[int, asyncio.Future[BaseException | None]] = {}  # by the numbers of calls
        self.slices: dict[Place, deque[int]] = {}
        """Numbers of slices that wait, by the place where their generators are."""

    def __bool__(self) -> bool:
        return bool(self._places or self._lost)

    def are_at(self, place: Place) -> bool:
        """Whether there is one at a place."""
        return place in self.slices

    def stays(self, number: int, place: Place, is_async: bool) -> None:
        """A generator stays at a place."""
        self._places[number] = place
        if is_async:
            self._async.add(number)
        self.slices.setdefault(place, deque())

    def ended(self, number: int) -> Place | None:
        """A generator stays nowhere any more.

        Returns:
            The place where it was, if that has none now.
        """
        place = self._places.pop(number, None)
        self._async.discard(number)
        if place is None or place in self._places.values():
            return None
        self.slices.pop(place, None)
        return place

    def lose(self, place: Place, died: Died) -> list[int]:
        """A place is no more.

        Returns:
            The slices that waited to go there.
        """
        slices = self.slices.pop(place, ())
        lost = [number for number, at in self._places.items() if at is place]
        for number in lost:
            self.ended(number)
            self._lost[number] = died
            closing = self._closing.get(_CLOSING + number)
            if closing is not None and not closing.done():
                closing.set_result(None)
        return list(slices)

    def closed_at(self, call: int) -> None:
        """A place has ended while it ran a call: if that closes a generator, nobody will ask for that again."""
        self._lost.pop(call - _CLOSING, None)

    def forget(self) -> None:
        """All places are to end."""
        self._places.clear()
        self._lost.clear()
        self._async.clear()
        self.slices.clear()

    def queue_of(self, work: Work) -> deque[int]:
        """Where a slice waits.

        Raises:
            Exception: its generator is no more.
        """
        number = work.generator
        assert number is not None
        place = self._places.get(number)
        if place is not None:
            return self.slices[place]
        died = self._lost.get(number, _gone)
        if work.id > _CLOSING:
            self._lost.pop(number, None)
        raise died(work)

    # -- closing --------------------------------------------------------------------------------------------

    def reported(self, events: Sequence[Event]) -> None:
        """Report what is the engine's to know."""
        if self._closing:
            events = [event for event in events if event[1] < _CLOSING or self._was_closed(*event)]
            if not events:
                return
        self._report(events)

    def _was_closed(self, kind: int, call: int, payload: object) -> bool:
        closing = self._closing.get(call)
        if closing is not None and kind in _ENDS and not closing.done():
            closing.set_result(payload if isinstance(payload, BaseException) else None)
        return False

    async def close(self, number: int, submit: Callable[[Sequence[Work]], None]) -> None:
        """Close a generator where it lives, and wait until that is done.

        Args:
            number: of it.
            submit: takes the call that does it.

        Raises:
            BaseException: what it does not clean up.
        """
        if number not in self._places and number not in self._lost:
            return
        is_async = number in self._async
        call = Closing(number, close_later if is_async else close, is_async)
        closing = self._closing[call.id] = asyncio.get_running_loop().create_future()
        try:
            submit([call])
            problem = await closing
        finally:
            del self._closing[call.id]
            self._lost.pop(number, None)
        if problem is not None and not isinstance(problem, WorkerDied):
            raise problem


def _gone(work: Work) -> Exception:
    return RuntimeError(
        f"the generator of {work.name!r} (#{work.id}) was closed before; this is a bug in asyncflow"
    )


@dataclass(eq=False)
class Closing:
    """The call that closes a generator, as `Work`. The engine does not know it."""

    generator: int
    fn: Callable[..., object]
    is_coroutine: bool
    name: str = "a generator"
    attempt: int = 1
    is_tagged: bool = False
    timeout: float | None = None
    tells_start: bool = False
    link: Work | None = None
    carried: CarriedFiles | None = None
    keep: bool | None = False
    example: object = None
    returns: type | None = None
    context: Context | None = None

    @property
    def id(self) -> int:
        """No task has it."""
        return _CLOSING + self.generator

    @property
    def identity(self) -> tuple[int, str, int, str | None, str | None, tuple[int, ...]]:
        """Of no task."""
        return self.id, self.name, 1, None, None, ()

    @property
    def args(self) -> tuple[object, ...]:
        """The generator's number."""
        return (self.generator,)

    @property
    def kwargs(self) -> Mapping[str, Any]:
        """None."""
        return {}
