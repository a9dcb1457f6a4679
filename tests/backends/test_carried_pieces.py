"""What is too large for one message travels in pieces, between others, and as fast as the other side takes it."""

from __future__ import annotations

import asyncio
import os
import pickle
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncflow._worker import wire
from asyncflow.backends.carried import messages
from asyncflow.backends.carried.channel import FEW, Message
from asyncflow.backends.carried.pieces import FileSource, Inlet, MemoryFile, Outlet, ViewSource
from asyncflow.testing import MemoryChannel, channel_pair

SMALL = messages.pack(messages.STOP, 1)


class Far:
    """The other end: puts together what comes, and notes in which order."""

    def __init__(self, channel: MemoryChannel) -> None:
        self.inlet = Inlet()
        self.order: list[int] = []  # numbers of what pieces are of; 0 for a small message
        channel.listen(self._received, lambda why: None)

    def _received(self, message: Message) -> None:
        if messages.is_piece(message):
            number, offset, data = messages.read_piece(message)
            self.order.append(number)
            self.inlet.take(number, offset, data)
        else:
            self.order.append(0)


async def sent(outlet: Outlet, *sources: ViewSource | FileSource) -> list[int]:
    """Send large things, and wait until all of them were handed over and have come."""
    over = [asyncio.Event() for _ in sources]
    numbers = [outlet.send(source, each.set) for source, each in zip(sources, over, strict=True)]
    for each in over:
        await each.wait()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return numbers


async def test_a_small_message_overtakes_what_is_large() -> None:
    here, there = channel_pair()
    far, outlet = Far(there), Outlet(here)
    sending = asyncio.create_task(sent(outlet, ViewSource([memoryview(bytes(20 << 20))])))
    while not far.order:
        await asyncio.sleep(0)
    here.send(SMALL)
    await sending
    assert 0 < far.order.index(0) < len(far.order) - 10


async def test_large_things_take_turns() -> None:
    here, there = channel_pair()
    far, outlet = Far(there), Outlet(here)
    first, second = await sent(outlet, *(ViewSource([memoryview(bytes(4 << 20))]) for _ in range(2)))
    assert far.order == [first, second] * (len(far.order) // 2)


async def test_no_more_is_sent_than_the_other_side_takes() -> None:
    here, there = channel_pair()
    far, outlet = Far(there), Outlet(here)
    here.stall()
    sending = asyncio.create_task(sent(outlet, ViewSource([memoryview(bytes(50 << 20))])))
    for _ in range(100):
        await asyncio.sleep(0)
    assert FEW < here.waiting < 2 * FEW
    assert not far.order
    here.go_on()
    [number] = await sending
    assert os.fstat(far.inlet.whole(number).fd).st_size == 50 << 20


async def test_nothing_more_is_sent_of_what_was_dropped() -> None:
    here, there = channel_pair()
    far, outlet = Far(there), Outlet(here)
    number = outlet.send(ViewSource([memoryview(bytes(20 << 20))]), lambda: pytest.fail("it was dropped"))
    while not far.order:
        await asyncio.sleep(0)
    outlet.drop(number)
    for _ in range(20):
        await asyncio.sleep(0)
    came = len(far.order)
    await sent(outlet, ViewSource([memoryview(b"another")]))
    assert len(far.order) == came + 1


@pytest.mark.parametrize("sizes", [[0], [1], [5, 0, 4096], [300_000, 1, 4097, 1 << 20]])
async def test_all_parts_come_to_their_places(sizes: list[int]) -> None:
    here, there = channel_pair()
    far, outlet = Far(there), Outlet(here)
    parts = [os.urandom(size) for size in sizes]
    [number] = await sent(outlet, ViewSource([memoryview(part) for part in parts]))
    file = far.inlet.whole(number)
    again = FileSource(file.duplicate(), tuple((wire.READ, size) for size in sizes))
    [back] = await sent(outlet, again)
    copied = far.inlet.whole(back)
    for each in (file, copied):
        start = 0
        for part in parts:
            assert os.pread(each.fd, len(part), start) == part
            start += wire.padded(len(part))


def test_a_memory_file_is_closed_when_nobody_has_it() -> None:
    file = MemoryFile()
    fd = file.fd
    del file
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inside: st.lists(inside) | st.tuples(inside, inside) | st.dictionaries(st.integers(), inside),
    max_leaves=10,
)


@given(st.integers(0, 99), st.lists(plain))
def test_messages_carry_plain_data(kind: int, fields: list[object]) -> None:
    message = messages.pack(kind, *fields)
    assert messages.unpack(message) == (kind, *fields)
    assert not messages.is_piece(message)


@pytest.mark.parametrize("thing", [len, Path("x"), ValueError("x"), int, print, 1 + 2j, {1, 2}.union])
def test_a_message_with_anything_else_is_refused(thing: object) -> None:
    with pytest.raises(pickle.UnpicklingError, match="plain data only"):
        messages.unpack(pickle.dumps((messages.STOP, thing)))


@given(st.integers(0, 1 << 60), st.integers(0, 1 << 60), st.binary())
def test_a_piece_tells_of_what_and_where_it_is(number: int, offset: int, data: bytes) -> None:
    message = messages.piece(number, offset) + data
    assert messages.is_piece(message)
    *where, came = messages.read_piece(message)
    assert where == [number, offset]
    assert bytes(came) == data


def test_a_large_argument_and_a_large_result_take_no_more_memory_here_than_they_are(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent("""
        import resource
        from asyncflow import WorkflowEngine
        from asyncflow.backends.carried import CarriedBackend
        SIZE = 200 << 20
        engine = WorkflowEngine(CarriedBackend(agents=1, workers=1))
        def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
        async def main():
            data = b"x" * SIZE
            assert await engine.submit(len, b"") == 0
            before = peak()
            assert await engine.submit(len, data) == SIZE
            sent = peak()
            del data
            assert len(await engine.submit(bytes, SIZE)) == SIZE
            print((sent - before) >> 20, (peak() - before) >> 20)
        engine.run(main)
        """)
    )
    ran = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.stderr == ""
    grown, at_last = map(int, ran.stdout.split())
    assert grown < 30  # MiB: it goes from where it is
    assert at_last < 60  # the result is where the argument was
