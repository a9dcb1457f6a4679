"""Calls functions with the resources that they ask for; loaded also where nothing asks for any."""

from __future__ import annotations

import sys
from functools import update_wrapper
from typing import TYPE_CHECKING, Any

from .store import Store, store_here

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

    from .resources import Needs, Resource

_RESOURCES = f"{__package__}.resources"


def with_resources(fn: Any) -> Any:
    """A function that gives another one the resources which it asks for; the other one itself if it asks for none."""
    resources = sys.modules.get(_RESOURCES)
    if resources is None or type(fn) is GivesResources:  # a program with a resource has loaded that
        return fn
    needs = resources.needs_of(fn)
    return GivesResources(fn, needs) if needs else fn


def without_resources(fn: object) -> object:
    """The function itself."""
    return fn.fn if type(fn) is GivesResources else fn


class GivesResources:
    """Calls a function with the resources of the worker that it is called in. An argument that is given goes first."""

    def __init__(self, fn: Callable[..., Any], needs: Needs) -> None:
        import inspect

        update_wrapper(self, fn)
        self.fn = fn
        self.needs = needs
        self._is_coroutine = inspect.iscoroutinefunction(fn)
        self._is_async_generator = inspect.isasyncgenfunction(fn)  # as of a service

    def __call__(self, *args: object, **kwargs: object) -> object:
        store = store_here()
        if self._is_coroutine:
            return self._awaited(store, args, kwargs)
        if self._is_async_generator:
            return self._yielded(store, args, kwargs)
        for name, resource in self._missing(args, kwargs):
            kwargs[name] = store.value(resource)
        return self.fn(*args, **kwargs)

    async def _awaited(self, store: Store, args: tuple[object, ...], kwargs: dict[str, object]) -> object:
        await self._fill(store, args, kwargs)
        return await self.fn(*args, **kwargs)

    async def _yielded(
        self, store: Store, args: tuple[object, ...], kwargs: dict[str, object]
    ) -> AsyncGenerator[object, None]:
        await self._fill(store, args, kwargs)
        inner = self.fn(*args, **kwargs)
        try:
            async for value in inner:
                yield value
        finally:
            await inner.aclose()

    async def _fill(self, store: Store, args: tuple[object, ...], kwargs: dict[str, object]) -> None:
        from .resources import value_later

        for name, resource in self._missing(args, kwargs):
            kwargs[name] = await value_later(store, resource)

    def _missing(self, args: tuple[object, ...], kwargs: Mapping[str, object]) -> list[tuple[str, Resource]]:
        return [
            (name, resource)
            for place, name, resource in self.needs
            if place >= len(args) and name not in kwargs
        ]

    def __reduce__(self) -> tuple[object, ...]:
        return with_resources, (self.fn,)
