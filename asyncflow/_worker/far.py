"""What an engine and its tasks are in a worker process: things that a function may mention but not use there."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from .._causes import spelled
from ..errors import WrongLoop


class FarTask:
    """A decorated function that came along with a function which mentions it."""

    def __init__(self, fn: Callable[..., object], name: str) -> None:
        self.fn = fn
        self.name = name

    def __call__(self, *args: object, **kwargs: object) -> NoReturn:
        raise WrongLoop(
            f"{self.name!r} was called in a worker process, where no engine runs.\n"
            f"  Inside a task, call the plain function:  {self.name}.fn(...)\n"
            f"  To call tasks from tasks, make the caller a block:  @engine.block"
        )

    def __repr__(self) -> str:
        return spelled(f"<task {self.name}, far from its engine>")


class FarEngine:
    """An engine that came along with a function which mentions it."""

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        raise WrongLoop(f"engine.{name} was used in a worker process, where no engine runs")
