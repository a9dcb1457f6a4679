"""Finds the text of a future where its value was meant: in a name, a path, a command."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from .._show.words import plain
from .containers import FOREIGN, Kinds, parts_of
from .files import InputFile, OutputFile

OF_TEXT: Final = "has the text of a future"
_BEGINS: Final = "<TaskFuture "
_TEXT: Final = re.compile(_BEGINS + r".+?#\d+ [A-Z_]+>", re.DOTALL)
_MOST: Final = 10_000  # parts of one argument that are looked at
_SHOWN: Final = 100  # characters of a text
_MEND: Final = "Await the future first, and make the text of its value; or pass the future itself"


def refuse(text: object, where: str) -> None:
    """Refuse a text or path that contains the text of a future; anything else is let through. ``where`` says what it
    is: "argument 'path' of 'read'".

    Raises:
        TypeError: it has.
    """
    told = _text_in(text)
    if told is not None:
        raise TypeError(f"{where} {OF_TEXT} in it: {plain(repr(told), _SHOWN)}\n  {_MEND}")


def place_of_text(
    args: tuple[object, ...], kwargs: Mapping[str, object], kinds: Kinds
) -> tuple[int, str] | None:
    """The argument of a call that contains the text of a future, as an f-string makes it, and all of that text; None
    if there is none."""
    for place, arg in enumerate((*args, *kwargs.values())):
        left, seen = [arg], {id(arg)}
        for part in left:  # grows while it is gone over
            told = _text_in(part)
            if told is not None:
                return place, told
            kind = kinds[type(part)]
            if kind > FOREIGN and len(left) < _MOST:
                inner = {id(each): each for each in parts_of(kind, part)}
                left += [each for key, each in inner.items() if key not in seen]
                seen |= inner.keys()
    return None


def _text_in(value: object) -> str | None:
    if isinstance(value, InputFile):
        value = value.source
    elif isinstance(value, OutputFile):
        value = value.name if _BEGINS in value.name else value.to
    if hasattr(type(value), "__fspath__"):
        value = str(value)
    return value if isinstance(value, str) and _BEGINS in value and _TEXT.search(value) else None
