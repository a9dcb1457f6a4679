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
import html
import secrets
import time
from typing import Any

from asyncflow import WorkflowEngine
from asyncflow.serve import Service
from asyncflow.serve.http import Application, Server, asgi

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


PAGE = """<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="1"><title>Jobs</title>
<style>
  :root {{ color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }}
  body {{ max-width: 46rem; margin: 2rem auto; padding: 0 1rem }}
  table {{ border-collapse: collapse; width: 100% }}
  td, th {{ text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #8884 }}
  .FAILED {{ color: #c2410c }} .SUCCEEDED {{ color: #15803d }}
</style>
<h1>Jobs of <code>analyse</code></h1>
<p>{summary}</p>
<table><thead><tr><th>job<th>state<th>result</thead><tbody>{rows}</tbody></table>"""


class Page:
    """An ASGI application that shows the jobs at its root, and leaves all else to the service's own."""

    def __init__(self, service: Service[dict[str, object]], app: Application) -> None:
        self.service = service
        self.app = app
        self.stop_waiting = app.stop_waiting

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["path"] != "/":
            await self.app(scope, receive, send)
            return
        # The page only shows, but not to a site whose name has been led here.
        host = dict(scope["headers"]).get(b"host", b"").decode().partition(":")[0]
        status, body = (
            (200, self.shown()) if host in {"127.0.0.1", "localhost"} else (421, "no such host here")
        )
        headers = [(b"content-type", b"text/html; charset=utf-8"), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body.encode()})

    def shown(self) -> str:
        rows = []
        for job in self.service.jobs():
            result = job.error if job.error is not None else job.value
            cells = (job.id, job.state, "" if result is None else str(result))
            told = "".join(f"<td>{html.escape(cell)}" for cell in cells)
            rows.append(f'<tr class="{job.state}">{told}')
        return PAGE.format(summary=html.escape(repr(self.service)), rows="".join(rows))


async def main(port: int, seconds: float) -> None:
    token = secrets.token_urlsafe(16)
    async with engine:
        service = engine.serve(analyse, concurrency=2, queue=100, keep=600)
        page = Page(service, asgi(service, token=token))
        async with Server(page, port=port) as server:
            print(f"The jobs are shown at {server.url}/ and taken at {server.url}/analyse.")
            print(f"The token is {token}", flush=True)
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
