"""Commands in control groups: what they have started ends with them, whatever it has taken off."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from asyncflow import CommandFailed, CommandNotFound, CommandNotStarted, WorkflowEngine
from asyncflow._worker import cgroups
from asyncflow._worker.cgroups import ControlGroups

from .kit import Bell, until_readable


def _why_not() -> str:
    try:
        ControlGroups().close()
    except OSError as error:
        return str(error)
    return ""


WHY_NOT = _why_not()
where_there_are_groups = pytest.mark.skipif(bool(WHY_NOT), reason=f"no control group can be made: {WHY_NOT}")

HIDDEN = """
import os, time
if not os.fork():
    os.setsid()
    if not os.fork():
        os.closerange(0, 256)
        os.execve("/bin/sh", ["sh", "-c", "trap : TERM; trap '' HUP; echo up > BELL; exec sleep AGES"], {})
    os._exit(0)
os.wait()
time.sleep(1000)
"""
_AGES = f"1001.{os.getpid()}"  # seconds, as nobody else says it


@pytest.fixture
def bell(tmp_path: Path) -> Iterator[Bell]:
    bell = Bell(tmp_path)
    yield bell
    bell.close()


def _hidden(bell: Bell, as_list: bool) -> Any:
    script = HIDDEN.replace("BELL", str(bell.path)).replace("AGES", _AGES)
    if as_list:
        return [sys.executable, "-ISc", script]
    (bell.path.parent / "hidden.py").write_text(script)
    return f"{sys.executable} -IS {bell.path.parent / 'hidden.py'}"


def _sleepers() -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if entry.read_bytes() == f"sleep\0{_AGES}\0".encode():
                found.append(int(entry.parent.name))
    return found


def _groups() -> list[str]:
    """Of this process's runs."""
    return [path.name for path in cgroups._own_group().glob(f"asyncflow-*-{os.getpid()}-*")]


@where_there_are_groups
@pytest.mark.parametrize("how", ["cancel", "timeout", "shutdown", "abandon"])
@pytest.mark.parametrize("as_list", [False, True], ids=["a line", "a list"])
def test_what_hides_from_its_command_ends_with_it(
    tmp_path: Path, bell: Bell, as_list: bool, how: str
) -> None:
    async def main() -> None:
        engine = WorkflowEngine(work_dir=tmp_path / "work", grace=0.1, contain_commands=True)
        await engine.start()
        hidden = _hidden(bell, as_list)
        stay = engine.executable_task(lambda: hidden, timeout=3 if how == "timeout" else None)
        future = stay()
        await bell.rung()
        if how == "abandon":
            return
        if how == "cancel":
            future.cancel()
        elif how == "timeout":
            await asyncio.gather(future, return_exceptions=True)
        else:
            await engine.shutdown(wait=False)
        await engine.settled(future)
        assert _sleepers() == []
        await engine.shutdown()

    asyncio.run(main())
    gc.collect()
    assert _sleepers() == []
    assert _groups() == []


@where_there_are_groups
async def test_what_hides_from_one_command_is_not_ended_with_another(tmp_path: Path, bell: Bell) -> None:
    async with WorkflowEngine(work_dir=tmp_path / "work", grace=0.1, contain_commands=True) as engine:
        first = engine.executable_task(lambda: _hidden(bell, True))()
        await bell.rung()
        second = engine.executable_task(lambda: ["sh", "-c", "echo up > $1; sleep 1000", "sh", bell.path])()
        await bell.rung()
        second.cancel()
        await engine.settled(second)
        assert len(_sleepers()) == 1
        first.cancel()
        await engine.settled(first)
        assert _sleepers() == []


