"""Files in and out of sandboxes: every reader finds its file, and no original comes to harm."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from asyncflow import CommandFailed, InputFile, OutputFile, StagingError, UpstreamFailed, WorkflowEngine


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
        StagingError, match=r"'show' \(#1\): input 'x.txt' is not there \(looked at .*x.txt\); no"
    ):
        await cat(InputFile("x.txt"))
    make = engine.executable_task(lambda out: f"echo 1 > {out}")(OutputFile("y.txt"))
    with pytest.raises(StagingError, match=r"the tasks that it depends on declare y\.txt"):
        await cat.with_options(after=make)(InputFile("x.txt"))


@pytest.mark.parametrize("source", [3, None, ["a", "b"]])
async def test_what_is_no_path_is_told(engine: WorkflowEngine, source: Any) -> None:
    with pytest.raises(StagingError, match=r"'show' \(#1\): InputFile\("):
        await engine.executable_task(lambda file: ["cat", file], name="show")(InputFile(source))


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
    await make(OutputFile("a", to=tmp_path / "a"))
    with pytest.raises(StagingError, match=r"'make' \(#2\) would publish to .*/a, and so does 'make' \(#1\)"):
        await make(OutputFile("b", to=tmp_path / "a"))


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


@pytest.mark.parametrize("file", [InputFile("a"), OutputFile("a")])
async def test_a_function_task_takes_paths(engine: WorkflowEngine, file: Any) -> None:
    task = engine.function_task(read)
    for call in (lambda: task(file), lambda: task(path=file)):
        with pytest.raises(
            TypeError, match=r"'read' was given (In|Out)putFile\(.*, which is for executable tasks"
        ):
            call()
