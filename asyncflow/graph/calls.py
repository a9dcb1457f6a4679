"""Makes the calls of a graph."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from types import CodeType
from typing import TYPE_CHECKING, Any, Protocol

from .._engine.function_task import FunctionTask, made_at
from .._engine.tasks_engine import TasksEngine
from .._runtime.future import TaskFuture
from ..errors import TaskSkipped, UpstreamFailed
from .graph import Graph, names_of
from .steps import OutputRef, Ref, Step

if TYPE_CHECKING:
    from .._engine.decorator_types import ExecutableTaskDecorator, FunctionTaskDecorator

Task = FunctionTask[..., Any, Any]
Futures = dict[str, TaskFuture[Any]]


class Engine(TasksEngine, Protocol):
    """What a graph needs of the engine that it is called on."""

    @property
    def function_task(self) -> FunctionTaskDecorator: ...
    @property
    def executable_task(self) -> ExecutableTaskDecorator: ...


def call_all(
    graph: Mapping[str, Step],
    stages: Iterable[Iterable[str]],
    engine: Engine,
    site: tuple[CodeType, int],
) -> Futures:
    """Call all steps, those first that others refer to. ``site`` is the line of the user's that asks for it."""
    futures: Futures = {}
    tasks = _Tasks(engine)
    name = ""
    try:
        for name in (each for stage in stages for each in stage):
            futures[name] = made_at(*site, _called(graph[name], tasks, futures))
            if "label" not in graph[name].options:
                futures[name]._run.labelled(futures[name], name)
    except BaseException as error:  # as a backend that this engine has not: half a graph is of use to nobody
        error.add_note(f"in step {name!r} of the graph")
        for future in futures.values():
            future.cancel()
        raise
    return {name: futures[name] for name in graph}


def _called(step: Step, tasks: _Tasks, futures: Futures) -> TaskFuture[Any]:
    def value_of(ref: Ref) -> object:
        future = futures[ref.step]
        return future.outputs[ref.output] if isinstance(ref, OutputRef) else future

    args, kwargs = step.filled(value_of)
    task = tasks.of(step)
    if step.options or step.after:
        task = task._with_options([futures[other] for other in step.after], step.options)
    return task(*args, **kwargs)


class _Tasks:
    """The tasks of steps, on one engine; one for each function."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._made: dict[tuple[int, bool], Task] = {}

    def of(self, step: Step) -> Task:
        key = id(step.task), step.is_command  # the graph holds them
        task = self._made.get(key)
        if task is None:
            task = self._made[key] = self._task(step)
        return task

    def _task(self, step: Step) -> Task:
        given, engine = step.task, self._engine
        if isinstance(given, FunctionTask):
            return given if given._is_of(engine) else given.on(engine)
        plain: Callable[..., Any] = given
        return engine.executable_task(plain) if step.is_command else engine.function_task(plain)


async def run_all(
    graph: Graph, engine: Engine, targets: Iterable[str] | None, site: tuple[CodeType, int]
) -> dict[str, Any]:
    """Call a graph and wait for its targets, or for all steps that are not detached.

    Raises:
        Exception: a step has failed; `ExceptionGroup`, if several have.
    """
    if not isinstance(graph, Graph):
        raise no_graph(graph, "run_graph")
    names = names_of(targets)
    chosen = graph.wanted(names)
    futures = call_all(chosen, chosen.stages, engine, site)
    wanted = [name for name in chosen if not chosen[name].is_detached] if names is None else names
    waits = [futures[name] for name in dict.fromkeys(wanted)]
    try:
        if waits:
            await asyncio.wait(waits)
    except asyncio.CancelledError:
        for future in futures.values():
            future.cancel()
        raise
    failures = _failures(futures, waits)
    if len(failures) == 1:
        raise failures[0]
    if failures:
        raise BaseExceptionGroup(f"{len(failures)} steps have failed", failures)
    return {name: futures[name].result() for name in wanted}


def no_graph(given: object, by: str) -> TypeError:
    """What is raised for something that is no graph."""
    kind = type(given).__name__
    mend = "Graph(...)" if isinstance(given, Mapping) else "Graph({'name': step(function, ...)})"
    return TypeError(f"{by}() got {'an' if kind[0] in 'aeiou' else 'a'} {kind}; a Graph is needed:  {mend}")


def _failures(futures: Futures, waits: Iterable[TaskFuture[Any]]) -> list[BaseException]:
    """How the steps have failed on which others depend, or which were waited for; each failure once."""
    if all(future.exception() is None for future in waits if not future.cancelled()) and not any(
        future.cancelled() for future in waits
    ):
        return []
    ended = [future for future in futures.values() if future.done()]
    errors = [asyncio.CancelledError() if each.cancelled() else each.exception() for each in ended]
    there = [error for error in errors if error is not None]
    failures = [error for error in there if not isinstance(error, UpstreamFailed | TaskSkipped)]
    return failures or [error for error in there if not _is_passed_on(error)] or there


def _is_passed_on(error: BaseException) -> bool:
    """Whether another step's error tells the same."""
    if isinstance(error, TaskSkipped):
        return error.task_id not in {cause.task_id for cause in error.root_causes}
    return isinstance(error, UpstreamFailed)
