"""A timeline with its stories as one text that a page carries: columns of small numbers, compressed.

A hundred thousand tasks are about one and a half megabytes. Times are whole ticks; each is told by how far it is from
what it mostly is next to, so that most numbers are small and many the same. The page's script reads it again
(`web/stories.js`): a header in JSON, then the columns, the lowest bytes of all numbers of one first.
"""

from __future__ import annotations

import json
import sys
import zlib
from array import array
from base64 import b64encode
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final

from .._show.timeline import NOBODY, Bars, Timeline
from .._show.words import plain
from . import timeline_looks as looks

_FINE, _COARSE = 1e-8, 1e-6  # seconds; of 20,000 tasks and fewer, and of more
_TICKS: Final = 2**31 - 1


def packed(timeline: Timeline) -> str:
    """The text, in base64: nothing in it means anything to a page."""
    return _Pack(timeline).text()


class _Pack:
    """One text, as it is made."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        usual = _FINE if len(timeline.stories) <= 20_000 else _COARSE
        self._unit = max(usual, timeline.seconds / _TICKS * 1.01)
        self._names: list[tuple[str, int]] = []
        self._columns: list[bytes] = []
        self._texts: dict[str, int] = {}

    def text(self) -> str:
        self._stories()
        self._bars("bars", self._timeline.bars)
        self._bars("path", self._timeline.path)
        self._add("critical", self._timeline.critical)
        head = json.dumps(self._head(), ensure_ascii=True, separators=(",", ":")).encode()
        whole = b"".join((len(head).to_bytes(4, "little"), head, *self._columns))
        return b64encode(zlib.compress(whole, 6)).decode()

    def _head(self) -> dict[str, object]:
        timeline, stories = self._timeline, self._timeline.stories
        functions = looks.functions(timeline)
        return {
            "title": plain(timeline.title),
            "began": timeline.began,
            "seconds": timeline.seconds,
            "unit": self._unit,
            "lanes": timeline.lanes,
            "whats": [
                {"words": what.words, "wait": what.is_wait, "colour": look.colour, "pattern": look.pattern}
                for what, look in looks.LOOKS.items()
            ],
            "functions": functions.names,
            "functionOf": functions.of_where,
            "series": [
                {
                    "name": each.name,
                    "unit": each.unit,
                    "note": each.note,
                    "top": looks.most_of(each),
                    "layers": [
                        {
                            "name": layer.name,
                            "what": layer.what,
                            "values": [_short(value) for value in layer.values],
                        }
                        for layer in each.layers
                    ],
                }
                for each in timeline.series
            ],
            "marks": timeline.marks,
            "notes": timeline.notes,
            "categories": stories.categories,
            "states": stories.states,
            "workers": stories.workers,
            "wheres": [where._asdict() for where in stories.wheres],
            "labels": list(stories.labels.items()),
            "leftOut": stories.left_out,
            "parts": [
                [place, [[category, until] for category, until in parts]]
                for place, parts in stories.parts.items()
            ],
            "texts": list(self._texts),
            "columns": self._names,
        }

    def _stories(self) -> None:
        stories = self._timeline.stories
        self._add("id", _steps(stories.id))
        for name in ("where", "state", "worker", "block"):
            self._add(name, getattr(stories, name))
        ticks = [self._ticks(column) for column in stories.times]
        self._add("called", _steps(ticks[0]))
        for number, (one, other) in enumerate(pairwise(ticks), 1):
            self._add(f"time{number}", map(int.__sub__, other, one))
        starts = stories.starts
        self._add("needs", (other - one for one, other in pairwise(starts)))
        needs = stories.dependencies
        self._add(
            "need",
            (
                _folded(id - needs[at])
                for place, id in enumerate(stories.id)
                for at in range(starts[place], starts[place + 1])
            ),
        )
        facts = [(place, *pair) for place, pairs in stories.facts.items() for pair in pairs]
        self._add("factTask", _steps([place for place, _, _ in facts]))
        self._add("factName", (self._text(name) for _, name, _ in facts))
        self._add("factText", (self._text(text) for _, _, text in facts))

    def _bars(self, name: str, bars: Bars) -> None:
        """Most begin and end where a worker began their task and was done with it."""
        started, finished = self._timeline.stories.times[5:7]
        tasks = [-1 if task == NOBODY else task for task in bars.task]
        begins, ends = self._ticks(bars.begin), self._ticks(bars.end)
        usual = zip(begins, ends, tasks, strict=True)
        self._add(f"{name}Row", _steps(bars.row))
        self._add(f"{name}What", bars.what)
        self._add(f"{name}Task", _steps(tasks))
        moved = [
            (begin, end)
            if task < 0
            else (begin - self._tick(started[task]), end - self._tick(finished[task]))
            for begin, end, task in usual
        ]
        self._add(f"{name}Begin", (_folded(begin) for begin, _ in moved))
        self._add(f"{name}End", (_folded(end) for _, end in moved))

    def _text(self, text: str) -> int:
        return self._texts.setdefault(text, len(self._texts))

    def _tick(self, time: float) -> int:
        return min(round(time / self._unit), _TICKS)

    def _ticks(self, times: Iterable[float]) -> list[int]:
        return [min(round(time / self._unit), _TICKS) for time in times]

    def _add(self, name: str, values: Iterable[int]) -> None:
        column = array("I", iter(values))  # bytes would be taken for the numbers' own bytes
        if column.itemsize != 4:  # no machine that Python runs on today
            raise SystemError("an unsigned int of C has not four bytes here")
        if sys.byteorder == "big":
            column.byteswap()
        data = column.tobytes()
        self._names.append((name, len(column)))
        self._columns += (data[byte::4] for byte in range(4))


def _steps(values: Sequence[int] | array[int]) -> Iterable[int]:
    """Each by how far it is from the one before it."""
    before = 0
    for value in values:
        yield _folded(value - before)
        before = value


def _folded(number: int) -> int:
    """A number of any sign as one of none: 0, -1, 1, -2 as 0, 1, 2, 3."""
    return 2 * number if number >= 0 else -2 * number - 1


def _short(value: float) -> float:
    return float(f"{value:.4g}")
