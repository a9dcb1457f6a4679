"""Tells whose code a file is: the user's, a library's or ours."""

from __future__ import annotations

import os
import site
import sysconfig
from functools import lru_cache
from typing import Final

OURS: Final = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_LIBRARIES: Final = tuple(
    {
        os.path.realpath(path) + os.sep
        for path in (
            *(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")),
            *site.getsitepackages(),
        )
    }
)


def is_users(filename: str) -> bool:
    """Whether a file is neither ours nor of a library."""
    return not filename.startswith(OURS) and not is_library(filename)


@lru_cache(4096)
def is_library(filename: str) -> bool:
    """Whether code is Python's own, or was installed."""
    return filename.startswith("<frozen") or os.path.realpath(filename).startswith(_LIBRARIES)
