"""Refuses calls where everything has stopped at a failure."""

from __future__ import annotations

import asyncio

from .._causes import end_told
from .._core.first_failures import stopped_around
from .._core.scheduler import Scheduler
from .._core.task import Task
from ..errors import RunStopped
from .burst import Burst


def refuse_if_stopped(scheduler: Scheduler, burst: Burst, name: str, owner: Task | None) -> None:
    """Refuse the call that is being made, if what it is made inside of has stopped at a failure.

    Raises:
        RunStopped: the whole run has.
        asyncio.CancelledError: a block has; its body is cancelled.
    """
    first = stopped_around(scheduler, owner)
    if first is not None:
        burst.last -= 1
        error = RunStopped(name, end_told(first))
        if owner is not None:
            raise asyncio.CancelledError(str(error))
        raise error from first.error
