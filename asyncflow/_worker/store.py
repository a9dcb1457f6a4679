"""What a worker keeps from one task to the next: resources, and whatever tasks put into `worker_local`.

A worker is what runs one plain function at a time: a thread, a worker process, the event loop with all of its coroutine
tasks. Each has a store, made when somebody first asks for it, that nobody else touches: nothing here is locked.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
import weakref
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Final, NoReturn

from .._causes import add_note
from .held_up import HELD_UP

if TYPE_CHECKING:
    from typing import Protocol

    from .resources import Resource

    class Later(Protocol):
        """A resource that is set up by a coroutine: its owner."""

        ready: Any
        """A future of its value."""

        async def end(self, grace: float | None) -> None:
            """Tear it down; after so many seconds it is left behind."""


_OF_PARENTS: Final[list[object]] = []
"""In a forked child: what the parent keeps. To let go of it would be to close the parent's connections."""


_STORES: Final[weakref.WeakSet[Store]] = weakref.WeakSet()


def _let_go() -> None:
    for store in list(_STORES):
        store.let_go()
    _HERE.__dict__.pop("is_watched", None)  # the exit of this process is another one


os.register_at_fork(after_in_child=_let_go)  # here, for workers load no more than they need


class Store:
    """What one worker keeps.

    Args:
        settling: what a resource sets in the process, as it is set up inside of this, stays for all tasks to come.
    """

    def __init__(self, settling: Callable[[], AbstractContextManager[object]] = nullcontext) -> None:
        self.names: dict[str, object] = {}
        """Of `worker_local`."""
        self.loop: object = None
        """The event loop that stays from one coroutine task to the next; None if there is none."""
        self.runs: weakref.WeakSet[object] = weakref.WeakSet()
        """Of engines, that use it."""
        self.values: dict[Resource, object] = {}
        self.ahead: dict[Resource, Later] = {}  # that are being set up
        self.settling = settling
        self._open: list[tuple[Resource, Generator[object, None, None] | Later]] = []
        _STORES.add(self)

    def let_go(self) -> None:
        """In a forked child, which has copies of names, and sets up resources of its own."""
        _OF_PARENTS.append((self._open, self.values, self.ahead))
        self._open, self.values, self.ahead = [], {}, {}

    def value(self, resource: Resource) -> object:
        """The value of a resource, which is set up if it is not there.

        Raises:
            BaseException: whatever that has raised.
        """
        if resource not in self.values:
            self._set_up(resource)
        return self.values[resource]

    def _set_up(self, resource: Resource) -> None:
        if resource.is_async:
            refuse_async(resource)
        needs = {name: self.value(each) for _, name, each in resource.needs}
        with self.settling():
            try:
                generator: Generator[object, None, None] = resource.fn(**needs)
                value = next(generator)
            except StopIteration:
                raise never_yielded(resource) from None
            except BaseException as error:
                add_note(error, f"while resource {resource.name!r} was set up")
                raise
        self.keep(resource, value, generator)

    def keep(self, resource: Resource, value: object, opened: Generator[object, None, None] | Later) -> None:
        """Keep the value of a resource that has just been set up."""
        self.values[resource] = value
        self._open.append((resource, opened))
        _watch_for_the_end(self)

    def leave(self) -> None:
        """Tear down all resources, those first that were set up last: the worker goes."""
        while self._open:
            resource, opened = self._open[-1]
            self.values.pop(resource, None)
            if isinstance(opened, Generator):
                finish(resource, opened)
            else:
                failed(resource, "its event loop was closed before")
            self._open.pop()
        self.names.clear()

    @property
    def has_open(self) -> bool:
        """Whether there is something to tear down, or that is not over."""
        return bool(self._open)

    async def leave_later(self, grace: float | None) -> None:
        """The same on the event loop of the worker.

        Args:
            grace: seconds that the end of each coroutine may take; None for any time.
        """
        for owner in list(self.ahead.values()):
            await owner.end(grace)
        while self._open:
            resource, opened = self._open.pop()
            self.values.pop(resource, None)
            if isinstance(opened, Generator):
                finish(resource, opened)
            else:
                await opened.end(grace)
        self.names.clear()

    def lost(self, resource: Resource, opened: Later) -> None:
        """A resource has come to its end by itself: whoever asks for it next has it set up anew."""
        if (resource, opened) in self._open:
            self._open.remove((resource, opened))
            del self.values[resource]

    def __del__(self) -> None:  # with a thread of somebody else's pool
        if self._open:
            self.leave()


