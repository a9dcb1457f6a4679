"""An engine as its tasks see it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakSet

from .._core.options import TaskOptions
from .._core.task import Definition
from .shown import Expected

if TYPE_CHECKING:
    from .._rehearsal import Rehearsal
    from .._runtime.home import Home
    from ..backend import ExecutionBackend
    from ..streams import Stream


class TasksEngine(Protocol):
    """What a task needs of a `WorkflowEngine`, its engine."""

    @property
    def _backends(self) -> Mapping[str, ExecutionBackend]: ...
    @property
    def _streamed(self) -> WeakSet[Stream[Any]]: ...
    @property
    def _expected(self) -> Expected: ...
    @property
    def _run(self) -> Home | None: ...
    def _rehearsal(self) -> Rehearsal | None: ...
    def _run_for(self, name: str) -> Home: ...
    def _put_in_order(self) -> None: ...
    def _most_workers(self) -> int: ...
    def _definition(
        self,
        fn: Callable[..., object],
        kind: str,
        options: TaskOptions,
        given: Mapping[str, object],
        is_coroutine: bool | None = None,
    ) -> Definition: ...
