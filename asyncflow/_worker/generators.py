"""Generators that are run in slices: for a moment at a time, between which a worker does other work.

In a worker process one stays from one slice to the next, by the number that the engine has given it.
"""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from contextvars import Context, copy_context
from itertools import islice
from typing import Any, Final

from . import records, wire
from .gives_resources import with_resources
from .results import UNFIT_TO_SEND, why_unfit
from .whose import ASKED, IDENTITY, identity_here


class Values(tuple[list[object], bool]):
    """What a generator has made in a slice, and whether there is no more."""

    __slots__ = ()


BEGINS: Final = "_begins_generator_of"
"""The attribute of a function that makes a generator in a worker process: the user's function."""
AHEAD_OF_ARGUMENTS: Final = 2
"""Arguments of such a function that come before those of the user's."""
SLICE: Final = 0.05
"""Seconds that a worker runs a generator at a time."""


class _Held:
    def __init__(self) -> None:
        self._problem: BaseException | None = None  # that it has ended with, behind values that go first
        # One for all slices: what is set in one can be reset in another.
        self._context = copy_context()

    def _own_context(self) -> Context:
        """Its context, in which it is a part of the task that runs now."""
        if ASKED:
            self._context.run(IDENTITY.set, identity_here())
        return self._context

    def _ended(self, values: list[object], problem: BaseException) -> Values:
        """It has raised an error, which comes once all values that came before are given."""
        if not values or isinstance(problem, wire.Stopped):
            raise problem
        self._problem = problem
        return Values((values, False))


class Held(_Held):
    """A generator between two slices.

    Args:
        generator: made by the user's function.
    """

    def __init__(self, generator: Generator[object, None, object]) -> None:
        super().__init__()
        self._generator = generator
        self.renew()

    def renew(self) -> None:
        """Before a slice: nothing is made of it yet."""
        self.made: list[object] = []
        """What it has made in this slice; others may look at it meanwhile."""
        self.began = 0.0
        self.tell: Callable[[], object] | None = None
        """Called when the slice begins."""

    def slice(self, most: int) -> Values:
        """Run it until it has made so many values, or its time is over.

        Raises:
            BaseException: what it has raised, once all values that came before are given.
        """
        return self._own_context().run(self._run, most)

    def close(self) -> None:
        """Close it.

        Raises:
            BaseException: what it has raised instead of cleaning up.
        """
        self._own_context().run(self._generator.close)

    def _run(self, most: int) -> Values:
        if self._problem is not None:
            raise self._problem
        self.began = time.perf_counter()
        if self.tell is not None:
            self.tell()
        end = self.began + SLICE
        values = self.made
        try:
            for value in islice(self._generator, most):
                values.append(value)
                if time.perf_counter() >= end:
                    return Values((values, False))
        except BaseException as problem:
            return self._ended(values, problem)
        return Values((values, len(values) < most))


class HeldLater(_Held):
    """The same of an async generator, which has one event loop for all of its slices.

    Args:
        generator: made by the user's function.
    """

    def __init__(self, generator: AsyncGenerator[object, None]) -> None:
        super().__init__()
        self._generator = generator
        self.loop: Any = sys.modules["asyncio"].get_running_loop()  # loaded by whoever runs it

    async def slice(self, most: int) -> Values:
        """As for `Held`."""
        values: Values = await self.loop.create_task(self._run(most), context=self._own_context())
        return values

    async def close(self) -> None:
        """As for `Held`."""
        await self.loop.create_task(self._close(), context=self._own_context())

    async def _close(self) -> None:
        await self._generator.aclose()

    async def _run(self, most: int) -> Values:
        if self._problem is not None:
            raise self._problem
        end = time.perf_counter() + SLICE
        values: list[object] = []
        try:
            while len(values) < most:
                values.append(await anext(self._generator))
                if time.perf_counter() >= end:
                    break
        except StopAsyncIteration:
            return Values((values, True))
        except BaseException as problem:
            return self._ended(values, problem)
        return Values((values, False))


