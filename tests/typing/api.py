"""How the public face is used by typed code. Checked by mypy --strict and pyright strict; never run.

A line that must be refused carries an ignore, and an ignore that is not needed is an error in both checkers.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections import deque
from collections.abc import AsyncIterator, Generator, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, assert_type

from asyncflow import (
    BlockOptions,
    CommandOptions,
    InputFile,
    Outcome,
    OutputFile,
    Plan,
    Report,
    RunningService,
    State,
    TaskFuture,
    TaskOptions,
    WorkflowEngine,
    awaited,
    current,
    first_success,
    http,
    n_of,
    optional,
    outcome,
    port,
    worker_local,
)
from asyncflow.events import Event

told: list[Event] = []
engine = WorkflowEngine(backend="thread", workers=2)
named = WorkflowEngine(backends={"cpu": "thread", "io": concurrent.futures.ThreadPoolExecutor()})


@engine.function_task
def load(path: str) -> list[float]:
    return [float(len(path))]


@engine.function_task
def fit(rows: list[float], degree: int = 1, *, weight: float = 1.0) -> bytes:
    return bytes(len(rows) + degree + int(weight))


@engine.function_task(name="fetch", timeout=timedelta(seconds=3))
async def fetch(url: str, tries: int) -> str:
    return url * tries


@engine.function_task(backend="thread")
def add(*numbers: int) -> int:
    return sum(numbers)


@engine.function_task(example=2.5)
def measured(rows: list[float]) -> float:
    return sum(rows)


@engine.function_task(expected=timedelta(seconds=30))
def expected(number: int) -> int:
    return number


def zeros(size: int) -> list[float]:
    return [0.0] * size


@engine.function_task(name="made up", example=zeros)
async def drawn(size: int) -> list[float]:
    return [1.0] * size


@engine.executable_task(example="3 files", expected=3)
def listed(folder: Path) -> list[str]:
    return ["ls", str(folder)]


@engine.executable_task(capture_stdio=True, example=Path)
def captured(folder: Path) -> list[str]:
    return ["ls", str(folder)]


@engine.executable_task(text=False, shell=["bash", "-o", "pipefail", "-c"], example=b"")
def raw(folder: Path) -> str:
    return "true"


@engine.function_task
def only_keywords(*, first: int, second: str) -> None: ...


@engine.function_task
def five(a: int, b: int, c: int, d: int, e: str) -> None: ...


@engine.function_task
def pick(models: Sequence[bytes], names: dict[str, int]) -> bytes:
    return models[len(names)]


class Station:
    @engine.function_task
    def measure(self, day: int, unit: str = "K") -> float:
        return float(day + len(unit))

    @engine.function_task
    async def average(self, days: list[int]) -> float:
        return sum(days) / len(days)

    def usual(self, day: int, unit: str = "K") -> float:
        return float(day + len(unit))


@engine.block
async def pipeline(paths: list[str]) -> bytes:
    return await pick([fit(load(path)) for path in paths], {})


@engine.block(name="returns what is still to come")
async def later(path: str) -> TaskFuture[bytes]:
    return fit(load(path))


@engine.block
def wired(path: str) -> TaskFuture[bytes]:
    return fit(load(path))


@engine.block
def many(paths: list[str]) -> list[TaskFuture[bytes]]:
    return [fit(load(path)) for path in paths]


async def one() -> int:
    return 1


def shout(text: str) -> str:
    return text.upper()


class Measures:
    """A task may be a class method, in either checker's eyes, too."""

    @classmethod
    @engine.function_task
    def of(cls, day: str, *, times: int = 1) -> list[int]:
        return [len(day) * times]

    @staticmethod
    @engine.function_task
    async def plain(day: str) -> int:
        return len(day)


def class_methods_are_tasks() -> None:
    assert_type(Measures.of("monday"), TaskFuture[list[int]])
    assert_type(Measures().of("monday", times=2), TaskFuture[list[int]])
    assert_type(Measures.plain("monday"), TaskFuture[int])
    Measures.of(1)  # type: ignore[call-overload]


def options_may_be_given_beside_the_function() -> None:
    assert_type(engine.function_task(shout, name="loud")("a"), TaskFuture[str])
    assert_type(engine.function_task(one, timeout=3)(), TaskFuture[int])
    assert_type(engine.block(shout, name="loud")("a"), TaskFuture[str])
    assert_type(engine.executable_task(shout, name="loud")("a"), TaskFuture[str])
    assert_type(engine.executable_task(shout, capture_stdio=True)("a"), TaskFuture[Path])
    engine.function_task(shout, nam="loud")  # type: ignore[call-overload]


