"""What a user may give the engine: checked, and turned into what the engine works with."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor
from functools import partial
from typing import Any

from .._causes import name_of_function, spelled
from .._core.arguments import holds_futures
from .._core.files import declared
from .._core.given import mapping
from .._core.near import meant
from .._inspect.resolve import yields
from .._runtime.future import TaskFuture
from .._runtime.inputs import KINDS
from ..backend import ExecutionBackend
from ..backends.executor import ExecutorBackend
from ..errors import UnknownBackend
from .discovery import backend_class
from .function_task import FunctionTask


def name_of(what: object) -> str:
    """What a function or a backend is called in messages."""
    if isinstance(what, str):
        return what
    if isinstance(what, (ExecutionBackend,)):
        return what.name
    return name_of_function(what)


def chosen_of(backend: Any, backends: Any) -> dict[str, Any]:
    """What the user chose for each name that tasks use.

    Args:
        backend: what was given as ``backend=``; None for threads.
        backends: what was given as ``backends=``; None if nothing was.

    Raises:
        TypeError: both were given, or no dict by name.
        ValueError: there is none.
    """
    if backends is None:
        backend = "thread" if backend is None else backend
        return {name_of(backend): backend}
    if backend is not None:
        raise TypeError(
            f"backend={backend!r} and backends={backends!r}: give one of the two; the first of backends= is the default"
        )
    if not mapping("backends", backends):
        raise ValueError(f"backends={backends!r}: at least one is needed")
    for name in backends:
        if not isinstance(name, str):
            raise TypeError(f"backends={backends!r}: {name!r} is no name; tasks choose by text")
    return dict(backends)


def made(backend: object, workers: int | None, by_name: str | None = None) -> ExecutionBackend:
    """The backend for what was given as ``backend=``, or by name as one of ``backends=``."""
    if isinstance(backend, str):
        cls: Any = backend_class(backend)
        backend_made: ExecutionBackend = cls() if workers is None else cls(workers=workers)
        return backend_made
    if isinstance(backend, ExecutionBackend):
        return backend
    if isinstance(backend, Executor):
        return ExecutorBackend(backend)
    raise _no_backend(backend, by_name)


def _no_backend(backend: object, by_name: str | None) -> TypeError:
    """The error for what is no backend."""
    before, after = ("backend=", "") if by_name is None else (f"backends={{{by_name!r}: ", "}")
    mend = ""
    if isinstance(backend, type):
        mend = f"; that is a class, so make one:  {before}{backend.__name__}(){after}"
    return TypeError(
        f"{before}{backend!r}{after}: expected a name, an ExecutionBackend or a concurrent.futures.Executor{mend}"
    )


def all_made(
    chosen: Mapping[str, str | ExecutionBackend | Executor],
    workers: int | None,
    dry_run: bool,
    by_name: bool = False,
) -> dict[str, ExecutionBackend]:
    """The backends of an engine, by the names that tasks use; of a dry run one that stands in for all.

    Args:
        chosen: what the user gave for each.
        workers: of those that are made here.
        dry_run: whether nothing runs.
        by_name: whether it was given as ``backends=``, for the words of an error.
    """
    if dry_run:
        for name, each in chosen.items():
            if not isinstance(each, (str, ExecutionBackend, Executor)):
                raise _no_backend(each, name if by_name else None)
        return dict.fromkeys(chosen, made("noop", workers))
    return {name: made(each, workers, name if by_name else None) for name, each in chosen.items()}


def is_coroutine_function(fn: object) -> bool:
    """Whether calling it gives a coroutine; also of objects that can be called."""
    return inspect.iscoroutinefunction(fn) or inspect.iscoroutinefunction(getattr(type(fn), "__call__", None))  # noqa: B004


def check_function(decorator: str, fn: object) -> None:
    """Raise `TypeError` for what cannot be a task."""
    if isinstance(fn, partial) and declared(fn.args, fn.keywords):
        raise TypeError(
            f"@engine.{decorator} got {fn!r}, which holds a file from before the call.\n"
            "  Declare files in the call, or as defaults of parameters."
        )
    if isinstance(fn, partial) and holds_futures([fn.args, fn.keywords], KINDS):
        raise TypeError(
            f"@engine.{decorator} got {fn!r}, which holds a future from before the call.\n"
            "  Pass it in the call:  a task waits for what is among its arguments."
        )
    if isinstance(fn, TaskFuture):
        name = spelled(fn.name)
        raise TypeError(
            f"@engine.{decorator} got {fn!r}, which is a result, not a function.\n"
            f"  Decorate first, call after:  {name} = engine.{decorator}({name}); {name}(...)"
        )
    if isinstance(fn, FunctionTask):
        raise TypeError(
            f"@engine.{decorator} got {fn!r}, which is decorated already; its plain function is .fn"
        )
    if not callable(fn) or isinstance(fn, type):
        what = "a class" if isinstance(fn, type) else f"a {type(fn).__name__}"
        raise TypeError(
            f"@engine.{decorator} got {fn!r}, {what}, not a function.\n"
            f"  Options are given by name:  @engine.{decorator}(timeout=3)"
        )
    is_generator = yields(fn)
    if decorator == "service":
        if not is_generator:
            raise TypeError(
                f"@engine.service got {name_of(fn)!r}, which does not yield: a service yields its value once "
                "it is ready, and cleans up after that.\n"
                "  What only has to be done once is a function_task."
            )
    elif is_generator and decorator == "executable_task":
        raise TypeError(
            f"@engine.{decorator} got {name_of(fn)!r}, which yields: it would run only where it is read.\n"
            "  Return a list instead; what is to go on beside the tasks that use it is an @engine.service."
        )


def check_hook(hook: object) -> Callable[[], object]:
    """Give it back; raise `TypeError` for what cannot be called at a shutdown."""
    is_task = isinstance(hook, FunctionTask)
    if is_task or not callable(hook) or not _takes_nothing(hook):
        what = "a task, and no task is taken then" if is_task else "a function without arguments is needed"
        raise TypeError(f"@engine.on_shutdown got {hook!r}: {what}")
    return hook


def _takes_nothing(fn: Callable[..., object]) -> bool:
    try:
        inspect.signature(fn).bind()
    except TypeError:
        return False
    except ValueError:  # some of C tell no signature
        return True
    return True


def asked_for(name: str, backend: str, known: Iterable[str]) -> UnknownBackend:
    """The error for a task that asks for a backend which its engine does not have."""
    return UnknownBackend(
        f"{name!r} asks for backend {backend!r}, which this engine lacks. It has: {', '.join(sorted(known))}."
        f"{meant(backend, known)}\n"
        f"  Name it when the engine is made:  WorkflowEngine(backends={{..., {backend!r}: ...}})"
    )


def _in_generator() -> bool:
    """Whether the user's code that makes the call is a generator's."""
    from .._inspect.frames import caller  # reads source, as only errors and plans do

    frame = caller()
    return frame is not None and bool(frame.f_code.co_flags & inspect.CO_GENERATOR)


def no_loop(name: str, thread_of_loop: int | None) -> str:
    """The words for a call that was made where the engine's loop does not run. It may run on a thread, so numbered."""
    thread = threading.current_thread()
    if _in_generator():
        return (
            f"{name!r} was called in a generator, which is read where no event loop runs: its calls are made there.\n"
            f"  Make the calls first:  [{name}(...) for ...] instead of ({name}(...) for ...)"
        )
    in_task = thread_of_loop == thread.ident  # a sequential one
    if in_task or thread is not threading.main_thread():
        where = "inside a task" if in_task else f"on thread {thread.name!r}"
        return (
            f"{name!r} was called {where}, which does not run the engine's event loop.\n"
            f"  Inside a task, call the plain function:  {name}.fn(...)\n"
            f"  To call tasks from tasks, make the caller a block:  @engine.block\n"
            f"  From a thread of your own:  engine.from_thread({name}, ...).result()"
        )
    return (
        f"{name!r} was called where no event loop runs.\n"
        f"  In a script:  engine.run({name}, ...)   In async code:  await {name}(...)"
    )
