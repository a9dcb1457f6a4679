"""The graph of a run as a part of its page."""

from __future__ import annotations

import json
from html import escape

from .._show.picture import Subject
from .._show.words import plain
from .pictured import picture_of
from .svg import svg


def graph_part(subject: Subject, dark: bool | None) -> str:
    """An SVG whose boxes tell the script which tasks they are, or how to get it where the extra ``plot`` is missing."""
    picture = picture_of(subject)
    try:
        drawn = svg(picture, dark)
    except ImportError as error:
        return f"<pre>{escape(str(error))}</pre>"
    boxes = {
        node.number: {"name": plain(node.name), "task": node.ids[0] if len(node.ids) == 1 else None}
        for node in picture.nodes
        if len(node.ids)
    }
    return f'<div class="picture" data-boxes="{escape(json.dumps(boxes))}">{drawn}</div>'
