"""What is wrong, in words: from what was raised in a rehearsal to a finding with the user's line, names and a mend.

A finding is what the values of a real run could not mend: a call that is not taken, an attribute that a type lacks, an
``await`` that was forgotten. What only the values decide, as a ``raise`` of the user's own or a list that is too short,
is no finding but a note: it may be so for what stands in, and not for the real thing.
"""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Callable, Iterable, Sequence
from pathlib import PosixPath
from types import CoroutineType
from typing import Any, Final

from .._causes import brief
from .._core.story import called_at, place_in
from .._core.task import Task
from .._files.path_standin import PathStandIn
from .._inspect.frames import is_worded, place_of, values_at
from .._inspect.resolve import returned_by
from .._inspect.shown import shown
from .._stand_ins.example_containers import DictStandIn
from ..errors import AsyncflowError, GiveUp, Retry, Skip, TaskSkipped
from ..plan.rehearsed import RehearsedCall
from ..plan.tasks import Finding
from . import certain, forgotten
from .commands import Failed
from .declared import Declared

_NAMED: Final = 3
_SAID_BY_TASKS: Final = (Skip, TaskSkipped, Retry, GiveUp)
"""What a task raises to say how it is to go on: nothing is wrong with that."""
_ON_ANY_FILE: Final = (TypeError, AttributeError, NameError, LookupError, ArithmeticError)
"""What does not come of files that are not there yet."""
_STANDS_IN_FOR: Final[dict[type, type]] = {DictStandIn: dict, PathStandIn: PosixPath}


def endless(name: str, most: int, where: str) -> Finding:
    """A rehearsal that calls more tasks than it may.

    Args:
        name: of the one that was called once more.
        most: how many it may.
        where: the call.
    """
    return Finding(
        f"{name!r} was called after {most:,} other tasks, as many as a plan may have: a loop that does not end",
        where,
        (name,),
        "an example= for the task whose result ends the loop; or WorkflowEngine(max_tasks=...)",
    )


def dropped(coroutine: CoroutineType[object, object, object]) -> Finding:
    """A coroutine that nobody has awaited."""
    if coroutine.cr_origin:
        filename, line, function = coroutine.cr_origin[0]
        where = f"{filename}:{line}, in {function}"
    else:
        where = place_in(coroutine.cr_code, 0)
    return Finding(
        f"{coroutine.__qualname__!r} gave a coroutine that was never awaited: nothing of it runs",
        where,
        (coroutine.__name__,),
        f"await {coroutine.__name__}(...); or make it a task:  @engine.function_task",
    )


def of_call(error: Exception, where: str, ends: Sequence[str]) -> Finding:
    """A call that a run would refuse.

    Args:
        error: what a run would raise.
        where: the user's line.
        ends: names of the tasks in question; the last is that of what was called.
    """
    told = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    first, _, rest = told.partition("\n")
    lead, _, mend = rest.strip().partition(":  ")
    first, _, parameters = first.partition("; its parameters are ")
    if ends and ends[-1] not in first:  # it does not speak of the task
        first = f"{ends[-1]!r}: {first}"
    if parameters:
        mend = f"its parameters are {parameters}"
    return Finding(first, where, tuple(dict.fromkeys(ends)), mend or lead)


def of_code(
    task: Task,
    error: BaseException,
    calls: Sequence[RehearsedCall],
    value_of: Callable[[RehearsedCall], object],
) -> Finding | str:
    """What code of the user's has raised: a finding, or a note in words.

    Args:
        task: the block in which it was raised, or the task whose ``example=`` has.
        error: what was raised.
        calls: all until now.
        value_of: gives the value of a call; `...` if there is none yet.
    """
    place = place_of(error.__traceback__)
    where = called_at(task) if place is None else place_in(place.frame.f_code, place.at)
    if isinstance(error, _SAID_BY_TASKS):
        return f"{_what(task)} raised {_brief(error)}, on what stands in for results (see example=), {where}"
    if (isinstance(error, AsyncflowError) or is_worded(error)) and forgotten.SAID not in str(error):
        return of_call(error, where, (task.name,))
    values = [] if place is None else list(values_at(place))
    if isinstance(error, AttributeError):
        values.append(error.obj)
    declared = None
    if place is not None and place.is_theirs and not place.is_raise:
        declared = Declared(task, place.frame, place.at, calls, value_of)
    forgot = forgotten.finding_of(
        task, error, where, values, lambda: declared is not None and certain.is_no_awaitable(declared)
    )
    if forgot is not None:
        return forgot
    if isinstance(error, asyncio.InvalidStateError):
        what, _, mend = str(error).partition("; say:  ")
        return Finding(what, where, (task.name,), mend)
    wrong = None if declared is None else certain.blamed(error, declared)
    if place is None and isinstance(error, TypeError):
        wrong = ()  # the target itself was called with what it does not take
    if wrong is not None:
        sources = _Sources(wrong, value_of)
        mend = _meant(error, sources) or sources.mend()
        return Finding(_brief(error) + sources.told(), where, (*sources.names, task.name), mend)
    return f"{_what(task)} ended with {_brief(error)}, on what stands in for results (see example=), {where}"