async def keywords_that_do_not_fit_are_refused_where_none_is_a_future(number: TaskFuture[int]) -> None:
    await fit(rows=[1.0], degre=2)  # type: ignore[misc, deprecated]
    await fit([1.0], degre=2)  # type: ignore[misc, deprecated]
    await fit(load("a.csv"), degre=2)  # type: ignore[misc, deprecated]
    await fit(rows=[1.0], degree="2")  # type: ignore[misc, deprecated]
    await fit(load("a.csv"), number, weigth=0.5)  # type: ignore[misc, deprecated]
    await fit()  # type: ignore[misc, deprecated]
    fit(load(pth="a.csv"))  # type: ignore[call-overload, deprecated]
    assert_type(fit(rows=load("a.csv"), degree=2), TaskFuture[bytes])
    assert_type(fit(rows=[1.0], degree=number), TaskFuture[bytes])


class Model:
    """Of a user, and no future."""


@dataclass(frozen=True)
class Settings:
    """The same, with a hash of its own."""

    rounds: int


@engine.function_task
def train(rows: list[float], model: Model, settings: Settings | None = None) -> bytes:
    return bytes(len(rows))


def keywords_that_do_not_fit_are_refused_where_nobody_uses_the_future(model: Model) -> None:
    fit([1.0], degre=3)  # type: ignore[deprecated]
    fit(rows=[1.0], degree="2")  # type: ignore[deprecated]
    fit(load("a.csv"), degre=3)  # type: ignore[deprecated]
    fit([1.0], add(1), weigth=3)  # type: ignore[deprecated]
    fit([1.0], degree=model)  # type: ignore[deprecated]
    train([1.0], modl=model)  # type: ignore[deprecated]
    train(rows=[1.0], modl=model)  # type: ignore[deprecated]
    train(load("a.csv"), model, setings=Settings(3))  # type: ignore[deprecated]


def futures_are_accepted_beside_objects_of_a_users_classes(
    model: Model, made: TaskFuture[Model], settings: Settings, plain: asyncio.Future[int]
) -> None:
    assert_type(train(rows=load("a.csv"), model=model), TaskFuture[bytes])
    assert_type(train(rows=load("a.csv"), model=model, settings=settings), TaskFuture[bytes])
    assert_type(train([1.0], model=made, settings=settings), TaskFuture[bytes])
    assert_type(train([1.0], model=model, settings=settings), TaskFuture[bytes])
    assert_type(train(rows=[add(1), 2.0], model=model), TaskFuture[bytes])
    assert_type(fit([1.0], degree=plain), TaskFuture[bytes])
    assert_type(fit(rows=[1.0], degree=plain, weight=2.0), TaskFuture[bytes])


async def outputs_are_paths(copied: TaskFuture[str]) -> None:
    assert_type(copied.outputs["a.txt"], TaskFuture[Path])
    assert_type(await copied.outputs.all("*.txt"), list[Path])


def labels_are_text(names: list[str]) -> None:
    assert_type(fetch.with_options(label="S17")("u", 1), TaskFuture[str])
    assert_type(load.map(names, label=names), list[TaskFuture[list[float]]])
    load.map(names, label=[1])  # type: ignore[list-item]


def a_thread_is_given_a_future_of_its_own() -> None:
    assert_type(engine.from_thread(fetch, "u", 1).result(), str)
    assert_type(engine.from_thread(one).result(), int)
    engine.from_thread(shout, "a")  # type: ignore[call-overload]


def values_are_accepted() -> None:
    assert_type(load("a.csv"), TaskFuture[list[float]])
    assert_type(fit([1.0]), TaskFuture[bytes])
    assert_type(fit([1.0], 2, weight=0.5), TaskFuture[bytes])
    assert_type(fit(rows=[1.0], degree=2), TaskFuture[bytes])
    assert_type(fetch("u", 3), TaskFuture[str])
    assert_type(add(), TaskFuture[int])
    assert_type(add(1, 2, 3, 4, 5, 6), TaskFuture[int])
    assert_type(only_keywords(first=1, second="b"), TaskFuture[None])


