"""Runs one command in a process group of its own, and ends it with all that it has started.

Output goes straight to files: nothing has to be pumped, a flood neither blocks the command nor fills memory. It knows
no event loop: whoever waits for the process does it in his own way.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from . import watch

MARK: Final = "ASYNCFLOW_TASK"
"""The environment variable by which processes are found that have left the group."""
_POLITE: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Command:
    """A command that runs.

    Args:
        argv: program and arguments.
        env: the whole environment.
        cwd: where it runs.
        stdin: a file's descriptor, or `subprocess.DEVNULL`.
        stdout: a file's descriptor.
        stderr: a file's descriptor.
        lifeline: the reading end of a pipe whose writing end only this process holds.
        mark: value of the environment variable `MARK`; no other command has it.

    Raises:
        OSError: it could not be started.
    """

    def __init__(
        self,
        argv: Sequence[str | bytes],
        *,
        env: Mapping[str, str],
        cwd: Path,
        stdin: int,
        stdout: int,
        stderr: int,
        lifeline: int,
        mark: str,
    ) -> None:
        self.mark = mark
        # Its own opening of the pipe, which can have an owner of its own: see `_die_with`.
        self._lifeline = os.open(f"/proc/self/fd/{lifeline}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            self.process = subprocess.Popen(
                argv,
                cwd=cwd,
                env={**env, MARK: mark},
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                pass_fds=(self._lifeline,),
                process_group=0,
            )
            self._die_with()
        finally:
            os.close(self._lifeline)
        self.pid = self.process.pid

    def _die_with(self) -> None:
        """Have the kernel kill the group when this process ends, however that ends. The command has inherited the
        opened pipe, and with it the owner who is to be sent the signal when the other end hangs up."""
        with suppress(OSError):  # it has ended already
            fcntl.fcntl(self._lifeline, fcntl.F_SETOWN, -self.process.pid)
            fcntl.fcntl(self._lifeline, fcntl.F_SETSIG, signal.SIGKILL)
            fcntl.fcntl(self._lifeline, fcntl.F_SETFL, os.O_ASYNC)

    def ask(self) -> None:
        """Tell all of it to end."""
        for descriptor in self.send(signal.SIGTERM):
            os.close(descriptor)

    def send(self, number: int) -> list[int]:
        """Send a signal to all of it, also to what has left its group.

        Args:
            number: of the signal.

        Returns:
            A descriptor of each process, which becomes readable when that has ended.
        """
        family = []
        for pid in stragglers(self.mark):
            with suppress(ProcessLookupError, PermissionError):
                descriptor = os.pidfd_open(pid)
                family.append(descriptor)
                signal.pidfd_send_signal(descriptor, number)
        with suppress(ProcessLookupError, PermissionError):  # those that were given another environment
            os.killpg(self.pid, number)
        return family

    def kill_group(self) -> None:
        """End at once what is still in its group: cheap, and finds nothing that has left it."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def reap(self) -> int:
        """The exit code, once it has ended; of a signal, its number below zero."""
        return self.process.wait()


def start_watcher(lifeline: int, run: Path) -> subprocess.Popen[bytes]:
    """Start the process that kills what has left its group when this process ends, however that ends.

    Args:
        lifeline: as for a command.
        run: directory that all marks begin with.

    Raises:
        OSError: it could not be started.
    """
    argv = [sys.executable, "-I", "-S", watch.__file__, f"{MARK}={run.as_posix()}/"]
    env = {name: value for name, value in os.environ.items() if name != MARK}  # this may be a command itself
    # It inherits that these are blocked: unlike a handler of its own, that holds from its first moment on.
    unblocked = signal.pthread_sigmask(signal.SIG_BLOCK, _POLITE)
    try:
        return subprocess.Popen(
            argv,
            env=env,
            cwd="/",
            stdin=lifeline,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, unblocked)


def stragglers(mark: str) -> Iterator[int]:
    """The processes that a command has started and that live.

    Args:
        mark: of the command. A process that was given another environment is not found.
    """
    wanted = os.fsencode(f"{MARK}={mark}\0")
    for entry in os.scandir("/proc"):
        if entry.name.isdecimal():
            with suppress(OSError), open(f"/proc/{entry.name}/environ", "rb") as file:
                if wanted in file.read():
                    yield int(entry.name)
