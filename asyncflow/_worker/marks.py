"""By what workers are known, and decorated tasks, where asyncflow itself is not loaded."""

from typing import Any, Final

WORKER_OF: Final = "ASYNCFLOW_WORKER_OF"
"""A variable in the environment of workers, which take it away at once: the number of their engine's process. A program
that finds it was started in the place of a Python interpreter, and must not start any more of its kind."""


def plain_function(thing: Any) -> Any:
    """The plain function of a decorated task; anything else as it is."""
    return thing.fn if getattr(type(thing), "_IS_ASYNCFLOW_TASK", False) else thing
