"""Which run has a backend: one instance serves one engine at a time."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from .._core.joins import KIND as JOIN
from ..backend import ExecutionBackend
from ..errors import BackendInUse

if TYPE_CHECKING:
    from .run import Run

_runs: Final[dict[int, weakref.ref[Run]]] = {}
"""By the id of the backend, which a run that lives holds. Engines on several threads share this, and a fork may find it
at any moment: so there is no lock, and each step is one operation on the dict."""


def take(run: Run, name: str, backend: ExecutionBackend, abandon: Callable[[Run], None]) -> None:
    """Have a backend for a run.

    Args:
        run: is to start it.
        name: by which its tasks name the backend.
        backend: which.
        abandon: lets go of a run whose loop is closed, and of its backends.

    Raises:
        BackendInUse: another run has it.
    """
    mine = weakref.ref(run)
    while (of := _runs.setdefault(id(backend), mine)) is not mine:
        holder = of()
        if holder is not None:
            if not (holder.loop.is_closed() or not holder.is_ours):
                raise BackendInUse(name, type(backend).__name__, _shown(holder))
            abandon(holder)
            if has(holder, backend):  # its end was begun, and cut short
                backend.abandon()
        if _runs.get(id(backend)) is of:
            del _runs[id(backend)]


def has(run: Run, backend: ExecutionBackend) -> bool:
    """Whether a run has a backend, and nobody has taken it over."""
    of = _runs.get(id(backend))
    return of is not None and of() is run


def had(run: Run) -> Iterator[tuple[str, ExecutionBackend]]:
    """The backends that a run has, each once, with the first of its names."""
    seen = set()
    for name, backend in run.backends.items():
        if id(backend) not in seen and has(run, backend):
            seen.add(id(backend))
            yield name, backend


def release(run: Run) -> None:
    """Another engine may have the backends of a run from now on."""
    for _, backend in list(had(run)):
        _runs.pop(id(backend), None)


def _shown(run: Run) -> str:
    called = run.burst.last - run.joins.made
    live = sum(task.definition.kind != JOIN for task in list(run.scheduler.live.values()))
    return f"<WorkflowEngine {', '.join(run.backends)}: {called:,} tasks called, {live:,} not over>"
