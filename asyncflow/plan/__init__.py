"""What would happen, as plain data: tasks, what each waits for, and all that can be worked out from that.

Nothing here knows an engine, an event loop or a picture: a plan is filled in by whoever has run a workflow dry, or
read from a file.
"""

from __future__ import annotations

from .diff import Change, PlanDiff
from .plan import CriticalPath, Plan
from .streams import PlannedStream
from .tasks import Checkpoint, Edge, Finding, PlannedFile, PlannedLimit, PlannedTask

__all__ = [
    "Change",
    "Checkpoint",
    "CriticalPath",
    "Edge",
    "Finding",
    "Plan",
    "PlanDiff",
    "PlannedFile",
    "PlannedLimit",
    "PlannedStream",
    "PlannedTask",
]


def __dir__() -> list[str]:
    return __all__  # the modules in here are none of a user's concern
