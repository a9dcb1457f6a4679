"""The decorators of an engine, bare or with options, and the definition that each makes of a function.

They are methods of `WorkflowEngine`. What a type checker knows of them is in `_typing.py`: no signature can say it all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from os import PathLike
from typing import TYPE_CHECKING, Any

from .._core.commands import CommandOptions
from .._core.futures_in_text import refuse
from .._core.task import Definition
from .executable_task import ExecutableTask, runs
from .function_task import FunctionTask
from .option_names import names_options
from .options import asked_for, check_function, expected_seconds, is_coroutine_function, name_of, seconds

if TYPE_CHECKING:
    from .life import Life

Duration = float | timedelta | None
"""Seconds, or how long that is."""


@names_options
def function_task(
    engine: Any,
    fn: Any = None,
    /,
    *,
    name: str | None = None,
    backend: str | None = None,
    timeout: Duration = None,
    example: Any = ...,
    expected: Duration = None,
) -> Any:
    """Make a function a task; bare or with options.

    Args:
        fn: a ``def``, an ``async def``, a method or any callable.
        name: what it is called in messages; None for the function's own name.
        backend: the name of the backend to run on; None for the engine's default.
        timeout: seconds or `timedelta` that it may run; None for any time.
        example: what stands in for its value in a dry run: a value, or a callable that makes one of the task's
            arguments. If not given, something of the type that the function is annotated to return.
        expected: seconds or `timedelta` that it is expected to take, for plans; None if that is not known.

    Raises:
        TypeError: it cannot be a task.
        ValueError: a duration that is none.
        UnknownBackend: the engine has no backend of that name.
    """
    if fn is None:
        return partial(  # not a function of ours, which would be in tracebacks
            engine.function_task,
            name=name,
            backend=backend,
            timeout=timeout,
            example=example,
            expected=expected,
        )
    check_function("function_task", fn)
    definition = engine._definition(
        fn, name=name, backend=backend, timeout=timeout, example=example, expected=expected
    )
    return FunctionTask(engine, definition)


@names_options
def block(engine: Any, fn: Any = None, /, *, name: str | None = None, timeout: Duration = None) -> Any:
    """Make a function a sub-workflow: one node outside, a graph inside; bare or with options.

    Its body runs on the event loop. Futures that it returns are resolved before it is done.

    Args:
        fn: a ``def`` or ``async def`` that calls tasks.
        name: what it is called in messages; None for the function's own name.
        timeout: seconds or `timedelta` that it may take; None for any time.

    Raises:
        TypeError: it cannot be a block.
    """
    if fn is None:
        return partial(engine.block, name=name, timeout=timeout)
    check_function("block", fn)
    return FunctionTask(engine, engine._definition(fn, name=name, timeout=timeout, is_block=True))


@names_options
def executable_task(
    engine: Any,
    fn: Any = None,
    /,
    *,
    name: str | None = None,
    timeout: Duration = None,
    env: Mapping[str, Any] | None = None,
    clean_env: bool | None = None,
    cwd: str | PathLike[str] | None = None,
    stdin: str | bytes | PathLike[str] | None = None,
    ok_codes: int | Iterable[int] | None = None,
    capture_stdio: bool | None = None,
    text: bool | None = None,
    shell: str | Sequence[str] | None = None,
    example: Any = ...,
    expected: Duration = None,
) -> Any:
    """Make a function a task that runs the command that the function returns; bare or with options.

    Text is run by a shell, a list of arguments is run as it is: lists, and `asyncflow.sh` for shells, keep what
    is put in from being taken for anything else. The value is the standard output as text.

    Args:
        fn: a ``def`` or ``async def`` that returns a command; called on the event loop, once its inputs are
            there.
        name: what it is called in messages; None for the function's own name.
        timeout: seconds or `timedelta` that the command may run; None for any time.
        env: variables, added to the parent's environment.
        clean_env: whether these are all that the command gets.
        cwd: where it runs, relative to its sandbox; None for the sandbox itself, a new directory.
        stdin: text, bytes or a path.
        ok_codes: exit codes that are no failure; 0 alone if not given.
        capture_stdio: whether the output goes to a file, whose path is then the value.
        text: whether the value is text, in UTF-8; False for bytes, as they are.
        shell: that runs a command given as text: a program, or a list of it and its arguments up to the one before the
            command, as ``["bash", "-o", "pipefail", "-c"]``. The engine's if not given.
        example: what stands in for its value in a dry run, as for `function_task`.
        expected: seconds or `timedelta` that it is expected to take, for plans; None if that is not known.

    Raises:
        TypeError: it cannot be a task, or an option is of the wrong type.
        ValueError: a shell that does not quote as POSIX has it.
    """
    options = {
        "env": env,
        "clean_env": clean_env,
        "cwd": cwd,
        "stdin": stdin,
        "ok_codes": ok_codes,
        "capture_stdio": capture_stdio,
        "text": text,
        "shell": shell,
    }
    if fn is None:
        return partial(
            engine.executable_task, name=name, timeout=timeout, example=example, expected=expected, **options
        )
    check_function("executable_task", fn)
    definition = engine._definition(fn, name=name, timeout=timeout, example=example, expected=expected)
    return ExecutableTask(
        engine, runs(definition, CommandOptions(shell=engine._settings.shell).changed(**options))
    )


def definition_of(
    engine: Life,
    fn: Callable[..., Any],
    *,
    name: str | None = None,
    backend: str | None = None,
    timeout: Duration = None,
    is_block: bool = False,
    example: Any = ...,
    expected: Duration = None,
    label: str | None = None,
) -> Definition:
    """What is known of a task before it is called.

    Args:
        engine: whose task it is.
        fn: the function.
        name: what it is called in messages; None for the function's own name.
        backend: the name of the backend to run on; None for the engine's default.
        timeout: that it may run.
        is_block: whether it is a block.
        example: what stands in for its value in a dry run.
        expected: how long it is expected to take.
        label: tells its calls from others in messages.

    Raises:
        TypeError: a duration or a name of the wrong type.
        ValueError: a duration that is none.
        UnknownBackend: the engine has no backend of that name; in a rehearsal that is noted, and the default is taken.
    """
    given: Any = name
    if given is not None and not isinstance(given, str):
        raise TypeError(f"{name_of(fn)!r}: name={given!r}: text is needed")
    refuse(given, f"name= of {name_of(fn)!r}")
    if backend is not None and backend not in list(engine._backends):  # which hashes nothing
        unknown = asked_for(name or name_of(fn), backend, engine._backends)
        rehearsal = engine._rehearsal()
        if rehearsal is None:
            raise unknown
        rehearsal.misnamed(name or name_of(fn), unknown)
        backend = None
    return Definition(
        fn,
        name or name_of(fn),
        is_coroutine=is_coroutine_function(fn),
        is_block=is_block,
        backend=backend,
        timeout=seconds(timeout, name or name_of(fn)),
        example=example,
        expected=expected_seconds(expected, name or name_of(fn)),
        label=label,
    )
