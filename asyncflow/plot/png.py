"""An SVG as PNG."""

from __future__ import annotations

import re
from functools import cache
from typing import Any, Final

from .._show.palette import FONT
from .needs import needs

_SIZE: Final = re.compile(r'<svg[^>]*? width="([\d.]+)" height="([\d.]+)"')
_MOST: Final = 1e8  # pixels
_TEXT: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="20" height="20">'
    f'<text x="2" y="16" font-size="16" font-family="{FONT}">M</text></svg>'
)


def png(svg: str, scale: float) -> bytes:
    """An image of an SVG that has its size in its first element.

    Args:
        svg: without variables of CSS.
        scale: pixels for each unit.

    Raises:
        ImportError: the extra ``plot`` is not installed.
        TypeError: the scale is no number.
        ValueError: the scale is not above 0, or the image would have too many pixels.
        RuntimeError: no font is installed here that it could be written with.
    """
    if type(scale) not in (int, float):
        raise TypeError(f"to_png(scale={scale!r}): a number is needed")
    size = _SIZE.match(svg)
    width, height = (float(each) for each in size.groups()) if size else (0.0, 0.0)
    if not 0 < scale < float("inf") or width * height * scale * scale > _MOST:
        raise ValueError(
            f"to_png(scale={scale!r}) would make {width * scale:,.0f} × {height * scale:,.0f} pixels of it; "
            "a smaller scale is needed, above 0, or fewer boxes: draw(fold=True)"
        )
    resvg: Any = needs("resvg_py", "PNG")
    if not _has_font():
        raise RuntimeError(
            "a PNG needs a font to write with, and none that is known is installed here.\n"
            "  Install one (apt-get install fonts-dejavu-core), or save it as .svg or .html"
        )
    image: bytes = resvg.svg_to_bytes(svg_string=svg, zoom=scale)
    return image


@cache
def _has_font() -> bool:
    resvg: Any = needs("resvg_py", "PNG")
    drawn = bytes(resvg.svg_to_bytes(svg_string=_TEXT))
    return drawn != bytes(resvg.svg_to_bytes(svg_string=_TEXT.replace(">M<", "><")))
