"""How many bytes of results the agents of a machine keep. Pure.

What does not fit goes to the engine, as a result of a backend that keeps none. Rejected: to write it to a disk of the
node, which may be the same memory (``/tmp``), is slower than most networks of clusters, and has to be cleared away
after a crash; and to put the oldest out, as whoever takes it next would wait for it once more.
"""

from __future__ import annotations

from typing import Final

_SHARE: Final = (
    0.5  # of the memory; the rest is for the tasks themselves, which have copies of what they change
)


def bound(memory: int, agents: int) -> int:
    """Bytes that an agent keeps, if nobody has said.

    Args:
        memory: bytes that the processes of its machine may have.
        agents: that its machine is to have.
    """
    return int(_SHARE * memory) // agents


def fits(size: int, held: int, most: int) -> bool:
    """Whether one more result is kept.

    Args:
        size: bytes of it; 0 for a small one.
        held: bytes of those that are kept.
        most: bytes that may be.
    """
    return held + max(size, 1) <= most
