"""A channel over one TCP connection, which does not last when nobody is at its other end."""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from time import perf_counter
from typing import Final

from .addresses import spelled
from .channel import FEW, Channel, Lost, Message, Received
from .clocks import Clocks
from .forked import not_for_children
from .frames import CONTROL, LENGTH, MOST, SMALL, BadFrame, Frames
from .pulse import Pulse, SignsOfLife

_CHUNK: Final = 1 << 18  # bytes that the transport is given at a time; it may copy them
_AHEAD: Final = 2  # messages that may wait before it is known who sends them


class TcpChannel(Channel, asyncio.BufferedProtocol):
    """One end. Made by `Listener` and `dial`, which also find out who is at the other end.

    Args:
        pulse: how it finds out that nobody is there.
        most: bytes that a message may have until `admit`.
        clock: the time that the other side's is compared with.
    """

    def __init__(self, pulse: Pulse, most: int, clock: Callable[[], float] = perf_counter) -> None:
        self.peer = "?"
        self.gone: Final[asyncio.Future[None]] = asyncio.get_running_loop().create_future()
        """Is done once the connection is closed and its socket given back."""
        self._loop: Final = asyncio.get_running_loop()
        self._pulse: Final = pulse
        self._life: Final = SignsOfLife(pulse)
        self._clocks: Final = Clocks(clock, self._send_control)
        self._frames: Final = Frames(most)
        self._transport: asyncio.Transport | None = None
        self._socket: socket.socket | None = None
        # What has come. Kept apart from who receives it, since Ctrl-C may come in the midst of that.
        self._came: deque[Message] = deque()
        self._next: asyncio.Future[None] | None = None
        self._is_admitted = False
        self._received: Received | None = None
        self._lost: Lost | None = None
        self._in_doubt: Callable[[], None] | None = None
        self._why: str | None = None  # the connection has ended
        self._is_closed = False  # by this side
        # What goes out.
        self._parts: deque[bytes | memoryview] = deque()
        self._queued = 0  # bytes of those
        self._is_paused = False
        self._drained: list[asyncio.Future[None]] = []
        self._tick_timer: asyncio.TimerHandle | None = None

    # -- the channel ----------------------------------------------------------------------------------------

    def listen(self, received: Received, lost: Lost, in_doubt: Callable[[], None] | None = None) -> None:
        self._received, self._lost, self._in_doubt = received, lost, in_doubt
        self._loop.call_soon(self._begin_listening)

    def send(self, *parts: bytes | memoryview) -> None:
        self._send(0, parts)

    @property
    def waiting(self) -> int:
        transport = self._transport
        return self._queued + (0 if transport is None else transport.get_write_buffer_size())

    async def drained(self) -> None:
        while self._is_open() and self.waiting > FEW:
            drained = self._loop.create_future()
            self._drained.append(drained)
            await drained
        if not self._is_open():
            raise ConnectionError(
                f"the connection to {self.peer} is gone: {self._why or 'it was closed here'}"
            )

    def close(self) -> None:
        self._is_closed = True
        self._received = self._lost = self._in_doubt = None
        self._wake()
        if not self._parts and self._transport is not None:
            self._transport.close()

    def cut(self) -> None:
        if self._loop.is_closed():
            self._let_go()
            return
        self.close()
        self._forget()
        if self._transport is not None:
            self._transport.abort()

    def _let_go(self) -> None:
        """Give back the socket of a loop that is closed. asyncio would do it in a turn of that loop, which does not
        come, and it has no other public way."""
        self._is_closed = True
        self._why = self._why or "the event loop was closed"
        self._received = self._lost = self._in_doubt = None
        self._parts.clear()
        transport: object = self._transport
        encrypted = getattr(transport, "_ssl_protocol", None)
        if encrypted is not None:
            vars(transport)["_closed"] = True  # else it complains
            transport = encrypted._transport
        give_back = getattr(transport, "_call_connection_lost", None)
        if give_back is not None:
            # With encryption it would tell the protocol in a turn of the loop, and gives the socket back all the same.
            with suppress(RuntimeError):
                give_back(None)

    def descriptors(self) -> list[int]:
        """Of its socket."""
        return [] if self._socket is None else [self._socket.fileno()]

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection, or was one."""
        return self._transport is not None

    # -- before it is a channel: who is there? --------------------------------------------------------------

    async def frame(self) -> Message:
        """The next message, while nobody listens.

        Raises:
            ConnectionError: there will be none.
        """
        while not self._came:
            if not self._is_open():
                raise ConnectionError(self._why or "it was closed here")
            self._next = self._loop.create_future()
            try:
                await self._next
            finally:
                self._next = None
        return self._came.popleft()

    def admit(self) -> None:
        """The other side is who it should be: it may send large messages, and has to stay alive."""
        self._is_admitted, self._frames.most = True, MOST
        self._life.begin(self._loop.time())
        self._tick_timer = self._loop.call_later(self._pulse.every, self._tick)

    async def compare_clocks(self) -> None:
        """Find out by how much the clocks differ, now and once in a while.

        Raises:
            ConnectionError: the connection was lost meanwhile.
        """
        await self._clocks.compare()
        if not self._is_open():
            raise ConnectionError(self._why or "it was closed here")

    # -- what goes out --------------------------------------------------------------------------------------

    def _send(self, kind: int, parts: tuple[bytes | memoryview, ...]) -> None:
        if self._is_closed or self._why is not None:
            return
        parts = tuple(memoryview(part).cast("B") if isinstance(part, memoryview) else part for part in parts)
        size = sum(map(len, parts))
        self._life.sends(size)
        head = LENGTH.pack(kind | size)
        if size <= SMALL:
            parts, head = (b"".join((head, *parts)),), b""
        if head:
            self._parts.append(head)
        self._parts.extend(part for part in parts if len(part))
        self._queued += size + LENGTH.size
        self._pump()

    def _pump(self) -> None:
        """Give the transport what it takes."""
        transport, parts = self._transport, self._parts
        while parts and transport is not None and not self._is_paused and self._why is None:
            first = parts.popleft()
            if len(first) > _CHUNK:
                whole = memoryview(first)
                parts.appendleft(whole[_CHUNK:])
                first = whole[:_CHUNK]
            elif parts and len(first) <= SMALL:
                first = self._joined(first)
            self._queued -= len(first)
            transport.write(first)
            self._life.goes_out()
        if not parts:
            self._life.has_gone()
        self._wake()
        if self._is_closed and not parts and transport is not None:
            # Not at once: asyncio may be in the midst of telling that there is room, and would close it once more.
            self._loop.call_soon(transport.close)

    def _joined(self, first: bytes | memoryview) -> bytes:
        """Some small ones in one, which costs the kernel one call."""
        joined, size = [first], len(first)
        while self._parts and size + len(self._parts[0]) <= _CHUNK:
            joined.append(self._parts.popleft())
            size += len(joined[-1])
        return b"".join(joined)

    def _wake(self) -> None:
        if self._drained and (not self._is_open() or self.waiting <= FEW):
            drained, self._drained = self._drained, []
            for each in drained:
                if not each.done():
                    each.set_result(None)

    def _forget(self) -> None:
        self._parts.clear()
        self._queued = 0
        self._wake()

    def _is_open(self) -> bool:
        return self._why is None and not self._is_closed

    # -- what asyncio tells ---------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.set_write_buffer_limits(high=_CHUNK)
        self._socket = transport.get_extra_info("socket")
        if self._socket is not None and self._socket.family in (socket.AF_INET, socket.AF_INET6):
            # Of sockets that were accepted asyncio does not know that they are TCP's, and leaves it out: a small
            # message right behind another one would wait for the other side's delayed acknowledgement, 40 ms.
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        not_for_children(self)
        address = transport.get_extra_info("peername")
        self.peer = spelled(*address[:2]) if isinstance(address, tuple) else "an unknown address"
        own = transport.get_extra_info("sockname")
        self.here = str(own[0]) if isinstance(own, tuple) else ""
        if self._is_closed:
            transport.abort()

    def pause_writing(self) -> None:
        self._is_paused = True

    def resume_writing(self) -> None:
        self._is_paused = False
        self._pump()

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._frames.buffer()

    def buffer_updated(self, nbytes: int) -> None:
        in_doubt = self._in_doubt
        try:
            self._life.has_heard = True
            self._take(nbytes)
            self._deliver()
        except BaseException:  # Ctrl-C: a part of what has come may be lost, the rest waits to be delivered
            if in_doubt is not None:
                in_doubt()
            self._loop.call_soon(self._deliver)
            raise

    def _take(self, nbytes: int) -> None:
        try:
            frames = self._frames.take(nbytes)
        except BadFrame as error:
            self._end(f"{self.peer} has sent {error}")
            return
        for is_control, message in frames:
            if not self._is_admitted and (is_control or len(self._came) == _AHEAD):
                self._end(f"{self.peer} has sent more than it may before it is known")
                return
            if is_control:
                offset = self._clocks.take(message)
                if offset is not None:
                    self.offset = offset
            elif not self._is_closed:
                self._came.append(message)

    def eof_received(self) -> bool:
        return False  # nobody who has closed one direction wants the other

    def connection_lost(self, exc: Exception | None) -> None:
        why = f"{self.peer} has closed the connection" if exc is None else f"{_words(exc)} ({self.peer})"
        self._end(why, is_over=True)
        self._clocks.stop()
        if self._tick_timer is not None:
            self._tick_timer.cancel()
        if not self.gone.done() and not self._loop.is_closed():
            self.gone.set_result(None)

    # -- what has come --------------------------------------------------------------------------------------

    def _begin_listening(self) -> None:
        self._deliver()
        if self._why is not None:
            self._tell_lost()

    def _deliver(self) -> None:
        if self._next is not None and not self._next.done() and self._came:
            self._next.set_result(None)
        in_doubt = self._in_doubt  # which whoever receives may close
        while self._came and self._received is not None:
            try:
                self._received(self._came.popleft())
            except BaseException as error:
                if in_doubt is not None:
                    in_doubt()
                if not isinstance(error, Exception):
                    raise
                why = f"what {self.peer} sent was not understood: {error!r}"
                self._loop.call_exception_handler({"message": why, "exception": error, "protocol": self})
                self._came.clear()
                self._end(why)

    def _end(self, why: str, *, is_over: bool = False) -> None:
        """The connection is over, but for what has come and nobody has listened to yet; ``is_over`` if asyncio has told
        so. It tells that in the midst of sending what was left, and would tell it twice of one that is aborted then."""
        if self._why is None:
            self._why = why
            self._forget()
            if self._transport is not None and not is_over:
                self._transport.abort()
            self._clocks.end()
            if self._next is not None and not self._next.done():
                self._next.set_result(None)
            self._tell_lost()

    def _tell_lost(self) -> None:
        lost = self._lost
        if lost is not None and self._why is not None:
            self._received = self._lost = self._in_doubt = None
            lost(self._why)

    # -- signs of life --------------------------------------------------------------------------------------

    def _tick(self) -> None:
        life = self._life
        why = life.why_lost(self._loop.time(), self.peer, self._socket)
        if why is not None:
            self._end(why)
            return
        if life.needs_question:
            self._clocks.ask()
        elif not life.has_sent:
            self._send_control(())
        life.turn()
        self._tick_timer = self._loop.call_later(self._pulse.every, self._tick)

    def _send_control(self, parts: tuple[bytes, ...]) -> None:
        self._send(CONTROL, parts)


def _words(error: Exception) -> str:
    if isinstance(error, ConnectionResetError | BrokenPipeError):
        return "the other side broke the connection off"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
