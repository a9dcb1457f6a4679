"""How an engine makes a plan: it rehearses a target, or looks at what a dry run has seen. Runs nothing for real."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from types import CodeType
from typing import TYPE_CHECKING, Any

from .._causes import spelled
from .._checks import findings_of
from .._record.from_logs import history_of
from .._rehearsal import DryRun, Rehearsal, dropped_coroutines
from .._runtime import lifecycle
from .._runtime.future import TaskFuture
from .._runtime.places import Places
from .._tracebacks import trim
from ..plan import of_history, of_rehearsal
from ..plan.plan import Plan
from .base import EngineBase
from .dry_runs import places
from .function_task import FunctionTask, made_at
from .options import made, name_of
from .submits import refuse_generator

if TYPE_CHECKING:
    from .._rehearsal.notes import Notes
    from ..plan.rehearsed import RehearsedCall
    from ..plan.tasks import Finding

Site = tuple[CodeType, int]
"""Some code, and an instruction in it."""


async def plan_of(
    engine: EngineBase, target: object, args: tuple[object, ...], kwargs: Mapping[str, object], site: Site
) -> Plan:
    """Rehearse a target to its end. ``site`` is the line of the user's that asks for the plan."""
    try:
        name = _name_of_target(engine, target, args, kwargs)
    except (TypeError, ValueError) as error:
        trim(error)
        raise
    begin = _beginner(target, args, kwargs, site)

    async def body() -> object:
        called = begin()
        return await called if inspect.iscoroutine(called) else called

    rehearsal = _rehearsal_of(engine)
    is_whole = False
    with dropped_coroutines(rehearsal.was_dropped):
        try:
            await asyncio.wait([rehearsal.begin(body, name, *site)])
            is_whole = True
        finally:
            for each in rehearsal.together:  # may grow
                await each.starting
                await lifecycle.close(
                    each, wait=is_whole, tail_timeout=0, grace=engine._settings.grace, skip_backends=False
                )
    if rehearsal.forgiving.interrupt is not None:
        raise rehearsal.forgiving.interrupt
    calls = rehearsal.notes.calls()
    plan = of_rehearsal.planned(
        calls,
        decisions=rehearsal.decided.told(),
        findings=[*rehearsal.forgiving.found.findings, *_checked_together(engine, rehearsal, calls)],
        checkpoints=rehearsal.notes.checkpoints,
        limits=rehearsal.notes.limits(),
        streams=rehearsal.notes.streams(),
        start=_starter(target, name, begin, partial(_expect, engine, calls)),
    )
    for each in rehearsal.together:
        each.forget()
    return plan


async def plan_so_far(engine: EngineBase) -> Plan:
    """The plan of what was called until now; of a real run, with the times that tasks have taken.

    Raises:
        RuntimeError: it records nothing.
    """
    run = engine._run
    if run is None:
        return Plan([])
    if isinstance(run, DryRun):
        calls = run.notes.calls()
        return of_rehearsal.planned(
            calls,
            decisions=run.decided.told(),
            findings=_checked(engine, run.notes, calls),
            checkpoints=run.notes.checkpoints,
            limits=run.notes.limits(),
            streams=run.notes.streams(),
        )
    if run.teller is None:
        raise RuntimeError(
            "engine.plan() without a target tells what was called, and with report_limit=0 nothing is recorded.\n"
            "  Say what is to be planned:  await engine.plan(pipeline, ...)"
        )
    return of_history.planned(history_of(run.teller.snapshot()))


def _checked_together(
    engine: EngineBase, rehearsal: Rehearsal, calls: Sequence[RehearsedCall]
) -> list[Finding]:
    """What is wrong with the tasks of an engine, and with those of others that the target calls as well.

    Each engine is looked at by itself: a task's number is its own engine's. So a file may be made by a task of another,
    and none is missing for sure.
    """
    others = [each for each in rehearsal.together if each is not rehearsal]
    if not others:
        return _checked(engine, rehearsal.notes, calls)
    found = [(rehearsal.notes, calls), *((each.notes, each.notes.calls()) for each in others)]
    return [
        each for notes, theirs in found for each in _checked(engine, notes, theirs, exists=lambda path: True)
    ]


