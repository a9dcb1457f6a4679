"""Finds results that nothing can come of.

That nobody has used one in a rehearsal is not enough: code that decides on stand-ins does not go every way. So the
source is asked as well whether the call's value goes nowhere: it is a statement of its own, or in a name that is not
read. Commands and blocks are called for what they do; a function that says it returns nothing, too.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from types import NoneType
from typing import Never

from .._inspect.annotations import members
from .._inspect.bodies import code_of, returns
from .._inspect.functions import is_silent
from ..plan.rehearsed import RehearsedCall
from . import wording
from .call_graph import CallGraph
from .problems import Problem


def problems_of_all(graph: CallGraph) -> Iterator[Problem]:
    """Calls whose results go nowhere."""
    wanted = {number for call in graph.calls for number in (*call.dependencies, *call.after)}
    for call in graph.calls:
        if call.kind == "service" and not (call.is_refused or call.is_used or call.id in wanted):
            yield wording.unneeded(call)
        if (
            call.kind != "function"
            or call.is_refused
            or call.is_used
            or call.detached
            or call.id in wanted
            or call.outputs
            or call.code is None
        ):
            continue
        if _gives_something(call, graph) and graph.uses.drops(call.code, call.at):
            yield wording.unused(call)


def _gives_something(call: RehearsedCall, graph: CallGraph) -> bool:
    gives = graph.gives(call)
    if not is_silent(gives):
        return any(each not in (NoneType, Never) for each in members(gives))
    code = code_of(inspect.unwrap(call.fn))
    return code is not None and code.co_name != "<lambda>" and any(returns(code))
