"""What has gone wrong because an ``await`` was forgotten, or a call, or because there is one too many: in words."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Sequence
from typing import Any, Final

from .._causes import brief
from .._core.task import Definition, Task
from .._runtime.future import TaskFuture
from ..plan.tasks import Finding

_AWAIT: Final = "await it first"
SAID: Final = "is a future here, and not yet its value"
"""What a future says that is taken for its value."""
_NAMED: Final = 3
_FUTURE: Final = re.compile(r"\bTaskFuture\b|'coroutine'|\b(?:not|type) coroutine\b")
_TASK: Final = re.compile(r"(?:'|\b(?:not|type|object) )(?:Function|Executable)Task\b(?!\.)")
_AWAITED: Final = re.compile(
    r"object (\w+) can't be used in 'await' expression|'(\w+)' object can't be awaited"
)
"""Python's words until 3.13, and since."""
_OF_MANY: Final = ("list", "tuple", "set", "generator", "map", "dict_values")
_NESTED: Final = (
    "asyncio.run() cannot be called from a running event loop",
    "This event loop is already running",
)


def finding_of(
    task: Task,
    error: BaseException,
    where: str,
    values: Sequence[object],
    is_no_awaitable: Callable[[], bool],
) -> Finding | None:
    """What was forgotten; None if it is something else that is wrong.

    Args:
        task: the block in which it was raised.
        error: what was raised.
        where: the user's line.
        values: that the expression there names.
        is_no_awaitable: whether what was awaited there can be awaited on no value.
    """
    told = str(error)
    awaited = _AWAITED.fullmatch(told) if isinstance(error, TypeError) else None
    if isinstance(error, RuntimeError) and told in _NESTED:
        return Finding(brief(error), where, (task.name,), "here a loop runs: await it instead")
    if _is_of_task(error):
        return _not_called(task, error, where, values)
    if awaited is not None and is_no_awaitable():
        mend = _instead_of_awaiting(awaited[1] or awaited[2])
        return Finding(brief(error), where, (task.name,), mend)
    return _not_awaited(task, error, where, values) if _is_of_future(error) else None


def _instead_of_awaiting(kind: str) -> str:
    if kind in _OF_MANY:
        return "of many:  await asyncio.gather(*...)"
    return "leave out the await: this is a value already"


# -- a call that was forgotten ----------------------------------------------------------------------------


def _is_of_task(error: BaseException) -> bool:
    if isinstance(error, AttributeError):
        return isinstance(getattr(error.obj, "_definition", None), Definition)
    return isinstance(error, TypeError) and _TASK.search(str(error)) is not None


def _not_called(task: Task, error: BaseException, where: str, values: Sequence[Any]) -> Finding:
    given = [each for each in values if isinstance(getattr(each, "_definition", None), Definition)]
    names = list(dict.fromkeys(each._definition.name for each in given))
    told = f"{brief(error)}: {repr(names[0]) if len(names) == 1 else 'this'} is the task itself, not called"
    mend = f"call it:  await {names[0]}(...)" if len(names) == 1 else "call it, and await that"
    return Finding(told, where, (*names[:1], task.name) if len(names) == 1 else (task.name,), mend)


# -- an await that was forgotten --------------------------------------------------------------------------


def _is_of_future(error: BaseException) -> bool:
    if isinstance(error, AttributeError):
        return isinstance(error.obj, TaskFuture) or inspect.iscoroutine(error.obj)
    told = str(error)
    if isinstance(error, RuntimeError):
        return told == "await wasn't used with future"  # it was gone through, as by a ``for``
    return isinstance(error, TypeError) and _FUTURE.search(told) is not None


def _not_awaited(task: Task, error: BaseException, where: str, values: Sequence[object]) -> Finding:
    names = list(dict.fromkeys(name for name in map(_name_of_awaitable, values) if name is not None))
    given = f"what {' or '.join(map(repr, names[:_NAMED]))} gives" if names else "this"
    if SAID in (told := str(error)):  # by the future itself
        why, _, mend = told.partition(SAID)[2].partition(".\n  Await it first:  ")
        return Finding(f"{type(error).__name__}: {given} {SAID}{why}", where, (*names, task.name), mend)
    what = f"{brief(error)}: {given} {SAID}"
    mend = f"{_AWAIT}:  await {names[0]}(...)" if names else _AWAIT
    return Finding(what, where, (*names, task.name), mend)


def _name_of_awaitable(value: object) -> str | None:
    """The name of what gives a future or a coroutine; None for anything else."""
    if isinstance(value, TaskFuture):
        return value.name
    if inspect.iscoroutine(value):
        return value.__name__
    definition = getattr(value, "_definition", None)  # of a decorated function
    return definition.name if isinstance(definition, Definition) else None
