"""Numbers and names as people read them; a name can do nothing to the terminal or page that shows it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from .._causes import spelled

_CLIPPED, _HEAD = 40, 12  # characters of a name, and of its beginning if it is longer
_MORE: Final = len(" -> ... 9,999 more ... -> ")
_SIZES: Final = ("B", "kB", "MB", "GB", "TB", "PB")


def plain(text: str, most: int = 200) -> str:
    """Text in one line that only shows: what would do something else, as escape sequences do, is spelled out."""
    shown = spelled(text[: most + 1])
    return shown if len(shown) <= most else shown[: most - 3] + "..."


def name_of(text: str, most: int = _CLIPPED) -> str:
    """A name that only shows, and of a long one the beginning and, where most differ, the end.

    Args:
        text: from anywhere.
        most: characters that are left of it; 16 or more.
    """
    if len(text) > most:
        text = text[:_HEAD] + "..." + text[_HEAD + 3 - most :]
    return plain(text, most)


def counted(number: int, noun: str) -> str:
    """A number and what it counts: "1 task", "2,000 tasks"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def seconds(duration: float) -> str:
    """A duration: "12.3 s", "2 h 5 min"."""
    if 0 < duration < 0.9995e-3:
        return f"{duration * 1e6:.3g} µs"
    if 0 < duration < 0.9995:
        return f"{duration * 1e3:.3g} ms"
    if duration < 119.5:
        return f"{duration:.3g} s"
    if duration < 2 * 3600:
        minutes, rest = divmod(round(duration), 60)
        return f"{minutes} min {rest} s"
    if duration < 1e8:
        hours, minutes = divmod(round(duration / 60), 60)
        return f"{hours:,} h {minutes} min"
    return f"{duration / 3600:.3g} h"


def size(number: int) -> str:
    """A number of bytes: "3.2 GB"."""
    amount: float = number
    for unit in _SIZES:
        if amount < 999.5 or unit == _SIZES[-1]:
            break
        amount /= 1000
    return f"{number:,} B" if unit == "B" else f"{amount:.3g} {unit}"


def listed(texts: Sequence[str], width: int, more: int = 0) -> str:
    """As many as there is room for: "a, b and 3 more".

    Args:
        texts: those that may be named.
        width: how many characters there are; the first is named whatever it takes.
        more: how many there are besides.
    """
    shown = _fitting(texts, width, 2)
    more += len(texts) - shown
    return ", ".join(texts[:shown]) + (f" and {more:,} more" if more else "")


def path(labels: Sequence[str], width: int = 100) -> str:
    """What comes one after another: "a -> b -> ... 7 more ... -> z".

    Args:
        labels: of all.
        width: how many characters there are; the first and the last are named whatever they take.
    """
    if len(labels) > 2 and _fitting(labels, width, 4) < len(labels):
        shown = _fitting(labels[:-1], width - len(labels[-1]) - _MORE, 4)
        if shown < len(labels) - 1:
            labels = [*labels[:shown], f"... {len(labels) - 1 - shown:,} more ...", labels[-1]]
    return " -> ".join(labels)


def _fitting(texts: Sequence[str], width: int, between: int) -> int:
    """How many fit; one at least."""
    for number, text in enumerate(texts):
        width -= len(text) + between * (number > 0)
        if width < 0 and number:
            return number
    return len(texts)


def given(value: object) -> str:
    """What somebody has given in place of something else, for an error: "3, an int"."""
    kind = type(value).__name__
    try:
        text = repr(value)
    except Exception:  # a broken __repr__ must not hide what is wrong
        text = "something"
    return f"{plain(text, 80)}, {'an' if kind[0] in 'aeiou' else 'a'} {kind}"
