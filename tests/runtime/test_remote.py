"""Files to and from other places: whole or not at all, again while that may help, and errors that keep secrets."""

from __future__ import annotations

import errno
import gzip
import os
import resource
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fsspec.registry import _registry, get_filesystem_class, known_implementations

from asyncflow._files.remote import Remote, connection
from asyncflow._files.remote import transfers as transfers_module

from .remote_kit import (
    Bucket,
    Faulty,
    Site,
    Visit,
    chunked,
    cut_off,
    fsspec_threads,
    page,
    silence,
    site,
    status,
    take,
)

DATA = bytes(range(256)) * 4_000  # more than fits into a socket's buffer
ZIPPED = gzip.compress(DATA)


@pytest.fixture(scope="module", autouse=True)
def _threads() -> None:
    fsspec_threads()


@pytest.fixture(autouse=True)
def _places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setitem(_registry, "faulty", Faulty)
    monkeypatch.setitem(_registry, "s3", Bucket)
    Faulty.empty()
    Bucket.empty()


@pytest.fixture
def web() -> Iterator[Site]:
    with site() as server:
        yield server


@pytest.fixture
def stopped() -> threading.Event:
    return threading.Event()


@pytest.fixture
def transfers(stopped: threading.Event) -> Remote:
    return Remote(stopped, delays=(0.0, 0.0, 0.0))


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "target"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(DATA)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "folder"
    for name in ("a", "deep/er/b", "it's [1]*?#%20.txt"):
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(name)
    return path


def contents(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def hidden(files: dict[str, bytes]) -> list[str]:
    return [path for path in files if "/." in path]


def raising(transfers: Remote, url: str, target: Path) -> OSError:
    with pytest.raises(OSError) as caught:
        transfers.fetch(url, target)
    assert not target.exists()
    return caught.value


# -- from the web -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "data"),
    [
        (page(DATA), DATA),
        (chunked(DATA[:9], DATA[9:]), DATA),
        (page(b""), b""),
        (page(ZIPPED, Content_Type="application/gzip"), ZIPPED),
    ],
    ids=["size", "chunked", "empty", "zipped"],
)
def test_a_file_is_fetched_as_the_server_has_it(
    web: Site, transfers: Remote, target: Path, reply: Any, data: bytes
) -> None:
    web.replies["/file"] = [reply]
    transfers.fetch(f"{web.url}/file", target)
    assert target.read_bytes() == data
    assert web.visits == [("GET", "/file")]


def test_what_a_server_compresses_all_the_same_is_unpacked(
    web: Site, transfers: Remote, target: Path
) -> None:
    web.replies["/file"] = [page(ZIPPED, Content_Encoding="gzip")]
    transfers.fetch(f"{web.url}/file", target)
    assert target.read_bytes() == DATA


def test_a_redirection_is_followed(web: Site, transfers: Remote, target: Path) -> None:
    web.replies = {"/old": [status(302, Location="/new?token=1")], "/new?token=1": [page(DATA)]}
    transfers.fetch(f"{web.url}/old", target)
    assert target.read_bytes() == DATA


@pytest.mark.parametrize("code", [500, 502, 503, 429])
def test_a_server_that_fails_for_a_moment_is_asked_again(
    web: Site, transfers: Remote, target: Path, code: int
) -> None:
    web.replies["/file"] = [status(code), status(code), page(DATA)]
    transfers.fetch(f"{web.url}/file", target)
    assert target.read_bytes() == DATA


def test_one_that_goes_on_failing_is_given_up_and_the_error_counts(
    web: Site, transfers: Remote, target: Path
) -> None:
    web.replies["/file"] = [status(503)]
    error = raising(transfers, f"{web.url}/file?key=secret", target)  # another path: not found
    assert str(error) == f"{web.url}/file?***: nothing is there"
    error = raising(transfers, f"{web.url}/file", target)
    assert str(error) == f"{web.url}/file: the server says 503 Service Unavailable (4 attempts)"
    assert web.visits == [("GET", "/file?key=secret")] + 4 * [("GET", "/file")]


