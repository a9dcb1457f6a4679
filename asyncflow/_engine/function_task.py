"""What a decorated function becomes: callable as before, with a future as the answer. Owns no state of a run."""

from __future__ import annotations

import functools
import sys
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Mapping
from threading import get_ident
from types import CodeType, MethodType
from typing import TYPE_CHECKING, Any, Final, Literal, ParamSpec, Self, TypeVar, cast, overload

from .._causes import spelled
from .._core.lanes import Lane
from .._core.options import BlockOptions, Labels, TaskOptions, labels_of
from .._core.order import of_an_item
from .._core.signature import Parameters
from .._core.task import Definition
from .._runtime.call import Call
from .._runtime.future import TaskFuture
from .._runtime.inputs import KINDS
from .._runtime.unread import Unawaited
from .._show.outlined import Cell
from .._tracebacks import trim
from .._worker.far import FarTask
from .._worker.held_up import HELD_UP
from .bodies import give_body
from .option_names import shows_options
from .tasks_engine import TasksEngine
from .typed_calls import TypedCalls

if TYPE_CHECKING:
    from typing import Unpack

    from .._core.options import FunctionKeywords
    from .._runtime.home import Home
    from .._show.outline import Outline
    from ..streams import Stream
    from .typing import Later, Method, Takes1, Takes2, Takes3

P = ParamSpec("P")
Q = ParamSpec("Q")
Fn = TypeVar("Fn")  # what the plain function returns: R, or a coroutine of R
R = TypeVar("R")
S = TypeVar("S")
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")


_DECORATORS: Final = {"function": "function_task", "executable": "executable_task"}
_NO_KWARGS: dict[str, object] = {}  # shared, so that a burst of calls does not keep an empty dict each