def of_command(
    task: Task,
    failed: Failed,
    calls: Sequence[RehearsedCall],
    value_of: Callable[[RehearsedCall], object],
    *,
    is_real: bool,
) -> Finding | str:
    """What is wrong with the command of an executable task: a finding, or a note in words.

    Args:
        task: which.
        failed: what there is instead of a command.
        calls: those inside of the same block.
        value_of: gives the value of a call; `...` if there is none yet.
        is_real: whether nothing stands in for what the function is given.
    """
    error = failed.error
    if not failed.is_code and isinstance(error, Exception):
        if is_real:
            return of_call(error, called_at(task), (task.name,))
        return f"{_what(task)} ended with {_brief(error)}, on what stands in for results (see example=)"
    told = of_code(task, error, calls, value_of)
    place = place_of(error.__traceback__)
    is_theirs = place is not None and place.is_raise and place.is_theirs  # and so their own decision
    if isinstance(told, Finding) or not is_real or is_theirs or not isinstance(error, _ON_ANY_FILE):
        return told
    where = called_at(task) if place is None else place_in(place.frame.f_code, place.at)
    return Finding(_brief(error), where, (task.name,))


def _brief(error: BaseException) -> str:
    """An error in words that know nothing of what stands in."""
    told = brief(error)
    for ours, theirs in _STANDS_IN_FOR.items():
        told = told.replace(ours.__name__, theirs.__name__)
    return told


def _meant(error: BaseException, sources: _Sources) -> str:
    """What may have been meant by a name or key that is not there; "" if nothing is like it."""
    if isinstance(error, AttributeError):
        there: Iterable[str] = [each for each in dir(error.obj) if not each.startswith("_")]
        asked = error.name
    elif isinstance(error, KeyError) and error.args:
        there, asked = sources.keys(), error.args[0]
    else:
        return ""
    close = difflib.get_close_matches(asked, there, 1) if isinstance(asked, str) else []
    return f"did you mean {close[0]!r}?" if close else ""


def _what(task: Task) -> str:
    is_command = task.definition.is_command and task.example is ...
    kind = "block" if task.definition.is_block else "the command of" if is_command else "the example= of"
    return f"{kind} {task.name!r}" if task.id else f"{task.name!r}"


# -- where a value comes from -----------------------------------------------------------------------------


class _Sources:
    """The tasks whose values are in question.

    Args:
        calls: of them.
        value_of: gives the value of a call.
    """

    def __init__(self, calls: Sequence[RehearsedCall], value_of: Callable[[RehearsedCall], object]) -> None:
        self._found = {call.name: (call, value_of(call)) for call in calls}  # the last of each name

    @property
    def names(self) -> list[str]:
        """Of the tasks."""
        return list(self._found)[:_NAMED]

    def told(self) -> str:
        """What they give, in words."""
        if not self._found:
            return ""
        return "; " + ", ".join(_given(*found) for found in list(self._found.values())[:_NAMED])

    def mend(self) -> str:
        """What could be wrong instead of the code."""
        if not self._found:
            return ""
        name = self.names[0]
        return f"if {name!r} gives something else, its annotation or its example= should say so"

    def keys(self) -> list[str]:
        """Of the dicts among them: they are asked for where the type tells which keys there are."""
        found = [value for _, value in self._found.values() if isinstance(value, dict)]
        return [key for value in found for key in dict.keys(value)]


def _given(call: RehearsedCall, value: object) -> str:
    kind = _STANDS_IN_FOR.get(type(value), type(value)).__name__
    told = f"{call.name!r} (#{call.id}) gives a value of type {kind}"
    if call.example is not ...:
        return f"{told}, as its example= says"
    annotation = Any if call.returns is not None else returned_by(call.fn)
    return told if annotation is Any else f"{told}, being annotated {shown(annotation)}"
