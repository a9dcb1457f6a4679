"""What the tests of this folder share: clusters that are started by commands, so that their parts can be killed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from asyncflow.testing import Door


def add(left: int, right: int) -> int:
    return left + right


def stands(door: Door, told: Path) -> int:
    """Tells its worker process and its agent, and stands at the gate."""
    told.write_text(json.dumps((os.getpid(), os.getppid())))
    door.pass_through()
    return os.getppid()


def marks(folder: Path, number: int) -> int:
    """Leaves a mark each time that it runs; a second one of the same would raise."""
    (folder / str(number)).touch(exist_ok=False)
    return number


def where(_: Any = None) -> tuple[int, int]:
    """The worker process and its agent."""
    return os.getpid(), os.getppid()


async def has_ended(*pids: int) -> None:
    """Wait until processes have ended; ten seconds are long for that."""
    loop = asyncio.get_running_loop()
    for pid in pids:
        try:
            pidfd = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        ended = asyncio.Event()
        loop.add_reader(pidfd, ended.set)
        try:
            async with asyncio.timeout(10):
                await ended.wait()
        finally:
            loop.remove_reader(pidfd)
            os.close(pidfd)


def children(pid: int) -> list[int]:
    """The children of a process, as they are now."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


def parent(pid: int) -> int:
    """The parent of a process."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def command(pid: int) -> str:
    """The command line of a process, as everybody can read it; "" if it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


class Commanded:
    """A cluster whose scheduler and nannies are commands.

    Args:
        folder: for what they write.
        host: address of the scheduler.
    """

    def __init__(self, folder: Path, host: str) -> None:
        self._folder = folder
        self._host = host
        self._processes: list[subprocess.Popen[bytes]] = []
        self.scheduler: subprocess.Popen[bytes] | None = None
        self.address = ""
        self.log = folder / "log"

    def start_scheduler(self) -> None:
        """Start the scheduler; again at the same address."""
        file = self._folder / "scheduler.json"
        file.unlink(missing_ok=True)
        os.mkfifo(self._folder / "up")
        port = self.address.rpartition(":")[2] or "0"
        preload = self._folder / "tells.py"
        preload.write_text(
            "from pathlib import Path\n"
            "def dask_setup(scheduler):\n"
            f"    async def tell():\n        Path({str(self._folder / 'up')!r}).write_text(scheduler.address)\n"
            "    scheduler.loop.add_callback(tell)\n"
        )
        self.scheduler = self._run(
            "dask_scheduler",
            *("--host", self._host, "--port", port),
            "--no-dashboard",
            "--preload",
            str(preload),
        )
        self.address = (self._folder / "up").read_text()
        (self._folder / "up").unlink()

    def start_worker(self, *options: str, before: Sequence[str] = ()) -> subprocess.Popen[bytes]:
        """Start a nanny, which starts a worker.

        Args:
            options: of the command.
            before: a command that runs this one.
        """
        return self._run(
            *("dask_worker", self.address, "--nthreads", "1", "--no-dashboard"),
            *("--local-directory", str(self._folder / "scratch"), *options),
            before=before,
        )

    def _run(self, module: str, *arguments: str, before: Sequence[str] = ()) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [*before, sys.executable, "-m", f"distributed.cli.{module}", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._processes.append(process)
        return process

    def end(self) -> None:
        """End all of it."""
        for process in self._processes[::-1]:
            for child in children(process.pid) if process.poll() is None else []:
                os.kill(child, signal.SIGKILL)
            process.kill()
            process.wait()


@contextmanager
def commanded(folder: Path, workers: int, host: str = "127.0.0.1") -> Iterator[Commanded]:
    """A cluster of a scheduler and nannies.

    Args:
        folder: for what they write.
        workers: how many.
        host: address of the scheduler.
    """
    cluster = Commanded(folder, host)
    try:
        cluster.start_scheduler()
        for number in range(workers):
            cluster.start_worker("--name", f"worker-{number}")
        yield cluster
    finally:
        cluster.end()
