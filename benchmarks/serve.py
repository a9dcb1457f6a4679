"""What a service costs: a job over the bare block, a request over HTTP, its end with many who wait, what it keeps."""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import sys
import tracemalloc
from contextlib import AsyncExitStack
from functools import partial
from time import perf_counter, process_time
from typing import Any, Final

from asyncflow import WorkflowEngine
from asyncflow.serve import Service

from . import fresh
from .measuring import Options, Row, Rows, compared, in_turns, judged

NOTE = (
    "A job: CPU us of a block that does nothing, submitted and waited for, beside a call of it. Requests: what a "
    "core answers in a second of CPU of the server's process, with 16 clients in another. End: ms until all who wait "
    "on the line are answered and the server is gone. Memory: what jobs leave where 100 are kept, without a report."
)
_TOKEN: Final = "a-secret-of-the-benchmark"
_CLIENTS: Final = 16
_HEAD: Final = f"Host: localhost\r\nAuthorization: Bearer {_TOKEN}\r\n"
_REQUESTS: Final = {
    "health": "GET /healthz HTTP/1.1\r\nHEAD\r\n",
    "a job that is over": "GET /nothing/x HTTP/1.1\r\nHEAD\r\n",
    "its result": "GET /nothing/x/result?wait=30 HTTP/1.1\r\nHEAD\r\n",
    "submit a job": "POST /nothing HTTP/1.1\r\nHEADContent-Type: application/json\r\nContent-Length: 9\r\n\r\n"
    '{"of": 1}',
    "refused: no token": "GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n",
}


