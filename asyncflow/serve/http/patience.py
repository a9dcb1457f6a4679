"""Connections whose requests have to arrive in time: those that say nothing, or send a byte now and then, are closed.

Uvicorn has a limit for connections that wait between two requests, and none for a request that never becomes whole.
Each would keep a descriptor for as long as its client likes, and the body of one would hold up the end of the server.
With httptools there is no limit for the headers either. And when what follows the head of a request turns out to be
wrong while that request is being answered, uvicorn would send a second answer, or fail at it.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from h11 import LocalProtocolError
from uvicorn.protocols.http.auto import AutoHTTPProtocol

_HEAD: Final = 1 << 20  # bytes, with the rest of a body that nobody wants any more
_Protocol: Any = AutoHTTPProtocol  # that of httptools, if it is installed, or of h11


def patient(seconds: float) -> type[asyncio.Protocol]:
    """Uvicorn's protocol, for requests that have to be whole so many seconds after they have begun."""

    class Patient(_Protocol):  # type: ignore[misc]
        """A connection; ``cycle`` is what answers its latest request."""

        _late: asyncio.TimerHandle | None = None
        _size = 0  # of what is there of a request whose body has not begun

        def connection_made(self, transport: asyncio.Transport) -> None:
            super().connection_made(transport)
            self._look()

        def connection_lost(self, error: Exception | None) -> None:
            super().connection_lost(error)
            self._is_whole()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            cycle = self.cycle
            self._size = self._size + len(data) if cycle is None or cycle.response_complete else 0
            if self._size > _HEAD:
                self.transport.abort()
            self._look()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            self._is_whole()  # what comes next has its own time

        def send_400_response(self, msg: str) -> None:
            cycle = self.cycle
            if cycle is not None and not cycle.response_complete:
                cycle.disconnected = True  # nothing that it sends from now on goes anywhere
                cycle.message_event.set()
                if cycle.response_started:
                    self.transport.close()
                    return
            try:
                super().send_400_response(msg)
            except LocalProtocolError:  # h11: after an answer to what has an endless body
                self.transport.close()

        def shutdown(self) -> None:
            if self._is_answered_later():
                super().shutdown()
            else:
                self.transport.close()  # what is not whole by now is nobody's request

        def _look(self) -> None:
            if self._is_answered_later() or self.transport.is_closing():
                self._is_whole()
            elif self._late is None:
                self._late = self.loop.call_later(seconds, self.transport.close)

        def _is_answered_later(self) -> bool:
            """Whether a request is there as a whole, and not answered."""
            cycle = self.cycle
            return cycle is not None and not cycle.response_complete and not cycle.more_body

        def _is_whole(self) -> None:
            if self._late is not None:
                self._late.cancel()
                self._late = None

    return Patient
