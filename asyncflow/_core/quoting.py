"""Puts values into shell commands so that the shell sees each as it is. Pure; for shells that quote as POSIX has it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from functools import lru_cache
from string import Formatter
from typing import Final

from .shell_text import Place, places

_MEND: Final = (
    'Outside of quotes it is quoted by itself, as one word. To have it inside of some:  v={}; echo "of $v"\n'
    "  A script for another shell takes it as an argument:  sh -c 'cat \"$1\"' sh {}"
)

_BRACES: Final = (
    "Values go into {} in their order, or by name into {name}; "
    "braces of the command itself are doubled: {{ }}"
)

_PLACE: Final = re.compile(r"\w*(?:[.\[]|$)")  # for a value; anything else was meant for the shell, or awk


def quoted(value: object) -> str:
    """One value as one word of a shell command; of a list or tuple, one word for each item.

    Args:
        value: text, a number, a path, or several.

    Raises:
        ValueError: it holds a null character, which no command can be given.
        TypeError: bytes, which have to be decoded first.
    """
    if isinstance(value, (list, tuple)):
        return " ".join(map(quoted, value))
    if isinstance(value, (bytes, bytearray)):
        raise TypeError(f"{value!r} is bytes; decode it first (os.fsdecode) or return the command as a list")
    text = str(value)
    if "\0" in text:
        raise ValueError(f"{text!r} holds a null character, which no command can be given")
    return shlex.quote(text)


class _Quoting(Formatter):
    """Formats one command. ``places`` tells where each value stands."""

    def __init__(self, places: Iterator[Place]) -> None:
        self._places = places

    def format_field(self, value: object, format_spec: str) -> str:
        text = format(value, format_spec) if format_spec else value
        word = quoted(text)
        place = next(self._places)
        if place is Place.ARITHMETIC and word != str(text):
            raise ValueError(f"sh: {text!r} stands {place.value}, where a shell runs what is in it")
        if place is Place.COMMENT and "\n" in word:
            raise ValueError(f"sh: {text!r} stands {place.value}, which ends with its line")
        return word


def sh(template: str, /, *values: object, **named: object) -> str:
    """A shell command with values put in, each quoted: ``sh("grep {} {}", pattern, path)``.

    Args:
        template: as for `str.format`; its own text is the shell's. Places for values stand outside of quotes.
        values: for ``{}`` and ``{0}``; a list becomes several words.
        named: for ``{name}``.

    Raises:
        ValueError: a value holds a null character, or a place for one stands inside quotes or a heredoc.
        IndexError: there are more places than values.
        KeyError: nothing was given for a name.
        TypeError: the template is no text.
    """
    given: object = template
    if not isinstance(given, str):
        mend = (
            "\n  A list of arguments needs no sh: return it as it is"
            if isinstance(given, (list, tuple))
            else ""
        )
        raise TypeError(f"sh({given!r}): the command is needed as text, with {{}} where values go in{mend}")
    try:
        return _Quoting(iter(_places(template))).vformat(template, values, named)
    except (KeyError, IndexError) as error:
        lacking = _lacking(template, values, named)
        if lacking is None:
            raise
        raise type(error)(_Told(f"sh({template!r}): nothing was given for {lacking}.\n  {_BRACES}")) from None


class _Told(str):
    """A `KeyError` shows the representation of what it is given."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _lacking(template: str, values: tuple[object, ...], named: dict[str, object]) -> str | None:
    """The first place of a template for which there is no value."""
    places = (field for _, field, _, _ in Formatter().parse(template) if field is not None)
    for at, field in enumerate(places):
        first = re.split(r"[.\[]", field, maxsplit=1)[0] or str(at)
        if not (int(first) < len(values) if first.isdigit() else first in named):
            return f"{{{field}}}, place {at + 1}" if field == "" else f"{{{field}}}"
    return None


@lru_cache
def _places(template: str) -> tuple[Place, ...]:
    """Where the values of a template will stand, one for each time that one is put in."""
    parts = [
        (text.replace("\0", " "), field, spec or "") for text, field, spec, _ in Formatter().parse(template)
    ]
    found = iter(places("".join(text + ("" if field is None else "\0") for text, field, _ in parts)))
    stand: list[Place] = []
    for _, field, spec in parts:
        if field is None:
            continue
        place = next(found)
        if place not in (Place.OUTSIDE, Place.ARITHMETIC, Place.COMMENT):
            mend = _MEND if _PLACE.match(field) else _BRACES
            if "$" in place.value and mend is _MEND:  # perhaps a variable of the shell was meant
                mend = f"{_BRACES}\n  {_MEND}"
            raise ValueError(
                f"sh({template!r}): {{{field}}} stands {place.value}, where it cannot be quoted.\n  {mend}"
            )
        nested = sum(inner is not None for _, inner, _, _ in Formatter().parse(spec))
        stand += [place] * (1 + nested)
    return tuple(stand)