def finish(resource: Resource, generator: Generator[object, None, None]) -> None:
    """Run the rest of a resource's function. Whatever it raises is logged."""
    try:
        next(generator)
    except StopIteration:
        return
    except BaseException:
        failed(resource, "its function has raised an error")
    else:
        failed(resource, "its function has yielded twice")
        generator.close()


def failed(resource: Resource, why: str) -> None:
    """Log that a resource was not torn down, with the exception that is being handled, if any."""
    import logging  # which workers load only for this

    from .._tracebacks import trim

    error = sys.exc_info()[1]
    trim(error)
    logging.getLogger("asyncflow").error(
        "resource %r was not torn down cleanly: %s", resource.name, why, exc_info=error
    )


def never_yielded(resource: Resource) -> RuntimeError:
    """The error of a resource whose function ends before it has given a value."""
    return RuntimeError(f"resource {resource.name!r} has given no value: its function ended without a yield")


def refuse_async(resource: Resource) -> NoReturn:
    """Refuse a resource that needs an event loop where none stays.

    Raises:
        TypeError: always.
    """
    raise TypeError(
        f"resource {resource.name!r} is an async generator, which needs an event loop that stays, and here is none.\n"
        "  Coroutine tasks have one on the engine's loop and in worker processes: leave backend= away"
    )


# -- whose store --------------------------------------------------------------------------------------------------

_HERE: Final = threading.local()
_LOOPS: Final[dict[object, Store]] = {}
"""By event loop on which engines run."""


def store_here() -> Store:
    """The store of the worker that the calling code runs in; outside of workers, one of this thread."""
    if _LOOPS:
        loop = sys.modules["asyncio.events"]._get_running_loop()
        if loop in _LOOPS:
            return _LOOPS[loop]
    held_up = HELD_UP.get(threading.get_ident())
    if held_up is not None:
        return held_up
    store: Store | None = getattr(_HERE, "store", None)
    if store is None:
        store = _HERE.store = Store()
    return store


def have_here(store: Store) -> None:
    """Have this be the store of this thread."""
    _HERE.store = store


def leave_here() -> None:
    """The worker that is this thread has come to its end."""
    store: Store | None = _HERE.__dict__.pop("store", None)
    if store is not None:
        store.leave()


def store_of(loop: object, run: object) -> Store:
    """The store of an event loop, for one more run of an engine on it."""
    store = _LOOPS.get(loop)
    if store is None:
        store = _LOOPS[loop] = Store()
        store.loop = loop
    store.runs.add(run)
    return store


def is_last(store: Store, run: object) -> bool:
    """A run on the store's event loop has ended: tell whether it was the last. May be asked again."""
    store.runs.discard(run)
    if store.runs:
        return False
    _LOOPS.pop(store.loop, None)
    return True


def _watch_for_the_end(store: Store) -> None:
    """See to it that what the main thread keeps is torn down when the process ends; of other threads' end the store
    hears by being dropped, and our own workers tell theirs before."""
    if threading.current_thread() is not threading.main_thread() or getattr(_HERE, "is_watched", False):
        return
    if getattr(_HERE, "store", None) is not store:
        return
    _HERE.is_watched = True
    processes = sys.modules.get("multiprocessing.process")
    if processes is not None and processes.parent_process() is not None:
        from multiprocessing.util import Finalize  # children of multiprocessing pass over `atexit`

        Finalize(None, leave_here, exitpriority=0)
    else:
        atexit.register(leave_here)


class WorkerLocal:
    """Names that belong to a worker, and stay from one of its tasks to the next."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        try:
            return store_here().names[name]
        except KeyError:
            raise AttributeError(
                f"this worker keeps no {name!r} yet; give a default:  getattr(worker_local, {name!r}, None)"
            ) from None

    def __setattr__(self, name: str, value: object) -> None:
        store_here().names[name] = value

    def __delattr__(self, name: str) -> None:
        if store_here().names.pop(name, _NOTHING) is _NOTHING:
            raise AttributeError(f"this worker keeps no {name!r}")

    def __dir__(self) -> list[str]:
        return sorted(store_here().names)

    def __reduce__(self) -> str:
        return "worker_local"  # as a function that travels mentions it

    def __repr__(self) -> str:
        return f"<worker_local: {', '.join(dir(self)) or 'empty'}>"


_NOTHING: Final = object()
worker_local: Final = WorkerLocal()
