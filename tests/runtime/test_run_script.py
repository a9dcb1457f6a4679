"""`engine.run`: a plain script's way, and what Ctrl-C and requests to end do there."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

import pytest

from asyncflow import WorkflowEngine, WrongLoop
from asyncflow.testing import no_leaks

from .kit import never_called, turns


@pytest.fixture
def engine() -> WorkflowEngine:  # not started: that is what run does
    return WorkflowEngine("thread", workers=2)


def test_run_runs_a_block_from_start_to_shutdown(engine: WorkflowEngine) -> None:
    double = engine.function_task(lambda value: value * 2)

    @engine.block
    async def pipeline(values: list[int], *, more: int = 0) -> Any:
        return [double(value) for value in values] + [await double(more)]

    with no_leaks():
        assert engine.run(pipeline, [1, 2], more=3) == [2, 4, 6]
        assert engine.run(pipeline, [5]) == [10, 0]


def test_run_takes_tasks_coroutine_functions_and_coroutines(engine: WorkflowEngine) -> None:
    double = engine.function_task(lambda value: value * 2)

    async def main(value: int) -> Any:
        return await double(value) + 1

    with no_leaks():
        assert engine.run(double, 4) == 8
        assert engine.run(main, 4) == 9
        assert engine.run(main(4)) == 9
        assert engine.run(double.with_options(name="other"), 1) == 2


def test_run_finishes_what_was_called_and_not_awaited(engine: WorkflowEngine) -> None:
    over: list[int] = []

    @engine.block
    async def careless() -> None:
        engine.function_task(over.append).map(range(10))

    engine.run(careless)
    assert sorted(over) == list(range(10))


def test_exception_of_the_target_is_raised_as_itself_and_all_is_cleaned_up(engine: WorkflowEngine) -> None:
    @engine.block
    async def pipeline() -> None:
        engine.function_task(asyncio.Event().wait)()
        raise ValueError("mine")

    with no_leaks():
        with pytest.raises(ValueError, match="mine"):
            engine.run(pipeline)
        with pytest.raises(TypeError, match="unexpected keyword"):
            engine.run(pipeline, wrong=1)


async def test_run_inside_a_running_loop_says_to_await(engine: WorkflowEngine) -> None:
    async def main() -> None:
        never_called()

    for target, name in (
        (engine.block(main), "main"),
        (main, "main"),
        (main(), "main"),
        (engine.block(main, name="flow"), "main"),
        (lambda: main(), "target"),
    ):
        with pytest.raises(WrongLoop, match=rf"say:  await {name}\(\.\.\.\)$"):
            engine.run(target)


def test_run_leaves_no_loop_and_no_signal_handler(engine: WorkflowEngine) -> None:
    seen: list[Any] = []

    async def main() -> None:
        seen.append(signal.getsignal(signal.SIGINT))

    def theirs(number: int, frame: Any) -> None:
        raise AssertionError("never pressed")

    before = signal.signal(signal.SIGINT, theirs)
    try:
        engine.run(main)
        assert signal.getsignal(signal.SIGINT) is theirs
        with pytest.raises(TypeError):
            engine.run(main, 1)
        assert signal.getsignal(signal.SIGINT) is theirs
    finally:
        signal.signal(signal.SIGINT, before)
    assert seen[0] is not theirs
    with pytest.raises(RuntimeError, match="no running event loop"):
        asyncio.get_running_loop()


async def test_no_handler_is_installed_behind_anybody_elses_back(engine: WorkflowEngine) -> None:
    before = signal.getsignal(signal.SIGINT)
    async with engine:
        await engine.submit(int)
        assert signal.getsignal(signal.SIGINT) is before
    created = await WorkflowEngine.create("sequential")
    assert signal.getsignal(signal.SIGINT) is before
    await created.shutdown()


def test_run_works_in_a_thread_that_has_no_say_in_signals(engine: WorkflowEngine) -> None:
    results: list[Any] = []
    with no_leaks():
        thread = threading.Thread(target=lambda: results.append(engine.run(engine.function_task(pow), 2, 5)))
        thread.start()
        thread.join()
    assert results == [32]


def test_cancelled_error_of_the_target_itself_is_no_ctrl_c(engine: WorkflowEngine) -> None:
    async def main() -> None:
        future = engine.submit(asyncio.Event().wait)
        await turns()
        future.cancel()
        await future

    with pytest.raises(asyncio.CancelledError):
        engine.run(main)


# -- Ctrl-C -----------------------------------------------------------------------------------------------

HEAD = """
import asyncio, signal, threading, time
from asyncflow import WorkflowEngine

engine = WorkflowEngine("thread", workers=2, grace=GRACE)
hold = threading.Event()
# A shell that runs something in the background has it ignore SIGINT, and its children, too.
signal.signal(signal.SIGINT, signal.default_int_handler)

def say(what):
    print(what, flush=True)
