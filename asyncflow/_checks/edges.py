"""Finds arguments that are not what a function takes: results of other tasks, files, and plain values."""

from __future__ import annotations

import asyncio
import collections.abc
import concurrent.futures
import typing
from collections.abc import Iterator
from typing import Any, Final

from .._core.files import File
from .._core.rehearsed import Rehearsed
from .._inspect.fits import clash
from .._inspect.functions import Argument, is_silent
from .._inspect.hints import members
from .._inspect.values import Refusal, refusal
from .._stand_ins.opaque import StandIn
from . import said
from .faults import Fault
from .seen import Seen

_AWAITED: Final = (collections.abc.Awaitable, asyncio.Future, concurrent.futures.Future)


def faults_of(call: Rehearsed, seen: Seen) -> Iterator[Fault]:
    """What is wrong with the arguments of a call.

    Args:
        call: that was rehearsed.
        seen: all calls.
    """
    if call.kind in ("awaitable", "output") or call.is_refused:
        return
    replaced = seen.replaced_in(call)
    for argument in seen.arguments(call):
        value = argument.value
        if not seen.is_known_to_fit(value, argument.hint):
            refused = None if is_silent(argument.hint) else refusal(value, argument.hint, replaced)
            if refused is not None:
                yield from _told(call, argument, refused, seen)
            else:
                seen.fits(value, argument.hint)


def example_faults(call: Rehearsed, seen: Seen) -> Iterator[Fault]:
    """What is wrong with the example that a user gives of a task's value.

    Args:
        call: that was rehearsed.
        seen: all calls.
    """
    if call.example is ... or callable(call.example) or call.kind == "block":
        return
    gives = seen.gives(call)
    refused = None if is_silent(gives) else refusal(call.example, gives)
    if refused is not None:
        yield said.example(call, call.example, gives, refused.reason)


def _told(call: Rehearsed, argument: Argument, refused: Refusal, seen: Seen) -> Iterator[Fault]:
    name, takes, value, culprit = argument.name, argument.hint, argument.value, refused.culprit
    maker = seen.maker(culprit)
    if maker is not None:
        gives = seen.gives(maker)
        if _asks_for_futures(takes):
            yield said.wants_future(maker, call, name, gives, takes)
        elif culprit is value:
            yield said.edge(maker, call, name, gives, takes, refused.reason)
        else:
            yield said.part(maker, call, argument, gives, refused.reason, clash(gives, takes) is None)
    elif issubclass(type(culprit), File):
        yield said.a_file(call, name, takes)
    elif issubclass(type(culprit), StandIn) or seen.is_one_of_several(culprit):
        return
    elif (maker := seen.awaited(value)) is not None:
        yield said.edge(maker, call, name, seen.gives(maker), takes, refused.reason)
    elif hasattr(type(value), "with_options") and hasattr(value, "fn"):
        yield said.uncalled(call, name, str(getattr(value, "__name__", "task")), takes)
    elif call.code is None or not seen.uses.works_out(call.code, call.at, _place(call, value)):
        yield said.literal(call, name, value, takes, refused.reason)


def _place(call: Rehearsed, value: Any) -> int | str:
    """Where an argument is given: by its number, or by its name."""
    for number, each in enumerate(call.args):
        if each is value:
            return number
    return next((name for name, each in call.kwargs.items() if each is value), 0)


def _asks_for_futures(hint: Any) -> bool:
    for each in members(hint):
        cls = typing.get_origin(each) or each
        if isinstance(cls, type) and issubclass(cls, _AWAITED):
            return True
        if cls is not each and any(map(_asks_for_futures, typing.get_args(each))):
            return True
    return False
