"""Directories of tasks go as soon as nobody can reach them, those of engines that were killed with the next engine."""

from __future__ import annotations

import asyncio
import json
import os
import pickle
import shutil
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path, PurePath
from typing import Any

import pytest

from asyncflow import CommandFailed, InputFile, OutputFile, WorkflowEngine
from asyncflow._files.owners import OWNER

from .kit import turns


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[WorkflowEngine]:
    async with WorkflowEngine(workers=2, work_dir=tmp_path / "work") as engine:
        yield engine


async def tidied(engine: WorkflowEngine) -> None:
    """Until all that nobody can reach is removed."""
    stager = engine._run.files.stager  # type: ignore[union-attr]
    await turns(5)  # what has ended lets go of it
    while stager.waiting:
        await asyncio.wait(stager.waiting)
        await turns(5)


async def threads_are_free(engine: WorkflowEngine) -> None:
    """Until both threads have something else to do: a thread holds its arguments for a while after it has told."""
    both = threading.Barrier(2)
    await asyncio.gather(engine.submit(both.wait), engine.submit(both.wait))


def there(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in tmp_path.glob("work/run-*/*") if path.name != OWNER)


# -- while it runs ----------------------------------------------------------------------------------------


async def test_the_sandbox_of_a_command_goes_with_its_future(engine: WorkflowEngine, tmp_path: Path) -> None:
    make = engine.executable_task(lambda: "echo 1 > x; cat x", name="make")
    future = make()
    assert await future == "1\n"
    await tidied(engine)
    assert there(tmp_path) == ["make-1"]
    del future
    await tidied(engine)
    assert there(tmp_path) == []
    for _ in range(20):
        await make()
        await tidied(engine)
        assert there(tmp_path) == []


async def test_so_does_that_of_a_function_that_publishes(engine: WorkflowEngine, tmp_path: Path) -> None:
    make = engine.function_task(lambda out, given: out.write_text("1"), name="make")
    (tmp_path / "in").touch()
    assert await make(OutputFile("x", to=tmp_path / "x"), InputFile(tmp_path / "in")) == 1
    await threads_are_free(engine)
    await tidied(engine)
    assert there(tmp_path) == []
    assert (tmp_path / "x").read_text() == "1"


async def test_it_stays_for_a_dependent_to_come(engine: WorkflowEngine, tmp_path: Path) -> None:
    make = engine.executable_task(lambda out: f"echo 1 > {out}; echo 2 > rest", name="make")
    cat = engine.executable_task(lambda file: f"cat {file} rest", name="cat")
    wait = engine.executable_task(lambda: "true", name="wait")
    path = make(OutputFile("x")).outputs["x"]
    await wait.with_options(after=path)()
    await tidied(engine)
    assert there(tmp_path) == ["make-1"]  # by name, the number in it is the task's
    assert await cat(InputFile(path)) == "1\n2\n"
    del path
    await tidied(engine)
    assert there(tmp_path) == []


async def test_what_is_handed_on_undeclared_stays_with_whoever_has_it(
    engine: WorkflowEngine, tmp_path: Path
) -> None:
    def run(command: str, name: str, *after: Any) -> Any:
        return engine.executable_task(lambda: command, name=name).with_options(after=after)()

    last = run("echo b > b", "second", run("echo a > a", "first"))
    await last
    await tidied(engine)
    assert there(tmp_path) == ["first-1", "second-2"]
    third = run("echo c > c", "third", last)
    await third
    del last
    await tidied(engine)
    assert there(tmp_path) == ["first-1", "second-2", "third-3"]
    assert await run("cat a b c", "fourth", third) == "a\nb\nc\n"
    del third
    await tidied(engine)
    assert there(tmp_path) == []