def futures_are_accepted_in_place_of_values() -> None:
    number, text = add(1), fetch("u", 1)
    assert_type(fit(load("a.csv")), TaskFuture[bytes])
    assert_type(fit(load(text)), TaskFuture[bytes])
    assert_type(fit(load("a.csv"), number), TaskFuture[bytes])
    assert_type(fit([1.0], number), TaskFuture[bytes])
    assert_type(fit(load("a.csv"), 2, weight=0.5), TaskFuture[bytes])
    assert_type(fit(load("a.csv"), degree=2), TaskFuture[bytes])
    assert_type(fetch(text, number), TaskFuture[str])
    assert_type(add(number, 1, number), TaskFuture[int])
    assert_type(add(number, 1, number, 1, number, 1), TaskFuture[int])
    assert_type(five(number, 1, number, 1, text), TaskFuture[None])


def futures_are_accepted_by_keyword() -> None:
    number, text = add(1), fetch("u", 1)
    assert_type(fit(rows=load("a.csv"), degree=number, weight=0.5), TaskFuture[bytes])
    assert_type(fit(load("a.csv"), degree=number), TaskFuture[bytes])
    assert_type(only_keywords(first=number, second=text), TaskFuture[None])
    assert_type(only_keywords(first=number, second="b"), TaskFuture[None])


def futures_are_accepted_inside_containers() -> None:
    models = [fit(load("a.csv")), fit(load("b.csv"))]
    assert_type(pick(models, {}), TaskFuture[bytes])
    assert_type(pick((models[0], models[1]), {"a": 1}), TaskFuture[bytes])
    assert_type(pick(models, {"a": add(1)}), TaskFuture[bytes])


class Pool:
    """What can be awaited and is no future."""

    def __await__(self) -> Generator[Any, Any, list[float]]:
        raise NotImplementedError


def containers_of_futures_and_values_are_accepted() -> None:
    station = Station()
    one = station.measure(1, "C")
    assert_type(fit([one, 2.0]), TaskFuture[bytes])
    assert_type(fit([one, 2.0], 3, weight=1.0), TaskFuture[bytes])
    assert_type(fit(deque([one])), TaskFuture[bytes])
    assert_type(fit({"a": one}.values()), TaskFuture[bytes])
    assert_type(pick([b"a"], {"a": 1, "b": add(1)}), TaskFuture[bytes])
    assert_type(fit(awaited(Pool())), TaskFuture[bytes])
    fit([one, "a"])  # type: ignore[list-item]
    fit(["a"])  # type: ignore[list-item]
    fit(Pool())  # type: ignore[call-overload]


def any_future_task_and_coroutine_is_accepted(
    plain: asyncio.Future[int], pool: concurrent.futures.Future[int], task: asyncio.Task[int]
) -> None:
    assert_type(add(plain), TaskFuture[int])
    assert_type(add(pool), TaskFuture[int])
    assert_type(add(task), TaskFuture[int])
    assert_type(add(one()), TaskFuture[int])
    assert_type(pick(asyncio.gather(fit([1.0])), {}), TaskFuture[bytes])


def wrong_arguments_are_refused() -> None:
    number = add(1)
    load(1)  # type: ignore[call-overload]
    load(number)  # type: ignore[arg-type]
    fit([1.0], "2")  # type: ignore[arg-type]
    fit(load("a.csv"), load("b.csv"))  # type: ignore[arg-type]
    fetch("u", 1, 2)  # type: ignore[call-overload]
    add("1", number)  # type: ignore[arg-type]
    Station().measure("monday")  # type: ignore[arg-type]
    load.map([1])  # type: ignore[list-item]


def blocks_resolve_what_they_return() -> None:
    assert_type(pipeline(["a.csv"]), TaskFuture[bytes])
    assert_type(later("a.csv"), TaskFuture[bytes])
    assert_type(later(fetch("u", 1)), TaskFuture[bytes])
    assert_type(wired("a.csv"), TaskFuture[bytes])
    assert_type(many(["a.csv"]), TaskFuture[list[bytes]])


def methods_lose_their_instance() -> None:
    station = Station()
    assert_type(station.measure(1, "C"), TaskFuture[float])
    assert_type(station.measure(add(1), fetch("u", 1)), TaskFuture[float])
    assert_type(station.measure.fn(1), float)
    assert_type(station.average([1, 2]), TaskFuture[float])


