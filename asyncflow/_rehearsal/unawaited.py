"""Notices, while something is rehearsed, coroutines that are dropped without having been awaited.

The interpreter tells of these through one function of `warnings`, in the context of whoever dropped them. While any
rehearsal goes on another function stands there: it takes what was dropped inside of a rehearsal, and hands on the rest.
Afterwards all is as it was. Filters of warnings are not touched: they belong to the whole program.
"""

from __future__ import annotations

import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

Take = Callable[[Any], bool]
_WARNS: Final = "_warn_unawaited_coroutine"
_lock: Final = threading.Lock()
_listening: Final[list[tuple[int, Take]]] = []  # thread, and who listens there
_depths: Final[dict[int, int]] = {}  # by thread: how much coroutines remembered of where they were made
_before: Any = None  # what tells of them else


@contextmanager
def dropped_coroutines(take: Take) -> Iterator[None]:
    """Notice them, in any thread.

    Args:
        take: is handed each in the context in which it was dropped, and tells whether it has taken it.
    """
    listener = threading.get_ident(), take
    with _lock:
        _begin(listener)
    try:
        yield
    finally:
        with _lock:
            _end(listener)


def _begin(listener: tuple[int, Take]) -> None:
    global _before  # noqa: PLW0603 - there is one interpreter to listen to
    thread = listener[0]
    if thread not in _depths:
        _depths[thread] = sys.get_coroutine_origin_tracking_depth()
        sys.set_coroutine_origin_tracking_depth(max(1, _depths[thread]))
    if getattr(warnings, _WARNS, _dropped) is not _dropped:
        _before = getattr(warnings, _WARNS)
        setattr(warnings, _WARNS, _dropped)
    _listening.append(listener)


def _end(listener: tuple[int, Take]) -> None:
    thread = listener[0]
    _listening.remove(listener)
    if all(other != thread for other, _ in _listening):
        sys.set_coroutine_origin_tracking_depth(_depths.pop(thread))
    if not _listening and getattr(warnings, _WARNS, None) is _dropped:
        setattr(warnings, _WARNS, _before)


def _dropped(coroutine: object) -> None:
    if not any(take(coroutine) for _, take in tuple(_listening)):
        _before(coroutine)
