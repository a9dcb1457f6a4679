"""The drawing of a timeline: as SVG, as a page that can be moved through, and as a Gantt chart for Mermaid."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from html import escape
from typing import Final, NoReturn

from .._show.timeline import NOBODY, Timeline, What
from .._show.words import counted, plain, seconds
from .drawing import Drawing
from .packed import packed
from .pages import data, page, part
from .timeline_svg import svg

_SECTION: Final = 40  # bars of a Gantt chart in a lane, and lanes
_NAMES: Final = str.maketrans(
    {
        ":": " ",
        ";": " ",
        "#": " ",
        ",": " ",
        "%": " ",
        "{": "(",
        "}": ")",
        '"': "'",
        "`": "'",
        "<": "(",
        ">": ")",
        "\\": "/",
    }
)


def drawn(timeline: Timeline, dark: bool | None = None) -> Drawing:
    """The drawing of a timeline.

    Args:
        timeline: what is drawn.
        dark: whether its ground is dark; None to follow the reader's system.
    """
    return Drawing(
        "Timeline",
        timeline.title,
        svg=lambda ground: svg(timeline, ground),
        html=lambda ground: html(timeline, ground),
        mermaid=lambda: gantt(timeline),
        dot=_no_dot,
        dark=dark,
    )


def _no_dot() -> NoReturn:
    raise ValueError(
        "a timeline is no graph, and Graphviz draws graphs: save it as .svg, .png, .html or .mmd; draw() has .dot"
    )


def html(timeline: Timeline, dark: bool | None = None) -> str:
    """The page of a timeline alone."""
    title, notes = escape(plain(timeline.title)), " ".join(map(escape, map(plain, timeline.notes)))
    about = f"{began(timeline)}{notes}"
    body = (
        f'<header><div><h1>{title}</h1><p class="note">{about}</p></div><span id="find"></span></header>\n'
        '<main><section class="timeline" id="timeline"><noscript>This page needs its script.</noscript></section>'
        '<aside class="story-of" id="story" aria-label="The task that was chosen"></aside></main>\n'
        f'<div class="svg-of-print">{svg(timeline, False, is_alone=False)}</div>\n{data(packed(timeline))}'
    )
    scripts = [part("stories.js"), part("timeline.js"), part("timeline_page.js")]
    styles = [part("look.css"), part("timeline.css")]
    return page(timeline.title, body, styles=styles, scripts=scripts, dark=dark, of="alone")


def began(timeline: Timeline) -> str:
    """When the run began, if that is known: "2026-11-29 04:12:09 UTC. "."""
    if not timeline.began:
        return ""
    moment = datetime.fromtimestamp(timeline.began, UTC)
    return f"Began {moment:%Y-%m-%d %H:%M:%S} UTC, took {seconds(timeline.seconds)}. "


# -- Mermaid -----------------------------------------------------------------------------------------------


def gantt(timeline: Timeline) -> str:
    """The timeline as a Gantt chart in Mermaid's language: of many bars the longest of each lane, and it says so."""
    lines = [
        "gantt",
        f"  title {_name(timeline.title)}",
        "  dateFormat x",
        f"  axisFormat {'%S.%L s' if timeline.seconds < 60 else '%H:%M:%S'}",
    ]
    shown = 0
    stretches = timeline.bars.stretches(timeline.rows)
    for lane in timeline.lanes[:_SECTION]:
        first, last = stretches[lane.first][0], stretches[lane.first + lane.rows - 1][1]
        at = sorted(range(first, last), key=lambda at: timeline.bars.begin[at] - timeline.bars.end[at])[
            :_SECTION
        ]
        lines.append(f"  section {_name(lane.name)}")
        lines += (f"    {line}" for line in _bars(timeline, sorted(at)))
        shown += len(at)
    if shown < len(timeline.bars):
        lines.insert(1, f"  %% {counted(len(timeline.bars) - shown, 'shorter bar')} left out")
    return "\n".join(lines) + "\n"


def _bars(timeline: Timeline, places: list[int]) -> Iterator[str]:
    bars = timeline.bars
    for at in places:
        what, task = What(bars.what[at]), bars.task[at]
        tags = ["crit"] if what in (What.FAILED, What.RETRIED) else []
        tags += ["active"] if task != NOBODY and timeline.critical[task] else []
        tags += [] if what is What.RUNNING or tags else ["done"]
        begin = round(bars.begin[at] * 1000)
        end = max(round(bars.end[at] * 1000), begin + 1)
        name = _name(timeline.stories.label(task)) if task != NOBODY else what.words
        state = "" if what is What.DONE else f" - {what.words.replace(',', '')}"
        yield f"{name}{state} :{', '.join(tags)}{', ' if tags else ''}{begin}, {end}"


def _name(text: str) -> str:
    """Text that means nothing to Mermaid."""
    return plain(text, 80).translate(_NAMES).strip() or "task"
