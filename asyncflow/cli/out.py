"""What is printed: words for people, JSON for programs."""

from __future__ import annotations

import json
import os
import sys
from math import isfinite
from typing import TextIO


def say(text: str) -> None:
    """Print a text on the standard output, whatever letters it can show."""
    _write(sys.stdout, text)


def tell(text: str) -> None:
    """Print something that is not the result on the standard error."""
    _write(sys.stderr, text)


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


def _write(stream: TextIO, text: str) -> None:
    encoding = stream.encoding or "utf-8"
    try:
        print(text.encode(encoding, "backslashreplace").decode(encoding), file=stream, flush=True)
    except BrokenPipeError:  # who reads has seen enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())  # or Python complains of it at its end
