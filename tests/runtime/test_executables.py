"""Executable tasks: real commands, their values, their ends, and what is left of them."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import random
import re
import resource
import signal
import subprocess
import sys
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from asyncflow import (
    CommandFailed,
    CommandNotFound,
    CommandNotStarted,
    OutputFile,
    OutputNotText,
    OutputTooLarge,
    StagingError,
    State,
    TaskTimeout,
    UpstreamFailed,
    WorkflowEngine,
    sh,
)
from asyncflow._runtime import streams
from asyncflow._worker.command import Family

from .kit import Bell, until_readable


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[WorkflowEngine]:
    async with WorkflowEngine(workers=2, work_dir=tmp_path / "work", grace=0.2) as engine:
        yield engine


# -- values -----------------------------------------------------------------------------------------------


async def test_text_is_run_by_a_shell_and_a_list_is_not(engine: WorkflowEngine) -> None:
    shell = engine.executable_task(lambda: "echo $((1 + 1)) | cat")
    plain = engine.executable_task(lambda: ["echo", "$((1 + 1))", "|", "cat"])
    assert await shell() == "2\n"
    assert await plain() == "$((1 + 1)) | cat\n"


async def test_the_value_is_the_output_as_text_whatever_is_in_it(engine: WorkflowEngine) -> None:
    assert await engine.executable_task(lambda: r"printf 'a\n\303\251\n\n'")() == "a\né\n\n"
    assert await engine.executable_task(lambda: "true")() == ""


async def test_results_go_into_the_command_and_its_output_into_tasks(engine: WorkflowEngine) -> None:
    @engine.function_task
    def number() -> int:
        return 20

    @engine.executable_task
    async def count(limit: int) -> str:
        await asyncio.sleep(0)
        return sh("seq {} | tail -n 1", limit)

    total = engine.function_task(lambda text: int(text) + 1)(count(number()))
    assert await total == 21


async def test_the_future_tells_how_it_went(engine: WorkflowEngine) -> None:
    future = engine.executable_task(lambda: "pwd; echo careful >&2")()
    assert (future.returncode, future.stderr, future.command, future.sandbox) == (None, None, None, None)
    assert await future == f"{future.sandbox}\n"
    assert (future.returncode, future.stderr) == (0, "careful\n")
    assert future.command == "pwd; echo careful >&2"
    assert future.state is State.SUCCEEDED
    plain = engine.submit(int)
    with pytest.raises(AttributeError, match=r"has no returncode: only executable tasks have"):
        plain.returncode  # noqa: B018


async def test_captured_output_is_a_file_beside_the_sandbox(engine: WorkflowEngine) -> None:
    future = engine.executable_task(capture_stdio=True)(lambda: "printf 'a\\377'; printf b >&2; ls -A")()
    path = await future
    assert path.read_bytes() == b"a\xff"
    assert path.with_suffix(".stderr").read_bytes() == b"b"
    assert future.stderr == "b"


async def test_a_flood_is_not_a_value_and_not_held_in_memory(
    engine: WorkflowEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "_MOST", 1_000_000)
    flood = engine.executable_task(name="flood")(lambda: ["head", "-c", 50_000_000, "/dev/zero"])
    with pytest.raises(
        OutputTooLarge, match=r"'flood' \(#1\) wrote 50,000,000 bytes(?s:.*)capture_stdio=True"
    ):
        await flood()
    path = await engine.executable_task(capture_stdio=True)(flood.fn)()
    assert path.stat().st_size == 50_000_000


# -- options ----------------------------------------------------------------------------------------------


async def test_environment_and_directory(engine: WorkflowEngine, tmp_path: Path) -> None:
    show = engine.executable_task(lambda: ["/usr/bin/env"])
    added = (await show.with_options(env={"LEVEL": 3})()).splitlines()
    assert "LEVEL=3" in added
    assert any(line.startswith("PATH=") for line in added)
    alone = (await show.with_options(env={"LEVEL": 3}, clean_env=True)()).splitlines()
    assert [line for line in alone if not line.startswith("ASYNCFLOW_TASK=")] == ["LEVEL=3"]
    where = engine.executable_task(lambda: ["pwd"])
    assert await where.with_options(cwd=tmp_path)() == f"{tmp_path}\n"
    with pytest.raises(FileNotFoundError, match=r"'<lambda>' \(#4\): cwd '/no/such/place' is not there"):
        await where.with_options(cwd="/no/such/place")()


async def test_standard_input(engine: WorkflowEngine, tmp_path: Path) -> None:
    (tmp_path / "in").write_text("from a file")
    cat = engine.executable_task(lambda: ["cat"])
    assert await cat() == ""
    assert await cat.with_options(stdin="text\n")() == "text\n"
    assert await cat.with_options(stdin=b"bytes")() == "bytes"
    assert await cat.with_options(stdin=tmp_path / "in")() == "from a file"
    large = "x" * 3_000_000
    assert await cat.with_options(stdin=large)() == large


async def test_another_shell(engine: WorkflowEngine) -> None:
    assert await engine.executable_task(shell="bash")(lambda: "a=(1 2); echo ${#a[@]}")() == "2\n"


PIPEFAIL = ["bash", "-o", "pipefail", "-c"]


async def test_a_pipe_whose_first_command_fails_is_a_failure_where_the_shell_is_told_so(
    tmp_path: Path,
) -> None:
    async with WorkflowEngine(work_dir=tmp_path) as engine:
        pipe = engine.executable_task(lambda: "false | cat")
        assert await pipe() == ""  # as sh has it: the exit code is the last one's
        with pytest.raises(CommandFailed):
            await pipe.with_options(shell=PIPEFAIL)()
        with pytest.raises(CommandFailed):
            await engine.executable_task(shell=PIPEFAIL)(pipe.fn)()
    async with WorkflowEngine(work_dir=tmp_path, shell=PIPEFAIL) as engine:
        pipe = engine.executable_task(pipe.fn)
        with pytest.raises(CommandFailed):
            await pipe()
        assert await pipe.with_options(shell="sh")() == ""
    with pytest.raises(ValueError, match="shell='fish': paths could not be quoted for it"):
        WorkflowEngine(shell="fish")


async def test_output_that_is_no_text_is_bytes_on_demand_and_never_lossy(engine: WorkflowEngine) -> None:
    @engine.executable_task
    def noise() -> str:
        return r"printf 'ab\377c'; printf 'x\377' >&2"

    with pytest.raises(OutputNotText) as caught:
        await noise()
    assert str(caught.value).splitlines()[0] == (
        r"'noise' (#1) wrote what is no text to its standard output: b'\xff' after 2 bytes."
    )
    future = noise.with_options(text=False)()
    assert await future == b"ab\xffc"
    assert future.stderr == r"x\xff"
    assert await noise.with_options(capture_stdio=True)() == future.sandbox.with_name("noise-3.stdout")
    assert await engine.executable_task(text=False)(lambda: "echo é")() == "é\n".encode()


async def test_a_dry_run_stands_in_with_bytes_where_these_are_asked_for() -> None:
    async with WorkflowEngine(dry_run=True) as engine:
        assert type(await engine.executable_task(text=False)(lambda: "true")()) is bytes


async def test_a_command_takes_memory_for_what_it_wrote_and_no_more(engine: WorkflowEngine) -> None:
    run = engine.executable_task(lambda: "echo out; echo err >&2")
    await run()
    tracemalloc.start()
    try:
        assert await run() == "out\n"
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


async def test_a_backend_that_carries_no_files_cannot_be_chosen(engine: WorkflowEngine) -> None:
    with pytest.raises(TypeError, match="'run': backend='thread' does not run commands: these run on this"):
        engine.executable_task(lambda: "true", name="run").with_options(backend="thread")


async def test_no_more_run_at_once_than_there_are_slots(engine: WorkflowEngine, tmp_path: Path) -> None:
    @engine.executable_task
    def meet(number: int) -> str:
        return sh("touch {0}; ls {1} | wc -l; rm {0}", tmp_path / f"here-{number}", tmp_path)

    counts = await asyncio.gather(*(meet(number) for number in range(20)))
    assert {int(count) for count in counts} <= {2, 3}  # with the directory of the run


# -- failures ---------------------------------------------------------------------------------------------


async def test_a_command_that_fails_tells_all_that_is_known(engine: WorkflowEngine) -> None:
    future = engine.executable_task(name="parse")(lambda: "seq 1 30 >&2; touch evidence; exit 3")()
    with pytest.raises(CommandFailed) as caught:
        await future
    error = caught.value
    assert (error.name, error.task_id, error.returncode) == ("parse", 1, 3)
    assert error.stderr.splitlines() == [str(number) for number in range(11, 31)]
    assert "'parse' (#1) ended with exit code 3." in str(error)
    assert "seq 1 30" in str(error) and str(future.sandbox) in str(error)
    assert future.returncode == 3 and future.stderr is not None and future.stderr.startswith("1\n")
    await engine.shutdown()
    kept = {path.name: path.read_text() for path in Path(error.sandbox).iterdir()}
    assert kept.keys() == {"evidence", "command.sh", "stdout", "stderr"}
    assert (kept["stdout"], kept["stderr"]) == ("", future.stderr)


async def test_a_signal_is_told_by_its_name(engine: WorkflowEngine) -> None:
    with pytest.raises(CommandFailed, match="ended with signal SIGSEGV"):
        await engine.executable_task(lambda: "kill -SEGV $$")()


async def test_other_exit_codes_may_be_fine(engine: WorkflowEngine) -> None:
    future = engine.executable_task(ok_codes=(0, 1))(lambda: ["grep", "x", "/dev/null"])()
    assert await future == ""
    assert future.returncode == 1


@pytest.mark.parametrize("program", ["no-such-program", "./here", "/no/such/program"])
async def test_a_program_that_is_not_there(engine: WorkflowEngine, program: str) -> None:
    with pytest.raises(CommandNotFound) as caught:
        await engine.executable_task(name="run")(lambda: [program, "-x"])()
    where = "at that path" if "/" in program else f"in PATH={os.environ['PATH']}"
    assert str(caught.value) == f"'run' (#1): no program {program!r} was found {where}"


async def test_arguments_that_are_too_long_are_told_with_the_tasks_name_and_a_way_out(
    engine: WorkflowEngine,
) -> None:
    with pytest.raises(CommandNotStarted) as caught:
        await engine.executable_task(name="sums")(lambda: ["cat", "x" * 3_000_000, *("y" * 100_000,) * 30])()
    assert str(caught.value).startswith(
        "'sums' (#1) could not be started: its arguments are too long (6,000,003 bytes, 3,000,000 in one of them, "
    )
    assert "Give them in a file (InputFile) or as stdin=" in str(caught.value)
    assert caught.value.errno == errno.E2BIG


@pytest.mark.parametrize(
    ("first", "said"),
    [
        ("#!/no/such/interpreter -x", "the interpreter of '{}', '/no/such/interpreter', is not there"),
        ("#!/bin/sh\r", "the lines of '{}' end as on Windows (CR LF)"),
        ("#!/usr/bin/env sh\r", "the lines of '{}' end as on Windows (CR LF)"),
    ],
)
@pytest.mark.parametrize("by", ["list", "shell"])
async def test_a_script_whose_interpreter_is_not_there_is_told_so(
    engine: WorkflowEngine, tmp_path: Path, first: str, said: str, by: str
) -> None:
    script = tmp_path / "script"
    script.write_bytes(f"{first}\nexit 0\n".encode())
    script.chmod(0o755)
    run = engine.executable_task(lambda: [script, "-x"] if by == "list" else sh("{} -x", script), name="run")
    with pytest.raises((CommandNotStarted, CommandFailed)) as caught:
        await run()
    told = "\n".join([str(caught.value), *getattr(caught.value, "__notes__", ())])
    assert said.format(script) in told
    assert "'run' (#1)" in told


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        (0o644, "'./it' may not be executed.\n  Make it a program:  chmod +x ./it"),
        (0o755, "has to begin with a line"),
    ],
)
async def test_a_file_that_is_no_program_is_told_so(
    engine: WorkflowEngine, tmp_path: Path, mode: int, said: str
) -> None:
    (tmp_path / "it").write_text("echo")
    (tmp_path / "it").chmod(mode)
    with pytest.raises(CommandNotStarted) as caught:
        await engine.executable_task(cwd=tmp_path)(lambda: ["./it"])()
    assert said in str(caught.value)


async def test_what_is_no_command_fails_its_task(engine: WorkflowEngine) -> None:
    bad = engine.executable_task(name="bad")(lambda: 3)()
    after = engine.function_task(len)(bad)
    with pytest.raises(UpstreamFailed, match="'bad' returned 3, a int, as its command"):
        await after


async def test_a_function_that_raises_fails_its_task(engine: WorkflowEngine) -> None:
    def broken() -> str:
        raise KeyError("no such column")

    with pytest.raises(KeyError, match="no such column"):
        await engine.executable_task(broken)()


# -- sandboxes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keep", "kept"), [("failed", {"bad-2"}), ("all", {"good-1", "bad-2"}), ("none", set())]
)
async def test_each_task_has_a_directory_of_its_own_and_those_of_failures_stay(
    tmp_path: Path, keep: Any, kept: set[str]
) -> None:
    here = sorted(os.listdir())
    async with WorkflowEngine(work_dir=tmp_path / "work", keep=keep) as engine:
        good = engine.executable_task(name="good")(lambda: "echo 1 > out.txt; ls")()
        bad = engine.executable_task(name="bad")(lambda: "echo 2 > out.txt; exit 1")()
        assert await good == "out.txt\n"
        with pytest.raises(CommandFailed):
            await bad
        (run,) = (tmp_path / "work").iterdir()
        assert {path.name for path in run.glob("[!.]*")} == {"good-1", "bad-2"}
    assert {path.name for path in run.glob("*")} == kept
    assert run.exists() is bool(kept)
    assert sorted(os.listdir()) == here


async def test_the_sandbox_of_a_failed_command_holds_what_was_run_and_what_it_wrote(tmp_path: Path) -> None:
    async with WorkflowEngine(work_dir=tmp_path) as engine:
        future = engine.executable_task(
            lambda: "echo here $0; echo mine > stdout; echo no >&2; exit 3", name="bad"
        )()
        with pytest.raises(CommandFailed):
            await future
    assert future.sandbox is not None
    kept = {path.name: path.read_text() for path in future.sandbox.iterdir() if path.name != "command.sh"}
    assert kept == {"stdout": "mine\n", "_stdout": "here /bin/sh\n", "stderr": "no\n"}
    again = subprocess.run(["sh", future.sandbox / "command.sh"], capture_output=True, text=True, check=False)
    assert (again.returncode, again.stdout, again.stderr) == (3, "here /bin/sh\n", "no\n")


async def test_so_does_that_of_one_that_took_too_long_or_wrote_what_is_no_text(tmp_path: Path) -> None:
    async with WorkflowEngine(work_dir=tmp_path, grace=0.1) as engine:
        late = engine.executable_task(lambda: "echo early; exec sleep 1000", timeout=2)()
        noise = engine.executable_task(lambda: r"printf '\377'")()
        with pytest.raises(TaskTimeout):
            await late
        with pytest.raises(OutputNotText):
            await noise
        await engine.settled(late)
        assert late.sandbox is not None and noise.sandbox is not None
    assert (late.sandbox / "stdout").read_text() == "early\n"
    assert (noise.sandbox / "stdout").read_bytes() == b"\xff"


async def test_a_sandbox_that_is_not_kept_gets_nothing(tmp_path: Path) -> None:
    async with WorkflowEngine(work_dir=tmp_path, keep="none") as engine:
        future = engine.executable_task(lambda: "exit 3")()
        with pytest.raises(CommandFailed):
            await future
        assert future.sandbox is not None and list(future.sandbox.iterdir()) == []


async def test_names_that_are_no_file_names_do_no_harm(engine: WorkflowEngine) -> None:
    for name in ("../../up", "a/b", "", "...", "x" * 500, "\n$(rm)"):
        future = engine.executable_task(name=name or None)(lambda: ["pwd"])()
        await future
        assert future.sandbox is not None
        assert future.sandbox.parent.parent.name == "work"


async def test_no_work_dir_is_a_temporary_one_that_goes() -> None:
    async with WorkflowEngine() as engine:
        future = engine.executable_task(lambda: "true")()
        await future
        assert future.sandbox is not None and future.sandbox.is_dir()
    assert not future.sandbox.parent.exists()
    async with engine:
        assert await engine.executable_task(lambda: "echo again")() == "again\n"


async def test_a_dry_run_runs_no_command(tmp_path: Path) -> None:
    async with WorkflowEngine(dry_run=True, work_dir=tmp_path / "work") as engine:
        future = engine.executable_task(name="touch")(lambda: ["touch", str(tmp_path / "made")])()
        assert await future == "1"
    assert list(tmp_path.iterdir()) == []


# -- being stopped ----------------------------------------------------------------------------------------

TREE = "trap '' TERM; (trap '' TERM; sleep 1000) & setsid sleep 1000 & echo up > {}; wait; sleep 1000"


def stragglers(sandbox: Path | str) -> list[int]:
    """What lives of the command of a sandbox."""
    family = Family(Path(sandbox).parent)
    return [pid for pid, *_ in family.look(0, ()).get(str(sandbox).rpartition("-")[2], [])]


async def _gone(mark: str) -> None:
    for pid in stragglers(mark):
        descriptor = os.pidfd_open(pid)
        await until_readable(descriptor)
        os.close(descriptor)


@pytest.fixture
def bell(tmp_path: Path) -> Iterator[Bell]:
    bell = Bell(tmp_path)
    yield bell
    bell.close()


@pytest.mark.parametrize("how", ["cancel", "timeout", "shutdown"])
@pytest.mark.parametrize(
    "command", ["echo up > {}; exec sleep 1000", "sleep 1000 & echo up > {}; wait", TREE]
)
async def test_all_that_a_command_has_started_ends_with_it(
    engine: WorkflowEngine, bell: Bell, command: str, how: str
) -> None:
    stay = engine.executable_task(lambda: sh(command, bell.path), timeout=2 if how == "timeout" else None)
    future = stay()
    await bell.rung()
    sandbox = future.sandbox
    assert sandbox is not None
    if how == "cancel":
        future.cancel()
        assert future.state is State.CANCELLING
    elif how == "timeout":
        with pytest.raises(TaskTimeout, match="ran longer than 2 s on this machine; it was told to stop"):
            await future
    else:
        await engine.shutdown(wait=False)
    await engine.settled(future)
    assert future.state is (State.FAILED if how == "timeout" else State.CANCELLED)
    assert stragglers(sandbox) == []
    assert sandbox.exists() is (how != "shutdown")


@pytest.mark.parametrize("left", range(8))
async def test_a_command_for_which_no_file_can_be_opened_waits_for_anothers_end(
    tmp_path: Path, bell: Bell, left: int
) -> None:
    async with WorkflowEngine(work_dir=tmp_path / "work", executables=4) as engine:
        release = tmp_path / "release"
        os.mkfifo(release)
        long = engine.executable_task(lambda: sh("echo up > {}; read line < {}", bell.path, release))()
        await bell.rung()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        free = os.open(release, os.O_RDWR | os.O_CLOEXEC)
        used = max(map(int, os.listdir("/proc/self/fd")))
        filled = []
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (used + 8, hard))  # room for one
            with suppress(OSError):
                while True:
                    filled.append(os.dup(free))
            for _ in range(min(left, len(filled))):
                os.close(filled.pop())
            others = [engine.executable_task(lambda: "echo fine")() for _ in range(3)]
            while any(other.command is None for other in others):
                await asyncio.sleep(0)
            for descriptor in filled:
                os.close(descriptor)
            filled.clear()
            os.write(free, b"go\n")
            await long
            assert await asyncio.gather(*others) == ["fine\n"] * 3
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            for descriptor in [*filled, free]:
                os.close(descriptor)


async def test_what_waits_for_a_slot_says_so(engine: WorkflowEngine, bell: Bell) -> None:
    futures = [
        engine.executable_task(lambda: sh("echo up > {}; exec sleep 1000", bell.path))() for _ in range(3)
    ]
    await bell.rung(2)
    assert "executables=2 holds it: 2 are running" in futures[2].explain()
    for future in reversed(futures):
        future.cancel()
        await engine.settled(future)


async def test_what_a_command_leaves_in_the_background_ends_with_it(engine: WorkflowEngine) -> None:
    future = engine.executable_task(lambda: "sleep 1000 & echo done")()
    assert await future == "done\n"
    await _gone(str(future.sandbox))


IN_ITS_GROUP = "sleep 1000 & echo up > {}; sleep 1000"
OUT_OF_IT = "setsid sh -c 'echo up > \"$1\"; exec sleep 1000' sh {} & sleep 1000"
TWICE_FORKED = "(setsid sh -c '(echo up > \"$1\"; exec sleep 1000) &' sh {} &); sleep 1000"


def _watchers(folder: Path) -> list[int]:
    """Of runs in a folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has ended
            said = entry.read_bytes()
            if b"watch.py" in said and os.fsencode(folder) in said:
                found.append(int(entry.parent.name))
    return found