class FunctionTask(Cell, TypedCalls[P, Fn, R]):
    """A decorated function. Calling it gives a `TaskFuture`; ``.fn`` is the plain function, for unit tests."""

    _IS_ASYNCFLOW_TASK: Final = True  # workers look for this, for they do not load the engine

    def __init__(self, engine: TasksEngine, definition: Definition) -> None:
        functools.update_wrapper(
            self, definition.fn
        )  # first: a callable's own attributes must not win over ours
        self._engine = engine
        self._definition = definition
        resources = {name: resource for _, name, resource in definition.resources}
        self._parameters = Parameters(
            definition.fn, definition.name, KINDS, definition.options.names, resources
        )
        bare = self._parameters.without_futures(definition.fn)
        if bare is not definition.fn:
            definition.fn = bare
            give_body(definition)
        self._leading: tuple[object, ...] = ()  # the instance, of a method
        self._after: tuple[object, ...] = ()
        self._run: Home | None = None  # the run that the lane belongs to
        self._lane: Lane | None = None

    @property
    def fn(self) -> Callable[P, Fn]:
        """The plain function."""
        fn = self._definition.fn
        return MethodType(fn, self._leading[0]) if self._leading else fn

    def _call(self: Any, /, *args: object, **kwargs: object) -> object:
        """Call the function as a task.

        Args:
            args: as the function takes them; futures may stand anywhere, also inside containers.
            kwargs: the same.

        Raises:
            TypeError: the arguments do not fit the function.
            WrongLoop: this is not the engine's event loop.
            EngineClosed: the engine was shut down.
        """
        try:
            if self._leading:
                args = (*self._leading, *args)
            parameters = self._parameters
            given = len(args)
            if kwargs or given < parameters.least or given > parameters.most:
                try:
                    args, kwargs = parameters.fitted(args, kwargs)
                except TypeError as misfit:
                    rehearsal = self._engine._rehearsal()
                    if rehearsal is None:
                        raise
                    caller = sys._getframe(1)
                    made = Call(self._definition, args, kwargs, caller.f_code, caller.f_lasti, self._after)
                    return rehearsal.forgiving.refused(made, misfit)
            run = self._engine._run
            # The first call of a burst asks whether it may be made here; the others would be told the same.
            if run is None or run.burst.site is None or run.thread != get_ident() or HELD_UP:
                run = self._engine._run_for(self._definition.name)
                if run.is_rehearsal:  # which is over soon and not to be remembered
                    caller = sys._getframe(1)
                    return run.take(
                        Call(self._definition, args, kwargs, caller.f_code, caller.f_lasti, self._after)
                    )
            if run is not self._run:
                self._run, self._lane = run, run.lane_for(self._definition)
            caller = sys._getframe(1)
            return run.call(
                self._definition,
                self._lane,
                args,
                kwargs or _NO_KWARGS,
                caller.f_code,
                caller.f_lasti,
                self._after,
            )
        except BaseException as error:
            trim(error)  # in the user's line it was raised
            raise

    if not TYPE_CHECKING:  # else it is as `TypedCalls` has it
        __call__ = _call

    @shows_options(TaskOptions, BlockOptions)
    def with_options(
        self,
        *,
        after: Awaitable[object] | Iterable[Awaitable[object]] = (),
        **options: Unpack[FunctionKeywords[R]],
    ) -> Self:
        """The same task with other options; those that are not given stay as they are.

        Args:
            after: futures that must succeed first, and whose values are not passed.
            options: as `FunctionKeywords` has them.

        Raises:
            TypeError: an option of the wrong type, or one that there is not, or a backend, an example or an expected
                duration for a block. A name or a task instead of a future.
            ValueError: an option that is out of range.
            UnknownBackend: the engine has no backend of that name.
        """
        return self._with_options(after, options)

    def _with_options(self, after: object, options: Mapping[str, object]) -> Self:
        futures = self._futures(after)
        variant, old = self._copy(), self._definition
        variant._definition = self._engine._definition(
            old.fn, old.kind, old.options, options, old.is_coroutine
        )
        variant._run = variant._lane = None
        variant._after = (*self._after, *futures)
        return variant

    def on(self, engine: TasksEngine) -> Self:
        """The same task on another engine, as for a library's task on its user's engine.

        Of a block, that is its body; the tasks that it calls stay where they are.

        Args:
            engine: where calls of it are to run.

        Raises:
            TypeError: that is no engine.
            UnknownBackend: the task names a backend that this engine has not.
        """
        if not hasattr(engine, "function_task"):
            raise TypeError(f"{self._definition.name}.on() got {engine!r}; a WorkflowEngine is needed")
        variant, old = self._copy(), self._definition
        variant._engine = engine
        variant._definition = engine._definition(old.fn, old.kind, old.options, {}, old.is_coroutine)
        variant._run = variant._lane = None
        return variant

    def _is_of(self, engine: object) -> bool:
        return self._engine is engine

    def _futures(self, after: Any) -> list[object]:
        """What was given as ``after=``, one by one."""
        is_one = _is_future(after) or isinstance(after, (str, bytes, Unawaited))
        is_many = isinstance(after, Iterable) and not is_one
        futures = list(after) if is_many else [after]
        for future in futures:
            if not _is_future(future):
                inside = f", and {future!r}" if is_many else ""
                raise TypeError(
                    f"{self._definition.name!r} was given after={after!r}{inside}, which is no future.\n"
                    "  Pass what a call gives:  first = load(...); fit.with_options(after=first)(...)"
                )
        return futures

    @overload
    def map(self: Takes1[A, Q], a: Iterable[Later[A]], /, *, label: Labels = None) -> list[TaskFuture[R]]: ...
    @overload
    def map(
        self: Takes2[A, B, Q], a: Iterable[Later[A]], b: Iterable[Later[B]], /, *, label: Labels = None
    ) -> list[TaskFuture[R]]: ...
    @overload
    def map(
        self: Takes3[A, B, C, Q],
        a: Iterable[Later[A]],
        b: Iterable[Later[B]],
        c: Iterable[Later[C]],
        /,
        *more: Iterable[object],
        label: Labels = None,
    ) -> list[TaskFuture[R]]: ...

    def map(self: Any, /, *iterables: Iterable[object], label: Labels = None) -> list[TaskFuture[Any]]:
        """Call the task once for each item, as the built-in ``map`` does, and return the futures.

        Args:
            iterables: one for each positional argument; the shortest tells how many calls.
            label: one for each call, or a function that makes one of the same arguments: tells calls from one another
                in errors, logs and `TaskFuture.explain`.

        Raises:
            TypeError: the arguments do not fit the function, or a label is no text.
        """
        caller = sys._getframe(1)
        try:
            calls = zip(*iterables, strict=False)
            if label is None:
                made = [made_at(caller.f_code, caller.f_lasti, self(*items)) for items in calls]
                self._mapped(len(made))
                return made
            many = list(calls)
            labels = labels_of(many, label, self._definition.name)  # before the first call is made
            made = [made_at(caller.f_code, caller.f_lasti, self(*items)) for items in many]
            for future, own in zip(made, labels, strict=True):
                future._run.labelled(future, own)
            self._mapped(len(made))
            return made
        except BaseException as error:
            trim(error)
            raise

    def _mapped(self, calls: int) -> None:
        """So many calls were made at once."""
        if self._engine._rehearsal() is None:
            self._engine._expected.maps(self._definition.name, calls)

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
        """Call the task for each item of a source, with a bounded number of them under way, to read the results with
        ``async for``.

        The source is asked only when there is room, by one asker on the event loop, and is closed at the end. If it
        fails, what it gave before is finished and given first, and then its error is raised.

        Args:
            source: an iterable or an async one, endless ones included; another stream, too.
            window: how many items may be taken from the source and not yet given to the reader; None for 100, or four
                for each worker if that is more. With 1, an item begins when the reader has the one before.
            ordered: whether results come in the order of the source, where one that takes long holds up the others,
                instead of as they are there.
            errors: with "raise", the first failure is raised, and the rest is cancelled; with "collect" the others go
                on, and an `ExceptionGroup` is raised after the last, of at most 100 errors. Skipped items give nothing.
            key: makes of an item what tells it from others: its label, if it is text.

        Raises:
            TypeError: the source cannot be iterated.
            ValueError: an option that is out of range.
        """
        from .item_streams import stream_of

        caller, task = sys._getframe(1), cast("FunctionTask[..., Any, R]", self)
        place = caller.f_code, caller.f_lasti
        how: dict[str, Any] = {"window": window, "ordered": ordered, "errors": errors, "key": key}
        return stream_of(
            task._engine, task._definition.name, task._call_of_an_item(*place), source, place, **how
        )

    def _call_of_an_item(self, code: CodeType, at: int) -> Callable[..., TaskFuture[Any]]:
        """What calls the task for an item, on behalf of the line that asks for the stream. Of a block, what was begun
        is finished before more is begun."""
        call: Any = self
        engine, definition, parameters = self._engine, self._definition, self._parameters
        is_block = definition.is_block
        if is_block:
            engine._put_in_order()

        def called(*args: object, **kwargs: object) -> TaskFuture[Any]:
            given = len(args) + len(self._leading)
            if kwargs or given < parameters.least or given > parameters.most:
                future: TaskFuture[Any] = made_at(code, at, call(*args, **kwargs))
            else:  # as `_call` does it
                run = engine._run
                if run is None or run.burst.site is None or run.thread != get_ident() or HELD_UP:
                    run = engine._run_for(definition.name)
                if self._leading:
                    args = (*self._leading, *args)
                if run.is_rehearsal:
                    future = run.take(Call(definition, args, kwargs, code, at, self._after))
                else:
                    if run is not self._run:
                        self._run, self._lane = run, run.lane_for(definition)
                    lane: Any = self._lane
                    future = run.call(definition, lane, args, _NO_KWARGS, code, at, self._after)
            if is_block:
                future.rank = of_an_item(future, future.rank)
            return future

        return called

    # A decorated method: the instance, or the class under @classmethod, is the first argument, and gone from the rest.
    @overload
    def __get__(self: Method[type[A], Q, S], instance: object, owner: type[A]) -> FunctionTask[Q, S, R]: ...
    @overload
    def __get__(self, instance: None, owner: type | None = None) -> Self: ...
    @overload
    def __get__(self: Method[A, Q, S], instance: A, owner: type | None = None) -> FunctionTask[Q, S, R]: ...

    def __get__(self: Any, instance: object, owner: type | None = None) -> object:
        fn = self._definition.fn
        bind = None if isinstance(fn, functools.partial) else getattr(type(fn), "__get__", None)
        method = bind(fn, instance, owner) if bind is not None and instance is not None else None
        if self._leading or not isinstance(method, MethodType) or method.__self__ is not instance:
            return self  # as a staticmethod, a builtin or a callable object would not be bound either
        bound = self._copy()
        bound._leading = (instance,)
        bound.__wrapped__ = method  # whose signature has no self
        return bound

    def _copy(self) -> Self:
        copied = object.__new__(type(self))
        copied.__dict__.update(self.__dict__)
        return copied

    def __reduce__(self) -> tuple[object, ...]:
        return FarTask, (self.fn, self._definition.name)  # what it is in another process

    def _outline(self) -> Outline:
        from .cells import of_task

        return of_task(self, self._kind, self._definition)

    @property
    def _kind(self) -> str:
        """What its user knows it as."""
        return _DECORATORS.get(self._definition.kind, self._definition.kind)

    def __repr__(self) -> str:
        return shown(self._kind, self._definition)


def shown(kind: str, definition: Definition) -> str:
    """A task in one line, with the options that it was given: "<function_task fit: retries=2>"."""
    options = definition.options.without("name").in_words
    return spelled(f"<{kind} {definition.name}{f': {options}' if options else ''}>")


def _is_future(given: object) -> bool:
    if isinstance(given, Unawaited):
        return False
    return isinstance(given, Awaitable) or hasattr(given, "add_done_callback")


def made_at(code: CodeType, at: int, future: TaskFuture[object]) -> TaskFuture[object]:
    """Record the user's own line as the place of a call that was made on the user's behalf; it must be the last call
    that was made."""
    future._run.moved(future, code, at)
    return future
