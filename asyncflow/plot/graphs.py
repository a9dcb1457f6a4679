"""Drawings of graphs: of a plan, a report, a stream."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from os import PathLike

from .._show.picture import Picture, Subject
from . import texts
from .drawing import Drawing, checked_dark
from .pictured import Fold, picture_of


def drawing_of(picture: Picture, path: str | PathLike[str] | None, dark: bool | None) -> Drawing:
    """The drawing of a picture; saved at once, if there is a path.

    Args:
        picture: what is drawn.
        path: of a file to save it in, or None.
        dark: whether its ground is dark; None to follow the reader's system.
    """
    from .graph_page import graph_page
    from .svg import svg

    drawing = Drawing(
        picture.noun,
        picture.title,
        svg=cache(lambda dark: svg(picture, dark)),
        html=lambda dark: graph_page(picture, dark),
        mermaid=lambda: texts.mermaid(picture),
        dot=lambda: texts.dot(picture),
        dark=checked_dark(dark),
    )
    if path is not None:
        drawing.save(path)
    return drawing


def graph_of(
    subject: Callable[[], Subject], path: str | PathLike[str] | None, fold: Fold, dark: bool | None
) -> Drawing:
    """The drawing of a subject; saved at once, if there is a path.

    Args:
        subject: makes what is drawn.
        path: of a file to save it in, or None.
        fold: as for `picture_of`.
        dark: whether its ground is dark; None to follow the reader's system.
    """
    checked_dark(dark)
    return drawing_of(picture_of(subject(), fold), path, dark)
