"""The graph of a run as a part of its page."""

from __future__ import annotations

from html import escape

from .._show.picture import Subject
from .pictured import picture_of
from .svg import svg


def graph_part(subject: Subject, dark: bool | None) -> str:
    """An SVG, or how to get it where the extra ``plot`` is not installed."""
    try:
        return svg(picture_of(subject), dark)
    except ImportError as error:
        return f"<pre>{escape(str(error))}</pre>"
