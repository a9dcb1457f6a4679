"""Services over HTTP: what is answered, and what is refused before anything looks at it."""

from __future__ import annotations

import asyncio
import enum
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID

import httpx
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.routing import Mount

from asyncflow import WorkflowEngine
from asyncflow.serve import Service
from asyncflow.serve.http import Server, asgi

TOKEN = "a-secret-of-ours"
BEARER = {"authorization": f"Bearer {TOKEN}"}


class Colour(enum.Enum):
    RED = "red"


@dataclass
class Point:
    x: int
    y: float = 0.5


def add(a: int, b: int = 1) -> int:
    """Add two numbers.

    More of it.
    """
    return a + b


def takes_all(path: Path, colour: Colour, point: Point, many: list[int], more: Any = None) -> list[str]:
    return [type(path).__name__, colour.name, str(point.x + point.y), str(sum(many)), repr(more)]


def odd(what: str) -> object:
    if what == "fail":
        raise ValueError("no luck")
    return {1, 2} if what == "set" else float("nan") if what == "nan" else what


class Kit:
    """An engine with services, and a client of their application."""

    def __init__(self) -> None:
        self.engine = WorkflowEngine()
        self.gate = asyncio.Event()

        @self.engine.block
        async def held(name: str) -> str:
            await self.gate.wait()
            return name

        make = self.engine.function_task
        self.services: dict[str, Service[Any]] = {
            "add": self.engine.serve(make(add), keep_most=2),
            "takes_all": self.engine.serve(make(takes_all)),
            "odd": self.engine.serve(make(odd)),
            "held": self.engine.serve(held, concurrency=1, queue=1),
        }
        self.app = asgi(*self.services.values(), token=TOKEN)
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app), base_url="http://localhost", headers=BEARER
        )

    async def done(self, path: str, /, **arguments: object) -> dict[str, Any]:
        answer = await self.client.post(path, json=arguments)
        assert answer.status_code == 202, answer.text
        told = await self.client.get(answer.headers["location"] + "/result?wait=30")
        assert told.status_code == 200
        body: dict[str, Any] = told.json()
        return body


@pytest.fixture
async def kit() -> AsyncIterator[Kit]:
    made = Kit()
    async with made.engine, made.client:
        yield made
        made.gate.set()


# -- jobs -------------------------------------------------------------------------------------------------


async def test_a_job_is_submitted_waited_for_and_shown(kit: Kit) -> None:
    told = await kit.done("/add", a=2, b=3)
    assert told == {"id": told["id"], "state": "SUCCEEDED", "seconds": told["seconds"], "value": 5}
    assert (await kit.client.get(f"/add/{told['id']}")).json() == told
    assert (await kit.client.get("/add?state=SUCCEEDED&limit=5")).json() == {
        "counts": {"running": 0, "waiting": 0, "kept": 1},
        "jobs": [told],
    }


async def test_arguments_are_read_by_their_annotations(kit: Kit) -> None:
    told = await kit.done("/takes_all", path="/x", colour="red", point={"x": 1}, many=[1, 2], more={"a": [1]})
    assert told["value"] == ["PosixPath", "RED", "1.5", "3", "{'a': [1]}"]


