"""Finds backends by name, through the entry-point group ``asyncflow.backends``; our own take the same door."""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points

from .._core.near import meant
from ..backend import ExecutionBackend
from ..errors import UnknownBackend

GROUP = "asyncflow.backends"
_SHIPPED_SEPARATELY = {"dask": "asyncflow-dask", "ray": "asyncflow-ray"}


_OURS = {
    "noop": "asyncflow.backends.noop:NoopBackend",
    "process": "asyncflow.backends.process:ProcessBackend",
    "sequential": "asyncflow.backends.sequential:SequentialBackend",
    "thread": "asyncflow.backends.thread:ThreadBackend",
}
"""As this package's metadata has them, for where that was left behind: frozen programs, copied folders."""


@cache
def installed() -> dict[str, EntryPoint]:
    """The entry points of all installed backends, by name."""
    ours = {name: EntryPoint(name, value, GROUP) for name, value in _OURS.items()}
    return ours | {point.name: point for point in entry_points(group=GROUP)}


def backend_class(name: str) -> type[object]:
    """The class of an installed backend, by the name of its entry point.

    Raises:
        UnknownBackend: no such backend is installed.
    """
    point = installed().get(name)
    if point is None:
        known = ", ".join(sorted(installed())) or "none; is asyncflow-engine itself installed?"
        near = "" if name in _SHIPPED_SEPARATELY else meant(name, {*installed(), *_SHIPPED_SEPARATELY})
        message = f"no backend is called {name!r}. Installed: {known}.{near}"
        if name in _SHIPPED_SEPARATELY:
            message += f"\n  It ships separately:  pip install {_SHIPPED_SEPARATELY[name]}"
        raise UnknownBackend(message)
    cls = point.load()
    if not (isinstance(cls, type) and issubclass(cls, ExecutionBackend)):
        raise UnknownBackend(f"backend {name!r} is {cls!r}, which is no ExecutionBackend")
    return cls
