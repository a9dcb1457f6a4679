"""One agent process, as a child of whoever starts it: a task of a cluster's engine, or the backend itself.

It works in any process and any thread, with or without an event loop. The child finds its lease on its standard input,
which stays open as long as whoever has started it lives: when that process ends, in whatever way, so does the agent,
and its workers with it.
"""

from __future__ import annotations

import asyncio
import os
import select
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from typing import Final

from ..process.interpreter import flags
from .lease import Lease

_TAIL: Final = 2_000  # bytes of what it has written to its standard error

_ALL: Final[weakref.WeakSet[Supervised]] = weakref.WeakSet()


def _let_go() -> None:
    for each in list(_ALL):
        each._close_input()
    _ALL.clear()


# A process that the program forks must not keep an agent alive that the program itself has left behind.
os.register_at_fork(after_in_child=_let_go)


class Supervised:
    """An agent process.

    Args:
        lease: the way to its engine.
        python: the interpreter that it runs.
        cwd: the directory in which it runs; None for the same as here.
        environment: of the process; None for the same as here.
        command: that starts an agent, perhaps on another machine, and hands its standard input on to it; None for an
            agent in ``python``.
    """

    def __init__(
        self,
        lease: Lease,
        *,
        python: str = sys.executable,
        cwd: str | os.PathLike[str] | None = None,
        environment: Mapping[str, str] | None = None,
        command: Sequence[str] | None = None,
    ) -> None:
        self._lease = lease
        self._python = python
        self._cwd = cwd
        self._environment = environment
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None
        self._pidfd = -1
        self._errors = -1
        self._how: str | None = None
        self._over = threading.Lock()

    def start(self) -> None:
        """Start it.

        Raises:
            OSError: there is no such interpreter, or no process more can be started.
            RuntimeError: it was started already.
        """
        if self._process is not None:
            raise RuntimeError("this agent was started already: make another one")
        with ExitStack() as undo:
            self._errors = os.memfd_create("asyncflow-agent-stderr", os.MFD_CLOEXEC)
            undo.callback(os.close, self._errors)
            process = subprocess.Popen(
                command(self._python) if self._command is None else [*self._command],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=self._errors,
                cwd=self._cwd,
                env=None if self._environment is None else dict(self._environment),
                start_new_session=True,  # Ctrl-C in a terminal is for the engine, which then decides
            )
            undo.callback(process.wait)
            undo.callback(process.kill)
            self._pidfd = os.pidfd_open(process.pid)
            undo.pop_all()
        self._process = process
        _ALL.add(self)
        assert process.stdin is not None
        with suppress(BrokenPipeError):  # it has ended already, and `wait` tells how
            process.stdin.write(self._lease.to_text().encode() + b"\n")
            process.stdin.flush()

    @property
    def pid(self) -> int:
        """The number of the process.

        Raises:
            RuntimeError: it was not started.
        """
        return self._started().pid

    def fileno(self) -> int:
        """A descriptor that can be read, as `select` has it, once the process has ended.

        Raises:
            RuntimeError: it was not started.
        """
        self._started()
        return self._pidfd

    def wait(self, timeout: float | None = None) -> str:
        """Wait until it has ended.

        Args:
            timeout: seconds to wait at most; None for as long as it takes.

        Returns:
            How it has ended, in words, with the last that it wrote to its standard error.

        Raises:
            TimeoutError: it has not.
            RuntimeError: it was not started.
        """
        process = self._started()
        if self._how is None:
            waiting = select.poll()
            waiting.register(self._pidfd, select.POLLIN)
            if not waiting.poll(None if timeout is None else timeout * 1000):
                raise TimeoutError(f"the agent, process {process.pid}, has not ended within {timeout:g} s")
        with self._over:
            if self._how is None:
                self._how = self._ended(process)
        return self._how

    async def ended(self) -> str:
        """Wait until it has ended, on an event loop.

        Returns:
            The same as `wait`.
        """
        self._started()
        if self._how is None:
            loop = asyncio.get_running_loop()
            ended: asyncio.Future[None] = loop.create_future()
            # A descriptor of its own: several may wait, and a loop knows one reader for each.
            watched = os.dup(self._pidfd)
            loop.add_reader(watched, _tell, ended)
            try:
                await ended
            finally:
                loop.remove_reader(watched)
                os.close(watched)
        return self.wait()

    def end(self, grace: float = 0.0) -> str:
        """Have it end, and wait for that.

        Args:
            grace: seconds that it has to end its workers and itself, before it is killed, and they with it.

        Returns:
            The same as `wait`.
        """
        self._started()
        if grace > 0:
            self._signal(signal.SIGTERM)
            with suppress(TimeoutError):
                return self.wait(grace)
        self.kill()
        return self.wait()

    def kill(self) -> None:
        """Kill it at once. Its workers end with it."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        with self._over:
            if self._how is None:
                with suppress(ProcessLookupError):
                    signal.pidfd_send_signal(self._pidfd, number)

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError("this agent was not started yet: call start() first")
        return self._process

    def _ended(self, process: subprocess.Popen[bytes]) -> str:
        code = process.wait()
        self._close_input()
        _ALL.discard(self)
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        size = os.fstat(self._errors).st_size
        last = os.pread(self._errors, _TAIL, max(0, size - _TAIL)).decode(errors="backslashreplace").strip()
        os.close(self._pidfd)
        os.close(self._errors)
        return f"{how}; the last it wrote to stderr:\n{last}" if last else how

    def _close_input(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            with suppress(OSError):
                self._process.stdin.close()


def _tell(ended: asyncio.Future[None]) -> None:
    if not ended.done():
        ended.set_result(None)


def command(python: str = sys.executable) -> list[str]:
    """The command of an agent that reads its lease from its standard input.

    Args:
        python: the interpreter that it runs.
    """
    # Not by -m, which would look for asyncflow in the current directory first, and not find one that only the path of
    # this program leads to.
    folders: list[object] = [*sys.path]
    path = [folder for folder in folders if isinstance(folder, str)]
    is_same = python == sys.executable
    where = f"import sys; sys.path[:] = {path!r}; " if is_same else ""
    run = f"{where}import runpy; runpy.run_module('asyncflow.agent', run_name='__main__', alter_sys=True)"
    return [python, *(flags() if is_same else ()), "-P", "-c", run, "--lease", "-"]
