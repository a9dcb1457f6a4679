"""What fits on a page of a timeline: bars that are too narrow to be seen become bands, and an axis gets its ticks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import ceil, floor, log10
from typing import Final, NamedTuple

from .timeline import Bars

_MINUTE, _HOUR, _DAY = 60.0, 3_600.0, 86_400.0
_LONG: Final = (
    *(_MINUTE * each for each in (1, 2, 5, 10, 15, 30)),
    *(_HOUR * each for each in (1, 2, 3, 6, 12)),
    *(_DAY * each for each in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)),
)


class Band(NamedTuple):
    """Bars of one row that stand for one, or for several that are too narrow.

    Args:
        begin: of the first, in seconds.
        end: of the last.
        busy: seconds that they are together.
        first: the place of the first in `Bars`.
        size: how many they are; the places follow one another.
    """

    begin: float
    end: float
    busy: float
    first: int
    size: int

    @property
    def places(self) -> range:
        """Of its bars."""
        return range(self.first, self.first + self.size)


def folded(bars: Bars, first: int, last: int, least: float) -> Iterator[Band]:
    """The bars of one row, those narrower than something joined with their narrow neighbours that touch them, nearly.

    The busy seconds of all bands are those of all bars. None is joined across a gap that could be seen.

    Args:
        bars: of which some are one row, in order.
        first: the place of the first.
        last: that after the last.
        least: seconds that are wide enough to be seen.
    """
    begin, end, busy, since, size = 0.0, 0.0, 0.0, first, 0
    for at in range(first, last):
        one, other = bars.begin[at], bars.end[at]
        is_wide = other - one >= least
        if size and (is_wide or one - end >= least or one - begin >= 4 * least):
            yield Band(begin, end, busy, since, size)
            size = 0
        if is_wide:
            yield Band(one, other, other - one, at, 1)
            continue
        if not size:
            begin, busy, since = one, 0.0, at
        end, busy, size = other, busy + other - one, size + 1
    if size:
        yield Band(begin, end, busy, since, size)


def most_of(bars: Bars, band: Band, of: Iterable[int]) -> int:
    """What most of the time in a band is of.

    Args:
        bars: among which it is.
        band: of them.
        of: for each bar of the band, what its time counts for.
    """
    sums: dict[int, float] = {}
    for at, key in zip(band.places, of, strict=True):
        sums[key] = sums.get(key, 0.0) + bars.end[at] - bars.begin[at]
    return max(sums, key=lambda key: (sums[key], -key))


def step_of(seconds: float, most: int) -> float:
    """How far the ticks of an axis are apart: a round number in its unit, so that there are not too many.

    Args:
        seconds: how long the axis is; more than 0.
        most: how many ticks there may be, two or more.
    """
    least = seconds / most
    if least > 30:
        return next((step for step in _LONG if step >= least), ceil(least / _LONG[-1]) * _LONG[-1])
    power = 10.0 ** floor(log10(least))
    step = next(power * each for each in (1, 2, 5, 10) if power * each >= least * (1 - 1e-9))
    return _MINUTE if step > 30 else step


def ticks(begin: float, end: float, most: int = 10) -> list[tuple[float, str]]:
    """Moments of an axis and what they are called: "0 s", "0.5 s", "1 s"; "2 min", "1 h 30 min".

    They cover it: none of its ends is as far from a tick as two ticks are from each other.

    Args:
        begin: of the axis, in seconds.
        end: after that.
        most: how many there may be.
    """
    if not end > begin:
        return [(begin, label(begin, 1.0))]
    step = step_of(end - begin, most)
    first, last = ceil(begin / step - 1e-9), floor(end / step + 1e-9)
    return [(number * step, label(number * step, step)) for number in range(first, last + 1)]


def label(time: float, step: float) -> str:
    """What a tick is called, where ticks are a step apart."""
    if step >= _MINUTE:
        return _long(round(time / _MINUTE))
    scale, unit = next(
        ((scale, unit) for scale, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")) if step >= scale * 0.0999),
        (1e-9, "ns"),
    )
    if time >= 1.0 and unit != "s":
        scale, unit = 1.0, "s"
    digits = max(0, ceil(-log10(step / scale) - 1e-9))
    return f"{time / scale:,.{digits}f} {unit}"


def _long(minutes: int) -> str:
    days, minutes = divmod(minutes, 24 * 60)
    hours, minutes = divmod(minutes, 60)
    parts = [f"{number:,} {unit}" for number, unit in ((days, "d"), (hours, "h"), (minutes, "min")) if number]
    return " ".join(parts) or "0"
