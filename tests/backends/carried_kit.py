"""A listener with what came of it, agents that dial it, and sockets that try to get in."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from asyncflow.backends.carried.addresses import split
from asyncflow.backends.carried.channel import Channel
from asyncflow.backends.carried.dial import dial
from asyncflow.backends.carried.handshake import Hello, Welcome
from asyncflow.backends.carried.lease import Lease
from asyncflow.backends.carried.listener import Listener
from asyncflow.backends.carried.tcp import TcpChannel
from asyncflow.backends.carried.tls import TLS

TOKEN = bytes(range(32))


@dataclass
class Heard:
    """What one end has heard."""

    channel: Channel
    messages: list[bytes | bytearray] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._news = asyncio.Event()
        self.channel.listen(self._received, self._gone)

    def _received(self, message: bytes | bytearray) -> None:
        self.messages.append(message)
        self._news.set()

    def _gone(self, why: str) -> None:
        self.lost.append(why)
        self._news.set()

    async def until(self, messages: int) -> None:
        while len(self.messages) < messages:
            self._news.clear()
            await self._news.wait()

    async def until_lost(self) -> str:
        while not self.lost:
            self._news.clear()
            await self._news.wait()
        return self.lost[0]


class Engine:
    """A listener, and who has joined."""

    def __init__(self, **options: Any) -> None:
        self.joined: asyncio.Queue[tuple[TcpChannel, Hello]] = asyncio.Queue()
        self.refused: asyncio.Queue[Exception] = asyncio.Queue()
        self.listener = Listener(
            options.pop("token", TOKEN),
            joined=lambda channel, hello: self.joined.put_nowait((channel, hello)),
            refused=self.refused.put_nowait,
            engine="test",
            **options,
        )
        self.tls: TLS | None = options.get("tls")

    @property
    def lease(self) -> Lease:
        certificate = None if self.tls is None else self.tls.certificate
        return Lease(self.listener.addresses, TOKEN, certificate, "test", "slot 1", 2)

    @property
    def address(self) -> tuple[str, int]:
        return split(self.listener.addresses[0])

    async def agent(self, **options: Any) -> tuple[TcpChannel, TcpChannel, Hello, Welcome]:
        """Both ends of a new connection; the agent's first."""
        channel, welcome = await dial(options.pop("lease", self.lease), **options)
        ours, hello = await self.joined.get()
        return channel, ours, hello, welcome


@asynccontextmanager
async def engine(**options: Any) -> AsyncIterator[Engine]:
    """A listener that runs."""
    made = Engine(**options)
    await made.listener.start()
    try:
        yield made
    finally:
        await made.listener.close()


class Stranger:
    """A plain socket that speaks as it likes."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.create_connection(address)
        self.socket.setblocking(False)

    async def __aenter__(self) -> Stranger:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.socket.close()

    async def send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.socket, data)

    async def say(self, message: bytes) -> None:
        await self.send(framed(message))

    async def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            more = await asyncio.get_running_loop().sock_recv(self.socket, count - len(data))
            if not more:
                raise EOFError(data)
            data += more
        return data

    async def hear(self) -> bytes:
        (length,) = struct.unpack("!Q", await self._exactly(8))
        return await self._exactly(length)

    async def is_closed(self) -> bytes:
        """Wait until the other side has closed; all that it has said meanwhile."""
        data = b""
        while True:
            try:
                more = await asyncio.get_running_loop().sock_recv(self.socket, 1 << 16)
            except ConnectionError:
                return data
            if not more:
                return data
            data += more


def framed(message: bytes) -> bytes:
    return struct.pack("!Q", len(message)) + message
