"""How a timeline looks: each function has a colour, each wait a colour and a pattern; failures have a pattern, too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from .._show.timeline import NOBODY, Series, Timeline, What

OTHERS: Final = "other functions"
_COLOURS: Final = (
    "cat-0",
    "cat-2",
    "cat-6",
    "cat-5",
    "cat-3",
    "cat-4",
)  # cat-1 is too much like what has failed
_REST: Final = "cat-7"


class Look(NamedTuple):
    """How something looks.

    Args:
        colour: name of a variable of the palette, without ``--af-``.
        pattern: one of the palette's patterns; "" for plain colour.
    """

    colour: str
    pattern: str


LOOKS: Final = {
    What.DONE: Look("succeeded", ""),
    What.FAILED: Look("failed", "hatched"),
    What.RETRIED: Look("failed", "rising"),
    What.RUNNING: Look("running", ""),
    What.CANCELLED: Look("cancelled", "rising"),
    What.SKIPPED: Look("skipped", ""),
    What.AWAITED: Look("skipped", "shaded"),
    What.BLOCK: Look("line", ""),
    What.SERVICE: Look("cat-4", ""),
    What.CODE: Look("line", ""),
    What.DEPENDENCY: Look("pending", "dotted"),
    What.STAGING: Look("cat-4", "hatched"),
    What.LIMIT: Look("cat-5", "rising"),
    What.QUEUE: Look("pending", "shaded"),
    What.START: Look("cat-6", "hatched"),
    What.TRANSFER: Look("cat-4", "shaded"),
    What.RETRY: Look("failed", "dotted"),
}


class Functions(NamedTuple):
    """The colours of functions.

    Args:
        names: with their colours, those that ran longest first; the last may be `OTHERS`.
        of_where: for each place of calls of the stories which of `names` it has; -1 for what is no function.
    """

    names: Sequence[tuple[str, str]]
    of_where: Sequence[int]

    def of(self, timeline: Timeline, task: int) -> int:
        """Which of `names` a bar has by its task; -1 for none."""
        return -1 if task == NOBODY else self.of_where[timeline.stories.where[task]]


def functions(timeline: Timeline) -> Functions:
    """A colour for each function that ran longest, and one for all others."""
    stories, bars = timeline.stories, timeline.bars
    by_where = [0.0] * len(stories.wheres)
    seen = [False] * len(stories.wheres)
    for task, begin, end in zip(bars.task, bars.begin, bars.end, strict=True):
        if task != NOBODY:
            by_where[stories.where[task]] += end - begin
            seen[stories.where[task]] = True
    busy: dict[str, float] = {}
    for where, seconds, was_seen in zip(stories.wheres, by_where, seen, strict=True):
        if was_seen and where.kind in ("function", "executable"):
            busy[where.name] = busy.get(where.name, 0.0) + seconds
    longest = sorted(busy, key=lambda name: -busy[name])
    most = len(_COLOURS) if len(longest) <= len(_COLOURS) else len(_COLOURS) - 1
    numbers = {name: min(number, most) for number, name in enumerate(longest)}
    names = list(zip(longest[:most], _COLOURS, strict=False))
    if len(longest) > most:
        names.append((OTHERS, _REST))
    return Functions(
        names,
        [
            numbers.get(where.name, -1) if where.kind in ("function", "executable") else -1
            for where in stories.wheres
        ],
    )


def present(timeline: Timeline) -> list[What]:
    """What the bars, the gaps and the critical path show besides functions that went well, for a legend."""
    found = {*timeline.bars.what, *timeline.gaps.what, *timeline.path.what}
    found |= {layer.what for series in timeline.series for layer in series.layers if layer.what is not None}
    return [what for what in What if what in found and what is not What.DONE]


def most_of(series: Series) -> str:
    """The highest of a series, for its axis: "512", "3.2 GB"."""
    from .._show.words import size

    most = series.most
    if series.unit == "bytes":
        return size(round(most))
    return f"{most:,.0f}" if most >= 10 else f"{most:.2g}"