@pytest.mark.parametrize(
    ("path", "body", "why"),
    [
        ("/add", "{", "the body is no JSON"),
        ("/add", '{"a": NaN}', "NaN is no number of JSON"),
        ("/add", "[" * 50_000, "the body is no JSON"),
        ("/add", "[]", "an object with the arguments of add by name is needed"),
        ("/add", '{"a": "2"}', "argument 'a' of add: Input should be a valid integer"),
        ("/add", '{"a": 1, "c": 2}', "add takes no argument 'c'; it takes: a, b"),
        ("/add", "{}", "add() missing a required argument: 'a'"),
        ("/takes_all", '{"point": {"x": "y"}}', "argument 'point' of takes_all['x']: Input should be"),
        ("/takes_all", '{"colour": "blue"}', "argument 'colour' of takes_all: Input should be 'red'"),
    ],
)
async def test_arguments_that_are_not_the_tasks_are_told_by_name(
    kit: Kit, path: str, body: str, why: str
) -> None:
    answer = await kit.client.post(path, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400 and why in answer.json()["error"]


async def test_failures_and_values_that_are_no_json_are_told(kit: Kit) -> None:
    failed = await kit.done("/odd", what="fail")
    assert failed["state"] == "FAILED" and failed["error"] == {"type": "ValueError", "message": "no luck"}
    assert "traceback" not in failed
    for what in ("set", "nan"):
        told = await kit.done("/odd", what=what)
        assert told["state"] == "SUCCEEDED" and "the value is no JSON" in told["unsendable"]


async def test_tracebacks_are_told_only_in_debug(kit: Kit) -> None:
    app = kit.services["odd"].asgi(token=None, debug=True)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        job = (await client.post("/odd", json={"what": "fail"})).json()["id"]
        told = (await client.get(f"/odd/{job}/result?wait=30")).json()
    assert "test_http.py" in told["traceback"]


async def test_one_key_is_one_job(kit: Kit) -> None:
    key = {"idempotency-key": "order-17"}
    first = await kit.client.post("/add", json={"a": 1}, headers=key)
    again = await kit.client.post("/add", json={"a": 1}, headers=key)
    other = await kit.client.post("/add", json={"a": 2}, headers=key)
    assert first.headers["location"] == again.headers["location"] == "/add/order-17"
    assert other.status_code == 409


@pytest.mark.parametrize("key", ["a/b", "a b", "%2F", "é?#", "result", "a/result", "x" * 255])
async def test_a_job_is_found_under_whatever_id_it_has(kit: Kit, key: str) -> None:
    answer = await kit.client.post("/add", json={"a": 1}, headers={"idempotency-key": key.encode("latin-1")})  # type: ignore[dict-item]
    place = answer.headers["location"]
    told = (await kit.client.get(f"{place}/result?wait=30")).json()
    assert (told["id"], told["state"], told["value"]) == (key, "SUCCEEDED", 2)
    assert (await kit.client.get(place)).json() == told


async def test_a_key_is_the_same_id_in_a_header_and_in_a_path(kit: Kit) -> None:
    key = "Straße 17 ✓"
    answer = await kit.client.post("/add", json={"a": 1}, headers={"idempotency-key": key.encode()})  # type: ignore[dict-item]
    assert answer.json()["id"] == key and kit.services["add"].job(key).id == key
    assert (await kit.client.get(f"/add/{quote(key)}")).status_code == 200


@pytest.mark.parametrize("key", ["", ".", "..", "x" * 256])
async def test_an_id_that_no_path_can_have_is_refused(kit: Kit, key: str) -> None:
    answer = await kit.client.post("/add", json={"a": 1}, headers={"idempotency-key": key})
    assert answer.status_code == 400 and "1 to 255 characters" in answer.json()["error"]


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("state=DONE", "state=: one of QUEUED, RUNNING"),
        ("limit=" + "9" * 5000, "limit=: a whole number from 1 to 1000 is needed"),
        ("limit=%C2%B2", "limit=: a whole number"),
    ],
)
async def test_a_list_that_cannot_be_is_told_and_not_empty(kit: Kit, query: str, told: str) -> None:
    answer = await kit.client.get(f"/add?{query}")
    assert answer.status_code == 400 and told in answer.json()["error"]


async def test_what_is_open_to_all_tells_nothing_of_services(kit: Kit) -> None:
    del kit.client.headers["authorization"]
    assert (await kit.client.get("/healthz")).status_code == 200
    for method, path in (("POST", "/healthz"), ("GET", "/%68ealthz"), ("GET", "/healthz/"), ("GET", "/")):
        assert (await kit.client.request(method, path)).status_code == 401


async def test_arguments_without_a_name_are_given_by_name_too() -> None:
    def power(base: int, exponent: int = 2, /, *, plus: int = 0) -> int:
        return base**exponent + plus

    async with WorkflowEngine() as engine:
        app = engine.serve(engine.function_task(power)).asgi(token=None)
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://localhost"
        ) as client:
            place = (await client.post("/power", json={"plus": 1, "exponent": 3, "base": 2})).headers[
                "location"
            ]
            assert (await client.get(f"{place}/result?wait=30")).json()["value"] == 9
            assert (await client.post("/power", json={"plus": 1})).status_code == 400


