"""Other places, on this machine: a web site that fails as it is told, and two file systems of fsspec that do."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from fsspec.asyn import get_loop, sync
from fsspec.callbacks import DEFAULT_CALLBACK
from fsspec.implementations.memory import MemoryFileSystem

Reply = Callable[["Visit"], None]


def fsspec_threads() -> None:
    """Have fsspec start its two threads, which it keeps: a test must not be blamed for them.

    The second one is its loop's, for aiohttp: it looks up hosts and what `.netrc` says of them.
    """

    async def with_one_thread() -> None:
        pool = ThreadPoolExecutor(1)
        get_loop().set_default_executor(pool)
        await get_loop().run_in_executor(None, int)

    sync(get_loop(), with_one_thread)


# -- a web site -------------------------------------------------------------------------------------------


class Visit(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    server: Site

    def do_GET(self) -> None:
        self.server.answer(self)

    do_HEAD = do_PUT = do_POST = do_GET

    def head(self, status: int, **headers: Any) -> None:
        self.close_connection = True
        self.send_response(status)
        for name, value in {"Connection": "close", **headers}.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers["Content-Length"]))

    def log_message(self, *_: Any) -> None:
        pass


class Site(ThreadingHTTPServer):
    """Answers each path with its replies, one after another; the last one stays. Others are not found."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Visit)
        self.replies: dict[str, list[Reply]] = {}
        self.visits: list[tuple[str, str]] = []
        self.uploads: dict[str, bytes] = {}
        self.ending = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def answer(self, visit: Visit) -> None:
        self.visits.append((visit.command, visit.path))
        replies = self.replies.get(visit.path, [status(404)])
        (replies.pop(0) if len(replies) > 1 else replies[0])(visit)

    def handle_error(self, *_: Any) -> None:
        pass  # whoever asked has gone


@contextmanager
def site() -> Iterator[Site]:
    """A site in a thread of its own, which ends with the block."""
    server = Site()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), name="site")
    thread.start()
    try:
        yield server
    finally:
        server.ending.set()
        server.shutdown()
        thread.join()
        server.server_close()


def page(data: bytes, **headers: Any) -> Reply:
    """All of it, and its size."""

    def reply(visit: Visit) -> None:
        visit.head(200, Content_Length=len(data), **headers)
        visit.wfile.write(data)

    return reply


def cut_off(data: bytes) -> Reply:
    """Its size, and half of it."""

    def reply(visit: Visit) -> None:
        visit.head(200, Content_Length=len(data))
        visit.wfile.write(data[: len(data) // 2])

    return reply


def chunked(*chunks: bytes, ends: bool = True) -> Reply:
    """In pieces, without a size; the end may be missing."""

    def reply(visit: Visit) -> None:
        visit.head(200, Transfer_Encoding="chunked")
        for chunk in [*chunks, b""] if ends else chunks:
            visit.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))

    return reply


def silence(visit: Visit) -> None:
    """The beginning of an answer, and then nothing."""
    visit.head(200, Content_Length=10)
    visit.wfile.write(b"x")
    visit.server.ending.wait()


def status(code: int, **headers: Any) -> Reply:
    """Nothing but a number."""
    return lambda visit: visit.head(code, Content_Length=0, **headers)


def take(visit: Visit) -> None:
    """Accept an upload."""
    visit.server.uploads[visit.path] = visit.body()
    visit.head(201, Content_Length=0)


# -- file systems -----------------------------------------------------------------------------------------


class Faulty(MemoryFileSystem):
    """Keeps files in memory, and fails as planned.

    Attributes:
        plan: by the name of an operation, what its calls do one after another: raise an error, end a file early (b""),
            call a function, or nothing (None); calls past the end of a plan work.
        calls: what was called.
        most: bytes that one read gives at the most.
    """

    protocol = "faulty"
    store: dict[str, Any] = {}  # noqa: RUF012  # as in the base class: of all instances
    pseudo_dirs: list[str] = [""]  # noqa: RUF012
    plan: dict[str, list[Any]] = {}  # noqa: RUF012
    calls: list[str] = []  # noqa: RUF012
    most = 1 << 20

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return super()._strip_protocol(path.removeprefix(f"{cls.protocol}://"))

    @classmethod
    def empty(cls) -> None:
        cls.store.clear()
        cls.pseudo_dirs[:] = [""]
        cls.plan.clear()
        cls.calls.clear()
        cls.most = 1 << 20

    @classmethod
    def step(cls, name: str) -> Any:
        cls.calls.append(name)
        planned = cls.plan.get(name)
        fault = planned.pop(0) if planned else None
        if isinstance(fault, Exception):
            raise fault
        return fault() if callable(fault) else fault

    @classmethod
    def files(cls) -> dict[str, bytes]:
        return {path: file.getvalue() for path, file in cls.store.items()}

    def info(self, path: str, **options: Any) -> Any:
        self.step("info")
        return super().info(path, **options)

    def ls(self, path: str, detail: bool = True, **options: Any) -> Any:
        self.step("ls")
        return super().ls(path, detail=detail, **options)

    def _open(self, path: str, mode: str = "rb", **options: Any) -> FaultyFile:
        self.step("open")
        return FaultyFile(self, super()._open(path, mode=mode, **options))

    def mv(self, path1: str, path2: str) -> None:
        self.step("mv")
        for name in [name for name in self.store if name == path1 or name.startswith(f"{path1}/")]:
            self.store[path2 + name[len(path1) :]] = self.store.pop(name)
        for name in [name for name in self.pseudo_dirs if name == path1 or name.startswith(f"{path1}/")]:
            self.pseudo_dirs.remove(name)
            self.pseudo_dirs.append(path2 + name[len(path1) :])


class FaultyFile:
    def __init__(self, fs: Faulty, inner: io.BytesIO) -> None:
        self.fs = fs
        self.inner = inner
        self.at = 0

    def read(self, size: int) -> bytes:
        if self.fs.step("read") == b"":
            return b""
        block = self.inner.getvalue()[self.at :][: min(size, self.fs.most)]
        self.at += len(block)
        return block

    def write(self, block: bytes) -> int:
        if self.fs.step("write") == b"":
            return 0
        return self.inner.write(block)

    def __enter__(self) -> FaultyFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.fs.step("close")


class Bucket(Faulty):
    """An object store: what is put there appears in the end, and nothing can be moved."""

    protocol = "s3"
    store: dict[str, Any] = {}  # noqa: RUF012
    pseudo_dirs: list[str] = [""]  # noqa: RUF012
    plan: dict[str, list[Any]] = {}  # noqa: RUF012
    calls: list[str] = []  # noqa: RUF012

    def put_file(self, path: str, remote: str, callback: Any = DEFAULT_CALLBACK, **_: Any) -> None:
        with open(path, "rb") as file:
            data = b""
            while block := file.read(self.most):
                self.step("write")
                data += block
                callback.relative_update(len(block))
        self.pipe_file(remote, data)

    def _open(self, path: str, mode: str = "rb", **options: Any) -> Any:
        assert mode == "rb" or "data" in options, "closing it would publish it"
        return super()._open(path, mode=mode, **options)

    def mv(self, path1: str, path2: str) -> None:
        raise AssertionError("this copies and deletes")
