"""What crosses from one process to another: functions and arguments by value, outcomes that always unpickle.

An exception may refuse to be pickled, or pickle and then refuse to be rebuilt. It must never take the channel, the
worker or another task with it, so it is tried on the side where it was raised, and if it fails an envelope with the
same facts travels instead. What is rebuilt there may still fail here, as where a task has imported what only its
process can find; so the facts travel in any case.
"""

from __future__ import annotations

import os
import pickle
import traceback
from collections.abc import Callable, Mapping
from itertools import pairwise
from time import perf_counter
from types import FunctionType
from typing import Any, Final

from .._causes import brief
from .._tracebacks import trim
from ..errors import RemoteError
from .attempt import Outcome, run_attempt
from .by_value.pickler import dumps
from .results import UNFIT_TO_SEND, why_unfit

_LIMIT: Final = 100_000  # characters of a traceback's text that travel
_CAUSES: Final = 8  # exceptions, each the cause of the one before, that travel
_LARGEST: Final = 1 << 20  # bytes of an exception that travels as itself
_PICKLING: Final = ("__new__", "__reduce__", "__reduce_ex__", "__setstate__", "__getstate__")


def pack_call(
    fn: Callable[..., Any], is_coroutine: bool, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> bytes:
    """A call as bytes, with the function by value where it cannot be imported by name."""
    return dumps((fn, is_coroutine, args, dict(kwargs)))


def run_packed(call: bytes, _: str) -> tuple[bytes, float, str]:
    """Run a packed call.

    Args:
        call: as `pack_call` has packed it.
        _: what tells it from all other calls.

    Returns:
        The packed outcome, the seconds that it took, and a name for this process.
    """
    fn, is_coroutine, args, kwargs = pickle.loads(call)
    began = perf_counter()
    outcome = run_attempt(fn, is_coroutine, args, kwargs, None)
    return pack_outcome(outcome), perf_counter() - began, f"process {os.getpid()}"


def pack_outcome(outcome: Outcome) -> bytes:
    """An outcome as bytes that `unpack_outcome` reads without fail."""
    succeeded, payload = outcome
    if not succeeded:
        return pack_error(payload)
    if type(payload) in UNFIT_TO_SEND:
        return pack_error(TypeError(f"its result is {why_unfit(payload)}"))
    try:
        return dumps((True, payload), is_going_home=True)
    except BaseException as error:
        return pack_error(TypeError(f"its result is {why_unpicklable(payload, error)}"))


def pack_error(error: BaseException) -> bytes:
    """An exception as an outcome that unpickles without fail, with its traceback as text."""
    if isinstance(error, RuntimeError) and isinstance(error.__cause__, StopIteration):
        error = error.__cause__  # what Python makes of one that leaves a coroutine; a cause does not travel
    trim(error)
    told = traceback_text(error)
    chain = [_portable(error, told)]
    while error.__cause__ is not None and len(chain) < _CAUSES:
        error = error.__cause__
        chain.append(_portable(error, ""))
    return dumps((False, chain))


def why_unpicklable(value: Any, error: BaseException) -> str:
    """The words for a value that cannot be sent to another process."""
    return f"a {type(value).__name__}, which cannot be sent to another process: {brief(error)}; return plain data"


def unpack_outcome(packed: bytes) -> Outcome:
    """An outcome that `pack_outcome` packed. A value that cannot be rebuilt here is a failure."""
    try:
        succeeded, payload = pickle.loads(packed)
    except KeyboardInterrupt:
        raise
    except BaseException as problem:
        problem.add_note("while the result was unpickled")
        return False, problem
    if succeeded:
        return True, payload
    chain = [_rebuilt(*each) for each in payload]
    for error, cause in pairwise(chain):  # pickle forgets causes
        error.__cause__ = cause
    return False, chain[0]


def _portable(error: BaseException, told: str) -> tuple[bytes, str, str, str]:
    """An exception, pickled if it can be and else empty, and the facts of its envelope."""
    try:
        packed = dumps(_Bare(error) if _is_plain(type(error)) else error, is_going_home=True)
        if len(packed) > _LARGEST:
            raise ValueError("it is too large")
        rebuilt: BaseException = pickle.loads(packed)
        if type(rebuilt).__name__ != type(error).__name__:
            raise TypeError("it was rebuilt as something else")
    except BaseException:
        packed = b""
    return packed, type(error).__qualname__, brief(error), told


class _Bare:
    """An exception that is rebuilt without its own ``__init__``, which may take other arguments than ``args``, or say
    something else with them: pickle calls it with those."""

    def __init__(self, error: BaseException) -> None:
        self._error = error

    def __reduce__(self) -> Any:
        return _with_all, (type(self._error), self._error.args, self._error.__dict__)


def _with_all(cls: type[BaseException], args: tuple[Any, ...], attributes: dict[str, Any]) -> BaseException:
    error = BaseException.__new__(cls, *args)
    error.__dict__.update(attributes)
    return error


def _is_plain(cls: type[BaseException]) -> bool:
    """Whether its arguments and attributes are all there is of an exception that has an ``__init__`` of its own."""
    built_in = next(each for each in cls.__mro__ if each.__module__ == "builtins")
    own = cls.__mro__[: cls.__mro__.index(built_in)]
    has_fields = built_in.__basicsize__ != BaseException.__basicsize__  # as `OSError` and others
    return (
        isinstance(cls.__init__, FunctionType)
        and not has_fields
        and not any(vars(each).get("__slots__") for each in own)
        and all(getattr(cls, name) == getattr(built_in, name) for name in _PICKLING)
    )


def _rebuilt(packed: bytes, kind: str, text: str, told: str) -> BaseException:
    try:
        rebuilt: BaseException = pickle.loads(packed)
        if told:
            rebuilt.add_note(f"Where it was raised:\n{told}")
    except KeyboardInterrupt:
        raise
    except BaseException:  # also what would end the program
        return RemoteError(kind, text, told)
    return rebuilt


def traceback_text(error: BaseException) -> str:
    """A traceback in words, bounded, whatever the exception's own methods do."""
    try:
        text = "".join(traceback.format_exception(error))
    except BaseException as problem:
        text = (
            "".join(traceback.format_tb(error.__traceback__))
            + f"{brief(error)} (formatting: {brief(problem)})"
        )
    if len(text) > _LIMIT:
        text = text[: _LIMIT // 2] + "\n[...]\n" + text[-_LIMIT // 2 :]
    return text