"""

COROUTINE = """
@engine.block
async def main():
    try:
        say("ready")
        await asyncio.Event().wait()
    finally:
        await asyncio.sleep(0)
        say("cleaned up")
"""

THREADS = """
def work():
    say("ready")
    hold.wait()

@engine.block
async def main():
    try:
        await engine.submit(work)
    finally:
        say("cleaned up")
        hold.set() if GRACE else None
"""

STUBBORN = """
@engine.function_task
async def stubborn():
    say("ready")
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            say("no")

@engine.block
async def main():
    await stubborn()
"""

SHUTTING_DOWN = """
@engine.function_task
async def left_over():
    try:
        await asyncio.sleep(0)
        say("ready")
        await asyncio.Event().wait()
    finally:
        say("cleaned up")

@engine.block
async def main():
    left_over()
"""


class Script:
    """A program that runs until it says that it is ready."""

    def __init__(self, body: str, *, grace: float = 5, tail: str = "engine.run(main)") -> None:
        code = textwrap.dedent(HEAD + body + tail).replace("GRACE", str(grace))
        self._process = subprocess.Popen(
            [sys.executable, "-c", code],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        self.await_line("ready")

    def await_line(self, line: str) -> None:
        assert self._process.stdout is not None
        for each in self._process.stdout:
            if each.strip() == line:
                return
        raise AssertionError(f"it ended without saying {line!r}: {self._process.communicate()[1]}")

    def press_ctrl_c(self) -> None:
        self.send(signal.SIGINT)

    def send(self, number: int) -> None:
        self._process.send_signal(number)

    def end(self, within: float = 15) -> tuple[int, str, str]:
        out, err = self._process.communicate(timeout=within)
        return self._process.returncode, out, err

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture
def start(request: pytest.FixtureRequest) -> Any:
    def begin(*args: Any, **options: Any) -> Script:
        script = Script(*args, **options)
        request.addfinalizer(script.close)
        return script

    return begin


pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")


@pytest.mark.parametrize(
    "body", [COROUTINE, THREADS, SHUTTING_DOWN], ids=["coroutine", "threads", "shutting down"]
)
def test_first_ctrl_c_cleans_up_and_exits_with_130_without_a_traceback(start: Any, body: str) -> None:
    script = start(body)
    script.press_ctrl_c()
    code, out, err = script.end()
    assert code == 130
    assert out == "cleaned up\n"
    assert err == ""


def test_ctrl_c_can_be_caught_as_keyboard_interrupt_when_all_is_cleaned_up(start: Any) -> None:
    tail = """
try:
    engine.run(main)
except KeyboardInterrupt:
    print("caught", threading.active_count())
"""
    script = start(COROUTINE, tail=tail)
    script.press_ctrl_c()
    assert script.end() == (0, "cleaned up\ncaught 1\n", "")


@pytest.mark.parametrize("body", [STUBBORN, THREADS], ids=["stubborn coroutine", "stuck thread"])
def test_second_ctrl_c_ends_at_once_whatever_hangs(start: Any, body: str) -> None:
    script = start(body.replace("hold.set() if GRACE else None", "pass"), grace=3600)
    script.press_ctrl_c()
    script.await_line("no" if body is STUBBORN else "cleaned up")
    script.press_ctrl_c()
    code, _, err = script.end()
    assert code == 130
    assert err == "Interrupted twice: ended at once, without cleaning up.\n"


def test_second_ctrl_c_ends_at_once_also_in_the_middle_of_a_write(start: Any) -> None:
    busy = """
import sys

class Busy:
    def flush(self):
        raise RuntimeError("reentrant call")
"""
    script = start(busy + STUBBORN.replace('say("no")', 'say("no"); sys.stdout = Busy()'), grace=3600)
    script.press_ctrl_c()
    script.await_line("no")
    script.press_ctrl_c()
    code, _, err = script.end()
    assert (code, err) == (130, "Interrupted twice: ended at once, without cleaning up.\n")


def test_second_ctrl_c_ends_at_once_while_the_loop_itself_is_being_closed(start: Any) -> None:
    body = """
async def hanger_on():
    say("ready")
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            say("no")

@engine.block
async def main():
    global kept
    kept = asyncio.create_task(hanger_on())
    await asyncio.Event().wait()
"""
    script = start(body)
    script.press_ctrl_c()
    script.await_line("no")  # the loop cancels what is left on it, which does not listen
    script.press_ctrl_c()
    code, _, err = script.end()
    assert code == 130
    assert "ended at once" in err


def test_ctrl_c_after_the_grace_leaves_a_stuck_thread_behind(start: Any) -> None:
    script = start(THREADS.replace("hold.set() if GRACE else None", "pass"), grace=0.05)
    script.press_ctrl_c()
    code, out, err = script.end()
    assert code == 130
    assert out == "cleaned up\n"
    assert "'work' (#2) still runs on backend 'thread'; left behind after 0.05 s" in err


def test_ctrl_c_goes_back_to_what_it_was_after_the_run(start: Any) -> None:
    tail = """
