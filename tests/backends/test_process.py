"""The process backend: the conformance suite, and what is special to worker processes."""

from __future__ import annotations

import asyncio
import importlib
import io
import os
import pickle
import random
import signal
import subprocess
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from asyncflow import State, TaskTimeout, WorkerDied, WorkflowEngine
from asyncflow.backends.process import ProcessBackend
from asyncflow.events import Event, TaskStarted
from asyncflow.testing import bad_tasks as bad
from asyncflow.testing import untidy_tasks as untidy
from asyncflow.testing.conformance import BackendConformance


class TestProcess(BackendConformance):
    """Worker processes of our own."""

    def make_backend(self) -> ProcessBackend:
        return ProcessBackend(workers=self.workers)


def run_script(text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a script as a user would: no guard around the main code."""
    path = folder / "script.py"
    path.write_text(textwrap.dedent(text))
    return subprocess.run(
        [sys.executable, str(path)], capture_output=True, text=True, timeout=60, check=False
    )


def pid(_: Any = None) -> int:
    return os.getpid()


def add(left: int, right: int) -> int:
    return left + right


def wait_for_file(path: str) -> str:
    """Block until a named pipe is opened for writing at the other end."""
    with open(path) as file:
        return file.read()


async def on_the_first_loop(_: Any = None) -> bool:
    """Whether this is the loop on which the first coroutine of the process ran, and that goes on."""
    loop = asyncio.get_running_loop()
    first = vars(sys).setdefault("_first_loop", loop)
    kept = vars(sys).setdefault("_kept", asyncio.ensure_future(asyncio.Event().wait()))
    await asyncio.sleep(0)
    return loop is first and not kept.done()


# -- workers ------------------------------------------------------------------------------------------------


async def test_workers_are_started_side_by_side_and_no_more_than_there_is_work() -> None:
    async with WorkflowEngine(ProcessBackend(workers=4)) as engine:
        futures = [engine.submit(os.getpid) for _ in range(3)]
        for _ in range(10):  # turns of the loop, in which no process can be up
            await asyncio.sleep(0)
        pool = engine._run.backends["process"]._pool
        assert len(pool._processes.all) == 3
        await asyncio.gather(*futures)


async def test_coroutines_of_a_worker_run_on_one_loop_that_lives_as_long_as_it_does() -> None:
    async with WorkflowEngine("process", workers=1) as engine:
        one = engine.function_task(on_the_first_loop, backend="process")
        assert await one()
        assert await engine.submit(pid) != os.getpid()  # a function that holds up the loop between
        assert all(await asyncio.gather(*(one() for _ in range(10))))
        assert await one(engine.submit(pid))  # in a chain


def test_a_script_needs_no_guard_and_its_functions_travel_by_value(tmp_path: Path) -> None:
    ran = run_script(
        """
        from asyncflow import WorkflowEngine
        print("main script runs")
        engine = WorkflowEngine(backend="process", workers=2)
        offset = 100

        class Point:
            def __init__(self, x): self.x = x

        @engine.function_task
        def shifted(point): return Point(point.x + offset)

        @engine.function_task
        def twice(point): return shifted.fn(shifted.fn(point))

        async def main():
            point = await twice(Point(1))
            print(type(point) is Point, point.x)

        engine.run(main)
        """,
        tmp_path,
    )
    assert ran.stderr == ""
    assert ran.stdout == "main script runs\nTrue 201\n"


def test_a_task_finds_the_arguments_of_the_program(tmp_path: Path) -> None:
    program = """
    import sys
    from asyncflow import WorkflowEngine
    sys.argv[1:] = ["--size", "3", "long" * 100_000]
    engine = WorkflowEngine(backend="process", workers=1)
    print(engine.run(lambda: engine.submit(lambda: sys.argv)) == sys.argv)
    """
    ran = run_script(program, tmp_path)
    assert (ran.stdout, ran.stderr) == ("True\n", "")


async def test_workers_start_with_demand_and_no_further() -> None:
    before = children()
    async with WorkflowEngine(backend="process", workers=2) as engine:
        assert children() == before
        await engine.submit(pid)
        assert len(children() - before) == 1
        seen = await asyncio.gather(*[engine.submit(pid) for _ in range(200)])
        assert 1 <= len(children() - before) <= 2
        assert set(seen) <= children() - before
    assert children() == before


def children() -> set[int]:
    """The processes that this one has started, zombies included."""
    text = "".join(path.read_text() for path in Path("/proc/self/task").glob("*/children"))
    return {int(word) for word in text.split()}


async def test_a_function_defined_anew_is_a_new_version() -> None:
    async with WorkflowEngine(backend="process", workers=1) as engine:
        results = []
        for answer in (1, 2, 3):
            space: dict[str, Any] = {"__name__": "__main__"}
            exec(f"def cell(): return {answer}", space)
            results.append(await engine.submit(space["cell"]))
    assert results == [1, 2, 3]


async def test_a_function_too_large_for_a_packet_travels() -> None:
    ballast = "x" * 1_000_000

    def measure() -> int:
        return len(ballast)

    async with WorkflowEngine(backend="process", workers=1) as engine:
        assert await engine.submit(measure) == 1_000_000
        assert await engine.submit(measure) == 1_000_000


@pytest.mark.parametrize("size", [100, 30_000, 33_000, 100_000])
@pytest.mark.parametrize("chained", [True, False])
async def test_however_much_goes_along_packets_are_never_too_large(size: int, chained: bool) -> None:
    def measuring(ballast: str) -> Callable[[int, str], int]:
        return lambda before, text: before + len(text) + len(ballast)

    async with WorkflowEngine(backend="process", workers=1) as engine:
        assert await engine.submit(int) == 0  # the worker is up, and takes whole frames
        for letter in "xé字𝄞":
            futures: list[Any] = []
            for number in range(100):
                before = futures[-1] if chained and futures else 0
                futures.append(engine.submit(measuring(f"{number:0{size}}"), before, letter * size))
            values = await asyncio.gather(*futures)
            assert values == [2 * size * (number if chained else 1) for number in range(1, 101)]


async def test_a_worker_is_replaced_after_so_many_tasks() -> None:
    async with WorkflowEngine(ProcessBackend(workers=1, recycle_after=5)) as engine:
        seen = [await engine.submit(pid) for _ in range(12)]
    assert [count for _, count in sorted(Counter(seen).items(), key=lambda item: seen.index(item[0]))] == [
        5,
        5,
        2,
    ]


async def test_a_worker_that_holds_too_much_memory_is_replaced() -> None:
    def hoard(size: int) -> int:
        import builtins

        builtins.hoard = bytearray(size)  # type: ignore[attr-defined]
        return os.getpid()

    async with WorkflowEngine(ProcessBackend(workers=1, most_memory=150 << 20)) as engine:
        first = await engine.submit(hoard, 300 << 20)
        second = await engine.submit(pid)
    assert first != second


async def test_math_libraries_share_the_cpus_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("MKL_NUM_THREADS", "7")
    async with WorkflowEngine(ProcessBackend(workers=64)) as engine:
        assert await engine.submit(os.getenv, "OMP_NUM_THREADS") == "1"
        assert await engine.submit(os.getenv, "MKL_NUM_THREADS") == "7"
    async with WorkflowEngine(ProcessBackend(workers=1, math_threads=3)) as engine:
        assert await engine.submit(os.getenv, "OMP_NUM_THREADS") == "3"


async def test_workers_that_cannot_start_are_an_error_with_their_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from asyncflow.backends.process import worker_process

    monkeypatch.setattr(worker_process, "_text", lambda *_: "import sys; sys.exit('no such interpreter')")
    async with WorkflowEngine(backend="process", workers=2) as engine:
        with pytest.raises(WorkerDied, match=r"'pid' \(#1\) lost its worker(?s:.*)no such interpreter"):
            await engine.submit(pid)


# -- arguments and results ------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 32_767, 32_768, 65_536, 1 << 20, 20 << 20])
async def test_bytes_of_any_size_travel_both_ways(size: int) -> None:
    data = os.urandom(1024) * (size // 1024) + b"x" * (size % 1024)
    async with WorkflowEngine(backend="process", workers=1) as engine:
        back = await engine.submit(_echo, data)
        assert type(back) is bytes
        assert back == data
        nested = await engine.submit(_echo, {"in": [data, bytearray(data)]})
        assert nested == {"in": [data, bytearray(data)]}


def _echo(value: Any) -> Any:
    return value


async def test_arrays_travel_and_may_be_written_to_without_harm_to_the_original() -> None:
    def double(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        array *= 2
        return array

    original = np.arange(3_000_000, dtype=float)
    async with WorkflowEngine(backend="process", workers=1) as engine:
        doubled = await engine.submit(double, original)
        assert doubled.sum() == 2 * original.sum()
        doubled[0] = 7
        assert original[:3].tolist() == [0, 1, 2]
        strided = await engine.submit(double, original.reshape(1000, 3000)[:, ::2])
        assert strided.shape == (1000, 1500)


async def test_an_argument_that_cannot_be_sent_fails_its_task_alone_and_is_named() -> None:
    import sqlite3

    def fetch(table: str, conn: Any) -> None: ...

    connection = sqlite3.connect(":memory:")
    async with WorkflowEngine(backend="process", workers=1) as engine:
        calls = [engine.submit(pid), engine.submit(fetch, "t", connection), engine.submit(pid)]
        first, failed, last = await asyncio.gather(*calls, return_exceptions=True)
    connection.close()
    assert first == last
    assert isinstance(failed, TypeError)
    assert str(failed).startswith("argument 'conn' of 'fetch' (#2): cannot pickle 'sqlite3.Connection'")


# -- chains and frames ----------------------------------------------------------------------------------------


async def test_the_middle_of_a_chain_has_its_result_while_the_rest_still_runs(tmp_path: Path) -> None:
    gate = str(tmp_path / "gate")
    os.mkfifo(gate)
    async with WorkflowEngine(backend="process", workers=1) as engine:

        def wait(value: int) -> int:
            wait_for_file(gate)
            return value

        first = engine.submit(add, 1, 1)
        second = engine.submit(add, first, 1)
        third = engine.submit(wait, second)
        fourth = engine.submit(add, third, 1)
        assert await second == 3
        opened = os.open(gate, os.O_WRONLY)  # returns when the worker has opened the other end
        assert (first.state, second.state) == (State.SUCCEEDED, State.SUCCEEDED)
        assert third.state is State.RUNNING
        assert fourth.state is State.SUBMITTED
        os.close(opened)
        assert await fourth == 4


async def test_a_chain_that_breaks_in_the_middle_fails_from_there_on() -> None:
    def fail(value: int) -> int:
        raise ValueError(value)

    async with WorkflowEngine(backend="process", workers=1) as engine:
        first = engine.submit(add, 1, 1)
        broken = engine.submit(fail, first)
        after = engine.submit(add, broken, 1)
        last = engine.submit(add, after, 1)
        results = await asyncio.gather(first, broken, after, last, return_exceptions=True)
        assert results[0] == 2
        await engine.settled(last)
        assert [future.state for future in (broken, after, last)] == [
            State.FAILED,
            State.UPSTREAM_FAILED,
            State.UPSTREAM_FAILED,
        ]
        assert await engine.submit(add, 1, 1) == 2


@pytest.mark.parametrize("backend", ["thread", "process"])
async def test_a_link_does_not_run_on_what_is_no_value(backend: str, tmp_path: Path) -> None:
    ran = tmp_path / "ran"

    def lazy(_: int) -> Any:
        return (number for number in range(3))

    def use(_: Any) -> None:
        ran.touch()

    async with WorkflowEngine(backend=backend, workers=1) as engine:
        generator = engine.submit(lazy, engine.submit(add, 1, 1))
        user = engine.submit(use, generator)
        with pytest.raises(TypeError, match="returned a generator"):
            await generator
        await engine.settled(user)
        assert user.state is State.UPSTREAM_FAILED
    assert not ran.exists()


async def test_a_worker_that_dies_in_a_chain_takes_nothing_twice(tmp_path: Path) -> None:
    log = tmp_path / "log"

    def note(name: str, _: Any = None, *, dies: bool = False) -> str:
        with open(log, "a") as file:
            file.write(name)
        if dies:
            os.kill(os.getpid(), signal.SIGKILL)
        return name

    async with WorkflowEngine(backend="process", workers=1) as engine:
        a = engine.submit(note, "a")
        b = engine.submit(note, "b", a, dies=True)
        c = engine.submit(note, "c", b)
        other = engine.submit(note, "d")
        results = await asyncio.gather(a, b, c, other, return_exceptions=True)
        assert results[0] == "a"
        assert isinstance(results[1], WorkerDied)
        await engine.settled(c)
        assert c.state is State.UPSTREAM_FAILED
        assert results[3] == "d"
    assert sorted(log.read_text()) == ["a", "b", "d"]


async def test_a_short_task_does_not_wait_behind_one_that_turned_out_long(tmp_path: Path) -> None:
    gate = str(tmp_path / "gate")
    os.mkfifo(gate)

    def maybe(blocks: bool) -> int:
        if blocks:
            wait_for_file(gate)
        return os.getpid()

    async with WorkflowEngine(backend="process", workers=2) as engine:
        for _ in range(20):  # it is known to be short, and so goes many to a frame
            await asyncio.gather(*[engine.submit(maybe, False) for _ in range(50)])
        long = engine.submit(maybe, True)
        others = [engine.submit(maybe, False) for _ in range(100)]
        await asyncio.gather(*others)
        assert not long.done()
        with open(gate, "w"):
            pass
        await long


# -- cancel, timeout, output ------------------------------------------------------------------------------------


async def test_a_task_that_ignores_everything_is_killed_and_its_neighbours_are_not() -> None:
    def stubborn() -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while True:
            try:
                signal.pause()
            except BaseException:
                pass

    async with WorkflowEngine(ProcessBackend(workers=1, stop_grace=0.1)) as engine:
        stuck = engine.function_task(timeout=0.2)(stubborn)()
        behind = [engine.submit(add, number, 1) for number in range(10)]
        with pytest.raises(TaskTimeout, match=r"'stubborn' \(#1\) ran longer than 0.2 s"):
            await stuck
        assert stuck.state is State.CANCELLING
        await engine.settled(stuck)
        assert stuck.state is State.FAILED
        assert await asyncio.gather(*behind) == list(range(1, 11))


def test_prints_of_workers_arrive_in_whole_lines_before_the_result(tmp_path: Path) -> None:
    ran = run_script(
        """
        from asyncflow import WorkflowEngine
        engine = WorkflowEngine(backend="process", workers=2)

        @engine.function_task
        def speak(who):
            for word in ("one", "two", "three"):
                print(who, end=" ")
                print(word)

        async def main():
            for who in "ab":
                await speak(who)
            print("done")
            for task in [speak(who) for who in "cdef"]:
                await task

        engine.run(main)
        """,
        tmp_path,
    )
    lines = ran.stdout.splitlines()
    assert lines[:7] == ["a one", "a two", "a three", "b one", "b two", "b three", "done"]
    assert sorted(lines[7:]) == sorted(f"{who} {word}" for who in "cdef" for word in ("one", "two", "three"))


# -- faults ---------------------------------------------------------------------------------------------------


async def _under_fire(tasks: int, kills: int, log: Path) -> Counter[str]:
    """Run tasks while their workers are killed at random; how they ended, by state. None runs twice."""
    rng = random.Random(42)
    before = children()
    async with WorkflowEngine(backend="process", workers=2) as engine:
        futures = [engine.submit(_spin, number, str(log)) for number in range(tasks)]
        moments = sorted(rng.sample(range(tasks), kills))
        for done, ended in enumerate(asyncio.as_completed(futures), 1):
            try:
                await ended
            except WorkerDied:
                pass
            while moments and moments[0] <= done:
                moments.pop(0)
                if victims := children() - before:
                    os.kill(rng.choice(sorted(victims)), signal.SIGKILL)
        ends = Counter(str(future.state) for future in futures)
        for number, future in enumerate(futures):
            if future.state is State.SUCCEEDED:
                assert future.result() == number
            else:
                assert isinstance(future.exception(), WorkerDied)
            assert future.attempts == 1
    begun = Counter(map(int, log.read_text().split()))
    assert max(begun.values()) == 1
    assert all(begun[number] for number, future in enumerate(futures) if future.state is State.SUCCEEDED)
    assert children() == before
    return ends


def _spin(number: int, log: str) -> int:
    file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, b"%d\n" % number)
    os.close(file)
    sum(range(2000))
    return number


async def test_tasks_survive_the_death_of_workers_that_did_not_run_them(tmp_path: Path) -> None:
    ends = await _under_fire(tasks=500, kills=10, log=tmp_path / "log")
    assert set(ends) <= {"SUCCEEDED", "FAILED"}
    assert sum(ends.values()) == 500
    assert ends["FAILED"] <= 10


@pytest.mark.soak
async def test_two_hundred_kills_in_ten_thousand_tasks_lose_nothing(tmp_path: Path) -> None:
    ends = await _under_fire(tasks=10_000, kills=200, log=tmp_path / "log")
    assert sum(ends.values()) == 10_000
    assert set(ends) <= {"SUCCEEDED", "FAILED"}
    assert ends["FAILED"] <= 200


async def test_a_long_record_of_a_process_that_has_died_is_read_to_its_end(tmp_path: Path) -> None:
    ran = tmp_path / "ran"

    def note_and(what: str) -> int:
        with ran.open("a") as file:
            file.write(f"{what}\n")
        if what == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        return 1 << 8 * 400_000

    async with WorkflowEngine(backend="process", workers=1) as engine:
        task = engine.function_task(note_and)
        for _ in range(30):  # so that both travel in one frame
            await engine.submit(int)
            await engine.submit(_echo, 0)
        large, dying = task("large"), task("die")
        await asyncio.sleep(0)  # they are submitted
        while not ran.exists() or "die" not in ran.read_text():
            pass  # and the loop stands still until all of it has happened
        assert await large == 1 << 8 * 400_000
        with pytest.raises(WorkerDied):
            await dying
    assert ran.read_text().split() == ["large", "die"]


async def test_the_state_of_a_link_may_be_asked_for_before_the_end_of_the_one_before_is_read(
    tmp_path: Path,
) -> None:
    begun = tmp_path / "begun"

    def through(value: int, mark: str = "") -> int:
        if mark:
            Path(mark).touch()
            while Path(mark).exists():
                pass
        return value + 1

    async with WorkflowEngine(backend="process", workers=1) as engine:
        task = engine.function_task(through)
        assert await task(0) == 1
        head = task(1)
        link = task(head, str(begun))
        await asyncio.sleep(0)  # they are submitted
        while not begun.exists():
            pass  # and the loop stands still until the link runs
        assert link.state == "RUNNING"
        begun.unlink()
        assert await link == 3
        assert await task(head) == 3


async def test_a_chain_that_is_packed_again_is_not_sent_as_it_was_packed_before() -> None:
    def through(before: Any, tag: str, ballast: bytes = b"", mark: str = "") -> Any:
        assert len(_BALLAST) or ballast
        while mark and not Path(mark).exists():
            pass
        return (*(before or ()), tag)

    _BALLAST = bytes(range(256)) * 110
    async with WorkflowEngine(backend="process", workers=2) as engine:
        task = engine.function_task(through)
        for _ in range(60):
            await task(None, "warm")
        ends = []
        for chain in range(8):
            last = None
            for link in range(4):
                last = task(last, f"{chain}.{link}", b"%05d%d" % (chain, link) * 2000)
            ends.append(last)
        rest = [task(None, "single", b"%06d" % number * 500) for number in range(900)]
        for chain, end in enumerate(ends):
            assert await end == tuple(f"{chain}.{link}" for link in range(4))
        await asyncio.gather(*rest)


def _alarm() -> float:
    return signal.getitimer(signal.ITIMER_REAL)[0]


async def test_an_alarm_that_a_task_has_set_goes_off_in_no_other() -> None:
    async with WorkflowEngine(backend="process", workers=1) as engine:
        process = await engine.submit(pid)
        await engine.submit(signal.setitimer, signal.ITIMER_REAL, 1000)
        assert await engine.submit(_alarm) == 0
        assert await engine.submit(pid) == process


def test_letters_that_the_output_does_not_know_are_escaped_and_nothing_is_lost(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from asyncflow import WorkflowEngine\n"
        "engine = WorkflowEngine(backend='process', workers=1)\n"
        "engine.run(engine.function_task(print), 'before\\n\\u00e9t\\u00e9\\nafter')\n"
    )
    ran = subprocess.run(
        [sys.executable, str(script)],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.splitlines() == ["before", "\\xe9t\\xe9", "after"]


_HALF = """
import os, sys
from asyncflow import WorkflowEngine
engine = WorkflowEngine(backend="process", workers=1)

def half():
    print("half a ", end="", flush=True)
    print("line", end="", file=sys.stderr, flush=True)
    while not os.path.exists({seen!r}):
        pass
    print("line")

engine.run(engine.function_task(half))
"""


def test_half_a_line_is_seen_while_its_task_runs(tmp_path: Path) -> None:
    script, seen = tmp_path / "script.py", tmp_path / "seen"
    script.write_text(_HALF.format(seen=str(seen)))
    with subprocess.Popen(
        [sys.executable, "-u", str(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as ran:
        assert ran.stdout is not None
        assert ran.stderr is not None
        assert os.read(ran.stdout.fileno(), 100) == b"half a "
        assert os.read(ran.stderr.fileno(), 100) == b"line"
        seen.touch()
        assert ran.stdout.read() == b"line\n"
    assert ran.returncode == 0


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16-le", "utf-8"])
def test_output_arrives_in_the_encoding_of_the_stream(encoding: str, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from asyncflow import WorkflowEngine\n"
        "engine = WorkflowEngine(backend='process', workers=1)\n"
        "print('here: \\u00e9t\\u00e9')\n"
        "engine.run(engine.function_task(print), 'there: \\u00e9t\\u00e9')\n"
    )
    ran = subprocess.run(
        [sys.executable, str(script)],
        env={**os.environ, "PYTHONIOENCODING": encoding},
        capture_output=True,
        check=True,
    )
    assert ran.stdout.decode(encoding).splitlines() == ["here: été", "there: été"]


async def test_a_flood_of_output_leaves_time_for_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each turn passes on no more than a pipe holds, however fast the worker writes."""
    passed = [0]

    class Counted(io.StringIO):
        def write(self, text: str) -> int:
            passed[-1] += len(text)
            return len(text)

    monkeypatch.setattr(sys, "stdout", Counted())

    async def count() -> None:
        while True:
            passed.append(0)
            await asyncio.sleep(0)

    async with WorkflowEngine(backend="process", workers=1) as engine:
        counting = asyncio.create_task(count())
        assert await engine.submit(untidy.shout, 20_000_000) == 20_000_000
        counting.cancel()
    assert sum(passed) >= 20_000_000
    assert max(passed) <= 1 << 18


async def test_the_start_of_a_worker_and_what_it_imports_are_waits_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "long_to_import.py").write_text("import time\ntime.sleep(0.05)\ndef use(): ...")
    sys.path.insert(0, str(tmp_path))
    try:
        module = importlib.import_module("long_to_import")
        async with WorkflowEngine(backend="process", workers=1) as engine:
            await engine.submit(pid)
            await engine.submit(module.use)
            await engine.submit(pid)
            first, importing, third = engine.report().tasks
    finally:
        sys.path.remove(str(tmp_path))
        sys.modules.pop("long_to_import", None)
    assert first.waits["start"] > first.waits["queue"]
    assert importing.waits["start"] > 0.05
    assert third.waits["start"] == 0


