"""What happened, as plain data: tasks, where their time went, and all that can be worked out from that.

Nothing here knows an engine, an event loop or a picture: a report is made of a history, which whoever runs tasks has
kept, or of a file.
"""

from __future__ import annotations

from .blocks import BlockReport
from .busy import Tail, TailTask
from .failures import FirstFailure, SkippedBranch
from .functions import FunctionReport
from .report import PathStep, Report
from .services import ServiceReport
from .stages import StageReport
from .streams import ItemReport, StreamReport
from .tasks import AttemptReport, TaskReport

__all__ = [
    "AttemptReport",
    "BlockReport",
    "FirstFailure",
    "FunctionReport",
    "ItemReport",
    "PathStep",
    "Report",
    "ServiceReport",
    "SkippedBranch",
    "StageReport",
    "StreamReport",
    "Tail",
    "TailTask",
    "TaskReport",
]


def __dir__() -> list[str]:
    return __all__  # the modules in here are none of a user's concern
