"""Where progress is shown, what becomes of it when something goes wrong, and what is said at the end."""

from __future__ import annotations

import asyncio
import gc
import io
import logging
import os
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from asyncflow import Report, WorkflowEngine
from asyncflow.live import display, painters, summary
from asyncflow.live.display import Display
from asyncflow.live.engines import show
from asyncflow.live.painters import Lines, Terminal, painter_for
from asyncflow.live.progress import Failure, Function, Progress
from asyncflow.live.screen import Screen
from asyncflow.live.summary import lines_of


class Heard:
    """A painter that keeps what it is given."""

    on_loop = False
    pause = 0.0

    def __init__(self) -> None:
        self.seen: list[Progress] = []
        self.last: Progress | None = None
        self.has_ended = False
        self.painted = threading.Event()

    def begin(self, takes: Callable[[], None]) -> None: ...

    def paint(self, progress: Progress) -> None:
        self.seen.append(progress)
        self.painted.set()

    def flush(self) -> None: ...

    def holds(self) -> list[str]:
        return [each.holds for each in self.seen]

    def end(self, progress: Progress | None) -> None:
        self.last, self.has_ended = progress, True


@contextmanager
def a_terminal(columns: int = 80) -> Iterator[tuple[io.TextIOWrapper, list[bytes]]]:
    """A terminal, and all that was written to it, once it is left."""
    ours, theirs = os.openpty()
    written: list[bytes] = []

    def read() -> None:
        while True:
            try:
                data = os.read(ours, 1 << 16)
            except OSError:
                return
            if not data:
                return
            written.append(data)

    reader = threading.Thread(target=read)
    reader.start()
    with open(theirs, "w", encoding="utf-8") as stream:
        yield stream, written
    reader.join()
    os.close(ours)


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Heard:
    made = Heard()
    monkeypatch.setattr(Display.__init__, "__defaults__", (lambda woken: made, lambda progress: progress))
    return made


def ok(number: int) -> int:
    if number == 3:
        raise ValueError("no 3, please")
    return number


async def test_all_of_a_run_is_counted_with_its_failures_when_it_is_over(heard: Heard) -> None:
    engine = WorkflowEngine(progress=True)
    task = engine.function_task(ok)
    async with engine:
        await asyncio.gather(*task.map(range(10)), return_exceptions=True)
    assert heard.last is not None
    assert heard.last.is_over
    assert heard.last.sums == Function("", "function", "", 10, 0, 9, 1, 0, expected=10)
    assert heard.last.failures == [Failure("ok", 4, "ValueError: no 3, please")]
    assert heard.last.errors == {"ValueError": 1}


async def test_a_plan_that_is_run_tells_how_much_there_will_be(heard: Heard) -> None:
    engine = WorkflowEngine(progress=True)
    task = engine.function_task(ok)
    reached, go_on = asyncio.Event(), asyncio.Event()

    @engine.block
    async def one_by_one() -> None:
        await task(0)
        if engine._rehearsal() is None:
            reached.set()
            await go_on.wait()
        await task(1)

    plan = await engine.plan(one_by_one)
    async with engine:
        running = asyncio.ensure_future(plan.run())
        await reached.wait()
        shown = engine._display
        assert isinstance(shown, Display)
        sums = shown._counts.take().sums
        assert (sums.over, sums.total, sums.is_known) == (1, 2, True)
        go_on.set()
        await running


async def test_items_of_a_stream_whose_length_is_known_are_a_total(heard: Heard) -> None:
    engine = WorkflowEngine(progress=True)
    task = engine.function_task(ok)
    async with engine, task.stream([4, 5, 6], window=1) as results:
        async for _ in results:
            break
        shown = engine._display
        assert isinstance(shown, Display)
        progress = shown._counts.take()
        assert progress.sums.is_known
        assert progress.sums.total == 3
        (items,) = progress.items
        assert (items.name, items.noun, items.total) == ("ok", "item", 3)


