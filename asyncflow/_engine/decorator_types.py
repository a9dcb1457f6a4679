"""What a type checker knows of an engine's decorators: what each makes of a function."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Literal, ParamSpec, Protocol, TypeVar, Unpack, overload

from .._core.options import (
    BlockKeywords,
    CommandKeywords,
    CommandServiceKeywords,
    ServiceKeywords,
    TaskKeywords,
)
from .._core.probes import RunningService
from .._runtime.future import TaskFuture
from .executable_task import ExecutableTask
from .function_task import FunctionTask
from .generator_task import GeneratorTask
from .service_task import ServiceTask

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class FunctionTaskDecorator(Protocol):
    """``@engine.function_task``, bare or with options."""

    @overload
    def __call__(  # type: ignore[overload-overlap]
        self,
        fn: Callable[P, Iterator[R]] | Callable[P, AsyncIterator[R]],
        /,
        **options: Unpack[TaskKeywords[object]],
    ) -> GeneratorTask[P, R]: ...
    @overload
    def __call__(
        self, fn: Callable[P, Coroutine[object, object, R]], /, **options: Unpack[TaskKeywords[object]]
    ) -> FunctionTask[P, Coroutine[object, object, R], R]: ...
    @overload
    def __call__(
        self, fn: Callable[P, R], /, **options: Unpack[TaskKeywords[object]]
    ) -> FunctionTask[P, R, R]: ...
    @overload
    def __call__(self, /, **options: Unpack[TaskKeywords[object]]) -> FunctionTaskDecorator: ...


class BlockDecorator(Protocol):
    """``@engine.block``, bare or with options. Futures that a block returns, alone or in a list, are resolved."""

    @overload
    def __call__(  # type: ignore[overload-overlap]
        self,
        fn: Callable[P, Iterator[TaskFuture[R]]] | Callable[P, AsyncIterator[TaskFuture[R]]],
        /,
        **options: Unpack[BlockKeywords],
    ) -> GeneratorTask[P, R]: ...
    @overload
    def __call__(  # type: ignore[overload-overlap]
        self,
        fn: Callable[P, Iterator[R]] | Callable[P, AsyncIterator[R]],
        /,
        **options: Unpack[BlockKeywords],
    ) -> GeneratorTask[P, R]: ...
    @overload
    def __call__(
        self, fn: Callable[P, Coroutine[object, object, TaskFuture[R]]], /, **options: Unpack[BlockKeywords]
    ) -> FunctionTask[P, Coroutine[object, object, TaskFuture[R]], R]: ...
    @overload
    def __call__(
        self,
        fn: Callable[P, Coroutine[object, object, list[TaskFuture[R]]]],
        /,
        **options: Unpack[BlockKeywords],
    ) -> FunctionTask[P, Coroutine[object, object, list[TaskFuture[R]]], list[R]]: ...
    @overload
    def __call__(
        self, fn: Callable[P, Coroutine[object, object, R]], /, **options: Unpack[BlockKeywords]
    ) -> FunctionTask[P, Coroutine[object, object, R], R]: ...
    @overload
    def __call__(
        self, fn: Callable[P, TaskFuture[R]], /, **options: Unpack[BlockKeywords]
    ) -> FunctionTask[P, TaskFuture[R], R]: ...
    @overload
    def __call__(
        self, fn: Callable[P, list[TaskFuture[R]]], /, **options: Unpack[BlockKeywords]
    ) -> FunctionTask[P, list[TaskFuture[R]], list[R]]: ...
    @overload
    def __call__(self, fn: Callable[P, R], /, **options: Unpack[BlockKeywords]) -> FunctionTask[P, R, R]: ...
    @overload
    def __call__(self, /, **options: Unpack[BlockKeywords]) -> BlockDecorator: ...


class ExecutableTaskDecorator(Protocol):
    """``@engine.executable_task``, bare or with options. The value is text, bytes, or the path of them."""

    @overload
    def __call__(
        self,
        fn: Callable[P, T],
        /,
        *,
        service: Literal[True],
        **options: Unpack[CommandServiceKeywords[RunningService]],
    ) -> ExecutableTask[P, T, RunningService]: ...
    @overload
    def __call__(
        self, /, *, service: Literal[True], **options: Unpack[CommandServiceKeywords[RunningService]]
    ) -> CommandServiceDecorator: ...
    @overload
    def __call__(
        self,
        fn: Callable[P, T],
        /,
        *,
        capture_stdio: Literal[True],
        text: bool | None = ...,
        **options: Unpack[CommandKeywords[Path]],
    ) -> ExecutableTask[P, T, Path]: ...
    @overload
    def __call__(
        self, fn: Callable[P, T], /, *, text: Literal[False], **options: Unpack[CommandKeywords[bytes]]
    ) -> ExecutableTask[P, T, bytes]: ...
    @overload
    def __call__(
        self,
        fn: Callable[P, T],
        /,
        *,
        text: Literal[True] | None = ...,
        capture_stdio: Literal[False] | None = ...,
        **options: Unpack[CommandKeywords[str]],
    ) -> ExecutableTask[P, T, str]: ...
    @overload
    def __call__(
        self,
        /,
        *,
        capture_stdio: Literal[True],
        text: bool | None = ...,
        **options: Unpack[CommandKeywords[Path]],
    ) -> CapturingTaskDecorator: ...
    @overload
    def __call__(
        self, /, *, text: Literal[False], **options: Unpack[CommandKeywords[bytes]]
    ) -> BytesTaskDecorator: ...
    @overload
    def __call__(
        self,
        /,
        *,
        text: Literal[True] | None = ...,
        capture_stdio: Literal[False] | None = ...,
        **options: Unpack[CommandKeywords[str]],
    ) -> ExecutableTaskDecorator: ...


class ServiceDecorator(Protocol):
    """``@engine.service``, bare or with options. The value is what the function yields."""

    @overload
    def __call__(
        self, fn: Callable[P, AsyncIterator[R]], /, **options: Unpack[ServiceKeywords[object]]
    ) -> ServiceTask[P, AsyncIterator[R], R]: ...
    @overload
    def __call__(
        self, fn: Callable[P, Iterator[R]], /, **options: Unpack[ServiceKeywords[object]]
    ) -> ServiceTask[P, Iterator[R], R]: ...
    @overload
    def __call__(self, /, **options: Unpack[ServiceKeywords[object]]) -> ServiceDecorator: ...


class CommandServiceDecorator(Protocol):
    """``@engine.executable_task(service=True)``."""

    def __call__(self, fn: Callable[P, T], /) -> ExecutableTask[P, T, RunningService]: ...


class CapturingTaskDecorator(Protocol):
    """``@engine.executable_task(capture_stdio=True)``."""

    def __call__(self, fn: Callable[P, T], /) -> ExecutableTask[P, T, Path]: ...


class BytesTaskDecorator(Protocol):
    """``@engine.executable_task(text=False)``."""

    def __call__(self, fn: Callable[P, T], /) -> ExecutableTask[P, T, bytes]: ...
