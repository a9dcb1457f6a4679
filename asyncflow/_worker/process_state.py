"""Keeps a worker process clean: what one task does to the process, the next one must not find.

What a module sets while it is imported stays: it is imported once, by the first task that needs it, and all later ones
rely on it.
"""

from __future__ import annotations

import _locale  # which `locale` would take a while to load for

# Without the enums that `signal` makes of what it returns, which take longer than all the rest here.
import _signal  # type: ignore[import-not-found]
import gc
import os
import signal
import socket
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import Context, copy_context
from functools import partial
from importlib import _bootstrap
from typing import Any, Final, TextIO

from .._causes import brief
from .trackers import set_trackers_apart

_SIGNALS: Final = (
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGALRM,
    signal.SIGVTALRM,
    signal.SIGPROF,
    signal.SIGCHLD,
    signal.SIGPIPE,
)
_STANDARD: Final = (0, 1, 2)
_EVENTS: Final = frozenset({"os.chdir", "os.putenv", "os.unsetenv"})
_NOTHING: Final = object()


def _set_path(folders: list[str]) -> None:
    sys.path[:] = folders


def _set_arguments(arguments: list[str]) -> None:
    sys.argv[:] = arguments


def _set_filters(filters: list[object]) -> None:
    warnings.resetwarnings()  # which also makes Python look at them anew
    warnings.filters[:] = filters  # type: ignore[index]


def _decimal() -> object:
    decimal = sys.modules.get("decimal")  # not to be loaded for this
    return None if decimal is None else decimal.getcontext().__reduce__()


def _set_decimal(parts: Any) -> None:
    import decimal

    decimal.setcontext(parts[0](*parts[1]) if parts else decimal.DefaultContext.copy())


_LOOKED_AT: Final[dict[str, tuple[Callable[[], object], Callable[[Any], object]]]] = {
    "path": (lambda: sys.path[:], _set_path),
    "arguments": (lambda: sys.argv[:], _set_arguments),
    "filters": (lambda: list(warnings.filters), _set_filters),
    "recursion": (sys.getrecursionlimit, sys.setrecursionlimit),
    "switches": (sys.getswitchinterval, sys.setswitchinterval),
    "digits": (sys.get_int_max_str_digits, sys.set_int_max_str_digits),
    "trace": (sys.gettrace, sys.settrace),
    "profile": (sys.getprofile, sys.setprofile),
    "sockets": (socket.getdefaulttimeout, socket.setdefaulttimeout),
    "collects": (gc.isenabled, lambda is_on: gc.enable() if is_on else gc.disable()),
    "generations": (gc.get_threshold, lambda values: gc.set_threshold(*values)),
    "decimal": (_decimal, _set_decimal),
    "locale": (
        partial(_locale.setlocale, _locale.LC_ALL),
        partial(_locale.setlocale, _locale.LC_ALL),
    ),
    "processors": (partial(os.sched_getaffinity, 0), partial(os.sched_setaffinity, 0)),
    "blocked": (
        partial(_signal.pthread_sigmask, _signal.SIG_BLOCK, ()),
        partial(_signal.pthread_sigmask, _signal.SIG_SETMASK),
    ),
    **{str(n): (partial(_signal.getsignal, n), partial(_signal.signal, n)) for n in _SIGNALS},
}
"""What costs next to nothing to look at after each task: how it is read, and how it is set."""


