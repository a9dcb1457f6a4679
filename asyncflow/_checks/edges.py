"""Finds arguments that are not what a function takes: results of other tasks, files, and plain values."""

from __future__ import annotations

from collections.abc import Iterator

from .._core.files import File
from .._inspect.annotations import asks_for_futures
from .._inspect.fits import clash
from .._inspect.functions import Argument, is_silent
from .._inspect.values import Refusal, refusal
from .._stand_ins.opaque import StandIn
from ..plan.rehearsed import RehearsedCall
from . import wording
from .call_graph import CallGraph
from .problems import Problem


def problems_of(call: RehearsedCall, graph: CallGraph) -> Iterator[Problem]:
    """What is wrong with the arguments of a call."""
    if call.kind in ("awaitable", "output", "join") or call.is_refused:
        return
    replaced = graph.replaced_in(call)
    for argument in graph.arguments(call):
        value = argument.value
        if not graph.is_known_to_fit(value, argument.hint):
            refused = None if is_silent(argument.hint) else refusal(value, argument.hint, replaced)
            if refused is not None:
                yield from _told(call, argument, refused, graph)
            else:
                graph.fits(value, argument.hint)


def example_problems(call: RehearsedCall, graph: CallGraph) -> Iterator[Problem]:
    """What is wrong with the example that a user gives of a task's value."""
    if call.example is ... or callable(call.example) or call.kind == "block":
        return
    gives = graph.gives(call)
    refused = None if is_silent(gives) else refusal(call.example, gives)
    if refused is not None:
        yield wording.example(call, call.example, gives, refused.reason)


def _told(call: RehearsedCall, argument: Argument, refused: Refusal, graph: CallGraph) -> Iterator[Problem]:
    name, takes, value, culprit = argument.name, argument.hint, argument.value, refused.culprit
    maker = graph.maker(culprit)
    if maker is not None:
        gives = graph.gives(maker)
        if asks_for_futures(takes):
            yield wording.wants_future(maker, call, name, gives, takes)
        elif culprit is value:
            yield wording.edge(maker, call, name, gives, takes, refused.reason)
        else:
            yield wording.part(maker, call, argument, gives, refused.reason, clash(gives, takes) is None)
    elif issubclass(type(culprit), File):
        yield wording.a_file(call, name, takes)
    elif issubclass(type(culprit), StandIn) or graph.is_one_of_several(culprit):
        return
    elif (maker := graph.awaited(value)) is not None:
        yield wording.edge(maker, call, name, graph.gives(maker), takes, refused.reason)
    elif hasattr(type(value), "with_options") and hasattr(value, "fn"):
        yield wording.uncalled(call, name, str(getattr(value, "__name__", "task")), takes)
    elif call.code is None or not graph.uses.works_out(call.code, call.at, _place(call, value)):
        yield wording.literal(call, name, value, takes, refused.reason)


def _place(call: RehearsedCall, value: object) -> int | str:
    """Where an argument is given: by its number, or by its name."""
    for number, each in enumerate(call.args):
        if each is value:
            return number
    return next((name for name, each in call.kwargs.items() if each is value), 0)
