"""Decides which tasks may go on that share something scarce: slots of a service, calls a second, memory, GPUs.

Tasks wait in one queue, ordered by priority and then by when they came. All that a task needs is taken at once, so
that no order of taking can end in a deadlock. Whoever cannot be served yet has a claim on what is free: those behind
may take what is left over, and nothing that would keep it waiting. So a heavy task waits for what runs now, and no
longer.

Nothing here reads a clock: times are seconds on any clock that does not go back, given by the caller.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping
from numbers import Real
from typing import Any, ClassVar, Final, Generic, NamedTuple, TypeAlias, TypeGuard, TypeVar

from .near import meant

T = TypeVar("T")
_ROUNDING: Final = 1e-9  # sums of fractions are off by less, as a part of all that there is
_NUMBERS: Final[Any] = Real  # of any library, as its kind says


class Limit:
    """Something scarce that tasks share, as the slots of a service.

    One object may limit the tasks of several engines on one event loop.

    Args:
        name: what errors and reports call it, and tasks with ``limits="name"``.
        concurrency: how much may be in use at once; a task uses its weight from its start to its end.
        rate: how much may begin in ``per`` seconds, on average; a task takes its weight when it begins.
        per: seconds.
        burst: how much may begin at once after a pause.

    Raises:
        ValueError: a number is not above 0, or neither `concurrency` nor `rate` is given.
    """

    kind: ClassVar[str] = "limit"

    def __init__(
        self,
        name: str,
        *,
        concurrency: float | None = None,
        rate: float | None = None,
        per: float = 1.0,
        burst: float = 1,
    ) -> None:
        if concurrency is None and rate is None:
            raise ValueError(f"limit {name!r} needs concurrency=... or rate=...")
        self.name = name
        self.used = 0.0
        self._tokens = self._check("burst", burst)
        self._refilled: float | None = None  # when the tokens were counted last
        self.concurrency = concurrency
        self.rate = rate
        self.per = per
        self.burst = burst
        self.on_change: Callable[[], None] | None = None
        """Is called when it was changed, on that thread: somebody who waits may go on."""
        self.change(concurrency=concurrency, rate=rate, per=per, burst=burst)

    def change(
        self,
        *,
        concurrency: float | None = None,
        rate: float | None = None,
        per: float | None = None,
        burst: float | None = None,
    ) -> None:
        """Set what is given anew, also while tasks wait for it; what runs goes on.

        Args:
            concurrency: as for the limit itself, and so on.

        Raises:
            ValueError: a number is not above 0.
        """
        if concurrency is not None:
            self.concurrency = self._check("concurrency", concurrency)
        if rate is not None:
            self.rate = self._check("rate", rate)
        if per is not None:
            self.per = self._check("per", per)
        if burst is not None:
            self.burst = self._check("burst", burst)
            self._tokens = min(self._tokens, burst)
        if self.on_change is not None:
            self.on_change()

    def start_over(self) -> None:
        """What has used it is gone, and with it the clock that tokens went by."""
        self._refilled = None
        self.used = 0.0

    def _check(self, option: str, number: float) -> float:
        if not _is_amount(number):
            raise ValueError(f"limit {self.name!r}: {option}={number!r}; it must be a number above 0")
        return number

    def most(self) -> float:
        """The largest weight that can ever be met."""
        slots = float("inf") if self.concurrency is None else self.concurrency
        return min(slots, float("inf") if self.rate is None else self.burst)

    def rounding(self) -> float:
        """What does not count."""
        return self.most() * _ROUNDING

    def free(self, now: float) -> float:
        """How much could be taken now."""
        slots = float("inf") if self.concurrency is None else self.concurrency - self.used
        if self.rate is None:
            return slots
        if self._refilled is not None:
            self._tokens = min(self.burst, self._tokens + (now - self._refilled) * self.rate / self.per)
        self._refilled = now
        return min(slots, self._tokens)

    def spare(self) -> float:
        """How much could be taken with half of it left to others; nothing of a rate, which counts what begins."""
        if self.rate is not None or self.concurrency is None:
            return 0.0
        return self.concurrency / 2 - self.used

    def take(self, weight: float) -> None:
        """Use so much, from what `free` has told."""
        self.used += weight
        if self.rate is not None:
            self._tokens -= weight

    def give_back(self, weight: float) -> None:
        """What has used so much is over. What has begun stays begun: tokens come back by time only."""
        self.used -= weight
        if abs(self.used) < self.rounding():
            self.used = 0.0

    def ready_in(self, weight: float) -> float | None:
        """Seconds until there are tokens for so much; None if it is not for tokens that it waits.

        Args:
            weight: at most `burst`.
        """
        if self.rate is None or self._tokens >= weight - self.rounding():
            return None
        return (weight - self._tokens) * self.per / self.rate

    def shown(self, number: float) -> str:
        """So much of it, in words."""
        return f"{number:g}"

    def told(self) -> str:
        """How much of it is in use, in words."""
        most = self.concurrency
        slots = "" if most is None else f"{self.shown(self.used)} of {self.shown(most)} are in use"
        pace = "" if self.rate is None else f"{self.rate:g} may begin in {self.per:g} s"
        return f"{slots}; {pace}" if slots and pace else slots or pace

    def __repr__(self) -> str:
        return f"<Limit {self.name!r}: {self.told()}>"


class Waiting(NamedTuple, Generic[T]):
    """One that waits, ordered as it is to be served."""

    priority: float  # below 0 first
    number: int
    what: T
    amounts: Mapping[Limit, float]


class Queue(Generic[T]):
    """All that wait for limits, of all engines on one event loop.

    What waits for the same limits is one line, so that a line which cannot move costs one look, however long it is.
    """

    def __init__(self) -> None:
        self._lines: dict[tuple[Limit, ...], list[Waiting[T]]] = {}
        self._numbers = 0
        self._gone: set[int] = set()  # numbers of those who have left and stand in a line still
        self._number_of: dict[T, int] = {}
        self.never: list[Waiting[T]] = []
        """Those that were taken out since there will never be so much any more; who has told them empties it."""
        self.wakes_at: float | None = None
        """When tokens come in that somebody waits for; None if nobody does. As of the last `admit`."""

    def __len__(self) -> int:
        return len(self._number_of)

    def __contains__(self, what: T) -> bool:
        return what in self._number_of

    def join(self, what: T, amounts: Mapping[Limit, float], priority: float = 0) -> None:
        """Wait for amounts of limits. Higher priorities are served first.

        Raises:
            ValueError: there will never be so much of one.
        """
        check_amounts(amounts)
        self._numbers += 1
        self._number_of[what] = self._numbers
        line = self._lines.setdefault(tuple(amounts), [])
        heapq.heappush(line, Waiting(-priority, self._numbers, what, amounts))

    def leave(self, what: T) -> None:
        """Wait no longer, as what was cancelled. Nothing happens if it does not wait."""
        number = self._number_of.pop(what, None)
        if number is not None:
            self._gone.add(number)
            if len(self._gone) > len(self._number_of):  # behind one that does not move they would gather
                self._clear()

    def _clear(self) -> None:
        for limits, line in list(self._lines.items()):
            line[:] = [each for each in line if each.number not in self._gone]
            heapq.heapify(line)
            if not line:
                del self._lines[limits]
        self._gone.clear()

    def admit(self, now: float) -> list[Waiting[T]]:
        """Those that can go on, for whom all that they need has been taken, in order."""
        self.wakes_at = None
        free: dict[Limit, float] = {}
        heads: list[tuple[Waiting[T], tuple[Limit, ...]]] = []
        for limits in list(self._lines):
            for limit in limits:
                if limit not in free:
                    free[limit] = limit.free(now)
            self._step_up(limits, heads)
        admitted: list[Waiting[T]] = []
        passed: list[tuple[Waiting[T], tuple[Limit, ...]]] = []
        while heads:
            waiting, limits = heapq.heappop(heads)
            if any(weight > limit.most() for limit, weight in waiting.amounts.items()):
                del self._number_of[waiting.what]  # a limit was changed since it came
                self.never.append(waiting)
                self._step_up(limits, heads)
                continue
            goes_on = all(
                free[limit] >= weight - limit.rounding() for limit, weight in waiting.amounts.items()
            )
            for limit, weight in waiting.amounts.items():
                free[limit] -= weight  # taken, or claimed before all that stand behind
            if goes_on:
                for limit, weight in waiting.amounts.items():
                    limit.take(weight)
                del self._number_of[waiting.what]
                admitted.append(waiting)
            else:
                passed.append((waiting, limits))
                self._note_tokens(waiting, now)
            if goes_on or all(free[limit] > limit.rounding() for limit in limits):
                self._step_up(limits, heads)
        for waiting, limits in passed:
            heapq.heappush(self._lines.setdefault(limits, []), waiting)
        return admitted

    def _step_up(self, limits: tuple[Limit, ...], heads: list[tuple[Waiting[T], tuple[Limit, ...]]]) -> None:
        """The first of a line is to be looked at."""
        line = self._lines[limits]
        while line and line[0].number in self._gone:
            self._gone.discard(heapq.heappop(line).number)
        if line:
            heapq.heappush(heads, (heapq.heappop(line), limits))
        else:
            del self._lines[limits]

    def has_any(self, limits: Iterable[Limit]) -> bool:
        """Whether somebody waits for one of these limits."""
        return bool(self._number_of) and any(limit in line for line in self._lines for limit in limits)

    def ahead_of(self, what: T) -> int:
        """How many wait for the same limits and are to be served before."""
        number = self._number_of[what]
        for line in self._lines.values():
            mine = next((each for each in line if each.number == number), None)
            if mine is not None:
                return sum(each[:2] < mine[:2] and each.number not in self._gone for each in line)
        return 0

    def _note_tokens(self, waiting: Waiting[T], now: float) -> None:
        waits = [limit.ready_in(weight) for limit, weight in waiting.amounts.items()]
        until = max((now + wait for wait in waits if wait is not None), default=None)
        if until is not None and (self.wakes_at is None or until < self.wakes_at):
            self.wakes_at = until


Weight: TypeAlias = "float | Callable[..., float]"


class Needs:
    """What a task needs of limits, as its options say.

    Args:
        weights: of each limit, or of its name: a number, or a function that makes one of the task's arguments.
    """

    def __init__(self, weights: Mapping[Limit | str, Weight]) -> None:
        self.weights = weights

    def check(self, named: Mapping[str, Limit]) -> None:
        """Refuse what is known already never to be met.

        Raises:
            LookupError: no limit has such a name.
            ValueError: there will never be so much.
        """
        for limit, weight in self.weights.items():
            known = _named(limit, named)
            if not callable(weight):
                check_amounts({known: weight})

    def constant(self, named: Mapping[str, Limit]) -> dict[Limit, float] | None:
        """What each call needs; None if that follows from its arguments.

        Raises:
            LookupError: no limit has such a name.
            ValueError: there will never be so much.
        """
        if any(callable(weight) for weight in self.weights.values()):
            self.check(named)
            return None
        amounts = self.amounts(named, (), {})
        check_amounts(amounts)
        return amounts

    def amounts(
        self, named: Mapping[str, Limit], args: tuple[object, ...], kwargs: Mapping[str, object]
    ) -> dict[Limit, float]:
        """What one call needs; nothing of a limit of which its weight is 0.

        Raises:
            LookupError: no limit has such a name.
            ValueError: a weight is no number, or there will never be so much.
            Exception: what a function that makes a weight raised.
        """
        amounts: dict[Limit, float] = {}
        for limit, weight in self.weights.items():
            needed: Any = weight(*args, **kwargs) if callable(weight) else weight
            if not (isinstance(needed, _NUMBERS) and needed == 0):
                known = _named(limit, named)
                check_amounts({known: needed})
                amounts[known] = amounts.get(known, 0) + needed  # the sum is looked at by `Queue.join`
        return amounts

    def of_attempt(
        self,
        named: Mapping[str, Limit],
        args: tuple[object, ...],
        kwargs: Mapping[str, object],
        attempt: int,
        error: BaseException | None,
    ) -> dict[Limit, float]:
        """What one attempt of a call needs, as `amounts` tells.

        Args:
            named: limits, by name.
            args: of the call.
            kwargs: of the call.
            attempt: its number, 1 for the first.
            error: what the attempt before has failed with; None if there was none.
        """
        return self.amounts(named, args, kwargs)


def needs_of(limits: Mapping[Limit | str, Weight] | None, own: Limit | None) -> Needs | None:
    """What a task's options say that it needs; None for nothing.

    Args:
        limits: each with how much of it.
        own: of this task alone.
    """
    if own is None:
        return Needs(limits) if limits else None
    return Needs({**(limits or {}), own: 1})


def _named(limit: Limit | str, named: Mapping[str, Limit]) -> Limit:
    if isinstance(limit, Limit):
        return limit
    known = named.get(limit)
    if known is None:
        there = f"There are: {', '.join(sorted(named))}. Another is made by" if named else "Make it first:"
        raise LookupError(
            f"no limit is called {limit!r}.{meant(limit, named)}\n  {there}  engine.limit({limit!r}, concurrency=...)"
        )
    return known


def check_amounts(amounts: Mapping[Limit, float]) -> None:
    """Refuse what can never be met.

    Raises:
        ValueError: an amount is not above 0, or more than there will ever be.
    """
    for limit, weight in amounts.items():
        if not _is_amount(weight):
            raise ValueError(
                f"{limit.kind} {limit.name!r}: a weight must be a number above 0, and not {weight!r}"
            )
        if weight > limit.most():
            raise ValueError(
                f"{limit.kind} {limit.name!r}: {limit.shown(weight)} can never be met, "
                f"since there is {limit.shown(limit.most())} at most"
            )


def _is_amount(number: object) -> TypeGuard[float]:
    return isinstance(number, _NUMBERS) and not isinstance(number, bool) and 0 < number < float("inf")


def give_back_all(amounts: Mapping[Limit, float]) -> None:
    """What has used these amounts is over."""
    for limit, weight in amounts.items():
        limit.give_back(weight)
