"""Runs tasks in worker processes of its own: fresh interpreters that end with the engine's process."""

from .backend import ProcessBackend

__all__ = ["ProcessBackend"]
