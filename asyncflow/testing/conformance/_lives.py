"""The life of an engine: restarts, shutdowns in the middle of things, and ends that nobody announced."""

from __future__ import annotations

import asyncio
import gc
import inspect
import os
import pickle
import select
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from ... import EngineClosed, State, WorkflowEngine
from .. import bad_tasks as bad
from ._base import Conformance, Engine, applies, asynchronous

_ALIVE = 5.0  # seconds that a process of ours may outlive a parent that was killed


@asynchronous
class Lives(Conformance):
    """After a shutdown no future is pending, and the engine can be started again."""

    async def test_an_engine_can_be_started_again(self) -> None:
        engine = self.make_engine()
        for _ in range(3):
            async with engine:
                await self.check_next_tasks(engine)
            with pytest.raises(EngineClosed):
                engine.submit(bad.add, 1, 2)

    async def test_shutdown_finishes_what_was_called(self) -> None:
        engine = self.make_engine()
        async with engine:
            future = engine.submit(bad.add, 0, 1)
            for _ in range(50):
                future = engine.submit(bad.add, future, 1)
        assert future.state is State.SUCCEEDED
        if self.executes:
            assert future.result() == 51

    async def test_shutdown_without_waiting_leaves_no_future_pending(self) -> None:
        engine = self.make_engine()
        await engine.start()
        awaited: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        futures = [engine.submit(bad.same, awaited)]
        futures += [engine.submit(bad.add, number, 1) for number in range(100)]
        futures += [engine.submit(bad.add, futures[-1], 1), engine.submit(bad.add_later, 1, 2)]
        await engine.shutdown(wait=False)
        assert all(future.done() for future in futures)
        assert all(future.state.terminal for future in futures)
        assert futures[0].cancelled()

    @applies(overlaps=True)
    async def test_shutdown_without_waiting_gives_up_what_cannot_be_stopped(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        gate = self.gate()
        engine = WorkflowEngine(self.backend, grace=0.05)
        await engine.start()
        running = [engine.submit(bad.through, gate.door) for _ in range(self.workers)]
        waiting = [engine.submit(bad.add, future, 1) for future in running]
        await gate.reached(self.workers)
        await engine.shutdown(wait=False)
        assert all(future.cancelled() for future in [*running, *waiting])
        # A state never lies: what could not be stopped is left as what it is.
        assert {future.state for future in running} == {
            State.CANCELLED if self.backend.can_kill else State.CANCELLING
        }
        assert {future.state for future in waiting} == {State.CANCELLED}
        assert len([each for each in caplog.records if "left behind" in each.message]) == (
            0 if self.backend.can_kill else self.workers
        )

    async def test_an_exception_in_the_body_cancels_what_was_called(self) -> None:
        engine = self.make_engine()
        awaited: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        with pytest.raises(ZeroDivisionError):
            async with engine:
                future = engine.submit(bad.same, awaited)
                raise ZeroDivisionError
        assert future.cancelled()

    async def test_two_shutdowns_at_once_are_one(self) -> None:
        engine = self.make_engine()
        await engine.start()
        future = engine.submit(bad.add, 1, 2)
        await asyncio.gather(engine.shutdown(), engine.shutdown(), engine.shutdown(wait=False))
        await engine.shutdown()
        assert future.done()

    async def test_the_backend_may_be_left_running(self) -> None:
        engine = self.make_engine()
        async with engine:
            await self.check_next_tasks(engine)
            await engine._shut_down(True, skip_backends=True)
        assert await self.backend.shutdown(grace=self.grace) == []

    async def test_a_clock_that_is_set_changes_nothing(
        self, engine: Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real, hours = time.time, [0]

        def jumping() -> float:
            hours[0] = -hours[0] or 1
            return real() + 3600 * hours[0]

        monkeypatch.setattr(time, "time", jumping)
        add = engine.function_task(bad.add, timeout=60)
        future = add(0, 1)
        for _ in range(50):
            future = add(future, 1)
        async with asyncio.timeout(60):
            result = await future
        if self.executes:
            assert result == 51

    async def test_tasks_may_be_called_before_the_start_is_over(self) -> None:
        engine = self.make_engine()
        future = engine.submit(bad.add, 20, 22)
        result = await future
        if self.executes:
            assert result == 42
        await engine.shutdown()


class Scripts(Conformance):
    """Engines in plain scripts, where nobody may be there to shut them down."""

    def test_run_leaves_nothing_behind_and_can_be_repeated(self) -> None:
        engine = self.make_engine()
        for _ in range(2):
            result = engine.run(engine.function_task(bad.add), 20, 22)
            if self.executes:
                assert result == 42

    def test_an_engine_that_is_collected_leaves_nothing(self) -> None:
        async def main() -> None:
            engine = self.make_engine()
            await engine.start()
            await self.check_next_tasks(engine)
            del engine
            gc.collect()

        asyncio.run(main())

    def test_a_loop_that_is_closed_under_its_engine_leaves_nothing(self) -> None:
        engine = self.make_engine()

        async def main() -> None:
            await engine.start()
            await self.check_next_tasks(engine)

        asyncio.run(main())
        asyncio.run(main())
        asyncio.run(engine.shutdown())

    def test_an_engine_that_is_alive_at_exit_does_not_hold_the_interpreter(self) -> None:
        done = self.script("await engine.start(); await engine.submit(bad.add, 1, 2); KEPT = engine")
        assert (done.wait(), done.stderr.read() if done.stderr else b"") == (0, b"")
        _close(done)

    @applies(overlaps=True, in_process=False)
    @pytest.mark.parametrize("when", ["idle", "starting", "running"])
    def test_no_process_outlives_a_parent_that_was_killed(self, when: str) -> None:
        gate = self.gate()
        steps = {
            "idle": "await engine.start(); await engine.submit(bad.add, 1, 2); print(flush=True)",
            "starting": "print(flush=True); await engine.start(); await engine.submit(bad.add, 1, 2)",
            "running": "await engine.start(); print(flush=True)\n"
            f"  for _ in range({self.workers}): engine.submit(bad.run_for_ever, DOOR)",
        }
        token = uuid.uuid4().hex
        parent = self.script(
            steps[when] + "\n  await asyncio.get_running_loop().create_future()", gate.door, token
        )
        assert parent.stdout is not None
        parent.stdout.readline()
        if when == "running":
            asyncio.run(gate.reached(self.workers))
            gate.close()
        family = _marked(token)
        parent.kill()
        parent.wait()
        _close(parent)
        until = time.monotonic() + _ALIVE
        left = [pid for pid in {*family, *_marked(token)} if not _ends(pid, until)]
        # One that was just being started when the parent was killed shows no environment until it has been.
        left += [pid for pid in _marked(token) if not _ends(pid, until)]
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        assert not left, f"{len(left)} processes live {_ALIVE:g} s after their parent was killed"

    def script(self, body: str, door: object = None, token: str = "") -> subprocess.Popen[bytes]:
        """Start a Python program with an engine on a backend of this suite.

        Args:
            body: what its coroutine does; names there: engine, bad, asyncio, DOOR.
            door: to be ``DOOR``.
            token: by which the program and what it starts are recognised.
        """
        program = _SCRIPT.format(
            file=inspect.getfile(type(self)), suite=type(self).__name__, door=pickle.dumps(door), body=body
        )
        return subprocess.Popen(
            [sys.executable, "-W", "error", "-c", program],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "ASYNCFLOW_TOKEN": token},
        )


_SCRIPT = """
import asyncio, importlib.util, pickle, sys
spec = importlib.util.spec_from_file_location("suite_under_test", {file!r})
suite = sys.modules["suite_under_test"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(suite)
from asyncflow import WorkflowEngine
from asyncflow.testing import bad_tasks as bad
DOOR = pickle.loads({door!r})
async def main():
  global KEPT
  engine = WorkflowEngine(suite.{suite}().make_backend())
  {body}
if __name__ == "__main__":
  asyncio.run(main())
"""


def _close(process: subprocess.Popen[bytes]) -> None:
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()


def _marked(token: str) -> list[int]:
    """The processes that have the token in their environment."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"ASYNCFLOW_TOKEN={token}".encode() in entry.read_bytes():
                found.append(int(entry.parent.name))
        except OSError:
            continue
    return found


def _ends(pid: int, until: float) -> bool:
    """Wait for the end of a process that is no child of ours."""
    try:
        descriptor = os.pidfd_open(pid)
    except OSError:
        return True
    try:
        ready, _, _ = select.select([descriptor], [], [], max(0.0, until - time.monotonic()))
        return bool(ready)
    finally:
        os.close(descriptor)
