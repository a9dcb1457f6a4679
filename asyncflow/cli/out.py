"""What is printed: words for people, JSON for programs."""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from math import isfinite
from typing import TextIO

from .exits import Refused


def say(text: str) -> None:
    """Print a text on the standard output, whatever letters it can show.

    Raises:
        Refused: it cannot be written there.
    """
    try:
        _write(sys.stdout, text)
    except OSError as error:  # the disk is full
        raise Refused(f"the standard output cannot be written: {error.strerror or error}") from None


def tell(text: str) -> None:
    """Print something that is not the result on the standard error."""
    with suppress(OSError):  # there is nowhere else to tell it
        _write(sys.stderr, text)


def columns() -> int | None:
    """Of the terminal that the standard error is; None if it is none."""
    with suppress(OSError, ValueError, AttributeError):
        if sys.stderr.isatty():
            return os.get_terminal_size(sys.stderr.fileno()).columns or None
    return None


def say_json(document: object) -> None:
    """Print JSON on the standard output; a number that JSON does not have, as infinity, is null."""
    try:
        text = json.dumps(document, indent=2, default=str, allow_nan=False)
    except ValueError:
        text = json.dumps(_finite(document), indent=2, default=str)
    say(text)


def _finite(document: object) -> object:
    if isinstance(document, dict):
        return {name: _finite(each) for name, each in document.items()}
    if isinstance(document, (list, tuple)):
        return [_finite(each) for each in document]
    return document if not isinstance(document, float) or isfinite(document) else None


def _write(stream: TextIO | None, text: str) -> None:
    if stream is None:  # was closed before the program began
        return
    encoding = stream.encoding or "utf-8"
    try:
        print(text.encode(encoding, "backslashreplace").decode(encoding), file=stream, flush=True)
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())  # or Python complains of it at its end
        if not isinstance(error, BrokenPipeError):  # who reads has seen enough, as `head` does
            raise