async def test_full_unknown_given_up_and_draining_have_their_own_answers(kit: Kit) -> None:
    for name in "ab":
        assert (await kit.client.post("/held", json={"name": name})).status_code == 202
    full = await kit.client.post("/held", json={"name": "c"})
    assert full.status_code == 429 and int(full.headers["retry-after"]) >= 1
    assert (await kit.client.get("/add/never")).status_code == 404
    jobs = [await kit.done("/add", a=number) for number in range(3)]
    assert (await kit.client.get(f"/add/{jobs[0]['id']}")).status_code == 410
    assert (await kit.client.post("/other", json={})).status_code == 404
    assert (await kit.client.get("/a/b/c/d")).status_code == 404
    assert (await kit.client.put("/add")).status_code == 405
    assert (await kit.client.get("/add?limit=0")).status_code == 400
    assert (await kit.client.get(f"/add/{jobs[2]['id']}/result?wait=1e9")).status_code == 400
    await kit.services["add"].drain()
    assert (await kit.client.post("/add", json={"a": 1})).status_code == 503
    assert (await kit.client.get("/healthz")).json() == {"status": "draining"}


async def test_a_job_is_cancelled(kit: Kit) -> None:
    place = (await kit.client.post("/held", json={"name": "a"})).headers["location"]
    assert (await kit.client.get(f"{place}/result")).status_code == 202
    assert (await kit.client.post(f"{place}/cancel")).json()["state"] == "CANCELLED"
    told = (await kit.client.get(f"{place}/result")).json()
    assert told["error"]["type"] == "JobCancelled"


async def test_who_stops_waiting_cancels_nothing(kit: Kit) -> None:
    place = (await kit.client.post("/held", json={"name": "a"})).headers["location"]
    waiting = asyncio.create_task(kit.client.get(f"{place}/result?wait=30"))
    while not kit.services["held"].jobs()[0]._waiters:
        await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    kit.gate.set()
    assert (await kit.client.get(f"{place}/result?wait=30")).json()["value"] == "a"


async def test_the_application_describes_itself(kit: Kit) -> None:
    told = (await kit.client.get("/openapi.json")).json()
    post = told["paths"]["/add"]["post"]
    assert post["summary"] == "Add two numbers."
    schema = post["requestBody"]["content"]["application/json"]["schema"]
    assert schema["required"] == ["a"] and schema["properties"]["b"] == {"type": "integer", "default": 1}
    point = told["paths"]["/takes_all"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert point["properties"]["point"] == {"$ref": "#/components/schemas/argument.Point"}


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/add", "GET, HEAD, POST"),
        ("OPTIONS", "/add/x/cancel", "POST"),
        ("DELETE", "/healthz", "GET, HEAD"),
        ("POST", "/add/x/result", "GET, HEAD"),
    ],
)
async def test_a_method_that_is_not_for_a_path_is_told_with_those_that_are(
    kit: Kit, method: str, path: str, allowed: str
) -> None:
    answer = await kit.client.request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


async def test_an_application_inside_of_another_has_its_paths_below_that_ones(kit: Kit) -> None:
    around = Starlette(routes=[Mount("/jobs", kit.app)])
    transport = httpx.ASGITransport(around)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost/jobs") as client:
        assert (await client.get("/healthz")).json() == {"status": "ok"}
        assert (await client.get("/add")).status_code == 401
        client.headers.update(BEARER)
        place = (await client.post("/add", json={"a": 1})).headers["location"]
        assert place.startswith("/jobs/add/")
        told = await client.get(f"http://localhost{place}/result?wait=30")
        assert told.json()["value"] == 2
        assert (await client.get("/openapi.json")).json()["servers"] == [{"url": "/jobs"}]


