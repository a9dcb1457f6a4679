"""asyncflow turns ordinary Python functions into workflows."""

from importlib import import_module
from typing import TYPE_CHECKING

from ._version import __version__ as __version__

if TYPE_CHECKING:
    from ._core.call_text import Secret
    from ._core.limits import Limit
    from ._core.options import BlockOptions, CommandOptions, ServiceOptions, TaskOptions
    from ._core.outcome import Outcome
    from ._core.probes import RunningService, http, port
    from ._core.quoting import sh
    from ._core.retries import Backoff
    from ._core.states import State
    from ._engine.typing import InputFile, OutputFile
    from ._runtime.branches import first_success, n_of, optional, outcome
    from ._runtime.foreign import awaited
    from ._runtime.future import TaskFuture
    from ._worker.current import CurrentTask, current
    from ._worker.store import worker_local
    from .engine import WorkflowEngine
    from .errors import (
        AsyncflowError,
        BackendInUse,
        CircularDependency,
        CommandFailed,
        CommandNotFound,
        CommandNotStarted,
        DeadlinePassed,
        Deadlock,
        EngineClosed,
        ForeignFuture,
        GiveUp,
        GraphError,
        HiddenFuture,
        OutputNotText,
        OutputTooLarge,
        ResultLost,
        Retry,
        RunStopped,
        ServiceDied,
        ServiceNotReady,
        Skip,
        StagingError,
        TaskCrashed,
        TaskSkipped,
        TaskTimeout,
        TooFewSucceeded,
        TooManyTasks,
        TypeMismatch,
        UnknownBackend,
        UpstreamFailed,
        VersionMismatch,
        WiringError,
        WorkerDied,
        WrongLoop,
    )
    from .graph import Graph, ref, step
    from .plan import Plan
    from .report import Report

__all__ = [
    "AsyncflowError",
    "BackendInUse",
    "Backoff",
    "BlockOptions",
    "CircularDependency",
    "CommandFailed",
    "CommandNotFound",
    "CommandNotStarted",
    "CommandOptions",
    "CurrentTask",
    "DeadlinePassed",
    "Deadlock",
    "EngineClosed",
    "ForeignFuture",
    "GiveUp",
    "Graph",
    "GraphError",
    "HiddenFuture",
    "InputFile",
    "Limit",
    "Outcome",
    "OutputFile",
    "OutputNotText",
    "OutputTooLarge",
    "Plan",
    "Report",
    "ResultLost",
    "Retry",
    "RunStopped",
    "RunningService",
    "Secret",
    "ServiceDied",
    "ServiceNotReady",
    "ServiceOptions",
    "Skip",
    "StagingError",
    "State",
    "TaskCrashed",
    "TaskFuture",
    "TaskOptions",
    "TaskSkipped",
    "TaskTimeout",
    "TooFewSucceeded",
    "TooManyTasks",
    "TypeMismatch",
    "UnknownBackend",
    "UpstreamFailed",
    "VersionMismatch",
    "WiringError",
    "WorkerDied",
    "WorkflowEngine",
    "WrongLoop",
    "awaited",
    "current",
    "first_success",
    "http",
    "n_of",
    "optional",
    "outcome",
    "port",
    "ref",
    "sh",
    "step",
    "worker_local",
]

_HOME = {
    "Backoff": "_core.retries",
    "BlockOptions": "_core.options",
    "CommandOptions": "_core.options",
    "CurrentTask": "_worker.current",
    "Graph": "graph",
    "Limit": "_core.limits",
    "InputFile": "_core.files",
    "Outcome": "_core.outcome",
    "OutputFile": "_core.files",
    "Plan": "plan",
    "Report": "report",
    "RunningService": "_core.probes",
    "Secret": "_core.call_text",
    "State": "_core.states",
    "TaskFuture": "_runtime.future",
    "ServiceOptions": "_core.options",
    "TaskOptions": "_core.options",
    "WorkflowEngine": "engine",
    "awaited": "_runtime.foreign",
    "current": "_worker.current",
    "first_success": "_runtime.branches",
    "n_of": "_runtime.branches",
    "optional": "_runtime.branches",
    "outcome": "_runtime.branches",
    "http": "_core.probes",
    "port": "_core.probes",
    "ref": "graph",
    "sh": "_core.quoting",
    "step": "graph",
    "worker_local": "_worker.store",
}

if not TYPE_CHECKING:  # a checker would believe that this package has whatever is asked for

    def __getattr__(name: str) -> object:
        # Loaded when first asked for: a worker process imports this package and needs nothing of what is named here.
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f".{_HOME.get(name, 'errors')}", __name__), name)
        globals()[name] = value
        return value
