"""Files of function tasks: they arrive as paths inside a sandbox, on every backend, and are published."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from asyncflow import (
    EngineClosed,
    InputFile,
    OutputFile,
    StagingError,
    TaskTimeout,
    UpstreamFailed,
    WorkflowEngine,
)
from asyncflow.testing import ManualBackend


@pytest.fixture(params=["thread", "process", "sequential"])
async def engine(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[WorkflowEngine]:
    async with WorkflowEngine(request.param, workers=2, work_dir=tmp_path / "work") as engine:
        yield engine


def shout(text: Path, loud: Path = OutputFile("loud.txt")) -> str:  # type: ignore[assignment]
    assert type(text) is type(loud) is type(Path())
    assert text.parent == loud.parent != Path.cwd()
    loud.write_text(text.read_text().upper())
    return loud.name


async def test_both_arrive_as_paths_inside_one_sandbox(engine: WorkflowEngine, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one")
    here, there = Path.cwd(), sorted(os.listdir())
    future = engine.function_task(shout)(InputFile(tmp_path / "a.txt"))
    assert await future == "loud.txt"
    path = await future.outputs["loud.txt"]
    assert path.read_text() == "ONE"
    assert path.parent == future.sandbox
    assert future.sandbox.is_relative_to(tmp_path / "work")
    assert (Path.cwd(), sorted(os.listdir())) == (here, there)


async def test_outputs_cannot_be_asked_for_after_a_shutdown(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one")
    async with WorkflowEngine("sequential", work_dir=tmp_path / "work") as engine:
        future = engine.function_task(shout)(InputFile(tmp_path / "a.txt"))
        await future
    with pytest.raises(
        EngineClosed, match=r"shout\.outputs\['loud\.txt'\].* was asked for, but the engine has"
    ):
        future.outputs["loud.txt"]


async def test_so_they_do_in_a_coroutine(engine: WorkflowEngine, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one")

    async def copy(text: Path, out: Path) -> int:
        return out.write_text(text.read_text())

    future = engine.function_task(copy)(InputFile(tmp_path / "a.txt"), out=OutputFile("b.txt"))
    assert await future == 3
    assert (await future.outputs["b.txt"]).read_text() == "one"


async def test_commands_and_functions_hand_files_to_one_another(
    engine: WorkflowEngine, tmp_path: Path
) -> None:
    make = engine.executable_task(lambda out: f"printf made > {out}")
    made = make(OutputFile("a.txt"))
    shouted = engine.function_task(shout)(InputFile(made.outputs["a.txt"]))
    cat = engine.executable_task(lambda file: ["cat", file])
    assert await cat.with_options(after=shouted)(InputFile("loud.txt")) == "MADE"
    assert (await made.outputs["a.txt"]).read_text() == "made"


async def test_a_function_may_write_into_what_it_was_given(engine: WorkflowEngine, tmp_path: Path) -> None:
    original = tmp_path / "a.txt"
    original.write_text("one")

    def spoil(files: list[Path]) -> list[str]:
        for file in files:
            file.write_text("spoilt")
        return [file.name for file in files]

    names = await engine.function_task(spoil)([InputFile(original), InputFile(original, name="sub/b.txt")])  # type: ignore[list-item]
    assert names == ["a.txt", "b.txt"]
    assert original.read_text() == "one"


async def test_nothing_is_published_by_a_function_that_fails(engine: WorkflowEngine, tmp_path: Path) -> None:
    target = tmp_path / "published.txt"

    def half(out: Path, fails: bool) -> None:
        out.write_text("half")
        if fails:
            raise RuntimeError("no more")

    task = engine.function_task(half)
    failed = task(OutputFile("a.txt", to=target), True)  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match="no more") as caught:
        await failed
    assert f"its sandbox: {failed.sandbox}" in caught.value.__notes__
    assert not target.exists()
    with pytest.raises(UpstreamFailed):
        await failed.outputs["a.txt"]
    await task(OutputFile("a.txt", to=target), False)  # type: ignore[arg-type]
    assert target.read_text() == "half"


async def test_an_error_that_refuses_notes_arrives_all_the_same(engine: WorkflowEngine) -> None:
    class Odd(Exception):
        def add_note(self, note: str) -> None:
            raise TypeError

        @property
        def sandbox(self) -> str:
            raise RuntimeError

    def spoil(out: Path) -> None:
        raise Odd

    with pytest.raises(Exception) as caught:
        await engine.function_task(spoil)(OutputFile("a"))  # type: ignore[arg-type]
    assert "Odd" in f"{type(caught.value).__name__} {caught.value!r}"


async def test_other_defaults_stay_the_functions_own(engine: WorkflowEngine) -> None:
    missing = object()

    def task(a: int, /, b: int = 2, file: Any = InputFile("/proc/version"), *, flag: Any = missing) -> Any:
        return a, b, file.name, flag is missing

    called = engine.function_task(task)
    assert await called(1) == (1, 2, "version", True)
    assert await called(1, flag=None, file=InputFile("/proc/uptime")) == (1, 2, "uptime", False)


async def test_a_sandbox_of_what_took_too_long_is_kept_and_named(tmp_path: Path) -> None:
    async with WorkflowEngine(work_dir=tmp_path) as engine:
        command = engine.executable_task(lambda out: "sleep 60", timeout=0.01)(OutputFile("a"))
        forever = asyncio.Event()

        async def wait(out: Path) -> None:
            await forever.wait()

        function = engine.function_task(wait, timeout=0.01)(OutputFile("a"))  # type: ignore[arg-type]
        for future in (command, function):
            with pytest.raises(TaskTimeout) as caught:
                await future
            assert f"its sandbox: {future.sandbox}" in caught.value.__notes__
    assert command.sandbox.exists() and function.sandbox.exists()


async def test_the_sandbox_of_a_failed_function_stays_when_the_engine_is_gone(tmp_path: Path) -> None:
    def spoil(out: Path) -> None:
        out.write_text("evidence")
        raise RuntimeError

    async with WorkflowEngine(work_dir=tmp_path) as engine:
        failed = engine.function_task(spoil)(OutputFile("a.txt"))  # type: ignore[arg-type]
        fine = engine.function_task(lambda out: out.write_text("x"))(OutputFile("b.txt"))
        with pytest.raises(RuntimeError):
            await failed
        assert await fine == 1
    assert (failed.sandbox / "a.txt").read_text() == "evidence"
    assert not fine.sandbox.exists()


async def test_an_output_that_was_not_made_fails_the_function(engine: WorkflowEngine) -> None:
    make = engine.function_task(lambda out: None, name="make")
    with pytest.raises(StagingError, match=r"'make' \(#1\) did not make its output 'a.txt'"):
        await make(OutputFile("a.txt"))


async def test_a_result_that_is_no_value_is_told_before_files_are_looked_for(engine: WorkflowEngine) -> None:
    with pytest.raises(TypeError, match="generator"):
        await engine.function_task(lambda out: (n for n in [1]), name="make")(OutputFile("a.txt"))


async def test_what_follows_waits_until_the_outputs_were_looked_at(engine: WorkflowEngine) -> None:
    ran = engine.function_task(lambda value: value)
    make = engine.function_task(lambda out: None)
    with pytest.raises(UpstreamFailed):
        await ran(make(OutputFile("never made")))


async def test_a_block_hands_files_on(engine: WorkflowEngine, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one")
    task = engine.function_task(shout)

    @engine.block
    async def inside(source: Any, loud: Any) -> str:
        assert isinstance(source, InputFile)
        return await task(source, loud)

    assert await inside(InputFile(tmp_path / "a.txt"), OutputFile("b.txt")) == "b.txt"


async def test_a_declaration_is_no_result(engine: WorkflowEngine) -> None:
    declare = engine.function_task(lambda: OutputFile("a.txt"), name="declare")
    with pytest.raises(TypeError, match=r"'declare' \(#1\) returned OutputFile\(.*, which declares a file"):
        await declare()


async def test_a_future_without_files_says_so(engine: WorkflowEngine) -> None:
    future = engine.function_task(lambda: 1)()
    with pytest.raises(
        AttributeError, match="has no outputs: only executable tasks and those that declare files"
    ):
        future.outputs  # noqa: B018
    assert await future == 1


async def test_a_file_among_the_defaults_counts_and_may_be_replaced(
    engine: WorkflowEngine, tmp_path: Path
) -> None:
    (tmp_path / "a.txt").write_text("one")
    task = engine.function_task(shout)
    await task(InputFile(tmp_path / "a.txt"), OutputFile("c.txt", to=tmp_path / "c"))  # type: ignore[arg-type]
    await task(InputFile(tmp_path / "a.txt"), loud=OutputFile("d.txt", to=tmp_path / "d"))  # type: ignore[arg-type]
    assert (tmp_path / "c").read_text() == (tmp_path / "d").read_text() == "ONE"


async def test_the_noop_backend_stages_nothing(tmp_path: Path) -> None:
    async with WorkflowEngine("noop", work_dir=tmp_path / "work") as engine:
        future = engine.function_task(shout)(InputFile(tmp_path / "nowhere"))
        assert await future.outputs["loud.txt"] == Path("loud.txt")
    assert list(tmp_path.iterdir()) == []


def test_a_file_cannot_hide_in_a_partial() -> None:
    with pytest.raises(TypeError, match="which holds a file from before the call"):
        WorkflowEngine().function_task(partial(shout, InputFile("x")))  # type: ignore[arg-type]


async def test_files_are_refused_where_they_are_not_in_words(tmp_path: Path) -> None:
    class Elsewhere(ManualBackend):
        shares_filesystem = False

    (tmp_path / "a.txt").write_text("one")
    here, there = ManualBackend("here"), Elsewhere("elsewhere")
    async with WorkflowEngine(backends={"here": here, "elsewhere": there}, work_dir=tmp_path) as engine:
        with pytest.raises(
            StagingError, match=r"'shout' \(#1\) declares files, and backend 'elsewhere' does not"
        ):
            engine.function_task(shout, backend="elsewhere")(InputFile(tmp_path / "a.txt"))
        without = engine.submit(len, "abc")
        await here.received("len")
        here.succeed("len", 3)
        assert await without == 3
