"""Moves files between this machine and places that have a URL, through fsspec. What one means, `_core/urls.py` decides.

All of it takes as long as it takes and belongs on a thread, never on the loop. fsspec is loaded when first needed. No
path of this machine is decided on here, and nothing is kept: each transfer connects and ends for itself.
"""

from __future__ import annotations

import errno
import io
import os
import secrets
import shutil
import stat
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeVar

from .._core.urls import (
    DELAYS,
    as_sent,
    data_of,
    delay_before,
    is_directory,
    is_web,
    joined,
    links,
    local_path,
    name_in_listing,
    publishes_whole,
    scheme,
    scrubbed,
    shown,
)
from ..errors import brief

T = TypeVar("T")

_BLOCK: Final = 4 << 20  # bytes: large against what a block costs, small against what anybody waits for
_CONNECT: Final = 30.0  # seconds
_IDLE: Final = 60.0  # seconds without a byte; a transfer as a whole may take any time
_EXTRA: Final = 'pip install "asyncflow-engine[remote]"'
_KINDS: Final[tuple[type[OSError], ...]] = (
    FileNotFoundError,
    PermissionError,
    IsADirectoryError,
    NotADirectoryError,
    FileExistsError,
    InterruptedError,
)
"""What stays so however often it is tried, and what an error of a driver is told as."""
_LASTING: Final = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.ENAMETOOLONG, errno.EINVAL, errno.ELOOP}
    | {errno.ENOTEMPTY, errno.ENOTSUP}
)
_OF_THE_NET: Final = frozenset(
    {"ClientConnectionError", "ClientPayloadError"}  # aiohttp
    | {"ConnectionError", "HTTPClientError"}  # botocore
    | {"ServiceRequestError", "ServiceResponseError"}  # azure
    | {"EOFError", "error_temp"}  # ftplib
)
"""The drivers' errors of connections that are no `OSError`; by name, since nothing of them may be imported."""
_HELD: Final = {"SFTPFileSystem": "client", "FTPFileSystem": "ftp"}
"""Connections that nothing else would end: they outlive the file system that opened them, SSH's with a thread each."""
_LOADING: Final = threading.Lock()  # fsspec's table of drivers is not made for several threads