class ProcessState:
    """The state of the process as tasks should find it: directory, environment, signal handlers, standard streams,
    limits, and what Python keeps for the whole process.

    Made once a process: an audit hook, which can never be taken off again, tells of the changes that are costly to look
    for, and so tasks that make none pay nothing.

    Args:
        imported: is called after each import, in the thread of the tasks.
    """

    def __init__(self, imported: Callable[[], None]) -> None:
        self._pid = os.getpid()
        self._main = threading.get_ident()
        self._files = [(os.fstat(fd).st_dev, os.fstat(fd).st_ino) for fd in _STANDARD]
        self._told = False  # of a change of directory or environment
        self._limits: dict[int, tuple[int, int]] = {}  # that were changed, as they were before
        self._variables: dict[Any, object] = {}  # context variables that modules have set
        self._imported = imported
        self.is_importing = False  # a module, in the thread of the tasks
        self._is_settling = False  # what is set now stays
        self.import_began = 0.0  # when the first did since the last `tidy`; 0 if there was none
        self._kept = self._look()
        sys.addaudithook(self._audit)
        self._watch_imports()

    def _audit(self, event: str, args: tuple[Any, ...]) -> None:
        if event in _EVENTS:
            self._told = True
        elif event in ("resource.setrlimit", "resource.prlimit"):
            import resource

            number = args[-2]
            if not self._is_settling:
                self._limits.setdefault(number, resource.getrlimit(number))

    # -- what modules set while they are imported stays ------------------------------------------------------

    def _watch_imports(self) -> None:
        system: Any = _bootstrap
        inner = system._find_and_load  # where both ways to import a module begin, if it is not loaded yet

        def find_and_load(name: str, *rest: object) -> object:
            if self.is_importing or name in sys.modules or threading.get_ident() != self._main:
                return inner(name, *rest)
            if not self._is_settling:
                self.import_began = self.import_began or time.perf_counter()
            self.is_importing = True
            try:
                with self.settling():
                    return inner(name, *rest)
            finally:
                self.is_importing = False
                self._imported()

        # Under this name Python leaves its frame out of tracebacks, as those of the rest of its import system.
        find_and_load.__code__ = find_and_load.__code__.replace(co_filename="<frozen importlib._bootstrap>")
        system._find_and_load = find_and_load

    @contextmanager
    def settling(self) -> Iterator[None]:
        """What is set inside stays for all tasks to come."""
        if self._is_settling:  # as of a module that is imported while a resource is set up
            yield
            return
        before = self._look()
        self._is_settling = True
        try:
            yield
        finally:
            try:
                set_trackers_apart()
                self._keep(before, self._look())
            finally:
                self._is_settling = False

    def _look(self) -> dict[str, Any]:
        mask = os.umask(0o077)
        os.umask(mask)
        seen = {name: read() for name, (read, _) in _LOOKED_AT.items()}
        streams = sys.stdout, sys.stderr
        return seen | {
            "folder": _folder(),
            "umask": mask,
            "streams": streams,
            "environment": dict(os.environ),
            "context": copy_context(),
        }

    def _keep(self, before: dict[str, Any], after: dict[str, Any]) -> None:
        kept = self._kept
        for name, value in after.items():
            if name == "environment":
                kept[name] = _merged(kept[name], before[name], value)
            elif name == "context":
                self._variables |= _set_between(before[name], value)
            elif value != before[name]:
                is_added_to = isinstance(value, list) and kept[name] != before[name]
                kept[name] = _added(kept[name], before[name], value) if is_added_to else value

    # -- what tasks set goes ---------------------------------------------------------------------------------

    def send_children_away(self, error: BaseException | None = None) -> None:
        """End this process if it is a child that a task has forked and that came out of the task, by an error or by
        returning: it is no worker."""
        if os.getpid() == self._pid:
            return
        status = 1
        try:
            status = _exit_status(error)
            _flush(sys.stdout, sys.stderr)
        finally:
            os._exit(status)

    def tidy(self) -> str | None:
        """Put back what a task has changed.

        Returns:
            Why the process has to be replaced, if that could not be done.
        """
        self.import_began = 0.0
        try:
            self._put_back()
        except Exception as problem:
            return f"what a task has changed could not be put back: {brief(problem)}"
        return self._streams_problem()

    def _put_back(self) -> None:
        kept = self._kept
        if self._told:
            self._restore()
        if self._limits:
            import resource

            for number, limits in list(self._limits.items()):
                resource.setrlimit(number, limits)
            self._limits.clear()  # also of what the hook was told just now
        if self._variables:
            for variable, value in self._variables.items():
                variable.set(value)
            self._variables.clear()
        os.umask(kept["umask"])
        signal.setitimer(signal.ITIMER_REAL, 0)  # an alarm would go off in another task
        for name, (read, write) in _LOOKED_AT.items():
            if read() != kept[name]:
                write(kept[name])

    def _restore(self) -> None:
        os.chdir(self._kept["folder"])
        environment = self._kept["environment"]
        before = dict(os.environ)
        if before != environment:
            for name in before.keys() - environment.keys():
                del os.environ[name]
            os.environ.update(environment)
            if before.get("TZ") != environment.get("TZ"):
                time.tzset()
        self._told = False

    def _streams_problem(self) -> str | None:
        sys.stdout, sys.stderr = streams = self._kept["streams"]
        try:
            _flush(*streams)
            for fd, file in zip(_STANDARD, self._files, strict=True):
                status = os.fstat(fd)
                if (status.st_dev, status.st_ino) != file:
                    return f"a task has redirected descriptor {fd}"
        except (OSError, ValueError) as problem:
            return f"a task has closed a standard stream: {problem}"
        return None


def _folder() -> str:
    try:
        return os.getcwd()
    except OSError:  # somebody has removed it
        return "."


def _flush(*streams: TextIO) -> None:
    for stream in streams:
        stream.flush()


def _exit_status(error: BaseException | None) -> int:
    """That of a child which a task has forked, as Python has it for a program."""
    if error is None:
        return 0
    if not isinstance(error, SystemExit):
        import traceback  # which takes a while to load

        traceback.print_exception(error)
        return 1
    if error.code is None or isinstance(error.code, int):
        return (error.code or 0) & 0xFF
    print(error.code, file=sys.stderr)
    return 1


def _merged(kept: dict[str, str], before: dict[str, str], after: dict[str, str]) -> dict[str, str]:
    """What was kept, with what has changed between two looks."""
    if before == after:
        return kept
    changed = {name: value for name, value in after.items() if before.get(name) != value}
    return {name: value for name, value in kept.items() if name in after or name not in before} | changed


def _added(kept: list[object], before: list[object], after: list[object]) -> list[object]:
    """The same for a list that the task itself had changed before: what is new goes to the front."""
    return [value for value in after if value not in before] + kept


def _set_between(before: Context, after: Context) -> dict[object, object]:
    return {name: value for name, value in after.items() if before.get(name, _NOTHING) is not value}