@pytest.mark.parametrize(
    ("code", "kind"),
    [(404, FileNotFoundError), (403, PermissionError), (401, PermissionError), (410, OSError)],
)
def test_a_refusal_is_believed_at_once(
    web: Site, transfers: Remote, target: Path, code: int, kind: type[OSError]
) -> None:
    web.replies["/file"] = [status(code), page(DATA)]
    assert type(raising(transfers, f"{web.url}/file", target)) is kind
    assert len(web.visits) == 1


@pytest.mark.parametrize("reply", [cut_off(DATA), chunked(DATA[:9], ends=False)], ids=["size", "chunked"])
def test_a_transfer_that_is_cut_off_begins_again(
    web: Site, transfers: Remote, target: Path, reply: Any
) -> None:
    web.replies["/file"] = [reply, reply, page(DATA)]
    transfers.fetch(f"{web.url}/file", target)
    assert target.read_bytes() == DATA


@pytest.mark.parametrize(
    ("reply", "sizes"),
    [
        (cut_off(DATA), f"{len(DATA) // 2:,} bytes came, of {len(DATA):,}"),
        (chunked(DATA[:9], ends=False), "9 bytes came, and more should have"),
    ],
    ids=["size", "chunked"],
)
def test_one_that_is_always_cut_off_tells_the_sizes(
    web: Site, transfers: Remote, target: Path, reply: Any, sizes: str
) -> None:
    web.replies["/file"] = [reply]
    error = raising(transfers, f"{web.url}/file", target)
    assert str(error) == f"{web.url}/file: {sizes} (4 attempts)"


def test_a_host_that_does_not_answer_is_asked_again_and_told(transfers: Remote, target: Path) -> None:
    with site() as gone:
        url = gone.url
    error = raising(transfers, f"{url}/file", target)
    assert "Cannot connect to host 127.0.0.1" in str(error)
    assert error.errno == errno.ECONNREFUSED