class Remote:
    """The transfers of one run; any number of threads may use it at once.

    Args:
        stopped: set when nobody wants anything any more; what goes on then ends at its next block.
        delays: seconds to wait before the second attempt, the third, and so on.
    """

    def __init__(self, stopped: threading.Event, delays: Sequence[float] = DELAYS) -> None:
        self._stopped = stopped
        self._delays = delays

    def fetch(self, url: str, target: Path) -> None:
        """Bring a file here; with a slash at the end of its URL, a directory and all that is in it.

        Args:
            url: where from.
            target: a path where nothing is yet; after a failure, nothing is there again.

        Raises:
            OSError: it is not there, or could not be brought here; `InterruptedError`: nobody wants it any more.
            ValueError: the URL means nothing.
            ImportError: what speaks to such places is not installed.
        """
        if scheme(url) == "data":
            _write_new(target, data_of(url))
            return
        with _Place(url) as place:
            fetch = self._fetch_folder if is_directory(url) else self._fetch_file
            fetch(place, self._tried(place, "", lambda: place.path), target, "")

    def send(self, path: Path, url: str) -> None:
        """Put a file or a directory somewhere, in one piece where that is possible.

        To object stores and over HTTP, each file of a directory goes by itself, next to those that are there already.
        Elsewhere a directory appears as a whole, and only where nothing is yet.

        Args:
            path: of a file, or of a directory that holds files and directories alone.
            url: what it is to be called there.

        Raises:
            OSError: it could not be put there; `InterruptedError`: nobody wants it any more.
            ValueError: the URL means nothing.
            ImportError: what speaks to such places is not installed.
        """
        tree = _tree(path)
        if scheme(url) == "data":
            raise ValueError(f"{shown(url)}: nothing can be written there")
        if is_directory(url) and not path.is_dir():
            raise IsADirectoryError(f"{shown(url)} ends in a slash, and {str(path)!r} is a file")
        with _Place(url) as place:
            target = self._tried(place, "", lambda: place.path).rstrip("/")
            if publishes_whole(url):
                self._send_each(place, tree, target)
            else:
                self._send_beside(place, tree, target)

    # -- from there to here -------------------------------------------------------------------------------

    def _fetch_folder(self, place: _Place, source: str, target: Path, below: str) -> None:
        target.mkdir()
        try:
            for name, (path, folder) in self._tried(place, below, lambda: _listing(place, source)).items():
                fetch = self._fetch_folder if folder else self._fetch_file
                fetch(place, path, target / name, f"{below}/{name}" if below else name)
        except BaseException:
            shutil.rmtree(target, ignore_errors=True)
            raise

    def _fetch_file(self, place: _Place, source: str, target: Path, below: str) -> None:
        with open(target, "xb") as file:
            try:
                self._tried(place, below, lambda: self._receive(place, source, file))
            except BaseException:
                target.unlink(missing_ok=True)
                raise

    def _receive(self, place: _Place, source: str, file: BinaryIO) -> None:
        file.seek(0)
        file.truncate()
        with place.reading(source) as (stream, size):
            self._pour(stream, file, size)

    def _pour(self, source: Any, sink: Any, size: int | None) -> None:
        """Copy until there is no more.

        Args:
            source: what is read.
            sink: what is written.
            size: bytes that there should be; None if nobody knows.
        """
        done = 0
        while block := source.read(_BLOCK):
            self._go_on()
            sink.write(block)
            done += len(block)
        if size not in (None, done):
            raise OSError(f"{done:,} bytes came, of {size:,}")

    # -- from here to there -------------------------------------------------------------------------------

    def _send_each(self, place: _Place, tree: dict[str, Path], target: str) -> None:
        files = {below: path for below, path in tree.items() if not path.is_dir()}
        if not files:
            raise OSError(f"{place.shown}: the directory holds no file, and there are no empty ones there")
        for below, path in files.items():
            remote = joined(target, below) if below else target
            self._tried(place, below, partial(self._put, place, path, remote))

    def _put(self, place: _Place, path: Path, remote: str) -> None:
        # By the driver's own `put_file`: a file that it has opened is published by closing it, whole or not.
        from fsspec.callbacks import Callback

        watch = Callback(hooks={"stopped": lambda size, value: self._go_on()})
        size = path.stat().st_size
        if place.is_web:
            with open(path, "rb") as file:
                # Signed URLs take no upload that does not tell its size first.
                headers = {"Content-Length": str(size)}
                place.fs.put_file(file, remote, callback=watch, method="put", headers=headers)
        else:
            place.fs.put_file(str(path), remote, callback=watch)
            with suppress(PermissionError):  # one may be allowed to write and not to look
                _check_size(place.fs, remote, size)

    def _send_beside(self, place: _Place, tree: dict[str, Path], target: str) -> None:
        hidden = f"{target.rpartition('/')[0]}/.asyncflow-{secrets.token_hex(8)}"
        self._tried(place, "", lambda: _prepare(place.fs, target, tree[""].is_dir()))
        try:
            for below, path in tree.items():
                remote = joined(hidden, below) if below else hidden
                self._tried(place, below, partial(self._write, place, path, remote))
            self._tried(place, "", lambda: _move(place.fs, hidden, target))
        except BaseException:
            with suppress(Exception):  # where nobody answers, nothing can be tidied
                _remove(place.fs, hidden)
            raise

    def _write(self, place: _Place, path: Path, remote: str) -> None:
        if path.is_dir():
            place.fs.makedirs(remote, exist_ok=True)
            return
        with open(path, "rb") as source:
            with place.fs.open(remote, "wb") as sink:
                self._pour(source, sink, None)
            _check_size(place.fs, remote, source.tell())

    # -- again --------------------------------------------------------------------------------------------

    def _tried(self, place: _Place, below: str, step: Callable[[], T]) -> T:
        """Take a step, again and again while that may help.

        Args:
            place: where; connected to anew for each attempt.
            below: which part of the directory that moves, for errors.
            step: what to do, from its beginning.
        """
        attempt = 1
        while True:
            try:
                self._go_on()
                return step()
            except Exception as error:
                failure = _stopped() if self._stopped.is_set() else error  # a driver wraps what stops it
                problem = _told(failure, place, below, attempt)
                delay = delay_before(attempt + 1, self._delays) if _may_pass(failure) else None
                del failure
            # Out of the handler: what a driver says may hold a password, and would be shown as the context.
            place.close()
            if delay is None:
                raise problem
            self._stopped.wait(delay)
            attempt += 1

    def _go_on(self) -> None:
        if self._stopped.is_set():
            raise _stopped()


