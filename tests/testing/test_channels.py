"""The channel in memory keeps what a channel promises, and breaks as a test wants it to."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from asyncflow.backends.carried.channel import FEW
from asyncflow.testing import MemoryChannel, channel_pair


class Heard:
    """What one end has heard."""

    def __init__(self, end: MemoryChannel) -> None:
        self.messages: list[bytes | bytearray] = []
        self.lost: list[str] = []
        end.listen(self.messages.append, self.lost.append)


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_messages_arrive_whole_in_order_and_not_before_the_next_turn_of_the_loop() -> None:
    engine, agent = channel_pair()
    heard = Heard(agent)
    engine.send(b"one, ", memoryview(b"in parts"))
    engine.send(b"")
    engine.send(b"three")
    assert heard.messages == []
    assert engine.waiting == len("one, in parts") + len("three")
    await turns()
    assert heard.messages == [b"one, in parts", b"", b"three"]
    assert (engine.waiting, engine.sent, engine.bytes_sent) == (0, 3, 18)
    assert (engine.peer, agent.peer) == ("agent", "engine")


async def test_what_came_before_anybody_listens_is_held() -> None:
    engine, agent = channel_pair()
    engine.send(b"early")
    engine.close()
    await turns()
    heard = Heard(agent)
    await turns()
    assert heard.messages == [b"early"]
    assert heard.lost == ["engine has closed the connection"]


async def test_who_closes_hears_nothing_and_what_was_sent_goes_out_first() -> None:
    engine, agent = channel_pair()
    here, there = Heard(engine), Heard(agent)
    agent.send(b"too late")
    engine.send(b"last")
    engine.close()
    engine.close()
    engine.send(b"after it")
    await turns()
    assert there.messages == [b"last"]
    assert there.lost == ["engine has closed the connection"]
    assert (here.messages, here.lost) == ([], [])
    agent.send(b"to nobody")
    await turns()
    assert agent.waiting == 0


async def test_what_is_cut_brings_nothing_more() -> None:
    engine, agent = channel_pair()
    here, there = Heard(engine), Heard(agent)
    engine.send(b"never seen")
    engine.cut()
    await turns()
    assert (there.messages, there.lost) == ([], ["engine has closed the connection"])
    assert here.lost == []


async def test_a_stalled_end_keeps_what_it_sends_until_it_goes_on() -> None:
    engine, agent = channel_pair()
    heard = Heard(agent)
    engine.stall()
    engine.send(bytes(FEW + 1))
    drained = asyncio.ensure_future(engine.drained())
    await turns()
    assert heard.messages == []
    assert not drained.done()
    engine.go_on()
    await drained
    assert len(heard.messages) == 1


async def test_waiting_for_what_is_stalled_ends_with_the_connection() -> None:
    engine, _ = channel_pair()
    engine.send(bytes(FEW + 1))
    drained = asyncio.ensure_future(engine.drained())
    await turns()
    engine.lose()
    with pytest.raises(ConnectionError, match="to agent is gone"):
        await drained


async def test_a_half_open_end_loses_all_and_nobody_hears_of_it() -> None:
    engine, agent = channel_pair()
    here, there = Heard(engine), Heard(agent)
    agent.half_open()
    agent.send(b"lost")
    engine.send(b"arrives")
    await turns()
    agent.close()
    await turns()
    assert (here.messages, here.lost) == ([], [])
    assert there.messages == [b"arrives"]
    engine.give_up("silent for 20 s")
    await turns()
    assert here.lost == ["silent for 20 s"]


async def test_both_ends_of_a_broken_connection_hear_why_once() -> None:
    engine, agent = channel_pair()
    here, there = Heard(engine), Heard(agent)
    engine.send(b"on its way")
    engine.lose("a digger")
    engine.lose("another digger")
    await turns()
    assert (here.lost, there.lost, there.messages) == (["a digger"], ["a digger"], [])


async def test_a_message_that_is_not_understood_is_the_end_of_the_connection() -> None:
    engine, agent = channel_pair()
    here, seen, lost = Heard(engine), list[dict[str, Any]](), list[str]()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: seen.append(context))

    def received(message: bytes | bytearray) -> None:
        raise ValueError("no such message")

    doubts: list[str] = []
    agent.listen(received, lost.append, lambda: doubts.append("?"))
    engine.send(b"?")
    engine.send(b"and more")
    await turns()
    assert lost == here.lost == ["what engine sent was not understood: ValueError('no such message')"]
    assert [type(context["exception"]) for context in seen] == [ValueError]
    assert doubts == ["?"]


async def test_who_sends_while_receiving_lets_others_have_their_turn() -> None:
    engine, agent = channel_pair()
    agent.listen(lambda message: agent.send(message), lambda why: None)
    heard = Heard(engine)
    engine.send(b"echo")
    await turns()
    assert heard.messages == [b"echo"]
