"""``python -m asyncflow.agent``: runs worker processes here for an engine elsewhere, until that is gone."""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import os
import signal
import stat
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final

from ..backends.carried.dial import dial
from ..backends.carried.lease import Lease
from ..backends.carried.node_folder import folder_of
from ..errors import VersionMismatch
from .crew import ENDED, Crew

_TOLD: Final = "it was told to end"
_DESCRIPTION: Final = "Runs worker processes on this machine for an engine elsewhere, until that is gone."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run an agent.

    Args:
        arguments: of the command line; None for this process's own.

    Returns:
        The exit code.
    """
    parser = argparse.ArgumentParser(prog="python -m asyncflow.agent", description=_DESCRIPTION)
    parser.add_argument(
        "--lease", required=True, help="the file that the engine has written; - for the standard input"
    )
    parser.add_argument("--workers", type=int, default=0, help="processes; else as the lease says")
    parser.add_argument("--name", default="", help="for messages; else as the lease says")
    options = parser.parse_args(arguments)
    is_handed = options.lease == "-"
    try:
        lease = Lease.from_text(sys.stdin.readline()) if is_handed else Lease.read(options.lease)
    except FileNotFoundError:
        parser.exit(
            2,
            f"{parser.prog}: there is no lease {options.lease!r}.\n"
            "  The engine writes it when it starts, and removes it when it shuts down:  "
            "CarriedBackend(lease_file=...)\n",
        )
    except (OSError, ValueError) as error:
        parser.exit(2, f"{parser.prog}: {error}\n")
    workers = options.workers or lease.workers or len(os.sched_getaffinity(0))
    lease = replace(lease, workers=workers, agent=options.name or lease.agent)
    try:
        return asyncio.run(_run(lease, is_handed))
    except (ConnectionError, VersionMismatch) as error:
        parser.exit(1, f"{parser.prog}: {error}\n")


async def _run(lease: Lease, is_handed: bool) -> int:
    channel, _ = await dial(lease)
    crew = Crew(channel, lease, folder_of(lease.token))
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, crew.end, _TOLD)
    # A file, or a terminal, says nothing of whether whoever has started this is still there.
    kind = os.fstat(0).st_mode if is_handed else 0
    if stat.S_ISFIFO(kind) or stat.S_ISSOCK(kind):
        _wake_at_hang_up(0)
        loop.add_reader(0, _hear, crew)
    try:
        why = await crew.over
    finally:
        crew.close()
    if why in (ENDED, _TOLD):
        return 0
    sys.stderr.write(f"agent {lease.agent} has ended its workers and itself: {why}\n")
    return 1


def _hear(crew: Crew) -> None:
    """Whoever has handed over the lease says nothing more; that its end is closed says that it is gone."""
    if not os.read(0, 1024):
        asyncio.get_running_loop().remove_reader(0)
        crew.end("whoever has started it is gone")


def _wake_at_hang_up(descriptor: int) -> None:
    """Have the kernel let this process go on, if it was stopped, when the other end of a pipe is closed: nobody else
    may be left to do so, and one that stays stopped would be there for ever.

    Args:
        descriptor: of the pipe.
    """
    with suppress(OSError):  # another kind of file, of which this cannot be had
        fcntl.fcntl(descriptor, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGCONT)
        fcntl.fcntl(descriptor, fcntl.F_SETFL, fcntl.fcntl(descriptor, fcntl.F_GETFL) | os.O_ASYNC)


if __name__ == "__main__":
    sys.exit(main())