@pytest.mark.parametrize("command", [IN_ITS_GROUP, OUT_OF_IT, TWICE_FORKED])
async def test_all_that_commands_have_started_ends_when_the_engines_process_is_killed(
    tmp_path: Path, bell: Bell, command: str
) -> None:
    script = f"""
from asyncflow import WorkflowEngine, sh
engine = WorkflowEngine(work_dir={str(tmp_path / "work")!r})
@engine.executable_task
def stay(): return sh({command!r}, {str(bell.path)!r})
engine.run(stay)
"""
    with subprocess.Popen([sys.executable, "-c", script]) as parent:
        await bell.rung()
        (run,) = (tmp_path / "work").iterdir()
        (watcher,) = _watchers(run)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            os.kill(watcher, number)
        watching = os.pidfd_open(watcher)
        parent.send_signal(signal.SIGKILL)
    await until_readable(watching)
    os.close(watching)
    assert stragglers(run / "stay-1") == []


async def test_a_watcher_comes_with_the_first_command_and_goes_with_the_run(tmp_path: Path) -> None:
    async with WorkflowEngine(work_dir=tmp_path / "work") as engine:
        assert await engine.function_task(lambda: 1)() == 1
        assert _watchers(tmp_path) == []
        run = engine.executable_task(lambda: "true")
        await asyncio.gather(run(), run())
        assert len(_watchers(tmp_path)) == 1
    assert _watchers(tmp_path) == []


