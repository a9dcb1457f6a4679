"""`engine.plan`: a rehearsal beside what the engine really runs."""

from __future__ import annotations

import asyncio
import itertools
import pickle
import sys
import threading
import warnings
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from asyncflow import (
    EngineClosed,
    ForeignFuture,
    InputFile,
    OutputFile,
    Plan,
    TooManyTasks,
    WorkflowEngine,
    WrongLoop,
)
from asyncflow._runtime import coroutines
from asyncflow.plan import Edge
from asyncflow.testing import Gate, ManualBackend

from .kit import line, never_called, turns


def names(plan: Plan) -> list[str]:
    return [task.name for task in plan.tasks]


def edges(plan: Plan) -> set[tuple[str, str, str]]:
    return {
        (plan.task(edge.dependency).name, plan.task(edge.dependent).name, edge.file or edge.kind)
        for edge in plan.edges
    }


def anything(*args):  # type: ignore[no-untyped-def]  # nothing is known of what it gives
    raise AssertionError


@pytest.fixture
def idle() -> WorkflowEngine:
    """An engine that nobody starts."""
    return WorkflowEngine("process", workers=2)


# -- what is planned --------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_dry_run", [False, True], ids=["rehearsal", "dry run"])
async def test_a_plan_is_the_same_however_long_bodies_take(
    is_dry_run: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def plan_of(seconds_between_looks: float) -> Coroutine[Any, Any, Plan]:
        looks = itertools.count()
        monkeypatch.setattr(coroutines, "perf_counter", lambda: next(looks) * seconds_between_looks)
        return made()

    async def made() -> Plan:
        engine = WorkflowEngine("noop", dry_run=is_dry_run)
        step = engine.function_task(anything, name="step")
        first, then = (engine.function_task(anything, name=each) for each in ("first", "then"))

        @engine.block
        async def leaf() -> Any:
            return step()

        @engine.block
        async def waits() -> Any:
            await first()
            return then()

        @engine.block
        async def root() -> Any:
            return [waits(), *(leaf() for _ in range(3)), waits(), leaf()]

        if not is_dry_run:
            return await engine.plan(root)
        async with engine:
            await root()
            return await engine.plan()

    in_no_time = await plan_of(0.0)
    assert len(in_no_time.tasks) == 15
    assert (await plan_of(1.0)).to_json() == in_no_time.to_json()


async def test_a_plan_tells_what_would_be_called_and_nothing_runs(idle: WorkflowEngine) -> None:
    load = idle.function_task(never_called, name="load", expected=2)
    fetch = idle.executable_task(never_called, name="fetch")

    async def waits(*args: Any) -> None:
        never_called(*args)

    sleep = idle.function_task(waits, name="sleep", backend=None)

    @idle.block
    async def inner(x: Any) -> Any:
        return sleep(x)

    @idle.block
    async def outer(n: int) -> Any:
        parts = [load(i) for i in range(n)]
        done = inner(parts)
        return fetch.with_options(after=[parts[0], done])(done)

    before = set(threading.enumerate())
    plan = await idle.plan(outer, 2)
    here = line() - 1
    assert [
        (task.id, task.name, task.kind, task.block, task.place, task.expected) for task in plan.tasks
    ] == [
        (1, "outer", "block", None, "the event loop", None),
        (2, "load", "function", 1, "backend 'process'", 2),
        (3, "load", "function", 1, "backend 'process'", 2),
        (4, "inner", "block", 1, "the event loop", None),
        (5, "fetch", "executable", 1, "this machine", None),
        (6, "sleep", "function", 4, "backend 'process'", None),
    ]
    assert plan.tasks[0].called_at == f"{__file__}:{here}, in {sys._getframe().f_code.co_name}"
    assert plan.tasks[3].called_at.endswith(", in outer")
    assert {(edge.dependency, edge.dependent, edge.kind) for edge in plan.edges} == {
        (2, 4, "data"),
        (3, 4, "data"),
        (4, 5, "data"),
        (2, 5, "order"),
        (4, 5, "order"),
    }
    assert plan.findings == () and plan.check() is plan
    assert set(threading.enumerate()) == before
    assert idle._run is None


async def test_places_are_those_of_the_real_backends(hands: ManualBackend) -> None:
    async def waits() -> None: ...

    def all_of(engine: WorkflowEngine) -> Callable[[], None]:
        def target() -> None:
            for backend in ("io", "cpu"):
                engine.function_task(never_called, backend=backend)()
                engine.function_task(waits, backend=backend)()
            engine.function_task(waits)()

        return target

    expected = [
        "backend 'io' (thread)",
        "backend 'io' (thread)",
        "backend 'cpu' (process)",
        "backend 'cpu' (process)",
        "the event loop",
    ]
    for dry_run in (False, True):
        engine = WorkflowEngine(backends={"io": "thread", "cpu": "process"}, dry_run=dry_run)
        plan = await engine.plan(all_of(engine))
        assert [task.place for task in plan.tasks] == expected


@pytest.mark.parametrize("kind", ["block", "task", "coroutine function", "function", "coroutine"])
async def test_anything_that_calls_tasks_can_be_planned(idle: WorkflowEngine, kind: str) -> None:
    load = idle.function_task(never_called, name="load")

    def call(number: int) -> list[Any]:
        return [load(number), {"b": load(number)}]

    async def acall(number: int) -> list[Any]:
        return call(number)

    plan = {
        "block": lambda: idle.plan(idle.block(call), 3),
        "task": lambda: idle.plan(load, number=3),
        "coroutine function": lambda: idle.plan(acall, number=3),
        "function": lambda: idle.plan(call, 3),
        "coroutine": lambda: idle.plan(acall(3)),
    }[kind]
    expected = {"block": ["call", "load", "load"], "task": ["load"]}.get(kind, ["load", "load"])
    assert names(await plan()) == expected


async def test_submit_map_methods_and_scopes_are_planned(idle: WorkflowEngine) -> None:
    class Station:
        @idle.function_task
        def measure(self, day: int) -> float:
            raise AssertionError

    def zero() -> int:
        raise AssertionError

    def target() -> None:
        with idle.workflow_scope("nightly"):
            zeros = idle.submit(zero)
        Station().measure.map([1, zeros])

    plan = await idle.plan(target)
    assert names(plan) == ["zero", "measure", "measure"]
    assert plan.edges == (Edge(1, 3),)
    assert all(task.called_at.endswith(", in target") for task in plan.tasks)


async def test_what_others_wait_for_is_an_awaitable_of_the_plan(idle: WorkflowEngine) -> None:
    load = idle.function_task(never_called, name="load")

    async def helper() -> Any:
        return await load(1)

    async def target() -> None:
        gathered = asyncio.gather(load(2), load(3))
        load(helper(), [gathered])

    plan = await idle.plan(target)
    assert [(task.name, task.kind) for task in plan.tasks] == [
        ("load", "function"),
        ("load", "function"),
        ("load", "function"),
        (f"{helper.__qualname__}", "awaitable"),
        ("_GatheringFuture", "awaitable"),
        ("load", "function"),
    ]
    assert {(edge.dependency, edge.dependent) for edge in plan.edges} == {(4, 3), (5, 3)}


async def test_files_are_edges_by_output_by_name_and_by_published_path(
    idle: WorkflowEngine, tmp_path: Path
) -> None:
    given, published = tmp_path / "given.txt", tmp_path / "out" / "rows.csv"
    given.write_text("12345")

    @idle.executable_task
    def split(source: InputFile, rows: OutputFile = OutputFile("rows.csv", to=published)) -> str:
        raise AssertionError

    @idle.function_task
    def read(path: Path, *more: Any) -> int:
        raise AssertionError

    @idle.block
    async def inside(path: Path) -> Any:
        return read(InputFile(path))

    async def target() -> None:
        read(InputFile(published))  # before anybody has made it
        first = split(InputFile(given))
        read.with_options(name="by output")(InputFile(first.outputs["rows.csv"], name="in.csv"))
        read.with_options(name="by value")(first.outputs["rows.csv"])
        read.with_options(name="by name", after=first)(InputFile("rows.csv"))
        read.with_options(name="by path", after=first)(InputFile(published))
        read.with_options(name="too early")(InputFile(published))
        await first
        read.with_options(name="awaited")(InputFile(published))
        inside.with_options(name="deep")(published)

    plan = await idle.plan(target)
    files = {(plan.task(e.dependent).name, e.file) for e in plan.edges if e.kind == "file"}
    assert files == {
        (name, "rows.csv") for name in ("by output", "by value", "by name", "by path", "awaited")
    } | {("read", "rows.csv")}
    assert {e.dependent for e in plan.edges if plan.task(e.dependent).name == "read"} == {plan.tasks[-1].id}
    assert {plan.task(e.dependency).name for e in plan.edges} == {"split"}
    maker = next(task for task in plan.tasks if task.name == "split")
    assert [(file.name, file.size) for file in maker.inputs] == [("given.txt", 5)]
    assert [file.name for file in maker.outputs] == ["rows.csv"]
    renamed = next(task for task in plan.tasks if task.name == "by output")
    assert [file.name for file in renamed.inputs] == ["in.csv"]
    assert plan.bytes_staged == 5
    assert not published.exists()


async def test_decisions_are_told_once_a_place_with_a_count(idle: WorkflowEngine) -> None:
    fit = idle.function_task(anything, name="fit")

    @idle.block
    async def search(rounds: int) -> Any:
        for _ in range(rounds):
            best = await fit()
            while best.error > 0.1:
                best = await fit(best)
        return best

    plan = await idle.plan(search, 3)
    where = search.fn.__code__.co_firstlineno + 4
    assert plan.decisions == (f"while on (fit#2.error > 0.1), {__file__}:{where} (4 times)",)
    assert names(plan) == ["search", *["fit"] * 4]


# -- beside the real run ----------------------------------------------------------------------------------


async def test_calls_of_others_go_on_for_real_during_a_rehearsal(threads: WorkflowEngine) -> None:
    ran: list[str] = []
    load = threads.function_task(ran.append)
    rehearsing, real_done = asyncio.Event(), asyncio.Event()

    async def target() -> None:
        load("rehearsed")
        rehearsing.set()
        await real_done.wait()
        await load("rehearsed again")

    async def real() -> None:
        await rehearsing.wait()
        await load("real")
        real_done.set()

    plan, _ = await asyncio.gather(threads.plan(target), real())
    assert names(plan) == ["append", "append"]
    assert ran == ["real"]
    await load("after")
    assert ran == ["real", "after"]


async def test_a_real_result_can_be_passed_to_a_rehearsal_which_does_not_wait_for_it(
    threads: WorkflowEngine, gate: Gate
) -> None:
    @threads.function_task
    def load() -> list[float]:
        gate.door.pass_through()
        return [1.5]

    @threads.function_task(example=lambda rows: len(rows))
    def fit(rows: list[float]) -> int:
        raise AssertionError

    real = load()

    async def target(rows: Any) -> int:
        return await fit([rows])

    plan = await threads.plan(target, real)
    assert [(task.name, task.kind) for task in plan.tasks] == [("fit", "function"), ("load", "awaitable")]
    assert plan.edges == (Edge(2, 1),)
    assert plan.findings == ()
    gate.open()
    assert await real == [1.5]


async def test_two_rehearsals_at_once_do_not_mix(threads: WorkflowEngine) -> None:
    load = threads.function_task(never_called, name="load")

    async def target(number: int) -> None:
        for _ in range(number):
            await load()
            await asyncio.sleep(0)

    plans = await asyncio.gather(*(threads.plan(target, number) for number in (1, 5, 3)))
    assert [len(plan.tasks) for plan in plans] == [1, 5, 3]


async def test_a_rehearsal_inside_a_block_is_one_of_its_own(threads: WorkflowEngine) -> None:
    load = threads.function_task(lambda: 7, name="load")

    @threads.block
    async def real() -> Any:
        plan = await threads.plan(load)
        return plan, await load()

    plan, value = await real()
    assert (names(plan), value) == (["load"], 7)


async def test_a_rehearsal_inside_a_rehearsal_is_one_of_its_own(idle: WorkflowEngine) -> None:
    load = idle.function_task(never_called, name="load")
    inner: list[Plan] = []

    async def target() -> None:
        first = load()
        inner.append(await idle.plan(load, first))
        load(first)

    plan = await idle.plan(target)
    assert [names(each) for each in (plan, *inner)] == [["load", "load"], ["load", "load"]]
    assert [task.kind for task in inner[0].tasks] == ["function", "awaitable"]


async def test_a_target_that_starts_and_ends_the_engine_starts_nothing(idle: WorkflowEngine) -> None:
    load = idle.function_task(never_called, name="load")

    async def main() -> Any:
        async with idle:
            futures = [load(1), load(2)]
        results = [future.result() for future in futures]
        load(3)
        return results

    plan = await idle.plan(main)
    assert idle._run is None
    assert names(plan) == ["load", "load", "load"]
    (finding,) = plan.findings
    assert finding.what == "'load' was called, but the engine has been shut down."
    assert finding.mend == "async with engine: ..."


async def test_shutdown_inside_a_block_is_wrong_in_a_rehearsal_too(idle: WorkflowEngine) -> None:
    @idle.block
    async def block() -> None:
        with pytest.raises(RuntimeError, match="would wait for itself"):
            await idle.shutdown()

    assert (await idle.plan(block)).findings == ()


async def test_tasks_of_other_engines_do_not_run_either(idle: WorkflowEngine) -> None:
    async with WorkflowEngine("thread") as other:
        elsewhere = other.function_task(never_called, name="elsewhere")
        never_started = WorkflowEngine("thread").function_task(never_called, name="nowhere")

        async def target() -> None:
            await elsewhere()
            await never_started()

        plan = await idle.plan(target)
        assert plan.tasks == () and plan.findings == ()


async def test_a_plain_thread_of_the_target_is_told_what_any_thread_is_told(idle: WorkflowEngine) -> None:
    load = idle.function_task(never_called, name="load")

    async def target() -> None:
        with pytest.raises(WrongLoop):
            await asyncio.to_thread(load)

    assert (await idle.plan(target)).tasks == ()


async def test_what_outlives_its_rehearsal_cannot_call_for_real(threads: WorkflowEngine) -> None:
    load = threads.function_task(never_called, name="load")
    over = asyncio.Event()
    left: list[asyncio.Task[None]] = []

    async def late() -> None:
        await over.wait()
        with pytest.raises(EngineClosed, match="the rehearsal is over"):
            load()

    async def target() -> None:
        left.append(asyncio.create_task(late()))

    await threads.plan(target)
    over.set()
    await left[0]


async def test_what_outlives_its_rehearsal_cannot_call_other_engines_either(idle: WorkflowEngine) -> None:
    elsewhere = WorkflowEngine("thread").function_task(never_called, name="elsewhere")
    over = asyncio.Event()
    left: list[asyncio.Task[None]] = []

    async def late() -> None:
        await over.wait()
        with pytest.raises(EngineClosed, match="the rehearsal is over"):
            elsewhere()

    async def target() -> None:
        left.append(asyncio.create_task(late()))

    await idle.plan(target)
    over.set()
    await left[0]


async def test_mistakes_in_calls_of_another_engine_are_findings_of_the_plan(idle: WorkflowEngine) -> None:
    load = idle.function_task(never_called, name="load")
    elsewhere = WorkflowEngine("thread").function_task(never_called, name="elsewhere")

    async def target() -> None:
        elsewhere([load()])

    plan = await idle.plan(target)
    assert [finding.ends for finding in plan.findings] == [("load", "elsewhere")]


async def test_a_rehearsal_that_is_cancelled_ends_what_it_began(idle: WorkflowEngine) -> None:
    ended: list[str] = []
    begun = asyncio.Event()

    @idle.block
    async def stuck() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("stuck")

    async def target() -> None:
        try:
            await asyncio.gather(stuck(), stuck())
        finally:
            ended.append("target")

    planning = asyncio.create_task(idle.plan(target))
    await begun.wait()
    await turns()
    planning.cancel()
    with pytest.raises(asyncio.CancelledError):
        await planning
    assert sorted(ended) == ["stuck", "stuck", "target"]


async def test_a_target_that_cancels_itself_is_planned_up_to_there(idle: WorkflowEngine) -> None:
    load = idle.function_task(never_called, name="load")

    async def target() -> None:
        load()
        raise asyncio.CancelledError

    assert names(await idle.plan(target)) == ["load"]


# -- what cannot be planned -------------------------------------------------------------------------------


async def test_what_is_no_target_is_refused_with_a_mend(threads: WorkflowEngine) -> None:
    load = threads.function_task(lambda: 1, name="load")
    future = load()
    with pytest.raises(TypeError, match=r"is a result(.|\n)*engine\.plan\(load, \.\.\.\)"):
        await threads.plan(future)  # type: ignore[arg-type]
    await future
    with pytest.raises(TypeError, match="3, a int, which cannot be called"):
        await threads.plan(3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="of another engine; plan it with that one"):
        await WorkflowEngine().plan(load)

    async def target(number: int) -> None: ...

    with pytest.raises(TypeError, match="a coroutine and arguments"):
        await threads.plan(target(1), 1)  # type: ignore[arg-type]


async def test_without_a_target_the_plan_is_of_what_was_called_so_far() -> None:
    async with WorkflowEngine("thread") as engine:
        assert (await engine.plan()).tasks == ()

        @engine.function_task
        def load(number: int) -> int:
            return number

        @engine.block
        async def both() -> int:
            return await engine.submit(max, load(1), load(2))

        await both()
        plan = await engine.plan()
    assert [(task.name, task.kind, task.block) for task in plan.tasks] == [
        ("both", "block", None),
        ("load", "function", 1),
        ("load", "function", 1),
        ("max", "function", 1),
    ]
    assert [(edge.dependency, edge.dependent) for edge in plan.edges] == [(2, 4), (3, 4)]
    assert all(task.expected is not None for task in plan.tasks if task.kind == "function")
    assert await engine.plan() == plan  # the run is over, and known


async def test_without_a_target_and_a_record_there_is_nothing_to_plan() -> None:
    async with WorkflowEngine("thread", report_limit=0) as engine:
        with pytest.raises(
            RuntimeError, match=r"report_limit=0 nothing is recorded.\n  Say what is to be planned"
        ):
            await engine.plan()


# -- loops without an end ---------------------------------------------------------------------------------


async def test_a_loop_without_end_is_a_finding_and_its_block_is_ended() -> None:
    engine = WorkflowEngine("process", max_tasks=20)
    load = engine.function_task(never_called, name="load")

    @engine.block
    def plain() -> None:
        while True:
            try:
                load()
            except Exception:
                pass

    @engine.block
    async def waits() -> None:
        while True:
            await load()

    async def target() -> None:
        await waits()
        await plain()

    for block in (plain, waits, target):
        plan = await engine.plan(block)
        assert len(plan.tasks) == 20
        (finding,) = plan.findings
        assert "after 20 other tasks" in finding.what and "does not end" in finding.what
        assert finding.where.endswith((", in plain", ", in waits"))
        assert "example=" in finding.mend and "max_tasks" in finding.mend


async def test_a_loop_without_end_is_an_error_in_a_dry_run() -> None:
    async with WorkflowEngine(dry_run=True, max_tasks=20) as engine:
        load = engine.function_task(never_called, name="load")

        @engine.block
        async def endless() -> None:
            while True:
                await load()

        with pytest.raises(TooManyTasks, match=r"'load' was called at .*, in endless, and 20 tasks were"):
            await endless()
    with pytest.raises(ValueError, match="max_tasks=0"):
        WorkflowEngine(max_tasks=0)


# -- a plan of what was called in a dry run ---------------------------------------------------------------


async def test_a_dry_run_tells_what_was_called_so_far() -> None:
    engine = WorkflowEngine("process", dry_run=True)
    load = engine.function_task(never_called, name="load")
    fit = engine.function_task(anything, name="fit")
    assert (await engine.plan()).tasks == ()
    async with engine:
        rows = load("a")
        model = await fit(rows)
        assert model.error > 1
        so_far = await engine.plan()
        fit(rows)
    assert edges(so_far) == {("load", "fit", "data")}
    assert [task.place for task in so_far.tasks] == ["backend 'process'"] * 2
    assert len(so_far.decisions) == 1
    assert names(await engine.plan()) == ["load", "fit", "fit"]
    async with engine:
        other = await engine.plan(load, 1)
        assert names(other) == ["load"]
        assert (await engine.plan()).tasks == ()


async def test_a_dry_run_can_be_planned_where_its_backend_is_not_installed() -> None:
    engine = WorkflowEngine("dask", dry_run=True)
    plan = await engine.plan(engine.function_task(never_called, name="load"))
    assert plan.tasks[0].place == "backend 'dask'"


# -- running what was planned -----------------------------------------------------------------------------


async def test_a_plan_can_be_run(threads: WorkflowEngine) -> None:
    @threads.function_task
    def load(path: str) -> list[int]:
        return [len(path)] * 3

    @threads.block
    async def pipeline(path: str, *, times: int) -> int:
        return sum(await load(path)) * times

    plan = await threads.plan(pipeline, "abc", times=2)
    assert await plan.check().run() == 18
    assert await plan.with_durations({"load": 3}).run() == 18
    for other in (Plan.from_json(plan.to_json()), Plan(plan.tasks, plan.edges)):
        assert other == plan
        with pytest.raises(RuntimeError, match=r"nothing to run(.|\n)*engine\.plan\(target"):
            await other.run()


async def test_a_coroutine_that_was_planned_cannot_be_run_again(threads: WorkflowEngine) -> None:
    async def target() -> None: ...

    plan = await threads.plan(target())
    with pytest.raises(RuntimeError, match=r"only once.\n  Pass the function:  engine.plan\(target, ...\)"):
        await plan.run()


# -- nothing is left --------------------------------------------------------------------------------------


async def test_a_rehearsal_leaves_the_interpreter_as_it_was(idle: WorkflowEngine) -> None:
    before = sys.get_coroutine_origin_tracking_depth(), vars(warnings)["_warn_unawaited_coroutine"]
    seen: list[Any] = []

    async def target() -> None:
        seen.append(sys.get_coroutine_origin_tracking_depth())

    await asyncio.gather(idle.plan(target), idle.plan(target))
    assert min(seen) >= 1
    assert (sys.get_coroutine_origin_tracking_depth(), vars(warnings)["_warn_unawaited_coroutine"]) == before


async def test_a_decorated_function_does_not_hold_a_rehearsal(idle: WorkflowEngine) -> None:
    load = idle.function_task(never_called, name="load")
    await idle.plan(load)
    assert load._run is None


async def test_calls_of_a_real_run_go_on_as_before_a_rehearsal(threads: WorkflowEngine) -> None:
    load = threads.function_task(lambda: 1, name="load")
    assert await load() == 1
    lane = load._lane
    await threads.plan(load)
    assert load._lane is lane
    assert await load() == 1


# -- corners ----------------------------------------------------------------------------------------------


async def test_another_loop_inside_a_rehearsal_runs_nothing_for_real(idle: WorkflowEngine) -> None:
    load = idle.function_task(never_called, name="load")

    async def elsewhere() -> None:
        with pytest.raises(WrongLoop, match="'load' was called on another event loop"):
            await load()

    async def target() -> None:
        await asyncio.to_thread(asyncio.run, elsewhere())

    assert (await idle.plan(target)).tasks == ()
    assert idle._run is None


async def test_ctrl_c_in_a_target_ends_the_rehearsal_and_is_not_swallowed(idle: WorkflowEngine) -> None:
    async def target() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await idle.plan(target)


async def test_a_timeout_does_not_end_what_is_rehearsed(idle: WorkflowEngine) -> None:
    load = idle.function_task(never_called, name="load", timeout=1e-9)

    @idle.block(timeout=1e-9)
    async def block() -> None:
        await load()
        await turns()
        load()

    plan = await idle.plan(block)
    assert names(plan) == ["block", "load", "load"]
    assert plan.findings == ()


async def test_what_a_block_returns_unawaited_is_begun_inside_of_it(idle: WorkflowEngine) -> None:
    load = idle.function_task(never_called, name="load")

    async def helper() -> Any:
        return await load()

    @idle.block
    async def block() -> Any:
        return [helper()]

    plan = await idle.plan(block)
    assert {task.name: task.block for task in plan.tasks if task.kind == "function"} == {"load": 1}


async def test_what_a_real_block_returns_unawaited_is_begun_inside_of_it(threads: WorkflowEngine) -> None:
    load = threads.function_task(lambda: 7, name="load")
    owners: list[Any] = []

    async def helper() -> Any:
        future = load()
        owners.append(future.owner)
        return await future

    @threads.block
    async def block() -> Any:
        return [helper()]

    future = block()
    assert await future == [7]
    assert owners == [future]


async def test_a_wrong_call_with_a_circle_in_it_is_still_a_plan(idle: WorkflowEngine) -> None:
    load = idle.function_task(lambda rows: rows, name="load")

    async def target() -> None:
        own: list[Any] = []

        @idle.block
        async def inner() -> None:
            await asyncio.sleep(0)
            load(own[0], 1, 2)  # type: ignore[call-arg]

        own.append(inner())

    plan = await idle.plan(target)
    assert [finding.what for finding in plan.findings] == ["load() too many positional arguments"]
    assert plan.edges == ()


async def test_a_plan_can_be_pickled_without_what_it_would_run(idle: WorkflowEngine) -> None:
    plan = await idle.plan(idle.function_task(never_called, name="load"))
    again = pickle.loads(pickle.dumps(plan))
    assert again == plan
    with pytest.raises(RuntimeError, match="nothing to run"):
        await again.run()


async def test_mutating_what_was_passed_changes_nothing(idle: WorkflowEngine) -> None:
    load = idle.function_task(never_called, name="load")

    async def target() -> None:
        batch: list[Any] = []
        for _ in range(2):
            batch.append(load())
            load(batch)
        batch.clear()

    plan = await idle.plan(target)
    assert [(edge.dependency, edge.dependent) for edge in plan.edges] == [(1, 2), (1, 4), (3, 4)]


async def test_a_future_of_an_earlier_run_is_a_finding(idle: WorkflowEngine) -> None:
    engine = WorkflowEngine("thread")
    load = engine.function_task(lambda *rows: 1, name="load")
    async with engine:
        old = load()
        await old
    plan = await engine.plan(load, old)
    (finding,) = plan.findings
    assert "a future of an earlier run of this engine" in finding.what
    assert finding.mend == "load(await load(...))"


async def test_what_a_plan_runs_is_recorded_at_the_users_own_line() -> None:
    engine = WorkflowEngine()

    @engine.block
    async def main() -> int:
        return 1

    plan = await engine.plan(main)
    async with engine:
        assert await plan.run() == 1
    assert Path(__file__).name in engine.report().tasks[0].called_at
    assert engine.report().tasks[0].called_at == plan.tasks[0].called_at


async def test_a_future_that_a_cache_has_kept_from_a_plan_is_refused_in_a_run() -> None:
    engine = WorkflowEngine()
    cache: dict[str, Any] = {}

    @engine.function_task
    def load(path: str) -> str:
        return path

    def cached(path: str) -> Any:
        if path not in cache:
            cache[path] = load(path)
        return cache[path]

    async def awaits() -> Any:
        return await cached("a")

    async def gathers() -> Any:
        return await asyncio.gather(cached("a"), cached("a"))

    for target in awaits, gathers, awaits:  # in a rehearsal one is like another
        plan = await engine.plan(target)
        assert not plan.findings
        async with engine:
            for run in target, engine.block(target):
                with pytest.raises(
                    ForeignFuture, match=r"is of a rehearsal .*\n  Keep no futures .* load\(\.\.\.\)"
                ):
                    await run()
            with pytest.raises(ForeignFuture):
                cache["a"].result()
    cache.clear()
    async with engine:
        assert await plan.run() == "a"


async def test_a_condition_on_a_future_is_a_finding_and_the_rehearsal_goes_on() -> None:
    engine = WorkflowEngine()
    asked: list[int] = []

    @engine.function_task
    def count(before: int | None = None) -> int: ...

    async def flow() -> int:
        last = None
        for _ in range(3):
            last = count(last) if last else count()
            asked.append(line() - 1)
        assert last is not None
        await asyncio.wait([last])
        return await last

    plan = await engine.plan(flow)
    assert [found.where for found in plan.findings] == [f"{__file__}:{asked[0]}, in flow"]
    assert "is a future here, and not yet its value: it is neither true nor false" in plan.findings[0].what
    assert "`is not None` tells" in plan.findings[0].mend
    assert len(plan.tasks) == 3 and not plan.decisions
