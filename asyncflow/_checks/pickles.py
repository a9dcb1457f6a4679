"""Finds what cannot leave this process though its task is sent to another: arguments, functions, results.

Nothing is kept of what is packed, and buffers are not even looked at: an argument may be larger than what is left of
the memory. After the first megabytes of one argument, the rest is taken on trust.
"""

from __future__ import annotations

import collections.abc
import sys
from collections.abc import Callable, Iterator
from types import GeneratorType
from typing import Any, Final

from .._causes import brief
from .._core.files import File
from .._inspect.annotations import class_of, members
from .._stand_ins.opaque import StandIn
from .._worker.by_value.modules import importable
from .._worker.by_value.pickler import Pickler
from ..plan.rehearsed import RehearsedCall
from . import wording
from .call_graph import CallGraph
from .problems import Problem

_ENOUGH: Final = 4 << 20  # bytes
_PLAIN: Final = frozenset({type(None), bool, int, float, complex, str, bytes, bytearray})
_TIED: Final = (
    ("_io", "TextIOWrapper"),
    ("_io", "BufferedReader"),
    ("_io", "BufferedWriter"),
    ("_io", "FileIO"),
    ("_thread", "lock"),
    ("_thread", "RLock"),
    ("threading", "Thread"),
    ("threading", "Event"),
    ("threading", "Condition"),
    ("_socket", "socket"),
    ("socket", "socket"),
    ("sqlite3", "Connection"),
    ("sqlite3", "Cursor"),
    ("ssl", "SSLContext"),
    ("subprocess", "Popen"),
    ("mmap", "mmap"),
    ("_weakref", "ReferenceType"),
    ("asyncio", "AbstractEventLoop"),
    ("concurrent.futures", "Executor"),
)
"""Classes whose objects belong to their process, by module and name: a module that is not loaded has none."""
_RUN_WHERE_READ: Final = (
    collections.abc.Generator,
    collections.abc.AsyncGenerator,
    collections.abc.Coroutine,
)


_PACKS_ITSELF: Final = ("__reduce__", "__reduce_ex__", "__getstate__")


class _Enough(Exception):
    """So much has been packed that the rest is taken on trust."""


class _Nowhere:
    """A file that keeps nothing."""

    def __init__(self) -> None:
        self._size = 0

    def write(self, data: Any) -> None:
        self._size += len(data)
        if self._size > _ENOUGH:
            raise _Enough


class _Pickler(Pickler):
    """Packs a call's argument; what will be something else by then is left out."""

    def __init__(self, leaves_out: Callable[[object], bool]) -> None:
        super().__init__(_Nowhere(), buffer_callback=lambda buffer: None)
        self._leaves_out = leaves_out

    def persistent_id(self, value: object) -> object:
        return "" if self._leaves_out(value) else None


class PickleTrials:
    """What has been tried already: one object may be an argument of many calls.

    Args:
        graph: all calls, which hold what they were given.
    """

    def __init__(self, graph: CallGraph) -> None:
        self._graph = graph
        self._why: dict[int, str | None] = {}

    def problems_of(self, call: RehearsedCall) -> Iterator[Problem]:
        """What of a call cannot leave this process."""
        if not call.needs_pickle or call.kind != "function" or call.is_refused:
            return
        for argument in self._graph.arguments(call):
            why = self._why_not(argument.value)
            if why is not None:
                yield wording.unsendable(call, argument.name, argument.value, why)
        if importable(call.fn) is None and (why := self._why_not(call.fn)) is not None:
            yield wording.unsendable_function(call, why)

    def _why_not(self, value: object) -> str | None:
        if type(value) in _PLAIN:
            return None
        if id(value) not in self._why:
            self._why[id(value)] = self._tried(value)
        return self._why[id(value)]

    def _tried(self, value: object) -> str | None:
        try:
            _Pickler(self._is_left_out).dump(value)
        except (_Enough, KeyboardInterrupt, MemoryError, RecursionError):
            return None
        except BaseException as error:
            return brief(error)
        return None

    def _is_left_out(self, value: object) -> bool:
        cls = type(value)
        return (
            issubclass(cls, (StandIn, File))
            or (hasattr(cls, "__await__") and not isinstance(value, GeneratorType))
            or self._graph.task_of(value) is not None
        )


def argument_problems(graph: CallGraph) -> Iterator[Problem]:
    """Arguments and functions that cannot be sent."""
    trials = PickleTrials(graph)
    for call in graph.calls:
        yield from trials.problems_of(call)


def result_problems(graph: CallGraph) -> Iterator[Problem]:
    """Results that cannot be any anywhere, or not those of another process."""
    known: dict[int, tuple[Any, bool, bool]] = {}
    for call in graph.calls:
        if call.kind != "function":
            continue
        gives = graph.gives(call)
        if id(gives) not in known:
            known[id(gives)] = (gives, *_judged(gives))
        _, is_no_value, is_tied = known[id(gives)]
        if is_no_value:
            yield wording.no_value(call, gives)
        elif is_tied and call.needs_pickle:
            yield wording.unsendable_result(call, gives)


def _judged(gives: object) -> tuple[bool, bool]:
    """Whether values of a type run only where they are read, and whether they belong to their process."""
    try:
        classes = [cls for each in members(gives) if (cls := class_of(each)) is not type(None)]
        if not classes or None in classes:
            return False, False
        return all(cls in _RUN_WHERE_READ for cls in classes), all(map(_is_tied, classes))
    except Exception:  # annotations are code of the user's
        return False, False


def _is_tied(cls: Any) -> bool:
    for module, name in _TIED:
        tied = getattr(sys.modules.get(module), name, None)
        if isinstance(tied, type) and tied in cls.__mro__:
            between = cls.__mro__[: cls.__mro__.index(tied)]
            if not any(name in vars(each) for each in between for name in _PACKS_ITSELF):
                return True
    return False
