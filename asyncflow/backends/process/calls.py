"""Packs calls for worker processes: a function as a name or once by value, arguments each time."""

from __future__ import annotations

import inspect
import os
import sys
from collections import OrderedDict
from collections.abc import Callable
from functools import reduce
from itertools import count
from typing import Any, Final

import cloudpickle

from ..._causes import brief
from ..._core.pace import Pace
from ..._worker import wire
from ..._worker.chain import PREVIOUS
from ...backend import Work

_PLAIN: Final = wire.PLAIN | {type(PREVIOUS)}
_OF_A_CALL: Final = 32  # bytes, about
_OF_A_FILE: Final = 4096  # few of them go into one frame: a packet takes few descriptors
_KEPT: Final = 1024  # functions; those of a notebook's every version must not stay for ever


HEAVY: Final = 8 << 20
"""Bytes from which copying is left to another thread."""


class Function:
    """One version of a function, as workers know it."""

    __slots__ = ("definition", "number", "pace", "size")

    def __init__(self, number: int, definition: Any) -> None:
        self.number = number
        self.definition = definition  # (module, path), or pickled by value
        self.size = sum(map(len, definition)) if type(definition) is tuple else len(definition)
        if self.size > wire.IN_BAND:
            self.size = _OF_A_FILE
        self.pace = Pace()


class Packed:
    """One call, ready to be sent."""

    __slots__ = ("file", "flags", "function", "parts", "payload", "size", "work")

    def __init__(self, work: Work, function: Function, flags: int, payload: Any, size: int) -> None:
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
    """The functions of one start, by what they are: a function defined anew is another one."""

    def __init__(self) -> None:
        self._functions: OrderedDict[Any, Function] = OrderedDict()
        self._numbers = count(1)

    def function(self, work: Work) -> Function:
        """The entry of a work's function.

        Raises:
            TypeError: the function cannot be sent.
        """
        fn = work.fn
        try:
            known = self._functions.get(fn)
        except TypeError:  # cannot be hashed, and so not be told from another version: sent with each call
            return Function(next(self._numbers), _definition(work))
        if known is None:
            known = self._functions[fn] = Function(next(self._numbers), _definition(work))
            if len(self._functions) > _KEPT:
                self._functions.popitem(last=False)
        return known

    def pack(self, work: Work, linked: bool) -> Packed:
        """Pack one call.

        Args:
            work: what to call.
            linked: whether it follows the call before in a chain.

        Raises:
            TypeError: something in it cannot be sent; names the task and the argument.
        """
        function = self.function(work)
        args, kwargs = work.args, work.kwargs
        flags = work.is_coroutine * wire.COROUTINE | linked * wire.LINKED
        if work.tells_start:
            flags |= wire.TELLS_START
        if not kwargs and _PLAIN.issuperset(map(type, args)):
            flags |= wire.PLAIN_ARGUMENTS
            size = sum(map(_size, args), _OF_A_CALL)
            if size < wire.IN_BAND:  # they are pickled with the whole frame, once
                return Packed(work, function, flags, (function.number, args), size)
        try:
            parts = wire.Parts((function.number, args, dict(kwargs)))
        except BaseException as error:
            raise TypeError(why_unsendable(work, error)) from error
        if parts.in_band:
            return Packed(work, function, flags, bytes(parts.stream), len(parts.stream))
        packed = Packed(work, function, flags | wire.IN_FILE, parts.sizes(), _OF_A_FILE)
        packed.parts = parts
        return packed


def _size(value: Any) -> int:
    """Bytes that a plain value takes in a pickle, at most; beyond ASCII, text is stored in less than it takes there."""
    return sys.getsizeof(value) * (2 if type(value) is str and not value.isascii() else 1)


def _definition(work: Work) -> Any:
    fn = work.fn
    name = importable(fn)
    if name is not None:
        return name
    try:
        return cloudpickle.dumps(fn, protocol=5)
    except BaseException as error:
        raise TypeError(
            f"{work.name!r} (#{work.id}) cannot be sent to another process: {brief(error)}\n"
            "  Something that it uses from around it cannot be pickled; make that inside the function, or pass it."
        ) from error


def importable(fn: Callable[..., Any]) -> tuple[str, str] | None:
    module, path = getattr(fn, "__module__", None), getattr(fn, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(path, str) or module == "__main__" or "<" in path:
        return None
    loaded = sys.modules.get(module)
    spec = getattr(loaded, "__spec__", None)
    if spec is None or not (spec.has_location or spec.origin in ("built-in", "frozen")):
        return None
    if spec.has_location and not os.path.exists(spec.origin or ""):
        return None
    try:
        found: Any = reduce(getattr, path.split("."), loaded)
    except AttributeError:
        return None
    same = found is fn or getattr(found, "fn", None) is fn
    return (module, path) if same else None


def why_unsendable(work: Work, error: BaseException) -> str:
    """The words for arguments that cannot be pickled: the first that cannot is named."""
    try:
        names = list(inspect.signature(work.fn).bind(*work.args, **work.kwargs).arguments.items())
    except (TypeError, ValueError):
        names = [(str(index), value) for index, value in enumerate(work.args)] + list(work.kwargs.items())
    for name, value in names:
        try:
            cloudpickle.dumps(value)
        except BaseException as problem:
            kind = f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
            return (
                f"argument {name!r} of {work.name!r} (#{work.id}): cannot pickle {kind!r} ({brief(problem)})\n"
                "  It would have to be sent to another process; make it inside the function, or use backend='thread'."
            )
    return f"the arguments of {work.name!r} (#{work.id}) cannot be pickled: {brief(error)}"
