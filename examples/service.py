"""A service that takes jobs over HTTP, with a page that shows them.

    pip install "asyncflow-engine[serve]"
    python examples/service.py [--port 8000] [--seconds 0]

It prints the address of the page. Jobs may also be submitted by others:

    curl -H "Authorization: Bearer TOKEN" -H "Content-Type: application/json" \\
         -d '{"text": "some words"}' http://127.0.0.1:8000/analyse
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import html
import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asyncflow import WorkflowEngine

if TYPE_CHECKING:
    from asyncflow.serve.http import Application

engine = WorkflowEngine()


@engine.function_task
def count_words(text: str) -> int:
    time.sleep(0.3)  # work that takes its time
    return len(text.split())


@engine.function_task
def longest(text: str) -> str:
    if not text.strip():
        raise ValueError("there is no word in it")
    return max(text.split(), key=len)


@engine.block
async def analyse(text: str) -> dict[str, object]:
    """Tell how many words a text has, and which is the longest."""
    words, best = await asyncio.gather(count_words(text), longest(text))
    return {"words": words, "longest": best}


PAGE = Path(__file__).with_name("service_page.html")


def allowed(page: str, kind: str) -> str:
    """What a browser may run of the page: this script or style, which it knows by its hash."""
    text = page.partition(f"<{kind}>")[2].partition(f"</{kind}>")[0]
    return f"{kind}-src 'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


class Page:
    """An ASGI application that has a page at its root, and leaves all else to the service's own.

    The page is the same for everyone and has nothing in it: its script asks the service, with the token that its reader
    has. So there is nothing to guard here.
    """

    def __init__(self, name: str, app: Application) -> None:
        page = PAGE.read_text(encoding="utf-8")
        policy = (
            f"default-src 'none'; connect-src 'self'; {allowed(page, 'script')}; {allowed(page, 'style')}"
        )
        self.app = app
        self.body = page.replace("{name}", html.escape(name), 1).encode()
        self.headers = [
            (b"content-type", b"text/html; charset=utf-8"),
            (b"content-length", str(len(self.body)).encode()),
            (b"content-security-policy", f"{policy}; frame-ancestors 'none'; base-uri 'none'".encode()),
            (b"x-content-type-options", b"nosniff"),
        ]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["path"] != "/" or scope["method"] not in {"GET", "HEAD"}:
            await self.app(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": self.headers})
        await send({"type": "http.response.body", "body": self.body})


async def main(port: int, seconds: float) -> None:
    from asyncflow.serve.http import Server, asgi  # needs the extra, and --help does not

    token = secrets.token_urlsafe(16)
    async with engine:
        service = engine.serve(analyse, concurrency=2, queue=100, keep=600)
        page = Page(service.name, asgi(service, token=token))
        async with Server(page, port=port) as server:
            print(f"The jobs are shown at {server.url}/#token={token}")
            print(f"and taken at {server.url}/analyse. The token is {token}", flush=True)
            for text in ("the quick brown fox", "one", "", "jumps over the lazy dog", "again and again"):
                service.submit(text)
            await asyncio.sleep(seconds) if seconds else await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--seconds", type=float, default=0.0, help="end after this time")
    args = parser.parse_args()
    asyncio.run(main(args.port, args.seconds))
