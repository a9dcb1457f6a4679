"""Resources that coroutines set up: each is an asyncio task of its own, in which it also ends.

So a cancel scope, a task group or a context variable that spans its ``yield`` is left where it was entered, and a task
that is cancelled while it waits for a resource takes nothing from others that wait for it, too.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextvars import Context

from .._causes import add_note
from .resources import Resource, value_later
from .store import Store, failed, never_yielded, refuse_async


async def set_up(store: Store, resource: Resource) -> object:
    """Set a resource up, or wait until it is."""
    loop = asyncio.get_running_loop()
    if store.loop is not loop:
        refuse_async(resource)
    owner = store.ahead.get(resource)
    if owner is None:
        owner = store.ahead[resource] = _Owner(store, resource, loop)
    return await asyncio.shield(owner.ready)


class _Owner:
    """The asyncio task that has a resource from its beginning to its end."""

    def __init__(self, store: Store, resource: Resource, loop: asyncio.AbstractEventLoop) -> None:
        self._store = store
        self._resource = resource
        self._over = asyncio.Event()
        self.ready: asyncio.Future[object] = loop.create_future()
        self.ready.add_done_callback(_seen)
        # A context of its own: whoever asks first is not its owner.
        name = f"resource {resource.name}"
        self._task = loop.create_task(self._own(), name=name, context=Context())

    async def _own(self) -> None:
        store, resource = self._store, self._resource
        try:
            needs = {name: await value_later(store, each) for _, name, each in resource.needs}
            with store.settling():
                generator: AsyncGenerator[object, None] = resource.fn(**needs)
                value = await anext(generator)
        except StopAsyncIteration:
            self.ready.set_exception(never_yielded(resource))
        except asyncio.CancelledError:
            self.ready.cancel()
            raise
        except BaseException as error:
            add_note(error, f"while resource {resource.name!r} was set up")
            self.ready.set_exception(error)
        else:
            store.keep(resource, value, self)
            self.ready.set_result(value)
        finally:
            store.ahead.pop(resource, None)
        if not self.ready.cancelled() and self.ready.exception() is None:
            await self._until_over(generator)

    async def _until_over(self, generator: AsyncGenerator[object, None]) -> None:
        try:
            await self._over.wait()
        except asyncio.CancelledError:  # by who cancels all that runs on the loop; or by a task group inside
            self._store.lost(self._resource, self)
        try:
            await anext(generator)
        except StopAsyncIteration:
            return
        except BaseException:
            failed(self._resource, "its function has raised an error")
        else:
            failed(self._resource, "its function has yielded twice")
            await generator.aclose()

    async def end(self, grace: float | None) -> None:
        """Tear it down."""
        self._over.set()
        if not self.ready.done():
            self._task.cancel()
        _, stuck = await asyncio.wait([self._task], timeout=grace)
        if stuck:
            self._task.cancel()
            logging.getLogger("asyncflow").warning(
                "resource %r is not torn down after %g s; left behind", self._resource.name, grace
            )


def _seen(ready: asyncio.Future[object]) -> None:
    if not ready.cancelled():
        ready.exception()  # also if whoever waited for it was cancelled