USES: dict[str, Callable[[Any], Any]] = {
    "text": str,
    "a path of it": Path,
    "a pure path of it": PurePath,
    "a path that it is joined to": lambda path: Path.cwd() / path,
    "a path made of it": lambda path: path.parent / path.name,
    "another name": lambda path: path.with_name("x"),
    "another way to it": lambda path: path.parent / "sub" / ".." / "x",
    "what travels": lambda path: pickle.loads(pickle.dumps(path)),
    "as it is shown": lambda path: repr(path)[11:-2],
    "for the system": os.fspath,
    "its parts": lambda path: Path(*path.parts),
    "formatted": lambda path: f"{path}",
}


@pytest.mark.parametrize("use", USES)
async def test_what_code_has_made_of_a_path_can_be_read_to_the_end(engine: WorkflowEngine, use: str) -> None:
    make = engine.executable_task(lambda out: f"mkdir sub; echo 1 > {out}")
    known = USES[use](await make(OutputFile("x")).outputs["x"])
    await tidied(engine)
    assert Path(known).read_text() == "1\n"


async def test_a_path_that_is_only_held_is_good(engine: WorkflowEngine, tmp_path: Path) -> None:
    make = engine.executable_task(lambda out: "touch x; echo 2 > b", name="make")
    path = await make(OutputFile("x")).outputs["x"]
    paths = await make(OutputFile("*")).outputs["*"]
    await tidied(engine)
    assert len(there(tmp_path)) == 2
    assert isinstance(path, Path) and path == Path(path) and hash(path) == hash(Path(path))
    assert (path.read_text(), [each.read_text() for each in paths]) == ("", ["2\n", ""])


async def test_its_name_alone_leads_nowhere(engine: WorkflowEngine, tmp_path: Path) -> None:
    path = await engine.executable_task(lambda out: f"touch {out}")(OutputFile("x.tar.gz")).outputs[
        "x.tar.gz"
    ]
    assert (path.name, path.stem, path.suffixes) == ("x.tar.gz", "x.tar", [".tar", ".gz"])
    await engine.executable_task(lambda x: f"cat {x}")(InputFile(path, name=path.name))
    del path
    await tidied(engine)
    assert there(tmp_path) == []


@pytest.mark.parametrize("backend", ["thread", "process", "sequential"])
async def test_a_path_as_an_argument_is_good_while_its_task_runs(tmp_path: Path, backend: str) -> None:
    async with WorkflowEngine(backend, work_dir=tmp_path / "work") as engine:
        make = engine.executable_task(lambda out: f"echo 1 > {out}")
        assert await engine.function_task(Path.read_text)(make(OutputFile("x")).outputs["x"]) == "1\n"
        same = engine.function_task(_itself)(make(OutputFile("x")).outputs["x"])
        assert (await same).read_text() == "1\n"


def _itself(path: Path) -> Path:
    return path


async def test_where_its_value_or_its_future_has_told_where_it_is_it_stays(
    engine: WorkflowEngine, tmp_path: Path
) -> None:
    said = await engine.executable_task(lambda: "touch x; pwd", name="says")()
    captured = await engine.executable_task(lambda: "echo 1", name="captures", capture_stdio=True)()
    from_here = await engine.executable_task(lambda: "touch x; realpath --relative-to=/ .", name="tells")()
    returned = await engine.function_task(lambda out: out if out.write_text("1") else None)(OutputFile("x"))
    folder = (future := engine.executable_task(lambda: "touch x", name="asked")()).sandbox
    await future
    folder = future.sandbox
    del future
    await tidied(engine)
    assert os.listdir(said.strip()) == os.listdir("/" + from_here.strip()) == os.listdir(folder) == ["x"]
    assert (captured.read_text(), returned.read_text()) == ("1\n", "1")


async def test_failures_and_all_that_is_to_be_kept_stay(tmp_path: Path) -> None:
    async with WorkflowEngine(work_dir=tmp_path / "work") as engine:
        with pytest.raises(CommandFailed):
            await engine.executable_task(lambda: "false", name="fails")()
        await tidied(engine)
        assert there(tmp_path) == [".kept", "fails-1"]
    assert there(tmp_path) == ["fails-1"]
    async with WorkflowEngine(work_dir=tmp_path / "work", keep="all") as engine:
        await engine.executable_task(lambda: "true", name="fine")()
        await tidied(engine)
    assert there(tmp_path) == ["fails-1", "fine-1"]
    assert not list(tmp_path.glob("work/run-*/.*"))


