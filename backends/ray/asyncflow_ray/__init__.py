"""Tasks of asyncflow on the nodes of a Ray cluster: ``WorkflowEngine(backend="ray")``."""

from .backend import RayBackend

__all__ = ["RayBackend"]