class Slow:
    """Takes long to unpickle."""

    def __reduce__(self) -> Any:
        return time.sleep, (600,)


class SlowAndLarge(Slow):
    """The same, beside what travels in memory."""

    def __reduce__(self) -> Any:
        return pickle.loads, (pickle.dumps(Slow()) + bytes(2 << 20),)


def use(value: Any) -> None:
    pass


def _slow_call(engine: WorkflowEngine, what: str, folder: Path, **options: Any) -> Any:
    """A call that takes long before its function runs."""
    if what != "a module":
        return engine.function_task(use, **options)(Slow() if what == "an argument" else SlowAndLarge())
    (folder / "slow_to_import.py").write_text(
        "import sys, time\nif sys.argv[0] != 'here': time.sleep(600)\ndef use(): ..."
    )
    argv, sys.argv = sys.argv, ["here"]
    try:
        module = importlib.import_module("slow_to_import")
    finally:
        sys.argv = argv
        sys.modules.pop("slow_to_import")
    sys.modules["slow_to_import"] = module
    return engine.function_task(module.use, **options)()


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    sys.path.insert(0, str(tmp_path))
    yield tmp_path
    sys.path.remove(str(tmp_path))
    sys.modules.pop("slow_to_import", None)


@pytest.mark.parametrize("what", ["an argument", "a large argument", "a module"])
async def test_a_timeout_counts_while_a_call_is_loaded(what: str, folder: Path) -> None:
    async with WorkflowEngine(backend="process", workers=1) as engine:
        assert await engine.submit(bad.same, 1) == 1
        with pytest.raises(TaskTimeout):
            await _slow_call(engine, what, folder, timeout=0.2)
        assert await engine.submit(bad.same, 1) == 1