@where_there_are_groups
async def test_what_hides_ends_when_the_engines_process_is_killed(tmp_path: Path, bell: Bell) -> None:
    script = f"""
from asyncflow import WorkflowEngine
engine = WorkflowEngine(work_dir={str(tmp_path / "work")!r}, contain_commands=True)
engine.run(engine.executable_task(lambda: {_hidden(bell, True)!r}))
"""
    with subprocess.Popen([sys.executable, "-c", script]) as parent:
        await bell.rung()
        (group,) = cgroups._own_group().glob(f"asyncflow-*-{parent.pid}-*")
        (watcher,) = [
            int(entry.parent.name)
            for entry in Path("/proc").glob("[0-9]*/cmdline")
            if os.fsencode(group) in entry.read_bytes() and b"watch.py" in entry.read_bytes()
        ]
        watching = os.pidfd_open(watcher)
        parent.kill()
    await until_readable(watching)
    os.close(watching)
    assert _sleepers() == []
    assert not group.exists()


@where_there_are_groups
async def test_what_engines_have_left_that_were_killed_with_their_watchers_is_swept_by_the_next(
    tmp_path: Path, bell: Bell
) -> None:
    with subprocess.Popen(["true"]) as dead:
        pass
    left = cgroups._own_group() / f"asyncflow-{cgroups._space()}-{dead.pid}-1-0"
    (left / "1").mkdir(parents=True)
    async with WorkflowEngine(work_dir=tmp_path / "work", contain_commands=True) as engine:
        assert await engine.executable_task(lambda: "cat /proc/self/cgroup")() != ""
        assert not left.exists()
        assert len(_groups()) == 1
    assert _groups() == []


@where_there_are_groups
async def test_what_a_command_that_has_succeeded_leaves_lives_on(tmp_path: Path, bell: Bell) -> None:
    line = f"setsid sh -c 'echo up > {bell.path}; exec sleep {_AGES}' >&- 2>&- & read line < {tmp_path}/go"
    os.mkfifo(tmp_path / "go")
    async with WorkflowEngine(work_dir=tmp_path / "work", grace=0.1, contain_commands=True) as engine:
        future = engine.executable_task(lambda: line)()
        await bell.rung()
        (tmp_path / "go").write_text("go\n")
        await future
    (left,) = _sleepers()
    os.kill(left, 9)
    assert _groups() == []


@where_there_are_groups
async def test_a_contained_command_is_what_it_would_be_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("a.b", "odd name")
    script = "import os; print(os.environ['a.b'], os.getcwd(), os.getpid() == os.getpgrp())"
    (tmp_path / "no-program").write_text("text")
    async with WorkflowEngine(work_dir=tmp_path / "work", contain_commands=True) as engine:
        run = engine.executable_task(lambda command: command)
        listed = run([sys.executable, "-c", script])
        assert await listed == f"odd name {listed.sandbox} True\n"
        assert await run(["printf", "%s", " ' $x \n"]) == " ' $x \n"
        assert await run("x=1\necho $x # and $0") == "1\n"
        alone = run.with_options(env={"LEVEL": 3}, clean_env=True)
        seen = sorted((await alone(["/usr/bin/env"])).splitlines())
        assert [line.partition("=")[0] for line in seen] == ["ASYNCFLOW_TASK", "LEVEL"]
        with pytest.raises(CommandNotFound, match="no-such-program"):
            await run(["no-such-program"])
        with pytest.raises(CommandNotStarted, match="chmod"):
            await run([tmp_path / "no-program"])
        with pytest.raises(CommandFailed, match="exit code 3") as raised:
            await run("exit 3")
        assert raised.value.command == "exit 3"


async def test_who_asks_for_groups_where_none_can_be_made_is_told_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> Path:
        raise PermissionError(errno.EACCES, "Permission denied", "/sys/fs/cgroup/x")

    monkeypatch.setattr(cgroups, "_own_group", refuse)
    async with WorkflowEngine(work_dir=tmp_path / "work", contain_commands=True) as engine:

        @engine.executable_task
        def stay() -> str:
            return "true"

        with pytest.raises(CommandNotStarted) as raised:
            await stay()
        assert "'stay'" in str(raised.value)
        assert "Permission denied (/sys/fs/cgroup/x)" in str(raised.value)
        assert "Delegate=yes" in str(raised.value)
