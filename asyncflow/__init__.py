"""asyncflow turns ordinary Python functions into workflows."""

from ._core.states import State
from ._runtime.future import TaskFuture
from .engine import WorkflowEngine
from .errors import (
    AsyncflowError,
    CircularDependency,
    EngineClosed,
    ForeignFuture,
    TaskCrashed,
    TaskTimeout,
    UnknownBackend,
    UpstreamFailed,
    WrongLoop,
)

__version__ = "0.1.0"

__all__ = [
    "AsyncflowError",
    "CircularDependency",
    "EngineClosed",
    "ForeignFuture",
    "State",
    "TaskCrashed",
    "TaskFuture",
    "TaskTimeout",
    "UnknownBackend",
    "UpstreamFailed",
    "WorkflowEngine",
    "WrongLoop",
]