@pytest.mark.parametrize("what", ["an argument", "a large argument", "a module"])
async def test_a_call_that_is_being_loaded_can_be_cancelled(what: str, folder: Path) -> None:
    async with WorkflowEngine(backend="process", workers=1) as engine:
        assert await engine.submit(bad.same, 1) == 1
        begun = asyncio.Event()

        def hear(events: Sequence[Event]) -> None:
            if any(isinstance(event, TaskStarted) and event.id == 2 for event in events):
                begun.set()

        engine.subscribe(hear)
        call = _slow_call(engine, what, folder)
        await begun.wait()
        assert call.state == "RUNNING"
        call.cancel()
        await engine.settled(call)
        assert call.state == "CANCELLED"
        assert await engine.submit(bad.same, 1) == 1


def import_slowly(begun: str, go_on: str) -> None:
    import slow_package  # type: ignore[import-not-found]

    slow_package.never()


def import_again() -> int:
    import slow_package

    return int(slow_package.inner.VALUE)


async def test_a_task_is_not_stopped_in_the_middle_of_an_import(tmp_path: Path) -> None:
    """What is left of a package then cannot be imported once more: it lacks what was loaded before."""
    begun, go_on = tmp_path / "begun", tmp_path / "go_on"
    package = tmp_path / "slow_package"
    package.mkdir()
    (package / "inner.py").write_text("VALUE = 3")
    (package / "__init__.py").write_text(
        "import os, pathlib\nfrom .inner import *\n"
        f"pathlib.Path({str(begun)!r}).touch()\n"
        f"while not os.path.exists({str(go_on)!r}): pass\n"
        "def never():\n    while True: pass\n"
    )
    sys.path.insert(0, str(tmp_path))
    try:
        backend = ProcessBackend(workers=1, stop_grace=60)
        async with WorkflowEngine(backend) as engine:
            process = await engine.submit(pid)
            call = engine.submit(import_slowly, str(begun), str(go_on))
            while not begun.exists():
                await asyncio.sleep(0)
            call.cancel()
            await asyncio.sleep(0)
            go_on.touch()
            await engine.settled(call)
            assert await engine.submit(import_again) == 3
            assert await engine.submit(pid) == process
    finally:
        sys.path.remove(str(tmp_path))
