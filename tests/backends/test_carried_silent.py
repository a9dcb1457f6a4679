"""Agents that join and then do not tell which of the program's files they see: what waits says so, and not for ever."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest
from carried_kit import Heard

from asyncflow import WorkflowEngine
from asyncflow.backends.carried import Agent, CarriedBackend, Lease, messages
from asyncflow.backends.carried.dial import dial
from asyncflow.backends.carried.handshake import Hello
from asyncflow.backends.carried.program_folder import ProgramFolder


class ByHand(CarriedBackend):
    """Hands its lease to the test, and tells who has come and gone."""

    def __init__(self, **options: Any) -> None:
        super().__init__(0, **options)
        self.leases: asyncio.Queue[Lease] = asyncio.Queue()
        self.come: asyncio.Queue[Agent] = asyncio.Queue()
        self.gone: asyncio.Queue[str] = asyncio.Queue()

    async def open(self, lease: Lease) -> None:
        await super().open(lease)
        self.leases.put_nowait(lease)

    def joined(self, agent: Agent) -> None:
        self.come.put_nowait(agent)

    def left(self, agent: Agent) -> None:
        self.gone.put_nowait(agent.name)


def elsewhere(name: str) -> Hello:
    here = Hello.here(name, workers=1)
    return Hello(name, "node7", here.pid, "another node", 1, here.versions)


async def test_work_that_waits_for_what_an_agent_does_not_tell_says_so_and_the_agent_is_lost_in_the_end(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("asyncflow.backends.carried.backend.LONG", 0.01)
    backend = ByHand(lost_after=0.5)
    async with WorkflowEngine(backend) as engine:
        lease = await backend.leases.get()
        channel, _ = await dial(lease, hello=elsewhere("mute"))
        heard = Heard(channel)  # it gives signs of life, as any
        agent = await backend.come.get()
        future = engine.submit(divmod, 7, 3)
        await asyncio.sleep(0)
        assert backend.waits is not None
        assert backend.waits.startswith("agent mute on node7 has not told yet whether it sees ")
        assert backend.waits in future.explain()
        assert await backend.gone.get() == "mute"
        assert agent.answer is None
        assert "no agent has come" in str(backend.waits)
        await heard.until_lost()
        (warned,) = (record.getMessage() for record in caplog.records)
        assert warned.startswith("1 task waits for slots: agent mute on node7 has not told yet")
        another, _ = await dial(lease, hello=elsewhere("helpful"))
        heard = Heard(another)
        agent = await backend.come.get()
        another.send(messages.pack(messages.HOME, True))
        while not agent.workers:
            await asyncio.sleep(0)
        assert backend.waits is None
        future.cancel()
        another.cut()
        await backend.gone.get()


async def test_one_that_tells_late_but_in_time_gets_work_and_one_beside_it_gets_it_meanwhile() -> None:
    backend = ByHand(lost_after=20)
    backend._agents = 1
    backend._each = 1
    async with WorkflowEngine(backend) as engine:
        assert await engine.submit(divmod, 7, 3) == (2, 1)  # of the agent that is started here
        await backend.come.get()
        channel, _ = await dial(await backend.leases.get(), hello=elsewhere("slow"))
        Heard(channel)
        agent = await backend.come.get()
        assert agent.workers == 0
        assert backend.waits is None  # there is another
        assert await engine.submit(divmod, 8, 3) == (2, 2)
        channel.send(messages.pack(messages.HOME, False))
        while not agent.workers:
            await asyncio.sleep(0)
        assert agent.answer is None
        channel.cut()  # or the shutdown would give it time to end
        await backend.gone.get()


_STOPS = """
import os, signal, sys
from asyncflow.agent.__main__ import main
from asyncflow.backends.carried import handshake

def stop(path, real=os.path.exists):
    if path == {home!r}:
        try:
            os.mkdir({mark!r})
        except FileExistsError:
            return True
        os.kill(os.getpid(), signal.SIGSTOP)
    return real(path)

handshake.node = lambda: "another node"
os.path.exists = stop
sys.exit(main(["--lease", "-"]))
"""


async def test_one_that_stops_before_it_tells_is_replaced_and_the_work_is_done(tmp_path: Path) -> None:
    backend = ByHand(lost_after=1)
    program = _STOPS.format(home=ProgramFolder(1).witness, mark=str(tmp_path / "stopped"))
    backend._commands = [[sys.executable, "-c", program]]
    backend._each = 1
    async with WorkflowEngine(backend) as engine:
        assert await engine.submit(divmod, 7, 3) == (2, 1)
        assert (tmp_path / "stopped").is_dir()
        assert await backend.gone.get() == "started-1"