async def the_plain_function_is_kept() -> None:
    assert_type(fit.fn([1.0], degree=2), bytes)
    assert_type(await fetch.fn("u", tries=1), str)
    load.fn(add(1))  # type: ignore[arg-type]


def options_keep_the_signature() -> None:
    first = load("a.csv")
    assert_type(fit.with_options(name="again", timeout=2.5, after=[first])(first), TaskFuture[bytes])
    assert_type(fit.with_options(backend="thread", after=first)([1.0], degree=2), TaskFuture[bytes])
    assert_type(pipeline.with_options(timeout=3)(["a.csv"]), TaskFuture[bytes])
    fit.with_options(after=first)("rows")  # type: ignore[arg-type]


def examples_keep_the_signature_and_are_of_the_type_of_the_value() -> None:
    assert_type(measured([1.0]), TaskFuture[float])
    assert_type(drawn(3), TaskFuture[list[float]])
    assert_type(listed(Path()), TaskFuture[str])
    assert_type(captured(Path()), TaskFuture[Path])
    assert_type(raw(Path()), TaskFuture[bytes])
    assert_type(measured.with_options(example=1.5)([1.0]), TaskFuture[float])
    assert_type(drawn.with_options(example=[])(3), TaskFuture[list[float]])
    assert_type(drawn.with_options(example=zeros)(3), TaskFuture[list[float]])
    assert_type(listed.with_options(example="none")(Path()), TaskFuture[str])
    assert_type(captured.with_options(example=Path)(Path()), TaskFuture[Path])
    assert_type(Station().measure.with_options(example=Station.usual)(1), TaskFuture[float])
    measured.with_options(example="1.5")  # type: ignore[arg-type]
    listed.with_options(example=zeros)  # type: ignore[arg-type]
    engine.executable_task(example=3)  # type: ignore[call-overload]


def map_takes_one_iterable_for_each_argument() -> None:
    assert_type(load.map(["a.csv", "b.csv"]), list[TaskFuture[list[float]]])
    assert_type(fit.map(load.map(["a.csv"])), list[TaskFuture[bytes]])
    assert_type(fetch.map(["u"], range(3)), list[TaskFuture[str]])


async def a_future_is_awaited_like_any_other() -> None:
    model = fit(load("a.csv"))
    assert_type(await model, bytes)
    assert_type(await asyncio.gather(model, add(1)), tuple[bytes, int])
    assert_type(await asyncio.wait_for(model, 1), bytes)
    assert_type(model.id, int)
    assert_type(model.name, str)
    assert_type(model.state, State)
    assert_type(model.attempts, int)
    assert_type(model.explain(), str)
    assert_type(model.cancel("enough"), bool)
    await engine.settled(model)


async def an_engine_has_a_life() -> None:
    async with engine as same:
        assert_type(same, WorkflowEngine)
    assert_type(await WorkflowEngine.create(backend="thread"), WorkflowEngine)
    with engine.workflow_scope("nightly"):
        await engine.shutdown(wait=False)


def a_script_runs_what_it_likes() -> None:
    assert_type(engine.run(pipeline, ["a.csv"]), bytes)
    assert_type(engine.run(fit, [1.0], degree=2), bytes)
    assert_type(engine.run(many, ["a.csv"]), list[bytes])
    assert_type(engine.run(one), int)
    assert_type(engine.run(one()), int)
    engine.run(pipeline, 1)  # type: ignore[call-overload]


async def a_plan_takes_what_would_be_called() -> None:
    plan = await engine.plan(pipeline, ["a.csv"])
    assert_type(plan, Plan)
    assert_type(plan.check(), Plan)
    await plan.check().run()
    assert_type(await engine.plan(fit, [1.0], degree=2), Plan)
    assert_type(await engine.plan(fit, [1.0], weight=2.0), Plan)
    assert_type(await engine.plan(shout, text="a"), Plan)
    assert_type(await engine.plan(one), Plan)
    assert_type(await engine.plan(one()), Plan)
    assert_type(await engine.plan(Station().measure, 1), Plan)
    assert_type(await engine.plan(), Plan)
    await engine.plan(pipeline, 1)  # type: ignore[call-overload]
    await engine.plan(shout, txt="a")  # type: ignore[call-overload]


