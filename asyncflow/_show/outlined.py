"""What has an outline shows itself by it."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .outline import Outline

# How things are shown is loaded when something is: each program makes tasks and futures, few show any.


class Cell:
    """Shows itself by its outline in a notebook, and anywhere else by its ``repr``."""

    __slots__ = ()

    @abstractmethod
    def _outline(self) -> Outline: ...

    def _repr_html_(self) -> str:
        from .page import as_html

        return as_html(self._outline())

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        from .page import as_html
        from .text import as_text

        outline = self._outline()
        return {"text/plain": as_text(outline), "text/html": as_html(outline)}


class Outlined(Cell):
    """Shows itself by its outline in a terminal, too."""

    __slots__ = ()

    def __str__(self) -> str:
        from .text import as_text

        return as_text(self._outline())

    def __repr__(self) -> str:
        outline = self._outline()
        return f"<{outline.noun}: {outline.title}>"
