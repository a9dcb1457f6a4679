"""Where an engine is reached by its agents: it lets in who knows the secret of the lease, and nobody else."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections.abc import Callable
from time import perf_counter
from typing import Final

from .addresses import candidates, is_loopback
from .forked import not_for_children
from .handshake import MOST, EngineSide, Hello, NotBelieved, Welcome
from .pulse import Pulse
from .tcp import TcpChannel
from .tls import TLS

_log = logging.getLogger("asyncflow.agents")

_STRANGERS: Final = 64  # connections of which it is not known yet who they are
_PATIENCE: Final = 1.0  # seconds for which a stranger is not sent away though others wait
_BACKLOG: Final = 4096
_WARN_EVERY: Final = 60.0
_NO_DESCRIPTORS: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Listener:
    """The engine's end of all connections to agents.

    Args:
        token: the secret that an agent has to know.
        joined: is called for each agent that does; the channel has yet to be listened to.
        refused: is called with the error for each that knows it but cannot work for this engine.
        engine: whose it is, for messages.
        host: on which address to listen; "0.0.0.0" for all of this machine's.
        port: on which port; 0 for any that is free.
        tls: encrypts; None for no encryption.
        insecure: listen on other addresses than this machine's own without encryption. Whoever can read or change what
            goes over the network can then run code as the engine's user.
        pulse: how an agent that is gone is found out.
        within: seconds that a connection has to show who it is.
        clock: what times are compared with.

    Raises:
        ValueError: others could reach it, without encryption.
    """

    def __init__(
        self,
        token: bytes,
        *,
        joined: Callable[[TcpChannel, Hello], None],
        refused: Callable[[Exception], None],
        engine: str = "",
        host: str = "127.0.0.1",
        port: int = 0,
        tls: TLS | None = None,
        insecure: bool = False,
        pulse: Pulse | None = None,
        within: float = 10.0,
        clock: Callable[[], float] = perf_counter,
    ) -> None:
        if tls is None and not insecure and not is_loopback(host):
            raise ValueError(
                f"agents were to connect to {host!r} without encryption, where others on the network may read and "
                "change what is sent: functions, that is, which agents run.\n"
                "  Encrypt it:  tls=TLS.for_this_run()   or, where nobody else is on the network:  insecure=True"
            )
        self._token = token
        self._joined = joined
        self._refused = refused
        self._welcome = Welcome.here(engine)
        self._host = host
        self._port = port
        self._tls = tls
        self._pulse = pulse or Pulse()
        self._within = within
        self._clock = clock
        self._sockets: list[socket.socket] = []
        self._accepting: list[asyncio.Task[None]] = []
        self._strangers: dict[asyncio.Task[None], tuple[float, socket.socket]] = {}  # since when
        self._channels: set[TcpChannel] = set()
        self._warnings = _Warnings()
        not_for_children(self)

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: the address is not this machine's, or the port is taken.
        """
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(
            self._host, self._port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        try:
            for family, _, _, _, address in dict.fromkeys(found):
                listening = socket.create_server(address[:2], family=family, backlog=_BACKLOG)
                self._sockets.append(listening)
                listening.setblocking(False)
        except BaseException:
            self._close_sockets()
            raise
        self._accepting = [loop.create_task(self._accept(listening)) for listening in self._sockets]

    @property
    def addresses(self) -> tuple[str, ...]:
        """How agents may reach it, the likelier ones first; for the lease."""
        return tuple(
            address
            for listening in self._sockets
            for address in candidates(*listening.getsockname()[:2], is_encrypted=self._tls is not None)
        )

    def descriptors(self) -> list[int]:
        """Of its sockets, but for those of channels."""
        return [
            *map(socket.socket.fileno, self._sockets),
            *(each.fileno() for _, each in self._strangers.values()),
        ]

    async def close(self) -> None:
        """Close all of it, the connections of agents too, at once."""
        tasks = [*self._accepting, *self._strangers]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._close_sockets()
        for channel in self._channels:
            channel.cut()
        await asyncio.gather(*(channel.gone for channel in self._channels))
        self._warnings.close()

    def abandon(self) -> None:
        """Let nobody in any more, without a loop to wait on."""
        for task in [*self._accepting, *self._strangers]:
            if not task.get_loop().is_closed():
                task.cancel()
        self._close_sockets()

    def _close_sockets(self) -> None:
        for listening in self._sockets:
            listening.close()
        self._sockets = []

    # -- who comes ------------------------------------------------------------------------------------------

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._room()
            try:
                connection, address = await loop.sock_accept(listening)
            except OSError as error:
                if error.errno in _NO_DESCRIPTORS:
                    self._warnings.tell("no agent can connect: %s", error.strerror)
                    await asyncio.sleep(1)  # nothing tells when there is room again
                continue
            stranger = loop.create_task(self._meet(connection, str(address[0])))
            self._strangers[stranger] = loop.time(), connection
            stranger.add_done_callback(self._met)

    def _met(self, stranger: asyncio.Task[None]) -> None:
        _, connection = self._strangers.pop(stranger)
        if stranger.cancelled():
            connection.close()  # it may not even have begun
        elif (error := stranger.exception()) is not None:
            stranger.get_loop().call_exception_handler(
                {"message": "while an agent joined", "exception": error}
            )

    async def _room(self) -> None:
        """Wait until one more may come in. Who says nothing keeps others out for a moment only."""
        loop = asyncio.get_running_loop()
        while len(self._strangers) >= _STRANGERS:
            first, (since, _) = next(iter(self._strangers.items()))
            left = since + _PATIENCE - loop.time()
            await asyncio.wait(self._strangers, timeout=max(left, 0), return_when=asyncio.FIRST_COMPLETED)
            if left <= 0 and not first.done():
                self._warnings.tell("too many connections do not show who they are; the oldest was closed")
                first.cancel()
                await asyncio.wait([first])

    async def _meet(self, connection: socket.socket, address: str) -> None:
        """Find out who has connected, and let it in or send it away."""
        channel = TcpChannel(self._pulse, MOST, self._clock)
        try:
            async with asyncio.timeout(self._within):
                await self._connect(channel, connection)
                hello, mismatch = await self._shake(channel)
        except BaseException as error:
            channel.cut()
            if isinstance(error, NotBelieved):
                self._warnings.tell("a connection from %s was refused: %s", address, error)
            elif isinstance(error, OSError):  # TimeoutError and ssl.SSLError are such
                self._warnings.tell(
                    "a connection from %s was given up before it had shown who it is", address
                )
            else:
                raise
            return
        if mismatch is not None:
            channel.close()  # after it was told
            self._refused(mismatch)
        else:
            _log.debug("agent %s on %s has joined, from %s", hello.name, hello.host, channel.peer)
            self._joined(channel, hello)

    async def _connect(self, channel: TcpChannel, connection: socket.socket) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: channel, connection, ssl=None if self._tls is None else self._tls.server
            )
        except BaseException:
            connection.close()
            raise
        self._channels.add(channel)
        channel.gone.add_done_callback(lambda _: self._channels.discard(channel))

    async def _shake(self, channel: TcpChannel) -> tuple[Hello, Exception | None]:
        side = EngineSide(self._token, self._welcome)
        channel.send(side.greeting())
        hello, answer, mismatch = side.answer(bytes(await channel.frame()))
        if mismatch is None:
            channel.admit()
        channel.send(answer)
        if mismatch is None:
            await channel.frame()
            if hello.node != self._welcome.node:  # else there is one clock for both
                await channel.compare_clocks()
        return hello, mismatch


class _Warnings:
    """Says that something is wrong with what comes in: at once, and then once in a while, with how often it was."""

    def __init__(self) -> None:
        self._timer: asyncio.TimerHandle | None = None
        self._more = 0
        self._last = ""

    def tell(self, words: str, *values: object) -> None:
        """Warn, or count it.

        Args:
            words: what is wrong, with places for values as in `logging`.
            values: of those.
        """
        if self._timer is not None:
            self._more += 1
            self._last = words % values
            return
        _log.warning(words, *values)
        self._timer = asyncio.get_running_loop().call_later(_WARN_EVERY, self._again)

    def _again(self) -> None:
        self._timer = None
        if self._more:
            more, self._more = self._more, 0
            self.tell("%d more of that kind since, the last: %s", more, self._last)

    def close(self) -> None:
        """Say what is left to say."""
        if self._timer is not None:
            self._timer.cancel()
        if self._more:
            _log.warning("%d more of that kind, the last: %s", self._more, self._last)
            self._more = 0
