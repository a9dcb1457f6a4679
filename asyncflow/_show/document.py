"""What plans and reports have in common as JSON: that it is one, and of a version that is known here."""

from __future__ import annotations

import json
from collections.abc import Callable

from . import words


def format_of(noun: str) -> str:
    """What a document says that it is: "asyncflow plan"."""
    return f"asyncflow {noun.lower()}"


def read(
    given: str | bytes, noun: str, version: int, constant: Callable[[str], object] | None = None
) -> dict[str, object]:
    """The document in a text; `constant` makes something of NaN and Infinity.

    Raises:
        TypeError: what was given is no text.
        ValueError: it is no such document, or of another version.
    """
    name = noun.lower()
    if not isinstance(given, (str, bytes)):
        raise TypeError(f"{noun}.from_json() takes text, and was given {words.given(given)}")
    try:
        document = json.loads(given, parse_constant=constant)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"no {name}: the text is not JSON ({error})") from None
    if not isinstance(document, dict) or document.get("format") != format_of(noun):
        raise ValueError(f'no {name}: the text has no "format": "{format_of(noun)}"')
    if document.get("version") != version:
        raise ValueError(
            f"a {name} of version {document.get('version')!r}, and {version} is known here; "
            "a later asyncflow may read it"
        )
    return document
