"""What it costs at the least to hand a lot of calls to two workers and to have it back: nothing is called, nobody is
told of one of them, and the next lot goes when the one before is back."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager
from queue import SimpleQueue
from typing import Final, TypeAlias

from .places import WORKERS

HandOver: TypeAlias = Callable[[], Awaitable[None]]
_CALL: Final = b"x" * 64  # and as many bytes of a result
_ECHO: Final = (
    "import socket, sys\n"
    "calls = socket.socket(fileno=int(sys.argv[1]))\n"
    "while data := calls.recv(1 << 16):\n"
    "    calls.sendall(data)\n"
)


class _Lot:
    """Calls that are with workers."""

    def __init__(self, size: int) -> None:
        self._left = size
        self.is_back: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def came(self, many: int) -> None:
        self._left -= many
        if many and not self._left:
            self.is_back.set_result(None)


@asynccontextmanager
async def threads(size: int) -> AsyncIterator[HandOver]:
    """To threads: the first result that the event loop has not looked at wakes it."""
    loop, queue, results = asyncio.get_running_loop(), SimpleQueue[bytes | None](), list[bytes]()
    lot, is_woken = _Lot(size), False

    def look() -> None:
        nonlocal is_woken
        is_woken = False
        came = len(results)
        del results[:came]
        lot.came(came)

    def work() -> None:
        nonlocal is_woken
        while (call := queue.get()) is not None:
            results.append(call)
            if not is_woken:
                is_woken = True
                loop.call_soon_threadsafe(look)

    async def hand_over() -> None:
        nonlocal lot
        lot = _Lot(size)
        for _ in range(size):
            queue.put(_CALL)
        await lot.is_back

    workers = [threading.Thread(target=work) for _ in range(WORKERS)]
    for worker in workers:
        worker.start()
    try:
        yield hand_over
    finally:
        for _ in workers:
            queue.put(None)
        for worker in workers:
            worker.join()


@asynccontextmanager
async def processes(size: int) -> AsyncIterator[HandOver]:
    """To processes: half of the lot to each, in one piece."""
    loop, lot = asyncio.get_running_loop(), _Lot(size)
    with ExitStack() as stack:
        sockets = [_worker(stack) for _ in range(WORKERS)]

        def look(ours: socket.socket) -> None:
            lot.came(len(ours.recv(1 << 16)))

        async def hand_over() -> None:
            nonlocal lot
            lot = _Lot(size * len(_CALL))
            for ours in sockets:
                ours.send(_CALL * (size // WORKERS))
            await lot.is_back

        for ours in sockets:
            loop.add_reader(ours, look, ours)
            stack.callback(loop.remove_reader, ours)
        yield hand_over


def _worker(stack: ExitStack) -> socket.socket:
    ours, theirs = socket.socketpair()
    with theirs:
        argv = [sys.executable, "-c", _ECHO, str(theirs.fileno())]
        process = subprocess.Popen(argv, pass_fds=[theirs.fileno()])
    stack.callback(process.wait)
    stack.callback(ours.close)
    ours.setblocking(False)
    return ours


PLACES: Final[dict[str, Callable[[int], AbstractAsyncContextManager[HandOver]]]] = {
    "thread": threads,
    "process": processes,
}
