"""How much there is of something in each of some equal stretches of time, made of spans: from when to when."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from typing import Final

BINS: Final = 1_000
"""Stretches of time that a series tells of."""


class Average:
    """How many spans there are at once, on average in each of some equal stretches of time.

    Args:
        seconds: how long all is.
        bins: how many stretches.
    """

    def __init__(self, seconds: float, bins: int = BINS) -> None:
        self._width, self._bins = seconds / bins, bins
        self._partly = [0.0] * bins
        self._steps = [0] * (bins + 1)

    def add(self, begin: float, end: float) -> None:
        """One more span."""
        first, last = int(begin / self._width), int(end / self._width)
        first, last = min(first, self._bins - 1), min(last, self._bins - 1)
        if first == last:
            self._partly[first] += end - begin
            return
        self._partly[first] += (first + 1) * self._width - begin
        self._partly[last] += end - last * self._width
        self._steps[first + 1] += 1
        self._steps[last] -= 1

    def values(self) -> array[float]:
        """One for each stretch."""
        values, covered = array("d"), 0
        for partly, step in zip(self._partly, self._steps, strict=False):
            covered += step
            values.append(max(covered + partly / self._width, 0.0))
        return values


def highest(spans: Iterable[tuple[float, float, float]], seconds: float, bins: int = BINS) -> array[float]:
    """The highest sum of the weights of spans at once, in each of some equal stretches of time.

    Args:
        spans: from when to when, and a weight.
        seconds: how long all is.
        bins: how many stretches.
    """
    steps = []
    for begin, end, weight in spans:
        if begin < end:
            steps += [(begin, weight), (end, -weight)]
    steps.sort()  # what ends in a moment goes before what begins in it
    values, width = array("d", [0.0]) * bins, seconds / bins
    now, at = 0.0, 0
    for time, weight in steps:
        place = min(int(time / width), bins - 1)
        while at < place:
            at += 1
            values[at] = now
        now += weight
        values[at] = max(values[at], now)
    while at < bins - 1:
        at += 1
        values[at] = now
    return values