def test_a_server_that_falls_silent_is_given_up(
    web: Site, transfers: Remote, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_IDLE", 0.05)
    web.replies["/file"] = [silence, page(b"at last")]
    transfers.fetch(f"{web.url}/file", target)
    assert target.read_bytes() == b"at last"
    web.replies["/file"] = [silence]
    error = raising(transfers, f"{web.url}/file", target.with_name("other"))
    assert type(error) is TimeoutError
    assert str(error) == f"{web.url}/file: no answer in time (4 attempts)"


def test_no_error_shows_a_secret(web: Site, transfers: Remote, target: Path) -> None:
    web.replies["/file?key=secret"] = [status(302, Location="/else?key=secret")]
    web.replies["/else?key=secret"] = [status(400)]
    url = f"{web.url}/file?key=secret#secret".replace("http://", "http://secret:secret@")
    error = raising(transfers, url, target)
    assert "secret" not in str(error)
    assert "400 Bad Request" in str(error)
    assert error.__cause__ is error.__context__ is None  # a traceback would show these


@pytest.mark.parametrize(
    "path", ["/a%20b", "/a%2Fb", "/%2e%2e%2fb", "/a?x=%2F%3D+y&z=é", "/a b'\"?c d", "/é", "/a::b", "/%00"]
)
def test_a_url_is_sent_as_it_was_written(web: Site, transfers: Remote, target: Path, path: str) -> None:
    sent = path.replace("é", "%C3%A9").replace(" ", "%20").replace('"', "%22")
    web.replies[sent] = [page(DATA)]
    transfers.fetch(web.url + path, target)
    assert web.visits == [("GET", sent)]


def test_a_directory_is_what_its_page_has_links_to(web: Site, transfers: Remote, target: Path) -> None:
    links = [
        "a",
        "sub/",
        "b%20b",
        "/d/c",
        "?C=N;O=D",
        "../",
        "/",
        "/d/",
        "http://127.0.0.1:9/x",
        "sub/deeper",
        "#top",
    ]
    listing = "".join(f'<a href="{link}">' for link in links).encode()
    web.replies = {
        "/d/": [status(503), page(listing, Content_Type="text/html")],
        "/d/sub/": [page(b"<a href='e'>", Content_Type="text/html")],
        **{path: [page(path.encode())] for path in ("/d/a", "/d/b%20b", "/d/c", "/d/sub/e")},
    }
    transfers.fetch(f"{web.url}/d/", target)
    assert contents(target) == {"a": "/d/a", "b b": "/d/b%20b", "c": "/d/c", "sub/e": "/d/sub/e"}


@pytest.mark.parametrize("link", ["%2e%2e", "..%2f..%2fpasswd", "%00", "%2Fetc"])
def test_a_listing_cannot_make_a_file_elsewhere(
    web: Site, transfers: Remote, target: Path, link: str
) -> None:
    listing = f'<a href="a"><a href="{link}">'.encode()
    web.replies = {"/d/": [page(listing, Content_Type="text/html")], "/d/a": [page(DATA)]}
    with pytest.raises(ValueError, match="it lists a file called"):
        transfers.fetch(f"{web.url}/d/", target)
    assert os.listdir(target.parent) == []


def test_a_page_without_links_is_no_directory(web: Site, transfers: Remote, target: Path) -> None:
    web.replies = {"/d/": [page(b"hello")], "/d": [page(b"hello")]}
    assert "no links to files" in str(raising(transfers, f"{web.url}/d/", target))


def test_threads_do_not_disturb_each_other(web: Site, transfers: Remote, tmp_path: Path) -> None:
    urls = [f"{web.url}/{n}" for n in range(3)] + 3 * ["memory://threads/file", f"file://{tmp_path}/0"]
    web.replies = {f"/{n}": [cut_off(DATA), page(bytes([n]) * 100_000)] for n in range(3)}
    get_filesystem_class("memory")().pipe_file("/threads/file", DATA * 5)
    (tmp_path / "0").write_bytes(DATA)
    threads = [
        threading.Thread(target=transfers.fetch, args=(url, tmp_path / f"{n}-")) for n, url in enumerate(urls)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    get_filesystem_class("memory")().rm("/threads", recursive=True)
    fetched = [(tmp_path / f"{n}-").read_bytes() for n in range(len(urls))]
    assert fetched == [bytes([n]) * 100_000 for n in range(3)] + 3 * [DATA * 5, DATA]


# -- to the web -------------------------------------------------------------------------------------------


def test_a_file_is_uploaded_in_one_request_that_tells_its_size(
    web: Site, transfers: Remote, file: Path
) -> None:
    web.replies["/file?sign=1/"] = [status(503), take]
    transfers.send(file, f"{web.url}/file?sign=1/")
    assert web.uploads == {"/file?sign=1/": DATA}
    assert web.visits == 2 * [("PUT", "/file?sign=1/")]


def test_a_directory_is_uploaded_file_by_file(web: Site, transfers: Remote, folder: Path) -> None:
    paths = ["/d/a", "/d/deep/er/b", "/d/it%27s%20%5B1%5D%2A%3F%23%2520.txt"]
    web.replies = {path: [take] for path in paths}
    transfers.send(folder, f"{web.url}/d/")
    assert sorted(web.uploads) == paths
    with pytest.raises(ValueError, match=r"/d\?\*\*\*: what follows the question mark is for one file"):
        transfers.send(folder, f"{web.url}/d?sign=1")


def test_a_server_that_refuses_an_upload_half_way_is_heard(
    web: Site, transfers: Remote, tmp_path: Path
) -> None:
    big = tmp_path / "big"
    big.write_bytes(DATA * 20)
    web.replies["/file"] = [status(403)]
    with pytest.raises(PermissionError, match="403 Forbidden"):
        transfers.send(big, f"{web.url}/file")


def test_an_upload_that_nobody_wants_any_more_ends(
    web: Site, transfers: Remote, stopped: threading.Event, tmp_path: Path
) -> None:
    def stop(visit: Visit) -> None:
        stopped.set()
        assert len(visit.body()) < 40 * len(DATA)

    big = tmp_path / "big"
    big.write_bytes(DATA * 40)
    web.replies["/file"] = [stop]
    with pytest.raises(InterruptedError, match="given up, nobody wants it any more"):
        transfers.send(big, f"{web.url}/file")
    assert len(web.visits) == 1


# -- from other places ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "data"),
    [
        ("data:,a%20b%FF", b"a b\xff"),
        ("data:text/plain;base64,aGVsbG8=", b"hello"),
        ("DATA:;base64,aGVsbG8%3D", b"hello"),
        ("data:,a::b", b"a::b"),
    ],
)
def test_a_data_url_is_its_own_file(transfers: Remote, target: Path, url: str, data: bytes) -> None:
    transfers.fetch(url, target)
    assert target.read_bytes() == data


@pytest.mark.parametrize("url", ["data:hello", "data:;base64,a"])
def test_a_data_url_that_holds_nothing_is_told(transfers: Remote, target: Path, url: str) -> None:
    with pytest.raises(ValueError, match=r"data:.*: "):
        transfers.fetch(url, target)
    assert not target.exists()


def test_a_file_url_is_a_path(transfers: Remote, tmp_path: Path, target: Path) -> None:
    path = tmp_path / "it's a #1?%20\udcff"
    path.write_bytes(DATA)
    transfers.fetch(path.as_uri(), target)
    assert target.read_bytes() == DATA
    error = raising(transfers, "file:///not/there", tmp_path / "other")
    assert str(error) == "file:///not/there: nothing is there"


def test_a_chain_is_followed(web: Site, transfers: Remote, target: Path, file: Path) -> None:
    web.replies["/file"] = [page(DATA)]
    transfers.fetch(f"simplecache::{web.url}/file", target)
    assert target.read_bytes() == DATA


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_directory_is_fetched_with_all_that_is_in_it(
    transfers: Remote, folder: Path, target: Path, slash: str
) -> None:
    (folder / "none").mkdir()
    transfers.send(folder, f"faulty://a/[b]*{slash}")
    transfers.fetch("faulty://a/[b]*/", target)
    assert contents(target) == contents(folder)
    assert (target / "none").is_dir()


def test_a_place_that_cannot_rename_copies(transfers: Remote, folder: Path, target: Path) -> None:
    (folder / "none").mkdir()
    memory = get_filesystem_class("memory")()
    transfers.send(folder, "memory://[a]*/b")
    assert len(memory.find("/")) == 3
    transfers.fetch("memory://[a]*/b/", target)
    assert contents(target) == contents(folder)
    assert (target / "none").is_dir()
    memory.store.clear()
    memory.pseudo_dirs[:] = [""]


def test_a_slash_tells_a_directory_from_a_file(transfers: Remote, file: Path, target: Path) -> None:
    transfers.send(file, "faulty://a/file")
    assert type(raising(transfers, "faulty://a", target)) is IsADirectoryError
    assert type(raising(transfers, "faulty://a/file/", target)) is NotADirectoryError
    with pytest.raises(IsADirectoryError, match="ends in a slash"):
        transfers.send(file, "faulty://b/")


def test_what_fails_in_a_directory_is_tried_by_itself(transfers: Remote, folder: Path, target: Path) -> None:
    transfers.send(folder, "faulty://d")
    Faulty.calls.clear()
    Faulty.plan = {"ls": [OSError("lost")], "open": [None, OSError("lost"), None, OSError("lost")]}
    transfers.fetch("faulty://d/", target)
    assert contents(target) == contents(folder)
    assert Faulty.calls.count("open") == 5


def test_a_directory_that_fails_leaves_nothing(transfers: Remote, folder: Path, target: Path) -> None:
    transfers.send(folder, "faulty://d")
    Faulty.plan = {"open": [None, None, PermissionError("no")]}
    error = raising(transfers, "faulty://d/", target)
    assert str(error) == "faulty://d/deep/er/b: no"
    assert type(error) is PermissionError


@pytest.mark.parametrize("step", ["info", "open", "read"])
def test_a_failure_that_may_pass_is_tried_again(
    transfers: Remote, target: Path, file: Path, step: str
) -> None:
    transfers.send(file, "faulty://file")
    Faulty.most = 100_000
    Faulty.plan = {step: [None, TimeoutError(), ConnectionResetError("gone"), EOFError(), None]}
    Faulty.plan[step] = Faulty.plan[step][0 if step == "read" else 1 :]
    transfers.fetch("faulty://file", target)
    assert target.read_bytes() == DATA


@pytest.mark.parametrize(
    "lasting",
    [
        PermissionError("no"),
        FileNotFoundError("/file"),
        OSError(errno.ENOSPC, "full"),
        ValueError("odd"),
        KeyError("a bug"),
    ],
)
def test_one_that_will_not_is_not(transfers: Remote, target: Path, file: Path, lasting: Exception) -> None:
    transfers.send(file, "faulty://file")
    Faulty.plan = {"read": [None, lasting]}
    Faulty.calls.clear()
    with pytest.raises((OSError, ValueError), match=r"^faulty://file: [^(]*$"):
        transfers.fetch("faulty://file", target)
    assert Faulty.calls.count("open") == 1
    assert not target.exists()


def test_a_file_that_ends_early_is_fetched_again(transfers: Remote, target: Path, file: Path) -> None:
    transfers.send(file, "faulty://file")
    Faulty.most = 1_000
    Faulty.plan = {"read": [None, b""]}
    transfers.fetch("faulty://file", target)
    assert target.read_bytes() == DATA
    Faulty.plan = {"read": 4 * [None, b""]}
    error = raising(transfers, "faulty://file", target.with_name("other"))
    assert str(error) == f"faulty://file: 1,000 bytes came, of {len(DATA):,} (4 attempts)"


@pytest.mark.parametrize("size", [2_000, 1_000_000])
def test_a_disk_that_takes_no_more_is_told_at_once(transfers: Remote, target: Path, size: int) -> None:
    Faulty().pipe_file("/file", bytes(size))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, before[1]))  # less than a buffer holds
    try:
        error = raising(transfers, "faulty://file", target)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert error.errno == errno.EFBIG
    assert str(error) == "faulty://file: [Errno 27] File too large"


