"""What tasks do to engines: the bodies that the conformance suite submits.

Importable, so that a backend which pickles can send them by name, and with nothing heavy to import.
"""

from __future__ import annotations

import _thread
import asyncio
import concurrent.futures
import ctypes
import decimal
import gc
import importlib
import locale
import os
import resource
import signal
import socket
import sys
import threading
import time
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from contextvars import ContextVar
from typing import Any

from ..errors import Skip
from .gate import Door

COLOUR: ContextVar[str] = ContextVar("COLOUR", default="none")

# -- good ones ------------------------------------------------------------------------------------------------


def add(a: int, b: int) -> int:
    """A sum."""
    return a + b


async def add_later(a: int, b: int) -> int:
    """A sum, after a turn of the event loop."""
    await asyncio.sleep(0)
    return a + b


def total(numbers: list[int]) -> int:
    """The sum of a list."""
    return sum(numbers)


def same(value: object) -> object:
    """What it was given."""
    return value


def linger(seconds: float) -> None:
    """Take some time."""
    time.sleep(seconds)


async def linger_later(seconds: float) -> None:
    """Take some time on an event loop."""
    await asyncio.sleep(seconds)


def through(door: Door, value: object = None) -> Any:
    """What it was given, once the gate is open."""
    door.pass_through()
    return value


def process_id() -> int:
    """Of the process that it runs in."""
    return os.getpid()


def colour() -> str:
    """The context variable as the body sees it."""
    return COLOUR.get()


def paint(new: str) -> str:
    """Set the context variable, and tell what it was."""
    before = COLOUR.get()
    COLOUR.set(new)
    return before


def run_a_loop() -> int:
    """A ``def`` that starts an event loop of its own."""
    return asyncio.run(add_later(20, 22))


# -- exceptions -----------------------------------------------------------------------------------------------