STORM = "trap '' TERM; (trap '' TERM; while :; do (setsid sleep AGES &); done) & echo up > BELL; wait"
UNMARKED = "trap '' TERM; (env -i setsid sh -c 'echo up > BELL; exec sleep AGES' &); sleep AGES"
CLOSED = """python3 -ISc '
import subprocess as s
s.Popen(["sh", "-c", "trap : TERM; echo up > BELL; exec sleep AGES"], env={}, start_new_session=True).wait()'"""
IGNORING = CLOSED.replace("trap :", 'trap \\"\\"')


_AGES = f"1000.{os.getpid()}"  # seconds, as nobody else says it


def _filled(command: str, bell: Bell) -> str:
    return command.replace("BELL", str(bell.path)).replace("AGES", _AGES)


def _sleepers() -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if entry.read_bytes() == f"sleep\0{_AGES}\0".encode():
                found.append(int(entry.parent.name))
    return found


@pytest.mark.parametrize("how", ["cancel", "timeout", "shutdown", "abandon"])
@pytest.mark.parametrize(
    "command",
    [STORM, UNMARKED, CLOSED, IGNORING],
    ids=["keeps starting", "no mark", "no mark, no files", "and deaf"],
)
def test_nothing_survives_its_command_however_it_has_left_it(
    tmp_path: Path, bell: Bell, command: str, how: str
) -> None:
    async def main() -> None:
        engine = WorkflowEngine(workers=4, work_dir=tmp_path / "work", grace=0.1)
        await engine.start()
        line = _filled(command, bell)
        stay = engine.executable_task(lambda: line, timeout=3 if how == "timeout" else None)
        futures = [stay(), stay()]
        await bell.rung(2)
        if how == "abandon":
            return
        if how == "cancel":
            for future in futures:
                future.cancel()
        elif how == "timeout":
            await asyncio.gather(*futures, return_exceptions=True)
        else:
            await engine.shutdown(wait=False)
        await asyncio.gather(*map(engine.settled, futures))
        assert _sleepers() == []
        await engine.shutdown()

    asyncio.run(main())
    gc.collect()
    assert _sleepers() == []


