"""What is printed: words for people, JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping


def say(text: str) -> None:
    """Print a text on the standard output, whatever letters it can show."""
    _write(sys.stdout, text)


def tell(text: str) -> None:
    """Print something that is not the result on the standard error."""
    _write(sys.stderr, text)


def say_json(document: object) -> None:
    """Print JSON on the standard output."""
    say(json.dumps(document, indent=2, default=str))


def _write(stream: object, text: str) -> None:
    encoding = getattr(stream, "encoding", None) or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding), file=stream, flush=True)  # type: ignore[call-overload]


def without_empty(facts: Mapping[str, object]) -> dict[str, object]:
    """The facts that say something."""
    return {name: fact for name, fact in facts.items() if fact not in (None, "", [], {})}
