"""What a generator function becomes that is a task or a block: a call gives a `Stream` of what it yields."""

from __future__ import annotations

import functools
import inspect
import logging
import sys
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Mapping
from contextlib import aclosing, closing
from types import CodeType
from typing import (
    TYPE_CHECKING,
    Any,
    Final,
    Generic,
    Literal,
    NoReturn,
    ParamSpec,
    Self,
    TypeVar,
    cast,
    overload,
)

from .._causes import brief, spelled
from .._core.files import declared
from .._core.task import Definition
from .._inspect.resolve import returned_by, yields_later
from .._runtime.future import TaskFuture
from .._runtime.outlet import Outlet
from .._runtime.scope import SCOPE
from .._runtime.unread import refuse_bound
from .._show.outlined import Cell
from .._tracebacks import trim
from .._worker.far import FarTask
from .._worker.generators import Values
from ..streams import Stream
from .function_task import FunctionTask, shown
from .generator_options import of_slices, of_the_whole
from .item_streams import stream_of
from .slices import in_its_place, in_slices
from .tasks_engine import TasksEngine

if TYPE_CHECKING:
    from .._show.outline import Outline
    from ..backend import ExecutionBackend
    from .typing import Later, Method, Takes1, Takes2

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S")
A = TypeVar("A")
B = TypeVar("B")
Q = ParamSpec("Q")
_log: Final = logging.getLogger("asyncflow")
_REHEARSED: Final = 3  # values that stand in for those of a generator that does not run


