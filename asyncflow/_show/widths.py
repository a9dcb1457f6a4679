"""How wide text is in the fonts that pictures are written with, without one of them at hand."""

from __future__ import annotations

from typing import Final
from unicodedata import combining, east_asian_width

# Advance widths in thousandths of the size: of the printable characters of ASCII in Arial, Helvetica, Liberation Sans
# and Arimo, which have them in common.
_ASCII: Final = (
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556, 556, 556, 556,
    556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833,
    722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556, 333, 556, 556, 500, 556,
    556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556, 556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334,
    260, 334, 584,
)  # fmt: skip
_OTHER: Final = (
    680  # wider than most letters of other alphabets; text is set to the width that is reckoned here
)
_WIDE: Final = 1000
_KNOWN: Final = {"×": 584, "…": 1000, "–": 556, "µ": 576, "→": 1000, "·": 333}


def width(text: str, size: float) -> float:
    """How wide a text is.

    Args:
        text: of one line.
        size: of the font; the width is in the same unit.
    """
    return sum(map(_advance, text)) * size / 1000


def clipped(text: str, size: float, most: float) -> str:
    """As much of a text as there is room for, with an ellipsis where something is missing.

    Args:
        text: of one line.
        size: of the font.
        most: how wide it may be.
    """
    if width(text, size) <= most:
        return text
    room = most - width("…", size)
    kept = 0
    for each in text:
        room -= _advance(each) * size / 1000
        if room < 0:
            break
        kept += 1
    return text[:kept] + "…"


def lines(text: str, size: float, most: float) -> list[str]:
    """A text in lines that are no wider than there is room for; words that are wider are cut.

    Args:
        text: whose words stand apart by spaces.
        size: of the font.
        most: how wide a line may be.
    """
    made = [""]
    for word in text.split():
        longer = f"{made[-1]} {word}" if made[-1] else word
        if not made[-1] or width(longer, size) <= most:
            made[-1] = longer
        else:
            made.append(word)
    return [clipped(line, size, most) for line in made]


def _advance(character: str) -> int:
    code = ord(character)
    if 32 <= code < 127:
        return _ASCII[code - 32]
    if combining(character):
        return 0
    if east_asian_width(character) in "WF":
        return _WIDE
    return _KNOWN.get(character, _OTHER)
