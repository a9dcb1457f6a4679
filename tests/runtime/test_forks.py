"""What the program forks while an engine runs: the child has no say in it, and the run goes on in the parent alone."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

HEAD = """
import asyncio, multiprocessing, os, sys, warnings
from asyncflow import WorkflowEngine, sh

warnings.simplefilter("ignore", DeprecationWarning)  # later Pythons advise against forks beside threads
folder = sys.argv[1]
engine = WorkflowEngine(BACKEND, workers=2, work_dir=folder + "/work", journal=folder + "/journal", grace=1)
release = folder + "/release"
os.mkfifo(release)

@engine.executable_task
def waits():
    return sh("read line < {}; echo done", release)

@engine.function_task
def adds(number):
    with open(folder + "/ran", "a") as file:
        file.write(f"{number}\\n")
    return number

@engine.function_task
async def sleeps():
    await asyncio.sleep(3600)

def code_of(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
"""


def _run(tmp_path: Path, backend: str, body: str) -> tuple[str, str]:
    code = HEAD.replace("BACKEND", repr(backend)) + textwrap.dedent(body)
    script = tmp_path / "script.py"
    script.write_text(code)
    ended = subprocess.run(
        [sys.executable, script, tmp_path], capture_output=True, text=True, check=False, timeout=60
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout, ended.stderr


LEAVES = {
    "sys.exit": ("sys.exit(3)", 3),
    "SystemExit": ("raise SystemExit", 0),
    "os._exit": ("os._exit(4)", 4),
}


@pytest.mark.parametrize("backend", ["thread", "process", "sequential"])
@pytest.mark.parametrize("how", LEAVES)
def test_a_forked_child_that_leaves_ends_nothing_of_its_parents(
    tmp_path: Path, backend: str, how: str
) -> None:
    leaves, code = LEAVES[how]
    body = f"""
    async def main():
        async with engine:
            await adds(0)
            over = engine.executable_task(lambda: "echo over > file")()
            await over
            command, body = waits(), sleeps()
            while command.command is None:
                await asyncio.sleep(0)
            pid = os.fork()
            if pid == 0:
                {leaves}
            print(await asyncio.to_thread(code_of, pid), command.sandbox.exists(), body.done())
            print((over.sandbox / "file").read_text().strip())
            with open(release, "w") as file:
                file.write("go\\n")
            print((await command).strip(), *await asyncio.gather(*map(adds, range(1, 5))))
            body.cancel()

    asyncio.run(main())
    """
    out, err = _run(tmp_path, backend, body)
    assert out == f"{code} True False\nover\ndone 1 2 3 4\n"
    assert err == ""
    assert sorted((tmp_path / "ran").read_text().split()) == list("01234")
    assert list((tmp_path / "work").iterdir()) == []
    assert (tmp_path / "journal").read_text().count("RunEnded") == 1


@pytest.mark.parametrize("backend", ["thread", "process", "sequential"])
def test_children_of_multiprocessing_work_beside_a_run(tmp_path: Path, backend: str) -> None:
    body = """
    async def main():
        async with engine:
            command = waits()
            while command.command is None:
                await asyncio.sleep(0)
            child = multiprocessing.get_context("fork").Process(target=print, args=("child",))
            child.start()
            await asyncio.to_thread(child.join)
            with open(release, "w") as file:
                file.write("go\\n")
            print(child.exitcode, (await command).strip(), await adds(1))

    sys.stdout.reconfigure(line_buffering=True)
    asyncio.run(main())
    """
    assert _run(tmp_path, backend, body) == ("child\n0 done 1\n", "")


BODIES = {
    "thread": ("thread", "@engine.function_task\ndef forks():"),
    "sequential": ("sequential", "@engine.function_task\ndef forks():"),
    "a coroutine": ("thread", "@engine.function_task\nasync def forks():"),
    "a coroutine that waits": (
        "thread",
        "@engine.function_task\nasync def forks():\n    await asyncio.sleep(0.01)",
    ),
    "a block": ("thread", "@engine.block\nasync def forks():"),
}


@pytest.mark.parametrize("where", BODIES)
@pytest.mark.parametrize(("leaves", "code"), [("sys.exit(3)", 3), ("1 / 0", 1), ("return", 0)])
def test_a_child_that_comes_out_of_its_task_ends_there_and_runs_nothing_of_the_rest(
    tmp_path: Path, where: str, leaves: str, code: int
) -> None:
    backend, head = BODIES[where]
    body = f"""
{head}
    pid = os.fork()
    if pid == 0:
        {leaves}
    return code_of(pid)

async def main():
    async with engine:
        code, *rest = await asyncio.gather(forks(), *map(adds, range(5)))
        print(code, rest)

asyncio.run(main())
"""
    out, err = _run(tmp_path, backend, body)
    assert out == f"{code} [0, 1, 2, 3, 4]\n"
    assert ("ZeroDivisionError" in err) == (code == 1)
    assert sorted((tmp_path / "ran").read_text().split()) == list("01234")


def test_an_engine_can_be_used_anew_in_a_forked_child(tmp_path: Path) -> None:
    body = """
    async def more():
        async with engine:
            print(await adds(2), flush=True)

    async def main():
        async with engine:
            await adds(1)
            child = multiprocessing.get_context("fork").Process(target=lambda: asyncio.run(more()))
            child.start()
            await asyncio.to_thread(child.join)
            print(child.exitcode, await adds(3))

    asyncio.run(main())
    """
    assert _run(tmp_path, "thread", body) == ("2\n0 3\n", "")


@pytest.mark.parametrize("forks", [True, False])
def test_commands_and_workers_end_with_the_engines_process_also_once_that_has_forked(
    tmp_path: Path, forks: bool
) -> None:
    bell = tmp_path / "bell"
    os.mkfifo(bell)
    body = f"""
    async def main():
        async with engine:
            for line in ("sleep 1000", "setsid sleep 1000"):
                engine.executable_task(lambda line=line: line + " & echo up >&2; wait")()
            worker = await engine.function_task(os.getpid)()
            while len(engine._run.commands._live) < 2:
                await asyncio.sleep(0)
            if {forks}:
                child = multiprocessing.get_context("fork").Process(target=os.read, args=(0, 1))
                child.start()
            with open({str(bell)!r}, "w") as file:
                print(worker, *(command.pid for command in engine._run.commands._live), file=file)
            await asyncio.sleep(3600)

    asyncio.run(main())
    """
    script = tmp_path / "script.py"
    code = HEAD.replace("BACKEND", "'process'").replace("grace=1", "grace=1, executables=2")
    script.write_text(code + textwrap.dedent(body))
    with subprocess.Popen([sys.executable, script, tmp_path], stdin=subprocess.PIPE) as program:
        pidfds = [os.pidfd_open(int(pid)) for pid in bell.read_text().split()]
        assert len(pidfds) == 3
        program.kill()
        program.wait()
        for pidfd in pidfds:  # while the child lives, which reads from us
            assert _ends(pidfd)
            os.close(pidfd)


def _ends(pidfd: int) -> bool:
    waiting = select.poll()
    waiting.register(pidfd, select.POLLIN)
    return bool(waiting.poll(15_000))
