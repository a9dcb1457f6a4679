"""Works out a schedule of a network whose points need something scarce: slots, calls a second. Pure.

As `network.list_schedule`, which knows nothing of that and is quicker.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from heapq import heappop, heappush
from math import inf
from typing import Final, NamedTuple

from .network import Network, to_the_end

Needs = tuple[tuple[int, float], ...]
"""What a point needs: numbers of what is scarce, each with how much of it."""
_ROUNDING: Final = 1e-9  # sums of fractions are off by less, as a part of all that there is


class Scarce(NamedTuple):
    """Something that points share.

    Args:
        slots: how much may be in use at once.
        pace: how much may begin in a unit of time, on average; infinite for any.
        burst: how much may begin at once after a pause.
    """

    slots: float = inf
    pace: float = inf
    burst: float = inf


class _Store:
    """What is left of something scarce."""

    __slots__ = ("_filled", "_tokens", "free", "scarce")

    def __init__(self, scarce: Scarce) -> None:
        self.scarce = scarce
        self.free = scarce.slots
        self._tokens = scarce.burst
        self._filled: float = 0

    def fill(self, now: float) -> None:
        if self.scarce.pace < inf:
            self._tokens = min(self.scarce.burst, self._tokens + (now - self._filled) * self.scarce.pace)
        self._filled = now

    def lacks(self, amount: float) -> float:
        """How long it takes until there is so much by itself; infinite if that needs something to end."""
        rounding = _ROUNDING * amount
        if self.free < amount - rounding or self.scarce.burst < amount - rounding:
            return inf
        if self.scarce.pace == inf or self._tokens >= amount - rounding:
            return 0
        return (amount - self._tokens) / self.scarce.pace

    def take(self, amount: float) -> None:
        self.free -= amount
        if self.scarce.pace < inf:
            self._tokens -= amount


class LimitedSchedule:
    """A list schedule: whatever comes free goes to those that can begin with it, of which the first in rank is asked
    first.

    Args:
        after: of each point, what comes after it.
        order: all points, each behind those before it.
        weights: how long each takes.
        works: whether a point needs a worker.
        workers: how many there are; 1 or more.
        scarce: all that is.
        needs: what points need of it, by point, from their beginning to their end.
        held: points that hold what another has needed until they are over, by that one.
        first: of each point, how high it stands; the highest goes first, and then what has most before the end.

    Attributes:
        begins: when each point begins; infinite for one that never can.
    """

    def __init__(
        self,
        after: Network,
        order: Sequence[int],
        weights: Sequence[float],
        works: Sequence[bool],
        workers: int,
        scarce: Sequence[Scarce],
        needs: Mapping[int, Needs],
        held: Mapping[int, int],
        first: Sequence[float] | None = None,
    ) -> None:
        self._after, self._weights, self._works, self._workers = after, weights, works, workers
        self._needs, self._held = needs, held
        self._gives_back = {end: begin for begin, end in held.items()}
        self._stores = [_Store(each) for each in scarce]
        lengths = to_the_end(after, order, weights)
        by_rank = sorted(
            range(len(after)), key=lambda point: (-first[point] if first else 0, -lengths[point])
        )
        self._by_rank = by_rank
        self._rank = [0] * len(after)
        for place, point in enumerate(by_rank):
            self._rank[point] = place
        self._before = [0] * len(after)
        for followers in after:
            for follower in followers:
                self._before[follower] += 1
        self._lines: dict[tuple[bool, Needs], list[int]] = {}  # ranks of those that need the same
        self._under_way: list[tuple[float, int]] = []  # ends, and points; -1 for when tokens have come in
        self.begins: list[float] = [inf] * len(after)
        self._run([point for point in order if not self._before[point]])

    def _run(self, released: list[int]) -> None:
        now: float = 0
        while True:
            while released:
                self._queue(released.pop(0), now, released)
            wakes = self._begin_all(now, released)
            if released:
                continue
            if wakes < inf:
                heappush(self._under_way, (now + wakes, -1))
            if not self._under_way:
                return
            now = self._under_way[0][0]
            while self._under_way and self._under_way[0][0] == now:
                point = heappop(self._under_way)[1]
                if point >= 0:
                    self._end(point, released)

    def _queue(self, point: int, now: float, released: list[int]) -> None:
        """A point can begin, but for what it needs."""
        needs = self._needs.get(point, ())
        if self._works[point] or needs:
            heappush(self._lines.setdefault((self._works[point], needs), []), self._rank[point])
        else:
            self._begin(point, now, released)

    def _begin_all(self, now: float, released: list[int]) -> float:
        """Begin what has all that it needs. Returns how long it is until tokens come in that somebody waits for."""
        for store in self._stores:
            store.fill(now)
        heads = [(line[0], key) for key, line in self._lines.items()]
        heads.sort(reverse=True)
        wakes = inf
        while heads:
            rank, key = heads.pop()
            works, needs = key
            waits: float = max((self._stores[each].lacks(amount) for each, amount in needs), default=0)
            if waits or (works and not self._workers):
                wakes = min(wakes, waits or inf)
                continue
            line = self._lines[key]
            heappop(line)
            self._workers -= works
            for each, amount in needs:
                self._stores[each].take(amount)
            self._begin(self._by_rank[rank], now, released)
            if line:
                _insert(heads, (line[0], key))
            else:
                del self._lines[key]
        return wakes

    def _begin(self, point: int, now: float, released: list[int]) -> None:
        self.begins[point] = now
        if self._weights[point] or self._works[point]:
            heappush(self._under_way, (now + self._weights[point], point))
        else:
            self._end(point, released)

    def _end(self, point: int, released: list[int]) -> None:
        self._workers += self._works[point]
        if point not in self._held:
            for each, amount in self._needs.get(self._gives_back.get(point, point), ()):
                self._stores[each].free += amount
        for follower in self._after[point]:
            self._before[follower] -= 1
            if not self._before[follower]:
                released.append(follower)


def _insert(heads: list[tuple[int, tuple[bool, Needs]]], head: tuple[int, tuple[bool, Needs]]) -> None:
    """Into a list that is sorted backwards, at whose end the first stands: mostly it is the next."""
    place = len(heads)
    while place and heads[place - 1] < head:
        place -= 1
    heads.insert(place, head)
