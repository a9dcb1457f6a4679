"""Files on nodes, for real: agents that see other file systems, full disks, agents killed while files travel."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from asyncflow import InputFile, OutputFile, StagingError, WorkerDied, WorkflowEngine
from asyncflow.backends.carried import CarriedBackend
from asyncflow.backends.carried.engine_files import EngineFiles
from asyncflow.backends.carried.file_messages import MANIFEST
from asyncflow.backends.carried.transfers import BLOCK

UNSHARE = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--mount"]


def can_mount(folder: Path) -> bool:
    try:
        argv = [*UNSHARE, "mount", "-t", "tmpfs", "none", str(folder)]
        return subprocess.run(argv, capture_output=True, check=False, timeout=30).returncode == 0
    except FileNotFoundError:
        return False


def elsewhere(tmp_path: Path, size: str = "64m") -> list[str]:
    """What starts an agent that sees nothing of the engine's directory, and has a small disk of its own."""
    work, node = tmp_path / "work", tmp_path / "node"
    for folder in (work, node):
        folder.mkdir(exist_ok=True)
    if not can_mount(node):
        pytest.skip("file systems cannot be mounted here")
    script = (
        'mount -t tmpfs none "$1" && mount -t tmpfs -o size="$3" none "$2" && TMPDIR="$2" exec "$4" '
        "-m asyncflow.agent --lease - --workers 1"
    )
    return [*UNSHARE, "sh", "-c", script, "sh", str(work), str(node), size, sys.executable]


def weigh(data: Path, out: Path) -> tuple[int, str]:
    out.write_bytes(data.read_bytes()[::-1])
    return data.stat().st_size, str(data)


async def test_an_agent_that_does_not_see_the_engines_files_finds_that_out(tmp_path: Path) -> None:
    far = CarriedBackend(agents=0, commands=[elsewhere(tmp_path)])
    (tmp_path / "data").write_bytes(b"x" * 2_000_000 + b"end")
    async with WorkflowEngine(far, work_dir=tmp_path / "work") as engine:
        future = engine.function_task(weigh)(
            InputFile(tmp_path / "data"), OutputFile("out", to=tmp_path / "out")
        )
        size, where = await future
        assert (size, where.startswith(str(tmp_path / "node"))) == (2_000_003, True)
        assert (tmp_path / "out").read_bytes().startswith(b"dne")
        assert far._crews is not None
        assert far._crews.all[0].files.shares_files is False


async def test_agents_that_see_the_files_and_such_that_do_not_work_side_by_side(tmp_path: Path) -> None:
    far = CarriedBackend(agents=1, workers=1, commands=[elsewhere(tmp_path)])
    async with WorkflowEngine(far, work_dir=tmp_path / "work") as engine:
        task = engine.function_task(weigh)
        calls = []
        for number in range(40):
            (tmp_path / f"data{number}").write_bytes(os.urandom(20_000))
            calls.append(task(InputFile(tmp_path / f"data{number}"), OutputFile("out")))
        found = await asyncio.gather(*calls)
        assert [size for size, _ in found] == [20_000] * 40
        for number, call in enumerate(calls):
            made = await call.outputs["out"]
            assert made.read_bytes()[::-1] == (tmp_path / f"data{number}").read_bytes()
        there = {where.startswith(str(tmp_path / "node")) for _, where in found}
        assert there == {True, False}


def large(out: Path, size: int) -> None:
    out.write_bytes(os.urandom(size))


async def test_a_disk_that_is_full_there_is_told_and_others_go_on(tmp_path: Path) -> None:
    far = CarriedBackend(agents=0, commands=[elsewhere(tmp_path, "9m")])
    for name, size in (("one", 3_000_000), ("two", 3_500_000), ("much", 20_000_000)):
        (tmp_path / name).write_bytes(os.urandom(size))
    async with WorkflowEngine(far, work_dir=tmp_path / "work") as engine:
        task = engine.function_task(lambda data: data.stat().st_size)
        with pytest.raises(StagingError, match=r"'much' could not be brought to .*No space left on device"):
            await task(InputFile(tmp_path / "much"))
        assert await task(InputFile(tmp_path / "one")) == 3_000_000
        assert await task(InputFile(tmp_path / "two")) == 3_500_000  # the other one had to go for it
        assert await task(InputFile(tmp_path / "one")) == 3_000_000
        with pytest.raises(OSError, match="No space left on device"):
            await engine.function_task(large)(OutputFile("out"), 20_000_000)
        assert await task(InputFile(tmp_path / "two")) == 3_500_000


