"""Finds functions that do not return what they are annotated to return, where their code or their wiring tells.

A task's body is not run in a rehearsal, and a block's is with stand-ins: so what a value turns out to be says little,
and nothing is made of it. Certain is a body that never returns anything, and a block that hands on what a task gives.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import NoneType

from .._core.story import place_in
from .._inspect.bodies import code_of, forgets_to_return
from .._inspect.fits import clash
from .._inspect.functions import is_silent
from .._inspect.values import refusal
from ..plan.rehearsed import RehearsedCall
from . import wording
from .call_graph import CallGraph
from .problems import Problem


def nothing_problems(graph: CallGraph) -> Iterator[Problem]:
    """Functions that never return anything, and have to."""
    looked_at: set[object] = set()
    for call in graph.calls:
        code = code_of(call.fn)
        if code is None or code in looked_at or call.kind not in ("function", "block", "executable"):
            continue
        looked_at.add(code)
        if not forgets_to_return(code):
            continue
        where = place_in(code, 0)
        if call.kind == "executable":
            yield wording.no_command(call, where)
        elif not is_silent(gives := graph.gives(call)) and clash(NoneType, gives) is not None:
            yield wording.nothing_returned(call, gives, where)


def handed_on_problems(call: RehearsedCall, graph: CallGraph) -> Iterator[Problem]:
    """A block that returns what a task gives, and is annotated to give something else."""
    if call.kind != "block" or call.is_refused or call.returned is ... or call.returned is None:
        return
    gives = graph.gives(call)
    if is_silent(gives):
        return
    refused = refusal(call.returned, gives, graph.replaced_in(call))
    if refused is None:
        return
    maker = graph.maker(refused.culprit)
    if maker is None:
        maker = graph.made(refused.culprit, call)
        if maker is None or clash(graph.gives(maker), gives) is None:
            return
    code = code_of(call.fn)
    where = call.called_at if code is None else place_in(code, 0)
    yield wording.handed_on(maker, call, graph.gives(maker), gives, where)
