"""Functions that are not decorated: the engine remembers the tasks that it makes of them."""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from types import MethodType
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, overload

from .._causes import spelled
from .._inspect.resolve import yields
from .._runtime.future import TaskFuture
from .._tracebacks import trim
from .function_task import FunctionTask, made_at
from .generator_task import GeneratorTask
from .options import name_of

if TYPE_CHECKING:
    from .typing import Begun, KeywordsDoNotFit, MaybeFuture, NoFuture, Plain, deprecated

P = ParamSpec("P")
R = TypeVar("R")
_KEPT = 256  # functions that are remembered


class Submits:
    """An engine, as far as such functions are given to it."""

    _submitted: OrderedDict[object, FunctionTask[..., Any, Any]]
    function_task: Any

    if TYPE_CHECKING:
        # As for the call of a decorated function, see `typed_calls`: exactly as the function has it; what surely is no
        # future and does not fit; what may be one; what likely is none; whatever else. mypy takes a ParamSpec for
        # anything, and so says of those behind it that they are never matched.
        @overload
        def submit(  # type: ignore[overload-overlap]
            self, fn: Callable[P, Begun[R]], /, *args: P.args, **kwargs: P.kwargs
        ) -> TaskFuture[R]: ...
        @overload
        def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> TaskFuture[R]: ...
        @overload
        @deprecated("the arguments do not fit the function")
        def submit(  # type: ignore[overload-cannot-match, overload-overlap]
            self, fn: Callable[..., object], /, *args: Plain, **kwargs: Plain
        ) -> KeywordsDoNotFit: ...
        @overload
        def submit(  # type: ignore[overload-cannot-match]
            self, fn: Callable[..., Begun[R]], /, *args: MaybeFuture, **kwargs: MaybeFuture
        ) -> TaskFuture[R]: ...
        @overload
        def submit(  # type: ignore[overload-cannot-match]
            self, fn: Callable[..., R], /, *args: MaybeFuture, **kwargs: MaybeFuture
        ) -> TaskFuture[R]: ...
        @overload
        @deprecated("the arguments do not fit the function, if none of them is a future")
        def submit(  # type: ignore[overload-cannot-match]
            self, fn: Callable[..., object], /, *args: NoFuture, **kwargs: NoFuture
        ) -> TaskFuture[Any]: ...
        @overload
        def submit(  # type: ignore[overload-cannot-match]
            self, fn: Callable[..., Begun[R]], /, *args: object, **kwargs: object
        ) -> TaskFuture[R]: ...
        @overload
        def submit(  # type: ignore[overload-cannot-match]
            self, fn: Callable[..., R], /, *args: object, **kwargs: object
        ) -> TaskFuture[R]: ...

    def submit(self, fn: Any, /, *args: object, **kwargs: object) -> object:
        """Call a function that is not decorated as a task.

        Args:
            fn: any callable.
            args: its positional arguments; futures may stand anywhere.
            kwargs: its keyword arguments.
        """
        caller = sys._getframe(1)
        try:
            task = fn if isinstance(fn, FunctionTask) else self._task_of(fn)
            return made_at(caller.f_code, caller.f_lasti, task(*args, **kwargs))
        except BaseException as error:
            trim(error)
            raise

    def _task_of(self, fn: Any) -> FunctionTask[..., object, object]:
        # By identity, as two callables may be equal; what is remembered is held, so that its id stays its own.
        key = fn if isinstance(fn, MethodType) else id(fn)
        task = self._submitted.get(key)
        if task is None:
            refuse_generator(
                fn,
                "submit() got {0!r}, a generator function: a call gives a stream and no future.\n"
                "  Decorate it and read it:  async for value in {0}(...)",
            )
            task = self._submitted[key] = self.function_task(partial(fn) if isinstance(fn, type) else fn)
            if len(self._submitted) > _KEPT:
                self._submitted.popitem(last=False)
        return task


def refuse_generator(fn: Any, told: str) -> None:
    """Refuse a generator function, or a task that is one.

    Args:
        fn: anything.
        told: the error; {0} is its name.

    Raises:
        TypeError: it is one.
    """
    plain = fn.fn if isinstance(fn, GeneratorTask) else fn
    if yields(plain):
        raise TypeError(
            told.format(spelled(fn._definition.name if isinstance(fn, GeneratorTask) else name_of(fn)))
        )
