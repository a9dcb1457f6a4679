"""Bodies that change the process in which they run, or look at it: the conformance suite submits them. Importable, as
`bad_tasks` are.
"""

from __future__ import annotations

import decimal
import gc
import locale
import os
import resource
import signal
import socket
import sys
import time
import warnings
from collections.abc import Callable
from contextvars import ContextVar

from .gate import Door

COLOUR: ContextVar[str] = ContextVar("COLOUR", default="none")


def colour() -> str:
    """The context variable as the body sees it."""
    return COLOUR.get()


def paint(new: str) -> str:
    """Set the context variable, and tell what it was."""
    before = COLOUR.get()
    COLOUR.set(new)
    return before


def folder() -> str:
    """The working directory."""
    return os.getcwd()


def go_to_root() -> None:
    """Change the working directory."""
    os.chdir("/")


def variable(name: str) -> str | None:
    """An environment variable."""
    return os.environ.get(name)


def set_variable(name: str) -> None:
    """Set an environment variable."""
    os.environ[name] = "set"


def terminator() -> str:
    """What SIGTERM does."""
    return str(signal.getsignal(signal.SIGTERM))


def set_terminator() -> None:
    """Make SIGTERM do nothing."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _change_time_zone() -> None:
    os.environ["TZ"] = "Etc/GMT+7"
    time.tzset()


SETTINGS: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
    "sys.path": (lambda: "/mess" in sys.path, lambda: sys.path.append("/mess")),
    "sys.argv": (lambda: "mess" in sys.argv, lambda: sys.argv.append("mess")),
    "warnings": (lambda: repr(warnings.filters), lambda: warnings.simplefilter("error", BytesWarning)),
    "sys.setrecursionlimit": (sys.getrecursionlimit, lambda: sys.setrecursionlimit(7000)),
    "socket.setdefaulttimeout": (socket.getdefaulttimeout, lambda: socket.setdefaulttimeout(3.5)),
    "resource.setrlimit": (
        lambda: resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        lambda: resource.setrlimit(
            resource.RLIMIT_NOFILE, (60, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
        ),
    ),
    "a lower hard limit": (
        lambda: resource.getrlimit(resource.RLIMIT_STACK),
        lambda: resource.setrlimit(resource.RLIMIT_STACK, (1 << 22, 1 << 22)),
    ),
    "gc.disable": (gc.isenabled, gc.disable),
    "decimal": (lambda: decimal.getcontext().prec, lambda: setattr(decimal.getcontext(), "prec", 7)),
    "locale": (lambda: locale.setlocale(locale.LC_ALL), lambda: locale.setlocale(locale.LC_TIME, "C.UTF-8")),
    "os.sched_setaffinity": (
        lambda: os.sched_getaffinity(0),
        lambda: os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1]),
    ),
    "a context variable": (COLOUR.get, lambda: COLOUR.set("mess")),
    "blocked signals": (
        lambda: signal.SIGUSR1 in signal.pthread_sigmask(signal.SIG_BLOCK, ()),
        lambda: signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1}),
    ),
    "SIGHUP": (
        lambda: str(signal.getsignal(signal.SIGHUP)),
        lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    ),
    "time zone": (lambda: time.tzname, _change_time_zone),
}
"""What a process has once for all that runs in it: how it is looked at, and how a task makes a mess of it."""


def setting(name: str) -> object:
    """One of the settings of the process."""
    return SETTINGS[name][0]()


def change_setting(name: str) -> None:
    """Change it, and leave it so."""
    SETTINGS[name][1]()


def umask() -> int:
    """The mask of new files."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def set_umask() -> None:
    """Make new files nobody's."""
    os.umask(0o777)


def descriptor_is_open(number: int) -> bool:
    """Whether a descriptor can be used."""
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def close_descriptor(number: int) -> None:
    """Close a descriptor that is not its own."""
    os.close(number)


def stdout_is_open() -> bool:
    """Whether printing works."""
    print(end="", flush=True)
    return not sys.stdout.closed


def close_stdout() -> None:
    """Close the standard output."""
    sys.stdout.close()


def fork_and_return_twice() -> int:
    """Both processes return from the function."""
    return os.fork() and 1


def status_of_fork(how: str) -> int:
    """Fork a child that comes out of the function in some way, and tell its exit status."""
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if how == "returns":
        return 0
    if how == "fails":
        raise ValueError("a child's failure")
    sys.exit(how if how == "words" else int(how))


def fork_and_leave(door: Door) -> int:
    """The child stays when the function has returned."""
    pid = os.fork()
    if not pid:
        door.pass_through()
        os._exit(0)
    return pid


def shout(size: int) -> int:
    """Write bytes that are no text, without a newline, to the standard output."""
    piece, left = b"\xff\x00" * 32768, size
    while left > 0:
        left -= os.write(1, piece)
    return size