class GeneratorTask(Cell, Generic[P, R]):
    """A decorated generator function. Calling it gives a `Stream` of what it yields; ``.fn`` is the plain function.

    It is a block whose body runs the generator and hands on what that yields. A generator that is no ``async def`` runs
    in slices, each a task of its own: a worker has it until there is no room for more, or 50 ms are over, and is free
    then. So one that waits for its reader holds no worker.
    """

    _IS_ASYNCFLOW_TASK: Final = True  # as for `FunctionTask`

    def __init__(self, engine: TasksEngine, definition: Definition) -> None:
        functools.update_wrapper(self, definition.fn)
        self._engine = engine
        self._definition = definition
        self._leading: tuple[object, ...] = ()
        self._backend = _backend_of(engine, definition)
        _refuse_retries(definition)
        body = _handing_on(definition.fn) if self._backend is None else self._in_slices()
        if not definition.is_block:
            body = self._or_examples(body)
        whole, refused = of_the_whole(definition, self._backend is not None)
        block = engine._definition(_as(body, definition), "block", whole, refused, True)
        block.ahead = 1
        self._task: FunctionTask[..., Any, None] = FunctionTask(engine, block)
        if self._backend is not None and self._backend.needs_pickle:
            block.body, block.resources = block.fn, ()  # those of the worker that runs it

    @property
    def fn(self) -> Callable[P, Iterable[R] | AsyncIterable[R]]:
        """The plain function."""
        fn: Callable[P, Any] = self._definition.fn
        return fn

    # As the function has it, and then what may be a future, as in `typed_calls`.
    @overload
    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> Stream[R]: ...
    @overload
    def __call__(self: Takes1[A, Q], a: Later[A], /, *args: Q.args, **kwargs: Q.kwargs) -> Stream[R]: ...
    @overload
    def __call__(
        self: Takes2[A, B, Q], a: Later[A], b: Later[B], /, *args: Q.args, **kwargs: Q.kwargs
    ) -> Stream[R]: ...

    def __call__(self: Any, /, *args: Any, **kwargs: Any) -> Stream[Any]:
        """Call the function: it begins when the stream is read.

        Args:
            args: as the function takes them; futures may stand anywhere.
            kwargs: the same.

        Raises:
            TypeError: the arguments do not fit the function, or its backend cannot run generators.
        """
        caller = sys._getframe(1)
        self._check()
        (_, *given), named = self._task._parameters.fitted((None, *self._leading, *args), kwargs)
        self._check_arguments(tuple(given), named)
        place = caller.f_code, caller.f_lasti
        generate = self._generating(*place, lambda _: (args, kwargs))
        name = self._definition.name
        stream: Stream[Any] = stream_of(
            self._engine, name, self._task, [None], place, window=1, generate=generate, is_call=True
        )
        return stream

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
        place = caller.f_code, caller.f_lasti
        generate = task._generating(*place, lambda item: ((item,), {}))
        how: dict[str, Any] = {"window": window, "ordered": ordered, "errors": errors, "key": key}
        return stream_of(
            task._engine, task._definition.name, task._task, source, place, generate=generate, **how
        )

    def _generating(
        self, code: CodeType, at: int, arguments: Callable[[Any], tuple[tuple[Any, ...], dict[str, Any]]]
    ) -> Callable[[Any, Outlet], TaskFuture[Any]]:
        """What begins a generator for an item, on behalf of the line that asks for it."""
        begin = self._task._call_of_an_item(code, at)

        def generate(item: Any, outlet: Outlet) -> TaskFuture[Any]:
            args, kwargs = arguments(item)
            self._check_arguments(args, kwargs)
            return begin(outlet, *self._leading, *args, **kwargs)

        return generate

    def with_options(
        self, *, after: Awaitable[object] | Iterable[Awaitable[object]] = (), **options: object
    ) -> Self:
        """The same with other options; those that are not given stay as they are.

        Args:
            after: futures that must succeed before it begins, and whose values are not passed.
            options: as for the decorator.

        Raises:
            TypeError: an option of the wrong type, or one that there is not.
            ValueError: an option that is out of range.
        """
        old = self._definition
        try:
            definition = self._engine._definition(old.fn, old.kind, old.options, options, False)
            variant = type(self)(self._engine, definition)
            variant._leading = self._leading
            variant._task._after = (*self._task._after, *self._task._futures(after))
            return variant
        except BaseException as error:
            trim(error)
            raise

    def on(self, engine: TasksEngine) -> Self:
        """The same generator on another engine, as for a library's on its user's engine.

        Args:
            engine: where calls of it are to run.

        Raises:
            TypeError: that is no engine.
            UnknownBackend: the generator names a backend that this engine has not.
        """
        name, old = self._definition.name, self._definition
        if not hasattr(engine, "function_task"):
            raise TypeError(f"{name}.on() got {engine!r}; a WorkflowEngine is needed")
        variant = type(self)(engine, engine._definition(old.fn, old.kind, old.options, {}, False))
        variant._leading = self._leading
        variant._task._after = self._task._after
        return variant

    def _check(self) -> None:
        backend = self._backend
        if backend is None:
            return
        if yields_later(self._definition.fn) and not backend.keeps_event_loop:
            raise TypeError(
                f"{self._definition.name!r} is an async generator function, and on backend {backend.name!r} each "
                "coroutine has an event loop of its own, where it could not stay between two slices.\n"
                "  On the engine's own loop it can:  leave backend= away"
            )
        if backend.needs_pickle and not backend.keeps_generators:
            raise TypeError(
                f"{self._definition.name!r} is a generator function, which backend {backend.name!r} cannot run: "
                "it would have to stay where it was begun, between two slices.\n"
                "  Give it a backend that can, as 'thread' and 'process', or make it a task that returns a list"
            )

    def _check_arguments(self, args: tuple[object, ...], kwargs: Mapping[str, object]) -> None:
        if not self._definition.is_block:
            refuse_bound(self._definition, args, kwargs)
        if self._backend is not None and declared(args, kwargs):
            raise TypeError(
                f"{self._definition.name!r} is a generator function, and declares files: it has no directory of its "
                "own for these, as a task has while it runs.\n"
                "  Pass the path itself; or have a task read the file, and pass what is in it"
            )

    def _in_slices(self) -> Callable[..., Any]:
        """The body of a generator that runs in slices."""
        definition, engine = self._definition, self._engine
        assert self._backend is not None
        made = in_slices(engine, definition, self._backend)

        async def body(outlet: Outlet, *args: object, **kwargs: object) -> None:
            slices = made((args, kwargs))
            running: TaskFuture[Values] | None = None
            try:
                is_over = False
                while not is_over:
                    running = slices.next(await outlet.room(), outlet)
                    values, is_over = await running
                    for value in slices.rest(values):
                        await outlet.put(value)
            finally:
                if running is not None:  # a worker may be in the midst of it
                    await running._run.stopping.settled(running)
                try:
                    await slices.close()
                except Exception as error:  # its reader has left: nobody else would hear of it
                    told = "the generator of %r failed when it was closed: %s"
                    _log.error(told, definition.name, brief(error), exc_info=error)

        return body

    def _or_examples(self, body: Callable[..., Any]) -> Callable[..., Any]:
        """A body that has values stand in for those of a generator where nothing runs."""
        definition, engine = self._definition, self._engine
        example = engine._definition(_example(definition.fn), "function", of_slices(definition), {}, False)
        examples = FunctionTask[..., Any, Any](engine, example)

        async def either(outlet: Outlet, *args: object, **kwargs: object) -> None:
            if _is_dry():
                call = in_its_place(examples)
                for _ in range(_REHEARSED):
                    await outlet.put(await call(*args, **kwargs))
            else:
                await body(outlet, *args, **kwargs)

        return either

    @overload
    def __get__(self: Method[type[A], Q, S], instance: object, owner: type[A]) -> GeneratorTask[Q, R]: ...
    @overload
    def __get__(self, instance: None, owner: type | None = None) -> Self: ...
    @overload
    def __get__(self: Method[A, Q, S], instance: A, owner: type | None = None) -> GeneratorTask[Q, R]: ...

    def __get__(self: Any, instance: object, owner: type | None = None) -> object:
        if instance is None or self._leading:
            return self
        bound = object.__new__(type(self))
        bound.__dict__.update(self.__dict__)
        bound._leading = (instance,)
        return bound

    if not TYPE_CHECKING:  # checkers refuse what is not there, with words of their own

        @property
        def map(self) -> NoReturn:
            name = spelled(self._definition.name)
            raise AttributeError(
                f"{name}.map: a call of {name!r} gives a stream and no future, and so does one of many items.\n"
                f"  Read it:  async for each in {name}.stream([...]): ..."
            )

        def __iter__(self) -> NoReturn:
            name = spelled(self._definition.name)
            raise TypeError(
                f"{name!r} is a generator function here, and gives values when it is called.\n"
                f"  Call it:  async for each in {name}(...): ..."
            )

        __aiter__ = __iter__

    def _outline(self) -> Outline:
        from .cells import of_task

        return of_task(self, f"generator {self._definition.kind}", self._definition)

    def __reduce__(self) -> tuple[object, ...]:
        return FarTask, (self.fn, self._definition.name)

    def __repr__(self) -> str:
        return shown(f"generator {self._definition.kind}", self._definition)


def _backend_of(engine: TasksEngine, definition: Definition) -> ExecutionBackend | None:
    """Where a generator runs in slices; None if it runs on the event loop, as coroutines do."""
    name = definition.options.backend
    is_async = yields_later(definition.fn)
    if definition.is_block or (is_async and (name is None or not engine._backends[name].takes_coroutines)):
        return None
    return engine._backends[next(iter(engine._backends)) if name is None else name]


def _refuse_retries(definition: Definition) -> None:
    retries = definition.options.given.get("retries")
    if retries:
        raise TypeError(
            f"{definition.name!r} is a generator function, and retries={retries} would give again what was given.\n"
            "  Have the tasks that its values go to tried again, or make it a task that returns a list"
        )


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

    return later if yields_later(fn) else now


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


def _example(fn: Callable[..., Any]) -> Callable[..., Any]:
    """A function that is annotated to return what a generator yields, for runs in which nothing is done."""

    def example(*args: object, **kwargs: object) -> None:
        raise RuntimeError("never runs; this is a bug in asyncflow")

    example.__annotations__["return"] = returned_by(fn)
    return example


def _is_dry() -> bool:
    block: Any = SCOPE.get().block
    return block is not None and (block._run.is_rehearsal or block._run.is_dry)
