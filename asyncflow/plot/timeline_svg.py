"""A timeline as SVG: lanes of bars over one axis, the critical path above them and what there was over time below."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from html import escape
from math import ceil
from typing import Final, NamedTuple
from zlib import crc32

from .._show import palette
from .._show.folding import Band, folded, most_of, ticks
from .._show.timeline import NOBODY, Bars, Lane, Layer, Series, Timeline, What
from .._show.widths import clipped, width
from .._show.words import name_of, plain, seconds
from . import timeline_looks as looks

WIDTH: Final = 1200
_LEFT, _RIGHT = 150, 20  # where the axis begins, and what is free at its end
_TALL: Final = 540  # pixels that the rows of all lanes should have together
_LOWEST, _HIGHEST = 2, 20  # pixels of a row
_ROWS: Final = 12  # of a lane; one that has more is told by how much there was at once
_AREA: Final = 54  # pixels of such a lane, and of a series
_TOLD: Final = 2_000  # bars that can be pointed at one by one
_STYLE: Final = """
.af-timeline{background:var(--af-bg);font-family:FONT}
.af-timeline text{fill:var(--af-fg);font-size:11px}
.af-timeline .title{font-size:16px;font-weight:bold}
.af-timeline .group{font-weight:bold}
.af-timeline .tick,.af-timeline .note{fill:var(--af-muted)}
.af-timeline .lane{fill:var(--af-muted)}
.af-timeline text.in{fill:var(--af-bg);pointer-events:none}
.af-timeline text.over{stroke:var(--af-failed);stroke-width:3px;paint-order:stroke}
.af-timeline text.wait{fill:var(--af-fg);stroke:var(--af-bg);stroke-width:3px;paint-order:stroke;pointer-events:none}
.af-timeline .grid{stroke:var(--af-grid);fill:none}
.af-timeline .axis,.af-timeline .mark{stroke:var(--af-line);fill:none}
.af-timeline .mark{stroke:var(--af-failed);stroke-dasharray:3 3}
.af-timeline .ground{fill:var(--af-box)}
.af-timeline .critical{fill:var(--af-critical)}
.af-timeline .bar{stroke:var(--af-bg);stroke-width:.5}
"""


class _Placed(NamedTuple):
    """A lane in the picture."""

    lane: Lane
    top: float
    row: float  # height of one of its rows; 0 if how much there was at once is drawn
    height: float


def svg(timeline: Timeline, dark: bool | None = None, *, is_alone: bool = True) -> str:
    """The picture.

    Args:
        timeline: what is drawn.
        dark: whether the ground is dark; None to follow the reader's system and theme.
        is_alone: whether it brings the palette; a page that it is a part of has that.
    """
    return _Picture(timeline, is_alone).text(dark)


class _Picture:
    """One picture, as it is made from top to bottom."""

    def __init__(self, timeline: Timeline, is_alone: bool) -> None:
        self._timeline = timeline
        self._is_alone = is_alone
        # Of the ids in it: several pictures may stand in one page.
        about = f"{timeline.title} {timeline.began} {timeline.seconds} {is_alone}"
        self._prefix = f"aft-{crc32(about.encode()):08x}"
        self._functions = looks.functions(timeline)
        self._seconds = timeline.seconds or 1.0
        self._scale = (WIDTH - _LEFT - _RIGHT) / self._seconds
        self._is_told = len(timeline.bars) <= _TOLD
        self._out: list[str] = []
        self._y = 0.0

    def text(self, dark: bool | None) -> str:
        self._head()
        self._legend()
        top = self._y + 18
        self._axis_words(self._y + 12)
        self._y = top
        behind = len(self._out)
        self._path()
        self._lanes()
        self._series()
        bottom = self._y
        self._out.insert(behind, self._grid(top, bottom))
        self._axis_words(bottom + 14)
        self._marks(top, bottom)
        self._y = bottom + 24
        for note in self._timeline.notes:
            self._words(_LEFT, self._y + 10, plain(note), "note")
            self._y += 16
        return self._whole(dark)

    def _whole(self, dark: bool | None) -> str:
        height = ceil(self._y + 8)
        root = "af af-timeline" + ("" if dark is None else " af-dark" if dark else " af-light")
        # never palette.css(dark): a style inside of a page holds for all of it
        style = (palette.css() if self._is_alone else "") + _STYLE.replace("FONT", palette.FONT)
        title = escape(plain(self._timeline.title))
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="{root}" viewBox="0 0 {WIDTH} {height}" '
            f'width="{WIDTH}" height="{height}" role="img" aria-label="Timeline: {title}">'
            f"<style>{palette.with_fallbacks(style, bool(dark))}</style>"
            f"<defs>{self._patterns()}</defs>"
            f'<rect width="{WIDTH}" height="{height}" style="{_fill("bg")}"/>'
            f"{''.join(self._out)}</svg>\n"
        )

    def _patterns(self) -> str:
        """Those of the palette, in the colours in which they are used."""
        used = {looks.LOOKS[what].colour for what in What if looks.LOOKS[what].pattern and what.is_wait}
        return "".join(
            # on each itself: a page may have a rule for patterns, of another picture
            palette.patterns(f"{self._prefix}-{colour}").replace(
                "<pattern ", f'<pattern style="{_with("color", colour)}" '
            )
            for colour in ("bg", *sorted(used))
        )

    # -- words ---------------------------------------------------------------------------------------------

    def _words(self, x: float, y: float, text: str, of: str, anchor: str = "start") -> None:
        self._out.append(
            f'<text class="label {of}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
        )

    def _head(self) -> None:
        timeline = self._timeline
        self._words(16, 26, _fitting(plain(timeline.title), 16 * 1.06, WIDTH - 32), "title")
        lanes = sum(lane.rows > 0 for lane in timeline.lanes)
        began = (
            f"{datetime.fromtimestamp(timeline.began, UTC):%Y-%m-%d %H:%M:%S} UTC, " if timeline.began else ""
        )
        self._words(16, 44, f"{began}{seconds(timeline.seconds)}, {lanes:,} lanes", "note")
        self._y = 52

    def _legend(self) -> None:
        x, y = 16.0, self._y
        items = [(name_of(name), colour, "") for name, colour in self._functions.names]
        items += [(what.words, *looks.LOOKS[what]) for what in looks.present(self._timeline)]
        if any(self._timeline.critical):
            items.append(("on the critical path", "critical", "line"))
        for words, colour, pattern in items:
            room = width(words, 11.5) + 34
            if x + room > WIDTH - 16 and x > 16:
                x, y = 16.0, y + 18
            self._swatch(x, y + 4, words, colour, pattern)
            self._words(x + 20, y + 13, words, "legend")
            x += room
        self._y = y + 24 if items else y

    def _swatch(self, x: float, y: float, words: str, colour: str, pattern: str) -> None:
        if pattern == "line":
            self._rect(x, y + 4, 14, 2.5, _fill(colour))
            return
        is_wait = any(words == what.words and what.is_wait for what in What)
        if is_wait:
            for style in self._shaded(looks.Look(colour, pattern)):
                self._rect(x, y, 14, 10, style)
            return
        self._rect(x, y, 14, 10, _fill(colour))
        if pattern:
            self._rect(x, y, 14, 10, f"fill:url(#{self._prefix}-bg-{pattern})")

    def _rect(self, x: float, y: float, wide: float, high: float, style: str) -> None:
        self._out.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{wide:.2f}" height="{high:.1f}" style="{style}"/>'
        )

    # -- the axis ------------------------------------------------------------------------------------------

    def _x(self, time: float) -> float:
        return _LEFT + min(max(time, 0.0), self._seconds) * self._scale

    def _axis_words(self, y: float) -> None:
        for time, name in ticks(0.0, self._seconds):
            x = self._x(time)
            half = width(name, 11.5) / 2
            anchor = "end" if x + half > WIDTH - 2 else "middle"
            self._words(x, y, name, "tick", anchor)

    def _grid(self, top: float, bottom: float) -> str:
        lines = "".join(
            f"M{self._x(time):.1f} {top:.1f}V{bottom:.1f}" for time, _ in ticks(0.0, self._seconds)
        )
        return (
            f'<path class="grid" d="{lines}"/>'
            f'<path class="axis" d="M{_LEFT} {top:.1f}H{WIDTH - _RIGHT}M{_LEFT} {bottom:.1f}H{WIDTH - _RIGHT}"/>'
        )

    def _marks(self, top: float, bottom: float) -> None:
        for mark in self._timeline.marks[:1]:
            x = self._x(mark.time)
            name = plain(mark.name, 60)
            is_left = x + width(name, 11.5) + 6 > WIDTH - _RIGHT
            self._out.append(f'<path class="mark" d="M{x:.1f} {top:.1f}V{bottom + 18:.1f}"/>')
            self._words(x - 5 if is_left else x + 5, bottom + 28, name, "note", "end" if is_left else "start")

    # -- bars ----------------------------------------------------------------------------------------------

    def _path(self) -> None:
        path = self._timeline.path
        if not len(path):
            return
        self._words(_LEFT - 8, self._y + 16, "critical path", "lane group", "end")
        self._row(path, 0, len(path), self._y + 4, 16, is_path=True)
        self._y += 26

    def _lanes(self) -> None:
        places = list(self._placed())
        stretches = self._timeline.bars.stretches(self._timeline.rows)
        idle = self._timeline.gaps.stretches(self._timeline.rows)
        for placed in places:
            if not placed.row:
                self._area(placed)
                continue
            for row in range(placed.lane.rows):
                top = placed.top + row * placed.row
                at = placed.lane.first + row
                self._gaps(*idle[at], top, placed.row)
                self._row(
                    self._timeline.bars,
                    *stretches[at],
                    top,
                    placed.row * 0.86 if placed.row > 6 else placed.row,
                )

    def _placed(self) -> Iterator[_Placed]:
        """Where each lane is; what its group and it are called is written on the way."""
        high = self._height_of_rows()
        for group, lanes in self._timeline.groups():
            self._words(16, self._y + 14, _fitting(plain(group), 11.8, 500), "group")
            self._y += 20
            free = self._y
            for lane in lanes:
                row = 0.0 if lane.rows > _ROWS else high
                tall = lane.rows * row if row else _AREA
                # of an area below its highest, of rows beside the first
                middle = self._y + (min(tall, 24) if row else tall) / 2 + 4
                if middle - 11 >= free:
                    name = plain(lane.name)
                    name = group if len(lanes) == 1 and name in group else name
                    self._words(_LEFT - 8, middle, _fitting(name, 11.5, _LEFT - 26), "lane", "end")
                    free = middle
                yield _Placed(lane, self._y, row, tall)
                self._y += tall + (1 if high > 6 else 0)
            self._y += 6

    def _height_of_rows(self) -> float:
        rows = sum(lane.rows for lane in self._timeline.lanes if lane.rows <= _ROWS)
        return max(_LOWEST, min(_HIGHEST, _TALL // max(rows, 1)))

    def _row(self, bars: Bars, first: int, last: int, top: float, high: float, is_path: bool = False) -> None:
        """One row of bars; those that are too narrow are one band, as high as it is busy."""
        paths: dict[str, list[str]] = {}
        failed: list[str] = []
        critical: list[str] = []
        words: list[tuple[float, float, int]] = []
        for band in folded(bars, first, last, 1 / self._scale):
            x, end = self._x(band.begin), self._x(band.end)
            wide = max(end - x, 0.8)
            part = (
                1.0
                if band.size == 1 or high < 6
                else max(band.busy / max(band.end - band.begin, 1e-12), 0.12)
            )
            tall = high * min(part, 1.0)
            box = (x, top + high - tall, wide, tall)
            for style in self._styles(bars, band):
                if self._is_told and band.size == 1 and not is_path:
                    self._bar(box, style, band.first)
                else:
                    paths.setdefault(style, []).append(_box(*box))
            if band.size > 1 or wide < 3:
                failed += self._failures(bars, band, top, high)
            if not is_path and any(self._is_critical(bars.task[at]) for at in band.places):
                critical.append(_box(x, top + high - 2.5, wide, 2.5))
            if wide > 26 and high >= 12 and band.size == 1:
                words.append((x, wide, band.first))
        for style, boxes in paths.items():
            self._out.append(f'<path style="{style}" d="{"".join(boxes)}"/>')
        if failed:
            self._out.append(f'<path style="{_fill("failed")}" d="{"".join(failed)}"/>')
        if critical and high >= 5:
            self._out.append(f'<path class="critical" d="{"".join(critical)}"/>')
        for x, wide, at in words:
            self._name(bars, at, x, wide, top + high / 2 + 4)

    def _failures(self, bars: Bars, band: Band, top: float, high: float) -> Iterator[str]:
        """A line for each that would not be seen otherwise."""
        before = -9.0
        for at in band.places:
            if bars.what[at] in (What.FAILED, What.RETRIED) and self._x(bars.begin[at]) >= before + 1:
                before = self._x(bars.begin[at])
                yield _box(before, top, 1.5, max(high * 0.4, 2))

    def _name(self, bars: Bars, at: int, x: float, wide: float, y: float) -> None:
        what, task = What(bars.what[at]), bars.task[at]
        has_failed = what in (What.FAILED, What.RETRIED)
        if what.is_wait:
            name = "code" if what is What.CODE else what.words
        else:
            name = ("✗ " if has_failed else "") + plain(self._timeline.stories.label(task))
        if shown := _fitting(name, 11.5, wide - 8):
            self._words(x + 4, y, shown, "wait" if what.is_wait else "in over" if has_failed else "in")

    def _bar(self, box: tuple[float, float, float, float], style: str, at: int) -> None:
        bars = self._timeline.bars
        begin, end, what = bars.begin[at], bars.end[at], What(bars.what[at])
        task = bars.task[at]
        name = plain(self._timeline.stories.label(task)) if task != NOBODY else ""
        told = f"{name}: {what.words} {seconds(end - begin)}, from {seconds(begin)} to {seconds(end)}"
        x, y, wide, high = box
        self._out.append(
            f'<rect class="bar" x="{x:.1f}" y="{y:.1f}" width="{wide:.2f}" height="{high:.1f}" style="{style}">'
            f"<title>{escape(told)}</title></rect>"
        )

    def _styles(self, bars: Bars, band: Band) -> Sequence[str]:
        """How a band looks: by what most of it was; a colour, and a pattern over it."""
        keys = [self._key(bars, at) for at in band.places]
        key = keys[0] if band.size == 1 else most_of(bars, band, keys)
        what, function = What(key % 100), key // 100 - 1
        look = looks.LOOKS[what]
        if what.is_wait:
            return self._shaded(look)
        if what in (What.DONE, What.RUNNING) and function >= 0:
            return [_fill(self._functions.names[function][1])]
        if not look.pattern:
            return [_fill(look.colour)]
        return [_fill(look.colour), f"fill:url(#{self._prefix}-bg-{look.pattern});pointer-events:none"]

    def _shaded(self, look: looks.Look) -> list[str]:
        """A wait: a shade of its colour, and its pattern over that."""
        ground = f"{_fill(look.colour)};opacity:{'.22' if look.pattern else '.5'}"
        return (
            [ground, f"fill:url(#{self._prefix}-{look.colour}-{look.pattern})"] if look.pattern else [ground]
        )

    def _key(self, bars: Bars, at: int) -> int:
        return bars.what[at] + 100 * (self._functions.of(self._timeline, bars.task[at]) + 1)

    def _is_critical(self, task: int) -> bool:
        return task != NOBODY and bool(self._timeline.critical[task])

    def _gaps(self, first: int, last: int, top: float, high: float) -> None:
        gaps, by_what = self._timeline.gaps, dict[int, list[str]]()
        for at in range(first, last):
            x, end = self._x(gaps.begin[at]), self._x(gaps.end[at])
            if end - x > 0.4:
                tall = high * 0.5 if high > 6 else high
                by_what.setdefault(gaps.what[at], []).append(
                    _box(x, top + (high * 0.86 - tall) / 2, end - x, tall)
                )
        for what, boxes in by_what.items():
            for style in self._shaded(looks.LOOKS[What(what)]):
                words = f"<title>{What(what).words}</title>"
                self._out.append(f'<path style="{style}" d="{"".join(boxes)}">{words}</path>')

    # -- areas ---------------------------------------------------------------------------------------------

    def _area(self, placed: _Placed) -> None:
        """How much a lane was at at once, where that is too much for a row each."""
        from .areas import at_once

        layers = at_once(self._timeline, placed.lane, self._functions)
        self._stack(layers, placed.top, f"{placed.lane.rows:,}", placed.lane.rows)

    def _series(self) -> None:
        for series in self._timeline.series:
            self._words(16, self._y + 14, series.name, "group")
            self._words(20 + width(series.name, 12.5), self._y + 14, series.note, "note")
            self._y += 20
            self._stack(_styled(series), self._y, looks.most_of(series), series.most)
            self._y += _AREA + 6

    def _stack(self, layers: Iterable[tuple[str, Layer]], top: float, most: str, high: float) -> None:
        self._words(_LEFT - 8, top + 9, most, "lane", "end")
        self._words(_LEFT - 8, top + _AREA - 1, "0", "lane", "end")
        self._out.append(
            f'<rect class="ground" x="{_LEFT}" y="{top:.1f}" width="{WIDTH - _LEFT - _RIGHT}" height="{_AREA}"/>'
        )
        base: list[float] = []
        for colour, layer in layers:
            base = base or [0.0] * len(layer.values)
            upper = [low + value for low, value in zip(base, layer.values, strict=True)]
            if any(layer.values):
                shape = self._outline(base, upper, top, high)
                words = f"<title>{escape(plain(layer.name))}</title>"
                for style in self._layer(colour):
                    self._out.append(f'<path style="{style}" d="{shape}">{words}</path>')
            base = upper

    def _layer(self, of: str) -> list[str]:
        colour, _, pattern = of.partition("/")
        return self._shaded(looks.Look(colour, pattern)) if pattern else [f"{_fill(colour)};opacity:.85"]

    def _outline(self, base: Sequence[float], upper: Sequence[float], top: float, high: float) -> str:
        wide = (WIDTH - _LEFT - _RIGHT) / len(upper)

        def steps(values: Sequence[float]) -> list[tuple[float, float]]:
            found: list[tuple[float, float]] = []
            before = None
            for at, value in enumerate(values):
                y = top + _AREA - _AREA * min(value / high, 1.0)
                if before is None or abs(y - before) > 0.05:
                    if before is not None:
                        found.append((_LEFT + at * wide, before))
                    found.append((_LEFT + at * wide, y))
                    before = y
            found.append((_LEFT + len(values) * wide, found[-1][1]))
            return found

        points = [*steps(upper), *reversed(steps(base))]
        return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points) + "Z"


def _styled(series: Series) -> Iterator[tuple[str, Layer]]:
    for layer in series.layers:
        if layer.what is None or layer.what is What.DONE:
            yield "cat-2" if layer.what is What.DONE else "cat-3", layer
        else:
            look = looks.LOOKS[layer.what]
            yield f"{look.colour}/{look.pattern}", layer


def _fitting(text: str, size: float, most: float) -> str:
    """As much of a text as there is room for; nothing where that would be one letter."""
    shown = clipped(text, size, most)
    return shown if len(shown) > 2 or shown == text else ""


def _box(x: float, y: float, wide: float, high: float) -> str:
    return f"M{x:.1f} {y:.1f}h{wide:.1f}v{high:.1f}h-{wide:.1f}z"


def _with(name: str, colour: str) -> str:
    return f"{name}:var(--af-{colour})"


def _fill(colour: str) -> str:
    return _with("fill", colour)