@pytest.mark.parametrize("command", [UNMARKED, STORM])
async def test_nothing_survives_the_engines_process_however_it_has_left_its_command(
    tmp_path: Path, bell: Bell, command: str
) -> None:
    script = f"""
from asyncflow import WorkflowEngine
engine = WorkflowEngine(work_dir={str(tmp_path / "work")!r})
engine.run(engine.executable_task(lambda: {_filled(command, bell)!r}))
"""
    with subprocess.Popen([sys.executable, "-c", script]) as parent:
        await bell.rung()
        (watcher,) = _watchers(tmp_path)
        watching = os.pidfd_open(watcher)
        parent.kill()
    await until_readable(watching)
    os.close(watching)
    assert _sleepers() == []


async def test_a_command_is_told_to_end_once(engine: WorkflowEngine, bell: Bell, tmp_path: Path) -> None:
    line = "told={1}; trap 'echo told >> $told' TERM; echo up > {0}; while :; do sleep 0.01; done"
    future = engine.executable_task(lambda: sh(line, bell.path, tmp_path / "told"))()
    await bell.rung()
    future.cancel()
    await engine.settled(future)
    assert (tmp_path / "told").read_text() == "told\n"


@pytest.mark.parametrize("adopts", [1, 0], ids=["subreaper", "an ordinary process"])
def test_orphans_are_reaped_where_they_fall_to_the_program(tmp_path: Path, adopts: int) -> None:
    script = f"""
import asyncio, ctypes, os
from asyncflow import WorkflowEngine
ctypes.CDLL(None).prctl(36, {adopts}, 0, 0, 0)
engine = WorkflowEngine(workers=2, work_dir={str(tmp_path)!r}, grace=0.1)

@engine.block
async def main():
    left = [
        "sleep 1000 & (sleep 1000 &) ; echo",  # is killed with its group
        "mkfifo go up; setsid sh -c 'echo > up; read line < go' & read line < up; pwd",  # stays, and ends later
    ]
    await engine.executable_task(lambda: left[0])()
    pipe = (await engine.executable_task(lambda: left[1])()).strip() + "/go"
    cancelled = engine.executable_task(lambda: "(setsid sleep 1000 &); (sleep 1000 &); sleep 1000")()
    while cancelled.sandbox is None or cancelled.command is None:
        await asyncio.sleep(0)
    cancelled.cancel()
    await engine.settled(cancelled)
    children = lambda: [line.split()[1] for line in os.popen("ps -o pid=,stat= --ppid %d" % os.getpid())]
    with open(pipe, "w"):
        pass
    while {adopts} and engine._run.commands._ending._adopted:
        await asyncio.sleep(0)
    print(sum(state.startswith("Z") for state in children()))

engine.run(main)
"""
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=50
    )
    assert (ended.stdout, ended.stderr) == ("0\n", "")


