"""Finds functions that do not return what they are annotated to return, where their code or their wiring tells.

A task's body is not run in a rehearsal, and a block's is with stand-ins: so what a value turns out to be says little,
and nothing is made of it. Certain is a body that never returns anything, and a block that hands on what a task gives.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import NoneType
from typing import Any

from .._core.rehearsed import Rehearsed
from .._core.story import place_in
from .._inspect.bodies import code_of, forgets_to_return
from .._inspect.fits import clash
from .._inspect.functions import is_silent
from .._inspect.values import refusal
from . import said
from .faults import Fault
from .seen import Seen


def nothing_faults(seen: Seen) -> Iterator[Fault]:
    """Functions that never return anything, and have to.

    Args:
        seen: all calls.
    """
    looked_at: set[Any] = set()
    for call in seen.calls:
        code = code_of(call.fn)
        if code is None or code in looked_at or call.kind not in ("function", "block", "executable"):
            continue
        looked_at.add(code)
        if not forgets_to_return(code):
            continue
        where = place_in(code, 0)
        if call.kind == "executable":
            yield said.no_command(call, where)
        elif not is_silent(gives := seen.gives(call)) and clash(NoneType, gives) is not None:
            yield said.nothing_returned(call, gives, where)


def handed_on_faults(call: Rehearsed, seen: Seen) -> Iterator[Fault]:
    """A block that returns what a task gives, and is annotated to give something else.

    Args:
        call: that was rehearsed.
        seen: all calls.
    """
    if call.kind != "block" or call.is_refused or call.returned is ... or call.returned is None:
        return
    gives = seen.gives(call)
    if is_silent(gives):
        return
    refused = refusal(call.returned, gives, seen.replaced_in(call))
    if refused is None:
        return
    maker = seen.maker(refused.culprit)
    if maker is None:
        maker = seen.made(refused.culprit, call)
        if maker is None or clash(seen.gives(maker), gives) is None:
            return
    code = code_of(call.fn)
    where = call.called_at if code is None else place_in(code, 0)
    yield said.handed_on(maker, call, seen.gives(maker), gives, where)
