"""Keeps a worker process clean: what one task does to the process, the next one must not find."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any, Final

_WATCHED: Final = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGUSR1,
    signal.SIGALRM,
    signal.SIGCHLD,
    signal.SIGPIPE,
)
_STANDARD: Final = (0, 1, 2)
_EVENTS: Final = frozenset({"os.chdir", "os.putenv", "os.unsetenv"})


class House:
    """The state of the process as tasks should find it: directory, environment, signal handlers, standard streams.

    Made once a process: an audit hook, which can never be taken off again, tells of changes at no cost for tasks
    that make none.
    """

    def __init__(self) -> None:
        self._pid = os.getpid()
        self._directory = os.getcwd()
        self._environment = dict(os.environ)
        self._handlers = [signal.getsignal(number) for number in _WATCHED]
        self._streams = sys.stdout, sys.stderr
        self._files = [(os.fstat(fd).st_dev, os.fstat(fd).st_ino) for fd in _STANDARD]
        self._umask = os.umask(0o077)
        os.umask(self._umask)
        self._touched = False
        sys.addaudithook(self._audit)

    def _audit(self, event: str, _: Any) -> None:
        if event in _EVENTS:
            self._touched = True

    def send_children_away(self) -> None:
        """End this process if it is a child that a task has forked and that came out of the task: it is no worker."""
        if os.getpid() != self._pid:
            os._exit(0)

    def tidy(self) -> str | None:
        """Put back what a task has changed.

        Returns:
            Why the process has to be replaced, if that could not be done.
        """
        if self._touched:
            self._restore()
        os.umask(self._umask)
        signal.setitimer(signal.ITIMER_REAL, 0)  # an alarm would go off in another task
        for number, handler in zip(_WATCHED, self._handlers, strict=True):
            if signal.getsignal(number) is not handler:
                signal.signal(number, handler)
        return self._streams_problem()

    def _restore(self) -> None:
        os.chdir(self._directory)
        if dict(os.environ) != self._environment:
            for name in set(os.environ) - set(self._environment):
                del os.environ[name]
            os.environ.update(self._environment)
        self._touched = False

    def _streams_problem(self) -> str | None:
        sys.stdout, sys.stderr = self._streams
        try:
            for stream in self._streams:
                stream.flush()
            for fd, file in zip(_STANDARD, self._files, strict=True):
                status = os.fstat(fd)
                if (status.st_dev, status.st_ino) != file:
                    return f"a task has redirected descriptor {fd}"
        except (OSError, ValueError) as problem:
            return f"a task has closed a standard stream: {problem}"
        return None
