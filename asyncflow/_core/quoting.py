"""Puts values into shell commands so that the shell sees each as it is. Pure; for shells that quote as POSIX has it."""

from __future__ import annotations

import shlex
from string import Formatter
from typing import Any


def quoted(value: Any) -> str:
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
    def format_field(self, value: Any, format_spec: str) -> str:
        return quoted(format(value, format_spec) if format_spec else value)


def sh(template: str, /, *values: Any, **named: Any) -> str:
    """A shell command with values put in, each quoted: ``sh("grep {} {}", pattern, path)``.

    Args:
        template: as for `str.format`; its own text is the shell's.
        values: for ``{}`` and ``{0}``; a list becomes several words.
        named: for ``{name}``.

    Raises:
        ValueError: a value holds a null character.
        IndexError: there are more places than values.
    """
    return _Quoting().vformat(template, values, named)
