"""What users say of tasks that may have no value: ``outcome``, ``optional``, ``first_success``, ``n_of``."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeVar, overload

from .._core.outcome import Outcome
from .future import TaskFuture
from .joins import How, first_few_of, first_of, optional_of, outcome_of
from .scope import SCOPE, check_thread

if TYPE_CHECKING:
    from .home import Home

T = TypeVar("T")
D = TypeVar("D")


def outcome(future: TaskFuture[T], /) -> TaskFuture[Outcome[T]]:
    """How a task ends, as a value: it may succeed, fail, be cancelled or be skipped.

    What takes it runs in any case: to clean up, to tell, to count.

    Args:
        future: of the task.

    Returns:
        A future of an `Outcome`, to be awaited or to be passed wherever a future may stand.

    Raises:
        TypeError: it is no future of a task.
    """
    return _join([future], "outcome()", How(f"outcome({_name(future)})", outcome_of), sys._getframe(1))


@overload
def optional(future: TaskFuture[T], /) -> TaskFuture[T | None]: ...
@overload
def optional(future: TaskFuture[T], /, default: D) -> TaskFuture[T | D]: ...
def optional(future: TaskFuture[Any], /, default: object = None) -> TaskFuture[Any]:
    """The value of a task, or a default if it is skipped. A task that fails, or is cancelled, has no value as ever.

    Args:
        future: of the task.
        default: instead of its value.

    Returns:
        A future, to be awaited or to be passed wherever a future may stand.

    Raises:
        TypeError: it is no future of a task.
    """
    how = How(f"optional({_name(future)})", partial(optional_of, default), takes_failures=False)
    return _join([future], "optional()", how, sys._getframe(1))


def first_success(futures: Iterable[TaskFuture[T]], /) -> TaskFuture[T]:
    """The value of the first of several tasks that succeeds. The others are cancelled then.

    Args:
        futures: of the tasks.

    Returns:
        A future; if none of them succeeds it fails with `TooFewSucceeded`, which tells of all.

    Raises:
        TypeError: something among them is no future of a task.
        ValueError: there is none.
    """
    given = list(futures)
    if not given:
        raise ValueError("first_success([]): there is no future among which one could succeed")
    return _join(given, "first_success()", How("first_success", first_of, 1), sys._getframe(1))


def n_of(futures: Iterable[TaskFuture[T]], k: int, /) -> TaskFuture[list[T]]:
    """The values of the first ``k`` of several tasks that succeed. The others are cancelled then.

    Args:
        futures: of the tasks.
        k: how many have to succeed.

    Returns:
        A future of their values, in the order in which the futures were given. As soon as so many can succeed no more,
        it fails with `TooFewSucceeded`.

    Raises:
        TypeError: something among them is no future of a task.
        ValueError: there are fewer, or none is needed.
    """
    given = list(futures)
    if isinstance(k, bool) or not isinstance(k, int):
        raise TypeError(f"n_of(futures, {k!r}): a whole number is needed")
    if not 1 <= k <= len(given):
        raise ValueError(f"n_of(futures, {k}): of {len(given)} futures, 1 to {len(given)} can be needed")
    return _join(given, "n_of()", How("n_of", partial(first_few_of, k), k), sys._getframe(1))


def _name(future: object) -> str:
    return future.name if isinstance(future, TaskFuture) else ""


def _join(sources: Sequence[Any], what: str, how: How, caller: FrameType) -> TaskFuture[Any]:
    for each in sources:
        if not isinstance(each, TaskFuture):
            raise TypeError(
                f"{what} got {each!r}, a {type(each).__name__}; it takes what the call of a task returns.\n"
                "  Of a coroutine or another future make a task first:  engine.submit(...)"
            )
    run: Home = sources[0]._run
    check_thread(run.thread, what)
    block: Any = SCOPE.get().block
    if block is not None and block._run is not run:  # in a rehearsal, or another engine's block
        run = block._run.rehearses(run.engine) or run
    return run.joins.make(sources, how, caller.f_code, caller.f_lasti)