async def test_values_are_told_as_they_would_be_read() -> None:
    class Model(BaseModel):
        point: Point

    values: list[object] = [
        [Point(1), Model(point=Point(2))],
        {"path": Path("/x"), "colour": Colour.RED, "id": UUID(int=1), "price": Decimal("1.50")},
        [datetime(2026, 1, 31, 12), date(2026, 1, 31), timedelta(hours=1)],
        [np.float64(0.5), np.int64(2), np.array([[1, 2]])],
        [Point],
        np.array([float("nan")]),
        {(1, 2): 3},
    ]
    async with WorkflowEngine() as engine:
        service = engine.serve(engine.function_task(name="give")(lambda at: values[at]), concurrency=1)
        transport = httpx.ASGITransport(asgi(service, token=None))
        jobs = [service.submit(at, id=str(at)) for at in range(len(values))]
        await asyncio.gather(*(job.ended() for job in jobs))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            told = (await client.get("/give")).json()["jobs"][::-1]
    assert [each.get("value") for each in told] == [
        [{"x": 1, "y": 0.5}, {"point": {"x": 2, "y": 0.5}}],
        {"path": "/x", "colour": "red", "id": "00000000-0000-0000-0000-000000000001", "price": "1.50"},
        ["2026-01-31T12:00:00", "2026-01-31", "PT1H"],
        [0.5, 2, [[1, 2]]],
        None,
        None,
        None,
    ]
    assert ["unsendable" in each for each in told] == [False] * 4 + [True] * 3


async def test_a_value_that_cannot_be_looked_at_is_told_as_any_that_cannot_be_sent() -> None:
    class Own(dict[str, int]):
        def items(self) -> Any:
            raise KeyError("none of yours")

    async with WorkflowEngine() as engine:
        service = engine.serve(engine.function_task(name="own")(lambda: Own(a=1)))
        transport = httpx.ASGITransport(asgi(service, token=None))
        await service.submit(id="x").result()
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            told = (await client.get("/own/x")).json()
    assert told["state"] == "SUCCEEDED" and "none of yours" in told["unsendable"]


# -- refusals ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([("host", "localhost"), ("host", "evil")], 400),
        ([("host", "localhost"), ("authorization", "Bearer x"), *BEARER.items()], 400),
        ([("host", "evil.example"), *BEARER.items()], 421),
        ([("host", "localhost.evil.example"), *BEARER.items()], 421),
        ([("host", "localhost:evil.example"), *BEARER.items()], 421),
        ([("host", "localhost:80@evil.example"), *BEARER.items()], 421),
        ([("host", "[::1].evil.example"), *BEARER.items()], 421),
        ([*BEARER.items()], 421),
        ([("host", "localhost"), ("content-encoding", "gzip"), *BEARER.items()], 415),
        ([("host", "localhost"), ("origin", "http://localhost"), *BEARER.items()], 403),
        ([("host", "localhost"), ("sec-fetch-site", "cross-site"), *BEARER.items()], 403),
        ([("host", "localhost"), ("sec-fetch-site", "same-site"), *BEARER.items()], 403),
        ([("host", "localhost")], 401),
        ([("host", "localhost"), ("authorization", "Bearer wrong")], 401),
        ([("host", "localhost"), ("authorization", f"Basic {TOKEN}")], 401),
        ([("host", "localhost"), ("content-type", "text/plain"), *BEARER.items()], 415),
        (
            [("host", "localhost"), ("content-type", "application/x-www-form-urlencoded"), *BEARER.items()],
            415,
        ),
        ([("host", "localhost"), ("content-length", "2000000"), *BEARER.items()], 413),
        ([("host", "localhost"), ("content-length", "9" * 5000), *BEARER.items()], 413),
        ([("host", "localhost"), ("transfer-encoding", "chunked"), ("content-length", "8")], 400),
        ([("host", "localhost"), ("sec-fetch-site", "cross-site"), ("sec-fetch-site", "none")], 400),
        ([("host", "localhost"), ("idempotency-key", "a"), ("idempotency-key", "b")], 400),
        (
            [
                ("host", "localhost:8000"),
                ("content-type", "application/json; charset=utf-8"),
                *BEARER.items(),
            ],
            202,
        ),
    ],
)
async def test_what_is_wrong_is_refused_before_anything_looks_at_it(
    kit: Kit, headers: list[tuple[str, str]], status: int
) -> None:
    assert await asked(kit.app, headers, b'{"a": 1}') == [status]
    assert len(kit.services["add"].jobs()) == (status == 202)


async def asked(app: Any, headers: list[tuple[str, str]], body: bytes, most: int = 1) -> list[int]:
    """The statuses of all answers to one request, of which there must be one."""
    pieces = [body[place : place + most] for place in range(0, len(body), most)] or [b""]
    messages = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    messages[-1]["more_body"] = False
    statuses: list[int] = []

    async def receive() -> Any:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/add",
        "raw_path": b"/add",
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "headers": [(name.encode(), value.encode()) for name, value in headers],
    }
    await app(scope, receive, send)
    return statuses


