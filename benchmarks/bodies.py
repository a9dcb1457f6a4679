"""The functions that the tasks run. Workers import them by name from here.

None has a parameter called ``inputs``: to Parsl that name means something.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable
from time import perf_counter
from typing import Any


def nothing(*values: object) -> None:
    """A no-op that takes whatever its dependencies gave."""


async def nothing_async(*values: object) -> None:
    """The same as a coroutine."""


async def nothing_awaiting(*values: Awaitable[object]) -> None:
    """The same as one writes it by hand: the body itself awaits what it depends on, in the fewest steps."""
    for each in values:
        await each


def busy(iterations: int, *values: object) -> None:
    """Compute for a while.

    A hash and not an empty ``for``, because it gives up the interpreter lock: threads can be compared, too.

    Args:
        iterations: how long, in units that `pace` measures.
        values: what the dependencies gave.
    """
    hashlib.pbkdf2_hmac("sha256", b"password", b"salt", iterations)


def pace(seconds: float) -> tuple[float, float]:
    """How long `busy` takes here.

    Args:
        seconds: how long to measure.

    Returns:
        Seconds of a call with one iteration, and of each iteration more: the best that was seen of each.
    """
    call = each = float("inf")
    many = 5_000
    end = perf_counter() + seconds
    while (began := perf_counter()) < end:
        busy(1)
        between = perf_counter()
        busy(many)
        call = min(call, between - began)
        each = min(each, (perf_counter() - between) / many)
    return call, each


def load(kind: str, size: int) -> Any:
    """A large value whose pages are all really there (zeroed ones need not be).

    Args:
        kind: "bytes" or "numpy".
        size: in bytes.
    """
    if kind == "bytes":
        return b"\x01" * size
    import numpy

    return numpy.ones(size // 8)


def weight(value: Any) -> int:
    """The size of such a value in bytes."""
    return len(value) if isinstance(value, bytes) else int(value.nbytes)


def same(value: Any) -> Any:
    """Take a value and give it back."""
    return value
