"""A hundred agents that answer at once: what the engine's own side costs, when whole clusters work for it.

The agents are in this process and run nothing: each answers what it is sent with results. So what is measured is what
one core has to do for each task wherever the work is done, and what goes over the network for it.
"""

from __future__ import annotations

import asyncio
import gc
from statistics import median
from time import perf_counter, thread_time

from asyncflow import WorkflowEngine
from asyncflow._worker import wire
from asyncflow.backends.carried import CarriedBackend, Channel, Lease, messages
from asyncflow.backends.carried.channel import Message
from asyncflow.backends.carried.dial import dial
from asyncflow.backends.carried.handshake import Hello
from asyncflow.backends.carried.here import versions
from asyncflow.backends.carried.listener import Listener
from asyncflow.backends.carried.tcp import TcpChannel
from asyncflow.backends.carried.tls import TLS
from asyncflow.testing import MemoryChannel, channel_pair

from . import fresh
from .bodies import nothing
from .measuring import Options, Row, Rows
from .processes import resident
from .shapes import SHAPES, size

NOTE = (
    "100 agents of 64 workers each in this process, which answer at once; the channels are in memory. Engine: µs of "
    "CPU for a task, without what the agents take; at most: how many workers that keeps busy with tasks of 1 s."
)
AGENTS = 100
WORKERS = 64
_MB = 2**20
_ROUND = 20_000
_TEN_MILLION = 10_000_000


class FakeAgent:
    """Answers each call with a result.

    Attributes:
        seconds: that it has used for that.
        channel: its end.
    """

    def __init__(self, channel: MemoryChannel) -> None:
        self.channel = channel
        self.seconds = 0.0
        channel.listen(self._received, lambda why: None)

    def _received(self, message: Message) -> None:
        used, began = thread_time(), perf_counter()
        kind, *fields = messages.unpack(message)
        if kind == messages.FRAME:
            records = [(wire.VALUE, call[0], began, began, None) for call in fields[2]]
            self._tell(messages.TOLD, [("process 4711", records)])
        elif kind == messages.SETUP and fields[-1]:
            self._tell(messages.HOME, True)
        elif kind == messages.WITHDRAW:
            self._tell(messages.TOLD, [(None, [(messages.RETURNED, 0, 0.0, 0.0, [])])])
        elif kind == messages.LEAVE:
            self._tell(messages.LEFT)
        self.seconds += thread_time() - used

    def _tell(self, kind: int, *fields: object) -> None:
        self.channel.send(messages.pack(kind, *fields))


class Simulated(CarriedBackend):
    """A hundred nodes."""

    def __init__(self) -> None:
        super().__init__(agents=0, workers=WORKERS)
        self.fakes: list[FakeAgent] = []
        self.ends: list[MemoryChannel] = []

    async def open(self, lease: Lease) -> None:
        """All of them come."""
        for number in range(AGENTS):
            ours, theirs = channel_pair("engine", f"node{number}")
            self.ends.append(ours)
            self.fakes.append(FakeAgent(theirs))
            hello = Hello(f"agent {number}", f"node{number}", 4711, f"node {number}", WORKERS, versions())
            self._joined(ours, hello)

    def seconds(self) -> float:
        """What the agents have used."""
        return sum(fake.seconds for fake in self.fakes)

    def sent(self) -> tuple[int, int, int]:
        """Messages to the agents and back; bytes to them; bytes back."""
        back = [fake.channel for fake in self.fakes]
        messages = sum(each.sent for each in [*self.ends, *back])
        return messages, sum(each.bytes_sent for each in self.ends), sum(each.bytes_sent for each in back)


def measure(options: Options) -> Rows:
    """Cost by shape, then memory, then what a channel carries."""
    n = 20_000 if options.quick else 200_000
    title = f"The engine's side of {AGENTS} agents, {n:,} tasks, medians of {options.repeat}"
    for shape in SHAPES:
        yield title, {"shape": shape} | _row(cost, shape, n, options.repeat)
    n = 50_000 if options.quick else 1_000_000
    title = f"Memory of the engine with {n:,} tasks, and what that makes for ten million"
    for how in ("called at once", "in rounds"):
        yield title, {"tasks": how} | _row(weigh, how, n)
    title = "What one channel carries, both ends on one core"
    for kind in ("plain", "encrypted"):
        yield title, {"channel": kind} | _row(carry, kind, 100 if options.quick else 1000)


