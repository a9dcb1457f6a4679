"""What a command has made without declaring it is there for the commands that depend on it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from asyncflow import CommandFailed, InputFile, OutputFile, StagingError, TaskFuture, WorkflowEngine, sh


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[WorkflowEngine]:
    async with WorkflowEngine(workers=2, work_dir=tmp_path / "work") as engine:
        yield engine


def run(engine: WorkflowEngine, command: str, *after: Any, name: str = "run") -> TaskFuture[str]:
    return engine.executable_task(lambda: command, name=name).with_options(after=after)()


async def test_a_command_finds_what_the_one_before_has_left(engine: WorkflowEngine) -> None:
    made = run(engine, "mkdir -p sub; echo x > x.txt; echo y > sub/y.txt; ln -s x.txt link")
    assert await run(engine, "cat x.txt sub/y.txt link; ls", made) == "x\ny\nx\nlink\nsub\nx.txt\n"


async def test_an_argument_is_enough_to_depend(engine: WorkflowEngine) -> None:
    made = run(engine, "echo x > x.txt; echo said")
    cat = engine.executable_task(lambda said: f"cat x.txt; printf %s '{said}'")
    assert await cat(made) == "x\nsaid\n"


async def test_editing_it_harms_neither_its_maker_nor_others(engine: WorkflowEngine) -> None:
    made = run(engine, "echo x > x.txt")
    edits = [run(engine, f"echo {n} >> x.txt; cat x.txt", made) for n in range(3)]
    assert [await edit for edit in edits] == ["x\n0\n", "x\n1\n", "x\n2\n"]
    assert (made.sandbox / "x.txt").read_text() == "x\n"


async def test_it_goes_on_along_a_chain_as_it_was_last_changed(engine: WorkflowEngine) -> None:
    first = run(engine, "echo one > x.txt; echo same > y.txt")
    second = run(engine, "echo two >> x.txt", first)
    third = run(engine, "true", second)
    assert await run(engine, "cat x.txt y.txt", third) == "one\ntwo\nsame\n"


async def test_both_sides_of_a_diamond_may_hand_the_same_file_on(engine: WorkflowEngine) -> None:
    first = run(engine, "echo one > x.txt")
    left, right = run(engine, "echo l > l", first), run(engine, "echo r > r", first)
    assert await run(engine, "cat x.txt l r", left, right) == "one\nl\nr\n"


async def test_two_files_of_one_name_are_an_error_naming_both(engine: WorkflowEngine) -> None:
    left, right = run(engine, "echo l > x", name="left"), run(engine, "echo r > x", name="right")
    with pytest.raises(
        StagingError, match=r"'both' \(#3\): 'left' \(#1\) and 'right' \(#2\) have both left a file 'x'"
    ):
        await run(engine, "cat x", left, right, name="both")
    changed = run(engine, "echo more >> x", left, name="changed")
    with pytest.raises(StagingError, match=r"'left' \(#1\) and 'changed' \(#\d\) have both"):
        await run(engine, "cat x", left, changed)


async def test_what_is_declared_counts_and_what_is_not_does_not_hide_it(
    engine: WorkflowEngine, tmp_path: Path
) -> None:
    (tmp_path / "x").write_text("declared")
    left = run(engine, "echo left > x; echo more > more")
    cat = engine.executable_task(lambda file: f"cat {file} more; ls").with_options(after=left)
    assert await cat(InputFile(tmp_path / "x")) == "declaredmore\nmore\nx\n"
    make = engine.executable_task(lambda out: f"test ! -e {out} && echo new > {out}").with_options(after=left)
    assert (await make(OutputFile("x")).outputs["x"]).read_text() == "new\n"


async def test_declared_files_are_not_handed_on_unasked(engine: WorkflowEngine, tmp_path: Path) -> None:
    (tmp_path / "in").write_text("in")
    make = engine.executable_task(lambda file, out, parts: f"echo 1 > {out}; touch part-1 part-2; touch rest")
    made = make(InputFile(tmp_path / "in"), OutputFile("out/a"), OutputFile("part-*"))
    with pytest.raises(CommandFailed):
        await run(engine, "ls rest && ls in out/a part-1", made)
    assert await run(engine, "ls", made) == "rest\n"


async def test_it_may_be_named_as_an_input(engine: WorkflowEngine) -> None:
    left = run(engine, "echo left > x")
    read = engine.function_task(lambda path: path.read_text()).with_options(after=left)
    assert await read(InputFile("x")) == "left\n"


async def test_a_file_of_a_task_brings_what_the_task_has_left(engine: WorkflowEngine) -> None:
    made = engine.executable_task(lambda out: f"echo 1 > {out}; echo 2 > rest")(OutputFile("a"))
    cat = engine.executable_task(lambda file: f"cat {file} rest")
    assert await cat(InputFile(made.outputs["a"])) == "1\n2\n"


async def test_it_can_be_turned_off(tmp_path: Path) -> None:
    async with WorkflowEngine(work_dir=tmp_path, implicit_data=False) as engine:
        left = run(engine, "echo left > x")
        assert await run(engine, "ls", left) == ""
        with pytest.raises(StagingError, match="input 'x' is not there"):
            await engine.executable_task(lambda file: ["cat", file]).with_options(after=left)(InputFile("x"))


async def test_links_are_links_again_and_what_is_no_file_stays(engine: WorkflowEngine) -> None:
    made = run(engine, "mkfifo pipe; ln -s /dev/null hole; ln -s nowhere gone; mkdir d; touch d/f; ln -s d e")
    listed = await run(engine, "ls; readlink hole gone e; ls e", made)
    assert listed.split() == ["d", "e", "gone", "hole", "/dev/null", "nowhere", "d", "f"]


@pytest.mark.parametrize(
    "link", ["ln -s {} x", "ln -s {} y; ln -s y x", "mkdir d; ln -s {} d/x; ln -s d/x x"]
)
async def test_writing_through_a_link_that_was_left_reaches_no_file_elsewhere(
    engine: WorkflowEngine, tmp_path: Path, link: str
) -> None:
    (tmp_path / "precious").write_text("precious\n")
    made = run(engine, sh(link, tmp_path / "precious"))
    again = run(engine, "true", made)
    for before in (made, again):
        assert await run(engine, "cat x; echo masked > x; cat x", before) == "precious\nmasked\n"
    assert (tmp_path / "precious").read_text() == "precious\n"


async def test_a_link_to_a_directory_elsewhere_brings_what_is_in_it(
    engine: WorkflowEngine, tmp_path: Path
) -> None:
    (tmp_path / "lib" / "sub").mkdir(parents=True)
    (tmp_path / "lib" / "sub" / "f").write_text("precious\n")
    made = run(engine, sh("ln -s {} lib; mkdir d; touch d/f; ln -s $PWD/d own", tmp_path / "lib"))
    edit = "echo masked >> lib/sub/f; echo new > lib/new; echo own >> own/f"
    left, right = run(engine, "touch l", made), run(engine, "touch r", made)
    assert await run(engine, f"{edit}; cat lib/sub/f d/f own/f; ls", left, right) == (
        "precious\nmasked\nown\nd\nl\nlib\nown\nr\n"
    )
    assert [path.name for path in (tmp_path / "lib").iterdir()] == ["sub"]
    assert (tmp_path / "lib" / "sub" / "f").read_text() == "precious\n"
    assert (made.sandbox / "d" / "f").read_text() == ""


async def test_a_link_to_what_is_not_there_leads_nobody_out(engine: WorkflowEngine, tmp_path: Path) -> None:
    made = run(engine, sh("ln -s {} x", tmp_path / "later"))
    assert await run(engine, "echo 1 > x; cat x", made) == "1\n"
    assert not (tmp_path / "later").exists()


async def test_what_cannot_be_copied_behind_a_link_is_told(engine: WorkflowEngine, tmp_path: Path) -> None:
    made = run(engine, sh("mkfifo {0}/pipe; ln -s {0} x", tmp_path))
    with pytest.raises(
        StagingError, match=r"'run' \(#1\) has left a link 'x' to '.*', of which there can be no copy"
    ):
        await run(engine, "ls", made)


async def test_a_link_to_a_declared_file_brings_what_is_in_it(engine: WorkflowEngine) -> None:
    made = engine.executable_task(lambda out: f"echo x > {out}; ln -s a alias")(OutputFile("a"))
    assert await run(engine, "cat alias; ls", made) == "x\nalias\n"


async def test_a_pattern_means_what_the_command_itself_has_made(engine: WorkflowEngine) -> None:
    left = run(engine, "touch part-1 other")
    again = engine.executable_task(lambda out: "touch part-2", name="again").with_options(after=left)
    assert [path.name for path in await again(OutputFile("part-*")).outputs["part-*"]] == ["part-2"]
    lazy = engine.executable_task(lambda out: "true", name="lazy").with_options(after=left)
    with pytest.raises(StagingError, match=r"'lazy' \(#\d+\) made no file 'oth\*'"):
        await lazy(OutputFile("oth*"))


async def test_an_input_is_not_what_a_command_makes_by_a_pattern(
    engine: WorkflowEngine, tmp_path: Path
) -> None:
    (tmp_path / "in.txt").write_text("in")
    make = engine.executable_task(lambda file, out, how: how, name="make")
    with pytest.raises(StagingError, match=r"made no file '\*.txt'"):
        await make(InputFile(tmp_path / "in.txt"), OutputFile("*.txt"), "true")
    made = make(InputFile(tmp_path / "in.txt"), OutputFile("*.txt"), "echo more >> in.txt; touch b.txt")
    assert [path.name for path in await made.outputs["*.txt"]] == ["b.txt", "in.txt"]


async def test_a_declared_directory_hides_what_others_left_in_one_of_its_name(
    engine: WorkflowEngine, tmp_path: Path
) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "own").write_text("own")
    left = run(engine, "mkdir d; touch d/x d/own")
    ls = engine.executable_task(lambda folder: f"ls {folder}").with_options(after=left)
    assert await ls(InputFile(tmp_path / "d")) == "own\n"


async def test_what_a_task_has_just_made_comes_before_an_old_file_of_that_name(
    engine: WorkflowEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "count").write_text("stale")
    left = run(engine, "echo fresh > count")
    cat = engine.executable_task(lambda file: ["cat", file])
    assert await cat.with_options(after=left)(InputFile("count")) == "fresh\n"
    assert await cat(InputFile("count")) == "stale"
