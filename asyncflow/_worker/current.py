"""What a task's own code is told of it. Loaded when somebody is about to ask."""

from __future__ import annotations

from dataclasses import dataclass

from .whose import ASKED, identity_here

ASKED.append(True)


@dataclass(frozen=True, slots=True)
class CurrentTask:
    """An attempt at a task, as the code that runs in it sees it."""

    id: int
    """The task's number in its run, as `TaskFuture.id`."""
    name: str
    """Its name: its function's, or as the option ``name=`` has it."""
    attempt: int
    """Which attempt this is: 1 for the first."""
    label: str | None
    """What tells the call from others of its function, as the option ``label=`` has it."""
    workflow: str | None
    """The tag of the call, as ``engine.workflow_scope`` was given it."""
    gpus: tuple[int, ...] = ()
    """The numbers of the GPUs that are its own, of those that the engine has, from 0 on; see the option ``gpus=``."""


def current() -> CurrentTask:
    """The task that the calling code belongs to: of functions, coroutines, blocks, and functions that return commands.

    Raises:
        RuntimeError: the code belongs to none.
    """
    identity = identity_here()
    if identity is None:
        raise RuntimeError(
            "asyncflow.current() was called outside of a task: it tells the code of a task which task that is.\n"
            "  A thread that a task has started is handed what it needs:  Thread(target=work, args=[current().id])\n"
            "  asyncio tasks are known where the program has named it before:  from asyncflow import current"
        )
    return CurrentTask(*identity)