def _row(fn: object, *args: object) -> Row:
    try:
        row: Row = fresh.run(fn, *args)  # type: ignore[arg-type]
    except fresh.Failed as error:
        return {"failed": str(error)}
    return row


def cost(shape: str, n: int, repeat: int) -> Row:
    """One shape."""
    return asyncio.run(_cost(shape, n, repeat))


async def _cost(shape: str, n: int, repeat: int) -> Row:
    backend = Simulated()
    async with WorkflowEngine(backend) as engine:
        task = engine.function_task(nothing)
        tasks = size(SHAPES[shape], n)
        await asyncio.gather(*SHAPES[shape](task, n // 10))
        engine_us, agents_us = [], []
        before = backend.sent()
        for _ in range(repeat):
            gc.collect()
            used, began = backend.seconds(), thread_time()
            await asyncio.gather(*SHAPES[shape](task, n))
            seconds, used = thread_time() - began, backend.seconds() - used
            engine_us.append((seconds - used) / tasks * 1e6)
            agents_us.append(used / tasks * 1e6)
        messages, there, back = (after - each for after, each in zip(backend.sent(), before, strict=True))
    all_tasks = tasks * repeat
    return {
        "engine_us": median(engine_us),
        "agents_us": median(agents_us),
        "bytes_there": there / all_tasks,
        "bytes_back": back / all_tasks,
        "tasks_a_message": all_tasks / messages,
        "workers_at_most": round(1e6 / median(engine_us)),
        "engine_samples_us": engine_us,
    }


def weigh(how: str, n: int) -> Row:
    """What the process grows by, while all futures are held, or with the record of them alone."""
    return asyncio.run(_weigh(how, n))


async def _weigh(how: str, n: int) -> Row:
    async with WorkflowEngine(Simulated()) as engine:
        task = engine.function_task(nothing)
        await asyncio.gather(*[task() for _ in range(_ROUND)])
        gc.collect()
        before = resident()
        if how == "called at once":
            futures = [task() for _ in range(n)]
            called = resident()
            await asyncio.gather(*futures)
            grown = max(called, resident()) - before
            del futures
        else:
            for _ in range(n // _ROUND):
                await asyncio.gather(*[task() for _ in range(_ROUND)])
            gc.collect()
            grown = resident() - before
    return {
        "grown_mb": grown / _MB,
        "bytes_a_task": grown / n,
        "ten_million_gb": grown / n * _TEN_MILLION / 2**30,
    }


def carry(kind: str, megabytes: int) -> Row:
    """Large messages, and small ones."""
    return asyncio.run(_carry(kind, megabytes))


async def _carry(kind: str, megabytes: int) -> Row:
    tls = TLS.for_this_run() if kind == "encrypted" else None
    came: asyncio.Future[Channel] = asyncio.get_running_loop().create_future()
    token = bytes(32)
    listener = Listener(token, joined=lambda channel, _: came.set_result(channel), refused=print, tls=tls)
    await listener.start()
    channel, _ = await dial(Lease(listener.addresses, token, None if tls is None else tls.certificate))
    there = await came
    large = await _flow(channel, there, bytes(_MB), megabytes)
    small = await _flow(channel, there, bytes(100), megabytes * 100)
    channel.close()
    await channel.gone
    await listener.close()
    return {"mb_a_second": megabytes / large, "small_us": small / (megabytes * 100) * 1e6}


async def _flow(channel: TcpChannel, there: Channel, message: bytes, count: int) -> float:
    left, over = count, asyncio.get_running_loop().create_future()

    def received(_: Message) -> None:
        nonlocal left
        left -= 1
        if not left:
            over.set_result(None)

    there.listen(received, lambda why: None)
    began = thread_time()
    for _ in range(count):
        channel.send(message)
        await channel.drained()
    await over
    return thread_time() - began
