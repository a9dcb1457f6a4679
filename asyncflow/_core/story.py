"""Tells in words where a task stands and why."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from types import CodeType
from typing import Any, Final, NamedTuple

from .._causes import brief, spelled, stopped, ways_to
from .._show.words import counted, seconds, size
from .call_text import call_shown
from .joins import KIND as JOIN
from .kept import kept_away
from .limits import Limit
from .services import is_idle
from .states import CANCELLING, NOW, READY, SUBMITTED, State, state_of, steps_of
from .task import Task

_SHOWN = 5
_HOLDERS: Final = 3
_FILE: Final = re.compile(r'(?<=^  )File "([^"\n]+)"', re.MULTILINE)


def called_at(task: Task) -> str:
    """Where the user's code made the call: "pipeline.py:12, in main"."""
    return place_in(task.site.code, task.site.at)


def place_in(code: CodeType | None, instruction: int) -> str:
    """An instruction in words: "pipeline.py:12, in main".

    Args:
        code: that it is in; None if that is not known.
        instruction: where in it.
    """
    if code is None:
        return "an unknown place"
    # co_positions would tell the column too, but takes the whole table; lines are what tracebacks speak in
    line = next(
        (line for start, end, line in code.co_lines() if start <= instruction < end and line),
        code.co_firstlineno,
    )
    return spelled(f"{file_told(code.co_filename)}:{line}, in {code.co_name}")


def cells_told(traceback: str) -> str:
    """A traceback as text, with cells of a notebook by their numbers.

    Args:
        traceback: of another process, which knows no notebook.
    """
    return _FILE.sub(lambda found: f'File "{file_told(found[1])}"', traceback)


def file_told(name: str) -> str:
    """A file as people know it: a cell of a notebook by its number, "In [5]".

    Args:
        name: of the file.
    """
    ipython: Any = sys.modules.get("IPython")  # whoever has not loaded it has no cells
    if ipython is None:
        return name
    try:
        _, cell = ipython.get_ipython().compile.format_code_name(name)
    except (AttributeError, TypeError, ValueError):  # no shell here, an older one, or no cell
        return name
    return str(cell).replace("In[", "In [")


class Line(NamedTuple):
    """Where a task stands that waits for limits.

    Args:
        holders: tasks that use something of a limit, by limit.
        ahead: how many that wait for the same limits are to be served before.
    """

    holders: Mapping[Limit, Sequence[Task]]
    ahead: int


class Attempted(NamedTuple):
    """One attempt that has begun; times by the clock of attempts.

    Args:
        began: when.
        ended: when; None while it runs.
        worker: that ran it.
    """

    began: float
    ended: float | None
    worker: str


def explain(
    task: Task,
    dependencies: Sequence[Task] = (),
    line: Line | None = None,
    now: float | None = None,
    called: float | None = None,
    ran: Sequence[Attempted] = (),
    waits: str | None = None,
    item: str = "",
) -> str:
    """The task's state, the reason for it, and the way it came there.

    Args:
        task: what to explain.
        dependencies: what it depends on, as far as that is still known.
        line: where it stands among those that wait for limits, if it does.
        now: the time, by the clock of attempts; None if it is not to be told how long something lasts.
        called: when it was called; None if that is not known.
        ran: when and where it has run, as far as that is known.
        waits: what the place where it is to run waits for itself; None if that can run it.
        item: of a stream that it is for, in words; "" for none.
    """
    story = " -> ".join(steps_of(task.story))
    call = task.cause.call if task.cause is not None and task.cause.call else call_shown(task)
    reason = _held(task, line, now) or _slotless(task, waits) or _reason(task, dependencies)
    lines = [
        f"{task.name_shown!r} (#{task.id}) {reason}",
        f"  called at {called_at(task)}{call and f', as {call}'}",
        *([f"  for {item}"] if item else []),
        *_times(task, now, called, ran),
        *(f"  attempt {each.number} failed: {brief(each.error)}" for each in task.failed_attempts),
        *(
            f"  {way}"
            for way in (ways_to(task.cause) if task.cause is not None and task.cause.upstream else ())
        ),
        f"  story: {story}",
    ]
    if priority := _priority(task):
        lines.append(f"  {priority}")
    return "\n".join(map(spelled, lines))


