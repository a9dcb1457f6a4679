"""In a notebook or at a prompt: an engine that gets the name of another, as when the cell that makes one runs again,
takes its place."""

from __future__ import annotations

import asyncio
import dis
import logging
import sys
import threading
from types import FrameType
from typing import Final

from .._runtime import lifecycle
from .base import EngineBase

_log: Final = logging.getLogger("asyncflow")
_STORES: Final = ("STORE_NAME", "STORE_GLOBAL")
_ending: Final[set[asyncio.Task[None]]] = set()  # a loop holds its tasks weakly


def take_place(engine: EngineBase) -> None:
    """End the engine whose name the new one is about to get, if there is one and it runs.

    It ends when what was called is over. Until then its blocks go on to call tasks; other calls of its tasks are
    refused, because whoever makes them means the new engine.

    Args:
        engine: new, and not yet assigned to anything.
    """
    if not hasattr(sys, "ps1"):  # which whatever has a prompt sets
        return
    cell = _cell()
    name = None if cell is None else _assigned(cell)
    old = None if cell is None or name is None else cell.f_globals.get(name)
    if not isinstance(old, EngineBase) or old is engine:
        return
    run = old._usable_run()
    if run is None or run.thread != threading.get_ident() or not run.loop.is_running():
        return
    if run.scheduler.live:
        told = "another engine is %r now; the one before ends when its work is over: %s"
        _log.warning(told, name, lifecycle.in_words(run))
    old._replaced_as = name
    run.burst.site = None  # so that the next call asks
    ending = run.loop.create_task(old._shut_down(True, False))
    _ending.add(ending)
    ending.add_done_callback(_ending.discard)


def _cell() -> FrameType | None:
    """What runs at the top, as a cell does."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        if frame.f_locals is frame.f_globals and frame.f_globals.get("__name__") == "__main__":
            return frame
        frame = frame.f_back
    return None


def _assigned(cell: FrameType) -> str | None:
    """The name that the statement assigns to which runs: its instructions tell. None if it assigns to none."""
    for each in dis.get_instructions(cell.f_code):
        if each.offset > cell.f_lasti:
            if each.opname in _STORES:
                return str(each.argval)
            if each.opname == "POP_TOP":
                return None
    return None