# -- in a worker process --------------------------------------------------------------------------------------------

_KEPT: Final[dict[int, Held | HeldLater]] = {}


def beginning(fn: Callable[..., Any]) -> Callable[..., Values]:
    """What makes a generator in a worker process, and runs its first slice there.

    Args:
        fn: the user's function.
    """

    def begin(number: int, most: int, /, *args: object, **kwargs: object) -> Values:
        return _first(fn, number, most, args, kwargs)

    setattr(begin, BEGINS, fn)
    return begin


def beginning_later(fn: Callable[..., Any]) -> Callable[..., Coroutine[object, object, Values]]:
    """The same of an async generator."""

    async def begin(number: int, most: int, /, *args: object, **kwargs: object) -> Values:
        return await _first_later(fn, number, most, args, kwargs)

    setattr(begin, BEGINS, fn)
    return begin


# These by name, for what the functions above mention travels with them.
def _first(
    fn: Callable[..., Any], number: int, most: int, args: tuple[object, ...], kwargs: dict[str, object]
) -> Values:
    _KEPT[number] = Held(with_resources(fn)(*args, **kwargs))
    return proceed(number, most, is_first=True)


async def _first_later(
    fn: Callable[..., Any], number: int, most: int, args: tuple[object, ...], kwargs: dict[str, object]
) -> Values:
    _KEPT[number] = HeldLater(with_resources(fn)(*args, **kwargs))
    return await proceed_later(number, most, is_first=True)


def proceed(number: int, most: int, *, is_first: bool = False) -> Values:
    """Run a slice of a generator that is here.

    Args:
        number: of it.
        most: values that it may make.
        is_first: whether the engine is to be told that it stays here.
    """
    try:
        held = _KEPT[number]
        assert isinstance(held, Held)
        held.renew()
        values, is_over = _fit(held.slice(most))
        if is_first and not is_over:
            _tell(wire.HOLDS, number, False)
    except BaseException:
        close(number)
        raise
    if is_over:
        close(number)
    return Values((values, is_over))


async def proceed_later(number: int, most: int, *, is_first: bool = False) -> Values:
    """The same of an async generator."""
    try:
        held = _KEPT[number]
        assert isinstance(held, HeldLater)
        values, is_over = _fit(await held.slice(most))
        if is_first and not is_over:
            _tell(wire.HOLDS, number, True)
    except BaseException:
        await close_later(number)
        raise
    if is_over:
        await close_later(number)
    return Values((values, is_over))


def _fit(made: Values) -> Values:
    """The same values.

    Raises:
        TypeError: one of them is of no use elsewhere.
    """
    for value in made[0]:
        if type(value) in UNFIT_TO_SEND:
            raise TypeError(f"what it yields is {why_unfit(value)}")
    return made


def close(number: int) -> None:
    """Close a generator, if it is here.

    Args:
        number: of it.

    Raises:
        BaseException: what it has raised instead of cleaning up.
    """
    held = _KEPT.pop(number, None)
    if isinstance(held, Held):
        _tell(wire.RELEASED, number, None)
        held.close()


async def close_later(number: int) -> None:
    """The same of an async generator."""
    held = _KEPT.pop(number, None)
    if isinstance(held, HeldLater):
        _tell(wire.RELEASED, number, None)
        await held.close()


def close_all() -> None:
    """Close all that are here: the process ends."""
    for number, held in list(_KEPT.items()):
        try:
            if isinstance(held, Held):
                close(number)
            else:
                held.loop.run_until_complete(close_later(number))
        except BaseException:
            import logging  # which workers load only for this

            logging.getLogger("asyncflow").exception("a generator failed when it was closed")


def _tell(kind: int, number: int, payload: object) -> None:
    for here in records.HERE:
        here.add(kind, number, records.NEVER, payload)
