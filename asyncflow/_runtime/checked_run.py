"""A run that holds arguments and results to their annotations as they flow: ``check_types=True``.

A class of its own, so that a run which does not check pays nothing. Checks are made on the loop: arguments when their
task is about to be submitted and all values are there, a result before the future gets it. So nothing is submitted
behind what it waits for, and no result stays where it is made: such values would go by unseen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from .._core.lanes import Lane
from .._core.states import CANCELLING, NOW
from .._core.task import Task
from .._inspect.annotations import settled
from .._inspect.functions import Function, Functions
from .._inspect.shown import shown
from .._inspect.values import problem_with
from ..errors import TypeMismatch
from . import inputs
from .blocks import Blocks
from .dispatch import Dispatch
from .failure import NO_VALUES
from .failures import Failures
from .future import TaskFuture
from .reports import Reports
from .run import Run


class _Checks:
    """Checks arguments and results against their annotations, and reports tasks with a wrong result as failed."""

    def __init__(self, failures: Failures) -> None:
        self._failures = failures
        self._functions = Functions()

    def refuses(self, task: Any, value: object) -> bool:
        """Whether a result is of a wrong type; its task has then failed."""
        annotation = task.definition.returns or self._function_of(task).gives
        problem = problem_with(value, annotation)
        if problem is None:
            return False
        self._failures.failed(task, TypeMismatch(task.id, task.name, None, shown(annotation), problem[0]))
        return True

    def wrong_argument(self, task: Task, given: _Given | None) -> TypeMismatch | None:
        function = self._function_of(task)
        if not function.hints:
            return None
        for number, argument in enumerate(function.arguments(task.args, task.kwargs)):
            annotation = settled(argument.hint)  # values are there when the body starts
            problem = problem_with(argument.value, annotation)
            if problem is not None:
                told, part = problem
                source = None if given is None else given.source_of(function, number, part)
                return TypeMismatch(task.id, task.name, argument.name, shown(annotation), told, source)
        return None

    def _function_of(self, task: Any) -> Function:
        definition = task.definition
        return self._functions.of_call(definition.fn, task.args, is_block=definition.is_block)


class _CheckedDispatch(Dispatch):
    checks: _Checks

    def submit(self, lane: Lane, batch: list[Task]) -> None:
        """As in any run; not what has an argument of a wrong type."""
        given = {
            task.id: _Given(task.args, task.kwargs, inputs.awaited(task)) for task in batch if task.holes
        }
        fitting = []
        for task in inputs.fill(batch, self.not_submitted, self._keeps.values_at(lane.place)):
            error = self.checks.wrong_argument(task, given.get(task.id))
            if error is None:
                fitting.append(task)
            else:
                self.not_submitted(task, error)
        super().submit(lane, fitting)


class _CheckedReports(Reports):
    checks: _Checks

    def succeeded(self, task: Any, value: object) -> None:
        """As in any run; a value of a wrong type is a failure."""
        is_value = not task.definition.is_block and type(value) not in NO_VALUES
        if not (is_value and task.story & NOW != CANCELLING and self.checks.refuses(task, value)):
            super().succeeded(task, value)


class _CheckedBlocks(Blocks):
    checks: _Checks

    def succeeded(self, block: object, value: object) -> None:
        """As in any run; a value of a wrong type is a failure."""
        if not self.checks.refuses(block, value):
            super().succeeded(block, value)


class CheckedRun(Run):
    """As any run, with parts that check."""

    Blocks = _CheckedBlocks
    Reports = _CheckedReports
    Dispatch = _CheckedDispatch
    blocks: _CheckedBlocks
    reports: _CheckedReports
    dispatch: _CheckedDispatch

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.blocks.checks = self.reports.checks = self.dispatch.checks = _Checks(self.failures)
        for lane in self.places.behind:
            lane.links = lane.keeps = False


class _Given(NamedTuple):
    """The arguments of a call before values were put in for its futures."""

    args: tuple[object, ...]
    kwargs: Mapping[str, object]
    futures: Sequence[Any]

    def source_of(self, function: Function, number: int, part: object) -> tuple[str, int] | None:
        """The name and number of the task whose result is the wrong part of an argument."""
        whole = function.arguments(self.args, self.kwargs)[number].value
        if isinstance(whole, TaskFuture):
            return whole.name, whole.id
        for future in self.futures:  # in a container: the one whose value it is
            if inputs.value_here(future) is part:
                return future.name, future.id
        return None
