"""Listens for requests, with uvicorn, for as long as an ``async with`` lasts."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from os import PathLike
from types import TracebackType
from typing import Self

import uvicorn

from ..._core.given import duration, whole
from .guard import App, Receive, Scope, Send
from .hosts import is_loopback
from .patience import patient
from .waits import Waits

_log = logging.getLogger("asyncflow.serve")


class Server:
    """Answers requests for an application, inside of ``async with``.

    Args:
        app: made by `asgi`, or any around one. At the end all who wait for results are answered.
        host: the address to listen on.
        port: to listen on; 0 for any that is free.
        certfile: path of the certificate, with its chain, for TLS.
        keyfile: path of its key.
        insecure: whether to listen on other than this machine without TLS.
        grace: seconds or `timedelta` that requests under way are given to be answered at the end.
        patience: seconds or `timedelta` in which a request has to arrive, from its first byte, or from when the
            connection is there.

    Raises:
        TypeError: the host is no text, the port no number, or a time none.
        ValueError: others than this machine could listen in: there is no TLS, and ``insecure`` was not said; there is a
            key without a certificate; or a number is out of its range.
        OSError: the certificate or its key cannot be read.
    """

    def __init__(
        self,
        app: App,
        *,
        host: str = "127.0.0.1",
        port: int = 8000,
        certfile: str | PathLike[str] | None = None,
        keyfile: str | PathLike[str] | None = None,
        insecure: bool = False,
        grace: float | timedelta = 5.0,
        patience: float | timedelta = 20.0,
    ) -> None:
        given: object = host
        if not isinstance(given, str):
            raise TypeError(f"Server(host={host!r}): text is needed")
        if whole("port", port, 0) > 65535:
            raise ValueError(f"port={port!r}: it is 65535 at most")
        if keyfile is not None and certfile is None:
            raise ValueError(f"Server(keyfile={keyfile!r}): the certificate is needed, too: certfile=")
        seconds, whole_in = duration("grace", grace), duration("patience", patience, is_limit=True)
        if not is_loopback(host) and certfile is None and not insecure:
            raise ValueError(
                f"Server(host={host!r}): tokens and results would go over the network for all to read.\n"
                "  Give it certfile= and keyfile=, or say insecure=True"
            )
        self._app = app
        self._waits = Waits()
        # By host and port, not by a socket of our own: that would be without TCP_NODELAY, at 40 ms an answer.
        config = uvicorn.Config(
            self._answer,
            interface="asgi3",  # it takes a method for one of ASGI 2
            host=host,
            port=port,
            ssl_certfile=certfile,
            ssl_keyfile=None if keyfile is None else str(keyfile),
            timeout_graceful_shutdown=int(max(1, seconds)),
            timeout_keep_alive=int(max(1, min(5, whole_in))),
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="off",
            ws="none",
            http=patient(whole_in),
        )
        try:
            config.load()
        except OSError as problem:  # those of TLS, too
            raise OSError(f"Server(certfile={certfile!r}, keyfile={keyfile!r}): {problem}") from None
        self._config = config
        self._server = _Uvicorn(config)
        self._serving: asyncio.Task[None] | None = None
        self.url = ""
        """Where it listens, once it does."""
        self._scheme = "http" if certfile is None else "https"

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(self._waits.told(scope), receive, send)

    async def __aenter__(self) -> Self:
        if self._serving is not None and not self._serving.done():
            raise RuntimeError(f"this Server listens on {self.url} already; make another")
        self._server, self._waits = _Uvicorn(self._config), Waits()
        self._serving = asyncio.create_task(self._server.serve())
        waiting = asyncio.create_task(self._server.is_up.wait())
        await asyncio.wait({self._serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if self._server.problem is not None or self._serving.done():
            await asyncio.wait([self._serving])
            config = self._server.config
            problem = self._server.problem or self._serving.exception()
            raise OSError(f"the server could not listen on {config.host}:{config.port}") from problem
        host, port = self._server.servers[0].sockets[0].getsockname()[:2]
        self.url = f"{self._scheme}://{f'[{host}]' if ':' in host else host}:{port}"
        _log.info("listens on %s", self.url)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._waits.end()
        self._server.should_exit = True
        self._server.leave.set()
        assert self._serving is not None
        await asyncio.wait([self._serving])


class _Uvicorn(uvicorn.Server):
    """Says when it is up, ends when it is told to, and leaves signals to the program."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_up = asyncio.Event()
        self.leave = asyncio.Event()
        self.problem: BaseException | None = None  # why it does not listen

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """The program's own handlers stay."""
        yield

    async def startup(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        """Listen."""
        try:
            await super().startup(sockets)  # type: ignore[arg-type]
        except SystemExit as leaving:  # with which uvicorn says that it cannot listen
            self.problem = leaving.__context__ or leaving
            self.should_exit = True
        self.is_up.set()

    async def main_loop(self) -> None:
        """Wait for the end. Uvicorn's own looks for it ten times a second."""
        tick = asyncio.create_task(self._ticks())
        await self.leave.wait()
        tick.cancel()

    async def _ticks(self) -> None:
        counter = 0
        while not await self.on_tick(counter):
            counter += 10
            await asyncio.sleep(1)
