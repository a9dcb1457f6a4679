"""What a generator function becomes that is a task or a block: a call gives a `Stream` of what it yields."""

from __future__ import annotations

import asyncio
import functools
import inspect
import sys
import time
from collections.abc import AsyncIterable, Callable, Generator, Iterable
from contextlib import aclosing, closing
from itertools import islice
from types import CodeType
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, ParamSpec, Self, TypeVar, cast

from .._core.options import BlockOptions, TaskOptions
from .._core.task import Definition
from .._inspect.resolve import returned_by
from .._runtime.future import TaskFuture
from .._runtime.scope import SCOPE
from .._show.outlined import Cell
from .._tracebacks import trim
from ..streams import Outlet, Reader, Stream
from .function_task import FunctionTask, shown
from .tasks_engine import TasksEngine

if TYPE_CHECKING:
    from .._show.outline import Outline
    from ..backend import ExecutionBackend
    from .typing import Takes1

P = ParamSpec("P")
R = TypeVar("R")
A = TypeVar("A")
Q = ParamSpec("Q")
_BLOCK: Final = BlockOptions()
_SLICE: Final = 0.05  # seconds that a worker runs a generator at a time
_REHEARSED: Final = 3  # values that stand in for those of a generator that does not run


class GeneratorTask(Cell, Generic[P, R]):
    """A decorated generator function. Calling it gives a `Stream` of what it yields; ``.fn`` is the plain function.

    It is a block whose body runs the generator and hands on what that yields. A generator that is no ``async def`` runs
    in slices, each a task of its own: a worker has it until there is no room for more, or 50 ms are over, and is free
    then. So one that waits for its reader holds no worker.
    """

    def __init__(self, engine: TasksEngine, definition: Definition) -> None:
        functools.update_wrapper(self, definition.fn)
        self._engine = engine
        self._definition = definition
        self._leading: tuple[object, ...] = ()
        runs_here = definition.is_block or inspect.isasyncgenfunction(definition.fn)
        self._backend = None if runs_here else _backend_of(engine, definition)
        body = _handing_on(definition.fn) if runs_here else self._in_slices()
        block = engine._definition(_as(body, definition), "block", _BLOCK, {"name": definition.name}, True)
        self._task: FunctionTask[..., Any, None] = FunctionTask(engine, block)

    @property
    def fn(self) -> Callable[P, Iterable[R] | AsyncIterable[R]]:
        """The plain function."""
        fn: Callable[P, Any] = self._definition.fn
        return fn

    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> Stream[R]:
        """Call the function: it begins when the stream is read.

        Args:
            args: as the function takes them; futures may stand anywhere.
            kwargs: the same.

        Raises:
            TypeError: the arguments do not fit the function, or its backend cannot run generators.
        """
        caller = sys._getframe(1)
        self._check()
        self._task._parameters.fitted((None, *self._leading, *args), kwargs)
        generate = self._generating(caller.f_code, caller.f_lasti, lambda _: (args, kwargs))
        return self._stream([None], generate, 1, False, "raise", None)

    def stream(
        self: Takes1[A, Q],
        source: Iterable[A] | AsyncIterable[A],
        /,
        *,
        window: int | None = None,
        ordered: bool = False,
        errors: Literal["raise", "collect"] = "raise",
        key: Callable[[A], object] | None = None,
    ) -> Stream[R]:
        """Call the generator for each item of a source, with a bounded number of them under way, to read what they all
        yield with ``async for``.

        Args:
            source: as for `FunctionTask.stream`.
            window: how many items may be taken from the source and not yet at their end; None for 100, or four for each
                worker if that is more. Each may be 64 values ahead of its reader.
            ordered: whether the values of an item come before those of the next one.
            errors: as for `FunctionTask.stream`.
            key: makes of an item what tells it from others.

        Raises:
            TypeError: the source cannot be iterated, or the backend cannot run generators.
            ValueError: an option that is out of range.
        """
        caller, task = sys._getframe(1), cast("GeneratorTask[..., R]", self)
        task._check()
        task._engine._put_in_order()
        size = max(100, 4 * task._engine._most_workers()) if window is None else window
        generate = task._generating(caller.f_code, caller.f_lasti, lambda item: ((item,), {}))
        reader = (
            functools.partial(task._engine._run_for, task._definition.name),
            caller.f_code,
            caller.f_lasti,
        )
        return task._stream(source, generate, size, ordered, errors, key, reader)

    def _stream(
        self,
        source: Iterable[Any] | AsyncIterable[Any],
        generate: Callable[[Any, Outlet], TaskFuture[Any]],
        window: int,
        ordered: bool,
        errors: str,
        key: Callable[[Any], object] | None,
        reader: Reader | None = None,
    ) -> Stream[R]:
        workers = self._engine._most_workers()
        how: dict[str, Any] = {
            "window": window, "workers": workers, "ordered": ordered, "errors": errors, "key": key,
            "reader": reader,
        }  # fmt: skip
        stream: Stream[R] = Stream(self._task, self._definition.name, source, generate=generate, **how)
        self._engine._streamed.add(stream)
        return stream

    def _generating(
        self, code: CodeType, at: int, arguments: Callable[[Any], tuple[tuple[Any, ...], dict[str, Any]]]
    ) -> Callable[[Any, Outlet], TaskFuture[Any]]:
        """What begins a generator for an item, on behalf of the line that asks for it."""
        begin = self._task._call_of_an_item(code, at)

        def generate(item: Any, outlet: Outlet) -> TaskFuture[Any]:
            args, kwargs = arguments(item)
            return begin(outlet, *self._leading, *args, **kwargs)

        return generate

    def with_options(self, **options: object) -> Self:
        """The same with other options; those that are not given stay as they are.

        Args:
            options: as for the decorator.

        Raises:
            TypeError: an option of the wrong type, or one that there is not.
            ValueError: an option that is out of range.
        """
        old = self._definition
        try:
            definition = self._engine._definition(old.fn, old.kind, old.options, options, False)
            return type(self)(self._engine, definition)
        except BaseException as error:
            trim(error)
            raise

    def _check(self) -> None:
        backend = self._backend
        if backend is not None and backend.needs_pickle:
            raise TypeError(
                f"{self._definition.name!r} is a generator function, which backend {backend.name!r} cannot run: "
                "it would have to stay in one of its processes.\n"
                "  Give it backend='thread', or make it a task that returns a list, or an async def"
            )

    def _in_slices(self) -> Callable[..., Any]:
        """The body of a generator that runs in slices."""
        definition, engine = self._definition, self._engine
        if definition.options.retries:
            raise TypeError(
                f"{definition.name!r} is a generator function, and retries={definition.options.retries} would give "
                "again what was given.\n"
                "  Have the tasks that its values go to tried again, or make it a task that returns a list"
            )
        options = {**definition.options.given, "name": definition.name}
        piece = engine._definition(_slice, "function", TaskOptions(), options, False)
        slices: Any = FunctionTask(engine, piece)
        example = engine._definition(_example(definition.fn), "function", TaskOptions(), options, False)
        examples: Any = FunctionTask(engine, example)

        async def body(outlet: Outlet, *args: object, **kwargs: object) -> None:
            if _is_dry():
                for _ in range(_REHEARSED):
                    await outlet.put(await examples(*args, **kwargs))
                return
            held = _Held(definition.fn(*args, **kwargs))
            running: TaskFuture[tuple[list[object], bool]] | None = None
            try:
                is_over = False
                while not is_over:
                    running = slices(held, await outlet.room())
                    values, is_over = await running
                    for value in values:
                        await outlet.put(value)
            finally:
                if running is not None:  # a worker may be in the midst of it
                    await running._run.stopping.settled(running)
                await asyncio.to_thread(held.generator.close)

        return body

    def __get__(self, instance: object, owner: type | None = None) -> Self:
        if instance is None or self._leading:
            return self
        bound = object.__new__(type(self))
        bound.__dict__.update(self.__dict__)
        bound._leading = (instance,)
        return bound

    def _outline(self) -> Outline:
        from .cells import of_task

        return of_task(self, f"generator {self._definition.kind}", self._definition)

    def __repr__(self) -> str:
        return shown(f"generator {self._definition.kind}", self._definition)