# -- of engines that were killed --------------------------------------------------------------------------

KILLED = """
import asyncio, os, signal, sys
from asyncflow import WorkflowEngine

engine = WorkflowEngine(work_dir=sys.argv[1], keep=sys.argv[2])

async def main():
    async with engine:
        fine = engine.executable_task(lambda: "echo 1 > x", name="fine")()
        failed = engine.executable_task(lambda: "echo 1 > x; false", name="failed")()
        await asyncio.wait([fine, failed])
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


def killed(work: Path, keep: str = "failed", age: float = 100.0) -> Path:
    """The directory of an engine that was killed, some seconds ago."""
    before = set(work.glob("run-*"))
    subprocess.run([sys.executable, "-c", KILLED, work, keep], check=False, timeout=60)
    [root] = set(work.glob("run-*")) - before
    when = (root / OWNER).stat().st_mtime - age
    os.utime(root / OWNER, (when, when))
    return root


async def another(work: Path) -> None:
    async with WorkflowEngine(work_dir=work) as engine:
        await engine.executable_task(lambda: "true")()


async def test_the_next_engine_clears_up_after_one_that_was_killed(tmp_path: Path) -> None:
    none, failed, everything = (killed(tmp_path, keep) for keep in ("none", "failed", "all"))
    (tmp_path / "run-of-somebody").mkdir()
    await another(tmp_path)
    assert not none.exists()
    assert os.listdir(failed) == ["failed-2"]
    assert sorted(os.listdir(everything)) == [".owner", "failed-2", "fine-1"]
    assert (tmp_path / "run-of-somebody").exists()
    await another(tmp_path)
    assert (failed / "failed-2" / "x").exists()


@pytest.mark.parametrize(
    "change",
    [
        {"boot": "another"},
        {"namespace": "pid:[1]"},
        {"pid": os.getpid(), "started": "this"},
        {"keep": "all"},
        None,
    ],
)
async def test_what_may_still_be_somebodys_is_left_alone(tmp_path: Path, change: Any) -> None:
    root = killed(tmp_path, age=0 if change is None else 100)
    if change is not None:
        said = json.loads((root / OWNER).read_text())
        if change.get("started") == "this":
            change["started"] = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
        when = (root / OWNER).stat().st_mtime
        (root / OWNER).write_text(json.dumps(said | change))
        os.utime(root / OWNER, (when, when))
    before = sorted(os.listdir(root))
    await another(tmp_path)
    assert sorted(os.listdir(root)) == before


@pytest.mark.parametrize("make", [shutil.copytree, shutil.move])
async def test_a_copy_that_its_user_has_made_is_no_engines(tmp_path: Path, make: Callable[..., Any]) -> None:
    root = killed(tmp_path)
    saved = make(root, root.with_name(root.name + "-saved"))
    await another(tmp_path)
    assert (Path(saved) / "fine-1" / "x").exists()


async def test_a_number_of_a_process_that_was_used_again_is_another_process(tmp_path: Path) -> None:
    root = killed(tmp_path, keep="none")
    when = (root / OWNER).stat().st_mtime
    (root / OWNER).write_text(json.dumps(json.loads((root / OWNER).read_text()) | {"pid": os.getpid()}))
    os.utime(root / OWNER, (when, when))
    await another(tmp_path)
    assert not root.exists()


async def test_an_owner_that_nobody_can_read_harms_no_run(tmp_path: Path) -> None:
    for number, text in enumerate(["", "{}", "[1]", '{"pid": "x"}', "\\0" * 9]):
        (tmp_path / f"run-{number}").mkdir()
        (tmp_path / f"run-{number}" / OWNER).write_text(text)
        os.utime(tmp_path / f"run-{number}" / OWNER, (0, 0))
    (tmp_path / "run-link").symlink_to("/usr")
    await another(tmp_path)
    assert len(os.listdir(tmp_path)) == 6