def what_happened_can_be_asked_for_and_listened_to() -> None:
    report = engine.report()
    assert_type(report, Report)
    assert_type(report.task(1).waits, dict[str, float])
    assert_type(report.tasks[0].name, str)
    assert_type(Report.from_journal("run.jsonl"), Report)
    assert_type([event.time for event in told], list[float])
    leave = engine.subscribe(told.extend)
    leave()
    engine.subscribe(told)  # type: ignore[arg-type]
    assert_type(WorkflowEngine(journal=Path("run.jsonl"), report_limit=0, check_types=True), WorkflowEngine)
    assert_type(WorkflowEngine(tail_timeout=timedelta(seconds=1)), WorkflowEngine)
    assert_type(engine.function_task(len, detached=True)("abc"), TaskFuture[int])
    assert_type(engine.function_task(len, keep=True)("abc"), TaskFuture[int])


def engines_have_defaults_for_options() -> None:
    WorkflowEngine(defaults=TaskOptions(retries=2, timeout=timedelta(seconds=3), retry_on=(OSError,)))
    WorkflowEngine(defaults=[TaskOptions(), BlockOptions(deadline=60), CommandOptions(env={"A": 1})])
    WorkflowEngine(defaults=TaskOptions(retrys=2))  # type: ignore[call-arg]
    WorkflowEngine(defaults=TaskOptions(retries="2"))  # type: ignore[arg-type]
    WorkflowEngine(defaults=BlockOptions(expected=2))  # type: ignore[call-arg]
    WorkflowEngine(defaults={"retries": 2})  # type: ignore[arg-type]


def more(attempt: int, error: BaseException | None) -> int:
    return attempt


def tasks_need_amounts() -> None:
    WorkflowEngine(amounts={"gpus": 2, "memory": 32e9})
    assert_type(fit.with_options(cores=0.5, memory=more, gpus=more)([1.0]), TaskFuture[bytes])
    assert_type(fit.with_options(gpus=1, amounts={"licence": more})([1.0]), TaskFuture[bytes])
    assert_type(listed.with_options(cores=2)(Path()), TaskFuture[str])
    assert_type(current().gpus, tuple[int, ...])
    fit.with_options(gpus="1")  # type: ignore[arg-type]
    WorkflowEngine(amounts={"gpus": "2"})  # type: ignore[dict-item]


def durations_are_expected_in_seconds_or_as_such() -> None:
    assert_type(expected(1), TaskFuture[int])
    assert_type(fit.with_options(expected=2.5)([1.0]), TaskFuture[bytes])
    assert_type(listed.with_options(expected=timedelta(minutes=2))(Path()), TaskFuture[str])


def functions_that_are_not_decorated_can_be_submitted() -> None:
    assert_type(engine.submit(shout, "a"), TaskFuture[str])
    assert_type(engine.submit(shout, text=fetch("u", 1)), TaskFuture[str])
    assert_type(engine.submit(one), TaskFuture[int])


@engine.function_task
def copied(source: Path, target: Path = OutputFile("copy")) -> int:
    return target.write_bytes(source.read_bytes())


@engine.executable_task
def packed(source: InputFile, target: OutputFile) -> list[str | Path]:
    return ["gzip", "-c", source, target.with_suffix(".gz")]


def files_are_declared_where_paths_are_wanted() -> None:
    path = Path("a")
    assert_type(
        copied(InputFile(path, sha256="0" * 64), OutputFile("b", to="s3://bucket/b")), TaskFuture[int]
    )
    assert_type(packed(InputFile(path), OutputFile("b")), TaskFuture[str])
    assert_type(copied(InputFile(copied(path).outputs["copy"])), TaskFuture[int])
    InputFile(path, checksum="0")  # type: ignore[call-arg]
    OutputFile(path)  # type: ignore[arg-type]


def which_task() -> None:
    me = current()
    assert_type((me.id, me.name, me.attempt), tuple[int, str, int])
    assert_type(me.label, str | None)
    assert_type(me.workflow, str | None)
    me.attempt = 2  # type: ignore[misc]


@engine.function_task
def tidied(end: Outcome[bytes], rows: list[float] | None) -> int:
    if end.value is not None:
        assert_type(end.value, bytes)
    assert_type(end.error, BaseException | None)
    assert_type(end.state, State)
    return len(rows or [])


