"""``python -m asyncflow.agent``: runs worker processes here for an engine elsewhere, until that is gone."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from dataclasses import replace

from ..backends.carried.dial import dial
from ..backends.carried.lease import Lease
from .crew import Crew


def main(arguments: Sequence[str] | None = None) -> int:
    """Run an agent.

    Args:
        arguments: of the command line; None for this process's own.

    Returns:
        The exit code.
    """
    parser = argparse.ArgumentParser(prog="python -m asyncflow.agent", description=__doc__)
    parser.add_argument(
        "--lease", required=True, help="the file that the engine has written; - for the standard input"
    )
    parser.add_argument("--workers", type=int, default=0, help="processes; else as the lease says")
    parser.add_argument("--name", default="", help="for messages; else as the lease says")
    options = parser.parse_args(arguments)
    is_handed = options.lease == "-"
    lease = Lease.from_text(sys.stdin.readline()) if is_handed else Lease.read(options.lease)
    workers = options.workers or lease.workers or len(os.sched_getaffinity(0))
    lease = replace(lease, workers=workers, agent=options.name or lease.agent)
    return asyncio.run(_run(lease, is_handed))


async def _run(lease: Lease, is_handed: bool) -> int:
    channel, _ = await dial(lease)
    crew = Crew(channel, lease.workers, lease.variables)
    if is_handed:
        asyncio.get_running_loop().add_reader(0, _hear, crew)
    try:
        await crew.over
    finally:
        crew.close()
    return 0


def _hear(crew: Crew) -> None:
    """Whoever has handed over the lease says nothing more; that its end is closed says that it is gone."""
    if not os.read(0, 1024):
        asyncio.get_running_loop().remove_reader(0)
        crew.end("whoever has started it is gone")


if __name__ == "__main__":
    sys.exit(main())
