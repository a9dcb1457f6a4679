"""A Dask cluster on this machine, in a process of its own: a user's script needs no guard around its main code, and
shares neither memory nor the interpreter's lock with a scheduler.

What runs in that process is in `__main__`; it ends when its standard input is closed.
"""

from __future__ import annotations

import base64
import os
import pickle
import subprocess
import sys
from collections.abc import Mapping
from typing import Final

from distributed import Security

_PATIENCE: Final = 10.0  # seconds that the cluster may take to end


def usable_cpus() -> int:
    """How many CPUs this process may use."""
    return len(os.sched_getaffinity(0))


class Local:
    """A cluster of our own.

    Args:
        slots: how many leases it has room for.
        resources: of each, as Dask names them.
    """

    def __init__(self, slots: int, resources: Mapping[str, float]) -> None:
        self._command = [str(slots), *(f"{name}={each * slots}" for name, each in resources.items())]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> tuple[str, Security | None]:
        """Start it, or a new one if it is gone; blocks until it is there.

        Returns:
            The address of its scheduler, and what that wants to see.

        Raises:
            RuntimeError: it does not come up.
        """
        self.end()
        process = self._process = subprocess.Popen(
            [sys.executable, "-m", __package__, *self._command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for the program, which ends the cluster after its tasks
        )
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            self.end()
            raise RuntimeError(
                f"the process of the cluster on this machine has ended with {process.returncode}; what it said is on "
                "standard error"
            )
        address, security = pickle.loads(base64.b64decode(line))
        return address, security

    def end(self) -> None:
        """End it; blocks until it is gone."""
        process = self._process
        if process is None:
            return
        self.let_go()
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()  # its workers hear of that, and end
            process.wait()

    def let_go(self) -> None:
        """Have it end."""
        process, self._process = self._process, None
        if process is not None and process.stdin is not None and process.stdout is not None:
            process.stdin.close()
            process.stdout.close()