async def test_a_body_that_grows_beyond_what_it_may_be_has_one_answer(kit: Kit) -> None:
    headers = [("host", "localhost"), *BEARER.items()]
    assert await asked(kit.app, headers, b" " * 3_000_000, most=100_000) == [413]
    assert await asked(kit.app, [*headers, ("content-length", "ten")], b"{}") == [413]


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["host", "authorization", "origin", "content-type", "content-length", "x"]),
            st.sampled_from(["localhost", f"Bearer {TOKEN}", "application/json", "8", "", "\x00", "é"]),
        )
    ),
    st.binary(max_size=30) | st.just(b'{"a": 1}'),
)
async def test_whatever_is_asked_has_one_answer_and_none_is_of_the_servers_own_fault(
    kit: Kit, headers: list[tuple[str, str]], body: bytes
) -> None:
    [status] = await asked(kit.app, headers, body, most=7)
    assert status in {202, 400, 401, 403, 413, 415, 421, 429}


def test_a_token_that_is_easily_guessed_is_refused() -> None:
    engine = WorkflowEngine()
    service = engine.serve(engine.function_task(add))
    with pytest.raises(ValueError, match="at least 8 characters"):
        service.asgi(token="")
    with pytest.raises(ValueError, match="cannot be called 'healthz' here"):
        asgi(engine.serve(engine.function_task(name="healthz")(add)), token=TOKEN)
    with pytest.raises(ValueError, match="two services are called 'add'"):
        asgi(service, engine.serve(engine.function_task(add)), token=TOKEN)


@pytest.mark.parametrize(
    ("hosts", "told"),
    [
        ("example.org", "a list of names is needed:  hosts=..example.org"),
        (["example.org:8000"], "one without a port is needed"),
        (["http://example.org"], "one without a port is needed"),
        ([b"example.org"], "text is needed"),
        (7, "a list of names is needed"),
    ],
)
def test_hosts_that_no_request_can_name_are_refused(hosts: Any, told: str) -> None:
    engine = WorkflowEngine()
    with pytest.raises((TypeError, ValueError), match=told):
        engine.serve(engine.function_task(add)).asgi(token=TOKEN, hosts=hosts)


@pytest.mark.parametrize(
    ("host", "asked"), [("2001:DB8::1", "[2001:db8::1]:80"), ("Example.ORG", "example.org"), ("::1", "[::1]")]
)
async def test_a_host_is_the_same_however_it_is_written(kit: Kit, host: str, asked: str) -> None:
    transport = httpx.ASGITransport(asgi(kit.services["add"], token=TOKEN, hosts=[host]))
    async with httpx.AsyncClient(transport=transport, base_url="http://x", headers=BEARER) as client:
        assert (await client.get("/add", headers={"host": asked})).status_code == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "example.org", "10.0.0.1"])
def test_other_machines_are_not_served_in_clear(host: str) -> None:
    engine = WorkflowEngine()
    app = engine.serve(engine.function_task(add)).asgi(token=TOKEN)
    with pytest.raises(ValueError, match="certfile= and keyfile=, or say insecure=True"):
        Server(app, host=host)
    Server(app, host=host, insecure=True)


def test_a_certificate_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    engine = WorkflowEngine()
    app = engine.serve(engine.function_task(add)).asgi(token=TOKEN)
    (tmp_path / "cert.pem").write_text("no certificate")
    for name in ("none.pem", "cert.pem"):
        with pytest.raises(OSError, match=name):
            Server(app, certfile=tmp_path / name)


# -- on the line ------------------------------------------------------------------------------------------


async def test_a_server_answers_and_ends_with_all_who_wait_on_the_line(kit: Kit) -> None:
    server = Server(kit.app, port=0)
    async with server, httpx.AsyncClient(headers=BEARER, timeout=60) as client:
        place = (await client.post(f"{server.url}/held", json={"name": "a"})).headers["location"]
        waiting = asyncio.create_task(client.get(f"{server.url}{place}/result?wait=60"))
        while not kit.services["held"].jobs()[0]._waiters:
            await asyncio.sleep(0.001)
        kit.app.stop_waiting()
        assert (await waiting).status_code == 202
    with pytest.raises(OSError):
        await asyncio.open_connection(*server.url.removeprefix("http://").split(":"))


