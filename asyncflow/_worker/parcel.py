"""What crosses from one process to another: functions and arguments by value, outcomes that always unpickle.

An exception may refuse to be pickled, or pickle and then refuse to be rebuilt. It must never take the channel, the
worker or another task with it: how it travels is in `exceptions`.
"""

from __future__ import annotations

import io
import os
import pickle
import threading
import traceback
from collections.abc import Callable, Mapping
from functools import partial
from time import perf_counter
from typing import Final

from .._causes import add_note, brief
from .._tracebacks import trim
from ..errors import RemoteError
from .attempt import Outcome, run_attempt
from .by_value.known import HOME
from .by_value.pickler import Pickler, dumps
from .exceptions import what_hinders_in
from .generators import Values
from .gives_resources import with_resources
from .gpus import VISIBLE, show_only
from .results import UNFIT_TO_SEND, why_unfit
from .whose import Identity, runs

_LIMIT: Final = 100_000  # characters of a traceback's text that travel


def pack_call(
    identity: Identity,
    fn: Callable[..., object],
    is_coroutine: bool,
    args: tuple[object, ...],
    kwargs: Mapping[str, object],
) -> bytes:
    """A call as bytes, with the function by value where it cannot be imported by name."""
    return dumps((HOME.name, identity, fn, is_coroutine, args, dict(kwargs)))


def run_packed(call: bytes, _: str) -> tuple[bytes, float, str]:
    """Run a packed call.

    Args:
        call: as `pack_call` has packed it.
        _: what tells it from all other calls.

    Returns:
        The packed outcome, the seconds that it took, and a name for this process.
    """
    HOME.engine, identity, *rest = pickle.loads(call)
    gpus = identity[-1]
    if not gpus or threading.current_thread() is not threading.main_thread():
        return _run(identity, *rest)  # on a thread the variable would be others', too
    before = os.environ.get(VISIBLE)
    show_only(gpus)
    try:
        return _run(identity, *rest)
    finally:
        if before is None:
            del os.environ[VISIBLE]
        else:
            os.environ[VISIBLE] = before


@runs(lambda held: held["identity"])
def _run(
    identity: Identity,  # for whoever asks whose frame this is
    fn: Callable[..., object],
    is_coroutine: bool,
    args: tuple[object, ...],
    kwargs: Mapping[str, object],
) -> tuple[bytes, float, str]:
    began = perf_counter()
    outcome = run_attempt(with_resources(fn), is_coroutine, args, kwargs, None)
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
        error = error.__cause__  # what Python makes of one that leaves a coroutine
    trim(error)
    told = traceback_text(error)
    stream = io.BytesIO()
    pickler = Pickler(stream, is_going_home=True)
    pickler.exceptions.put_apart(error, told)
    try:
        pickler.dump((False, error))
    except (
        BaseException
    ) as problem:  # what it takes along is deeper than can be packed, or than there is memory for
        return dumps((False, envelope(error, brief(problem), told)))
    return stream.getvalue()


def envelope(error: BaseException, why: str, told: str = "") -> RemoteError:
    """An exception that stands for one that cannot be sent, says why, and shows its traceback."""
    return RemoteError(type(error).__qualname__, brief(error), told, why)


def why_unpicklable(value: object, error: BaseException) -> str:
    """The words for a value that cannot be sent to another process."""
    if isinstance(value, Values):  # that of them which is to blame
        value = next((each for each in value[0] if not _is_sendable(each)), value[0])
    why = what_hinders_in(value, partial(dumps, is_going_home=True)) or brief(error)
    return f"a {type(value).__name__}, which cannot be sent to another process: {why}; return plain data"


def _is_sendable(value: object) -> bool:
    try:
        dumps(value, is_going_home=True)
    except BaseException:
        return False
    return True


def unpack_outcome(packed: bytes) -> Outcome:
    """An outcome that `pack_outcome` packed. A value that cannot be rebuilt here is a failure."""
    try:
        succeeded, payload = pickle.loads(packed)
    except KeyboardInterrupt:
        raise
    except BaseException as problem:
        add_note(problem, "while the result was unpickled")
        return False, problem
    return succeeded, payload


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