def _times(task: Task, now: float | None, called: float | None, ran: Sequence[Attempted]) -> list[str]:
    """Since when it waits, how long it has run, and where."""
    if now is None or called is None:
        return []
    told = [f"called {seconds(max(0.0, now - called))} ago"]
    if ran:
        *_, last = ran
        lasts = "has run for" if last.ended is None else "ran for"
        told.append(
            f"{lasts} {seconds(max(0.0, (last.ended or now) - last.began))} on {last.worker or task.lane.place}"
        )
    elif task.story & NOW < CANCELLING:
        told.append("has not run yet")
    return ["  " + ", ".join(told)]


def _reason(task: Task, dependencies: Sequence[Task]) -> str:
    state, place = state_of(task.story), task.lane.place
    match state:
        case State.PENDING:
            return "waits for " + _awaited(dependencies) + _known_already(task)
        case State.READY:
            lane = task.lane
            if lane.leads_to is not None:
                return f"could run on {place}, but for staging: its files are being brought"
            slots = lane if lane.admission is None else lane.admission.slots
            if slots.capacity is not None and slots.taken >= slots.capacity:
                if not slots.limit:
                    before = lane.taken + next((n for n, each in enumerate(lane.gather()) if each is task), 0)
                    return f"could run; {place} has {before:,} others to run first"
                return f"could run; {slots.limit}={slots.capacity} holds it: {slots.taken} are running"
            return f"could run; it goes to {place} next"
        case State.SUBMITTED if task.waiting:
            return f"was handed to {place} together with what it waits for"
        case State.SUBMITTED:
            return f"was handed to {place}, which has not begun it" + _attempt(task)
        case State.RUNNING:
            return f"runs on {place}" + _attempt(task) + _inner(task)
        case State.CANCELLING if task.cause is not None and task.cause.upstream:
            return f"{_why_not(task)}; {place} has not given it back yet"
        case State.CANCELLING:
            why = f"failed: {_error(task)}" if _error(task) is not None else _cancelled(task)
            return f"{why}; its work on {place} has not stopped yet" + _inner(task)
        case State.SUCCEEDED if task.definition.kind == JOIN:
            return "has its value; it goes by others, and nothing ran for it"
        case State.SUCCEEDED:
            return f"succeeded on {place}" + _attempt(task) + _since_then(task) + _kept(task)
        case State.FAILED:
            return f"failed on {place}{_attempt(task)}: {_error(task)}"
        case State.SKIPPED:
            return _why_skipped(task)
        case _:
            return _why_not(task)


def _held(task: Task, line: Line | None, now: float | None) -> str:
    """What keeps a task that is in no queue: limits, or the delay before its next attempt; "" for one that is."""
    if is_idle(task):
        return "is a service: it is started when a task that has all else needs it, or somebody awaits it"
    if not task.is_held or task.story & NOW != READY:
        return ""
    if task.wants is None and task.failed_attempts:
        last = task.failed_attempts[-1]
        left = last.delay if now is None else max(0.0, last.ended + last.delay - now)
        ago = "" if now is None else f" {seconds(max(0.0, now - last.ended))} ago"
        return (
            f"waits for attempt {last.number + 1}{_of_how_many(task)}, {seconds(left)} from now; "
            f"attempt {last.number} failed{ago}: {brief(last.error)}"
        )
    since = task.held_since
    waits = "but" if now is None or since is None else f"and has waited {seconds(max(0.0, now - since))}"
    wanted = " and ".join(
        f"{limit.kind} {limit.name!r}: it needs {limit.shown(weight)}, and {limit.told()}{_holders(line, limit)}"
        for limit, weight in (task.wants or {}).items()
    )
    ahead = "" if line is None or not line.ahead else f"; {counted(line.ahead, 'task')} before it"
    return f"could run, {waits} for {wanted}{ahead}{_attempt(task)}"


def _slotless(task: Task, waits: str | None) -> str:
    """What the place waits for where a task is to run, if the task waits for that, too; "" if it does not."""
    if waits is None or task.waiting or task.story & NOW not in (READY, SUBMITTED):
        return ""
    return f"could run, but {task.lane.place} has no slot for it: {waits}"


def _holders(line: Line | None, limit: Limit) -> str:
    holders = () if line is None else line.holders.get(limit, ())
    if not holders:
        return ""
    shown = [f"{each.name_shown} (#{each.id})" for each in holders[:_HOLDERS]]
    more = len(holders) - len(shown)
    return ", by " + ", ".join(shown) + (f" and {more:,} more" if more else "")


