"""A service on a real connection: hostile requests, slow clients, many who wait, and its end under all of it."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Iterator
from random import Random
from typing import Any

import httpx
import pytest
import uvicorn.protocols.http.h11_impl
from requests_kit import HEAD, LAST, TOKEN, Asked, answers, request

from asyncflow import WorkflowEngine
from asyncflow.serve import Service
from asyncflow.serve.http import Server, asgi, patience

BEARER = {"authorization": f"Bearer {TOKEN}"}
SIZES = [pytest.param(False, id="few"), pytest.param(True, id="many", marks=pytest.mark.soak)]
POST = b"POST /add HTTP/1.1\r\n" + HEAD + b"Content-Type: application/json\r\nContent-Length: 8\r\n\r\n"
IDLE, SLOW = b"", b"one byte now and then"


def add(a: int, b: int = 1) -> int:
    return a + b


def odd(what: Any) -> object:
    if what == "fail":
        raise ValueError("no luck")
    return {1, 2} if what == "set" else what


class Line:
    """A server on a port of this machine, with services, one of which holds its jobs until the end."""

    def __init__(self) -> None:
        self.engine = WorkflowEngine("sequential")
        self.gate = asyncio.Event()
        self.runs: Counter[int] = Counter()

        @self.engine.block
        async def held(name: str) -> str:
            await self.gate.wait()
            return name

        @self.engine.block
        async def counted(number: int) -> int:
            self.runs[number] += 1
            await asyncio.sleep(0)
            return number

        make = self.engine.function_task
        self.services: dict[str, Service[Any]] = {
            "add": self.engine.serve(make(add), keep_most=100),
            "odd": self.engine.serve(make(odd), keep_most=100),
            "held": self.engine.serve(held, concurrency=500),
            "counted": self.engine.serve(counted),
        }
        self.app = asgi(*self.services.values(), token=TOKEN)

    def server(self, **options: Any) -> Server:
        return Server(self.app, port=0, **options)


@pytest.fixture(params=["httptools", "h11"])
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Uvicorn reads requests by httptools where that is installed, else by h11."""
    if request.param == "h11":
        monkeypatch.setattr(patience, "_Protocol", uvicorn.protocols.http.h11_impl.H11Protocol)
    else:
        pytest.importorskip("httptools")


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    made = Line()
    async with made.engine:
        yield made
        made.gate.set()


@pytest.fixture
def own_faults() -> Iterator[list[str]]:
    """What the server says of faults of its own; that requests are wrong does not count."""
    said: list[str] = []
    hears = logging.Handler(logging.ERROR)
    hears.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    for name in ("uvicorn.error", "asyncio"):
        logging.getLogger(name).addHandler(hears)
    yield said
    for name in ("uvicorn.error", "asyncio"):
        logging.getLogger(name).removeHandler(hears)


