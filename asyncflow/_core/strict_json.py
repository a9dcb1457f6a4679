"""Reads JSON text as it is written; what Python's own reader would take for something else is refused. Pure."""

from __future__ import annotations

import json
from collections import Counter
from math import isfinite


def read(text: str | bytes) -> object:
    """What JSON text says. Numbers that are none in JSON, or more than any here can be, and names that stand twice in
    one object are refused: the later would take the place of the earlier.

    Args:
        text: the JSON; bytes are UTF-8.

    Raises:
        ValueError: it is no JSON; tells why.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8-sig")
    try:
        return json.loads(text, object_pairs_hook=_once, parse_constant=_no_number, parse_float=_finite)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    told = dict(pairs)
    if len(told) < len(pairs):
        name, _ = Counter(name for name, _ in pairs).most_common(1)[0]
        raise ValueError(f"the name {name!r} stands twice in one object")
    return told


def _no_number(name: str) -> object:
    raise ValueError(f"{name} is no number of JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise ValueError(f"{text[:40]} is more than a number can be")
    return number
