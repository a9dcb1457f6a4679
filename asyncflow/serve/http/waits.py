"""Waits of requests for what is not there yet: all end when their server is about to.

Uvicorn tells an application of its end only when all connections are gone, and these would wait until then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Any, Final

_IN_SCOPE: Final = "asyncflow.waits"  # among the extensions that a server tells of


class Waits:
    """The waits of one server's requests, or of one application's."""

    def __init__(self) -> None:
        self._limits: set[asyncio.Timeout] = set()
        self.is_over = False
        """Whether nothing is waited for any more."""

    def end(self) -> None:
        """End all waits, and those to come as soon as they begin."""
        self.is_over = True
        for limit in self._limits:
            end_now(limit)

    @contextmanager
    def with_it(self, limit: asyncio.Timeout) -> Iterator[None]:
        """While this is not left, `end` ends the limit, too."""
        self._limits.add(limit)
        try:
            yield
        finally:
            self._limits.discard(limit)

    def told(self, scope: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """A request's scope that tells applications of these waits."""
        return {**scope, "extensions": {**scope.get("extensions", {}), _IN_SCOPE: self}}


def waits_of(scope: Mapping[str, Any]) -> Waits:
    """The waits of the server that a request has come to; of none, ones that nobody ends."""
    told: object = scope.get("extensions", {}).get(_IN_SCOPE)
    return told if isinstance(told, Waits) else Waits()


def end_now(limit: asyncio.Timeout) -> None:
    """Let a limit be reached now."""
    if not limit.expired():
        limit.reschedule(asyncio.get_running_loop().time())