@pytest.fixture
def many_files() -> None:
    """As many connections as there may be: both ends of them are here."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4096 if hard == resource.RLIM_INFINITY else min(4096, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def port_of(server: Server) -> int:
    return int(server.url.rpartition(":")[2])


async def whole(waits: list[Awaitable[Any]], at_once: int = 50) -> list[Any]:
    """Await all, so many at a time, none of them for ever."""
    places = asyncio.Semaphore(at_once)

    async def one(wait: Awaitable[Any]) -> Any:
        async with places, asyncio.timeout(60):
            return await wait

    return await asyncio.gather(*map(one, waits))


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize("many", SIZES)
async def test_hostile_requests_get_one_answer_each_at_most_and_none_is_a_fault_of_the_server(
    line: Line, own_faults: list[str], many: bool
) -> None:
    random, last = Random(16), Asked(LAST, True)
    batches = [
        [*(request(random) for _ in range(random.choice((1, 1, 1, 2, 5)))), last]
        for _ in range(5_000 if many else 150)
    ]
    async with line.server(patience=0.5) as server:
        port = port_of(server)
        told = await whole([answers(port, batch, random.choice((1, 1, 3, 50))) for batch in batches])
        assert await answers(port, [last]) == [200]
    count = Counter(status for each in told for status in each)
    assert set(count) <= {200, 202, 400, 401, 403, 404, 405, 409, 410, 413, 415, 421, 429, 431}
    assert not own_faults
    if many:
        print(sum(map(len, batches)), "requests", sorted(count.items()))
        assert sum(map(len, batches)) >= 10_000 and len(count) >= 10


@pytest.mark.usefixtures("parser")
async def test_requests_one_right_behind_the_other_are_answered_in_their_order(line: Line) -> None:
    get = Asked(b"GET /add/never HTTP/1.1\r\n" + HEAD + b"\r\n", True)
    asked = [Asked(POST + b'{"a": 1}', True), get] * 100 + [Asked(LAST, True)]
    async with line.server() as server:
        assert await answers(port_of(server), asked, 17) == [202, 404] * 100 + [200]


SLOW_KINDS = {
    "says nothing": (b"", IDLE),
    "half a line": (b"POST /a", IDLE),
    "a head byte by byte": (POST[:-30], SLOW),
    "half a body": (POST + b'{"a"', IDLE),
    "a body byte by byte": (POST, SLOW),
    "half a chunk": (POST.replace(b"Content-Length: 8", b"Transfer-Encoding: chunked") + b"5\r\n{", IDLE),
    "half of a second request": (POST + b'{"a": 1}' + POST[:20], IDLE),
    "a body that nobody wants": (POST.replace(TOKEN.encode(), b"wrong"), SLOW),
}


@pytest.mark.usefixtures("parser", "many_files")
@pytest.mark.parametrize("many", SIZES)
async def test_slow_clients_hold_up_nobody_and_are_closed_in_time(
    line: Line, own_faults: list[str], many: bool
) -> None:
    kinds = list(SLOW_KINDS.values())

    async def slow(port: int, number: int) -> None:
        begin, kind = kinds[number % len(kinds)]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(begin)
        if number % 3 == 0 and kind is IDLE and b"chunk" not in begin:
            writer.transport.pause_reading()  # type: ignore[attr-defined]  # half open: it hears nothing any more
        dripping = asyncio.create_task(drip(writer)) if kind is SLOW else None
        opened.release()
        if number % 3 == 0 and kind is IDLE and b"chunk" not in begin:
            await normal_over.wait()
            writer.transport.resume_reading()  # type: ignore[attr-defined]
        try:
            while await reader.read(1000):
                pass
        except ConnectionError:
            pass
        finally:
            if dripping is not None:
                dripping.cancel()
            writer.transport.abort()

    async def drip(writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"x")
            await asyncio.sleep(0.2)

    count, opened, normal_over = 500 if many else 40, asyncio.Semaphore(0), asyncio.Event()
    async with line.server(patience=2.0 if many else 1.0) as server:
        slows = [asyncio.create_task(slow(port_of(server), number)) for number in range(count)]
        for _ in slows:
            await opened.acquire()
        async with httpx.AsyncClient(base_url=server.url, headers=BEARER, timeout=60) as client:
            for number in range(count // 2):
                assert (await client.post("/add", json={"a": number})).status_code == 202
        normal_over.set()
        await whole(list(slows), count)  # none is open for ever
    assert not own_faults


@pytest.mark.usefixtures("parser", "many_files")
@pytest.mark.parametrize("many", SIZES)
async def test_all_who_wait_on_the_line_are_answered_at_its_end_which_waits_for_none(
    line: Line, own_faults: list[str], many: bool
) -> None:
    count = 300 if many else 20
    limits = httpx.Limits(max_connections=None)
    server = line.server(grace=300)
    async with (
        asyncio.timeout(60),
        httpx.AsyncClient(headers=BEARER, timeout=60, limits=limits) as client,
        server,
    ):
        stuck = line.services["held"].submit("stuck")
        place = f"{server.url}/held/{stuck.id}/result?wait=60"
        waits = [asyncio.create_task(client.get(place)) for _ in range(count)]
        halves = [await asyncio.open_connection("127.0.0.1", port_of(server)) for _ in range(20)]
        for number, (_, writer) in enumerate(halves):
            writer.write((POST + b'{"a"', POST[:9], b"", POST + b'{"a": 1}')[number % 4])
        while len(stuck._waiters) < count:
            await asyncio.sleep(0.01)
    for answer in await asyncio.gather(*waits):
        assert answer.status_code == 202 and answer.json()["state"] == "RUNNING"
    for _, writer in halves:
        writer.transport.abort()
    assert not stuck._waiters and not own_faults


async def test_a_cancel_of_what_does_not_stop_is_answered_at_the_end_too() -> None:
    begun, opened = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()
    engine = WorkflowEngine()

    @engine.function_task
    def stubborn() -> None:
        loop.call_soon_threadsafe(begun.set)
        opened.wait(60)

    async with engine, asyncio.timeout(60), httpx.AsyncClient(headers=BEARER, timeout=60) as client:
        service = engine.serve(stubborn)
        job = service.submit()
        await begun.wait()
        async with Server(asgi(service, token=TOKEN), port=0, grace=300) as server:
            cancelling = asyncio.create_task(client.post(f"{server.url}/stubborn/{job.id}/cancel"))
            while job.state != "CANCELLING":
                await asyncio.sleep(0.01)
        answer = await cancelling
        assert (answer.status_code, answer.json()["state"]) == (202, "CANCELLING")
        opened.set()
        await job.ended()


async def test_who_goes_away_while_it_waits_is_not_waited_with(line: Line) -> None:
    async with line.server() as server:
        job = line.services["held"].submit("a")
        line_of = b"GET /held/%s/result?wait=60 HTTP/1.1\r\n" % job.id.encode()
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", port_of(server))) as client:
                client.sendall(line_of + HEAD + b"\r\n")
                while not job._waiters:
                    await asyncio.sleep(0.001)
            async with asyncio.timeout(30):
                while job._waiters:
                    await asyncio.sleep(0.001)


@pytest.mark.parametrize("many", SIZES)
async def test_an_id_that_is_raced_on_all_ways_in_runs_once(line: Line, many: bool) -> None:
    ids = range(1000 if many else 30)
    service = line.services["counted"]

    def elsewhere(number: int) -> int:
        result: int = service.threadsafe.submit(number, id=str(number)).result(60)
        return result

    async def here(number: int) -> int:
        result: int = await service.submit(number, id=str(number)).result()
        return result

    async with line.server() as server, httpx.AsyncClient(headers=BEARER, timeout=60) as client:

        async def there(number: int) -> int:
            key = {"idempotency-key": str(number)}
            place = (
                await client.post(f"{server.url}/counted", json={"number": number}, headers=key)
            ).headers["location"]
            value: int = (await client.get(f"{server.url}{place}/result?wait=30")).json()["value"]
            return value

        for number in ids:
            ways = [there(number), there(number), asyncio.to_thread(elsewhere, number), here(number)]
            assert await asyncio.gather(*ways, there(number), here(number)) == [number] * 6
    assert line.runs == Counter(dict.fromkeys(ids, 1))


async def test_an_endless_head_is_not_collected(line: Line) -> None:
    async with line.server() as server:
        _, writer = await asyncio.open_connection("127.0.0.1", port_of(server))
        writer.write(b"GET / HTTP/1.1\r\n")
        with pytest.raises(ConnectionError):
            for _ in range(10_000):
                writer.write(b"X: " + b"x" * 10_000 + b"\r\n")
                await writer.drain()
        writer.transport.abort()
        assert await answers(port_of(server), [Asked(LAST, True)]) == [200]
