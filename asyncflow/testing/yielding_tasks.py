"""Generators and sources for the conformance suite's cases about streams. Importable, as `bad_tasks`."""

from __future__ import annotations

import itertools
import os
import signal
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from .gate import Door


def rows(n: int) -> Iterator[int]:
    """Numbers from 0 on."""
    yield from range(n)


def rows_and_failure(n: int) -> Iterator[int]:
    """The same, and then an error."""
    yield from range(n)
    raise ValueError(f"after {n}")


def rows_and_death(n: int) -> Iterator[tuple[int, int]]:
    """Numbers with the process that makes them, which kills itself in the midst of it."""
    for number in itertools.count():
        if number == n:
            os.kill(os.getpid(), signal.SIGKILL)
        yield number, os.getpid()


def endless(log: Path) -> Iterator[tuple[int, int]]:
    """Numbers with the process that makes them, for ever; which process it was when it was closed goes into a file."""
    try:
        for number in itertools.count():
            yield number, os.getpid()
    finally:
        log.write_text(str(os.getpid()))


def at_a_gate(door: Door, log: Path) -> Iterator[int]:
    """A number, and another one behind a gate."""
    try:
        yield 1
        door.pass_through()
        yield 2
    finally:
        log.write_text("closed")


def untidy(log: Path) -> Iterator[int]:
    """Numbers for ever, and an error when it is closed."""
    try:
        yield from itertools.count()
    finally:
        log.write_text("closed")
        raise RuntimeError("not cleaned up")


def locks() -> Iterator[object]:
    """What cannot be sent to another process."""
    while True:
        yield threading.Lock()


def of_this_task() -> Iterator[tuple[str, int]]:
    """The name and the number of the task that each slice is."""
    from .. import current

    for _ in range(200):
        yield current().name, current().id


def square_or_fail(given: tuple[int, int]) -> int:
    """The square of a number, unless that is one of those that fail."""
    number, bad = given
    if number == bad:
        raise ValueError(f"number {number}")
    return number * number


async def counted(n: int) -> AsyncIterator[int]:
    """Numbers from 0 on, on the event loop."""
    for number in range(n):
        yield number
