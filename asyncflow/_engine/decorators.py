"""The decorators of an engine, bare or with options, and the definition that each makes of a function.

They are methods of `WorkflowEngine`. What a type checker knows of them is in `decorator_types.py`: no signature can say
it all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from .._core.options import BlockOptions, CommandOptions, ServiceOptions, TaskOptions, check_service
from .._core.probes import RunningService
from .._core.task import Definition
from .._inspect.resolve import yields, yields_later
from .base import EngineBase
from .bodies import give_body
from .class_methods import note_class_body
from .executable_task import ExecutableTask
from .function_task import FunctionTask
from .generator_task import GeneratorTask
from .option_names import shows_options
from .options import asked_for, check_function, is_coroutine_function, name_of
from .service_task import ServiceTask


@shows_options(TaskOptions)
def function_task(engine: object, fn: object = None, /, **options: object) -> object:
    """Make a function a task; bare or with options.

    Args:
        fn: a ``def``, an ``async def``, a method or any callable.
        options: as `TaskKeywords` has them.

    Raises:
        TypeError: it cannot be a task, or an option is of the wrong type, or there is no such option.
        ValueError: an option that is out of range.
        UnknownBackend: the engine has no backend of that name.
    """
    return _decorated(engine, "function_task", FunctionTask, "function", fn, options)


@shows_options(BlockOptions)
def block(engine: object, fn: object = None, /, **options: object) -> object:
    """Make a function a sub-workflow: one node outside, a graph inside; bare or with options.

    Its body runs on the event loop. Futures that it returns are resolved before it is done.

    Args:
        fn: a ``def`` or ``async def`` that calls tasks.
        options: as `BlockKeywords` has them.

    Raises:
        TypeError: it cannot be a block, or an option is of the wrong type, or there is no such option.
        ValueError: an option that is out of range.
    """
    return _decorated(engine, "block", FunctionTask, "block", fn, options)


@shows_options(CommandOptions)
def executable_task(engine: object, fn: object = None, /, **options: object) -> object:
    """Make a function a task that runs the command that the function returns; bare or with options.

    Text is run by a shell, a list of arguments is run as it is: lists, and `asyncflow.sh` for shells, keep what
    is put in from being taken for anything else. The value is the standard output as text.

    Args:
        fn: a ``def`` or ``async def`` that returns a command; called on the event loop, once its inputs are
            there.
        options: as `AllCommandKeywords` has them.

    Raises:
        TypeError: it cannot be a task, or an option is of the wrong type, or there is no such option.
        ValueError: an option that is out of range, or a shell that does not quote as POSIX has it.
    """
    return _decorated(engine, "executable_task", ExecutableTask, "executable", fn, options)


@shows_options(ServiceOptions)
def service(engine: object, fn: object = None, /, **options: object) -> object:
    """Make a generator function a service; bare or with options.

    What it yields, once, is the value of its future, for all tasks that take it. What follows the ``yield`` is run when
    the service is stopped. It starts when the first task needs it that has all else, or somebody awaits it.

    Args:
        fn: an ``async def`` or ``def`` with one ``yield``; run on the event loop, or in threads if it is no
            ``async def``.
        options: as `ServiceKeywords` has them.

    Raises:
        TypeError: it cannot be a service, or an option is of the wrong type, or there is no such option.
        ValueError: an option that is out of range.
    """
    return _decorated(engine, "service", ServiceTask, "service", fn, options)


def _decorated(
    engine: Any, decorator: str, made: type[Any], kind: str, fn: object, options: Mapping[str, object]
) -> object:
    if not hasattr(engine, "_settings"):
        raise TypeError(
            f"WorkflowEngine.{decorator} belongs to an engine:  engine = WorkflowEngine()   @engine.{decorator}"
        )
    defaults: TaskOptions = engine._settings.defaults[kind]
    if fn is None:
        defaults.check_names(options.keys())  # in this line, not where the function is
        return partial(
            getattr(engine, decorator), **options
        )  # no function of ours, which would be in tracebacks
    check_function(decorator, fn)
    note_class_body(fn)
    if made is FunctionTask and yields(fn):
        made = GeneratorTask
    return made(engine, engine._definition(fn, kind, defaults, options))


def definition_of(
    engine: EngineBase,
    fn: Callable[..., object],
    kind: str,
    options: TaskOptions,
    given: Mapping[str, object],
    is_coroutine: bool | None = None,
) -> Definition:
    """A function as a task of an engine, with options that are changed by what was given.

    Args:
        engine: whose task it is.
        fn: the function.
        kind: "function", "block" or "executable".
        options: that it has so far.
        given: what is to be changed.
        is_coroutine: whether it is an ``async def``; None to look.

    Raises:
        TypeError: there is no such option, or it is of the wrong type.
        ValueError: what was given is out of range.
        UnknownBackend: the engine has no backend of that name; in a rehearsal that is noted, and the default is taken.
    """
    name = options.name or name_of(fn)
    if isinstance(options, CommandOptions):
        kind = "executable"  # also one that is a service
    options = options.over(engine._settings.defaults[kind])  # they may have been another engine's
    if given:
        try:
            options = options.changed(**given)
        except (TypeError, ValueError) as error:
            error.args = (f"{name!r}: {error}",)
            raise
    check_service(name, options)
    if options.backend is not None and options.backend not in engine._backends:
        options = _without_backend(engine, options, name)
    if options.priority is not None and not engine._has_priorities:
        engine._put_in_order()
    if is_coroutine is None:
        is_coroutine = is_coroutine_function(fn)
    amounts = engine._amounts_for(kind, options.backend, is_coroutine)
    try:
        definition = Definition(
            fn, kind, options, is_coroutine=is_coroutine, returns=_value_class(options), amounts=amounts
        )
    except ValueError as error:
        error.args = (f"{name!r}: {error}",)
        raise
    give_body(definition)
    if definition.resources:
        _refuse_later(definition)
    if definition.is_command and options.backend is not None and not engine._settings.dry_run:
        _refuse_here(engine, definition)
    return definition


def _refuse_here(engine: EngineBase, definition: Definition) -> None:
    """Refuse that a command is to run on a backend that does not carry its files."""
    name = definition.options.backend
    if not engine._backends[name].carries_files:
        raise TypeError(
            f"{definition.name!r}: backend={name!r} does not run commands: these run on this machine, in slots of "
            "their own, or on a backend that carries their files elsewhere.\n  Leave backend= away"
        )


def _without_backend(engine: EngineBase, options: TaskOptions, name: str) -> TaskOptions:
    """The options in a rehearsal, which notes that there is no such backend; else that is an error."""
    asked = options.backend
    assert asked is not None
    unknown = asked_for(options.name or name, asked, engine._backends)
    rehearsal = engine._rehearsal()
    if rehearsal is None:
        raise unknown
    rehearsal.forgiving.misnamed(options.name or name, unknown)
    return options.without("backend")


def _refuse_later(definition: Definition) -> None:
    """Refuse that a plain function asks for what only a coroutine can wait for."""
    later = next((resource for _, _, resource in definition.resources if resource.is_async), None)
    waits = definition.is_coroutine or yields_later(definition.fn)
    if later is not None and not waits:
        raise TypeError(
            f"{definition.name!r} is a def, and its resource {later.name!r} is an async generator, which needs an "
            f"event loop.\n  Write  async def {definition.name}(...); or {later.name!r} a plain generator"
        )


def _value_class(options: TaskOptions) -> type | None:
    """The class of what a command gives, of which its function says nothing."""
    if not isinstance(options, CommandOptions):
        return None
    if options.service:
        return RunningService
    return Path if options.capture_stdio else str if options.text else bytes