def test_a_path_where_something_is_stays_as_it_is(transfers: Remote, file: Path) -> None:
    for url in ("faulty://file", "faulty://d/", "data:,x"):
        with pytest.raises(FileExistsError):
            transfers.fetch(url, file)
    assert file.read_bytes() == DATA


# -- to other places --------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["faulty://a/b", "s3://a/b", "memory://a/b"])
def test_what_is_sent_replaces_what_was_there(
    transfers: Remote, tmp_path: Path, file: Path, target: Path, url: str
) -> None:
    small = tmp_path / "small"
    small.write_text("old")
    transfers.send(small, url)
    transfers.send(file, url)
    transfers.fetch(url, target)
    assert target.read_bytes() == DATA
    if url.startswith("memory"):
        place = get_filesystem_class("memory")()
        assert place.find("/a") == ["/a/b"]
        place.rm("/a", recursive=True)


def test_a_file_url_is_written_to(transfers: Remote, tmp_path: Path, file: Path, folder: Path) -> None:
    transfers.send(file, f"file://{tmp_path}/new/a%20b")
    transfers.send(folder, f"file://{tmp_path}/new/folder")
    assert sorted(os.listdir(tmp_path / "new")) == ["a b", "folder"]
    assert contents(tmp_path / "new" / "folder") == contents(folder)


