"""The TCP channel carries whole messages of any size in their order, and finds out when nobody is there any more."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import signal
import socket
import struct
import subprocess
import sys
import tracemalloc
from time import perf_counter

import pytest
from carried_kit import Heard, engine

from asyncflow.backends.carried.channel import FEW
from asyncflow.backends.carried.clocks import Offset
from asyncflow.backends.carried.dial import dial
from asyncflow.backends.carried.handshake import Hello
from asyncflow.backends.carried.lease import Lease
from asyncflow.backends.carried.pulse import Pulse
from asyncflow.backends.carried.tcp import TcpChannel
from asyncflow.backends.carried.tls import TLS

SIZES = [0, 1, 7, 8, 9, (1 << 16) - 9, (1 << 16) - 8, (1 << 16) - 7, 1 << 16, (1 << 16) + 1, 5_000_000, 3]


@pytest.fixture(params=["plain", "encrypted"])
def tls(request: pytest.FixtureRequest) -> TLS | None:
    if request.param == "plain":
        return None
    pytest.importorskip("cryptography")
    return TLS.for_this_run()


async def test_messages_of_all_sizes_arrive_whole_in_order_in_both_directions(tls: TLS | None) -> None:
    messages = [os.urandom(size) for size in SIZES]
    async with engine(tls=tls) as made:
        agent, ours, _, _ = await made.agent()
        here, there = Heard(ours), Heard(agent)
        for message in messages:
            ours.send(message)
            agent.send(memoryview(message)[:3], message[3:])
        await here.until(len(messages))
        await there.until(len(messages))
        assert list(map(bytes, here.messages)) == messages
        assert list(map(bytes, there.messages)) == messages
        agent.close()
        await here.until_lost()
        await agent.gone


async def test_a_small_message_does_not_wait_for_the_acknowledgement_of_another(tls: TLS | None) -> None:
    async with engine(tls=tls) as made:
        agent, ours, _, _ = await made.agent()
        for channel in (agent, ours):
            assert channel._socket is not None
            assert channel._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        agent.close()
        await agent.gone


async def test_an_array_of_numbers_is_sent_as_its_bytes() -> None:
    numbers = memoryview(struct.pack("=4d", 1, 2, 3, 4)).cast("d")
    async with engine() as made:
        agent, ours, _, _ = await made.agent()
        there = Heard(agent)
        ours.send(numbers)
        await there.until(1)
        assert there.messages == [numbers.tobytes()]
        agent.cut()
        await agent.gone


async def test_what_came_before_anybody_listens_is_held_and_so_is_its_end() -> None:
    async with engine() as made:
        agent, ours, _, _ = await made.agent()
        ours.send(b"early")
        ours.close()
        await agent.gone
        there = Heard(agent)
        why = await there.until_lost()
        assert there.messages == [b"early"]
        assert why == f"127.0.0.1:{made.address[1]} has closed the connection"


async def test_who_closes_hears_nothing_more_and_what_was_sent_goes_out_first(tls: TLS | None) -> None:
    large = os.urandom(20_000_000)
    async with engine(tls=tls) as made:
        agent, ours, _, _ = await made.agent()
        here, there = Heard(ours), Heard(agent)
        ours.send(large)
        ours.close()
        ours.close()
        ours.send(b"after it")
        with pytest.raises(ConnectionError):
            await ours.drained()
        await there.until_lost()
        assert list(map(bytes, there.messages)) == [large]
        assert here.lost == []
        await ours.gone
        await agent.gone


async def test_a_connection_that_ends_while_something_goes_out_is_not_broken_off_once_more() -> None:
    async with engine() as made:
        agent, ours, _, _ = await made.agent()
        there = Heard(agent)
        large = bytes(20_000_000)
        ours.send(large)
        transport = ours._transport
        assert transport is not None
        transport.close()  # while asyncio has something to send: it tells of the end when that has gone
        aborted: list[None] = []
        transport.abort = lambda: aborted.append(None)  # type: ignore[method-assign]
        await ours.gone
        assert aborted == []
        await there.until_lost()
        await agent.gone


async def test_what_is_cut_is_closed_at_once_whatever_was_sent(tls: TLS | None) -> None:
    async with engine(tls=tls) as made:
        agent, ours, _, _ = await made.agent()
        here = Heard(ours)
        ours.send(bytes(50_000_000))
        ours.cut()
        await ours.gone
        assert ours.waiting == 0
        there = Heard(agent)
        await there.until_lost()
        assert there.messages == here.lost == []
        await agent.gone


async def test_who_does_not_take_what_is_sent_makes_the_sender_wait_and_nothing_is_lost(
    tls: TLS | None,
) -> None:
    async with engine(tls=tls) as made:
        agent, ours, _, _ = await made.agent()
        there = Heard(agent)
        piece = os.urandom(1_000_000)
        assert agent._transport is not None
        agent._transport.pause_reading()  # as one whose loop is busy
        for _ in range(30):
            ours.send(piece)
        drained = asyncio.ensure_future(ours.drained())
        await asyncio.sleep(0)
        assert not drained.done()
        assert ours.waiting > FEW
        agent._transport.resume_reading()
        await drained
        assert ours.waiting <= FEW
        await there.until(30)
        assert set(map(bytes, there.messages)) == {piece}
        agent.cut()
        await agent.gone


async def test_waiting_for_the_other_side_ends_when_it_is_gone() -> None:
    async with engine() as made:
        agent, ours, _, _ = await made.agent()
        Heard(ours)
        assert agent._transport is not None
        agent._transport.pause_reading()
        ours.send(bytes(50_000_000))
        drained = asyncio.ensure_future(ours.drained())
        await asyncio.sleep(0)
        agent.cut()
        with pytest.raises(ConnectionError, match="is gone"):
            await drained
        await agent.gone


async def test_a_large_message_is_copied_neither_where_it_is_sent_nor_where_it_is_received(
    tls: TLS | None,
) -> None:
    size = 200_000_000
    async with engine(tls=tls) as made:
        agent, ours, _, _ = await made.agent()
        there = Heard(agent)
        message = bytearray(size)
        gc.collect()
        tracemalloc.start()
        try:
            ours.send(memoryview(message))
            assert tracemalloc.get_traced_memory()[1] < 5_000_000
            await there.until(1)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert len(there.messages[0]) == size
        assert peak < size * 1.2
        agent.cut()
        await agent.gone


async def test_who_announces_a_terabyte_has_no_memory_reserved_for_it() -> None:
    async with engine() as made:
        agent, ours, _, _ = await made.agent()
        here = Heard(ours)
        tracemalloc.start()
        try:
            assert agent._transport is not None
            agent._transport.write(struct.pack("!Q", 1 << 40) + bytes(100_000))
            agent.send(b"more of it")
            agent.close()
            await here.until_lost()
            assert tracemalloc.get_traced_memory()[1] < 10_000_000
        finally:
            tracemalloc.stop()
        assert here.messages == []
        await agent.gone


async def test_who_announces_more_than_any_message_has_is_cut_off() -> None:
    async with engine() as made:
        agent, ours, _, _ = await made.agent()
        here = Heard(ours)
        assert agent._transport is not None
        agent._transport.write(struct.pack("!Q", 1 << 62))
        assert "a message of 4,611,686,018,427,387,904 bytes" in await here.until_lost()
        await agent.gone


async def test_a_message_that_is_not_understood_is_the_end_of_the_connection_for_both() -> None:
    seen: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: seen.append(context["exception"]))

    def received(message: bytes | bytearray) -> None:
        heard.append(message)
        raise ValueError("no such message")

    async with engine() as made:
        agent, ours, _, _ = await made.agent()
        there, heard, lost = Heard(agent), list[bytes | bytearray](), list[str]()
        ours.listen(received, lost.append)
        agent.send(b"?")
        agent.send(b"and more")
        await there.until_lost()
        assert heard == [b"?"]
        assert lost == [f"what {ours.peer} sent was not understood: ValueError('no such message')"]
        assert list(map(repr, seen)) == ["ValueError('no such message')"]
        await agent.gone


async def test_ctrl_c_while_a_message_is_received_loses_none_of_those_that_came_with_it() -> None:
    made_channel = TcpChannel(Pulse(), 1 << 20)
    made_channel.admit()
    heard: list[bytes] = []

    def received(message: bytes | bytearray) -> None:
        heard.append(bytes(message))
        if message == b"one":
            raise KeyboardInterrupt

    doubts: list[int] = []
    made_channel.listen(received, lambda why: None, lambda: doubts.append(len(heard)))

    def comes(data: bytes) -> None:
        made_channel.get_buffer(-1)[: len(data)] = data
        made_channel.buffer_updated(len(data))

    frames = b"".join(struct.pack("!Q", len(text)) + text for text in (b"one", b"two"))
    with pytest.raises(KeyboardInterrupt):
        comes(frames)
    comes(struct.pack("!Q", 5) + b"three")
    assert heard == [b"one", b"two", b"three"]
    assert {*doubts} == {1}  # whoever receives is told that it may have lost this one
    made_channel.connection_lost(None)


# -- nobody is there any more -----------------------------------------------------------------------------


def drop_all(channel: TcpChannel) -> None:
    """Have the kernel throw away every packet that comes for this end, as on a network that is gone."""
    instruction = ctypes.create_string_buffer(struct.pack("=HBBI", 0x06, 0, 0, 0))  # "return 0 bytes"
    program = struct.pack("@HP", 1, ctypes.addressof(instruction))
    attach_filter = 26
    assert channel._socket is not None
    channel._socket.setsockopt(socket.SOL_SOCKET, attach_filter, program)


QUICK = Pulse(every=0.05, lost_after=0.5)


async def test_a_side_that_gives_no_sign_of_life_is_lost() -> None:
    async with engine(pulse=QUICK) as made:
        agent, ours, _, _ = await made.agent()
        here, there = Heard(ours), Heard(agent)
        assert agent._transport is not None
        agent._transport.pause_reading()  # as a process that is stopped
        assert (await here.until_lost()).startswith(f"nothing was heard from {ours.peer} for ")
        agent._transport.resume_reading()
        await there.until_lost()  # the engine's side has closed it
        await agent.gone


async def test_signs_of_life_keep_a_connection_on_which_nothing_is_said() -> None:
    async with engine(pulse=QUICK) as made:
        agent, ours, _, _ = await made.agent(pulse=Pulse(every=1000, needs_life=False))
        here = Heard(ours)
        await asyncio.sleep(1.5)  # there is nothing to wait for: nothing is to happen
        assert here.lost == here.messages == []
        agent.cut()
        await agent.gone


async def test_an_engine_whose_packets_no_longer_arrive_is_lost_though_no_packet_says_so() -> None:
    async with engine(pulse=Pulse(every=1000)) as made:
        agent, ours, _, _ = await made.agent(pulse=Pulse(every=0.1, lost_after=1.5, needs_life=False))
        there = Heard(agent)
        drop_all(ours)
        why = await there.until_lost()
        assert why.startswith(f"the machine of {agent.peer} has not answered for ")
        await agent.gone
        ours.cut()


async def test_an_engine_that_does_not_read_for_long_is_not_lost_to_its_agent() -> None:
    """Its loop is busy with what the user does on it; the kernel of its machine answers nevertheless."""
    async with engine(pulse=Pulse(every=1000)) as made:
        agent, ours, _, _ = await made.agent(pulse=Pulse(every=0.05, lost_after=0.5, needs_life=False))
        there = Heard(agent)
        assert ours._transport is not None
        ours._transport.pause_reading()
        agent.send(bytes(30_000_000))  # more than the kernel holds for it: it says that there is no room
        await asyncio.sleep(2)  # there is nothing to wait for: nothing is to happen
        assert there.lost == []
        here = Heard(ours)
        ours._transport.resume_reading()
        await here.until(1)
        agent.cut()
        await agent.gone


class Transport(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self, channel: TcpChannel) -> None:
        super().__init__()
        self.written = b""
        self.is_aborted = False
        self._channel = channel

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 0

    def abort(self) -> None:
        if not self.is_aborted:
            self.is_aborted = True
            asyncio.get_running_loop().call_soon(self._channel.connection_lost, None)

    close = abort


def by_hand(pulse: Pulse) -> tuple[TcpChannel, Transport]:
    channel = TcpChannel(pulse, 1 << 14)
    transport = Transport(channel)
    channel.connection_made(transport)
    channel.admit()
    return channel, transport


def hears(channel: TcpChannel, data: bytes) -> None:
    channel.get_buffer(-1)[: len(data)] = data
    channel.buffer_updated(len(data))


LIFE = struct.pack("!Q", 1 << 63)


@pytest.mark.fake_clock
async def test_after_twenty_seconds_of_silence_the_other_side_is_lost_and_not_before() -> None:
    channel, transport = by_hand(Pulse())
    heard = Heard(channel)
    await asyncio.sleep(19)
    assert heard.lost == []
    hears(channel, LIFE)
    await asyncio.sleep(19)
    assert heard.lost == []
    await asyncio.sleep(4)
    assert heard.lost == ["nothing was heard from an unknown address for 20 s"]
    assert transport.is_aborted
    await channel.gone


@pytest.mark.fake_clock
async def test_a_sign_of_life_goes_out_only_when_nothing_else_does() -> None:
    channel, transport = by_hand(Pulse(every=2, needs_life=False))
    await asyncio.sleep(9)
    assert transport.written == LIFE * 4
    transport.written = b""
    for _ in range(5):
        channel.send(b"")
        await asyncio.sleep(2)
    assert LIFE not in transport.written
    channel.cut()
    await channel.gone


@pytest.mark.fake_clock
async def test_a_loop_that_was_held_up_does_not_take_its_own_silence_for_that_of_the_others() -> None:
    channel, _ = by_hand(Pulse())
    heard = Heard(channel)
    loop = asyncio.get_running_loop()
    for _ in range(5):
        loop.advance(3600)  # type: ignore[attr-defined]  # as by a function that blocks it
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert heard.lost == []
        hears(channel, LIFE)
    channel.cut()
    await channel.gone


# -- clocks -----------------------------------------------------------------------------------------------


def elsewhere(workers: int = 1) -> Hello:
    here = Hello.here("far", workers=workers)
    return Hello(here.name, "far", here.pid, "another machine", here.workers, here.versions)


async def test_the_offset_of_a_clock_that_goes_wrong_is_known_when_the_agent_joins() -> None:
    async with engine() as made:
        agent, ours, _, _ = await made.agent(hello=elsewhere(), clock=lambda: perf_counter() + 5000)
        assert ours.offset == pytest.approx(-5000, abs=0.05)
        agent.cut()
        await agent.gone


async def test_agents_on_this_machine_have_this_clock() -> None:
    async with engine() as made:
        agent, ours, hello, welcome = await made.agent()
        assert ours.offset == 0.0
        assert hello.node == welcome.node
        agent.cut()
        await agent.gone


@pytest.mark.fake_clock
async def test_the_offset_is_measured_again_each_minute() -> None:
    now = asyncio.get_running_loop().time
    channel = TcpChannel(Pulse(needs_life=False), 1 << 14, now)
    transport = Transport(channel)
    channel.connection_made(transport)
    channel.admit()
    ahead = 100.0

    def answer() -> None:
        (asked,) = struct.unpack("!d", transport.written[-8:])
        hears(channel, struct.pack("!Qdd", 1 << 63 | 16, asked, now() + ahead))

    measured = asyncio.ensure_future(channel.compare_clocks())
    await asyncio.sleep(0)
    for _ in range(5):
        assert not measured.done()
        answer()
    await measured
    assert channel.offset == -100
    ahead = 100.003
    transport.written = b""
    await asyncio.sleep(61)
    asked_again = struct.pack("!Q", 1 << 63 | 8)
    assert asked_again in transport.written
    transport.written = transport.written[: transport.written.index(asked_again) + 16]
    answer()
    assert channel.offset == -100  # the answer was a second on its way, and tells less than is known
    channel._clocks.ask_some()
    answer()
    assert channel.offset == pytest.approx(-100.003)
    channel.cut()
    await channel.gone


def test_of_many_answers_the_quickest_counts_and_an_old_one_counts_less() -> None:
    offset = Offset()
    offset.take(10.0, 1000.0, 11.0)
    assert offset.seconds == -989.5
    offset.take(12.0, 1002.1, 12.2)  # quicker
    assert offset.seconds == pytest.approx(-990.0)
    offset.take(13.0, 1003.9, 13.8)  # slower
    assert offset.seconds == pytest.approx(-990.0)
    offset.take(10_013.0, 11_003.9, 10_013.8)  # slower, but much has happened since
    assert offset.seconds == pytest.approx(-990.5)
    offset.take(5.0, 0.0, 4.0)  # no clock of ours goes back: it is nonsense
    assert offset.seconds == pytest.approx(-990.5)


async def test_closing_the_listener_closes_every_connection_and_every_port() -> None:
    async with engine() as made:
        address = made.address
        pairs = [await made.agent() for _ in range(5)]
        await made.listener.close()
        for agent, ours, _, _ in pairs:
            await agent.gone
            assert ours.gone.done()
        assert made.listener.addresses == ()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address)


FORKS = """
import asyncio, os, signal, warnings
from asyncflow.backends.carried.lease import Lease
from asyncflow.backends.carried.listener import Listener

warnings.simplefilter("ignore")

def joined(channel, hello):
    channel.listen(print, print)
    if os.fork() == 0:
        signal.pause()
    channel.send(b"forked")

async def main():
    listener = Listener(bytes(32), joined=joined, refused=print)
    await listener.start()
    print(Lease(listener.addresses, bytes(32)).to_text(), flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_a_process_that_the_program_has_forked_does_not_keep_its_connections() -> None:
    host = subprocess.Popen([sys.executable, "-c", FORKS], stdout=subprocess.PIPE, process_group=0)
    assert host.stdout is not None
    try:
        lease = Lease.from_text((await asyncio.to_thread(host.stdout.readline)).decode())
        agent, _ = await dial(lease)
        there = Heard(agent)
        await there.until(1)
        host.kill()
        await there.until_lost()  # though the child lives
        await agent.gone
        with pytest.raises(ConnectionError):
            await dial(lease, within=1)
    finally:
        os.killpg(host.pid, signal.SIGKILL)
        host.wait()
        host.stdout.close()
