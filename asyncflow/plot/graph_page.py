"""A picture as one page: it can be moved, enlarged and searched, and tells what is known of each task."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from typing import Final

from .._show import palette, words
from .._show.picture import Node, Picture, Story
from .pages import page, part
from .svg import svg

_TASKS: Final = 2_000  # of which all are told one by one
_NOTABLE: Final = 40  # of a box, if there are more


def graph_page(picture: Picture, dark: bool | None) -> str:
    """The page.

    Args:
        picture: that it shows.
        dark: whether its ground is dark; None to follow the reader's system.

    Raises:
        ImportError: the extra ``plot`` is not installed.
    """
    tasks = sum(node.count for node in picture.nodes)
    most = _TASKS if tasks <= _TASKS else _NOTABLE
    title = f"{picture.noun}: {words.plain(picture.title)}"
    known = {
        "nodes": [_node(picture, node, most) for node in picture.nodes if node.count],
        "looks": {
            state: {"name": look.name, "words": look.words, "mark": look.mark}
            for state, look in palette.LOOKS.items()
        },
    }
    # Nothing in it can end the element that it stands in.
    text = json.dumps(known, ensure_ascii=True, separators=(",", ":")).replace("<", "\\u003c")
    body = f"""<header>
<h1>{escape(title)}</h1>
<input id="search" type="search" placeholder="Search tasks  ( / )" aria-label="Search tasks">
<span role="group" aria-label="Size">
<button id="farther" title="Smaller (-)" aria-label="Smaller">−</button>
<button id="whole" title="All of it (0)">Fit</button>
<button id="closer" title="Larger (+)" aria-label="Larger">+</button>
</span>
</header>
<div id="stage">{svg(picture, dark)}</div>
<aside id="side" hidden aria-live="polite" aria-label="Details"></aside>
<div id="tip" role="tooltip" hidden></div>
<script type="application/json" id="data">{text}</script>"""
    return page(title, body, styles=[part("graph.css")], scripts=[part("graph.js")], dark=dark, of="graph")


def _node(picture: Picture, node: Node, most: int) -> dict[str, object]:
    return {
        "number": node.number,
        "around": node.around,
        "label": words.plain(node.label),
        "count": node.count,
        "states": node.states,
        "details": [[name, words.plain(fact, 500)] for name, fact in node.details],
        "ids": _runs(sorted(node.ids)),
        "stories": [_story(story) for story in picture.stories(node, most)],
    }


def _story(story: Story) -> dict[str, object]:
    return {
        "label": words.plain(story.label),
        "state": story.state,
        "source": words.plain(story.source),
        "details": [[name, words.plain(fact, 500)] for name, fact in story.details],
        "lines": [words.plain(line, 500) for line in story.lines],
    }


def _runs(ids: Sequence[int]) -> list[int]:
    """Numbers as the first of each row without a gap, and how many there are in it, by turns."""
    runs: list[int] = []
    for id in ids:
        if runs and id == runs[-2] + runs[-1]:
            runs[-1] += 1
        else:
            runs += [id, 1]
    return runs
