"""How a task has ended, as a value. Imported by workers, too: it needs next to nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from .states import State

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T_co]):
    """How a task has ended, as ``outcome(future)`` gives it.

    Args:
        value: what it gave; None if it gave nothing.
        error: what awaiting it raises: its own error, `UpstreamFailed`, `TaskSkipped`, `asyncio.CancelledError`; None
            if it has succeeded.
        state: its state when its future was done. CANCELLING if its work had not stopped then.
    """

    value: T_co | None
    error: BaseException | None
    state: State