# -- hostile text -----------------------------------------------------------------------------------------


async def test_5_000_hostile_strings_come_out_of_printf_byte_for_byte(engine: WorkflowEngine) -> None:
    rng = random.Random(4)
    pieces = [
        "'",
        '"',
        "$",
        "`",
        "\\",
        "\n",
        "\t",
        " ",
        "-",
        "!",
        "*",
        "~",
        "#",
        "&",
        ";",
        "|",
        "(",
        ")",
        "é",
        "x",
        "{}",
    ]
    pieces += ["%s", "$(id)", "\r", "<", ">", "=", "\x01", "\udcff"]
    words = ["".join(rng.choices(pieces, k=rng.randint(0, 12))) for _ in range(5_000)]

    @engine.executable_task(capture_stdio=True)
    def by_shell(words: list[str]) -> str:
        return sh("printf '%s\\0' {}", words)

    @engine.executable_task(capture_stdio=True)
    def by_list(words: list[str]) -> list[str]:
        return ["printf", "%s\\0", *words]

    batches = [words[start : start + 250] for start in range(0, len(words), 250)]
    for task in (by_shell, by_list):
        for batch, path in zip(batches, await asyncio.gather(*map(task, batches)), strict=True):
            assert path.read_bytes() == b"".join(os.fsencode(word) + b"\0" for word in batch)


