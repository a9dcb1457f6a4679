"""Lets the processes by which libraries clean up shared memory outlive the worker, until they have done so."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any


def set_trackers_apart() -> None:
    """Have resource trackers started in a process group of their own, once `multiprocessing.util` is loaded.

    A tracker, of `multiprocessing` or of loky, waits for the end of all who use it and then removes what they have
    left: segments of shared memory, semaphores. In the worker's group it would be killed with that, a moment too early.
    """
    util: Any = sys.modules.get("multiprocessing.util")
    start = getattr(util, "spawnv_passfds", None)
    if start is None or hasattr(start, "trackers_apart"):
        return

    def spawnv_passfds(path: Any, args: Sequence[Any], passfds: Sequence[int]) -> object:
        if not any("resource_tracker" in os.fsdecode(each) for each in args):
            return start(path, args, passfds)
        process = subprocess.Popen(
            args,
            executable=path,
            pass_fds=passfds,
            stdin=subprocess.DEVNULL,
            restore_signals=False,
            process_group=0,
        )
        process.returncode = 0  # who has asked for it waits for it
        return process.pid

    spawnv_passfds.trackers_apart = True  # type: ignore[attr-defined]
    util.spawnv_passfds = spawnv_passfds