@pytest.mark.parametrize("step", ["info", "open", "write", "close", "mv"])
def test_sending_is_tried_again_whatever_fails(transfers: Remote, file: Path, step: str) -> None:
    Faulty.plan = {step: [OSError("lost"), TimeoutError(), ConnectionResetError()]}
    transfers.send(file, "faulty://a/file")
    assert Faulty.files() == {"/a/file": DATA}


@pytest.mark.parametrize("step", ["open", "write", "close", "mv"])
@pytest.mark.parametrize(
    "error", [OSError("lost"), OSError(errno.ENOSPC, "No space left on device")], ids=repr
)
def test_what_could_not_be_sent_leaves_the_old_file_and_nothing_else(
    transfers: Remote, tmp_path: Path, file: Path, step: str, error: OSError
) -> None:
    old = tmp_path / "old"
    old.write_text("old")
    transfers.send(old, "faulty://a/file")
    Faulty.plan = {step: 4 * [error]}
    with pytest.raises(OSError, match=r"^faulty://a/file: .*(lost|No space left on device)") as caught:
        transfers.send(file, "faulty://a/file")
    assert caught.value.errno == error.errno
    assert ("(4 attempts)" in str(caught.value)) == (error.errno is None)
    assert Faulty.files() == {"/a/file": b"old"}


def test_half_a_file_is_not_given_its_name(
    transfers: Remote, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfers_module, "_BLOCK", 1_000)
    Faulty.plan = {"write": [None, None, b""]}
    transfers.send(file, "faulty://file")
    assert Faulty.files() == {"/file": DATA}
    Faulty.empty()
    Faulty.plan = {"write": [None, b""] * 10_000}
    with pytest.raises(OSError, match=rf"[0-9,]+ bytes arrived, of {len(DATA):,} \(4 attempts\)"):
        transfers.send(file, "faulty://file")
    assert Faulty.files() == {}


