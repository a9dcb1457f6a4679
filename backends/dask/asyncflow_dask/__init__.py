"""asyncflow on a Dask cluster: `WorkflowEngine(backend="dask")`, or `DaskBackend` for one that there is."""

from .backend import DaskBackend

__all__ = ["DaskBackend"]
__version__ = "0.1.0"
