"""The page of a whole run: sections under one another, a field to find tasks by, and the story of each beside them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from .._show import palette
from .._show.run_page import (
    Cell,
    Facts,
    Failed,
    Failures,
    GraphPicture,
    Grid,
    Item,
    RunPage,
    Section,
    Shares,
    Tile,
    TimelinePicture,
    Words,
)
from .._show.words import plain
from .packed import packed
from .pages import data, page, part
from .timeline_svg import svg


def html(told: RunPage, dark: bool | None = None) -> str:
    """The page.

    Args:
        told: what is in it.
        dark: whether its ground is dark; None to follow the reader's system.
    """
    body = "\n".join(
        [
            _head(told),
            '<div class="page"><main>',
            *(_section(told, each, dark) for each in told.sections),
            f"<footer>{''.join(f'<p>{escape(plain(note, 500))}</p>' for note in told.timeline.notes)}</footer>",
            "</main></div>",
            '<aside class="story-of" id="story" aria-label="The task that was chosen" aria-live="polite"></aside>',
            data(packed(told.timeline)),
        ]
    )
    scripts = [part("stories.js"), part("timeline.js"), part("run_page.js")]
    styles = [part("look.css"), part("run_page.css")]
    return page(told.title, body, styles=styles, scripts=scripts, dark=dark, of="run")


def _head(told: RunPage) -> str:
    links = "".join(f'<a href="#{each.anchor}">{escape(each.title)}</a>' for each in told.sections)
    tiles = "".join(map(_tile, told.tiles))
    return (
        f'<header><div class="page"><h1>{escape(told.title)}</h1><p class="note">{escape(told.about)}</p>'
        f'<div class="tiles">{tiles}</div></div></header>\n'
        f'<nav><div class="page"><span class="links">{links}</span><span id="find"></span></div></nav>'
    )


def _tile(tile: Tile) -> str:
    value = f"<b>{_mark(tile.state)}{escape(tile.value)}</b>"
    return f'<div class="tile {_state(tile.state)}">{value}{escape(tile.name)}</div>'


def _state(state: str) -> str:
    return f"state-{palette.look_of(state).name}" if state else ""


def _mark(state: str) -> str:
    if not state:
        return ""
    look = palette.look_of(state)
    return f'<span class="state {look.name}" title="{look.words}">{look.glyph}</span>'


def _section(told: RunPage, section: Section, dark: bool | None) -> str:
    note = f'<p class="note">{escape(section.note)}</p>' if section.note else ""
    items = "\n".join(text for item in section.items for text in _item(told, item, dark))
    anchor = f'<a class="anchor" href="#{section.anchor}" aria-label="link to this section">#</a>'
    return (
        f'<section id="{section.anchor}"><h2>{escape(section.title)} {anchor}</h2>{note}\n{items}\n</section>'
    )


def _item(told: RunPage, item: Item, dark: bool | None) -> Iterator[str]:
    match item:
        case Grid():
            yield _grid(item)
        case Facts(by_name):
            facts = (f"<dt>{escape(name)}</dt><dd>{escape(fact)}</dd>" for name, fact in by_name)
            yield f'<dl class="facts">{"".join(facts)}</dl>'
        case Shares(parts):
            yield _shares(parts)
        case Failures():
            yield _failures(item)
        case Words(text, True):
            yield f"<pre>{escape(text)}</pre>"
        case Words(text):
            yield f"<p>{escape(text)}</p>"
        case GraphPicture(subject):
            from .graph_part import graph_part

            yield graph_part(subject, dark)
        case TimelinePicture():
            nothing = "<noscript>The timeline needs the script of this page.</noscript>"
            yield f'<div class="timeline" id="timeline-view">{nothing}</div>'
            yield f'<div class="svg-of-print">{svg(told.timeline, False, is_alone=False)}</div>'


def _failures(told: Failures) -> str:
    cards = "".join(map(_failed, told.errors))
    more = f'<p class="note">{escape(told.more)}</p>' if told.more else ""
    return (
        f'<details class="failures" open><summary><b>{escape(told.kind)}</b> {escape(told.what)}</summary>'
        f"<ul>{cards}</ul>{more}</details>"
    )


def _failed(told: Failed) -> str:
    tasks = "".join(
        f'<button type="button" class="task" data-task="{id}">{_mark("FAILED")}{escape(label)}</button>'
        for id, label in told.tasks
    )
    more = f'<span class="more">and {told.more:,} more</span>' if told.more else ""
    return (
        f'<li><pre>{escape(told.error)}</pre><div class="tasks">{tasks}{more}</div>'
        f'<span class="note">{escape(told.about)}</span></li>'
    )


def _shares(parts: Sequence[tuple[str, str, float]]) -> str:
    strip = "".join(
        f'<i class="cat-{escape(name)}" style="flex-grow:{share:.5f}" title="{escape(name)} {escape(text)}"></i>'
        for name, text, share in parts
    )
    rows = "".join(
        f'<tr><td><i class="dot cat-{escape(name)}"></i>{escape(name)}</td><td class="number">{escape(text)}</td>'
        f'<td class="number">{_percent(share)}</td></tr>'
        for name, text, share in sorted(parts, key=lambda each: -each[2])
    )
    head = '<tr><th></th><th class="number">time</th><th class="number">of all</th></tr>'
    return (
        f'<div class="strip">{strip}</div>'
        f'<div class="wide"><table class="ledger"><thead>{head}</thead><tbody>{rows}</tbody></table></div>'
    )


def _percent(share: float) -> str:
    return f"{share:.1%}".replace("%", " %") if share < 0.0995 else f"{share:.0%}".replace("%", " %")


def _grid(grid: Grid) -> str:
    numbers = [all(row[at].value is not None for row in grid.rows) for at in range(len(grid.header))]
    head = "".join(
        f'<th scope="col"{_class(is_number)}>'
        + (f'<button type="button" class="sort">{escape(name)}</button>' if name else "")
        + "</th>"
        for name, is_number in zip(grid.header, numbers, strict=True)
    )
    rows = "".join(
        f"<tr>{''.join(_cell(cell, is_number) for cell, is_number in zip(row, numbers, strict=True))}</tr>"
        for row in grid.rows
    )
    more = f'<p class="note">{escape(grid.more)}</p>' if grid.more else ""
    table = f'<table class="grid"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'
    return f'<div class="wide">{table}</div>{more}'


def _class(is_number: bool) -> str:
    return ' class="number"' if is_number else ""


def _cell(cell: Cell, is_number: bool) -> str:
    text = escape(cell.text)
    if cell.task is not None:
        text = f'<button type="button" class="task" data-task="{cell.task}">{text}</button>'
    value = "" if cell.value is None else f' data-v="{cell.value:.9g}"'
    share = "" if cell.share is None else f' style="--share:{min(max(cell.share, 0.0), 1.0):.4f}"'
    kinds = [kind for kind, has in (("number", is_number), ("share", bool(share))) if has]
    named = f' class="{" ".join(kinds)}"' if kinds else ""
    return f"<td{named}{value}{share}>{_mark(cell.state)}{text}</td>"
