"""Files in and out of sandboxes: every reader finds its file, and no original comes to harm."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import socket
import subprocess
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from asyncflow import (
    CommandFailed,
    InputFile,
    OutputFile,
    StagingError,
    UpstreamFailed,
    WorkflowEngine,
    sh,
)
from asyncflow._files.copying import Unwanted, copy
from asyncflow._files.stager import AT_ONCE
from asyncflow.testing import Gate

from .kit import turns


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[WorkflowEngine]:
    async with WorkflowEngine(workers=2, work_dir=tmp_path / "work") as engine:
        yield engine


def read(path: Path) -> str:
    return path.read_text()


# -- inputs -----------------------------------------------------------------------------------------------


async def test_an_input_is_a_copy_that_a_task_may_write_into(engine: WorkflowEngine, tmp_path: Path) -> None:
    original = tmp_path / "original.txt"
    original.write_text("one\n")

    @engine.executable_task
    def edit(file: Any) -> str:
        return f"echo two >> {file}; cat {file}; ls"

    assert await edit(InputFile(original)) == "one\ntwo\noriginal.txt\n"
    assert original.read_text() == "one\n"


async def test_so_is_the_output_of_another_task(engine: WorkflowEngine) -> None:
    @engine.executable_task
    def make(out: Any = OutputFile("data.txt")) -> str:
        return f"echo made > {out}"

    @engine.executable_task
    def edit(file: Any = InputFile("data.txt")) -> str:
        return f"echo edited >> {file}; cat {file}"

    made = make()
    first, second = edit.with_options(after=made)(), edit.with_options(after=made)()
    assert await first == await second == "made\nedited\n"
    assert await engine.function_task(read)(made.outputs["data.txt"]) == "made\n"


@pytest.mark.parametrize("name", ["a b", "$HOME", "-rf", "it's", "new\nline", "`id`", "*", "é", '"'])
async def test_any_name_is_quoted_in_a_command(engine: WorkflowEngine, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("x")

    @engine.executable_task
    def copy(source: Any, target: Any) -> str:
        return f"cat {source} > {target}"

    @engine.executable_task
    def by_list(source: Any) -> list[Any]:
        return ["cat", source]

    name_out = "out " + name.replace("*", "x")  # a star would be a pattern
    copied = copy(InputFile(tmp_path / name), OutputFile(name_out))
    assert await by_list(InputFile(copied.outputs[name_out])) == "x"


async def test_a_future_of_a_path_is_an_input(engine: WorkflowEngine, tmp_path: Path) -> None:
    @engine.function_task
    def write() -> Path:
        path = tmp_path / "late.txt"
        path.write_text("late")
        return path

    cat = engine.executable_task(lambda file: ["cat", file])
    assert await cat(InputFile(write())) == "late"


async def test_directories_go_in_and_out(engine: WorkflowEngine, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "inner").mkdir(parents=True)
    (folder / "inner" / "file").write_text("deep")

    @engine.executable_task
    def change(folder: Any, out: Any) -> str:
        return f"cp -r {folder} {out}; echo more >> {folder}/inner/file"

    published = tmp_path / "published"
    changed = change(InputFile(folder), OutputFile("copied", to=published))
    path = await changed.outputs["copied"]
    assert (path / "inner" / "file").read_text() == (published / "inner" / "file").read_text() == "deep"
    assert (folder / "inner" / "file").read_text() == "deep"


async def test_a_missing_input_says_who_could_have_made_it(engine: WorkflowEngine) -> None:
    cat = engine.executable_task(lambda file: ["cat", file], name="show")
    with pytest.raises(
        StagingError,
        match=r"'show' \(#1\): input 'x.txt' is not there \(looked at .*x.txt\); no task that it",
    ):
        await cat(InputFile("x.txt"))
    make = engine.executable_task(lambda out: f"echo 1 > {out}", name="make")(OutputFile("y.txt"))
    with pytest.raises(StagingError, match=r"the tasks that it depends on declare y\.txt"):
        await cat.with_options(after=make)(InputFile("x.txt"))
    with pytest.raises(StagingError, match=r"'make' \(#2\) makes it: pass its  future.outputs\['y.txt'\]"):
        await cat(InputFile("y.txt"))


async def test_what_nobody_will_make_is_told_before_anything_runs(tmp_path: Path) -> None:
    async with WorkflowEngine(work_dir=tmp_path, implicit_data=False) as engine:
        make = engine.executable_task(lambda out: f"echo 1 > {out}", name="make")(OutputFile("y.txt"))
        cat = engine.executable_task(lambda file: ["cat", file], name="show").with_options(after=make)
        with pytest.raises(StagingError, match=r"'show' \(#2\): input 'x.txt' is not there .* declare y.txt"):
            cat(InputFile("x.txt"))
        assert make.attempts == 0
        # A function may write anywhere: then it cannot be known.
        late = engine.function_task(lambda: None)()
        future = cat.with_options(after=late)(InputFile("x.txt"))
        with pytest.raises(StagingError, match="is not there"):
            await future


@pytest.mark.parametrize("source", [3, None, ["a", "b"]])
async def test_what_is_no_path_is_told(engine: WorkflowEngine, source: Any) -> None:
    with pytest.raises(StagingError, match=r"'show' \(#1\): InputFile\("):
        await engine.executable_task(lambda file: ["cat", file], name="show")(InputFile(source))


async def test_a_name_that_no_file_can_have_is_told(engine: WorkflowEngine) -> None:
    make = engine.function_task(lambda out: out.write_text("x"))(OutputFile("x"))
    task = engine.function_task(read, name="task").with_options(after=make)
    with pytest.raises(StagingError, match="'task'"):
        await task(InputFile("x" * 300))  # type: ignore[arg-type]


async def test_the_contents_of_two_urls_are_told_apart_as_their_user_wrote_them(
    engine: WorkflowEngine,
) -> None:
    with pytest.raises(StagingError, match=r"two inputs would be called 'data' .*: 'data:,a' and 'data:,b'"):
        await engine.function_task(lambda *paths: None)(InputFile("data:,a"), InputFile("data:,b"))


async def test_several_files_of_one_output_are_an_input(engine: WorkflowEngine) -> None:
    split = engine.executable_task(lambda out: "echo 1 > 'part 1'; echo 2 > 'part 2'")(OutputFile("part *"))
    parts = InputFile(split.outputs["part *"])
    assert await engine.executable_task(lambda files: f"cat {files}")(parts) == "1\n2\n"
    assert await engine.executable_task(lambda files: sh("cat {}", files))(parts) == "1\n2\n"
    assert await engine.executable_task(lambda files: ["cat", *files])(parts) == "1\n2\n"
    assert await engine.function_task(lambda files: [file.name for file in files])(parts) == [
        "part 1",
        "part 2",
    ]


async def test_inputs_of_one_name_can_be_given_others(engine: WorkflowEngine, tmp_path: Path) -> None:
    for folder in "ab":
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x").write_text(folder)
    one, two = tmp_path / "a" / "x", tmp_path / "b" / "x"
    cat = engine.executable_task(lambda *files: ["cat", *files], name="show")
    with pytest.raises(StagingError, match=r"two inputs would be called 'x' in the sandbox.*\n.*name="):
        await cat(InputFile(one), InputFile(two))
    assert await cat(InputFile(one), InputFile(two, name="sub/y")) == "ab"


async def test_a_checksum_is_verified(engine: WorkflowEngine, tmp_path: Path) -> None:
    (tmp_path / "x").write_text("x")
    right, wrong = hashlib.sha256(b"x").hexdigest(), hashlib.sha256(b"y").hexdigest()
    cat = engine.executable_task(lambda file: ["cat", file])
    assert await cat(InputFile(tmp_path / "x", sha256=right.upper())) == "x"
    with pytest.raises(
        StagingError, match=f"/x' is not what it should be: its sha256 is {right}, and {wrong} was"
    ):
        await cat(InputFile(tmp_path / "x", sha256=wrong))
    (tmp_path / "folder").mkdir()
    with pytest.raises(StagingError, match="Is a directory"):
        await cat(InputFile(tmp_path / "folder", sha256=right))


async def test_what_is_neither_file_nor_directory_is_refused(engine: WorkflowEngine, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "folder" / "pipe")
    cat = engine.executable_task(lambda file: ["cat", file])
    for source in (tmp_path / "pipe", "/dev/zero", tmp_path / "folder"):
        with pytest.raises(StagingError, match="it is neither a file nor a directory"):
            await cat(InputFile(source))


async def test_a_file_of_the_kernels_own_making_is_copied(engine: WorkflowEngine) -> None:
    assert await engine.executable_task(lambda file: ["cat", file])(InputFile("/proc/version")) != ""


async def test_a_pipe_is_refused_before_its_checksum_is_worked_out(
    engine: WorkflowEngine, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(StagingError, match="it is neither a file nor a directory"):
        await engine.function_task(read)(InputFile(tmp_path / "pipe", sha256="0" * 64))  # type: ignore[arg-type]


async def test_options_that_do_not_fit_several_files_are_refused(engine: WorkflowEngine) -> None:
    split = engine.executable_task(lambda out: "touch a1 a2")(OutputFile("a*"))
    for options in ({"name": "x"}, {"sha256": "0" * 64}):
        with pytest.raises(StagingError, match="neither name= nor sha256= fits them all"):
            await engine.function_task(len)(InputFile(split.outputs["a*"], **options))  # type: ignore[arg-type]


async def test_links_in_a_directory_lead_nowhere_outside_of_the_copy(
    engine: WorkflowEngine, tmp_path: Path
) -> None:
    data, outside = tmp_path / "data", tmp_path / "outside"
    (data / "sub").mkdir(parents=True)
    (outside / "deep").mkdir(parents=True)
    for file in (data / "own", outside / "file", outside / "deep" / "file"):
        file.write_text("original")
    (data / "to own").symlink_to("own")
    (data / "sub" / "to own").symlink_to("../own")
    (data / "to file").symlink_to(outside / "file")
    (data / "to folder").symlink_to(outside)
    (data / "absolute").symlink_to(data / "own")
    (data / "nowhere").symlink_to("nowhere at all")

    def spoil(data: Path) -> list[str]:
        for file in [path for path in data.rglob("*") if path.is_file()]:
            file.write_text("spoilt")
        return [str(data / "sub" / "to own"), *map(str, data.iterdir())]

    names = await engine.function_task(spoil)(InputFile(data))  # type: ignore[arg-type]
    assert len(names) == 1 + 7
    for file in (data / "own", outside / "file", outside / "deep" / "file"):
        assert file.read_text() == "original"


async def test_a_directory_that_holds_itself_by_a_link_is_told(
    engine: WorkflowEngine, tmp_path: Path
) -> None:
    (tmp_path / "data" / "sub").mkdir(parents=True)
    (tmp_path / "data" / "sub" / "up").symlink_to(tmp_path / "data")
    with pytest.raises(StagingError, match="a link in it leads to a directory around it"):
        await engine.function_task(os.listdir)(InputFile(tmp_path / "data"))


async def test_a_directory_around_its_own_copy_is_told(engine: WorkflowEngine, tmp_path: Path) -> None:
    with pytest.raises(StagingError, match="the place of its copy is inside of it"):
        await engine.function_task(os.listdir)(InputFile(tmp_path))


async def test_a_name_cannot_lead_out_through_a_link_of_another_input(
    engine: WorkflowEngine, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "link").symlink_to(tmp_path / "nowhere")
    (tmp_path / "x").write_text("x")
    planted = InputFile(tmp_path / "x", name="data/link/planted")
    with pytest.raises(StagingError, match=r"File exists|leads out of the sandbox"):
        await engine.function_task(lambda *paths: None)(InputFile(tmp_path / "data"), planted)
    assert sorted(os.listdir(tmp_path)) == ["data", "work", "x"]


async def test_what_may_not_be_written_to_is_cleared_away_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "data" / "sub").mkdir(parents=True)
    (tmp_path / "data" / "sub" / "file").write_text("x")
    (tmp_path / "data" / "sub").chmod(0o555)
    async with WorkflowEngine(work_dir=tmp_path / "work") as engine:
        assert await engine.function_task(os.listdir)(InputFile(tmp_path / "data")) == ["sub"]
    assert os.listdir(tmp_path / "work") == []


async def test_paths_mean_what_they_meant_when_the_call_was_made(
    engine: WorkflowEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "x").write_text("x")
    monkeypatch.chdir(tmp_path)
    copy = engine.executable_task(lambda file, out: f"cp {file} {out}")
    copied = copy(InputFile("x"), OutputFile("y", to="published"))
    monkeypatch.chdir(tmp_path / "one")
    await copied
    assert (tmp_path / "published").read_text() == "x"


async def test_a_link_is_followed_and_what_it_leads_to_is_copied(
    engine: WorkflowEngine, tmp_path: Path
) -> None:
    (tmp_path / "x").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "x")
    edit = engine.executable_task(lambda file: f"echo y >> {file}; cat {file}; test ! -L {file}")
    assert await edit(InputFile(tmp_path / "link")) == "xy\n"
    assert (tmp_path / "x").read_text() == "x"


# -- while it takes its time ------------------------------------------------------------------------------


class Held:
    """Copies that come when the test lets them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun = threading.Semaphore(0)
        self.go_on = threading.Event()
        self.wanted: list[bool] = []
        for room in ("staging", "publishing"):
            monkeypatch.setattr(f"asyncflow._files.{room}.copy", self.copy)

    def copy(self, source: Path, target: Path, wanted: Callable[[], bool]) -> None:
        self.begun.release()
        self.go_on.wait()
        self.wanted.append(wanted())
        if not wanted():
            raise Unwanted
        copy(source, target, wanted)

    async def has_begun(self) -> None:
        await asyncio.to_thread(self.begun.acquire)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    held = Held(monkeypatch)
    yield held
    held.go_on.set()


