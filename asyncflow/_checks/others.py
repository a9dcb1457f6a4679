"""Finds what results were asked for in vain, and iterators that several tasks would share."""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Iterator
from typing import Final

from .._core.containers import Kinds
from .._core.hidden import Hidden, hidden_in
from .._core.signature import names_of
from .._inspect.attributes import CALL, INDEX, ITERATION, known, stored_in
from .._inspect.functions import is_silent
from .._inspect.parts import walk
from ..plan.rehearsed import Lack, RehearsedCall
from . import wording
from .call_graph import CallGraph
from .problems import Problem

_ORIGIN: Final = re.compile(r"(.*)#(\d+)", re.DOTALL)
_CANNOT: Final = {INDEX: "cannot be indexed", CALL: "cannot be called", ITERATION: "cannot be gone over"}


def lack_problems(graph: CallGraph) -> Iterator[Problem]:
    """What code has asked results for that their classes have not."""
    for lack in graph.lacks:
        maker = _maker(lack, graph)
        if maker is not None and (is_silent(graph.gives(maker)) or lack.asked in _set_by(maker)):
            continue
        problem = _CANNOT.get(lack.asked, f"has no attribute '{lack.asked}'")
        yield wording.lacking(_label(lack), lack.cls, problem, lack.where, _meant(lack))


def _maker(lack: Lack, graph: CallGraph) -> RehearsedCall | None:
    found = _ORIGIN.fullmatch(lack.origin)
    return graph.by_id.get(int(found[2])) if found else None


def _set_by(maker: RehearsedCall) -> frozenset[str]:
    """The names of attributes that the module of the function that gave a result sets, perhaps on that result."""
    return stored_in(str(getattr(maker.fn, "__module__", "")))


def _label(lack: Lack) -> str:
    found = _ORIGIN.fullmatch(lack.origin)
    return f"{found[1]} (#{found[2]})" if found else f"{lack.origin} (#?)"


def _meant(lack: Lack) -> str | None:
    if lack.asked in _CANNOT:
        return None
    close = difflib.get_close_matches(lack.asked, known(lack.cls), 1)
    return close[0] if close else None


def hidden_problems(graph: CallGraph) -> Iterator[Problem]:
    """Futures in arguments where calls do not look for them: the function gets them as they are."""
    kinds = Kinds(_NoFuture, lambda cls: False, lazy=False)
    known: dict[int, Hidden | None] = {}
    for call in graph.calls:
        if call.kind not in ("function", "executable") or call.is_refused:
            continue
        names = names_of(call.fn, call.args, call.kwargs)
        for place, (name, value) in enumerate(zip(names, (*call.args, *call.kwargs.values()), strict=True)):
            if id(value) not in known:
                known[id(value)] = hidden_in(value, name, kinds, lambda each: graph.task_of(each) is not None)
            hidden = known[id(value)]
            maker = None if hidden is None else graph.maker(hidden.future)
            if hidden is not None and maker is not None and (place or _is_used(call, hidden)):
                yield wording.hidden(maker, call, name, hidden)


class _NoFuture:
    """What no argument is."""


def _is_used(call: RehearsedCall, hidden: Hidden) -> bool:
    """Whether a function has anything to do with what its first argument holds: that of a method may hold whatever else
    its class is for."""
    code = getattr(inspect.unwrap(call.fn), "__code__", None)
    first = hidden.path.split(".")[1:2]
    return call.needs_pickle or code is None or not first or first[0] in code.co_names


def iterator_problems(graph: CallGraph) -> Iterator[Problem]:
    """Iterators among the arguments of several tasks: what one of them reads the others miss.

    Args:
        graph: all calls, which hold what they were given.
    """
    first: dict[int, RehearsedCall] = {}
    for call in graph.calls:
        if call.is_refused or call.kind == "block":  # which may hand it on to one task
            continue
        for value in walk([*call.args, *call.kwargs.values()]):
            if _is_iterator(value) and first.setdefault(id(value), call) is not call:
                yield wording.shared_iterator(first[id(value)], call, value)


def _is_iterator(value: object) -> bool:
    """Whether it can be read once, and is of Python's own: others may be locked, or begin anew."""
    return type(value).__module__ in ("builtins", "itertools") and hasattr(type(value), "__next__")
