"""The states of a task and every legal step between them. Docs and tests read this table.

Inside, a state is a small integer and a task's whole story is one integer of four bits a step, the newest
lowest: that costs one shift a step and tells, when a step is impossible, how the task came there.
Outside, a state is the ``State`` that reads as its name.
"""

from __future__ import annotations

import enum
from typing import Final


class State(enum.StrEnum):
    """Where a task stands."""

    PENDING = "PENDING"
    READY = "READY"
    SUBMITTED = "SUBMITTED"
    RUNNING = "RUNNING"
    CANCELLING = "CANCELLING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    UPSTREAM_FAILED = "UPSTREAM_FAILED"
    SKIPPED = "SKIPPED"
    CANCELLED = "CANCELLED"

    @property
    def terminal(self) -> bool:
        """Whether nothing can follow."""
        return not TRANSITIONS[self]


TRANSITIONS: Final[dict[State, frozenset[State]]] = {
    # FAILED: its deadline has passed; of what is ready, also that no backend could be started.
    State.PENDING: frozenset(
        {State.READY, State.FAILED, State.UPSTREAM_FAILED, State.SKIPPED, State.CANCELLED}
    ),
    State.READY: frozenset({State.SUBMITTED, State.FAILED, State.CANCELLED}),
    State.SUBMITTED: frozenset(
        # READY: the backend gave it back untouched, or an attempt has failed and another is to be made; PENDING: it was
        # given back together with what it was to follow in a chain.
        # SUCCEEDED, FAILED: a backend may report the end only.
        {
            State.PENDING,
            State.READY,
            State.RUNNING,
            State.CANCELLING,
            State.SUCCEEDED,
            State.FAILED,
            State.SKIPPED,
            State.CANCELLED,
        }
    ),
    # READY: an attempt has failed, and another is to be made. SKIPPED: it has raised Skip.
    State.RUNNING: frozenset(
        {
            State.READY,
            State.CANCELLING,
            State.SUCCEEDED,
            State.FAILED,
            State.SKIPPED,
            State.CANCELLED,
        }
    ),
    # The end is decided, the work still runs. FAILED: it had run out of its time. UPSTREAM_FAILED, SKIPPED: it was
    # submitted in a chain behind what failed, or was skipped.
    State.CANCELLING: frozenset({State.CANCELLED, State.FAILED, State.UPSTREAM_FAILED, State.SKIPPED}),
    State.SUCCEEDED: frozenset(),
    State.FAILED: frozenset(),
    State.UPSTREAM_FAILED: frozenset(),
    State.SKIPPED: frozenset(),
    State.CANCELLED: frozenset(),
}

STATES: Final[tuple[State, ...]] = tuple(State)

# 0 is left out so that a story's leading steps are never lost in leading zero bits.
PENDING: Final = 1
READY: Final = 2
SUBMITTED: Final = 3
RUNNING: Final = 4
CANCELLING: Final = 5
SUCCEEDED: Final = 6
FAILED: Final = 7
UPSTREAM_FAILED: Final = 8
SKIPPED: Final = 9
CANCELLED: Final = 10

NOW: Final = 0b1111  # masks a story down to the present state
STEP: Final = 4  # bits a step
# The story of nearly every task, step by step: one number for all of them costs less than a new one for each.
READIED: Final = PENDING << STEP | READY
HANDED: Final = READIED << STEP | SUBMITTED
DONE: Final = HANDED << STEP | SUCCEEDED
KEPT: Final = (1 << 16 * STEP) - 1  # a story keeps its last sixteen steps


def state_of(story: int) -> State:
    """The present state in a story."""
    return STATES[(story & NOW) - 1]


def steps_of(story: int) -> list[State]:
    """A story's states, oldest first."""
    steps = []
    while story:
        steps.append(STATES[(story & NOW) - 1])
        story >>= STEP
    return steps[::-1]


def _bits(following: frozenset[State]) -> int:
    return sum(1 << (STATES.index(state) + 1) for state in following)


LEGAL: Final[tuple[int, ...]] = (0, *(_bits(TRANSITIONS[state]) for state in STATES))
"""For each present state, a bit for each state that may follow."""
