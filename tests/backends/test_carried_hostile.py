"""An agent that was let in and does not behave: nothing of its messages runs here, and it speaks for itself alone."""

from __future__ import annotations

import asyncio
import os
import pickle
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from asyncflow import WorkerDied, WorkflowEngine
from asyncflow._core.carried_files import FILE, FOLDER, LINK, Entry, entry_of
from asyncflow._files.entries import put_up, replace_all
from asyncflow._worker import wire
from asyncflow.agent.kept import KeptHere
from asyncflow.agent.peers import Peers
from asyncflow.backends.carried import CarriedBackend, Lease, messages
from asyncflow.backends.carried.dial import dial
from asyncflow.backends.carried.tcp import TcpChannel


def add(left: int, right: int) -> int:
    return left + right


class Bomb:
    """Makes a directory where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> object:
        return os.mkdir, (str(self._path),)


class Hostile:
    """An agent that was let in, and what it was told."""

    def __init__(self, channel: TcpChannel) -> None:
        self.channel = channel
        self.lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._calls: asyncio.Queue[tuple[int, ...]] = asyncio.Queue()
        channel.listen(self._received, self.lost.set_result)

    def _received(self, message: bytes | bytearray) -> None:
        if not messages.is_piece(message):
            kind, *fields = messages.unpack(message)
            if kind == messages.FRAME:
                self._calls.put_nowait(tuple(call[0] for call in fields[2]))
            elif kind == messages.LEAVE:
                self.say(messages.LEFT)

    def say(self, kind: int, *fields: object) -> None:
        self.channel.send(messages.pack(kind, *fields))

    async def calls(self) -> tuple[int, ...]:
        """The numbers of the tasks of one frame."""
        return await self._calls.get()


@asynccontextmanager
async def hostile(backend: CarriedBackend) -> AsyncIterator[Hostile]:
    while backend._door.lease is None:
        await asyncio.sleep(0.01)
    channel, _ = await dial(backend._door.lease.named("hostile", workers=1))
    try:
        yield Hostile(channel)
    finally:
        channel.cut()
        await channel.gone


def in_a_message(path: Path) -> bytes:
    return pickle.dumps((messages.TOLD, [Bomb(path)]))


def in_a_printed_text(path: Path) -> bytes:
    return pickle.dumps((messages.PRINTED, "stdout", Bomb(path)))


def by_name(path: Path) -> bytes:
    return b"cos\nmkdir\n(S'" + os.fsencode(path) + b"'\ntR."


def without_sense(path: Path) -> bytes:
    return os.urandom(1000)


def of_no_kind(path: Path) -> bytes:
    return messages.pack(messages.TOLD, 5, 6, 7)


def nested_without_end(path: Path) -> bytes:
    return b"\x80\x05" + b"(" * 1_000_000


@pytest.mark.parametrize(
    "bad", [in_a_message, in_a_printed_text, by_name, without_sense, of_no_kind, nested_without_end]
)
async def test_what_is_no_plain_message_runs_nothing_and_is_the_end_of_the_connection(
    tmp_path: Path, bad: object
) -> None:
    assert callable(bad)
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)  # it is told there
    backend = CarriedBackend(agents=0)
    async with WorkflowEngine(backend) as engine:
        async with hostile(backend) as agent:
            sum_ = engine.submit(add, 1, 2)
            await agent.calls()
            agent.channel.send(bad(tmp_path / "exploded"))
            with pytest.raises(WorkerDied, match="was not understood"):
                await sum_
            await agent.lost
        assert not (tmp_path / "exploded").exists()


async def test_an_agent_speaks_for_its_own_tasks_alone() -> None:
    backend = CarriedBackend(agents=0)
    async with WorkflowEngine(backend) as engine, hostile(backend) as good:
        sum_ = engine.submit(add, 1, 2)
        (task,) = await good.calls()
        async with hostile(backend) as bad:
            never = 10**9
            for number in (task, never):
                told = [
                    (wire.VALUE, number, 1.0, 2.0, 666),
                    (wire.PACKED, number, 1.0, 2.0, pickle.dumps(666)),
                    (messages.CANCELLED, number, 0.0, 0.0, None),
                    (messages.LOADING, number, 1.0, 0.0, None),
                    (wire.BEGUN, number, 1.0, 0.0, None),
                    (messages.RAN, number, 1.0, 2.0, "process 666"),
                    (messages.DIED, number, 1.0, 2.0, ("signal SIGKILL", 666, "far", 0, "")),
                    (messages.RETURNED, 0, 0.0, 0.0, [number]),
                ]
                bad.say(messages.TOLD, [("process 666", told)])
            other = [engine.submit(add, n, 1) for n in range(1)]
            taken = await bad.calls()  # what it has told before was taken
            assert not sum_.done()
            bad.say(messages.TOLD, [("process 666", [(wire.VALUE, each, 1.0, 2.0, 7) for each in taken])])
            assert await asyncio.gather(*other) == [7]
        good.say(messages.TOLD, [("process 1", [(wire.VALUE, task, 1.0, 2.0, 3)])])
        assert await sum_ == 3
    runs = [task for task in engine.report().tasks if task.id == sum_.id]
    assert "process 666" not in repr(runs)


def entry(name: str, kind: str | int, source: str = "", mode: int = 0o777) -> Entry:
    return entry_of(tuple(Entry(name, kind, mode, 0, 0, b"digest" if kind == FILE else None, source)))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a/../../x", "", ".", "a//b", "a\0b"])
def test_no_name_of_a_file_that_comes_from_a_node_leads_out_of_the_sandbox(name: str) -> None:
    with pytest.raises(ValueError, match="leads out of the sandbox"):
        entry(name, FILE)


@pytest.mark.parametrize("put", [put_up, replace_all])
def test_nothing_is_written_changed_or_made_outside_of_the_sandbox_through_a_link(
    tmp_path: Path, put: object
) -> None:
    assert callable(put)
    outside, sandbox = tmp_path / "outside", tmp_path / "sandbox"
    outside.mkdir(mode=0o700)
    (outside / "precious").write_text("precious")

    def give(entry: Entry, target: Path) -> None:
        target.write_text("bad")

    for entries in (
        [entry("a", LINK, str(outside)), entry("a/precious", FILE)],
        [entry("a", LINK, str(outside)), entry("a/b/c/new", FILE)],
        [entry("a", LINK, str(outside)), entry("a", FOLDER)],
        [entry("a", LINK, str(outside)), entry("a/b", FOLDER)],
        [entry("a", LINK, ".."), entry("a/outside/precious", FILE)],
        [entry("a", LINK, "b"), entry("b", LINK, str(outside)), entry("a/precious", FILE)],
    ):
        sandbox.mkdir()
        with pytest.raises((ValueError, OSError)):
            put(entries, sandbox, give, lambda: True)
        for each in sandbox.iterdir():
            each.unlink()
        sandbox.rmdir()
    assert outside.stat().st_mode & 0o777 == 0o700
    assert [each.name for each in outside.iterdir()] == ["precious"]
    assert (outside / "precious").read_text() == "precious"


async def test_who_looks_for_its_engine_does_not_take_another_agent_for_it() -> None:
    """Somebody in between may pass on all that both say."""
    lease = Lease(("127.0.0.1:1",), bytes(32), None, "test", "agent 1", 1)
    peers = Peers(lease, "127.0.0.1", KeptHere())
    addresses, _ = await peers.serve()
    try:
        with pytest.raises(ConnectionError):
            await dial(replace(lease, addresses=addresses))
    finally:
        assert peers._listener is not None
        await peers._listener.close()


@pytest.mark.parametrize(
    "told",
    [("../../../../etc/passwd", ((1, 10),)), (3, "no sizes"), (-1, ((1, 10),)), (3, ((1, "much"),)), (3, ())],
)
async def test_an_agent_names_no_file_here_as_a_result_that_it_keeps(told: object) -> None:
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)  # it is told there
    backend = CarriedBackend(agents=0)
    async with WorkflowEngine(backend) as engine, hostile(backend) as agent:
        sum_ = engine.submit(add, 1, 2)
        (task,) = await agent.calls()
        agent.say(messages.TOLD, [("process 1", [(messages.KEPT, task, 1.0, 2.0, told)])])
        with pytest.raises(WorkerDied, match="was not understood"):
            await sum_


async def test_what_an_agent_tells_of_results_that_nobody_asked_for_changes_nothing() -> None:
    backend = CarriedBackend(agents=0)
    async with WorkflowEngine(backend) as engine, hostile(backend) as agent:
        sum_ = engine.submit(add, 1, 2)
        (task,) = await agent.calls()
        told = [
            (messages.COPIED, task, 0.0, 0.0, 5),
            (messages.BROUGHT, 0, 0.0, 0.0, (5, 6)),
            (messages.SERVES, 0, 0.0, 0.0, (["127.0.0.1:9"], None)),
            (messages.KEPT, 10**9, 1.0, 2.0, (5, ((1, 10),))),
            (wire.VALUE, task, 1.0, 2.0, 3),
        ]
        agent.say(messages.TOLD, [("process 1", told)])
        assert await sum_ == 3
