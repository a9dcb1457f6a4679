"""One engine for all cases of a suite that need none of their own, for backends that take long to start."""

from __future__ import annotations

import asyncio
import functools
import inspect
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

from ..leaks import number_of_descriptors, number_of_processes

if TYPE_CHECKING:
    from ._base import Conformance

_THREADS: Final = 4  # of the loop's own executor; all run before the first case, so that none is new in one
_GRACE: Final = 5.0  # seconds
_LARGE: Final = 20_000_000  # bytes, more than what goes through a pipe at once


async def _block() -> None: ...


class SharedEngine:
    """An engine that runs, on a loop of its own.

    Args:
        kind: the suite.
    """

    def __init__(self, kind: type[Conformance]) -> None:
        self._runner = asyncio.Runner()
        self._suite = kind()
        self._suite._gates = []
        self._suite.grace = _GRACE  # type: ignore[misc]  # nothing is to hang on one that a case has left in disorder
        self._suite.backend = self._suite.make_backend()
        self.backend = self._suite.backend
        self.engine = self._suite.make_engine()
        self.failed = False
        """Whether a case has failed: what the engine has come to is then anybody's guess."""
        loop = self._runner.get_loop()
        executor = ThreadPoolExecutor(_THREADS)
        loop.set_default_executor(executor)
        together = threading.Barrier(_THREADS)
        list(executor.map(lambda _: together.wait(), range(_THREADS)))
        self.run(self._start())
        self._processes, self._descriptors = number_of_processes(), number_of_descriptors()

    async def _start(self) -> None:
        """Have all there that comes with the first task of a kind: workers, and threads that stay."""
        engine = self.engine
        await engine.start()
        await self._suite.check_all_slots_are_free(engine)
        await engine.block(_block)()
        await asyncio.gather(*(engine.submit(len, bytes(_LARGE)) for _ in range(2 * self._suite.workers)))

    def run(self, case: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine on the engine's loop."""
        self._runner.run(case)

    def spares(self, found: str) -> bool:
        """Whether something new is what a worker has that came in the place of another, or is a thread of the engine's
        own, which are looked for when it is closed."""
        if found.startswith("thread 'asyncflow-"):
            return True
        if found.startswith("process"):
            return number_of_processes() <= self._processes
        return found.startswith("descriptor") and number_of_descriptors() <= self._descriptors

    def close(self) -> None:
        """Shut the engine down, and close the loop."""
        try:
            self.run(self.engine.shutdown(wait=False))
        finally:
            self._runner.close()
            self._suite.put_away()


class Lender:
    """Lends the engine of a suite to one case after another; another one after a case that has failed.

    Args:
        kind: the suite.
    """

    def __init__(self, kind: type[Conformance]) -> None:
        self._kind = kind
        self._shared: SharedEngine | None = None

    def lend(self) -> SharedEngine:
        """An engine that is as new, or was left in order."""
        if self._shared is not None and self._shared.failed:
            self.close()
        if self._shared is None:
            self._shared = SharedEngine(self._kind)
        return self._shared

    def close(self) -> None:
        """Shut down what was lent."""
        shared, self._shared = self._shared, None
        if shared is not None:
            shared.close()


def on_shared_engine(case: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """The same case as a plain function that runs on the shared engine's loop.

    Args:
        case: a coroutine function of a theme, with an argument ``engine``.
    """

    @functools.wraps(case)
    def run(self: Conformance, **given: object) -> None:
        shared = self.shared
        assert shared is not None

        async def whole() -> None:
            others = asyncio.all_tasks()
            await case(self, engine=shared.engine, **given)
            await self.leave_in_order(shared.engine, others)

        shared.failed = True
        shared.run(whole())
        shared.failed = False

    signature = inspect.signature(case)
    told = [each for each in signature.parameters.values() if each.name != "engine"]
    marks = [each for each in getattr(case, "pytestmark", ()) if each.name != "asyncio"]
    del run.__wrapped__  # pytest would look there for what it is to be given
    vars(run).update(
        pytestmark=marks, __signature__=signature.replace(parameters=told), is_on_shared_engine=True
    )
    return run


def takes_an_engine(case: object) -> bool:
    """Whether a case is given an engine, and makes none of its own."""
    return inspect.iscoroutinefunction(case) and "engine" in inspect.signature(case).parameters