class Picky(Exception):
    """Cannot be rebuilt from its ``args``."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{text} ({code})")


class Holder(Exception):
    """Holds something that cannot travel."""

    def __init__(self, held: object) -> None:
        super().__init__("it holds something")
        self.held = held


class Speechless(Exception):
    """Its message raises."""

    def __str__(self) -> str:
        raise ValueError("no words")


class Formless(Exception):
    """Its representation raises."""

    def __repr__(self) -> str:
        raise ValueError("no form")


class Unnoted(Exception):
    """Takes no notes."""

    def add_note(self, note: str) -> None:
        raise TypeError("no notes")


class Rebuilt(Exception):
    """Pickles well and ends the process of whoever unpickles it in a careless way."""

    def __reduce__(self) -> tuple[object, ...]:
        return _refuse, ()


class Fatal(BaseException):
    """A `BaseException` that nobody has heard of."""


def _refuse() -> None:
    raise SystemExit("not to be rebuilt")


def _closed_socket() -> socket.socket:
    with socket.socket() as made:
        return made


def _circular() -> Exception:
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first
    return first


def _local() -> Exception:
    class Local(Exception):
        pass

    return Local("defined where nobody can import it")


ERRORS: dict[str, Callable[[], BaseException]] = {
    "plain": lambda: ValueError("need 2 rows"),
    "other arguments than args": lambda: Picky(7, "no luck"),
    "holds a lock": lambda: Holder(threading.Lock()),
    "holds a socket": lambda: Holder(_closed_socket()),
    "holds a frame": lambda: Holder(sys._getframe()),
    "str raises": Speechless,
    "repr raises": Formless,
    "takes no notes": Unnoted,
    "cannot be rebuilt": Rebuilt,
    "10 MB of message": lambda: ValueError("x" * 10_000_000),
    "circular cause": _circular,
    "group": lambda: ExceptionGroup("many", [ValueError("one"), Picky(2, "two")]),
    "local class": _local,
    "futures' CancelledError": concurrent.futures.CancelledError,
    "TimeoutError": TimeoutError,
    "MemoryError": MemoryError,
}
"""Errors that are awkward to carry, by what is awkward."""


def _from(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


DEEP: dict[str, Callable[[], Exception]] = {
    "members": lambda: ExceptionGroup("many", [Picky(1, "one"), ExceptionGroup("more", [Picky(2, "two")])]),
    "causes": lambda: _from(Picky(1, "above"), _from(ValueError("between"), Picky(2, "below"))),
    "members' causes": lambda: ExceptionGroup("many", [_from(Picky(1, "one"), Picky(2, "its cause"))]),
    "arguments": lambda: RuntimeError("after", Picky(1, "before")),
    "attributes": lambda: Holder([Picky(1, "held")]),
}
"""Errors with others in them, which cannot be rebuilt from their ``args``."""


def fail_deep(kind: str) -> None:
    """Raise one of `DEEP`."""
    raise DEEP[kind]()


def deep(kind: str) -> Exception:
    """Return one of `DEEP`."""
    return DEEP[kind]()


ENDS: dict[str, Callable[[], BaseException]] = {
    "SystemExit": lambda: SystemExit(3),
    "KeyboardInterrupt": KeyboardInterrupt,
    "GeneratorExit": GeneratorExit,
    "StopIteration": lambda: StopIteration(5),
    "StopAsyncIteration": StopAsyncIteration,
    "CancelledError": asyncio.CancelledError,
    "unknown BaseException": lambda: Fatal("fatal"),
}
"""Exceptions that would end a program or a loop."""


def fail(kind: str) -> None:
    """Raise one of `ERRORS` or `ENDS`."""
    raise (ERRORS.get(kind) or ENDS[kind])()


def skip(reason: str) -> None:
    """Find nothing to do."""
    raise Skip(reason)


async def fail_later(kind: str) -> None:
    """The same after a turn of the event loop."""
    await asyncio.sleep(0)
    fail(kind)


async def fail_at_once(kind: str) -> None:
    """The same before the coroutine has waited for anything."""
    fail(kind)


def fail_behind(door: Door) -> None:
    """Fail once the gate is open."""
    door.pass_through()
    raise ValueError("behind the door")


def recurse() -> int:
    """Call itself without end."""
    return recurse() + 1


def take_all_memory() -> bytearray:
    """Ask for more than any machine has."""
    return bytearray(1 << 62)


# -- results --------------------------------------------------------------------------------------------------


def nested(depth: int) -> list[object]:
    """A list in a list in a list."""
    value: list[object] = []
    for _ in range(depth):
        value = [value]
    return value


def depth_of(value: list[Any]) -> int:
    """How deep `nested` has nested, without recursion."""
    depth = 0
    while value:
        value = value[0]
        depth += 1
    return depth


def generator() -> Iterator[int]:
    """Runs only where it is read."""
    return (number for number in range(3))


def async_generator() -> AsyncIterator[int]:
    """Runs only where it is read."""

    async def numbers() -> AsyncIterator[int]:
        yield 1

    return numbers()


def coroutine() -> object:
    """A coroutine that nobody has begun."""
    return add_later(1, 2)


def open_file() -> object:
    """A file that is open."""
    return open(__file__, encoding="utf-8")


def lock() -> object:
    """A lock."""
    return _thread.allocate_lock()


def zeros(size: int) -> bytes:
    """As many bytes."""
    return bytes(size)


def noise(size: int) -> bytes:
    """As many bytes, none of them left for the kernel to fill in when it is looked at."""
    return b"noise" * (size // 5)


def array(size: int) -> object:
    """A NumPy array of as many bytes."""
    return importlib.import_module("numpy").zeros(size // 8)  # not imported where nobody asks for it


# -- arguments ------------------------------------------------------------------------------------------------


def clear(values: list[object]) -> int:
    """Empty what it was given, and tell how much that was."""
    count = len(values)
    values.clear()
    return count


# -- the end of a process -------------------------------------------------------------------------------------


def leave(code: int) -> None:
    """End the process without a word."""
    os._exit(code)


def send_itself(number: int) -> None:
    """Send a signal to its own process."""
    os.kill(os.getpid(), number)
    while True:
        signal.pause()


def segfault() -> None:
    """Read what is not there."""
    _no_core()
    ctypes.string_at(0)


def _no_core() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def run_for_ever(door: Door) -> None:
    """Never end, and say at the gate that it has begun."""
    door.pass_through()
    while True:
        pass


def ignore_signals(door: Door) -> None:
    """Never end, and hear nothing."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGALRM):
        signal.signal(number, signal.SIG_IGN)
    door.pass_through()
    while True:
        pass


def catch_everything(door: Door) -> None:
    """Never end, whatever is raised in it."""
    door.pass_through()
    while True:
        try:
            while True:
                pass
        except BaseException:
            continue


def hold_the_gil(door: Door) -> None:
    """Never end, in C and without giving the interpreter to anybody else."""
    door.pass_through()
    ctypes.PyDLL(None).pause()  # PyDLL keeps the lock during the call
    while True:
        ctypes.PyDLL(None).pause()


# -- the state of the process --------------------------------------------------------------------------------


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
