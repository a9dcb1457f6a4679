"""By what a process knows that it was started as one of ours."""

from typing import Final

WORKER_OF: Final = "ASYNCFLOW_WORKER_OF"
"""A variable in the environment of workers, which take it away at once: the number of their engine's process. A program
that finds it was started in the place of a Python interpreter, and must not start any more of its kind."""
