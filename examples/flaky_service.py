"""Ask a service that allows few requests a second, and fails one in five of them, with as few requests as can be.

The service is a server of its own in this program, so that the example runs anywhere. It keeps a log of what it was
asked, and answers 429 to what comes too fast. Retries make up for its failures; a limit holds the rate, so that no
request is in vain.

    python examples/flaky_service.py             # 40 pages
    python examples/flaky_service.py 100 50      # so many pages, so many requests a second
"""

import sys
import threading
import time
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from asyncflow import GiveUp, Retry, WorkflowEngine

EVERY = 5  # of so many requests one fails
BURST = 5


class Service(ThreadingHTTPServer):
    """Pages with a number on each, behind a rate limit.

    Args:
        rate: requests a second that it allows on average, after a burst.
    """

    daemon_threads = True

    def __init__(self, rate: float) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.rate = rate
        self.log: list[tuple[float, str, int]] = []
        """When each request came, for which page, and the status of the answer."""
        self._tokens = float(BURST)
        self._lock = threading.Lock()

    def status(self, path: str) -> int:
        with self._lock:
            now = time.monotonic()
            if self.log:
                self._tokens = min(BURST, self._tokens + (now - self.log[-1][0]) * self.rate)
            if not path.removeprefix("/").isdecimal():
                status = 404
            elif self._tokens < 1:
                status = 429
            else:
                self._tokens -= 1
                status = 503 if len(self.log) % EVERY == EVERY - 1 else 200
            self.log.append((now, path, status))
            return status


class Answer(BaseHTTPRequestHandler):
    server: Service

    def do_GET(self) -> None:
        status = self.server.status(self.path)
        self.send_response(status)
        self.send_header("Content-Length", "0" if status != 200 else str(len(self.path) - 1))
        self.end_headers()
        if status == 200:
            self.wfile.write(self.path.removeprefix("/").encode())

    def log_message(self, *args: object) -> None:
        """The server has a log of its own."""


engine = WorkflowEngine(workers=8)


@engine.function_task(retries=20, retry_delay=0.01, limits="service", deadline=120)
def fetch(port: int, page: int | str) -> int:
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", f"/{page}")
        answer = connection.getresponse()
        body = answer.read()
    finally:
        connection.close()
    if answer.status == 429:
        raise Retry("too many requests", after=0.1)
    if answer.status == 404:
        raise GiveUp(f"there is no page {page!r}")
    if answer.status != 200:
        raise OSError(f"status {answer.status}")
    return int(body)


@engine.block
async def fetch_all(port: int, pages: int) -> int:
    numbers = [fetch(port, page) for page in range(pages)]
    nowhere = fetch(port, "nowhere")
    total = sum([await number for number in numbers])
    try:
        await nowhere
    except GiveUp as error:
        print(f"gave up after {nowhere.attempts} attempt: {error}")
    return total


def main(pages: int = 40, rate: float = 200) -> Service:
    service = Service(rate)
    # What begins at even times does not arrive at even times, but no more of it is late than is on its way at once.
    engine.limit("service", rate=rate * 0.99, burst=1, concurrency=BURST - 1)
    thread = threading.Thread(target=service.serve_forever, args=(0.01,))
    thread.start()
    try:
        print(f"sum of {pages} pages: {engine.run(fetch_all, service.server_port, pages)}")
    finally:
        service.shutdown()
        thread.join()
        service.server_close()
    failed = sum(status == 503 for _, _, status in service.log)
    too_fast = sum(status == 429 for _, _, status in service.log)
    print(f"{len(service.log)} requests: {failed} failed, {too_fast} came too fast")
    return service


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
