"""Files of tasks that run where the engine's files are not: they travel, each content once, and come back."""

from __future__ import annotations

import asyncio
import errno
import os
import stat
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from carried_files_kit import FarBackend

from asyncflow import InputFile, OutputFile, StagingError, WorkerDied, WorkflowEngine
from asyncflow._files.contents import Arriving
from asyncflow.backend import ExecutionBackend
from asyncflow.backends.carried import CarriedBackend


@pytest.fixture
def far(tmp_path: Path) -> FarBackend:
    return FarBackend(tmp_path / "node")


@pytest.fixture
async def watched(far: FarBackend, tmp_path: Path) -> AsyncIterator[WorkflowEngine]:
    """An engine with ``far``."""
    async with WorkflowEngine(far, work_dir=tmp_path / "work") as engine:
        yield engine


@pytest.fixture(params=["beside", "agents"])
async def engine(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[WorkflowEngine]:
    """An engine whose tasks run where its files are not: in processes beside it, or with agents."""
    backend: ExecutionBackend = FarBackend(tmp_path / "node")
    if request.param == "agents":
        (tmp_path / "node").mkdir()
        monkeypatch.setenv(
            "TMPDIR", str(tmp_path / "node")
        )  # of the agents; this process knows its own by now
        backend = CarriedBackend(agents=2, workers=1, shares_files=False)
    async with WorkflowEngine(backend, work_dir=tmp_path / "work") as engine:
        yield engine
    assert list((tmp_path / "node").glob("asyncflow-node-*")) == []


def shout(text: Path, loud: Path) -> str:
    assert type(text) is type(loud) is type(Path())
    assert text.parent == loud.parent
    assert "node" in text.parts
    loud.write_text(text.read_text().upper())
    return str(text.parent)


async def test_a_function_gets_paths_of_a_sandbox_on_the_node(engine: WorkflowEngine, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one")
    future = engine.function_task(shout)(InputFile(tmp_path / "a.txt"), OutputFile("loud.txt"))
    there = await future
    assert there.startswith(str(tmp_path / "node"))
    made = await future.outputs["loud.txt"]
    assert made.parent == future.sandbox
    assert made.read_text() == "ONE"
    assert not Path(there).exists()


@dataclass
class Job:
    files: list[Path]
    out: Path


def nested(job: Job, more: dict[str, tuple[Path, ...]]) -> dict[str, Path]:
    job.out.write_text("".join(path.read_text() for path in (*job.files, *more["x"])))
    return {"out": job.out, "other": job.out.with_suffix(".log"), "elsewhere": Path("/etc/hosts")}


async def test_paths_go_there_and_come_home_wherever_they_are_nested(
    engine: WorkflowEngine, tmp_path: Path
) -> None:
    for name in "abc":
        (tmp_path / name).write_text(name)
    job = Job([InputFile(tmp_path / "a"), InputFile(tmp_path / "b")], OutputFile("d/out.txt"))  # type: ignore
    future = engine.function_task(nested)(job, {"x": (InputFile(tmp_path / "c"),)})  # type: ignore[dict-item]
    value = await future
    assert value["out"] == future.sandbox / "d/out.txt"
    assert value["out"].read_text() == "abc"
    assert value["other"] == future.sandbox / "d/out.log"
    assert value["elsewhere"] == Path("/etc/hosts")
    assert all(type(path) is type(Path()) for path in value.values())


def size_of(data: Path) -> int:
    return data.stat().st_size


async def test_a_content_that_many_tasks_read_goes_to_the_node_once(
    watched: WorkflowEngine, far: FarBackend, tmp_path: Path
) -> None:
    (tmp_path / "data").write_bytes(os.urandom(3_000_000))
    (tmp_path / "same").write_bytes((tmp_path / "data").read_bytes())
    task = watched.function_task(size_of)
    calls = [task(InputFile(tmp_path / name)) for name in ("data", "same") for _ in range(20)]
    assert await asyncio.gather(*calls) == [3_000_000] * 40
    assert 3_000_000 < far.bytes_sent < 3_200_000


def make(out: Path, size: int) -> None:
    out.write_bytes(os.urandom(size))


async def test_an_output_that_goes_to_a_task_on_the_same_node_does_not_travel_back(
    watched: WorkflowEngine, far: FarBackend
) -> None:
    made = watched.function_task(make)(OutputFile("data"), 2_000_000)
    assert await watched.function_task(size_of)(InputFile(made.outputs["data"])) == 2_000_000
    assert far.bytes_sent < 100_000
    assert 2_000_000 < far.there.bytes_sent < 2_100_000


def spoil(data: Path) -> str:
    text = data.read_text()
    data.write_text("spoilt")
    return text


async def test_a_task_that_writes_into_what_it_was_given_harms_nobody(
    engine: WorkflowEngine, tmp_path: Path
) -> None:
    (tmp_path / "data").write_text("whole")
    (tmp_path / "data").chmod(0o640)
    task = engine.function_task(spoil)
    for _ in range(3):
        assert await task(InputFile(tmp_path / "data")) == "whole"
    assert (tmp_path / "data").read_text() == "whole"


def look(folder: Path, out: Path) -> list[tuple[str, int, str]]:
    found = []
    for path in sorted(folder.rglob("*")):
        content = path.read_text() if path.is_file() else ""
        found.append((str(path.relative_to(folder)), stat.S_IMODE(path.lstat().st_mode), content))
    out.mkdir()
    (out / "in").mkdir()
    (out / "in/file").write_text("made")
    (out / "in/file").chmod(0o755)
    os.symlink("in/file", out / "link")
    (out / "empty").mkdir()
    return found


async def test_directories_travel_with_their_links_and_modes(engine: WorkflowEngine, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub/run.sh").write_text("run")
    (folder / "sub/run.sh").chmod(0o755)
    (folder / "hollow").mkdir()
    os.symlink("sub/run.sh", folder / "inner")
    (tmp_path / "outside").write_text("out")
    os.symlink(tmp_path / "outside", folder / "outer")
    future = engine.function_task(look)(InputFile(folder), OutputFile("out", to=tmp_path / "published"))
    assert await future == [
        ("hollow", 0o755, ""),
        ("inner", 0o777, "run"),
        ("outer", 0o644, "out"),
        ("sub", 0o755, ""),
        ("sub/run.sh", 0o755, "run"),
    ]
    published = tmp_path / "published"
    assert sorted(str(path.relative_to(published)) for path in published.rglob("*")) == [
        "empty",
        "in",
        "in/file",
        "link",
    ]
    assert os.readlink(published / "link") == "in/file"
    assert (published / "link").read_text() == "made"
    assert stat.S_IMODE((published / "in/file").stat().st_mode) == 0o755


def hollow(data: Path, out: Path) -> int:
    with open(out, "wb") as file:
        file.seek(1 << 32)
        file.write(b"end")
        file.truncate(5 << 30)
    assert data.stat().st_size == 1 << 30
    return data.stat().st_blocks * 512


async def test_holes_do_not_travel_and_are_holes_again(
    watched: WorkflowEngine, far: FarBackend, tmp_path: Path
) -> None:
    with open(tmp_path / "data", "wb") as file:
        file.write(b"begin")
        file.truncate(1 << 30)
    future = watched.function_task(hollow)(InputFile(tmp_path / "data"), OutputFile("out"))
    assert await future < 1 << 20
    out = await future.outputs["out"]
    assert out.stat().st_size == 5 << 30
    assert out.stat().st_blocks * 512 < 1 << 20
    with open(out, "rb") as read:
        read.seek(1 << 32)
        assert read.read(4) == b"end\0"
    assert far.bytes_sent + far.there.bytes_sent < 1 << 20


def several(given: Path, folder: Path) -> None:
    (folder.parent / "1.csv").write_text("1")
    (folder.parent / "2.csv").write_text("2")


async def test_a_pattern_means_what_was_made_and_not_what_was_given(
    engine: WorkflowEngine, tmp_path: Path
) -> None:
    (tmp_path / "0.csv").write_text("0")
    future = engine.function_task(several)(InputFile(tmp_path / "0.csv"), OutputFile("*.csv"))
    assert [path.name for path in await future.outputs.all("*.csv")] == ["1.csv", "2.csv"]


def nothing(*_: object) -> None:
    pass


async def test_an_output_that_was_not_made_is_told_as_here(engine: WorkflowEngine, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one")
    future = engine.function_task(nothing)(InputFile(tmp_path / "a.txt"), OutputFile("b.txt"))
    with pytest.raises(
        StagingError, match=r"'nothing' \(#1\) did not make its output 'b.txt'.\n  There is: a.txt"
    ):
        await future


def escape(out: Path) -> None:
    os.symlink("/etc/hosts", out)


async def test_an_output_that_leads_out_of_the_sandbox_is_refused(engine: WorkflowEngine) -> None:
    with pytest.raises(StagingError, match="is a link that leads out of the sandbox"):
        await engine.function_task(escape)(OutputFile("out"))


@pytest.mark.parametrize("name", ["-rf", "a b\n'c\"$(x)", ".hidden", "\udcff\udcfe", "ünï"])
async def test_names_of_every_kind_travel(engine: WorkflowEngine, tmp_path: Path, name: str) -> None:
    (tmp_path / "given").mkdir()
    (tmp_path / "given" / name).write_text("one")
    task = engine.function_task(shout)
    future = task(InputFile(tmp_path / "given" / name), OutputFile(f"out/{name}"))
    with pytest.raises(AssertionError):  # they are in one directory there, but for the output's own
        await future
    future = task(InputFile(tmp_path / "given" / name), OutputFile(f"{name}.out"))
    await future
    assert (await future.outputs[f"{name}.out"]).read_text() == "ONE"


async def test_a_node_that_sees_the_same_files_is_sent_none(tmp_path: Path) -> None:
    def here(data: Path, out: Path) -> str:
        out.write_bytes(data.read_bytes())
        return str(out)

    far = FarBackend(tmp_path / "node", shares=None)
    (tmp_path / "data").write_bytes(os.urandom(1_000_000))
    async with WorkflowEngine(far, work_dir=tmp_path / "work") as engine:
        future = engine.function_task(here)(InputFile(tmp_path / "data"), OutputFile("out"))
        assert await future == str(future.sandbox / "out")
        assert (await future.outputs["out"]).read_bytes() == (tmp_path / "data").read_bytes()
        assert far.engine.shares_files is True
        assert far.bytes_sent + far.there.bytes_sent < 10_000
        again = engine.function_task(several)(InputFile(tmp_path / "data", name="0.csv"), OutputFile("*.csv"))
        assert [path.name for path in await again.outputs.all("*.csv")] == ["1.csv", "2.csv"]


async def test_a_directory_of_the_same_name_is_not_taken_for_the_same_one(tmp_path: Path) -> None:
    far = FarBackend(tmp_path / "node", shares=None)
    (tmp_path / "a.txt").write_text("one")
    async with WorkflowEngine(far, work_dir=tmp_path / "work") as engine:
        await engine.function_task(size_of)(InputFile(tmp_path / "a.txt"))
        far.engine._words = dict.fromkeys(far.engine._words, "what another machine has there")
        far.node._shared.clear()
        future = engine.function_task(shout)(InputFile(tmp_path / "a.txt"), OutputFile("loud.txt"))
        await future
        assert far.engine.shares_files is False
        assert (await future.outputs["loud.txt"]).read_text() == "ONE"


async def test_a_task_that_is_cancelled_while_its_files_travel_never_begins(
    watched: WorkflowEngine, far: FarBackend, tmp_path: Path
) -> None:
    (tmp_path / "data").write_bytes(os.urandom(10_000_000))
    far.here.stall()
    future = watched.function_task(size_of)(InputFile(tmp_path / "data"))
    while not far.here.sent:
        await asyncio.sleep(0)
    future.cancel()
    far.here.go_on()
    await watched.settled(future)
    assert future.state == "CANCELLED"
    assert await watched.function_task(size_of)(InputFile(tmp_path / "data")) == 10_000_000


async def test_a_node_that_is_lost_while_an_output_travels_is_told_with_the_file(
    watched: WorkflowEngine, far: FarBackend
) -> None:
    far.there.stall()
    future = watched.function_task(make)(OutputFile("data"), 20_000_000)
    while not far.there.sent:
        await asyncio.sleep(0.001)
    far.there.go_on()
    while far.there.sent < 4:
        await asyncio.sleep(0)
    far.here.lose("the network is gone")
    with pytest.raises(WorkerDied, match="the network is gone while its output 'data' was brought here"):
        await future


async def test_a_file_that_changes_while_it_travels_is_told(
    watched: WorkflowEngine, far: FarBackend, tmp_path: Path
) -> None:
    (tmp_path / "data").write_bytes(os.urandom(10_000_000))
    far.here.stall()
    future = watched.function_task(size_of)(InputFile(tmp_path / "data"))
    while not far.here.sent:
        await asyncio.sleep(0)
    with open(tmp_path / "data", "r+b") as file:
        file.seek(9_999_999)
        file.write(b"x")
    far.here.go_on()
    with pytest.raises(StagingError, match=r"'data' could not be brought to .*: it was changed while"):
        await future


async def test_a_full_disk_of_the_node_is_told_and_what_others_have_left_there_goes_first(
    watched: WorkflowEngine, far: FarBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(self: Arriving, index: int, block: bytes) -> None:
        if room[0] < len(block):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        room[0] -= len(block)
        written(self, index, block)

    def free(most: int, needed: object) -> int:
        freed = freeing(most, needed)  # type: ignore[arg-type]
        room[0] += freed
        return freed

    room = [1_500_000]
    written, freeing = Arriving.write, far.node._store.free
    monkeypatch.setattr(Arriving, "write", write)
    monkeypatch.setattr(far.node._store, "free", free)
    (tmp_path / "one").write_bytes(os.urandom(1_000_000))
    (tmp_path / "two").write_bytes(os.urandom(1_000_000))
    task = watched.function_task(size_of)
    assert await task(InputFile(tmp_path / "one")) == 1_000_000
    room[0] = 600_000
    assert await task(InputFile(tmp_path / "two")) == 1_000_000
    room[0] = -(10**9)
    with pytest.raises(StagingError, match=r"'one' could not be brought to .*: .*No space left on device"):
        await task(InputFile(tmp_path / "one"))


def flaky(data: Path, out: Path) -> str:
    tries = data.parent.parent.parent / "tries"
    tries.write_text(tries.read_text() + "." if tries.exists() else ".")
    if len(tries.read_text()) < 3:
        (data.parent / "left over").write_text("not seen by the next attempt")
        raise ValueError("not yet")
    assert not (data.parent / "left over").exists()
    out.write_text(data.read_text())
    return out.read_text()


async def test_each_attempt_has_a_sandbox_of_its_own(engine: WorkflowEngine, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one")
    task = engine.function_task(flaky, retries=3, retry_delay=0)
    future = task(InputFile(tmp_path / "a.txt"), OutputFile("b.txt"))
    assert await future == "one"
    assert (await future.outputs["b.txt"]).read_text() == "one"


def fail(out: Path) -> None:
    (out.parent / "note.txt").write_text("why")
    raise ValueError("no")


async def test_what_a_failed_task_has_left_comes_back_to_be_looked_into(engine: WorkflowEngine) -> None:
    future = engine.function_task(fail)(OutputFile("out"))
    with pytest.raises(ValueError, match="no"):
        await future
    assert (future.sandbox / "note.txt").read_text() == "why"


async def test_data_urls_and_checksums_of_inputs_hold_as_here(engine: WorkflowEngine, tmp_path: Path) -> None:
    task = engine.function_task(size_of)
    assert await task(InputFile("data:text/plain,hello", name="hello.txt")) == 5
    (tmp_path / "a.txt").write_text("one")
    with pytest.raises(StagingError, match="is not what it should be"):
        await task(InputFile(tmp_path / "a.txt", sha256="0" * 64))
    with pytest.raises(StagingError, match="is not there"):
        await task(InputFile(tmp_path / "nowhere"))


def in_turn(data: Path, pipe: str, others: int) -> int:
    """One of them waits until all others are over."""
    if others:
        with open(pipe, "rb") as reading:
            assert len(reading.read(others)) == others
    else:
        with open(pipe, "wb") as writing:
            writing.write(b".")
    return data.stat().st_size


@pytest.mark.parametrize("shares", [False, True])
async def test_calls_with_files_are_taken_back_from_an_agent_that_is_busy(
    tmp_path: Path, shares: bool
) -> None:
    os.mkfifo(tmp_path / "pipe")
    opened = os.open(tmp_path / "pipe", os.O_RDWR)  # as long as this test, so that nobody finds its end
    (tmp_path / "data").write_bytes(b"x" * 10_000)
    far = CarriedBackend(agents=2, workers=1, shares_files=shares)
    async with WorkflowEngine(far, work_dir=tmp_path / "work") as engine:
        task = engine.function_task(in_turn)
        pipe = str(tmp_path / "pipe")
        calls = [task(InputFile(tmp_path / "data"), pipe, 30 if number == 0 else 0) for number in range(31)]
        async with asyncio.timeout(60):
            assert await asyncio.gather(*calls) == [10_000] * 31
    os.close(opened)


def read_all(first: Path, more: dict[str, list[Path]]) -> str:
    return first.read_text() + "".join(path.read_text() for path in more["x"])


async def test_paths_of_outputs_that_are_handed_on_undeclared_are_brought_along(
    engine: WorkflowEngine,
) -> None:
    write = engine.function_task(lambda out, text: out.write_text(text))
    one, two = write(OutputFile("same.txt"), "one"), write(OutputFile("same.txt"), "two")
    read = engine.function_task(read_all)
    first, second = one.outputs["same.txt"], two.outputs["same.txt"]
    assert await read(first, {"x": [second, first]}) == "onetwoone"
    assert await engine.function_task(size_of)(second) == 3
