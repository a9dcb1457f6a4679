"""Works out what follows from points and what comes after each: order, circles, longest paths, a schedule. Pure.

Points are numbers from 0 on, and a network is, for each, the points after it; the same one may stand there twice.
What a point means, and how much it weighs, is not known here. All is linear in points and arrows, but for the
schedule, which sorts; nothing recurses.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush

Network = Sequence[Sequence[int]]


def in_order(after: Network) -> list[int]:
    """The points, each behind all that come before it; those on a circle, and behind one, are left out.

    Args:
        after: of each point, what comes after it.
    """
    before = _arrows_into(after)
    order = [point for point, count in enumerate(before) if not count]
    for point in order:  # which grows meanwhile
        for follower in after[point]:
            before[follower] -= 1
            if not before[follower]:
                order.append(follower)
    return order


def circle(after: Network, order: Sequence[int]) -> list[int]:
    """The points of a circle, each before the next and the last before the first; none if there is no circle.

    Args:
        after: of each point, what comes after it.
        order: what `in_order` has found.
    """
    rest = set(range(len(after))).difference(order)
    if not rest:
        return []
    # Something that is left comes before each that is left, so that the way back comes round.
    before = {follower: point for point in rest for follower in after[point] if follower in rest}
    point = min(rest)
    seen: dict[int, int] = {}
    while point not in seen:
        seen[point] = len(seen)
        point = before[point]
    return [each for each in seen if seen[each] >= seen[point]][::-1]


def earliest(after: Network, order: Sequence[int], weights: Sequence[float]) -> tuple[list[float], list[int]]:
    """When each point can begin if nothing but those before it holds it up.

    Args:
        after: of each point, what comes after it.
        order: all points, each behind those before it.
        weights: how long each takes.

    Returns:
        The beginnings, and of each point which one before it held it up last; -1 if none is before it.
    """
    begins: list[float] = [0] * len(after)
    held_by = [-1] * len(after)
    for point in order:
        end = begins[point] + weights[point]
        for follower in after[point]:
            if end > begins[follower] or held_by[follower] < 0:
                begins[follower] = end
                held_by[follower] = point
    return begins, held_by


def to_the_end(after: Network, order: Sequence[int], weights: Sequence[float]) -> list[float]:
    """The length of the longest path that begins with each point, itself included.

    Args:
        after: of each point, what comes after it.
        order: all points, each behind those before it.
        weights: how long each takes.
    """
    lengths: list[float] = [0] * len(after)
    for point in reversed(order):
        longest: float = 0
        for follower in after[point]:
            if lengths[follower] > longest:
                longest = lengths[follower]
        lengths[point] = longest + weights[point]
    return lengths


def longest_path(after: Network, order: Sequence[int], weights: Sequence[float]) -> tuple[list[int], float]:
    """The points of a path that takes longest, and how long it takes.

    Args:
        after: of each point, what comes after it.
        order: all points, each behind those before it.
        weights: how long each takes.
    """
    begins, held_by = earliest(after, order, weights)
    length: float = 0
    point = -1
    for each in order:
        end = begins[each] + weights[each]
        if end > length or point < 0:
            length, point = end, each
    path = []
    while point >= 0:
        path.append(point)
        point = held_by[point]
    return path[::-1], length


def most_at_once(begins: Sequence[float], ends: Sequence[float]) -> int:
    """How many of some stretches of time overlap at most; those of no length count for nothing.

    Args:
        begins: of each stretch.
        ends: of each; what ends when another begins does not overlap with it.
    """
    steps = [(begin, 1) for begin, end in zip(begins, ends, strict=True) if begin < end]
    steps += [(end, -1) for begin, end in zip(begins, ends, strict=True) if begin < end]
    steps.sort()
    most = now = 0
    for _, step in steps:
        now += step
        most = max(most, now)
    return most


def list_schedule(
    after: Network, order: Sequence[int], weights: Sequence[float], works: Sequence[bool], workers: int
) -> list[float]:
    """When each point begins if a worker that comes free takes, of what can begin, that with most before the end.

    Args:
        after: of each point, what comes after it.
        order: all points, each behind those before it.
        weights: how long each takes.
        works: whether a point needs a worker; the others begin as soon as they can.
        workers: how many there are; 1 or more.
    """
    lengths = to_the_end(after, order, weights)
    by_rank = sorted(range(len(after)), key=lambda point: -lengths[point])
    rank = [0] * len(after)
    for place, point in enumerate(by_rank):
        rank[point] = place
    before = _arrows_into(after)
    begins: list[float] = [0] * len(after)
    ready: list[int] = []  # ranks
    under_way: list[tuple[float, int]] = []  # ends and points
    released = [point for point in order if not before[point]]
    now: float = 0
    while released or ready or under_way:
        for point in released:  # which grows meanwhile
            if works[point]:
                heappush(ready, rank[point])
                continue
            begins[point] = now
            if weights[point]:
                heappush(under_way, (now + weights[point], point))
            else:
                _release(after[point], before, released)
        while workers and ready:
            point = by_rank[heappop(ready)]
            begins[point] = now
            workers -= 1
            heappush(under_way, (now + weights[point], point))
        released = []
        if under_way:
            now = under_way[0][0]
        while under_way and under_way[0][0] == now:
            point = heappop(under_way)[1]
            workers += works[point]
            _release(after[point], before, released)
    return begins


def _release(followers: Sequence[int], before: list[int], released: list[int]) -> None:
    """Count down what comes after a point that is over, and add what can begin now."""
    for follower in followers:
        before[follower] -= 1
        if not before[follower]:
            released.append(follower)


def _arrows_into(after: Network) -> list[int]:
    counts = [0] * len(after)
    for followers in after:
        for follower in followers:
            counts[follower] += 1
    return counts
