"""Which GPUs a process may see."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Final

VISIBLE: Final = "CUDA_VISIBLE_DEVICES"


def visible(gpus: Sequence[int], environment: Mapping[str, str]) -> str:
    """What is to be set for a process that is to see only these of the GPUs that it sees by its environment.

    Args:
        gpus: their numbers, from 0 on. They go round: on a cluster they are those of all machines alike, of which each
            names its own.
        environment: may name some, or have them in another order.
    """
    named = [each.strip() for each in environment.get(VISIBLE, "").split(",") if each.strip()]
    return ",".join(named[each % len(named)] if named else str(each) for each in gpus)


def show_only(gpus: Sequence[int]) -> None:
    """Have this process, and what it starts, see only these."""
    os.environ[VISIBLE] = visible(gpus, os.environ)