def test_a_mark_need_not_be_text_that_can_be_encoded() -> None:
    assert stragglers("/work \udcff/run/stay-1") == []


@pytest.mark.parametrize("turns_before", range(6))
async def test_whoever_cancels_all_asyncio_tasks_ends_the_commands_and_shutdown_ends(
    turns_before: int,
) -> None:
    engine = WorkflowEngine("thread", grace=1)
    await engine.start()

    @engine.executable_task
    def says(number: int) -> str:
        return f"echo {number}"

    futures = [says(number) for number in range(3)]
    for _ in range(turns_before):
        await asyncio.sleep(0)
    for running in asyncio.all_tasks() - {asyncio.current_task()}:
        running.cancel()
    async with asyncio.timeout(10):
        await asyncio.wait(futures)
        assert await says(7) == "7\n"
        await engine.shutdown()


async def test_a_file_that_lies_where_the_program_runs_and_was_not_passed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.csv").write_text("1")
    note = f"'rows.csv' is in {tmp_path}, where the program runs, and not in the sandbox"
    async with WorkflowEngine(keep="none") as engine:
        for command in ("cat rows.csv", "sort < rows.csv", ["cat", "rows.csv"]):
            with pytest.raises(CommandFailed) as caught:
                await engine.executable_task(lambda command=command: command)()
            assert any(
                each.startswith(note) and "InputFile('rows.csv')" in each for each in caught.value.__notes__
            )
        for command in ("cat others.csv", "echo rows.csv; exit 3"):
            with pytest.raises(CommandFailed) as caught:
                await engine.executable_task(lambda command=command: command)()
            assert not any("where the program runs" in each for each in caught.value.__notes__)


async def test_a_line_for_a_shell_inside_of_a_list_is_told_as_such() -> None:
    async with WorkflowEngine(keep="none") as engine:
        with pytest.raises(
            CommandNotFound, match=r"one argument:  \['ls', '-l'\]   A line for a shell is text"
        ):
            await engine.executable_task(lambda: ["ls -l"])()


async def test_the_path_of_an_output_is_shown_in_an_error() -> None:
    async with WorkflowEngine(keep="none") as engine:

        @engine.executable_task
        def make(out: Any = OutputFile("x.txt")) -> str:
            return "true"

        with pytest.raises(StagingError) as caught:
            await make()
        assert any(
            re.search(r"as make\(out=PosixPath\('.*x\.txt'\)\)", each) for each in caught.value.__notes__
        )