async def test_a_task_whose_inputs_are_on_their_way_is_ready_and_says_so(
    engine: WorkflowEngine, tmp_path: Path, held: Held
) -> None:
    (tmp_path / "x").write_text("x")
    futures = [
        engine.executable_task(lambda file: ["cat", file])(InputFile(tmp_path / "x")),
        engine.function_task(lambda path: path.read_text())(InputFile(tmp_path / "x")),
    ]
    for _ in futures:
        await held.has_begun()
    for future in futures:
        assert future.state == "READY"
        assert "but for staging: its files are being brought" in future.explain()
        assert future.attempts == 0
    held.go_on.set()
    assert [await future for future in futures] == ["x", "x"]
    assert [future.attempts for future in futures] == [1, 1]


async def test_staging_never_holds_the_loop_up_nor_other_tasks(
    engine: WorkflowEngine, tmp_path: Path, held: Held
) -> None:
    slow = engine.executable_task(lambda file: ["cat", file])(InputFile("/proc/version"))
    await held.has_begun()
    assert await engine.executable_task(lambda: ["echo", "1"])() == "1\n"
    assert await engine.function_task(lambda: 1)() == 1
    assert not slow.done()
    held.go_on.set()
    await slow


async def test_a_cancel_while_inputs_are_on_their_way(engine: WorkflowEngine, held: Held) -> None:
    ran: list[int] = []
    future = engine.function_task(ran.append)(InputFile("/proc/version"))  # type: ignore[arg-type]
    await held.has_begun()
    future.cancel()
    assert future.state == "CANCELLED"  # nothing of the task itself ever ran
    held.go_on.set()
    await engine.shutdown()
    assert ran == []