async def what_goes_by_how_tasks_end_is_typed() -> None:
    rows, model = load("a"), fit([1.0])
    assert_type(outcome(model), TaskFuture[Outcome[bytes]])
    assert_type(optional(rows), TaskFuture[list[float] | None])
    assert_type(optional(add(1), "none"), TaskFuture[int | str])
    assert_type(optional(add(1), default="none"), TaskFuture[int | str])
    assert_type(tidied(outcome(model), optional(rows)), TaskFuture[int])
    assert_type(first_success([model, model]), TaskFuture[bytes])
    assert_type(n_of((add(1), add(2)), 2), TaskFuture[list[int]])
    assert_type((await outcome(model)).value, bytes | None)
    assert_type(fit(first_success([rows, rows])), TaskFuture[bytes])
    fit(outcome(rows))  # type: ignore[arg-type]
    fit(optional(rows))  # type: ignore[arg-type]
    outcome(1)  # type: ignore[arg-type]
    n_of([model], "2")  # type: ignore[arg-type]


@engine.resource
def connection() -> Iterator[bytes]:
    yield b""


@engine.resource
async def client(connection: bytes = connection) -> AsyncIterator[float]:
    yield float(len(connection))


@engine.function_task
def stored(row: str, connection: bytes = connection) -> int:
    return len(row) + len(connection)


@engine.function_task
async def asked(row: str, *, client: float = client) -> float:
    return len(row) * client


def resources_need_not_be_given() -> None:
    assert_type(connection, bytes)
    assert_type(stored("row"), TaskFuture[int])
    assert_type(stored("row", b"fake"), TaskFuture[int])
    assert_type(stored(row="row", connection=b"fake"), TaskFuture[int])
    assert_type(stored.map(["a", "b"]), list[TaskFuture[int]])
    assert_type(asked("row"), TaskFuture[float])
    assert_type(asked("row", client=1.5), TaskFuture[float])
    engine.resource(zeros)  # type: ignore[arg-type]
    worker_local.anything = worker_local.count + 1


@engine.service
async def database(folder: str) -> AsyncIterator[bytes]:
    yield folder.encode()


@engine.service(stop_after="users", ready_timeout=timedelta(minutes=1), retries=2)
def folder() -> Iterator[Path]:
    yield Path()


@engine.executable_task(service=True, ready=port(8080), stop_after="run", env={"A": "b"})
def server(place: Path) -> list[str]:
    return ["serve", str(place)]


@engine.function_task
def use(data: bytes, running: RunningService) -> int:
    return len(data) + running.pid


def services_give_what_they_yield_and_commands_what_runs() -> None:
    assert_type(database("a"), TaskFuture[bytes])
    assert_type(folder(), TaskFuture[Path])
    assert_type(server(folder()), TaskFuture[RunningService])
    assert_type(use(database("a"), server(folder())), TaskFuture[int])
    assert_type(server.with_options(ready=http("http://localhost/", 204), ready_timeout=3)(Path()).id, int)
    assert_type(engine.executable_task(shout, service=True, ready="up")("a"), TaskFuture[RunningService])
    assert_type(engine.executable_task(shout, service=True, ready=shout)("a").result().port, int | None)
    use(folder(), server(folder()))  # type: ignore[arg-type]
    engine.service(load)  # type: ignore[arg-type]
    engine.service(stop_after="never")  # type: ignore[call-overload]
    assert_type(engine.report().services[0].users, tuple[int, ...])


@engine.on_shutdown
def said_at_the_end() -> None: ...


@engine.on_shutdown(timeout=timedelta(seconds=2))
async def left_at_the_end() -> int:
    return 1


async def hooks_stay_what_they_are() -> None:
    assert_type(said_at_the_end(), None)
    assert_type(await left_at_the_end(), int)
    engine.remove_on_shutdown(said_at_the_end)
    engine.on_shutdown(zeros)  # type: ignore[type-var]


def blocks_may_stop_at_a_failure() -> None:
    WorkflowEngine(on_failure="stop")
    WorkflowEngine(on_failure="halt")  # type: ignore[arg-type]

    @engine.block(on_failure="stop")
    async def stops(number: int) -> int:
        return number

    assert_type(stops(1), TaskFuture[int])
    assert_type(stops.with_options(on_failure="continue")(1), TaskFuture[int])
    stops.with_options(on_failure="halt")  # type: ignore[arg-type]
    engine.function_task(on_failure="stop")  # type: ignore[call-overload]
    WorkflowEngine(defaults=BlockOptions(on_failure="stop"))
