"""Bodies that fail, with errors that make trouble on their way: the conformance suite submits them. Importable, as
`bad_tasks` are.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import socket
import sys
import threading
from collections.abc import Callable

from ..errors import Skip
from .gate import Door


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
