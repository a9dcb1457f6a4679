"""How much a lane was at at once, by function: what is drawn where rows would be too many."""

from __future__ import annotations

from .._show.over_time import Average
from .._show.timeline import Lane, Layer, Timeline, What
from . import timeline_looks as looks


def at_once(timeline: Timeline, lane: Lane, functions: looks.Functions) -> list[tuple[str, Layer]]:
    """Layers that are stacked: colours with how many there were on average in each stretch of time.

    Args:
        timeline: of the run.
        lane: of whose rows.
        functions: their colours.
    """
    bars = timeline.bars
    sums: dict[str, Average] = {}
    for at, row in enumerate(bars.row):
        if lane.first <= row < lane.first + lane.rows:
            what, function = What(bars.what[at]), functions.of(timeline, bars.task[at])
            plain = what in (What.DONE, What.RUNNING) and function >= 0
            colour = functions.names[function][1] if plain else looks.LOOKS[what].colour
            if colour not in sums:
                sums[colour] = Average(timeline.seconds or 1.0)
            sums[colour].add(bars.begin[at], min(bars.end[at], timeline.seconds))
    named = {colour: name for name, colour in functions.names}
    return [
        (colour, Layer(named.get(colour, colour), None, each.values()))
        for colour, each in sorted(sums.items())
    ]
