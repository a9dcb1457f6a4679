"""Refuses to start worker processes for a module that runs a workflow whenever it is imported: they would import it,
too, and start others, without end."""

from __future__ import annotations

import os
import sys
from types import FrameType


def refuse_while_imported() -> None:
    """Refuse, if this is a worker process that is still loading what it was sent.

    Raises:
        RuntimeError: it is.
    """
    runner = sys.modules.get("asyncflow._worker.runner")
    if runner is None:  # no worker process
        return
    file = ""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if not file and frame.f_code.co_name == "<module>":
            file = os.path.basename(frame.f_code.co_filename)
        if frame.f_code is runner.Runner.run.__code__:
            break
        frame = frame.f_back
    if file and frame is not None and not frame.f_locals.get("started"):
        raise RuntimeError(
            f"{file} runs a workflow each time that it is imported, as worker processes do, which would import it in "
            "workers of their own, without end.\n"
            '  Put what runs it under:  if __name__ == "__main__":'
        )
