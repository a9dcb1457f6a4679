"""Kept results among the arguments of calls: what stands for one in a pickle, and how a worker takes it in.

A kept result lies in a memory file that its agent holds open. A worker on the same machine opens it by its path below
``/proc`` when the call begins, and maps it: nothing is copied, and what waits holds no descriptor.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any, Final

from . import wire

Place = tuple[int, str, wire.Sizes]
"""Number of a kept result, path of its memory file, and the sizes of its parts."""

noted: Final[list[Any]] = []
"""What stood for kept results in what was pickled here, until somebody empties it: who packs a call has to know."""

_there: dict[int, tuple[str, wire.Sizes]] = {}


def take_from(places: Iterable[Place]) -> None:
    """Say where the kept results are that the arguments of the next call mention.

    Args:
        places: of all of them.
    """
    _there.clear()
    _there.update((number, (path, sizes)) for number, path, sizes in places)


def taken(number: int) -> object:
    """A kept result; pickles mention this by its name.

    Args:
        number: of the result.

    Raises:
        wire.Gone: its memory file is not there.
    """
    path, sizes = _there[number]
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise wire.Gone(number, f"{path}: {error.strerror}") from None
    return wire.unpack_memory(file, sizes, is_shared=True)
