"""Files of tasks that come from other places, and go there."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from fsspec.registry import _registry

from asyncflow import InputFile, OutputFile, StagingError, UpstreamFailed, WorkflowEngine

from .remote_kit import Faulty, Site, cut_off, fsspec_threads, page, site, status, take


@pytest.fixture(scope="module", autouse=True)
def threads_of_fsspec() -> None:
    fsspec_threads()


@pytest.fixture
def web() -> Iterator[Site]:
    with site() as server:
        yield server


@pytest.fixture(autouse=True)
def places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setitem(_registry, "faulty", Faulty)
    Faulty.empty()


@pytest.fixture(params=["thread", "process"])
async def engine(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[WorkflowEngine]:
    async with WorkflowEngine(request.param, workers=2, work_dir=tmp_path / "work") as engine:
        yield engine


def read(path: Path) -> str:
    return f"{path.name}: {path.read_text()}"


async def test_a_url_is_an_input_of_commands_and_functions(engine: WorkflowEngine, web: Site) -> None:
    web.replies["/a%20b.txt?token=1"] = [page(b"hello")]
    url = f"{web.url}/a%20b.txt?token=1"
    assert await engine.function_task(read)(InputFile(url)) == "a b.txt: hello"
    assert await engine.executable_task(lambda file: f"cat {file}; ls")(InputFile(url)) == "helloa b.txt\n"
    assert await engine.function_task(read)(InputFile("data:,hello%20you")) == "data: hello you"
    assert await engine.function_task(read)(InputFile("data:,hello", name="x.txt")) == "x.txt: hello"


async def test_it_is_fetched_once_however_many_ask(engine: WorkflowEngine, web: Site) -> None:
    web.replies["/a.txt"] = [page(b"hello")]
    source = InputFile(f"{web.url}/a.txt", sha256=hashlib.sha256(b"hello").hexdigest())
    edit = engine.executable_task(lambda file, n: f"printf ' {n}' >> {file}; cat {file}")
    assert await asyncio.gather(*[edit(source, n) for n in range(40)]) == [f"hello {n}" for n in range(40)]
    assert await engine.function_task(read)(source) == "a.txt: hello"
    assert web.visits == [("GET", "/a.txt")]


async def test_what_is_not_what_it_should_be_is_told(engine: WorkflowEngine, web: Site) -> None:
    web.replies["/a.txt"] = [page(b"hello")]
    with pytest.raises(
        StagingError, match=r"'read' \(#1\): 'http.*/a.txt' is not what it should be: its sha256 is"
    ):
        await engine.function_task(read)(InputFile(f"{web.url}/a.txt", sha256="0" * 64))


async def test_one_that_is_not_there_fails_its_reader_before_it_starts(
    engine: WorkflowEngine, web: Site
) -> None:
    reads = [engine.function_task(read)(InputFile(f"{web.url}/a.txt?token=secret")) for _ in range(2)]
    for number, future in enumerate(reads, 1):
        with pytest.raises(StagingError, match=rf"'read' \(#{number}\): .*a.txt.*nothing is there") as caught:
            await future
        assert "secret" not in str(caught.value)
        assert future.attempts == 0
    web.replies["/a.txt?token=secret"] = [page(b"late")]  # whoever asks later is worth another attempt
    assert await engine.function_task(read)(InputFile(f"{web.url}/a.txt?token=secret")) == "a.txt: late"


async def test_a_failure_that_passes_is_not_noticed(engine: WorkflowEngine, web: Site) -> None:
    web.replies["/a.txt"] = [status(503), cut_off(b"hello"), page(b"hello")]
    assert await engine.function_task(read)(InputFile(f"{web.url}/a.txt")) == "a.txt: hello"
    assert len(web.visits) == 3


async def test_an_output_is_published_there_when_the_task_has_succeeded(
    engine: WorkflowEngine, web: Site, tmp_path: Path
) -> None:
    web.replies["/up"] = [take]
    make = engine.executable_task(
        lambda out, web, here, code: f"echo 1 | tee {out} {web} > {here}; exit {code}"
    )
    files = (
        OutputFile("a", to="faulty://results/a"),
        OutputFile("b", to=f"{web.url}/up"),
        OutputFile("c", to=(tmp_path / "with space" / "c").as_uri()),
    )
    failed = make(*files, 1)
    await asyncio.wait([failed])
    assert failed.exception() is not None
    assert (Faulty.files(), web.uploads, (tmp_path / "with space").exists()) == ({}, {}, False)
    await make(*files, 0)
    assert Faulty.files() == {"/results/a": b"1\n"}
    assert web.uploads == {"/up": b"1\n"}
    assert (tmp_path / "with space" / "c").read_text() == "1\n"
    assert await engine.function_task(read)(InputFile("faulty://results/a")) == "a: 1\n"


async def test_what_cannot_be_published_there_fails_the_task_and_nothing_appears_here(
    engine: WorkflowEngine, tmp_path: Path
) -> None:
    Faulty.plan["write"] = [PermissionError("no")]
    make = engine.executable_task(lambda *outs: f"echo 1 > {outs[0]}; echo 2 > {outs[1]}", name="make")
    made = make(OutputFile("a", to=tmp_path / "a"), OutputFile("b", to="faulty://b"))
    with pytest.raises(StagingError, match=r"'make' \(#1\): its outputs could not be published: faulty://b"):
        await made
    assert not (tmp_path / "a").exists()
    assert Faulty.files() == {}
    with pytest.raises(UpstreamFailed):
        await made.outputs["a"]


async def test_two_tasks_cannot_publish_to_one_place_there_either(engine: WorkflowEngine) -> None:
    make = engine.executable_task(lambda out: f"echo 1 > {out}", name="make")
    first = make(OutputFile("a", to="faulty://a"))
    with pytest.raises(StagingError, match=r"would publish to faulty://a, and so does 'make' \(#1\)"):
        make(OutputFile("a", to="faulty://a"))
    await first


async def test_a_driver_that_is_missing_is_named_and_so_is_a_scheme_that_nobody_knows(
    engine: WorkflowEngine,
) -> None:
    with pytest.raises(StagingError, match=r"'read' \(#1\): s3://bucket/a: .*pip install s3fs"):
        await engine.function_task(read)(InputFile("s3://bucket/a"))
    with pytest.raises(StagingError, match=r"'read' \(#2\): nowhere://a: .*nowhere"):
        await engine.function_task(read)(InputFile("nowhere://a"))


async def test_a_shutdown_ends_what_is_being_fetched(engine: WorkflowEngine, tmp_path: Path) -> None:
    reading, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        reading.set()
        go_on.wait()

    Faulty().pipe_file("/a", b"hello")
    Faulty.plan["read"] = [hold]
    future = engine.function_task(read)(InputFile("faulty://a"))
    await asyncio.to_thread(reading.wait)
    assert future.state == "READY"
    shutdown = asyncio.ensure_future(engine.shutdown(wait=False))
    await asyncio.wait([future])
    go_on.set()
    await shutdown
    assert future.cancelled()
    assert list((tmp_path / "work").iterdir()) == []


async def test_a_cancel_of_one_reader_is_no_matter_to_others(engine: WorkflowEngine) -> None:
    reading, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        reading.set()
        go_on.wait()

    Faulty().pipe_file("/a", b"hello")
    Faulty.plan["read"] = [hold]
    first, second = [engine.function_task(read)(InputFile("faulty://a")) for _ in range(2)]
    await asyncio.to_thread(reading.wait)
    first.cancel()
    go_on.set()
    assert await second == "a: hello"
    assert first.state == "CANCELLED"


async def test_a_dry_run_fetches_nothing(web: Site) -> None:
    async with WorkflowEngine(dry_run=True) as engine:
        future: Any = engine.executable_task(lambda file, out: "true")(
            InputFile(f"{web.url}/a"), OutputFile("a", to="faulty://a")
        )
        assert await future.outputs["a"] == Path("a")
    assert (web.visits, Faulty.calls) == ([], [])


async def test_a_slash_at_the_end_means_a_directory_there_too(engine: WorkflowEngine, web: Site) -> None:
    web.replies["/up//c%20d"] = [take]
    make = engine.executable_task(lambda *outs: "\n".join(f"echo 1 > {out}" for out in outs), name="make")
    outputs = [OutputFile(name, to="faulty://results/") for name in ("a", "sub/b")]
    first = make(*outputs, OutputFile("c d", to=f"{web.url}/up//"))
    with pytest.raises(StagingError, match=r"would publish to faulty://results/a, and so does 'make' \(#1\)"):
        make(OutputFile("a", to="faulty://results/a"))
    await first
    assert sorted(Faulty.store) == ["/results/a", "/results/b"]
    assert web.uploads == {"/up//c%20d": b"1\n"}
    tree = engine.executable_task(lambda out: f"mkdir {out}; touch {out}/x")
    await tree(OutputFile("tree", to="faulty://results/"))
    assert "/results/tree/x" in Faulty.store


async def test_a_directory_is_asked_for_with_its_slash(engine: WorkflowEngine, web: Site) -> None:
    web.replies["/d/"] = [page(b'<a href="sub/">sub</a> <a href="a">a</a>', Content_Type="text/html")]
    web.replies["/d/sub/"] = [page(b'<a href="b">b</a>', Content_Type="text/html")]
    web.replies["/d/a"] = web.replies["/d/sub/b"] = [page(b"x")]
    names = engine.function_task(lambda path: sorted(each.name for each in path.rglob("*")))
    assert await names(InputFile(f"{web.url}/d/")) == ["a", "b", "sub"]
    assert sorted(path for _, path in web.visits) == ["/d/", "/d/a", "/d/sub/", "/d/sub/b"]
