"""What tasks do to engines: the bodies that the conformance suite submits.

Importable, so that a backend which pickles can send them by name, and with nothing heavy to import.
"""

from __future__ import annotations

import _thread
import asyncio
import ctypes
import importlib
import os
import resource
import signal
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

from .gate import Door

# -- good ones ------------------------------------------------------------------------------------------------


def own_gpus() -> tuple[int, ...]:
    """The numbers of the GPUs that the task has."""
    from .. import current

    return current().gpus


def at_last(attempt: int) -> int:
    """Fail in all attempts before one."""
    from .. import current

    number = current().attempt
    if number < attempt:
        raise ConnectionError(f"attempt {number}")
    return number


def in_time_at_last(attempt: int) -> int:
    """Take for ever in all attempts before one."""
    from .. import current

    while current().attempt < attempt:
        pass
    return attempt


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


def reversed_file(text: Any, out: Any) -> str:
    """Write a text backwards, and return it."""
    content: str = text.read_text()
    out.write_text(content[::-1])
    return content


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


def run_a_loop() -> int:
    """A ``def`` that starts an event loop of its own."""
    return asyncio.run(add_later(20, 22))


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


def raised(values: Any) -> int:
    """Adds 1 to the first of some numbers, in place."""
    values[0] += 1
    return int(values[0])


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