class _Place:
    """What a URL means to fsspec, connected to when first needed."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.shown = shown(url)
        self.is_web = is_web(url)
        self._fs: Any = None
        self._path = ""
        self._sessions: list[Any] = []

    def __enter__(self) -> _Place:
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
    def reading(self, path: str) -> Iterator[tuple[Any, int | None]]:
        """A file that can be read from its beginning to its end, and its size in bytes if that is known."""
        if self.is_web:
            # One request for all of it. Asked for its size first, the driver takes every failure for "not found".
            with self.fs.open(path, "rb", block_size=0, size=1) as stream, _told_as_short(stream.r):
                yield stream, _size_in(stream.r)
            return
        info = _info(self.fs, path)
        if info is None:
            raise FileNotFoundError
        if info["type"] == "directory":
            raise IsADirectoryError("a directory is there; a slash at the end of the URL means that")
        with self.fs.open(path, "rb") as stream:
            yield _own(stream), info.get("size")

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
        (name, driver), path = *drivers.items(), local_path(self.url)
        if path is not None:
            self._fs, self._path = driver(skip_instance_cache=True), path
            return
        url = name + self.url[len(name) :]
        given = driver._get_kwargs_from_urls(url)
        self._fs = driver(**given, **options[name])
        self._path = as_sent(url) if self.is_web else driver._strip_protocol(url)

    def _options(self, name: str, driver: Any) -> dict[str, Any]:
        if is_web(name):
            own = {"get_client": self._new_session, "simple_links": False, "encoded": True}
            return {"skip_instance_cache": True, **own}
        # Those that are not async are kept by thread, for good; each transfer has a thread of its own.
        return {} if driver.async_impl else {"skip_instance_cache": True}

    async def _new_session(self, **options: Any) -> Any:
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


# -- what fsspec's drivers have in common -----------------------------------------------------------------


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


def _info(fs: Any, path: str) -> Any:
    """What is there, None for nothing. The drivers' own `exists` and `isdir` take any failure for a no."""
    fs.invalidate_cache()
    try:
        return fs.info(path)
    except FileNotFoundError:
        return None


def _own(stream: Any) -> Any:
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


def _listing(place: _Place, folder: str) -> dict[str, tuple[str, bool]]:
    """What is in a directory: by name, what the place calls it and whether it is a directory."""
    place.fs.invalidate_cache()
    found: dict[str, tuple[str, bool]] = {}
    entries = place.fs.ls(folder, detail=True)
    for entry in entries:
        path = as_sent(entry["name"]) if place.is_web else entry["name"]
        name = name_in_listing(folder, path)
        if name is not None:
            found.setdefault(name, (path, entry["type"] == "directory"))
    if not found and place.is_web:
        raise NotADirectoryError(
            "its page has no links to files, and a URL that ends in a slash is a directory"
        )
    if not found and any(e["type"] == "file" and not e["name"].endswith("/") for e in entries):
        raise NotADirectoryError("a file is there, and the URL ends in a slash")
    return found


def _check_size(fs: Any, path: str, size: int) -> None:
    arrived = (_info(fs, path) or {}).get("size", 0)
    if arrived not in (None, size):
        raise OSError(f"{arrived:,} bytes arrived, of {size:,}")


def _prepare(fs: Any, target: str, folder: bool) -> None:
    there = _info(fs, target)
    if there is not None and there["type"] == "directory":
        raise IsADirectoryError("a directory is there already")
    if there is not None and folder:
        raise FileExistsError("a file is there already, and this is a directory")
    parent = target.rpartition("/")[0]
    if parent and _info(fs, parent) is None:
        fs.makedirs(parent, exist_ok=True)


def _move(fs: Any, hidden: str, target: str) -> None:
    """Give a complete upload its name, also where that does not replace what has the name."""
    if _info(fs, hidden) is None and _info(fs, target) is not None:
        return  # an attempt has done it, and its answer was lost
    try:
        _rename(fs, hidden, target)
    except OSError as error:
        if error.errno != errno.EEXIST and not isinstance(error, FileExistsError):
            raise
    if _info(fs, hidden) is None:  # some drivers keep a server's "no" to themselves
        return
    there = _info(fs, target)
    if there is None or there["type"] == "directory":
        raise FileExistsError("what was uploaded could not be given its name")
    fs.rm_file(target)
    _rename(fs, hidden, target)