def test_a_move_of_which_the_answer_is_lost_was_made(
    transfers: Remote, file: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    move = Faulty.mv

    def answer_lost(self: Faulty, path1: str, path2: str) -> None:
        move(self, path1, path2)
        raise ConnectionResetError("gone")

    monkeypatch.setattr(Faulty, "mv", answer_lost)
    transfers.send(file, "faulty://file")
    transfers.send(folder, "faulty://folder")
    assert Faulty.files()["/file"] == DATA
    assert len(Faulty.files()) == 4


@pytest.mark.parametrize("says", [FileExistsError("there"), OSError(errno.EEXIST, "there"), None], ids=repr)
def test_a_place_that_does_not_rename_over_a_file_has_it_removed_first(
    transfers: Remote, file: Path, monkeypatch: pytest.MonkeyPatch, says: OSError | None
) -> None:
    move = Faulty.mv

    def refuse(self: Faulty, path1: str, path2: str) -> None:
        if path2 not in self.store:
            move(self, path1, path2)
        elif says is not None:
            raise says

    monkeypatch.setattr(Faulty, "mv", refuse)
    Faulty().pipe_file("/file", b"old")
    transfers.send(file, "faulty://file")
    assert Faulty.files() == {"/file": DATA}


def test_a_place_that_will_not_rename_is_told(
    transfers: Remote, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Faulty, "mv", lambda self, path1, path2: None)
    with pytest.raises(FileExistsError, match="could not be given its name"):
        transfers.send(file, "faulty://file")
    assert Faulty.files() == {}


def test_a_directory_appears_as_a_whole_where_nothing_is(transfers: Remote, folder: Path, file: Path) -> None:
    Faulty.plan = {"write": [None, PermissionError("no")]}
    with pytest.raises(PermissionError, match=r"^faulty://d/it's \[1\]\*\?#%20\.txt: no$"):
        transfers.send(folder, "faulty://d")
    assert Faulty.files() == {}
    assert not hidden(dict.fromkeys(Faulty.pseudo_dirs, b""))
    transfers.send(folder, "faulty://d")
    for path in (folder, file):
        with pytest.raises(IsADirectoryError, match="faulty://d: a directory is there already"):
            transfers.send(path, "faulty://d")
    with pytest.raises(FileExistsError, match="a file is there already"):
        transfers.send(folder, "faulty://d/a")


def test_an_object_store_shows_whole_files_only(transfers: Remote, folder: Path, file: Path) -> None:
    Bucket.plan = {"write": [ConnectionResetError(), PermissionError("no")]}
    with pytest.raises(PermissionError):
        transfers.send(file, "s3://b/file")
    assert Bucket.files() == {}
    transfers.send(file, "s3://b/file")
    transfers.send(folder, "s3://b/d")
    assert sorted(Bucket.files()) == ["/b/d/a", "/b/d/deep/er/b", "/b/d/it's [1]*?#%20.txt", "/b/file"]


def test_who_may_write_and_not_look_has_written(transfers: Remote, file: Path) -> None:
    Bucket.plan = {"info": [PermissionError("no")]}
    transfers.send(file, "s3://b/file")
    assert Bucket.files() == {"/b/file": DATA}


def test_an_empty_directory_cannot_be_where_there_are_none(transfers: Remote, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(OSError, match="s3://b/d: the directory holds no file"):
        transfers.send(tmp_path / "empty", "s3://b/d")


def test_connections_end_with_the_transfer(
    transfers: Remote, target: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[None] = []

    class Connection:
        def close(self) -> None:
            closed.append(None)
            raise OSError("it is closed")

    class FTPFileSystem(Faulty):
        protocol = "ftp"
        ftp = Connection()

    monkeypatch.setitem(_registry, "ftp", FTPFileSystem)
    Faulty.plan = {"write": [OSError("lost")]}
    transfers.send(file, "ftp://u:p@h/file")
    assert len(closed) == 2
    transfers.fetch("ftp://u:p@h/file", target)
    assert len(closed) == 3


def test_what_cannot_be_read_is_not_left_out(
    transfers: Remote, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan = os.scandir

    def scandir(path: Any) -> Any:
        if os.fspath(path).endswith("deep"):
            raise PermissionError("no")
        return scan(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(PermissionError):
        transfers.send(folder, "faulty://d")
    assert Faulty.calls == []


def test_what_is_no_file_is_not_sent(transfers: Remote, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        transfers.send(tmp_path / "missing", "faulty://d")
    with pytest.raises(ValueError, match="nothing can be written there"):
        transfers.send(folder / "a", "data:,x")
    (folder / "link").symlink_to("deep")
    with pytest.raises(OSError, match="link' is a link to a directory"):
        transfers.send(folder, "faulty://d")
    (folder / "link").unlink()
    os.mkfifo(folder / "pipe")
    with pytest.raises(OSError, match="pipe' is neither a file nor a directory"):
        transfers.send(folder, "faulty://d")
    assert Faulty.files() == {}


# -- an end to it -----------------------------------------------------------------------------------------


def test_a_wait_for_the_next_attempt_ends_when_nobody_wants_it(
    stopped: threading.Event, target: Path
) -> None:
    Faulty().pipe_file("/file", DATA)
    failed = threading.Event()
    caught: list[BaseException] = []

    def fail() -> None:
        failed.set()
        raise OSError("lost")

    def fetch() -> None:
        try:
            Remote(stopped, delays=(3_600.0,)).fetch("faulty://file", target)
        except InterruptedError as error:
            caught.append(error)

    Faulty.plan = {"read": [fail]}
    thread = threading.Thread(target=fetch)
    thread.start()
    failed.wait()
    stopped.set()
    thread.join()
    assert str(caught[0]) == "faulty://file: given up, nobody wants it any more"
    assert not target.exists()


def test_a_transfer_ends_at_its_next_block(
    transfers: Remote, stopped: threading.Event, target: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfers_module, "_BLOCK", 1_000)
    transfers.send(file, "faulty://file")
    for step, move in (
        ("read", lambda: transfers.fetch("faulty://file", target)),
        ("write", lambda: transfers.send(file, "faulty://other")),
    ):
        Faulty.calls.clear()
        Faulty.plan = {step: [None, stopped.set]}
        with pytest.raises(InterruptedError):
            move()
        assert Faulty.calls.count(step) == 2
        stopped.clear()
    assert not target.exists()
    assert Faulty.files() == {"/file": DATA}


def test_nothing_begins_when_nobody_wants_anything(
    transfers: Remote, stopped: threading.Event, target: Path
) -> None:
    stopped.set()
    assert type(raising(transfers, "faulty://file", target)) is InterruptedError
    assert Faulty.calls == []


# -- what has to be installed -----------------------------------------------------------------------------


def test_importing_it_loads_neither_fsspec_nor_aiohttp() -> None:
    program = (
        "import asyncflow, asyncflow._files.remote, sys; print({'fsspec', 'aiohttp'} & set(sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout == "set()\n"


def test_without_fsspec_the_mend_is_told(
    transfers: Remote, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(ImportError, match=r'pip install "asyncflow-engine\[remote\]"'):
        transfers.fetch("http://127.0.0.1/x", target)
    assert not target.exists()


@pytest.mark.parametrize(
    ("name", "module", "mend"),
    [
        ("s3a", "s3fs", "pip install s3fs"),
        ("gs", "gcsfs", "pip install gcsfs"),
        ("abfs", "adlfs", "pip install adlfs"),
        ("http", "aiohttp", 'pip install "asyncflow-engine[remote]"'),
        ("sftp", "paramiko", "pip install paramiko"),
    ],
)
def test_a_missing_driver_is_named(
    transfers: Remote, target: Path, monkeypatch: pytest.MonkeyPatch, name: str, module: str, mend: str
) -> None:
    monkeypatch.delitem(_registry, name, raising=False)
    path = known_implementations[name]["class"].rpartition(".")[0]
    monkeypatch.delitem(sys.modules, path, raising=False)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError) as caught:
        transfers.fetch(f"{name}://u:secret@x/y", target)
    assert f"this needs a driver:  {mend}" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert not target.exists()


def test_a_place_that_nobody_knows_is_told(transfers: Remote, target: Path) -> None:
    with pytest.raises(ValueError, match=r"^nowhere://x: nothing is known of nowhere://$"):
        transfers.fetch("nowhere://x", target)
