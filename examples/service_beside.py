"""Count the words of pages that a web server hands out which runs beside the tasks that need it, and no longer.

The folder of the pages and the server are services: each starts when the first task needs it, and stops when the block
is over in which it was called, the server first. The tasks begin when the server answers.

    python examples/service_beside.py             # 20 pages
    python examples/service_beside.py 100
"""

import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

from asyncflow import RunningService, WorkflowEngine, http

engine = WorkflowEngine(workers=4)


@engine.service
def site(pages: int) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        for number in range(pages):
            (Path(folder) / f"{number}.txt").write_text("word " * number)
        yield Path(folder)


@engine.function_task
def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        number: int = found.getsockname()[1]
        return number


@engine.executable_task(service=True, ready=lambda folder, port: http(f"http://127.0.0.1:{port}/0.txt"))
def server(folder: Path, port: int) -> list[str]:
    return [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", str(folder)]


@engine.function_task
def words(server: RunningService, page: int) -> int:
    with urlopen(f"http://127.0.0.1:{server.port}/{page}.txt", timeout=30) as answer:
        return len(answer.read().split())


@engine.block
async def count(pages: int) -> int:
    serving = server(site(pages), free_port())
    return sum([await each for each in [words(serving, page) for page in range(pages)]])


def main(pages: int = 20) -> None:
    print(f"{engine.run(count, pages)} words in {pages} pages")
    for service in engine.report().services:
        print(f"{service.task.name}: {service.how}, used by {len(service.users)}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