def _rename(fs: Any, hidden: str, target: str) -> None:
    from fsspec import AbstractFileSystem

    if type(fs).mv is not AbstractFileSystem.mv:
        fs.mv(hidden, target)
        return
    # fsspec's own `mv` would take a star or a bracket in a name for a pattern.
    for path, is_folder in _all_at(fs, hidden).items():
        moved = target + path[len(hidden) :]
        if is_folder:
            fs.makedirs(moved, exist_ok=True)
        else:
            fs.cp_file(path, moved)
    _remove(fs, hidden)


def _remove(fs: Any, path: str) -> None:
    """Remove what is there, a directory with all that is in it; fsspec's `rm` takes patterns, too."""
    for each, is_folder in reversed(_all_at(fs, path).items()):
        with suppress(
            FileNotFoundError
        ):  # where directories are but parts of names, they go with their last file
            (fs.rmdir if is_folder else fs.rm_file)(each)


def _all_at(fs: Any, path: str) -> dict[str, bool]:
    """What is there and all that is in it, each with whether it is a directory; fsspec's `find` passes over failures."""
    info = _info(fs, path)
    if info is None:
        return {}
    found = {path: info["type"] == "directory"}
    for entry in fs.ls(path, detail=True) if found[path] else ():
        found |= _all_at(fs, entry["name"])
    return found


# -- what is sent -----------------------------------------------------------------------------------------


def _tree(root: Path) -> dict[str, Path]:
    """All that is to be sent, by its path below the root, each directory before what is in it.

    Raises:
        OSError: something can be no copy elsewhere: a link to a directory, a pipe, a file that cannot be read.
    """
    found = {"": root}
    for folder, folders, files in os.walk(root, onerror=_raise) if root.is_dir() else ():
        for name in sorted(folders + files):
            path = Path(folder, name)
            if name in folders and path.is_symlink():
                raise OSError(f"{str(path)!r} is a link to a directory, which cannot be sent")
            found[str(path.relative_to(root))] = path
    for path in found.values():
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            raise OSError(f"{str(path)!r} is neither a file nor a directory, and cannot be sent")
    return found


def _write_new(path: Path, data: bytes) -> None:
    with open(path, "xb") as file:
        try:
            file.write(data)
            file.flush()
        except BaseException:
            path.unlink()
            raise


def _raise(error: OSError) -> None:
    raise error


# -- failures ---------------------------------------------------------------------------------------------


def _may_pass(error: Exception) -> bool:
    """Whether the same could succeed a little later."""
    status = _status(error)
    if status is not None:
        return status == 429 or status >= 500
    if isinstance(error, (ValueError, *_KINDS)):  # a certificate that is not trusted is a ValueError
        return False
    if isinstance(error, OSError):
        return error.errno not in _LASTING
    return not _OF_THE_NET.isdisjoint(each.__name__ for each in type(error).__mro__)


def _status(error: Exception) -> int | None:
    """Of HTTP; the drivers call it by three names."""
    for name in ("status", "status_code", "code"):
        value = getattr(error, name, None)
        if isinstance(value, int) and 100 <= value < 600:
            return value
    return None


def _stopped() -> InterruptedError:
    return InterruptedError("given up, nobody wants it any more")


def _said(error: Exception) -> str:
    status = _status(error)
    if status is not None:
        return f"the server says {status} {getattr(error, 'message', '')}".rstrip()
    if isinstance(error, FileNotFoundError) and error.filename is None:
        return "nothing is there"  # the drivers say where, and no more
    plain = type(error).__module__ == "builtins" and isinstance(error, (OSError, ImportError, ValueError))
    return str(error) if plain and str(error) else brief(error)


def _kind(error: Exception) -> type[Exception]:
    """What an error is told as: one of Python's own."""
    if isinstance(error, ImportError):
        return ImportError
    for kind in (*_KINDS, TimeoutError):
        if isinstance(error, kind):
            return kind
    if isinstance(error, ValueError) and not isinstance(error, OSError):
        return ValueError
    return {401: PermissionError, 403: PermissionError, 404: FileNotFoundError}.get(
        _status(error) or 0, OSError
    )


def _told(error: Exception, place: _Place, below: str, attempts: int) -> Exception:
    """An error for whoever asked for the transfer, with nothing in it that is secret."""
    where = f"{place.shown.rstrip('/')}/{below}" if below else place.shown
    again = f" ({attempts} attempts)" if attempts > 1 and not isinstance(error, InterruptedError) else ""
    told = _kind(error)(f"{where}: {scrubbed(_said(error), place.url)}{again}")
    if isinstance(told, OSError) and isinstance(error, OSError):
        told.errno = error.errno
    return told
