"""Makes the streams of tasks: those of many items, and those of one call of a generator."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Iterable
from functools import partial
from types import CodeType
from typing import TYPE_CHECKING, Any

from .._runtime.future import TaskFuture
from .._runtime.outlet import Outlet
from ..streams import Stream

if TYPE_CHECKING:
    from .tasks_engine import TasksEngine


def stream_of(
    engine: TasksEngine,
    name: str,
    call: Callable[..., TaskFuture[Any]],
    source: Iterable[Any] | AsyncIterable[Any],
    place: tuple[CodeType, int],
    *,
    window: int | None = None,
    ordered: bool = False,
    errors: str = "raise",
    key: Callable[[Any], object] | None = None,
    generate: Callable[[Any, Outlet], TaskFuture[Any]] | None = None,
    is_call: bool = False,
) -> Stream[Any]:
    """A stream of an engine.

    Args:
        engine: whose task it is.
        name: of the task.
        call: calls it for an item.
        source: of items.
        place: code and instruction that ask for it.
        window: as for `FunctionTask.stream`.
        ordered: the same.
        errors: the same.
        key: the same.
        generate: calls it in the place of ``call``, if one item may have many values.
        is_call: whether it is one call of a generator, of which reports do not tell as of a stream.

    Raises:
        TypeError: the source cannot be iterated.
        ValueError: an option that is out of range.
    """
    workers = engine._most_workers()
    stream: Stream[Any] = Stream(
        call,
        name,
        source,
        window=max(100, 4 * workers) if window is None else window,
        workers=workers,
        ordered=ordered,
        errors=errors,
        key=key,
        generate=generate,
        reader=(partial(engine._run_for, name), *place),
        is_call=is_call,
    )
    engine._streamed.add(stream)
    return stream