engine.run(engine.function_task(len), [])
try:
    say("ready")
    while True:
        time.sleep(3600)
except KeyboardInterrupt:
    say("an ordinary one")
"""
    script = start("", tail=tail)
    script.press_ctrl_c()
    assert script.end() == (0, "an ordinary one\n", "")


# -- SIGTERM and SIGHUP -----------------------------------------------------------------------------------

REQUESTS = [(signal.SIGTERM, 143), (signal.SIGHUP, 129)]

COMMAND = """
@engine.executable_task
def makes():
    return "echo > big; echo ready; exec sleep 1000"

@engine.block
async def main():
    try:
        making = makes.with_options(capture_stdio=True)()
        for _ in range(1000):
            await asyncio.sleep(0)
        say("ready")
        await making
    finally:
        say("cleaned up")
"""


@pytest.mark.parametrize(("number", "code"), REQUESTS, ids=["SIGTERM", "SIGHUP"])
@pytest.mark.parametrize(
    "body", [COROUTINE, THREADS, SHUTTING_DOWN], ids=["coroutine", "threads", "shutting down"]
)
def test_a_request_to_end_cleans_up_like_the_first_ctrl_c(
    start: Any, body: str, number: int, code: int
) -> None:
    script = start(body)
    script.send(number)
    assert script.end() == (code, "cleaned up\n", "")


@pytest.mark.parametrize(("number", "code"), REQUESTS, ids=["SIGTERM", "SIGHUP"])
def test_a_request_to_end_leaves_no_sandbox_and_a_whole_journal(
    start: Any, number: int, code: int, tmp_path: Path
) -> None:
    options = f'"thread", work_dir={str(tmp_path / "work")!r}, journal={str(tmp_path / "journal")!r}'
    script = start(f"engine = WorkflowEngine({options}, grace=GRACE)\n" + COMMAND)
    script.send(number)
    assert script.end() == (code, "cleaned up\n", "")
    assert list((tmp_path / "work").iterdir()) == []
    assert "RunEnded" in (tmp_path / "journal").read_text().splitlines()[-1]


def test_a_request_to_end_that_comes_twice_changes_nothing_and_ctrl_c_then_ends_at_once(start: Any) -> None:
    script = start(STUBBORN, grace=3600)
    script.send(signal.SIGHUP)
    script.await_line("no")
    script.send(signal.SIGTERM)
    script.send(signal.SIGHUP)
    with pytest.raises(subprocess.TimeoutExpired):
        script.end(0.2)
    script.press_ctrl_c()
    assert script.end()[0] == 130


def _ran(body: str) -> tuple[int, str, str]:
    """A program that needs nobody."""
    code = (HEAD + body + "engine.run(main)").replace("GRACE", "5")
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False
    )
    return ended.returncode, ended.stdout, ended.stderr


@pytest.mark.parametrize("ignored", [True, False], ids=["ignored, as by nohup", "the program's own"])
def test_handlers_of_the_program_are_left_alone(ignored: bool) -> None:
    handler = "signal.SIG_IGN" if ignored else 'lambda *_: say("mine")'
    body = f"""
signal.signal(signal.SIGHUP, {handler})

@engine.block
async def main():
    signal.raise_signal(signal.SIGHUP)
    await asyncio.sleep(0)
    say("over")
"""
    assert _ran(body) == (0, "over\n" if ignored else "mine\nover\n", "")


def test_requests_to_end_go_back_to_what_they_were_after_the_run(start: Any) -> None:
    tail = """
engine.run(engine.function_task(len), [])
say("ready")
time.sleep(3600)
"""
    script = start("", tail=tail)
    script.send(signal.SIGTERM)
    assert script.end() == (-signal.SIGTERM, "", "")


def test_a_program_with_its_own_loop_is_cleaned_up_by_the_line_that_the_docs_say(start: Any) -> None:
    page = Path(__file__).parents[2] / "docs" / "how-to" / "scripts.md"
    (line,) = [line for line in page.read_text().splitlines() if ".add_signal_handler(" in line]
    tail = f"""
async def own():
    {line}
    async with engine:
        await main()

try:
    asyncio.run(own())
except asyncio.CancelledError:
    sys.exit(143)
"""
    script = start("import sys\n" + COROUTINE, tail=tail)
    script.send(signal.SIGTERM)
    assert script.end() == (143, "cleaned up\n", "")


def test_a_forked_child_of_the_program_is_ended_by_a_signal_as_ever() -> None:
    body = """
import os

@engine.block
async def main():
    pid = os.fork()
    if pid == 0:
        while True:
            time.sleep(3600)
    os.kill(pid, signal.SIGTERM)
    _, status = await asyncio.to_thread(os.waitpid, pid, 0)
    say(os.waitstatus_to_exitcode(status))
"""
    assert _ran(body) == (0, "-15\n", "")
