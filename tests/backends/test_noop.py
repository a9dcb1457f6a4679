"""The noop backend: the contract, and what stands in for results."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any, NamedTuple, Self

import pytest

from asyncflow import InputFile, OutputFile, TaskFuture, UpstreamFailed, WorkflowEngine
from asyncflow.backends.noop import NoopBackend
from asyncflow.errors import TaskCrashed
from asyncflow.testing.conformance import BackendConformance


class TestNoop(BackendConformance):
    """Nothing runs."""

    executes = False

    def make_backend(self) -> NoopBackend:
        return NoopBackend()


def never_called(*args: Any) -> Any:
    raise AssertionError(f"called with {args}")


async def never_called_later(*args: Any) -> Any:
    never_called(*args)


@pytest.fixture
async def engine() -> Any:
    async with WorkflowEngine("noop") as engine:
        yield engine


@pytest.mark.parametrize("body", [never_called, never_called_later])
async def test_no_function_is_called(engine: WorkflowEngine, body: Any) -> None:
    await engine.submit(body, 1, 2)


@pytest.mark.parametrize("body", [never_called, never_called_later])
async def test_a_dry_run_of_any_engine_calls_no_function(body: Any) -> None:
    async with WorkflowEngine("thread", dry_run=True) as engine:
        await engine.submit(body)


async def test_blocks_run_and_go_on_with_stand_ins(engine: WorkflowEngine) -> None:
    steps: list[str] = []
    load = engine.function_task(never_called, name="load")

    @engine.block
    async def pipeline() -> Any:
        rows = await load("a.csv")
        for row in rows:
            steps.append(str(row))
        return await load(rows["first"].name, rows + 1)

    result = await pipeline()
    assert steps == ["<stand-in for load#2[0]>"]
    assert repr(result) == "<stand-in for load#3>"


async def test_all_that_is_submitted_is_over_at_once(engine: WorkflowEngine) -> None:
    futures = [engine.submit(never_called, number) for number in range(100)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert all(future.done() for future in futures)


# -- values from annotations ------------------------------------------------------------------------------


@dataclasses.dataclass
class Model:
    error: float
    weights: list[float]
    notes: Any


class Score(NamedTuple):
    name: str
    value: float


class Fitter:
    """With methods that are tasks."""

    def fitted(self) -> Self:
        raise AssertionError

    def score(self, rows: list[int]) -> Score:
        raise AssertionError


def fit(rows: list[float], degree: int = 1) -> Model:
    raise AssertionError


async def fetch(url: str) -> bytes:
    raise AssertionError


def nothing() -> None:
    raise AssertionError


async def test_a_value_is_of_the_type_that_the_function_returns(engine: WorkflowEngine) -> None:
    assert await engine.submit(fetch, "a") == b"1"
    assert await engine.submit(nothing) is None
    model = await engine.submit(fit, [1.0])
    assert (model.error, model.weights, repr(model.notes)) == (1.0, [1.0], "<stand-in for fit#3.notes>")
    assert await engine.function_task(fetch)("a") == b"1"
    assert (await engine.submit(functools.partial(fit, degree=2), [1.0])).weights == [1.0]
    assert (await engine.submit(Model, 1.0, [], None)).weights == [1.0]


async def test_methods_return_themselves_and_what_they_are_annotated_with(engine: WorkflowEngine) -> None:
    fitter = Fitter()
    assert isinstance(await engine.submit(fitter.fitted), Fitter)
    assert await engine.submit(fitter.score, [1]) == Score("1", 1.0)


async def test_values_that_nobody_can_change_are_made_once_and_others_for_each_task(
    engine: WorkflowEngine,
) -> None:
    models = await asyncio.gather(*(engine.submit(fit, [1.0]) for _ in range(3)))
    models[0].weights.append(2.0)
    assert models[1].weights == [1.0]
    assert len({id(model) for model in models}) == 3
    scores = await asyncio.gather(*(engine.submit(Fitter().score, [1]) for _ in range(2)))
    assert scores[0] == scores[1]
    pages = await asyncio.gather(*(engine.submit(fetch, "a") for _ in range(2)))
    assert pages[0] is pages[1]


async def test_what_cannot_be_hashed_can_be_a_task(engine: WorkflowEngine) -> None:
    class Unhashable:
        __hash__ = None  # type: ignore[assignment]

        def __call__(self) -> int:
            raise AssertionError

    assert await engine.function_task(Unhashable(), name="it")() == 1


async def test_no_function_is_remembered_for_ever(engine: WorkflowEngine) -> None:
    backend = next(iter(engine._backends.values()))
    for _ in range(10_000):
        await engine.function_task(lambda: 1, name="it")()
    assert isinstance(backend, NoopBackend)
    assert len(backend._types) <= 4096
    await engine.shutdown()
    assert backend._types == {}


# -- example= ---------------------------------------------------------------------------------------------


async def test_an_example_is_the_value_as_it_is(engine: WorkflowEngine) -> None:
    rows = [1.0, 2.0]
    for example in (rows, None, 0, "text", Score("a", 2.0)):
        assert await engine.function_task(example=example)(never_called)() is example
    assert repr(await engine.function_task(never_called)()) == "<stand-in for never_called#6>"


async def test_an_example_that_can_be_called_is_made_of_the_arguments(engine: WorkflowEngine) -> None:
    @engine.function_task(example=lambda rows, degree=1: Model(len(rows) / degree, rows, None))
    def fit(rows: list[float], degree: int = 1) -> Model:
        raise AssertionError

    load = engine.function_task(never_called, example=lambda path: [1.0] * len(path))
    assert (await fit(load("abcd"), degree=2)).error == 2.0
    assert (await fit([1.0])).error == 1.0


async def test_the_example_of_a_method_gets_its_object(engine: WorkflowEngine) -> None:
    class Counter:
        def __init__(self, start: int) -> None:
            self.start = start

        @engine.function_task(example=lambda self, more: self.start + more)
        def count(self, more: int) -> int:
            raise AssertionError

    assert await Counter(3).count(4) == 7


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(3)])
async def test_an_example_that_raises_fails_its_task_by_name(
    engine: WorkflowEngine, error: BaseException
) -> None:
    def broken(path: str) -> Any:
        raise error

    load = engine.function_task(never_called, name="load", example=broken)
    failing = load("a")
    after = engine.submit(never_called, failing)
    with pytest.raises(type(error) if isinstance(error, Exception) else TaskCrashed) as caught:
        await failing
    assert "in task 'load' (#1), called at" in "".join(caught.value.__notes__)
    assert "raised by the example= of 'load'" in "".join(error.__notes__)
    with pytest.raises(UpstreamFailed, match=r"'load' \(#1\) failed"):
        await after


async def test_an_example_that_does_not_fit_the_arguments_fails_the_task(engine: WorkflowEngine) -> None:
    with pytest.raises(TypeError, match="takes 0 positional arguments but 1 was given"):
        await engine.function_task(never_called, example=lambda: 1)("a")


async def test_with_options_changes_the_example_and_keeps_it(engine: WorkflowEngine) -> None:
    load = engine.function_task(never_called, example=1)
    assert await load.with_options(name="other")() == 1
    assert await load.with_options(example=2)() == 2
    assert await load.with_options(example=None)() is None
    assert await load.with_options(example=lambda: 3).with_options(timeout=2)() == 3
    assert await load() == 1


async def test_a_block_takes_no_example_because_it_runs(engine: WorkflowEngine) -> None:
    @engine.block
    async def steps() -> int:
        return 1

    with pytest.raises(TypeError, match="'steps': example=3: the body of a block runs also in a dry run"):
        steps.with_options(example=3)


async def test_an_example_means_nothing_where_tasks_run() -> None:
    async with WorkflowEngine("thread") as engine:
        assert await engine.function_task(lambda: 1, example=2)() == 1


# -- commands ---------------------------------------------------------------------------------------------


async def test_a_command_gives_text_and_a_captured_one_a_path(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    async with WorkflowEngine(dry_run=True) as engine:
        echo = engine.executable_task(lambda: ["echo"], name="echo")
        assert await echo() == "1"
        assert await echo.with_options(example="two words\n")() == "two words\n"
        assert await engine.executable_task(example=lambda n: "x" * n)(never_called)(3) == "xxx"
        path = await echo.with_options(capture_stdio=True)()
        assert isinstance(path, Path)
        assert path.read_text() == "1"
        assert not await asyncio.to_thread(Path(str(path)).exists)

        @engine.executable_task(capture_stdio=True, example=Path("a.txt"))
        def render(out: OutputFile) -> list[str]:
            raise AssertionError

        rendered = render(OutputFile("b"))
        assert await rendered == Path("a.txt")
        assert await rendered.outputs["b"] == Path("b")
        assert (await rendered.outputs["b"]).read_text() == "1"
        assert await engine.submit(never_called, InputFile(rendered.outputs["b"])) is not None
        assert await render(OutputFile("*.txt")).outputs["*.txt"] == [Path("*.txt")]


# -- whole blocks -----------------------------------------------------------------------------------------


async def test_a_block_that_computes_branches_and_loops_runs_dry_to_its_end() -> None:
    told: list[tuple[str, str, int]] = []
    backend = NoopBackend(decided=lambda kind, origin, filename, line: told.append((kind, origin, line)))

    async with WorkflowEngine(backend) as engine:
        load = engine.function_task(lambda path: never_called(path), name="load")
        train = engine.function_task(fit)
        score = engine.function_task(lambda *models: never_called(*models), name="score")
        calls: list[TaskFuture[Any]] = []

        @engine.block
        async def search(paths: list[str]) -> Any:
            tables = [await load(path) for path in paths]
            models = [await train([row.value for row in table], degree=2) for table in tables]
            best = max(models, key=lambda model: model.error)
            found = await score(best.weights[0] / best.error, *models)
            while found.error > 0.1:
                calls.append(score(found))
                found = await calls[-1]
            if found.name == "good" and len(found.rows) > 0:
                calls.append(load(f"{found.name}.csv"))
            for name, (low, high) in found.ranges.items():
                calls.append(score(name, high - low))
            good, *others = await score(found)
            return [good, others, sum(row.value for row in found.rows), {**found.options}]

        first = search.fn.__code__.co_firstlineno + 1
        result = await search(["a", "b"])
    assert len(calls) == 3
    assert all(future.done() for future in calls)
    assert len(result) == 4
    assert [(kind, line - first) for kind, _, line in told] == [
        ("for", 2),
        ("for", 2),
        ("while", 5),
        ("while", 5),
        ("if", 8),
        ("if", 8),
        ("for", 10),
        ("unpacking", 10),
        ("unpacking", 10),
        ("unpacking", 12),
        ("for", 13),
        ("iteration", 13),
    ]


async def test_a_recursive_block_ends() -> None:
    async with WorkflowEngine(dry_run=True) as engine:
        halve = engine.function_task(never_called, name="halve")
        depths: list[int] = []

        @engine.block
        async def solve(part: Any, depth: int = 0) -> Any:
            depths.append(depth)
            if part.size > 100:
                halves = await halve(part)
                return [solve(each, depth + 1) for each in halves]
            return part

        await solve(halve())
    assert depths == [0, 1]


async def test_each_start_decides_anew() -> None:
    engine = WorkflowEngine("noop")
    answers = []
    for _ in range(2):
        async with engine:
            for _ in range(2):
                value = await engine.submit(never_called)
                answers.append(bool(value.error > 1))
    assert answers == [True, False, True, False]


def test_a_dry_run_imports_nothing_that_is_not_named() -> None:
    code = """
        import sys
        from dataclasses import dataclass
        from asyncflow import WorkflowEngine

        engine = WorkflowEngine(dry_run=True)

        @dataclass
        class Model:
            error: float
            rows: "list[dict[str, pd.DataFrame]]"

        @engine.function_task
        def fit(n) -> Model | None: ...

        @engine.function_task
        def rest(n): ...

        @engine.block
        async def main():
            model, other = await fit(1), await rest(2)
            return [model.rows, other.x > 1, fit(other)]

        engine.run(main)
        heavy = {"numpy", "pandas", "pydantic", "attr", "attrs"}
        print(sorted(heavy & set(sys.modules)))
    """
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(code)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (ran.stdout, ran.stderr) == ("[]\n", "")
