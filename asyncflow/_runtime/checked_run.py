"""A run that holds arguments and results to their annotations as they flow: ``check_types=True``.

A class of its own, so that a run which does not check pays nothing. Checks are made on the loop: arguments when their
task is about to be submitted and all values are there, a result before the future gets it. So nothing is submitted
behind what it waits for: the value between the two would go by unseen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from .._core.states import CANCELLING, NOW
from .._core.task import Definition, Lane, Task
from ..errors import TypeMismatch
from . import inputs
from .failure import NO_VALUES
from .future import TaskFuture
from .hints import Hints, problem_with, shown
from .run import Run

_REMEMBERED: Final = 4096  # functions; a program that submits lambdas all day must not keep each of them


class CheckedRun(Run):
    """As any run."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._hints: dict[Definition, Hints] = {}
        for lane in self.places.behind:
            lane.links = False

    def _submit(self, lane: Lane, batch: list[Task]) -> None:
        given = {
            task.id: _Given(task.args, task.kwargs, inputs.awaited(task)) for task in batch if task.holes
        }
        fitting = []
        for task in inputs.fill(batch, self._not_submitted):
            error = self._wrong_argument(task, given.get(task.id))
            if error is None:
                fitting.append(task)
            else:
                self._not_submitted(task, error)
        super()._submit(lane, fitting)

    def succeeded(self, task: Any, value: Any) -> None:
        """As of any run; a value of a wrong type is a failure."""
        is_value = not task.definition.is_block and type(value) not in NO_VALUES
        if is_value and task.story & NOW != CANCELLING and self._is_wrong(task, value):
            return
        super().succeeded(task, value)

    def _block_succeeded(self, block: Any, value: Any) -> None:
        if not self._is_wrong(block, value):
            super()._block_succeeded(block, value)

    def _is_wrong(self, task: Any, value: Any) -> bool:
        """Whether a result is of a wrong type; its task has then failed."""
        annotation = self._hints_of(task.definition).returned
        problem = problem_with(value, annotation)
        if problem is None:
            return False
        self._timeouts.disarm(task)
        self._failed(task, TypeMismatch(task.id, task.name, None, shown(annotation), problem[0]))
        return True

    def _wrong_argument(self, task: Task, given: _Given | None) -> TypeMismatch | None:
        hints = self._hints_of(task.definition)
        for number, (name, value, annotation) in enumerate(hints.arguments(task.args, task.kwargs)):
            problem = problem_with(value, annotation)
            if problem is not None:
                told, part = problem
                source = None if given is None else given.source_of(hints, number, part)
                return TypeMismatch(task.id, task.name, name, shown(annotation), told, source)
        return None

    def _hints_of(self, definition: Definition) -> Hints:
        hints = self._hints.get(definition)
        if hints is None:
            if len(self._hints) >= _REMEMBERED:
                self._hints.clear()
            hints = self._hints[definition] = Hints(definition.fn, definition.returns)
        return hints


class _Given(NamedTuple):
    """The arguments of a call before the values were put in.

    Args:
        args: positional ones.
        kwargs: keyword ones.
        futures: among them.
    """

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    futures: Sequence[Any]

    def source_of(self, hints: Hints, number: int, part: Any) -> tuple[str, int] | None:
        """Name and number of the task whose result is wrong.

        Args:
            hints: of the function.
            number: of the argument, among those that are annotated.
            part: of the argument that is wrong.
        """
        _, whole, _ = list(hints.arguments(self.args, self.kwargs))[number]
        if isinstance(whole, TaskFuture):
            return whole.name, whole.id
        for future in self.futures:  # in a container: the one whose value it is
            if inputs.value_of(future) is part:
                return future.name, future.id
        return None
