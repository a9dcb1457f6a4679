"""How wide text is in the palette's fonts, as far as a picture has to know so that nothing runs into anything."""

from __future__ import annotations

from typing import Final
from unicodedata import combining, east_asian_width

_NARROW: Final = {
    **dict.fromkeys("ijl|'", 0.23),
    **dict.fromkeys(" !,./:;I[]\\ft", 0.29),
    **dict.fromkeys('()-r`{}"*', 0.36),
    **dict.fromkeys("ckszvxyJ^", 0.51),
    **dict.fromkeys("ABEKPSVXY&", 0.68),
    **dict.fromkeys("CDHNRUw", 0.74),
    **dict.fromkeys("GOQ", 0.79),
    **dict.fromkeys("mM%", 0.9),
    **dict.fromkeys("W@", 1.02),
}
_USUAL: Final = 0.57


def width(text: str, size: float) -> float:
    """About how many pixels wide a text is, and mostly a little less.

    Args:
        text: without line breaks.
        size: of the font, in pixels.
    """
    return size * sum(_NARROW.get(letter) or _other(letter) for letter in text)


def fitting(text: str, size: float, most: float) -> str:
    """As much of a text as there is room for, with "…" where something is missing; "" where there is none."""
    if width(text, size) <= most:
        return text
    room, end = most - width("…", size), 0
    for letter in text:
        room -= width(letter, size)
        if room < 0:
            break
        end += 1
    return f"{text[:end]}…" if end > 1 else ""


def _other(letter: str) -> float:
    if letter.isascii():
        return _USUAL
    return 0.0 if combining(letter) else 1.0 if east_asian_width(letter) in "WFA" else 0.7