async def test_a_shutdown_does_not_wait_for_long_copies(
    engine: WorkflowEngine, tmp_path: Path, held: Held
) -> None:
    future = engine.executable_task(lambda file: ["cat", file])(InputFile("/proc/version"))
    await held.has_begun()
    shutdown = asyncio.ensure_future(engine.shutdown(wait=False))
    await asyncio.wait([future])
    assert future.cancelled()
    held.go_on.set()
    await shutdown
    assert held.wanted == [False]
    assert list((tmp_path / "work").iterdir()) == []


@pytest.mark.parametrize("backend", ["thread", "process"])
async def test_files_of_functions_that_are_not_soon_to_run_are_not_there_yet(
    tmp_path: Path, backend: str
) -> None:
    with Gate() as gate:
        async with WorkflowEngine(backend, workers=1, work_dir=tmp_path) as engine:
            wait = engine.function_task(lambda path, door: door.pass_through())
            futures = [wait(InputFile("/proc/version"), gate.door) for _ in range(3 * AT_ONCE)]
            await gate.reached()
            await engine.executable_task(lambda file: ["cat", file])(InputFile("/proc/version"))
            (run,) = tmp_path.iterdir()
            assert len(list(run.glob("[!.]*"))) <= AT_ONCE + 2 + 1
            for future in futures:
                future.cancel()
            gate.close()


