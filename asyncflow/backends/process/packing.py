"""Packs calls for worker processes: a function as a name or once by value, arguments each time.

Only what stays as it is may be sent once. A bound method, a partial or an object that is called carries a state that
changes between two calls, and so travels like an argument; how to tell that a function has changed is in `versions`.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import count
from operator import call
from types import FunctionType, MethodType
from typing import Any, Final

from ..._causes import brief
from ..._core.pace import FRAME_SECONDS, Pace
from ..._worker import wire
from ..._worker.by_value.modules import importable
from ..._worker.by_value.pickler import Reducer, dumps
from ..._worker.chain import PREVIOUS
from ..._worker.exceptions import what_hinders_in
from ..._worker.generators import AHEAD_OF_ARGUMENTS, BEGINS
from ..._worker.gives_resources import without_resources
from ...backend import Kept, Work
from .versions import Reloads, Version

_CALL: Final = ("operator", "call")
_PLAIN: Final = wire.PLAIN | {type(PREVIOUS)}
_OF_A_CALL: Final = 32  # bytes, about
_OF_A_FILE: Final = 4096  # few of them go into one frame: a packet takes few descriptors
_KEPT: Final = 1024  # functions; those of a notebook's every version must not stay for ever


HEAVY: Final = 8 << 20
"""Bytes from which copying is left to another thread."""


class Function:
    """One version of a function, as workers know it."""

    __slots__ = ("code", "definition", "is_current", "number", "pace", "size", "version")

    def __init__(
        self, number: int, definition: Any, code: object, version: Version | None, pace: Pace | None = None
    ) -> None:
        self.number = number
        self.code = code
        self.version = version  # None: workers import it, and what it mentions is their own
        self.is_current = True  # and will be asked for again
        self.definition = definition  # (module, path), or pickled by value
        self.size = sum(map(len, definition)) if type(definition) is tuple else len(definition)
        if self.size > wire.IN_BAND:
            self.size = _OF_A_FILE
        self.pace = pace or Pace()


class Packed:
    """One call, ready to be sent."""

    __slots__ = ("file", "flags", "function", "kept", "load", "parts", "payload", "size", "work")

    load: float  # seconds of work that it was counted for at an agent; no other has it
    kept: Sequence[Kept]  # results among its arguments that agents keep, if it is flagged so

    def __init__(self, work: Work, function: Function, flags: int, payload: object, size: int) -> None:
        self.work = work
        self.function = function
        self.flags = flags
        self.payload = payload  # as the worker is sent it
        self.size = size  # about so many bytes of a packet
        self.parts: wire.Parts | None = None  # what is too large for a packet
        self.file = -1  # the same, written into memory

    @property
    def is_heavy(self) -> bool:
        """Whether writing it takes long enough for others to notice."""
        return self.parts is not None and self.file < 0 and self.parts.size > HEAVY

    def write(self) -> None:
        """Write what is too large for a packet into memory; may be done on another thread."""
        if self.parts is not None and self.file < 0:
            self.file = self.parts.into_memory()

    def drop(self) -> None:
        """Let go of what was sent, or will not be."""
        if self.file >= 0:
            os.close(self.file)
            self.file = -1
        self.payload = self.parts = None


class Book:
    """The functions of one start, by what they are: a function defined anew is another one.

    Args:
        guess: seconds that a call takes, as long as that is not known.
        reducers: how arguments of some kinds travel; None if all as they are.
    """

    def __init__(self, guess: float = FRAME_SECONDS, reducers: Mapping[type, Reducer] | None = None) -> None:
        self._guess = guess
        self._reducers = reducers or None
        self._functions: OrderedDict[object, Function] = OrderedDict()
        self._numbers = count(1)
        self._reloads = Reloads()

    def is_outdated(self) -> bool:
        """Whether modules were loaded again, so that workers which have imported them have to be replaced."""
        if not self._reloads.came():
            return False
        self.forget()
        return True

    def forget(self) -> None:
        """Make all entries anew when they are asked for again."""
        for function in self._functions.values():
            function.is_current = False
        self._functions.clear()

    def function(self, work: Work) -> Function | None:
        """The entry of a work's function; None for what has to be sent with each call.

        Raises:
            TypeError: the function cannot be sent.
        """
        fn = without_resources(work.fn)  # which the worker gives it
        try:
            known = self._functions.get(fn)
        except TypeError:  # cannot be hashed
            return None
        if known is not None:
            # Other code: its module was loaded again, and a notebook put the new code into the old function.
            if getattr(fn, "__code__", None) is known.code and (
                known.version is None or known.version.holds()
            ):
                return known
            self._functions.pop(fn).is_current = False
        name = importable(fn) if type(fn) is not MethodType else None
        if name is None and type(fn) is not FunctionType and not isinstance(fn, type):
            return None
        is_stale = name is not None and known is not None  # a notebook put other code into it
        value = name if name is not None and not is_stale else _definition(work, is_changed=is_stale)
        version = Version(fn) if value is not name else None
        code, pace = getattr(fn, "__code__", None), Pace(self._guess)
        function = Function(next(self._numbers), value, code, version, pace)
        if known is not None and known.code is function.code:
            function.pace = known.pace  # it mentions something else, and takes about as long
        return self._keep(fn, function)

    def caller(self, fn: object) -> Function:
        """The entry for what calls its first argument: one for each kind, since each has a run time of its own."""
        kind = fn.func if type(fn) is partial else getattr(fn, "__func__", None)
        if type(kind) is not FunctionType:
            kind = type(fn)
        known = self._functions.get((call, kind))
        if known is None:
            number = next(self._numbers)
            known = self._keep((call, kind), Function(number, _CALL, None, None, Pace(self._guess)))
        return known

    def _keep(self, key: object, function: Function) -> Function:
        self._functions[key] = function
        if len(self._functions) > _KEPT:
            self._functions.popitem(last=False)[1].is_current = False
        return function

    def pack(self, work: Work, linked: bool) -> Packed:
        """Pack one call; ``linked`` if it follows the call before it in a chain.

        Raises:
            TypeError: something in it cannot be sent; names the task and the argument.
        """
        known = self.function(work)
        args, kwargs = work.args, work.kwargs
        function = known or self.caller(work.fn)
        if known is None:
            args = (work.fn, *args)
        flags = work.is_coroutine * wire.COROUTINE | linked * wire.LINKED
        if work.attempt > 1:
            flags |= work.attempt << wire.ATTEMPT
        if work.tells_start:
            flags |= wire.TELLS_START
        if known is None or work.is_tagged:
            flags |= wire.TAGGED
        try:
            kinds = {*map(type, args)}
        except TypeError:  # a class that cannot be hashed
            kinds = {object}
        if not kwargs and kinds <= _PLAIN:
            flags |= wire.PLAIN_ARGUMENTS
            size = sum(map(_size if str in kinds else sys.getsizeof, args), _OF_A_CALL)
            if size < wire.IN_BAND:  # they are pickled with the whole frame, once
                return Packed(work, function, flags, (function.number, args), size)
        try:
            parts = wire.Parts((function.number, args, dict(kwargs)), reducers=self._reducers)
        except BaseException as error:
            if known is None:
                _definition(work)  # which tells of it if it is the function that cannot be sent
            raise TypeError(why_unsendable(work, error)) from error
        if parts.in_band:
            return Packed(work, function, flags, bytes(parts.stream), len(parts.stream))
        packed = Packed(work, function, flags | wire.IN_FILE, parts.sizes(), _OF_A_FILE)
        packed.parts = parts
        return packed


def _size(value: object) -> int:
    """Bytes that a plain value takes in a pickle, at most; beyond ASCII, text is stored in less than it takes there."""
    return sys.getsizeof(value) * (2 if type(value) is str and not value.isascii() else 1)


def _definition(work: Work, *, is_changed: bool = False) -> bytes:
    try:
        return dumps(without_resources(work.fn), is_changed=is_changed)
    except BaseException as error:
        raise TypeError(
            f"{work.name!r} (#{work.id}) cannot be sent to another process: {brief(error)}\n"
            "  Something that it uses from around it cannot be pickled; make that inside the function, or pass it."
        ) from error


def why_unsendable(work: Work, error: BaseException) -> str:
    """The words for arguments that cannot be pickled: the first that cannot is named."""
    fn, args = work.fn, work.args
    if hasattr(fn, BEGINS):
        fn, args = getattr(fn, BEGINS), args[AHEAD_OF_ARGUMENTS:]
    try:
        names = list(inspect.signature(fn).bind(*args, **work.kwargs).arguments.items())
    except (TypeError, ValueError):
        names = [(str(index), value) for index, value in enumerate(work.args)] + list(work.kwargs.items())
    for name, value in names:
        try:
            dumps(value)
        except BaseException as problem:
            kind = f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
            why = what_hinders_in(value, dumps) or brief(problem)
            return (
                f"argument {name!r} of {work.name!r} (#{work.id}): cannot pickle {kind!r} ({why})\n"
                "  It would have to be sent to another process; make it inside the function, or use backend='thread'."
            )
    return f"the arguments of {work.name!r} (#{work.id}) cannot be pickled: {brief(error)}"
