"""What a process that the program forks must not keep open: it may outlive the program, and would keep its agents."""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterable
from contextlib import suppress
from typing import Final, Protocol


class Opened(Protocol):
    """Somebody with connections."""

    def descriptors(self) -> Iterable[int]:
        """Of those, as they are now."""


_ALL: Final[weakref.WeakSet[Opened]] = weakref.WeakSet()


def not_for_children(opened: Opened) -> None:
    """Have a child that the program forks let go of the connections that somebody has then.

    Args:
        opened: who.
    """
    _ALL.add(opened)


def _let_go() -> None:
    descriptors = [each for opened in list(_ALL) for each in opened.descriptors() if each >= 0]
    _ALL.clear()
    if descriptors:
        nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        for each in descriptors:
            # Not closed: the objects that they belong to are copied, too, and would close the number once more,
            # which may be another file's by then.
            with suppress(OSError):
                os.dup2(nothing, each, inheritable=False)
        os.close(nothing)


os.register_at_fork(after_in_child=_let_go)
