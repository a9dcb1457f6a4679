"""Puts what went wrong into the form in which it reaches whoever awaits: the exception itself, with a note that
names the task and the line of its call, or an envelope where the original would stop the awaiter's program."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, Final

from .._causes import add_note, brief
from .._core.files import File, InputFile, OutputFile
from .._core.story import called_at, cells_told
from .._core.task import Task
from .._files.sandboxes import Sandboxes
from .._tracebacks import trim
from .._worker.results import UNFIT, why_unfit
from ..backend import Kept
from ..errors import TaskCrashed
from .future import EndedFuture, FailedFuture, KeptFuture, ServiceFuture, TaskFuture

NO_VALUES: Final = frozenset(
    {*UNFIT, TaskFuture, ServiceFuture, KeptFuture, EndedFuture, FailedFuture, InputFile, OutputFile, Kept}
)
"""Classes of results that are no values; what is `Kept` comes to one."""

_SHOWN: Final = 5  # failures of one block that are told with the first
_MOST_NOTES: Final = 32
_AND_MORE: Final = "and in other tasks, which are not named"


def unfit(task: Task, value: object) -> TypeError:
    """The error for a result of a class in `NO_VALUES`."""
    if isinstance(value, TaskFuture):
        what = (
            f"{value!r}, which is not its value; await it inside, or decorate the function with @engine.block"
        )
    elif isinstance(value, File):
        what = f"{value!r}, which declares a file; do that in the call of a task"
    else:
        what = why_unfit(value)
    return TypeError(f"{task.name!r} (#{task.id}) returned {what}")


def as_failure(task: Task, error: BaseException, call: str = "") -> Exception:
    """The exception that the future of a failed task gets. ``call`` shows the call with its arguments."""
    if isinstance(error, RuntimeError) and isinstance(error.__cause__, StopIteration):
        error = error.__cause__  # what Python makes of a StopIteration that leaves a coroutine
    if isinstance(error, Exception) and not isinstance(error, (StopIteration, StopAsyncIteration)):
        failure = error
    else:
        failure = TaskCrashed(task.id, task.name, brief(error))
        failure.__cause__ = error
    trim(failure)
    notes = getattr(failure, "__notes__", None)
    if type(notes) is list and "IPython" in sys.modules:  # one may be the traceback of a worker
        notes[:] = [cells_told(note) if type(note) is str else note for note in notes]
    if isinstance(failure, AttributeError) and isinstance(failure.obj, TaskFuture):
        # Here, and by no __getattr__ of futures: with one each look at a slot of theirs takes Python a detour.
        note(failure, f"it is a future, and not yet its value; await it first:  (await ...).{failure.name}")
    if task.definition.is_slice:  # the generator is told of
        return failure
    kind = "generator" if task.definition.ahead else "block" if task.definition.is_block else "task"
    where = called_at(task) + (call and f", as {call}")
    note(failure, f"in {kind} {task.name_shown!r} (#{task.id}), called at {where}")
    return failure


def final_failure(task: Task, error: BaseException, call: str, sandboxes: Sandboxes | None) -> Exception:
    """The same of a task that is not tried again; it tells of attempts before the last, and where the sandbox is."""
    failure = as_failure(task, error, call)
    if task.failed_attempts:
        before = "; ".join(f"{each.number}: {brief(each.error)}" for each in task.failed_attempts)
        has_waited = task.failed_attempts[-1].number == task.attempt  # for one that never came
        told = "all failed:" if has_waited else "before it failed"
        note(failure, f"attempt {task.attempt}; {told} {before}")
    if sandboxes is not None and task.files is not None:
        sandboxes.failed(task, failure)
    return failure


def first_of(block: Task, failed: Sequence[TaskFuture[object]]) -> BaseException:
    """What a block raises that has returned several futures which have failed: the first failure, with notes that name
    the others. Those stay failures that nobody has looked at, but for what has the same reasons.

    Args:
        block: that is over.
        failed: in the order in which it returned them; at least one.
    """
    first = failed[0].exception()
    assert first is not None
    told: set[int] = set()
    others = []
    for future in failed:
        roots = {root.task_id for root in future.cause.roots}  # type: ignore[union-attr]
        if roots <= told:
            future.exception()
        elif told:
            others.append(future)
        told |= roots
    for future in others[:_SHOWN]:
        error = brief(future._exception)  # type: ignore[arg-type]  # not exception(), which is to look at it
        note(
            first,
            f"also failed, of what {block.name!r} (#{block.id}) returned: {future.name!r} (#{future.id}): {error}",
        )
    if len(others) > _SHOWN:
        note(first, f"and {len(others) - _SHOWN} more of what {block.name!r} (#{block.id}) returned")
    return first


def note(error: BaseException, words: str) -> None:
    """Add a note, if there are not many: a program may raise one exception again and again."""
    notes: Any = getattr(error, "__notes__", ())
    if words in notes:
        return
    if len(notes) < _MOST_NOTES:
        add_note(error, words)
    elif notes[-1] != _AND_MORE:
        add_note(error, _AND_MORE)
