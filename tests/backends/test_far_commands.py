"""Commands of executable tasks that name a backend which carries files: they run there, as promised here."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from asyncflow import (
    CommandFailed,
    CommandNotFound,
    InputFile,
    OutputFile,
    TaskTimeout,
    WiringError,
    WorkflowEngine,
    sh,
)
from asyncflow.backends.carried import CarriedBackend
from asyncflow.testing import ManualBackend


@pytest.fixture(params=[False, True], ids=["apart", "shared"])
async def engine(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[WorkflowEngine]:
    (tmp_path / "a node").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "a node"))  # of the agents; this process knows its own by now
    far = CarriedBackend(agents=2, workers=1, shares_files=request.param)
    backends = {"thread": "thread", "far": far}
    async with WorkflowEngine(backends=backends, work_dir=tmp_path / "work") as engine:  # type: ignore[arg-type]
        yield engine


async def test_a_command_runs_in_its_sandbox_on_the_node(engine: WorkflowEngine, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one\n")

    @engine.executable_task(backend="far")
    def shout(text: Path, loud: Path) -> str:
        return f"pwd; tr a-z A-Z < {text} > {loud}; echo noise >&2"

    future = shout(InputFile(tmp_path / "a.txt"), OutputFile("loud.txt"))
    where = (await future).strip()
    assert (await future.outputs["loud.txt"]).read_text() == "ONE\n"
    assert (future.returncode, future.stderr) == (0, "noise\n")
    assert "tr a-z A-Z" in str(future.command)
    is_apart = where.startswith(str(tmp_path / "a node"))
    assert is_apart or where == str(future.sandbox)


async def test_a_command_that_fails_is_told_as_here(engine: WorkflowEngine) -> None:
    @engine.executable_task(backend="far")
    def fail() -> str:
        return "echo half; echo why >&2; exit 3"

    future = fail()
    with pytest.raises(CommandFailed) as caught:
        await future
    assert (caught.value.returncode, caught.value.stderr) == (3, "why")
    assert caught.value.sandbox == str(future.sandbox)
    assert (future.returncode, future.stderr) == (3, "why\n") or future.stderr == "why"
    assert (future.sandbox / "stdout").read_text() == "half\n"
    assert (future.sandbox / "stderr").read_text() == "why\n"
    assert (future.sandbox / "command.sh").exists()


async def test_a_program_that_is_not_there_is_told_as_here(engine: WorkflowEngine) -> None:
    @engine.executable_task(backend="far")
    def nothing() -> list[str]:
        return ["no-such-program-anywhere"]

    with pytest.raises(CommandNotFound, match="no-such-program-anywhere"):
        await nothing()


async def test_options_of_commands_hold_there(engine: WorkflowEngine) -> None:
    @engine.executable_task(
        backend="far", env={"WHO": "me"}, stdin="fed", text=False, ok_codes=[0, 4], shell=["bash", "-c"]
    )
    async def tell() -> str:
        await asyncio.sleep(0)
        return "cat; printf %s $WHO ${BASH_VERSION:+bash}; exit 4"

    assert await tell() == b"fedmebash"


async def test_output_that_is_captured_in_files_comes_back(engine: WorkflowEngine) -> None:
    @engine.executable_task(backend="far", capture_stdio=True)
    def much() -> str:
        return "seq 100000"

    path = await much()
    assert path.read_text().endswith("\n100000\n")


async def test_files_that_nobody_declared_go_from_command_to_command(
    engine: WorkflowEngine, tmp_path: Path
) -> None:
    @engine.executable_task(backend="far")
    def first() -> str:
        return "echo one > one.txt; mkdir sub; echo two > sub/two.txt; ln -s one.txt link"

    @engine.executable_task(backend="far")
    def second(_: object) -> str:
        return "cat one.txt sub/two.txt link; echo three > three.txt"

    @engine.executable_task
    def here(_: object) -> str:
        return "cat one.txt sub/two.txt three.txt"

    made = second(first())
    assert await made == "one\ntwo\none\n"
    assert await here(made) == "one\ntwo\nthree\n"


async def test_a_name_that_a_shell_would_run_is_refused_there_too(
    engine: WorkflowEngine, tmp_path: Path
) -> None:
    (tmp_path / "$(touch x)").write_text("one")

    @engine.executable_task(backend="far")
    def careless(text: Path) -> str:
        return f"cat {text!s}"

    @engine.executable_task(backend="far")
    def careful(text: Path) -> str:
        return sh("cat {}", text)

    with pytest.raises(ValueError, match="stands in its command so that a shell may run"):
        await careless(InputFile(tmp_path / "$(touch x)"))
    assert await careful(InputFile(tmp_path / "$(touch x)")) == "one"


async def test_a_command_that_is_cancelled_is_ended_with_all_that_it_started(
    engine: WorkflowEngine, tmp_path: Path
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)

    @engine.executable_task(backend="far")
    def hang(pipe: str) -> str:
        return f"exec 3> '{pipe}'; setsid sleep 600 & trap '' TERM; echo >&3; sleep 600; sleep 600"

    future = hang(str(pipe))
    loop, there = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(reading, there.set)
    await asyncio.wait_for(there.wait(), 30)
    loop.remove_reader(reading)
    os.read(reading, 10)
    future.cancel()
    await engine.settled(future)
    assert os.read(reading, 10) == b""  # nobody has it open any more
    os.close(reading)

    @engine.executable_task(backend="far", timeout=0.3)
    def slow() -> list[str]:
        return ["sleep", "600"]

    with pytest.raises(TaskTimeout):
        await slow()


async def test_a_backend_that_does_not_carry_files_runs_no_commands_in_words() -> None:
    async with WorkflowEngine(backends={"a": ManualBackend("a"), "p": "process"}) as engine:
        with pytest.raises(TypeError, match="'run': backend='p' does not run commands"):

            @engine.executable_task(backend="p")
            def run() -> str:
                return "true"


async def test_what_a_command_there_cannot_have_is_refused_in_words(engine: WorkflowEngine) -> None:
    with pytest.raises(TypeError, match="is a file of this machine, and its command runs on"):
        engine.executable_task(lambda: "cat", backend="far", stdin=Path("/etc/hosts"))
    with pytest.raises(TypeError, match="backend='far': a service runs beside the engine"):
        engine.executable_task(lambda: "cat", backend="far", service=True)


async def test_a_plan_knows_the_command_that_is_to_run_there(tmp_path: Path) -> None:
    engine = WorkflowEngine(backends={"thread": "thread", "far": CarriedBackend(agents=1)})  # type: ignore[arg-type]

    @engine.executable_task(backend="far")
    def broken(out: Path) -> str:
        return ""

    plan = await engine.plan(lambda: broken(OutputFile("out")))
    with pytest.raises(WiringError, match="there is no command in it"):
        plan.check()
