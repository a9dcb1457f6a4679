"""What is refused before anything else looks at a request: a pure ASGI layer around the application.

The order of the checks is that of what each of them needs to believe. Each stands against an attack that others have
met: a second header of one kind, of which two readers take different ones; a name of another site that leads to this
machine; a page that posts to a server on its reader's machine; no secret at all.
"""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, Final

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_ONCE: Final = (
    b"host",
    b"authorization",
    b"content-length",
    b"content-type",
    b"idempotency-key",
    b"origin",
    b"sec-fetch-site",
    b"transfer-encoding",
)
_OPEN: Final = "/healthz"  # asked without the token
_HOST: Final = re.compile(r"(\[[0-9a-f:.]+\]|[^:/@\[\]]+)(?::\d*)?")  # IPv6 is in brackets
_SITES: Final = (b"none", b"same-origin")


class Guard:
    """Refuses what is not to be answered, and reads the body of what is.

    Args:
        app: what answers.
        token: the secret that requests carry as ``Authorization: Bearer ...``; None for none.
        hosts: the names that a request may be addressed to, without a port.
        most: bytes of a body.
    """

    def __init__(self, app: App, token: str | None, hosts: Iterable[str], most: int = 1 << 20) -> None:
        self._app = app
        self._token = None if token is None else token.encode()
        self._hosts = frozenset(host.lower() for host in hosts)
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on with its body read."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return  # no websocket is spoken here: the server refuses it
        refusal = self._refusal(scope)
        if refusal is None:
            # Here, not in the application: what is raised out of its ``receive`` would become a second answer.
            body = await self._body(scope, receive)
            if isinstance(body, bytes):
                await self._app(scope, _Once(body, receive), send)
                return
            refusal = body
        if refusal is not None:
            await _refuse(send, *refusal)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        names = [name for name, _ in headers]
        if any(names.count(name) > 1 for name in _ONCE):
            return 400, "a header is there twice"
        if b"transfer-encoding" in names and b"content-length" in names:
            return 400, "the length of the body is told in two ways"
        known = dict(headers)
        host = known.get(b"host", b"").decode("latin-1").lower()
        if _without_port(host) not in self._hosts:
            return 421, "no such host here"
        if b"origin" in known or known.get(b"sec-fetch-site", b"none") not in _SITES:
            return 403, "requests of pages of other sites are not answered"
        is_open = _path(scope) == _OPEN and scope["method"] in {"GET", "HEAD"}
        if not is_open and not self._is_known(known.get(b"authorization", b"")):
            return 401, "the token is missing or another one:  Authorization: Bearer ..."
        if scope["method"] == "POST" and not _is_json(known.get(b"content-type", b"application/json")):
            return 415, "the body has to be application/json"
        if known.get(b"content-encoding", b"identity").strip().lower() != b"identity":
            return 415, "the body must not be compressed"
        return None

    def _is_known(self, authorization: bytes) -> bool:
        if self._token is None:
            return True
        kind, _, given = authorization.partition(b" ")
        return hmac.compare_digest(given.strip(), self._token) and kind.lower() == b"bearer"

    async def _body(self, scope: Scope, receive: Receive) -> bytes | tuple[int, str] | None:
        """The whole body; None if whoever asks has gone."""
        too_long = 413, f"a body has at most {self._most:,} bytes"
        told = dict(scope["headers"]).get(b"content-length", b"0")
        if not told.isdigit() or len(told) > 20 or int(told) > self._most:  # Python reads no endless numbers
            return too_long
        parts, size = [], 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > self._most:
                return too_long
            if not message.get("more_body", False):
                return b"".join(parts)


class _Once:
    """Gives the application the body that was read, and after it what the server tells."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> MutableMapping[str, Any]:
        body, self._body = self._body, None
        if body is None:
            return await self._receive()
        return {"type": "http.request", "body": body, "more_body": False}


def _without_port(host: str) -> str:
    """The name that a Host header has; "" if it has more than a name and a port."""
    found = _HOST.fullmatch(host)
    return "" if found is None else found[1]


def _path(scope: Scope) -> str:
    """What a request is for, as this application has it: another may have it under a path of its own."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))


def _is_json(kind: bytes) -> bool:
    return kind.partition(b";")[0].strip().lower() == b"application/json"


async def _refuse(send: Send, status: int, why: str) -> None:
    body = json.dumps({"error": why}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if status == 413:
        headers.append((b"connection", b"close"))  # the rest of the body is not read
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