def _backend_of(engine: TasksEngine, definition: Definition) -> ExecutionBackend:
    name = definition.options.backend
    return engine._backends[next(iter(engine._backends)) if name is None else name]


def _handing_on(fn: Callable[..., Any]) -> Callable[..., Any]:
    """The body of a generator that runs on the event loop. What it yields may be a future."""

    async def later(outlet: Outlet, *args: object, **kwargs: object) -> None:
        async with aclosing(fn(*args, **kwargs)) as values:
            async for value in values:
                await outlet.put(await value if isinstance(value, TaskFuture) else value)

    async def now(outlet: Outlet, *args: object, **kwargs: object) -> None:
        with closing(fn(*args, **kwargs)) as values:
            for value in values:
                await outlet.put(await value if isinstance(value, TaskFuture) else value)

    return later if inspect.isasyncgenfunction(fn) else now


def _as(body: Any, definition: Definition) -> Callable[..., Any]:
    """A body that looks like its generator function, with one more argument before all others."""
    body.__name__ = body.__qualname__ = definition.name
    body.__module__, body.__doc__ = definition.fn.__module__, definition.fn.__doc__
    signature = inspect.signature(definition.fn)
    outlet = inspect.Parameter("outlet", inspect.Parameter.POSITIONAL_ONLY)
    body.__signature__ = signature.replace(
        parameters=[outlet, *signature.parameters.values()], return_annotation=None
    )
    return body  # type: ignore[no-any-return]


class _Held:
    """A generator between two slices.

    Args:
        generator: made by the user's function.
    """

    def __init__(self, generator: Generator[object, None, object]) -> None:
        self.generator = generator
        self.problem: BaseException | None = None  # that it has ended with, behind values that go first


def _slice(held: _Held, most: int) -> tuple[list[object], bool]:
    """Run a generator until it has made so many values, or its time is over. Runs in a worker.

    Returns:
        The values, and whether there are no more.
    """
    if held.problem is not None:
        raise held.problem
    end = time.perf_counter() + _SLICE
    values: list[object] = []
    try:
        for value in islice(held.generator, most):
            values.append(value)
            if time.perf_counter() >= end:
                return values, False
    except BaseException as problem:
        held.problem = problem
        if not values:
            raise
        return values, False
    return values, len(values) < most


def _example(fn: Callable[..., Any]) -> Callable[..., Any]:
    """A function that is annotated to return what a generator yields, for runs in which nothing is done."""

    def example(*args: object, **kwargs: object) -> None:
        raise RuntimeError("never runs; this is a bug in asyncflow")

    example.__annotations__["return"] = returned_by(fn)
    return example


def _is_dry() -> bool:
    block: Any = SCOPE.get().block
    return block is not None and (block._run.is_rehearsal or block._run.is_dry)
