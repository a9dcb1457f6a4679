"""The run of an engine that makes a dry run, and where its tasks would run otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._core.limits import Limit
from .._record.audience import Audience
from .._record.journal import Journal
from .._rehearsal import DryRun
from .._runtime.places import Places
from ..backend import Concurrency, ExecutionBackend
from ..errors import UnknownBackend
from .discovery import backend_class
from .options import made
from .settings import Settings


def dry_run(
    backends: Mapping[str, ExecutionBackend],
    real: Places,
    settings: Settings,
    audience: Audience,
    journal: Journal | None,
) -> DryRun:
    """A run for an engine with ``dry_run=True``, not started.

    Args:
        backends: of the engine, which do nothing.
        real: where the tasks would run.
        settings: of the engine.
        audience: is told of it.
        journal: of it.
    """
    return DryRun(
        backends,
        real=real,
        max_tasks=settings.max_tasks,
        implicit_data=settings.implicit_data,
        grace=settings.grace,
        stops=settings.on_failure == "stop",
        report_limit=settings.report_limit,
        audience=audience,
        journal=journal,
    )


def places(
    backends: Mapping[str, ExecutionBackend],
    chosen: Mapping[str, object],
    settings: Settings,
    limits: Mapping[str, Limit],
) -> Places:
    """Where the tasks of an engine would run.

    Args:
        backends: of the engine.
        chosen: what the user gave for each.
        settings: of the engine.
        limits: that its tasks may name.
    """
    real: Mapping[str, Any] = backends
    if settings.dry_run:
        real = {name: _would_be(each) for name, each in chosen.items()}
    return Places(real, settings.max_coroutines, settings.executables, runs_commands=True, limits=limits)


def _would_be(backend: object) -> object:
    """What tells of a backend that is not made: its class. One that is not installed is like most."""
    if not isinstance(backend, str):
        return made(backend, None)
    try:
        return backend_class(backend)
    except UnknownBackend:
        return type(backend, (_NotInstalled,), {"name": backend})


class _NotInstalled:
    concurrency = Concurrency.CONCURRENT
    runs_coroutines = False
    takes_coroutines = True
    takes_chains = False
    needs_pickle = False
    workers = None
