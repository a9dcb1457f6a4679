"""A timeline as lines of text: a line for each worker, a letter for each part of the time. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from .._show.columns import width
from .._show.words import name_of, seconds
from ..report import Report

_BUSY: Final = " ░▒▓█"
_FAILED: Final = "x"
_LANES: Final = 40
_NAME: Final = 24
_NARROW: Final = 20


class Bar(NamedTuple):
    """A task on its worker.

    Args:
        id: number of the task.
        name: of it.
        begins: in seconds since the run began.
        ends: the same.
        state: how it ended.
    """

    id: int
    name: str
    begins: float
    ends: float
    state: str


@dataclass(slots=True)
class Lane:
    """What a worker did.

    Args:
        worker: its name.
        bars: in the order in which they began.
    """

    worker: str
    bars: list[Bar] = field(default_factory=list)


def lanes_of(report: Report) -> list[Lane]:
    """What each worker did, in the order in which they began; blocks, which hold no worker, are left out."""
    lanes: dict[str, Lane] = {}
    for each in report.tasks:
        if each.kind == "block" or each.started is None:
            continue
        ends = each.finished if each.finished is not None else report.total
        lane = lanes.setdefault(each.worker, Lane(each.worker or "unknown"))
        lane.bars.append(Bar(each.id, each.name, each.started, ends, str(each.state)))
    for lane in lanes.values():
        lane.bars.sort(key=lambda bar: bar.begins)
    return sorted(lanes.values(), key=lambda lane: lane.bars[0].begins)


def lines(lanes: Sequence[Lane], total: float, columns: int) -> Iterator[str]:
    """A timeline.

    Args:
        lanes: of the workers.
        total: seconds from the beginning of the run to its end.
        columns: of the terminal.
    """
    if not lanes or not total:
        yield "Nothing has run."
        return
    shown = [name_of(lane.worker, _NAME) for lane in lanes[:_LANES]]
    left = max(map(width, shown))
    cells = max(_NARROW, columns - left - 3 - len(" 100 %"))
    for name, lane in zip(shown, lanes, strict=False):
        busy = _shares(lane, total, cells)
        part = sum(busy) / cells
        text = "".join(_letter(share) for share in busy)
        for bar in lane.bars:
            if bar.state == "FAILED":
                at = min(cells - 1, int(bar.ends / total * cells))
                text = text[:at] + _FAILED + text[at + 1 :]
        yield f"{name}{' ' * (left - width(name))} |{text}|{part:5.0%}"
    if len(lanes) > _LANES:
        yield f"and {len(lanes) - _LANES:,} workers more"
    end = seconds(total)
    yield f"{' ' * left}  0 s{end:>{cells - 3}}"
    yield f"Each letter is {seconds(total / cells)}: the darker, the busier; {_FAILED} where a task has failed."


def _shares(lane: Lane, total: float, cells: int) -> list[float]:
    """Which part of each piece of time the worker was busy, from 0 to 1."""
    busy = [0.0] * cells
    for bar in lane.bars:
        first, last = bar.begins / total * cells, min(bar.ends / total * cells, cells)
        for cell in range(int(first), min(int(last) + 1, cells)):
            busy[cell] += max(0.0, min(last, cell + 1) - max(first, cell))
    return [min(1.0, each) for each in busy]


def _letter(share: float) -> str:
    return _BUSY[min(len(_BUSY) - 1, -int(-share * (len(_BUSY) - 1) // 1))]
