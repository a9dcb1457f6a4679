"""A place that has a URL, as fsspec reaches it: connected to when first needed, and ended with the transfer."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

from ..._core.urls import as_sent, data_of, is_web, links, local_path, scheme, shown
from .drivers import info

_CONNECT: Final = 30.0  # seconds
_IDLE: Final = 60.0  # seconds without a byte; a transfer as a whole may take any time
_EXTRA: Final = 'pip install "asyncflow-engine[remote]"'
_HELD: Final = {"SFTPFileSystem": "client", "FTPFileSystem": "ftp"}
"""Connections that nothing else would end: they outlive the file system that opened them, SSH's with a thread each."""
_LOADING: Final = (
    threading.Lock()
)  # two threads that load one driver at once: an error of fsspec's before 2025


class Connection:
    """What a URL means to fsspec, connected to when first needed."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.shown = shown(url)
        self.is_web = is_web(url)
        self._is_data = scheme(url) == "data"
        self._fs: object = None
        self._path = ""
        self._sessions: list[Any] = []

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def fs(self) -> Any:
        """The file system of fsspec."""
        self._connect()
        return self._fs

    @property
    def path(self) -> str:
        """What it calls the file."""
        if not self._is_data:
            self._connect()
        return self._path

    def close(self) -> None:
        """End what was opened for this transfer; it is opened again when needed."""
        fs, self._fs = self._fs, None
        while fs is not None:
            connection = _HELD.get(type(fs).__name__)
            if connection is not None:
                with suppress(Exception):
                    getattr(fs, connection).close()
            fs = getattr(fs, "fs", None)  # the next of a chain
        while self._sessions:
            from fsspec.asyn import get_loop, sync

            with suppress(Exception):
                sync(get_loop(), self._sessions.pop().close)

    @contextmanager
    def reading(self, path: str) -> Iterator[tuple[object, int | None]]:
        """A file that can be read from its beginning to its end, and its size in bytes if that is known."""
        if self._is_data:  # fsspec takes the bytes of some for letters, and knows no %3D in base64
            yield io.BytesIO(data_of(self.url)), None
            return
        if self.is_web:
            # One request for all of it. Asked for its size first, the driver takes every failure for "not found".
            with self.fs.open(path, "rb", block_size=0, size=1) as stream, _told_as_short(stream.r):
                yield stream, _size_in(stream.r)
            return
        found = info(self.fs, path)
        if found is None:
            raise FileNotFoundError
        if found["type"] == "directory":
            raise IsADirectoryError("a directory is there; a slash at the end of the URL means that")
        with self.fs.open(path, "rb") as stream:
            yield _own(stream), found.get("size")

    def _connect(self) -> None:
        if self._fs is not None:
            return
        try:
            import fsspec
        except ImportError:
            raise ImportError(f"this needs more packages:  {_EXTRA}") from None
        chain = links(self.url)
        with _LOADING:
            drivers = {name: _driver(name) for name in map(scheme, chain)}
        options = {name: self._options(name, driver) for name, driver in drivers.items()}
        if len(chain) > 1:
            self._fs, self._path = fsspec.url_to_fs(self.url, **options)
            return
        # Not by `url_to_fs`, which takes an address like [::1] for a chain.
        [(name, driver)] = drivers.items()
        url = name + self.url[len(name) :]
        path = local_path(url)
        if path is None:
            path = as_sent(url) if self.is_web else driver._strip_protocol(url)
        self._fs = driver(**driver._get_kwargs_from_urls(url), **options[name])
        self._path = path

    def _options(self, name: str, driver: Any) -> dict[str, object]:
        if is_web(name):
            own = {"get_client": self._new_session, "simple_links": False, "encoded": True}
            return {"skip_instance_cache": True, **own}
        # Those that are not async are kept by thread, for good; each transfer has a thread of its own.
        return {} if driver.async_impl else {"skip_instance_cache": True}

    async def _new_session(self, **options: Any) -> object:
        """Called by the HTTP driver, on its loop. What its user has configured there comes in `options` and wins."""
        import aiohttp

        timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT, sock_read=_IDLE)
        # Without it a server may compress, and the size that it tells is none of the file's.
        headers = {"Accept-Encoding": "identity", **options.pop("headers", {})}
        session = aiohttp.ClientSession(
            **{"timeout": timeout, "trust_env": True, "headers": headers, **options}
        )
        self._sessions.append(session)
        return session


def _driver(name: str) -> Any:
    from fsspec.registry import get_filesystem_class

    try:
        return get_filesystem_class(name)
    except ImportError as error:
        missing = (getattr(error.__cause__, "name", None) or "").partition(".")[0]
        missing = {"smbclient": "smbprotocol"}.get(missing, missing)  # another name than the package has
        mend = _EXTRA if missing in ("", "aiohttp", "yarl") else f"pip install {missing}"
        raise ImportError(f"this needs a driver:  {mend}\n  (fsspec says: {error})") from None
    except ValueError:
        raise ValueError(f"nothing is known of {name}://") from None


def _own(stream: object) -> object:
    """A stream with a position of its own: in memory://, all that read a file share one."""
    return io.BytesIO(stream.getvalue()) if isinstance(stream, io.BytesIO) else stream


def _size_in(response: Any) -> int | None:
    told = response.headers.get("Content-Length", "")
    encoded = response.headers.get("Content-Encoding", "identity") not in ("identity", "")
    return int(told) if told.isdecimal() and not encoded else None


@contextmanager
def _told_as_short(response: Any) -> Iterator[None]:
    """Let an answer that breaks off fail with its sizes."""
    import aiohttp

    try:
        yield
    except aiohttp.ClientPayloadError as error:
        size = _size_in(response)
        of = "and more should have" if size is None else f"of {size:,}"
        raise OSError(f"{response.content.total_bytes:,} bytes came, {of}") from error