async def test_streams_that_are_over_are_still_a_total(heard: Heard) -> None:
    engine = WorkflowEngine(progress=True)
    task = engine.function_task(ok)
    async with engine:
        shown = engine._display
        assert isinstance(shown, Display)
        for source in ([4, 5, 6], [7, 8]):
            async with task.stream(source) as results:
                async for _ in results:
                    shown._counts.take()
        async with task.stream(range(10, 1000), window=1) as results:
            async for _ in results:
                shown._counts.take()
                break  # the rest is never asked for
    assert heard.last is not None
    sums = heard.last.sums
    assert (sums.is_known, sums.over == sums.total) == (True, True)
    (told,) = heard.last.items
    assert told.total == sums.total


async def test_jobs_of_a_service_are_told_of(heard: Heard) -> None:
    engine = WorkflowEngine(progress=True)
    async with engine:
        service = engine.serve(engine.function_task(ok))
        await service.submit(1).result()
        shown = engine._display
        assert isinstance(shown, Display)
        (items,) = shown._counts.take().items
        assert (items.name, items.noun, items.over, items.running) == ("ok", "job", 1, 0)


async def test_a_display_for_a_while_ends_with_it_and_the_run_goes_on(heard: Heard) -> None:
    engine = WorkflowEngine()
    task = engine.function_task(ok)
    async with engine:
        await task(0)
        async with engine.live():
            await task(1)
            async with engine.live():  # adds nothing
                await task(2)
        assert heard.has_ended
        assert heard.last is not None
        assert heard.last.sums.done == 3
        assert not heard.last.is_over
        assert await task(4) == 4


