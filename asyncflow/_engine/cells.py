"""What engines and tasks show of themselves in a notebook."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from .._core.overview import Overview, facts
from .._core.states import State
from .._core.story import place_in
from .._show.outline import Facts, Notes, Outline, Table
from .._show.words import counted, name_of, plain, seconds

if TYPE_CHECKING:
    from .._core.task import Definition
    from ..backend import ExecutionBackend
    from ..report import Report

_ROWS: Final = 12
_FAILURES: Final = 5
_DAY: Final = 24 * 3600.0
_WAITING: Final = (State.PENDING, State.READY, State.SUBMITTED)
_RUNNING: Final = (State.RUNNING, State.CANCELLING)
_BAD: Final = (State.FAILED, State.UPSTREAM_FAILED, State.CANCELLED)


def of_engine(
    backends: Mapping[str, ExecutionBackend], state: str, overview: Overview | None, report: Report | None
) -> Outline:
    """The outline of an engine: what runs, waits and has failed, on which backends, and since when.

    Args:
        backends: by name.
        state: how its run stands, in words.
        overview: of the run that goes on, if one does.
        report: of the last run, if there was one and it was recorded.
    """

    def parts() -> Iterator[Facts | Table | Notes]:
        told = {"Backends": ", ".join(_backend(name, each) for name, each in backends.items())}
        if report is not None:
            since = "Ran" if report.is_over else "Since"
            told[since] = f"{_moment(report.began)}, for {seconds(report.total)}"
        about = {} if overview is None else facts(overview)
        yield Facts({name: plain(fact, 400) for name, fact in [*told.items(), *_capital(about).items()]})
        if report is not None:
            yield _functions(report)
            failed = report.failed
            yield Notes(
                f"Failed last, of {len(failed):,}" if len(failed) > _FAILURES else "Failed",
                [[f"{name_of(each.label)}: {plain(each.error)}"] for each in failed[-_FAILURES:]],
            )

    return Outline("Engine", state, parts)


def _capital(about: Mapping[str, str]) -> dict[str, str]:
    return {name.capitalize(): fact for name, fact in about.items()}


def _backend(name: str, backend: ExecutionBackend) -> str:
    kind = "" if backend.name == name else f" ({backend.name})"
    return f"{name}{kind}" + (f", {counted(backend.workers, 'worker')}" if backend.workers else "")


def _moment(at: float) -> str:
    """A moment as the clock on the wall has it, with its day if that is not within the last one."""
    day = "%Y-%m-%d " if time.time() - at > _DAY else ""
    return time.strftime(f"{day}%H:%M:%S", time.localtime(at))


def _functions(report: Report) -> Table:
    """How many calls of each function wait, run and are over; those that were called most come first."""
    calls = sorted(report.functions.values(), key=lambda each: -each.count)
    rows = [
        (
            name_of(each.name),
            *(_number(sum(each.states.get(state, 0) for state in kind)) for kind in (_WAITING, _RUNNING)),
            _number(each.states.get(State.SUCCEEDED, 0)),
            _number(sum(each.bad.values())),
            "" if each.mean is None else seconds(each.mean),
        )
        for each in calls[:_ROWS]
    ]
    if len(calls) > _ROWS:
        rows.append((f"... {len(calls) - _ROWS:,} more", *[""] * 5))
    header = ("function", "waiting", "running", "succeeded", "bad", "mean")
    return Table("", header, rows, tuple(range(1, len(header))))


def _number(number: int) -> str:
    return f"{number:,}" if number else ""


def of_task(task: Callable[..., object], kind: str, definition: Definition) -> Outline:
    """The outline of a task: how it is called, its options, and what it does.

    Args:
        task: as its user calls it.
        kind: what its user knows it as: "function_task".
        definition: of the task.
    """

    def parts() -> Iterator[Facts | Notes]:
        code = getattr(definition.fn, "__code__", None)
        told = {
            "Options": definition.options.without("name").in_words,
            "Defined": "" if code is None else place_in(code, 0).rpartition(", in ")[0],
        }
        yield Facts({name: plain(fact, 400) for name, fact in told.items() if fact})
        doc = inspect.getdoc(definition.fn)
        yield Notes("", [[plain(line) for line in doc.splitlines()[:_ROWS]]] if doc else [])

    return Outline(kind, plain(f"{definition.name}{_signature(task)}", 400), parts)


def _signature(task: Callable[..., object]) -> str:
    for reads_text in (True, False):  # annotations that are text, of which a name may not be there yet
        with suppress(Exception):
            return str(inspect.signature(task, eval_str=reads_text))
    return "(...)"  # some of C tell none