async def test_one_run_has_one_directory(tmp_path: Path) -> None:
    async with WorkflowEngine(work_dir=tmp_path) as engine:
        read_it = engine.function_task(read)
        await asyncio.gather(*[read_it(InputFile("/proc/version")) for _ in range(AT_ONCE)])  # type: ignore[arg-type]
        assert len(list(tmp_path.iterdir())) == 1


async def test_no_more_is_brought_than_is_soon_to_run(tmp_path: Path, held: Held) -> None:
    async with WorkflowEngine(executables=1, work_dir=tmp_path) as engine:
        cat = engine.executable_task(lambda file: ["cat", file])
        futures = [cat(InputFile("/proc/version")) for _ in range(3 * AT_ONCE)]
        for _ in range(AT_ONCE):
            await held.has_begun()
        await turns()
        assert not held.begun.acquire(blocking=False)
        held.go_on.set()
        assert len({await future for future in futures}) == 1


async def write_later(out: Path) -> None:
    out.write_text("1")


@pytest.mark.parametrize("kind", ["command", "function", "coroutine"])
async def test_what_is_cancelled_while_it_is_published_is_not_published(
    engine: WorkflowEngine, tmp_path: Path, held: Held, kind: str
) -> None:
    task: Any = {
        "command": engine.executable_task(lambda out: f"echo 1 > {out}"),
        "function": engine.function_task(lambda out: out.write_text("1")),
        "coroutine": engine.function_task(write_later),
    }[kind]
    make = task(OutputFile("a", to=tmp_path / "a"))
    await held.has_begun()
    assert make.state == "RUNNING"
    make.cancel()
    assert make.state == "CANCELLING"
    with pytest.raises(StagingError, match="and so does"):  # as long as it may still be written to
        task(OutputFile("a", to=tmp_path / "a"))
    held.go_on.set()
    await engine.settled(make)
    assert make.state == "CANCELLED"
    assert os.listdir(tmp_path) == ["work"]
    await task(OutputFile("a", to=tmp_path / "a"))


async def test_who_cancels_all_that_runs_on_the_loop_hears_what_became_of_files(
    engine: WorkflowEngine, tmp_path: Path, held: Held
) -> None:
    read_it = engine.function_task(read)(InputFile("/proc/version"))  # type: ignore[arg-type]
    make = engine.executable_task(lambda out: f"echo 1 > {out}")(OutputFile("a", to=tmp_path / "a"))
    await held.has_begun()
    await held.has_begun()
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()
    held.go_on.set()
    await asyncio.wait([read_it, make])
    assert read_it.cancelled()
    assert make.done() and not make.cancelled()
    assert (tmp_path / "a").exists()


async def test_no_more_threads_publish_at_once_than_there_are_places(
    engine: WorkflowEngine, tmp_path: Path, held: Held
) -> None:
    make: Any = engine.function_task(write_later)
    futures = [make(OutputFile("a", to=tmp_path / str(number))) for number in range(3 * AT_ONCE)]
    for _ in range(AT_ONCE):
        await held.has_begun()
    await turns()
    assert not held.begun.acquire(blocking=False)
    held.go_on.set()
    assert set(await asyncio.gather(*futures)) == {None}