def _checked(
    engine: EngineBase, notes: Notes, calls: Sequence[RehearsedCall], **options: Any
) -> list[Finding]:
    return findings_of(
        calls,
        notes.task_of,
        implicit_data=engine._settings.implicit_data,
        is_over=notes.is_over,
        lacks=notes.lacks,
        **options,
    )


def _rehearsal_of(engine: EngineBase) -> Rehearsal:
    def rehearsal(backends: Mapping[str, object], real: Places, beside: Any) -> Rehearsal:
        return Rehearsal(
            backends,
            beside,
            lambda others: rehearsal(others, Places(others, None, 1, runs_commands=False, limits=None), None),
            dict.fromkeys(backends, made("noop", None)),
            real=real,
            max_tasks=engine._settings.max_tasks,
            implicit_data=engine._settings.implicit_data,
            grace=engine._settings.grace,
        )

    return rehearsal(
        engine._backends,
        places(engine._backends, engine._chosen, engine._settings, engine._limits),
        engine._usable_run(),
    )


# -- targets ----------------------------------------------------------------------------------------------


def _name_of_target(
    engine: EngineBase, target: object, args: tuple[object, ...], kwargs: Mapping[str, object]
) -> str:
    """The name of a target that can be rehearsed."""
    if isinstance(target, FunctionTask):
        if not target._is_of(engine):
            other = target._engine
            if isinstance(other, EngineBase) and other._replaced_as is not None:
                raise ValueError(
                    f"engine.plan got {target!r}, a task of the engine that was {other._replaced_as!r} before.\n"
                    f"  Run the cell again that decorates {target._definition.name!r}."
                )
            raise ValueError(
                f"engine.plan got {target!r} of another engine; plan it with that one, or say where it is to run:\n"
                f"  engine.plan({target._definition.name}.on(engine), ...)"
            )
        return target._definition.name
    if inspect.iscoroutine(target):
        if args or kwargs:
            target.close()
            raise TypeError("engine.plan got a coroutine and arguments for it; pass the function with them")
        return target.__qualname__
    if isinstance(target, TaskFuture):
        raise TypeError(
            f"engine.plan got {target!r}, which is a result, and its task was called for real.\n"
            f"  Pass the task and its arguments:  engine.plan({spelled(target.name)}, ...)"
        )
    refuse_generator(
        target,
        "engine.plan got {0!r}, a generator function, which begins when it is read.\n"
        "  Plan a block that reads it:  return [each async for each in {0}(...)]",
    )
    if not callable(target):
        raise TypeError(f"engine.plan got {target!r}, a {type(target).__name__}, which cannot be called")
    return name_of(target)


def _beginner(
    target: Any, args: tuple[object, ...], kwargs: Mapping[str, object], site: Site
) -> Callable[[], object]:
    """What calls the target: of calls of a task, the line that counts is the user's."""

    def begin() -> object:
        called: Any = target if inspect.iscoroutine(target) else target(*args, **kwargs)
        if isinstance(target, FunctionTask):
            made_at(*site, called)
        return called

    return begin


def _expect(engine: EngineBase, calls: Sequence[RehearsedCall]) -> None:
    """What is planned is run: so many calls there will be."""
    engine._expected.plans(each.name for each in calls if each.kind not in ("join", "output"))


def _starter(
    target: object, name: str, begin: Callable[[], object], expect: Callable[[], None]
) -> Callable[[], Awaitable[object]]:
    async def start() -> object:
        if inspect.iscoroutine(target):
            raise RuntimeError(
                f"{name!r} was planned as a coroutine, which can be awaited only once.\n"
                f"  Pass the function:  engine.plan({target.__name__}, ...)"
            )
        called = begin()
        expect()
        return await called if inspect.isawaitable(called) else called

    return start
