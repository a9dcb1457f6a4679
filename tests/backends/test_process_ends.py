"""How worker processes end with the process of their engine, and nothing that they have started stays."""

from __future__ import annotations

import asyncio
import inspect
import os
import select
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from asyncflow import WorkerDied, WorkflowEngine
from asyncflow._worker.results import close_unbegun
from asyncflow.backends.process import ProcessBackend
from asyncflow.testing import Door, Gate

_SECONDS = 20.0  # for a process to end, on a machine that does much else

_BODIES = {
    "holds the interpreter lock": """
        import ctypes
        print(os.getpid(), flush=True)
        ctypes.PyDLL(None).sleep(600)
        """,
    "has started a process": """
        child = subprocess.Popen(["sleep", "600"])
        print(os.getpid(), flush=True)
        print(child.pid, flush=True)
        child.wait()
        """,
    "sleeps beside a fork of the engine": """
        print(os.getpid(), flush=True)
        time.sleep(600)
        """,
}

_SCRIPT = """
import asyncio, os, subprocess, sys, time
from asyncflow import WorkflowEngine
from asyncflow.testing import Gate
{forks}
def body():
{body}
async def main():
    async with WorkflowEngine(backend="process", workers=2) as engine:
        with Gate() as gate:  # both workers are there
            at_the_gate = [engine.submit(gate.door.pass_through) for _ in range(2)]
            await gate.reached(2)
        await asyncio.gather(*at_the_gate)
        fork()
        await asyncio.gather(engine.submit(body), engine.submit(body))
asyncio.run(main())
"""

_FORKS = """
def fork():
    if os.fork() == 0:
        os.write(1, b"fork %d\\n" % os.getpid())
        time.sleep(600)
        os._exit(0)
"""


@pytest.mark.parametrize("what", _BODIES)
def test_no_worker_outlives_the_engines_process_whatever_it_does(what: str) -> None:
    forks = _FORKS if "fork" in what else "def fork(): pass"
    program = _SCRIPT.format(forks=forks, body=textwrap.indent(textwrap.dedent(_BODIES[what]), "    "))
    lines = {"holds the interpreter lock": 2, "has started a process": 4}.get(what, 3)
    engine = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert engine.stdout is not None
    said = [engine.stdout.readline().split() for _ in range(lines)]
    engine.kill()
    engine.wait()
    engine.stdout.close()
    left = [int(words[0]) for words in said if words[0] != "fork" and not ends(int(words[0]))]
    for pid in [*left, *(int(words[1]) for words in said if words[0] == "fork")]:
        os.kill(pid, signal.SIGKILL)
    assert not left


def ends(pid: int) -> bool:
    """Wait for the end of a process that may be no child of ours."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], _SECONDS)[0])
    finally:
        os.close(descriptor)


def _leave(note: str) -> None:
    child = subprocess.Popen(["sleep", "600"])
    Path(note).write_text(str(child.pid))
    os._exit(1)


def _end(note: str) -> None:
    Path(note).write_text(str(subprocess.Popen(["sleep", "600"]).pid))


@pytest.mark.parametrize("task", [_leave, _end], ids=["dies", "is dismissed"])
async def test_what_a_task_has_left_running_ends_with_its_worker(
    task: Callable[[str], None], tmp_path: Path
) -> None:
    note = tmp_path / "pid"
    async with WorkflowEngine(backend="process", workers=1) as engine:
        try:
            await engine.submit(task, str(note))
        except WorkerDied:
            pass
    assert ends(int(note.read_text()))


async def test_a_fork_of_the_program_ends_no_worker_of_its() -> None:
    backend = ProcessBackend(workers=1)
    async with WorkflowEngine(backend) as engine:
        before = await engine.submit(os.getpid)
        child = os.fork()
        if child == 0:
            try:
                backend.abandon()  # as the collector does with an engine that nobody has
            finally:
                os._exit(0)
        pidfd = os.pidfd_open(child)
        gone = asyncio.Event()
        asyncio.get_running_loop().add_reader(pidfd, gone.set)
        await gone.wait()
        asyncio.get_running_loop().remove_reader(pidfd)
        os.close(pidfd)
        os.waitpid(child, 0)
        assert await engine.submit(os.getpid) == before


async def test_a_worker_that_cannot_be_replaced_leaves_nobody_waiting(tmp_path: Path) -> None:
    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))

    python = tmp_path / "python"
    python.symlink_to(sys.executable)
    async with WorkflowEngine(ProcessBackend(workers=1, python=str(python))) as engine:
        none = descriptors()
        dies = engine.submit(os._exit, 1)
        waits = [engine.submit(os.getpid) for _ in range(3)]
        await asyncio.sleep(0)  # the worker is being started
        python.unlink()
        failed = await asyncio.gather(dies, *waits, return_exceptions=True)
        python.symlink_to(sys.executable)
        assert isinstance(failed[0], WorkerDied)
        assert [type(error) for error in failed[1:]] == [FileNotFoundError] * 3
        assert descriptors() == none
        assert await engine.submit(int) == 0


def through_and_out(door: Door) -> None:
    door.pass_through()
    os._exit(3)


@pytest.mark.parametrize("how", ["is cancelled", "is cancelled and was looked at", "loses its worker"])
async def test_a_report_tells_when_work_that_has_no_result_began_and_ended(how: str) -> None:
    async with WorkflowEngine("process", workers=2) as engine:
        with Gate() as gate:
            future = engine.submit(through_and_out, gate.door)
            await gate.reached()
            await engine.submit(int)
            if how == "is cancelled and was looked at":
                assert future.state == "RUNNING"
            if how == "loses its worker":
                gate.open()
            else:
                future.cancel()
            await asyncio.wait([future])
            await engine.settled(future)
            await engine.submit(int)
            ended, *others = engine.report().tasks
    assert ended.started is not None
    assert ended.finished is not None
    assert ended.started < others[0].called < ended.finished < others[1].called


def test_a_coroutine_that_is_stopped_before_it_has_begun_is_closed_and_one_that_has_begun_is_its_loops() -> (
    None
):
    ended: list[str] = []

    async def later() -> None:
        try:
            await asyncio.sleep(0)
        finally:
            ended.append("closed")

    unbegun = later()
    close_unbegun(unbegun)
    assert inspect.getcoroutinestate(unbegun) == inspect.CORO_CLOSED
    begun = later()
    begun.send(None)
    close_unbegun(begun)
    assert not ended
    begun.close()