def measure(options: Options) -> Rows:
    """One table each."""
    count = 2_000 if options.quick else 20_000
    for concurrency in (8, 1_000):
        yield (
            "A job",
            _row({"jobs at once": concurrency}, a_job, concurrency, min(count, options.n), options.repeat),
        )
    for parser in ("httptools", "h11"):
        for what in _REQUESTS:
            row: Row = {"parser": parser, "request": what}
            yield "Requests", _row(row, requests, parser, what, count // 2)
    for waiters in (10, 100 if options.quick else 400):
        yield "End", _row({"who wait": waiters}, the_end, waiters)
    yield "Memory", _row({"jobs": count, "kept": 100}, memory, count)


def _row(row: Row, fn: Any, *args: Any) -> Row:
    try:
        return {**row, **fresh.run(fn, *args, timeout=300)}
    except fresh.Failed as error:
        return {**row, "failed": str(error)}


async def nothing(of: int) -> int:
    """What a job does."""
    return of


# -- a job --------------------------------------------------------------------------------------------------


def a_job(concurrency: int, count: int, repeat: int) -> Row:
    """One row."""
    return asyncio.run(_a_job(concurrency, count, repeat))


async def _a_job(concurrency: int, count: int, repeat: int) -> Row:
    async with WorkflowEngine() as engine:
        block = engine.block(nothing)
        service = engine.serve(block, concurrency=concurrency, queue=count, keep_most=100)

        async def ours() -> float:
            began = process_time()
            jobs = [service.submit(number) for number in range(count)]
            await asyncio.gather(*(job.result() for job in jobs))
            return (process_time() - began) / count * 1e6

        async def bare() -> float:
            began = process_time()
            await asyncio.gather(*[block(number) for number in range(count)])
            return (process_time() - began) / count * 1e6

        await ours(), await bare()
        samples = await in_turns({"ours": ours, "bare": bare}, repeat)
    row = compared("us", samples["ours"], samples["bare"])
    over = row["ours_us"] - row["bare_us"]
    return {**row, "over_us": over, **judged("over_us", over, 100)}


# -- requests -----------------------------------------------------------------------------------------------


def requests(parser: str, what: str, count: int) -> Row:
    """One row."""
    if parser == "h11":
        sys.modules["httptools"] = None  # type: ignore[assignment]
    return asyncio.run(_requests(what, count))


async def _requests(what: str, count: int) -> Row:
    async with AsyncExitStack() as stack:
        service, port = await _served(stack, count)
        service.submit(1, id="x")
        context = multiprocessing.get_context("spawn")
        for size in (count // 10, count):  # the first to warm up
            client = context.Process(target=_client, args=(port, what, size))
            began, cpu = perf_counter(), process_time()
            client.start()
            await asyncio.to_thread(client.join)
            seconds = process_time() - cpu
            if client.exitcode:
                raise RuntimeError(f"the client ended with {client.exitcode}")
    each = seconds / count
    row = {"us": each * 1e6, "a second": round(1 / each), "took_s": perf_counter() - began}
    return {**row, "target a second": 3_000, "met": 1 / each >= 3_000}


async def _served(stack: AsyncExitStack, queue: int) -> tuple[Service[int], int]:
    from asyncflow.serve.http import Server, asgi

    engine = await stack.enter_async_context(WorkflowEngine())
    service = engine.serve(engine.block(nothing), queue=queue, keep_most=1_000)
    server = await stack.enter_async_context(Server(asgi(service, token=_TOKEN), port=0))
    return service, int(server.url.rpartition(":")[2])


def _client(port: int, what: str, count: int) -> None:
    asyncio.run(_clients(port, what, count))


async def _clients(port: int, what: str, count: int) -> None:
    request = _REQUESTS[what].replace("HEAD", _HEAD).encode()
    await asyncio.gather(*(_ask(port, request, count // _CLIENTS) for _ in range(_CLIENTS)))


async def _ask(port: int, request: bytes, count: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(count):
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        if head[9:12] not in {b"200", b"202", b"401"}:
            raise RuntimeError(head.decode())
        size = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        await reader.readexactly(int(size))
    writer.close()


# -- its end, and what it keeps -----------------------------------------------------------------------------


def the_end(waiters: int) -> Row:
    """One row."""
    return asyncio.run(_the_end(waiters))


async def _the_end(waiters: int) -> Row:
    opened = asyncio.Event()

    async def held() -> None:
        await opened.wait()

    from asyncflow.serve.http import Server, asgi

    async with WorkflowEngine() as engine:
        service = engine.serve(engine.block(held))
        job = service.submit(id="x")
        async with Server(asgi(service, token=_TOKEN), port=0, grace=60) as server:
            port = int(server.url.rpartition(":")[2])
            ask = partial(_ask, port, f"GET /held/x/result?wait=60 HTTP/1.1\r\n{_HEAD}\r\n".encode(), 1)
            asking = [asyncio.create_task(ask()) for _ in range(waiters)]
            while len(job._waiters) < waiters:
                await asyncio.sleep(0.01)
            began = perf_counter()
        took = (perf_counter() - began) * 1e3
        await asyncio.gather(*asking)
        opened.set()
        began = perf_counter()
        await service.drain(10)
        drained = (perf_counter() - began) * 1e3
    return {"answered_and_gone_ms": took, "drained_ms": drained, **judged("ms", took + drained, 1_000)}


def memory(count: int) -> Row:
    """One row."""
    return asyncio.run(_memory(count))


async def _memory(count: int) -> Row:
    async with WorkflowEngine(report_limit=0) as engine:
        service = engine.serve(engine.block(nothing), queue=count, keep_most=100)
        await _many(service, 1_000)
        tracemalloc.start()
        sizes = [await _many(service, count) for _ in range(2)]
    each = (sizes[1] - sizes[0]) / count
    return {"held_KB": sizes[0] / 1e3, "B for one more": each, **judged("B for one more", each, 40)}


async def _many(service: Service[int], count: int) -> int:
    """Submit jobs and wait for them; the bytes that are held then."""
    for begin in range(0, count, 1_000):
        jobs = [service.submit(number) for number in range(begin, begin + 1_000)]
        await asyncio.gather(*(job.result() for job in jobs))
    del jobs
    gc.collect()
    return tracemalloc.get_traced_memory()[0]