async def test_a_display_that_raises_is_logged_and_the_run_goes_on(
    heard: Heard, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def paint(progress: Progress) -> None:
        heard.painted.set()
        raise RuntimeError("no paint")

    monkeypatch.setattr(heard, "paint", paint)
    engine = WorkflowEngine(progress=True)
    task = engine.function_task(ok)
    async with engine:
        await task(0)
        await asyncio.to_thread(heard.painted.wait)
        assert await task(1) == 1
    assert [each.getMessage() for each in caplog.records if each.levelno == logging.ERROR] == [
        "the display of progress raised, and is shown no more; the run goes on"
    ]


async def test_numbers_that_cannot_be_taken_are_logged_and_the_run_goes_on(
    heard: Heard, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    engine = WorkflowEngine(progress=True)
    task = engine.function_task(ok)
    monkeypatch.setattr("asyncflow.live.counts.CountsOfRun.take", lambda self: 1 / 0)
    async with engine:
        assert await task(1) == 1
    assert any("the run goes on" in each.getMessage() for each in caplog.records)


async def test_an_engine_that_is_shown_is_collected_all_the_same(heard: Heard) -> None:
    engine = WorkflowEngine(progress=True)
    await engine.start()
    gone = weakref.ref(engine)
    await engine.shutdown()
    del engine
    gc.collect()
    assert gone() is None
    assert not [each for each in threading.enumerate() if each.name == "asyncflow-live"]


def test_a_loop_that_was_closed_under_an_engine_ends_its_display(heard: Heard) -> None:
    engine = WorkflowEngine(progress=True)

    async def main() -> None:
        await engine.start()

    loop = asyncio.new_event_loop()
    loop.run_until_complete(main())
    (thread,) = [each for each in threading.enumerate() if each.name == "asyncflow-live"]
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()
    thread.join(60)
    assert not thread.is_alive()
    asyncio.run(engine.shutdown())


async def test_a_loop_that_is_held_up_is_said_to_be(heard: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(display, "_PATIENCE", 0.05)
    engine = WorkflowEngine(progress=True)
    async with engine:
        await engine.function_task(ok)(1)
        await asyncio.to_thread(heard.painted.wait)
        told = "the event loop has been held up for 0 s by code that does not await"
        while told not in heard.holds():
            heard.painted.clear()
            heard.painted.wait(10)  # which holds it up


def test_nothing_is_recorded_nothing_is_shown() -> None:
    with pytest.raises(ValueError, match="progress=True: with report_limit=0 nothing is recorded"):
        WorkflowEngine(progress=True, report_limit=0)
    with pytest.raises(ValueError, match=r"live\(\): with report_limit=0"):
        WorkflowEngine(report_limit=0).live()


def test_progress_is_a_setting_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASYNCFLOW_PROGRESS", "1")
    assert WorkflowEngine()._settings.progress
    assert not WorkflowEngine(progress=False)._settings.progress
    assert not WorkflowEngine(report_limit=0)._settings.progress


# -- where ------------------------------------------------------------------------------------------------


def test_what_is_no_terminal_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert isinstance(painter_for(lambda: None), Lines)
    monkeypatch.setattr(sys, "stderr", None)
    lines = painter_for(lambda: None)
    lines.begin(lambda: None)
    lines.end(Progress(1.0, []))


def test_a_terminal_gets_a_display_and_a_dumb_one_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    with a_terminal() as (stream, _):
        monkeypatch.setattr(sys, "stderr", stream)
        monkeypatch.setenv("TERM", "xterm-256color")
        assert isinstance(painter_for(lambda: None), Terminal)
        monkeypatch.setenv("TERM", "dumb")
        assert isinstance(painter_for(lambda: None), Lines)
        monkeypatch.undo()


def test_without_rich_the_first_line_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with a_terminal() as (stream, written):
        monkeypatch.setattr(sys, "stderr", stream)
        monkeypatch.setenv("TERM", "xterm-256color")
        for name in [each for each in sys.modules if each.partition(".")[0] == "rich"]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.setitem(sys.modules, "rich", None)
        monkeypatch.delitem(sys.modules, "asyncflow.live.terminal", raising=False)
        painter_for(lambda: None).begin(lambda: None)
        monkeypatch.undo()
    told = b'asyncflow: progress comes as lines; for a display:  pip install "asyncflow-engine[live]"\r\n'
    assert b"".join(written) == told


def test_lines_come_less_and_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(painters, "monotonic", lambda: now)
    written = io.StringIO()
    lines = Lines(written)
    times = []
    fit = Function("fit", "function", "here", 1000, 4, 309, 3, 0, expected=1000)
    for second in range(600):
        now = float(second)
        before = len(written.getvalue())
        lines.paint(Progress(now, [fit]))
        if len(written.getvalue()) > before:
            times.append(second)
    gaps = [after - before for before, after in pairwise(times)]
    assert times[0] == 5
    assert gaps == sorted(gaps)
    assert max(gaps) == 60
    first = written.getvalue().splitlines()[0]
    assert first == "asyncflow: 312 of 1,000 (31 %), 3 failed, 4 running, 5 s gone"


def test_a_program_whose_output_is_no_terminal_says_how_it_went(tmp_path: Path) -> None:
    program = (
        "from asyncflow import WorkflowEngine\n"
        "engine = WorkflowEngine()\n"
        "@engine.function_task\n"
        "def fit(x): print('of fit'); return x\n"
        "@engine.block\n"
        "async def main(): return await fit(1)\n"
        "print(engine.run(main))\n"
    )
    env = os.environ | {"ASYNCFLOW_PROGRESS": "1"}
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=env)
    assert ran.stdout == "of fit\n1\n"
    assert "asyncflow: 1 succeeded in" in ran.stderr
    assert "\x1b" not in ran.stderr
    assert len(ran.stderr.splitlines()) == 1


# -- a terminal -------------------------------------------------------------------------------------------


def test_streams_are_as_they_were_when_the_display_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    with a_terminal() as (stream, written):
        monkeypatch.setattr(sys, "stdout", stream)
        screen = Screen(stream, lambda: None)
        screen.enter()
        assert "write" in vars(stream)
        screen.paint(["one", "two"])
        print("printed")
        print("half", end="")
        with pytest.raises(TypeError, match="must be str"):
            stream.write(b"bytes")  # type: ignore[arg-type]
        screen.leave()
        screen.leave()
        assert "write" not in vars(stream)
        monkeypatch.undo()
    text = b"".join(written).decode()
    assert text.index("printed\r\n") < text.rindex("half")


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_child_that_is_forked_prints_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    with a_terminal() as (stream, written):
        monkeypatch.setattr(sys, "stdout", stream)
        screen = Screen(stream, lambda: None)
        screen.enter()
        screen.paint(["display"])
        with screen._lock:  # of a thread that is in the midst of it
            child = os.fork()
            if not child:
                print("of the child", flush=True)
                os._exit(0)
        os.waitpid(child, 0)
        screen.leave()
        monkeypatch.undo()
    assert b"of the child\r\n" in b"".join(written)


# -- the end ----------------------------------------------------------------------------------------------


def test_a_summary_groups_failures_by_type() -> None:
    fit = Function("fit", "function", "here", 1000, 0, 996, 3, 1)
    failures = [
        Failure("fit[S12]", 12, "ValueError: need 2 rows"),
        Failure("fit[S13]", 13, "ValueError: need 2 rows"),
        Failure("evil\x1b[2J", 14, "OSError"),
    ]
    progress = Progress(
        151.0,
        [fit],
        failures=failures,
        errors={"OSError": 1, "ValueError": 2},
        places=[("journal", "run.jsonl")],
    )
    assert lines_of(progress) == [
        "=== asyncflow: 3 failed, 996 succeeded, 1 cancelled or not run in 2 min 31 s ===",
        "ValueError × 2: fit[S12] (#12), fit[S13] (#13)",
        "    need 2 rows",
        "OSError × 1: evil\\x1b[2J (#14)",
        "journal: run.jsonl",
    ]


def test_a_summary_breaks_its_lines_between_words_and_never_a_path() -> None:
    fit = Function("fit", "function", "here", 1000, 0, 996, 3, 1)
    told = "sample S12 has no rows at all, which cannot be"
    failures = [Failure("preprocess_the_sample[S12]", each, f"ValueError: {told}") for each in (12, 13)]
    where = ("journal", "a/folder/with a/long/path/to/it/run.jsonl")
    progress = Progress(151.0, [fit], failures=failures, errors={"ValueError": 2}, places=[where])
    assert "\n".join(lines_of(progress, 40)).split("\n") == [
        "asyncflow: 3 failed, 996 succeeded, 1",
        "  cancelled or not run in 2 min 31 s",
        "ValueError × 2:",
        "  preprocess_the_sample[S12] (#12) and 1",
        "  more",
        "    sample S12 has no rows at all, which",
        "      cannot be",
        "journal: a/folder/with a/long/path/to/it/run.jsonl",
    ]
    assert lines_of(progress._replace(failures=[], errors={}), 60)[0].startswith("asyncflow: 3 failed")
    assert lines_of(progress, 300) == lines_of(progress, 80) == lines_of(progress)


async def test_a_summary_of_a_report_says_the_same() -> None:
    engine = WorkflowEngine()
    task = engine.function_task(ok)

    @engine.block
    async def all_of_them() -> None:
        await asyncio.gather(*task.map(range(10)), return_exceptions=True)

    async with engine:
        await all_of_them()
    told = summary(engine.report()).splitlines()
    assert "asyncflow: 1 failed, 9 succeeded in" in told[0]
    assert told[1:] == ["ValueError × 1: ok (#5)", "    no 3, please"]
    assert "0 succeeded" in summary(Report.from_json(WorkflowEngine().report().to_json()))


def test_show_without_a_run_that_records_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    engine = WorkflowEngine(report_limit=0)

    async def main() -> None:
        async with engine:
            assert engine._run is not None
            assert show(engine, engine._run) is None

    asyncio.run(main())
    assert "progress is not shown; the run goes on" in caplog.text