# -- disks that are full, and places that may not be written to -----------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("nothing can be mounted here")
    yield place
    subprocess.run(["umount", place], check=True)


async def test_a_full_disk_fails_the_task_and_leaves_nothing_half_written(
    engine: WorkflowEngine, tmp_path: Path, small_disk: Path
) -> None:
    (small_disk / "old").write_text("old")
    make = engine.executable_task(lambda out: f"head -c 3000000 /dev/zero > {out}", name="make")
    with pytest.raises(StagingError, match=r"'make' \(#1\): its outputs could not be .*No space left"):
        await make(OutputFile("new", to=small_disk / "old"))
    assert os.listdir(small_disk) == ["old"]
    assert (small_disk / "old").read_text() == "old"


async def test_so_does_one_that_is_full_of_sandboxes(tmp_path: Path, small_disk: Path) -> None:
    (tmp_path / "large").write_bytes(bytes(3_000_000))
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "large").write_bytes(bytes(3_000_000))
    async with WorkflowEngine(work_dir=small_disk, keep="none") as engine:
        size = engine.function_task(lambda path: path.stat().st_size, name="size")
        for source in ("large", "folder"):
            with pytest.raises(
                StagingError, match=rf"'size' \(#\d\): input '.*{source}' could not be.*No space"
            ):
                await size(InputFile(tmp_path / source))
        (tmp_path / "small file").write_bytes(bytes(500_000))
        assert await size(InputFile(tmp_path / "small file")) == 500_000  # nothing half-written fills it
    assert os.listdir(small_disk) == []


