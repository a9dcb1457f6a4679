"""Runs tasks in worker processes of its own: fresh interpreters that end with the engine's process."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .backend import ProcessBackend

__all__ = ["ProcessBackend"]


def __getattr__(name: str) -> Any:
    # Loaded when first asked for: an agent needs what the backend is made of, and not the backend.
    if name != "ProcessBackend":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .backend import ProcessBackend

    return ProcessBackend
