"""Runs nothing: each task is over at once and its result is a stand-in. For checking the wiring of a workflow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final

from .._inspect.functions import owner_of
from .._inspect.resolve import returned_by
from .._stand_ins.decisions import Decisions, OnDecision, OnLack
from .._stand_ins.example_values import is_constant
from .._stand_ins.examples import example_of
from .._stand_ins.opaque import StandIn
from .._worker.attempt import run_attempt
from ..backend import FAILED, SUCCEEDED, Concurrency, Event, ExecutionBackend, Report, Work

_REMEMBERED: Final = 4096  # functions; a program that submits lambdas all day must not keep each of them


class NoopBackend(ExecutionBackend):
    """A backend that does nothing, coroutines included.

    A task's value is its ``example=``; else one of the type that its function is annotated to return; else a stand-in
    that tolerates what code does to results.

    Args:
        workers: of no meaning here.
        decided: is told of each decision that code takes on such a stand-in: kind, what it stands for, file, line.
        lacked: is told what code asks a result for that its class lacks: task, class, what is asked for, the code that
            asks, and the instruction in it.
    """

    name = "noop"
    concurrency = Concurrency.SEQUENTIAL
    runs_coroutines = True
    keeps_event_loop = True
    stages_files = False

    def __init__(
        self, workers: int | None = None, *, decided: OnDecision | None = None, lacked: OnLack | None = None
    ) -> None:
        self.decided = decided
        """As given; what is set later holds from the next start."""
        self.lacked = lacked
        """In the same way."""
        self._report: Report | None = None
        self._decisions = Decisions()
        self._types: dict[int, _Returned] = {}  # by the function's id: it may refuse to be hashed

    async def start(self, report: Report) -> None:
        """Nothing to start."""
        self._report = report
        self._decisions = Decisions(self.decided, self.lacked)

    def submit(self, batch: Sequence[Work]) -> None:
        """Report stand-ins."""
        assert self._report is not None
        self._report([self._end(work) for work in batch])

    def _end(self, work: Work) -> Event:
        return _as_told(work) if work.example is not ... else (SUCCEEDED, work.id, self.stand_in(work))

    def stand_in(self, work: Work) -> object:
        """A value of the type that a task is annotated to return, whatever its ``example=`` is. The task need not
        have been submitted."""
        if work.returns is not None:
            return _Returned(work.fn, work.returns).value(work, self._decisions)
        fn = work.fn
        returned = self._types.get(id(fn))
        if returned is None:
            if len(self._types) >= _REMEMBERED:
                self._types.clear()
            returned = self._types[id(fn)] = _Returned(fn, returned_by(fn))
        return returned.value(work, self._decisions)

    async def cancel(self, task_id: int) -> bool:
        """Everything is over already."""
        return False

    async def shutdown(self, *, grace: float) -> list[int]:
        """Nothing to stop."""
        self.abandon()
        return []

    def abandon(self) -> None:
        """Let go of what the run has brought."""
        self._report = None
        self._types.clear()
        self._decisions = Decisions()


class _Returned:
    """The return annotation of one function. The function is held, so that its id stays its own."""

    __slots__ = ("_annotation", "_constant", "_fn")

    def __init__(self, fn: Callable[..., object], annotation: object) -> None:
        self._fn = fn
        self._annotation = annotation
        self._constant: tuple[object] | None = None

    def value(self, work: Work, decisions: Decisions) -> object:
        """One of them, to stand in for a task's."""
        if self._constant is not None:
            return self._constant[0]
        described = f"{work.name}#{work.id}"
        if self._annotation is Any:
            return StandIn(described, decisions)
        value = example_of(self._annotation, described, decisions, owner_of(work.fn, work.args))
        if is_constant(value):
            self._constant = (value,)
        return value


def _as_told(work: Work) -> Event:
    """The value that the task's user has given, or what their function makes of its arguments."""
    if not callable(work.example):
        return SUCCEEDED, work.id, work.example
    succeeded, value = run_attempt(work.example, False, work.args, work.kwargs, work.context)
    if not succeeded:
        with suppress(Exception):  # an exception class may refuse notes
            value.add_note(f"raised by the example= of {work.name!r}, which stands in for it")
    return SUCCEEDED if succeeded else FAILED, work.id, value