async def test_the_end_of_a_server_ends_the_waits_of_its_own_requests_alone(kit: Kit) -> None:
    around = Starlette(routes=[Mount("/jobs", kit.app)])
    job = kit.services["held"].submit("a", id="a")
    async with httpx.AsyncClient(headers=BEARER, timeout=60) as client, Server(kit.app, port=0) as other:
        async with Server(around, port=0) as server:
            ended = asyncio.create_task(client.get(f"{server.url}/jobs/held/a/result?wait=60"))
            stays = asyncio.create_task(client.get(f"{other.url}/held/a/result?wait=60"))
            while len(job._waiters) < 2:
                await asyncio.sleep(0.001)
        assert (await ended).status_code == 202 and not stays.done()
        async with Server(kit.app, port=0) as later:
            waits = asyncio.create_task(client.get(f"{later.url}/held/a/result?wait=60"))
            while len(job._waiters) < 2:
                await asyncio.sleep(0.001)
            kit.gate.set()
            assert [(await each).status_code for each in (waits, stays)] == [200, 200]


async def test_clients_that_say_nothing_hold_up_no_other(kit: Kit) -> None:
    async with Server(kit.app, port=0, grace=1) as server:
        host, port = server.url.removeprefix("http://").split(":")
        silent = [await asyncio.open_connection(host, port) for _ in range(100)]
        for _, writer in silent[:50]:
            writer.write(b"POST /add HTTP/1.1\r\nHost: localhost\r\nContent-Le")
        async with httpx.AsyncClient(base_url=server.url, headers=BEARER) as client:
            assert (await client.post("/add", json={"a": 1})).status_code == 202
        for _, writer in silent:
            writer.close()


async def test_a_server_that_is_over_listens_again(kit: Kit) -> None:
    server = Server(kit.app, port=0)
    async with httpx.AsyncClient(headers=BEARER, timeout=60) as client:
        for name in "ab":
            async with server:
                with pytest.raises(RuntimeError, match=r"listens on .* already"):
                    await server.__aenter__()
                kit.gate.clear()
                place = (await client.post(f"{server.url}/held", json={"name": name})).headers["location"]
                waiting = asyncio.create_task(client.get(f"{server.url}{place}/result?wait=60"))
                while not kit.services["held"].jobs()[0]._waiters:
                    await asyncio.sleep(0.001)
                kit.gate.set()
                assert (await waiting).json()["value"] == name


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"port": "x"}, "port='x': a whole number is needed"),
        ({"port": -1}, "port=-1: a whole number is needed, 0 or more"),
        ({"port": 70_000}, "port=70000: it is 65535 at most"),
        ({"host": None}, "text is needed"),
        ({"grace": float("inf")}, "grace=inf: it takes seconds"),
        ({"patience": 0}, "patience=0: it takes seconds, more than 0"),
        ({"keyfile": "key.pem"}, "the certificate is needed, too"),
    ],
)
def test_a_server_that_could_not_serve_is_told_when_it_is_made(
    kit: Kit, options: dict[str, Any], told: str
) -> None:
    with pytest.raises((TypeError, ValueError), match=told):
        Server(kit.app, **options)


def test_what_is_no_service_has_no_application() -> None:
    engine = WorkflowEngine()
    task: Any = engine.function_task(add)
    with pytest.raises(TypeError, match=r"a service is needed:  engine.serve\(\.\.\.\)"):
        asgi(task, token=TOKEN)
    with pytest.raises(TypeError, match=r"a service is needed:  asgi\(\*services"):
        asgi([engine.serve(task)], token=TOKEN)  # type: ignore[arg-type]


async def test_two_servers_on_one_port_are_told(kit: Kit) -> None:
    async with Server(kit.app, port=0) as server:
        port = int(server.url.rpartition(":")[2])
        with pytest.raises(OSError, match=f"could not listen on 127.0.0.1:{port}"):
            async with Server(kit.app, port=port):
                pass


@pytest.mark.parametrize("missing", ["starlette", "uvicorn", "pydantic"])
def test_without_its_extra_http_says_what_to_install(missing: str) -> None:
    code = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "try:\n    import asyncflow.serve.http.server\nexcept ImportError as error:\n    print(error)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert f"needs {missing}" in told
    assert 'pip install "asyncflow-engine[serve]"' in told
