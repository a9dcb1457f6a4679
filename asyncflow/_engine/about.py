"""What is told of an engine in its reports and journals: on which machine it ran, and how it was set."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from dataclasses import fields

from .._show.words import plain
from .._version import __version__
from ..backends.thread import usable_cpus
from .settings import Settings

_OWN = ("dry_run", "progress", "defaults", "amounts")  # told otherwise, or at length


def about(settings: Settings) -> tuple[tuple[str, str], ...]:
    """Pairs of a name and a text: first the machine, then all settings.

    Args:
        settings: of the engine.
    """
    return (*_machine(), *_set(settings))


def _machine() -> Iterator[tuple[str, str]]:
    system = os.uname()
    yield "machine", plain(system.nodename)
    yield "system", f"{system.sysname} {system.release}, {system.machine}"
    yield "CPUs", f"{usable_cpus()}"
    yield "Python", platform.python_version()
    yield "asyncflow", __version__
    yield "process", f"{os.getpid()}"


def _set(settings: Settings) -> Iterator[tuple[str, str]]:
    for each in fields(settings):
        value = getattr(settings, each.name)
        if each.name not in _OWN and value is not None:
            yield each.name, plain(f"{value}")
    for name, amount in settings.amounts.items():
        yield f"amount of {plain(name)}", f"{amount:g}"