def _priority(task: Task) -> str:
    """When a task goes, in words; "" if that is as usual."""
    rank = task.rank
    if rank is None or not rank.standing:
        return ""
    own = f"priority {rank.own:g}" if rank.own else ""
    if rank.standing == rank.own:
        return own
    return f"{own or 'no priority of its own'}, but something waits for it of priority {rank.standing:g}"


def _attempt(task: Task) -> str:
    """Which attempt it is, or was; "" for the first."""
    failed = task.failed_attempts
    return f", attempt {failed[-1].number + 1}{_of_how_many(task)}" if failed else ""


def _of_how_many(task: Task) -> str:
    retries = task.definition.retries
    return f" of {retries.most + 1}" if retries is not None else ""


def _awaited(dependencies: Sequence[Task]) -> str:
    if not dependencies:  # it was submitted behind what it waits for, and given back
        return "what was before it in a chain"
    unique = {dependency.id: dependency for dependency in dependencies}
    waiting = [each for each in unique.values() if each.story & NOW < CANCELLING or kept_away(each)]
    shown = [
        f"{each.name_shown} (#{each.id}, {state_of(each.story)}{_fetch(each)})" for each in waiting[:_SHOWN]
    ]
    if len(waiting) > _SHOWN:
        shown.append(f"and {len(waiting) - _SHOWN} more")
    return f"{len(waiting)} of {len(unique)} dependencies: " + ", ".join(shown)


def _known_already(task: Task) -> str:
    if not task.blames:
        return ""
    return (
        f"; it will not run, because {task.blames[0].name_shown!r} (#{task.blames[0].task_id}) gave no result"
    )


def _inner(task: Task) -> str:
    told = f"; of what it returned, not over: {task.waiting}" if task.waiting else ""
    return told + (f"; tasks inside that are not over: {len(task.children)}" if task.children else "")


def _cancelled(task: Task) -> str:
    return "was cancelled" + ("" if task.cause is None else stopped(task.cause))


def _why_skipped(task: Task) -> str:
    assert task.cause is not None
    if task.cause.skipped is not None:
        return f"has raised Skip: {task.cause.skipped}"
    reasons = [f"{root.name_shown} (#{root.task_id}), {root.skipped}" for root in task.cause.firsts]
    more = len(task.cause.roots) - len(reasons)
    return "was skipped with " + "; ".join(reasons) + (f"; and {more} more" if more else "")


def _since_then(task: Task) -> str:
    """What has become of a service that was ready."""
    service = task.service
    if service is None:
        return ""
    if service.task is not task:
        return f"; what it started has ended, and #{service.task.id} has started it again"
    if service.end is None:
        users = counted(len(service.users), "task")
        return f"; the service is up, and {users} {'uses' if len(service.users) == 1 else 'use'} it"
    return "; the service was stopped" if service.end == "stopped" else f"; the service died: {service.end}"


def _kept(task: Task) -> str:
    """What has become of a result that stayed where it was made."""
    keeping = task.kept
    if keeping is None:
        return ""
    if keeping.cause is not None:
        return f"; its result, kept on {keeping.payload.node}, is lost"
    told = f"; its result is kept on {keeping.payload.node}, {size(keeping.payload.size)}"
    return (
        f"{told}, and was fetched"
        if keeping.is_there
        else f"{told}{', and is being fetched' * keeping.is_wanted}"
    )


def _fetch(task: Task) -> str:
    """Where a result is fetched from that is waited for."""
    keeping = kept_away(task)
    return "" if keeping is None else f", its result is being fetched from {keeping.payload.node}"


def _error(task: Task) -> str | None:
    return brief(task.cause.error) if task.cause is not None and task.cause.error is not None else None


def _why_not(task: Task) -> str:
    assert task.cause is not None
    if not task.cause.upstream:
        return _cancelled(task)
    shown = [f"{root.name_shown} (#{root.task_id})" for root in task.cause.firsts]
    more = len(task.cause.roots) - len(shown)
    what = "ran, and its result was not wanted any more" if task.cause.attempts else "did not run"
    return f"{what}, because of " + ", ".join(shown) + (f" and {more} more" if more else "")
