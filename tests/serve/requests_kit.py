"""Requests as no client should send them, made at random; and a client that reads what is answered, byte by byte."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

TOKEN = "a-secret-of-ours"
_AUTH = b"Authorization: Bearer " + TOKEN.encode()
HEAD = b"Host: localhost\r\n" + _AUTH + b"\r\n"
LAST = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"

_METHODS = (b"GET", b"POST", b"POST", b"POST", b"PUT", b"HEAD", b"OPTIONS", b"DELETE", b"TRACE", b"PATCH")
_BAD_METHODS = (b"get", b"FOO", b"", b"G ET", b"CONNECT", b"P\x00ST", b"PRI", b"\xff")
_TARGETS = (
    b"/add",
    b"/add",
    b"/odd",
    b"/add?limit=2&state=FAILED",
    b"/add?limit=" + b"9" * 5000,
    b"/add?state=what&limit=%C2%B2",
    b"/add/x",
    b"/add/a%2Fb/result?wait=0",
    b"/add/x/result?wait=nan",
    b"/add/x/cancel",
    b"/add/",
    b"//",
    b"/%2e%2e/%2e%2e/etc/passwd",
    b"/../x",
    b"/%00%ff%",
    b"/healthz",
    b"/%68ealthz",
    b"/openapi.json",
    b"/other",
    b"*",
    b"http://localhost/add",
    b"http://evil.example/add",
    b"?x",
    b"/a b",
    b"/" + b"a" * 9000,
    b"/\xc3\xa9",
    b"/add#part",
    b"localhost:80",
)
_VERSIONS = (b"HTTP/1.1",) * 8 + (b"HTTP/1.0", b"HTTP/2.0", b"HTTP/9", b"http/1.1", b"")
_HEADERS = (
    b"Host: localhost",
    b"Host: evil.example",
    b"host:localhost:8000",
    _AUTH,
    b"Authorization: Bearer wrong",
    b"Authorization: Basic eDp5",
    b"Authorization:",
    b"Origin: http://evil.example",
    b"Origin: null",
    b"Sec-Fetch-Site: cross-site",
    b"Sec-Fetch-Site: same-origin",
    b"Content-Type: application/json",
    b"Content-Type: application/json; charset=utf-16",
    b"Content-Type: text/plain",
    b"Content-Type: multipart/form-data; boundary=x",
    b"Content-Encoding: gzip",
    b"Content-Length: 5",
    b"Content-Length: -1",
    b"Content-Length: +8",
    b"Content-Length: 0x8",
    b"Content-Length: 8, 8",
    b"Content-Length: " + b"9" * 30,
    b"Content-Length: " + b"9" * 5000,
    b"Content-Length: 3000000",
    b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: gzip, chunked",
    b"Transfer-Encoding: identity",
    b"Transfer-Encoding : chunked",
    b"Expect: 100-continue",
    b"Connection: close",
    b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: eA==",
    b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA",
    b"Idempotency-Key: one",
    b"Idempotency-Key: a/b\xe9 %00",
    b"Idempotency-Key: ..",
    b"Idempotency-Key:",
    b"Idempotency-Key: " + b"k" * 300,
    b"X: " + b"x" * 20_000,
    b"X: \x00",
    b"X\xe9: y",
    b"no colon",
    b": no name",
    b"Folded: a\r\n b",
    b"X-Forwarded-Host: evil.example",
    b"Range: bytes=0-1",
)
_BODIES = (
    b'{"a": 1}',
    b'{"a": 1}',
    b'{"a": 1, "b": 2}',
    b'{"a": "x"}',
    b'{"a": ' + b"9" * 5000 + b"}",
    b'{"a": 1e999}',
    b'{"a": NaN}',
    b'{"what": "fail"}',
    b'{"what": "set"}',
    b'{"what": "\\ud800"}',
    b'{"\\ud800": 1}',
    b'{"a": 1, "a": 2}',
    b'{"self": 1}',
    b"{",
    b"[]",
    b"null",
    b"[" * 100_000,
    b'{"what": ' + b"[" * 900 + b"]" * 900 + b"}",
    b"",
    b"\x00\xff\xfe",
    '{"a": 1}'.encode("utf-16"),
    "{\"a\": 'é'}".encode("latin-1"),
    b"\x1f\x8b\x08\x00",
    b"x" * 1_200_000,
)
_WEIGHTS = [4] * (len(_BODIES) - 1) + [1]


@dataclass(frozen=True)
class Asked:
    """One request as it goes over the line."""

    text: bytes
    has_body: bool
    """Whether its answer has one: to HEAD there is none."""


def request(random: Random) -> Asked:
    """A request that may be wrong in any of its parts, or in several."""
    method = random.choice(_METHODS if random.random() < 0.9 else _BAD_METHODS)
    body = random.choices(_BODIES, _WEIGHTS)[0] if random.random() < 0.7 else b""
    headers: list[bytes] = []
    if random.random() < 0.8:
        headers += [b"Host: localhost", _AUTH]
    headers += random.choices(_HEADERS, k=random.choice((0, 0, 0, 1, 1, 2, 6)))
    framing = random.random()
    if framing < 0.6 and body:
        headers.append(b"Content-Length: %d" % len(body))
    elif framing < 0.8 and body:
        headers.append(b"Transfer-Encoding: chunked")
        body = _chunked(random, body)
    random.shuffle(headers)
    line = b" ".join((method, random.choice(_TARGETS), random.choice(_VERSIONS)))
    end = b"\r\n" if random.random() < 0.95 else b"\n"
    text = end.join((line, *headers, b"", b"")) + body
    if random.random() < 0.3:
        text = _damaged(random, text)
    return Asked(text, not text.startswith(b"HEAD"))


def _chunked(random: Random, body: bytes) -> bytes:
    pieces, most = [], random.choice((1000, 100_000))
    for at in range(0, len(body), most):
        piece = body[at : at + most]
        size = b"%x" % (len(piece) if random.random() < 0.95 else random.choice((0, 1 << 70, 3)))
        extension = b";x=y" if random.random() < 0.1 else b""
        pieces.append(size + extension + b"\r\n" + piece + b"\r\n")
    trailer = b"X: y\r\nHost: evil\r\n" if random.random() < 0.1 else b""
    return b"".join(pieces) + b"0\r\n" + trailer + b"\r\n"


def _damaged(random: Random, text: bytes) -> bytes:
    at = random.randrange(min(len(text), 500))
    way = random.random()
    if way < 0.3:
        return text[:at] + bytes([random.randrange(256)]) + text[at + 1 :]
    if way < 0.6:
        return text[:at] + text[at + random.randrange(1, 20) :]
    return text[:at] + text[max(0, at - random.randrange(1, 40)) :]


async def answers(port: int, asked: Sequence[Asked], pieces: int = 1) -> list[int]:
    """Send requests over one connection, one right behind the other, and read until the server ends it.

    Returns:
        The statuses of all answers.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    text = b"".join(each.text for each in asked)
    step = max(1, len(text) // pieces)

    async def send() -> None:
        for at in range(0, len(text), step):
            writer.write(text[at : at + step])
            await writer.drain()

    sending = asyncio.ensure_future(send())
    try:
        return statuses(await reader.read(-1), asked)
    except ConnectionError:
        return []
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        writer.transport.abort()


def statuses(text: bytes, asked: Sequence[Asked]) -> list[int]:
    """The statuses of the answers that a server has sent, one after the other."""
    found: list[int] = []
    while text:
        head, end, text = text.partition(b"\r\n\r\n")
        line, *headers = head.split(b"\r\n")
        assert end, f"an answer without an end: {head!r}"
        assert line.startswith(b"HTTP/1."), f"no answer begins with {line[:80]!r}"
        status = int(line.split()[1])
        if status < 200:
            continue
        found.append(status)
        assert len(found) <= len(asked), f"more answers than requests: {found}"
        sizes = [int(each.split(b":")[1]) for each in headers if each.lower().startswith(b"content-length:")]
        # Without a body, but for what was no request at all to the server.
        if asked[len(found) - 1].has_body or (text and not text.startswith(b"HTTP/1.")):
            # Some of the server's own refusals have no length, and end with the connection.
            size = sizes[0] if sizes else len(text)
            assert len(text) >= size, f"an answer was cut short: {head!r}"
            text = text[size:]
    return found
