"""Kept results between agents of different machines, without the engine between them.

An agent that has to hand one on listens for others. Both show that they have a lease, as to the engine.

    who needs it -> who has it    WANT: a number for the answer, that of the memory file, sizes of its parts
    who has it -> who needs it    pieces, then GIVEN: that number, and the number of the pieces; 0 if it is not there
"""

from __future__ import annotations

import asyncio
import hmac
from functools import partial
from itertools import count
from typing import Final

from .._worker import wire
from ..backends.carried import messages
from ..backends.carried.addresses import is_loopback
from ..backends.carried.channel import Channel, Message
from ..backends.carried.dial import dial
from ..backends.carried.handshake import Hello
from ..backends.carried.lease import Lease
from ..backends.carried.listener import Listener
from ..backends.carried.pieces import Inlet, MemoryFile, Outlet
from ..backends.carried.tls import TLS
from .kept import KeptHere

WANT: Final = 1
GIVEN: Final = 2
Way = tuple[tuple[str, ...], str | None]
"""To an agent: its addresses and its certificate."""


class Peers:
    """The other agents of an engine.

    Args:
        lease: of this agent; its token lets it in at others, too.
        host: the address of this machine on the way to the engine, by which others are likely to reach it.
        kept: what is kept here.
    """

    def __init__(self, lease: Lease, host: str, kept: KeptHere) -> None:
        self._lease = lease
        # Another one than for the engine, so that nobody in between can pass an agent that looks for its engine on to
        # another agent. It follows from that, which all agents have.
        self._token = hmac.digest(lease.token, b"between agents", "sha256")
        self._host = host
        self._kept = kept
        self._listener: Listener | None = None
        self._outlets: dict[Channel, Outlet] = {}
        self._dialling: dict[Way, asyncio.Task[_Peer]] = {}

    # -- who has it ---------------------------------------------------------------------------------------

    async def serve(self) -> Way:
        """Listen for others. To be asked once.

        Raises:
            OSError: it cannot be listened.
            RuntimeError: what encrypts is not installed.
        """
        encrypted = self._lease.certificate is not None
        tls = TLS.for_this_run() if encrypted and not is_loopback(self._host) else None
        self._listener = Listener(
            self._token,
            joined=self._joined,
            refused=lambda error: None,
            engine=f"agent {self._lease.agent}",
            host=self._host,
            tls=tls,
            insecure=not encrypted,  # as the lease has it: then nothing is
        )
        await self._listener.start()
        return self._listener.addresses, None if tls is None else tls.certificate

    def _joined(self, channel: Channel, hello: Hello) -> None:
        outlet = self._outlets[channel] = Outlet(channel)
        channel.listen(partial(self._asked, channel, outlet), lambda why: self._gone(channel))

    def _asked(self, channel: Channel, outlet: Outlet, message: Message) -> None:
        _, number, file, sizes = messages.unpack(message)
        source = self._kept.source(file, sizes)
        if source is None:
            channel.send(messages.pack(GIVEN, number, 0))
            return
        piece = outlet.send(source, lambda: channel.send(messages.pack(GIVEN, number, piece)))

    def _gone(self, channel: Channel) -> None:
        self._outlets.pop(channel).close()

    # -- who needs it -------------------------------------------------------------------------------------

    async def copy(self, file: int, sizes: wire.Sizes, way: Way) -> MemoryFile | None:
        """Get a result from another agent; None if it has it no more.

        Args:
            file: the number of its memory file there.
            sizes: of its parts.
            way: to that agent.

        Raises:
            ConnectionError: it cannot be reached, or the connection was lost.
        """
        dialling = self._dialling.get(way)
        if dialling is None:
            dialling = self._dialling[way] = asyncio.get_running_loop().create_task(self._dial(way))
        return await (await asyncio.shield(dialling)).get(file, sizes)

    async def _dial(self, way: Way) -> _Peer:
        addresses, certificate = way
        lease = Lease(addresses, self._token, certificate, "another agent", self._lease.agent)
        channel, _ = await dial(lease)
        return _Peer(channel)

    def close(self) -> None:
        """Part with all others at once."""
        for channel, outlet in self._outlets.items():
            outlet.close()
            channel.cut()
        for dialling in self._dialling.values():
            if dialling.done() and not dialling.cancelled() and dialling.exception() is None:
                dialling.result().close()
            else:
                dialling.cancel()
        if self._listener is not None:
            self._listener.abandon()


class _Peer:
    """Another agent, from which results are got.

    Args:
        channel: to it.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._inlet = Inlet()
        self._numbers = count(1)
        self._waiting: dict[int, asyncio.Future[MemoryFile | None]] = {}
        self._lost = ""
        channel.listen(self._received, self._is_lost)

    async def get(self, file: int, sizes: wire.Sizes) -> MemoryFile | None:
        """Get one result."""
        if self._lost:
            raise ConnectionError(self._lost)
        number = next(self._numbers)  # not the file's, which is another's when this one is let go
        waiting: asyncio.Future[MemoryFile | None] = asyncio.get_running_loop().create_future()
        self._waiting[number] = waiting
        self._channel.send(messages.pack(WANT, number, file, sizes))
        return await waiting

    def _received(self, message: Message) -> None:
        if messages.is_piece(message):
            self._inlet.take(*messages.read_piece(message))
            return
        _, number, piece = messages.unpack(message)
        waiting = self._waiting.pop(number)
        memory = self._inlet.whole(piece) if piece else None
        if not waiting.done():
            waiting.set_result(memory)

    def _is_lost(self, why: str) -> None:
        self._lost = why
        waiting, self._waiting = self._waiting, {}
        for each in waiting.values():
            if not each.done():
                each.set_exception(ConnectionError(why))
        self._inlet.close()

    def close(self) -> None:
        """Part with it."""
        self._channel.cut()
        self._is_lost("it was closed here")