def killing(monkeypatch: pytest.MonkeyPatch, far: CarriedBackend, kind: int) -> list[int]:
    """Have the agent killed that first sends a message of a kind about files, or is sent one."""
    killed: list[int] = []

    def kill(files: EngineFiles, message: tuple[object, ...]) -> None:
        if message[0] == kind and not killed:
            assert far._crews is not None
            agent = next(each for each in far._crews.all if each.files is files)
            killed.append(agent.pid)
            os.kill(agent.pid, signal.SIGKILL)

    received, prepare = EngineFiles.received, EngineFiles.prepare

    def taken(files: EngineFiles, message: tuple[object, ...]) -> None:
        kill(files, message)
        received(files, message)

    def prepared(files: EngineFiles, *args: object) -> None:
        prepare(files, *args)  # type: ignore[arg-type]
        kill(files, (MANIFEST,))

    monkeypatch.setattr(EngineFiles, "received", taken)
    monkeypatch.setattr(EngineFiles, "prepare", prepared)
    return killed


async def test_a_call_whose_agent_dies_before_its_files_are_there_goes_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    far = CarriedBackend(agents=2, workers=1, shares_files=False)
    (tmp_path / "data").write_bytes(os.urandom(20_000_000))
    async with WorkflowEngine(far, work_dir=tmp_path / "work") as engine:
        killed = killing(monkeypatch, far, MANIFEST)
        future = engine.function_task(weigh)(InputFile(tmp_path / "data"), OutputFile("out"))
        assert (await future)[0] == 20_000_000
        assert len(killed) == 1
        assert (await future.outputs["out"]).stat().st_size == 20_000_000


async def test_an_agent_that_dies_while_an_output_travels_is_told_with_the_file_and_retried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    far = CarriedBackend(agents=2, workers=1, shares_files=False)
    async with WorkflowEngine(far, work_dir=tmp_path / "work") as engine:
        killed = killing(monkeypatch, far, BLOCK)
        with pytest.raises(WorkerDied, match="while its output 'out' was brought here") as caught:
            await engine.function_task(large)(OutputFile("out"), 20_000_000)
        assert caught.value.may_have_begun
        killed.clear()
        future = engine.function_task(large, retries=2)(OutputFile("out"), 20_000_000)
        await future
        assert len(killed) == 1
        assert (await future.outputs["out"]).stat().st_size == 20_000_000


async def test_two_agents_of_a_node_are_sent_a_content_once(tmp_path: Path) -> None:
    far = CarriedBackend(agents=2, workers=1, shares_files=False)
    (tmp_path / "data").write_bytes(os.urandom(10_000_000))
    async with WorkflowEngine(far, work_dir=tmp_path / "work") as engine:
        sent = [0]
        task = engine.function_task(lambda data: (os.getppid(), data.stat().st_size))
        await asyncio.gather(*[engine.submit(os.getpid) for _ in range(4)])
        assert far._crews is not None
        for agent in far._crews.all:
            tell = agent.files._send

            def counted(message: tuple[object, ...], tell: object = tell) -> None:
                if message[0] == BLOCK:
                    sent[0] += len(message[3])  # type: ignore[arg-type]
                tell(message)  # type: ignore[operator]

            agent.files._transfers._send = counted
        found = await asyncio.gather(*[task(InputFile(tmp_path / "data")) for _ in range(40)])
        assert {size for _, size in found} == {10_000_000}
        assert len({agent for agent, _ in found}) == 2
        assert sent[0] == 10_000_000