async def test_where_nothing_may_be_written_is_told(engine: WorkflowEngine, small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    make = engine.executable_task(lambda out: f"echo 1 > {out}", name="make")
    with pytest.raises(StagingError, match=r"'make' \(#1\): its outputs could not be published: .*Read-only"):
        await make(OutputFile("a", to=small_disk / "a"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read anything")
async def test_what_may_not_be_read_is_told(engine: WorkflowEngine, tmp_path: Path) -> None:
    (tmp_path / "secret").touch(mode=0)
    with pytest.raises(StagingError, match=r"could not be staged: .*Permission denied"):
        await engine.executable_task(lambda file: ["cat", file])(InputFile(tmp_path / "secret"))


async def test_a_file_is_not_published_over_a_part_of_a_path(engine: WorkflowEngine, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    make = engine.executable_task(lambda out: f"mkdir {out}", name="make")
    for to in (tmp_path / "file" / "below", tmp_path / "file"):
        with pytest.raises(
            StagingError, match=r"could not be published: .*(Not a directory|File exists|a file is there)"
        ):
            await make(OutputFile("folder", to=to))
    assert sorted(os.listdir(tmp_path)) == ["file", "work"]


# -- outputs ----------------------------------------------------------------------------------------------


async def test_an_output_is_published_whole_when_the_task_has_succeeded(
    engine: WorkflowEngine, tmp_path: Path
) -> None:
    target = tmp_path / "results" / "table.txt"
    make = engine.executable_task(lambda out, code: f"echo new > {out}; exit {code}")
    with pytest.raises(CommandFailed):
        await make(OutputFile("table.txt", to=target), 1)
    assert not target.parent.exists()
    await make(OutputFile("table.txt", to=target), 0)
    assert os.listdir(target.parent) == ["table.txt"]
    assert target.read_text() == "new\n"


async def test_a_glob_is_a_list_of_paths(engine: WorkflowEngine) -> None:
    split = engine.executable_task(lambda out: "touch part-2.csv part-1.csv other")(OutputFile("part-*.csv"))
    assert [path.name for path in await split.outputs["part-*.csv"]] == ["part-1.csv", "part-2.csv"]


async def test_a_pattern_may_have_directories(engine: WorkflowEngine) -> None:
    make = engine.executable_task(lambda out: "ls; mkdir run-1; touch run-1/x run-1/y")
    made = make(OutputFile("run-*/x"))
    assert await made == ""
    assert [path.parent.name for path in await made.outputs["run-*/x"]] == ["run-1"]


async def test_captured_output_is_cleared_away_with_its_sandbox(tmp_path: Path) -> None:
    async with WorkflowEngine(work_dir=tmp_path) as engine:
        path = await engine.executable_task(lambda: "echo 1; echo 2 >&2", capture_stdio=True)()
        assert Path(path).read_text() == "1\n"
    assert os.listdir(tmp_path) == []


async def test_an_output_that_was_not_made_fails_the_task_and_tells_what_is_there(
    engine: WorkflowEngine,
) -> None:
    make = engine.executable_task(lambda out: "touch other.txt", name="make")
    future = make(OutputFile("table.txt"))
    with pytest.raises(
        StagingError, match=r"'make' \(#1\) did not make its output 'table.txt'.\n  There is: other"
    ):
        await future
    with pytest.raises(StagingError, match=r"made no file 'a\*'"):
        await make(OutputFile("a*"))
    with pytest.raises(UpstreamFailed):
        await future.outputs["table.txt"]


async def test_a_link_that_leads_out_of_the_sandbox_is_no_output(engine: WorkflowEngine) -> None:
    with pytest.raises(StagingError, match="is a link that leads out of the sandbox"):
        await engine.executable_task(lambda out: f"ln -s /etc/passwd {out}")(OutputFile("link"))


async def test_two_tasks_cannot_publish_to_one_place(engine: WorkflowEngine, tmp_path: Path) -> None:
    make = engine.executable_task(lambda out: f"echo 1 > {out}", name="make")
    first = make(OutputFile("a", to=tmp_path / "a"))
    with pytest.raises(StagingError, match=r"'make' \(#2\) would publish to .*/a, and so does 'make' \(#1\)"):
        make([OutputFile("b", to=tmp_path / "b"), OutputFile("c", to=str(tmp_path / "a"))])
    await make(OutputFile("b", to=tmp_path / "b"))  # which the refused call has left to others
    await first


async def test_one_place_may_be_written_in_many_ways(engine: WorkflowEngine, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    make = engine.executable_task(lambda *outs: "\n".join(f"echo 1 > {out}" for out in outs), name="make")
    first = make(OutputFile("a", to=tmp_path / "real" / "a"))
    for same in (
        tmp_path / "link" / "a",
        tmp_path / "x" / ".." / "real" / "a",
        (tmp_path / "real" / "a").as_uri(),
    ):
        with pytest.raises(StagingError, match=r"would publish to .*/real/a, and so does 'make' \(#1\)"):
            make(OutputFile("a", to=same))
    await first
    with pytest.raises(ValueError, match=r"'make' \(#\d\): two of its outputs would go to .*/b"):
        make(OutputFile("a", to=tmp_path / "b"), OutputFile("b", to=str(tmp_path / "b")))
    with pytest.raises(TypeError, match=r"OutputFile\(..., to=3.5\): a path or a URL is needed"):
        make(OutputFile("a", to=tmp_path / "c"), OutputFile("b", to=3.5))
    await make(OutputFile("a", to=tmp_path / "c"))  # which the refused call has left to others


async def test_an_output_may_be_named_twice(engine: WorkflowEngine) -> None:
    make = engine.executable_task(lambda one, two: f"echo 1 > {one}; cat {two}")
    assert await make(OutputFile("a"), OutputFile("a")) == "1\n"


async def test_what_a_task_publishes_is_no_missing_input_of_those_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with WorkflowEngine(implicit_data=False) as engine:
        made = engine.executable_task(lambda out: f"echo 1 > {out}")(OutputFile("o", to="report.csv"))
        cat = engine.executable_task(lambda file: ["cat", file]).with_options(after=made)
        assert await cat(InputFile("report.csv")) == "1\n"


async def test_a_bad_declaration_in_a_result_fails_the_task_that_gets_it(engine: WorkflowEngine) -> None:
    plan = engine.function_task(lambda: [OutputFile("o", to=3.5)])
    task = engine.function_task(lambda path, more: None, name="task")
    with pytest.raises(TypeError, match=r"to=3.5\): a path or a URL is needed"):
        await task(InputFile("/proc/version"), plan())


async def test_a_declaration_in_a_result_counts_where_files_are_declared(
    engine: WorkflowEngine, tmp_path: Path
) -> None:
    plan = engine.function_task(lambda: [OutputFile("o", to=tmp_path / "o")])
    task = engine.function_task(lambda path, more: more[0].write_text(path.name))
    future = task(InputFile("/proc/version"), plan())
    assert await future == 7
    assert (await future.outputs["o"]).read_text() == (tmp_path / "o").read_text() == "version"


async def test_a_destination_may_be_a_result(engine: WorkflowEngine, tmp_path: Path) -> None:
    where = engine.function_task(lambda: tmp_path / "late")()
    await engine.executable_task(lambda out: f"echo 1 > {out}")(OutputFile("o", to=where))
    assert (tmp_path / "late").read_text() == "1\n"


async def test_none_is_published_if_one_cannot_be(engine: WorkflowEngine, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old")
    make = engine.executable_task(lambda one, two: f"echo 1 > {one}; mkdir {two}")
    with pytest.raises(StagingError, match="a file is there already, and this is a directory"):
        await make(OutputFile("one", to=tmp_path / "first"), OutputFile("two", to=tmp_path / "file"))
    assert sorted(os.listdir(tmp_path)) == ["file", "work"]


async def test_a_directory_may_be_published_again_by_the_same_run(
    engine: WorkflowEngine, tmp_path: Path
) -> None:
    make = engine.executable_task(lambda out, name: f"mkdir {out}; touch {out}/{name}")
    for name in "ab":
        await make(OutputFile("folder", to=tmp_path / "folder"), name)
        assert os.listdir(tmp_path / "folder") == [name]
    assert sorted(os.listdir(tmp_path)) == ["folder", "work"]


@pytest.mark.parametrize("end", ["success", "failure", "cancel"])
async def test_when_one_is_over_another_may_publish_there(
    engine: WorkflowEngine, tmp_path: Path, end: str
) -> None:
    make = engine.executable_task(lambda out, code: f"echo {code} > {out}; exit {code}")
    first = make(OutputFile("a", to=tmp_path / "a"), 0 if end == "success" else 1)
    if end == "cancel":
        first.cancel()
    await asyncio.wait([first])
    await make(OutputFile("a", to=tmp_path / "a"), 0)
    assert (tmp_path / "a").read_text() == "0\n"
    assert first.cancelled() or end == "success" or first.exception() is not None


async def test_a_directory_is_not_overwritten_by_a_file(engine: WorkflowEngine, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    make = engine.executable_task(lambda out: f"echo 1 > {out}")
    with pytest.raises(StagingError, match=r"could not be published: .*a directory is there already"):
        await make(OutputFile("a", to=tmp_path / "there"))
    assert list((tmp_path / "there").iterdir()) == []


async def test_an_output_that_was_not_declared_is_told(engine: WorkflowEngine) -> None:
    make = engine.executable_task(lambda out: f"echo 1 > {out}", name="make")(OutputFile("a"))
    with pytest.raises(KeyError, match=r"'make' \(#1\) declares no output 'b'; it has: a"):
        await make.outputs["b"]


async def test_a_dry_run_stages_nothing(tmp_path: Path) -> None:
    async with WorkflowEngine(dry_run=True, work_dir=tmp_path / "work") as engine:
        make = engine.executable_task(lambda out: f"echo 1 > {out}")(OutputFile("a", to=tmp_path / "a"))
        assert await make.outputs["a"] == Path("a")
    assert list(tmp_path.iterdir()) == []


async def test_an_open_file_under_the_name_of_a_stream_is_not_replaced_by_another(
    engine: WorkflowEngine, tmp_path: Path
) -> None:
    make: Any = engine.executable_task(lambda out: f"echo 1 > {out}", name="make")
    stdout = tmp_path / "stdout"  # as /dev/stdout is, where output goes into a file
    with open(tmp_path / "log", "w") as log:
        stdout.symlink_to(f"/proc/self/fd/{log.fileno()}")
        for place in (stdout, Path(f"/proc/self/fd/{log.fileno()}")):
            with pytest.raises(StagingError, match=r"'make' \(#\d\): it cannot publish there"):
                make(OutputFile("x", to=place))
        assert stdout.is_symlink()


@pytest.mark.parametrize("kind", ["device", "pipe", "socket", "link to a device"])
@pytest.mark.parametrize("task", ["command", "function"])
async def test_what_is_no_file_is_not_replaced_by_one(
    engine: WorkflowEngine, tmp_path: Path, kind: str, task: str
) -> None:
    place = tmp_path / "place"
    make: Any = {
        "command": engine.executable_task(lambda out: f"echo 1 > {out}", name="make"),
        "function": engine.function_task(lambda out: out.write_text("1"), name="make"),
    }[task]
    with socket.socket(socket.AF_UNIX) as held:
        if kind == "pipe":
            os.mkfifo(place)
        elif kind == "socket":
            held.bind(str(place))
        else:
            place = Path("/dev/null")
        if kind == "link to a device":
            place = tmp_path / "place"
            place.symlink_to("/dev/null")
        before = os.lstat(place)
        told = r"'make' \(#\d\): it cannot publish there: .*a device, pipe or socket is there.*leave to= out"
        with pytest.raises(StagingError, match=told):
            make(OutputFile("x", to=place))
        assert os.lstat(place).st_ino == before.st_ino
        assert os.lstat(place).st_mode == before.st_mode


async def test_nor_is_one_that_came_there_after_the_call(engine: WorkflowEngine, tmp_path: Path) -> None:
    make = engine.executable_task(lambda out: f"echo 1 > {out}; mkfifo {tmp_path / 'place'}")
    with pytest.raises(StagingError, match="a device, pipe or socket is there"):
        await make(OutputFile("x", to=tmp_path / "place"))
    assert (tmp_path / "place").is_fifo()
    assert sorted(os.listdir(tmp_path)) == ["place", "work"]


async def test_a_slash_at_the_end_of_a_destination_means_a_directory(
    engine: WorkflowEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    make = engine.executable_task(lambda *outs: "\n".join(f"echo 1 > {out}" for out in outs), name="make")
    first = make(OutputFile("a", to="results/"), OutputFile("sub/b", to="results/"))
    with pytest.raises(StagingError, match=r"would publish to .*/results/a, and so does"):
        make(OutputFile("x", to="results/a"))
    await first
    await make(OutputFile("c", to=f"{(tmp_path / 'results').as_uri()}/"))
    await engine.executable_task(lambda out: f"mkdir {out}; touch {out}/x")(OutputFile("d", to="results/"))
    assert sorted(path.name for path in (tmp_path / "results").rglob("*")) == ["a", "b", "c", "d", "x"]
    with pytest.raises(
        StagingError, match=r"a directory is there already; to='.*/results/' puts it in there"
    ):
        await make(OutputFile("a", to="results"))


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o755])
async def test_the_mode_of_what_is_published_over_stays(
    engine: WorkflowEngine, tmp_path: Path, mode: int
) -> None:
    (tmp_path / "x").touch()
    (tmp_path / "x").chmod(mode)
    make = engine.executable_task(lambda out: f"echo 1 > {out}; chmod 444 {out}")
    await make(OutputFile("x", to=tmp_path / "x"))
    assert (tmp_path / "x").read_text() == "1\n"
    assert (tmp_path / "x").stat().st_mode & 0o777 == mode


async def test_what_is_published_over_a_program_does_not_run_as_its_owner(
    engine: WorkflowEngine, tmp_path: Path
) -> None:
    (tmp_path / "x").touch()
    (tmp_path / "x").chmod(0o6755)
    await engine.executable_task(lambda out: f"echo 1 > {out}")(OutputFile("x", to=tmp_path / "x"))
    assert (tmp_path / "x").stat().st_mode & 0o7777 == 0o755


async def test_one_file_may_be_named_in_two_ways(
    engine: WorkflowEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").write_text("in\n")
    make = engine.executable_task(lambda one, two: f"echo 1 > {one}; echo 2 >> {two}")
    made = make(OutputFile("./one"), OutputFile("one"))
    cat = engine.executable_task(lambda *files: ["cat", *files])
    assert await cat(InputFile(made.outputs["./one"]), InputFile(made.outputs["one"])) == "1\n2\n1\n2\n"
    assert await cat.with_options(after=made)(InputFile("./one"), InputFile("one")) == "1\n2\n1\n2\n"
    assert await cat(InputFile("in"), InputFile("./in"), InputFile(tmp_path / "in")) == "in\nin\nin\n"
    with pytest.raises(StagingError, match=r"'./in' is not what it should be"):
        await cat(InputFile("in"), InputFile("./in", sha256="0" * 64))


async def test_names_that_would_collide_are_told_at_the_call(engine: WorkflowEngine, tmp_path: Path) -> None:
    make = engine.executable_task(lambda out: f"echo 1 > {out}", name="make")
    merge = engine.executable_task(lambda files: ["cat", *files], name="merge")
    made = [make(OutputFile("k.gz")) for _ in range(3)]
    told = (
        r"'merge' \(#\d+\): two inputs would be called 'k.gz' in the sandbox: \"?'?k.gz of 'make' \(#1\).*#2.*\n"
        r"  Give each a name of its own, which may have directories: .*name='2/k.gz'"
    )
    for paths in (
        [InputFile(each.outputs["k.gz"]) for each in made],
        {"all": [InputFile(made[0].outputs["k.gz"]), InputFile(made[1].outputs["k.gz"], name="./k.gz")]},
    ):
        with pytest.raises(StagingError, match=told):
            merge(paths)
    with pytest.raises(StagingError, match=r"'k.gz' in the sandbox: .*k.gz of .make. \(#1\).*/k.gz'"):
        merge([InputFile(made[0].outputs["k.gz"]), InputFile(tmp_path / "k.gz")])
    right = [InputFile(each.outputs["k.gz"], name=f"{n}/k.gz") for n, each in enumerate(made)]
    assert await merge(right) == "1\n1\n1\n"
    with pytest.raises(StagingError, match=r"two inputs would be called 'k.gz'"):  # now that they are there
        merge([InputFile(made[0].outputs["k.gz"]), InputFile(made[1].outputs["k.gz"])])
    same = [InputFile(made[0].outputs["k.gz"]), InputFile("k.gz"), InputFile(await made[0].outputs["k.gz"])]
    assert await merge.with_options(after=made[0])(same) == "1\n1\n1\n"


@pytest.mark.parametrize("parts", [[], [0], [3], [0, 5], [1, 2, 6], [7]])
@pytest.mark.parametrize("by_hand", [False, True])
def test_a_copy_has_holes_where_the_file_has_some(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parts: list[int], by_hand: bool
) -> None:
    if by_hand:

        def refuse(*args: Any) -> int:
            raise OSError(errno.EXDEV, "another file system")

        monkeypatch.setattr(os, "copy_file_range", refuse)
    block = 1 << 20
    source, target = tmp_path / "source", tmp_path / "target"
    with open(source, "wb") as file:
        file.truncate(8 * block)
        for number in parts:
            file.seek(number * block)
            file.write(bytes([number + 1]) * 70_000)
    copy(source, target, lambda: True)
    assert target.read_bytes() == source.read_bytes()
    assert target.stat().st_blocks <= source.stat().st_blocks + 64
    with open(source, "ab") as file:
        file.write(b"more")
    target.unlink()
    copy(source, target, lambda: True)
    assert target.read_bytes() == source.read_bytes()


async def test_a_file_with_holes_goes_through_a_workflow_as_one(
    engine: WorkflowEngine, tmp_path: Path
) -> None:
    make = engine.executable_task(lambda out: f"truncate -s 1G {out}; echo end >> {out}")
    made = make(OutputFile("big", to=tmp_path / "big"))
    size = engine.function_task(lambda path: (path.stat().st_size, path.stat().st_blocks * 512 < 1 << 20))
    assert await size(InputFile(made.outputs["big"])) == ((1 << 30) + 4, True)
    assert (tmp_path / "big").stat().st_blocks * 512 < 1 << 20
