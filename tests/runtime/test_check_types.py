"""`check_types=True`: arguments and results are held to their annotations as they flow."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self, TypeVar

import numpy
import pytest

from asyncflow import InputFile, OutputFile, TaskFuture, TypeMismatch, UpstreamFailed, WorkflowEngine
from asyncflow.testing import ManualBackend

if TYPE_CHECKING:
    from nowhere import Missing  # type: ignore[import-not-found]

T = TypeVar("T")


@dataclass
class Model:
    error: float


class HasError(Protocol):
    error: float


@pytest.fixture(params=["thread", "process", "sequential"])
async def checked(request: pytest.FixtureRequest) -> AsyncIterator[WorkflowEngine]:
    async with WorkflowEngine(request.param, workers=2, check_types=True) as engine:
        yield engine


def load(rows: Any) -> list[float]:
    return rows  # type: ignore[no-any-return]


def anything(value: Any) -> Any:
    return value


def fit(rows: list[float], degree: int = 1, *more: str, **options: bool) -> float:
    return float(len(rows) * degree)


async def test_a_result_of_a_wrong_type_fails_its_task_alone(checked: WorkflowEngine) -> None:
    task = checked.function_task(load)
    wrong, right = task([1.0, "2"]), task([1.0, 2])
    after = checked.function_task(fit)(wrong)
    assert await right == [1.0, 2]  # int passes for float
    with pytest.raises(TypeMismatch) as caught:
        await wrong
    assert str(caught.value) == "the result of 'load' (#1) is not list[float]: item 1 is str, '2'"
    assert caught.value.source is None
    with pytest.raises(UpstreamFailed, match=r"'load' .#1. failed, TypeMismatch: the result of 'load'"):
        await after


async def test_an_argument_of_a_wrong_type_fails_before_its_task_runs(checked: WorkflowEngine) -> None:
    task = checked.function_task(fit)
    given = checked.function_task(anything)([1.0, 2.5, "3.5"])
    wrong = task(given)
    with pytest.raises(TypeMismatch) as caught:
        await wrong
    assert str(caught.value) == (
        "argument 'rows' of 'fit' (#2) is not list[float]: item 2 is str, '3.5'; it came from 'anything' (#1)"
    )
    error = caught.value
    assert (error.task_id, error.name, error.argument, error.expected, error.source) == (
        2,
        "fit",
        "rows",
        "list[float]",
        ("anything", 1),
    )
    assert await task([1.0], 2, "a", "b", flag=True) == 2.0


@pytest.mark.parametrize(
    ("args", "kwargs", "told"),
    [
        (("rows",), {}, "argument 'rows' of 'fit' (#1) is not list[float]: it is str, 'rows'"),
        (([1.0], "2"), {}, "argument 'degree' of 'fit' (#1) is not int: it is str, '2'"),
        (([1.0],), {"degree": None}, "argument 'degree' of 'fit' (#1) is not int: it is NoneType, None"),
        (([1.0], 1, "a", 2), {}, "argument '*more' of 'fit' (#1) is not str: it is int, 2"),
        (([1.0],), {"flag": 3}, "argument 'flag' of 'fit' (#1) is not bool: it is int, 3"),
    ],
)
async def test_every_sort_of_argument_is_checked(args: Any, kwargs: Any, told: str) -> None:
    async with WorkflowEngine(check_types=True) as engine:
        with pytest.raises(TypeMismatch) as caught:
            await engine.function_task(fit)(*args, **kwargs)
    assert str(caught.value) == told


async def test_the_task_is_named_whose_result_is_wrong_inside_a_container() -> None:
    async with WorkflowEngine(check_types=True) as engine:
        give = engine.function_task(anything)
        with pytest.raises(TypeMismatch, match=r"item 1 is str, 'x'; it came from 'anything' \(#2\)"):
            await engine.function_task(fit)([give(1.0), give("x"), 3.0])


async def test_what_is_submitted_by_hand_never_sees_a_wrong_argument() -> None:
    hands = ManualBackend()
    async with WorkflowEngine(hands, check_types=True) as engine:
        task = engine.function_task(fit)
        wrong, right = task("rows"), task([1.0])  # type: ignore[arg-type]
        await hands.received("fit")
        assert hands.waiting == ["fit"]
        with pytest.raises(TypeMismatch):
            await wrong
        hands.succeed("fit", "no float")
        with pytest.raises(
            TypeMismatch, match=r"the result of 'fit' .#2. is not float: it is str, 'no float'"
        ):
            await right


async def test_chains_are_checked_link_by_link(checked: WorkflowEngine) -> None:
    def step(value: int) -> int:
        return value + 1 if value < 2 else "three"  # type: ignore[return-value]

    task = checked.function_task(step)
    links = [task(0)]
    for _ in range(4):
        links.append(task(links[-1]))
    assert [await link for link in links[:2]] == [1, 2]
    with pytest.raises(TypeMismatch, match=r"the result of 'step' .#3. is not int: it is str, 'three'"):
        await links[2]
    with pytest.raises(UpstreamFailed):
        await links[4]


async def test_coroutines_and_their_chains_are_checked() -> None:
    async def step(value: int) -> int:
        await asyncio.sleep(0)
        return str(value)  # type: ignore[return-value]

    async with WorkflowEngine(check_types=True) as engine:
        first = engine.function_task(step)(1)
        second = engine.function_task(step)(first)
        with pytest.raises(TypeMismatch, match=r"the result of 'step' .#1. is not int: it is str, '1'"):
            await first
        with pytest.raises(UpstreamFailed):
            await second


async def test_blocks_are_checked_when_what_they_returned_is_resolved() -> None:
    async with WorkflowEngine(check_types=True) as engine:
        give = engine.function_task(anything)

        @engine.block
        def one(value: Any) -> TaskFuture[int]:
            return give(value)

        @engine.block
        async def many(values: list[int]) -> list[TaskFuture[int]]:
            return [give(value) for value in values]

        @engine.block
        async def plain(value: Any) -> int:
            return value  # type: ignore[no-any-return]

        assert (await one(1), await many([1, 2]), await plain(3)) == (1, [1, 2], 3)
        for wrong, told in (
            (one("a"), "the result of 'one' (#{}) is not int: it is str, 'a'"),
            (many(["a"]), "argument 'values' of 'many' (#{}) is not list[int]: item 0 is str, 'a'"),  # type: ignore[list-item]
            (plain(None), "the result of 'plain' (#{}) is not int: it is NoneType, None"),
        ):
            with pytest.raises(TypeMismatch) as caught:
                await wrong
            assert str(caught.value) == told.format(wrong.id)


async def test_commands_and_files_are_checked_as_the_paths_that_they_get(tmp_path: Path) -> None:
    given = tmp_path / "given.txt"
    given.write_text("a\n")
    async with WorkflowEngine(check_types=True, keep="none") as engine:

        @engine.executable_task
        def copy(files: list[InputFile], times: int, out: OutputFile = OutputFile("out.txt")) -> str:
            return f"cat {files[0]} > {out}; cat {out}"

        @engine.executable_task(capture_stdio=True)
        def captured(file: InputFile) -> list[str]:
            return ["cat", str(file)]

        @engine.function_task
        def size(file: Path, *more: Path) -> int:
            return file.stat().st_size

        @engine.function_task
        def text(file: str) -> str:
            return file

        made = copy([InputFile(given)], 1)
        assert await made == "a\n"
        assert isinstance(await captured(InputFile(given)), Path)
        assert await size(InputFile(made.outputs["out.txt"]), made.outputs["out.txt"]) == 2
        with pytest.raises(TypeMismatch, match=r"argument 'times' of 'copy' .* is not int: it is str, '1'"):
            await copy([InputFile(given)], "1")
        with pytest.raises(TypeMismatch, match=r"argument 'file' of 'text' .* is not str: it is PosixPath"):
            await text(InputFile(given))


async def test_a_result_of_a_wrong_type_publishes_nothing(tmp_path: Path) -> None:
    async with WorkflowEngine(check_types=True, keep="none") as engine:

        @engine.function_task
        def make(out: Path) -> int:
            out.write_text("made")
            return "no number"  # type: ignore[return-value]

        with pytest.raises(TypeMismatch):
            await make(OutputFile("a", to=tmp_path / "a"))
    assert not (tmp_path / "a").exists()


async def test_what_cannot_be_resolved_or_understood_is_not_checked() -> None:
    def unresolved(value: Missing, other: list[Missing]) -> Missing:
        return value

    def strange(value: 3, other: "no type at all") -> [int]:  # type: ignore[valid-type]  # noqa: F722
        return value

    def generic(value: T, others: Sequence[T]) -> T:
        return value

    def protocol(model: HasError, kind: Literal["a", "b"]) -> Model | None:
        return None

    class Station:
        def __init__(self, engine: WorkflowEngine) -> None: ...

    async with WorkflowEngine(check_types=True) as engine:
        assert await engine.submit(unresolved, 1, ["a"]) == 1
        assert await engine.submit(strange, 1, 2) == 1
        assert await engine.submit(generic, 1, [2]) == 1
        assert await engine.submit(len, "abc") == 3
        assert await engine.submit(protocol, Model(0.1), "a") is None
        with pytest.raises(TypeMismatch, match="argument 'kind' of 'protocol'"):
            await engine.submit(protocol, Model(0.1), "c")
        with pytest.raises(TypeMismatch, match=r"argument 'model' of 'protocol' .* it is int, 3"):
            await engine.submit(protocol, 3, "a")


def _rows(rows: list[Missing]) -> int:
    return len(rows)


def _parts(parts: list[Path]) -> int:
    return len(parts)


def _numbers(numbers: Sequence[float], limit: int = None) -> int:  # type: ignore[assignment]  # noqa: RUF013
    return len(numbers)


def _as_text(fn: Any) -> Any:
    @functools.wraps(fn)
    def call(*args: Any, **kwargs: Any) -> str:
        return str(fn(*args, **kwargs))

    return call


@_as_text
def _count(rows: list[int]) -> int:
    return len(rows)


class Account:
    def __init__(self, amount: int) -> None:
        self.amount = amount

    def added(self, other: Self) -> Self:
        return type(self)(self.amount + other.amount)


GLOB = "*.part"
SAID: dict[str, tuple[Callable[..., Any], tuple[Any, ...], bool]] = {
    "a name that only type checkers know, inside of a list": (_rows, ("a",), False),
    "a list of what only type checkers know": (_rows, ([1],), True),
    "an array for a sequence": (_numbers, (numpy.ones(2),), True),
    "text for a sequence of numbers": (_numbers, ("ab",), False),
    "None where that is the default": (_numbers, ([1.0], None), True),
    "a number of NumPy's": (fit, ([numpy.float32(1)], numpy.int64(2)), True),
    "a fraction of NumPy's for a whole number": (fit, ([1.0], numpy.float64(2.5)), False),
    "what a wrapper makes of it": (_count, ([1],), True),
    "one of the same class": (Account.added, (Account(1), Account(2)), True),
    "one of another class": (Account.added, (Account(1), 2), False),
    "the last of many": (_parts, ([Path("a")] * 3000 + ["b"],), False),
}


@pytest.mark.parametrize("name", SAID)
async def test_a_plan_and_a_run_read_annotations_alike(name: str) -> None:
    function, args, fits = SAID[name]
    async with WorkflowEngine(check_types=True) as engine:
        task = engine.function_task(function)
        try:
            await task(*args)
        except TypeMismatch:
            assert not fits
        else:
            assert fits
        plan = await engine.plan(task, *args)
        if name != "the last of many":  # a plan looks at so much of an argument
            assert bool(plan.findings) is not fits


async def test_a_pattern_is_many_paths_for_a_plan_and_a_run(tmp_path: Path) -> None:
    async with WorkflowEngine(check_types=True, work_dir=tmp_path) as engine:

        @engine.executable_task
        def split(parts: OutputFile = OutputFile(GLOB)) -> str:
            return "touch a.part b.part"

        count = engine.function_task(_parts)

        @engine.function_task
        def text(part: str) -> str:
            return part

        @engine.block
        async def right() -> int:
            made = split()
            return await count(InputFile(made.outputs[GLOB])) + await count(made.outputs[GLOB])

        @engine.block
        async def wrong() -> Any:
            return await text(InputFile(split().outputs[GLOB]))

        assert (await engine.plan(right)).findings == ()
        assert await right() == 4
        assert len((await engine.plan(wrong)).findings) == 1
        with pytest.raises(TypeMismatch):
            await wrong()


async def test_methods_are_checked_but_for_their_instance() -> None:
    class Station:
        def __init__(self, engine: WorkflowEngine) -> None:
            self.measure = engine.function_task(self.measured)

        def measured(self, day: int) -> float:
            return float(day)

    async with WorkflowEngine(check_types=True) as engine:
        station = Station(engine)
        assert await station.measure(3) == 3.0
        with pytest.raises(TypeMismatch, match="argument 'day' of 'measured'"):
            await station.measure("monday")


async def test_a_value_is_shown_in_short_and_does_nothing_to_a_terminal() -> None:
    class Hostile:
        def __repr__(self) -> str:
            raise LookupError

    async with WorkflowEngine(check_types=True) as engine:
        task = engine.function_task(fit)
        for value in ("\x1b[2J" * 1000, Hostile(), [Hostile()], [*range(100_000), Hostile()]):
            with pytest.raises(TypeMismatch) as caught:
                await task(value)
            assert len(str(caught.value)) < 300
            assert str(caught.value).isprintable()


async def test_a_failure_stays_the_failure_that_it_is(checked: WorkflowEngine) -> None:
    def fails() -> int:
        raise ValueError("need 2 rows")

    with pytest.raises(ValueError, match="need 2 rows"):
        await checked.function_task(fails)()


async def test_a_cancelled_task_is_cancelled_whatever_it_gives() -> None:
    hands = ManualBackend()
    async with WorkflowEngine(hands, check_types=True) as engine:
        future = engine.function_task(fit)([1.0])
        await hands.received("fit")
        future.cancel()
        hands.succeed("fit", "no float")
        await engine.settled(future)
        assert future.cancelled()


async def test_without_the_option_nothing_is_checked(threads: WorkflowEngine) -> None:
    assert await threads.function_task(load)("no list") == "no list"
    assert "_submit" not in vars(threads._run)


async def test_a_dry_run_does_not_check_what_stands_in() -> None:
    async with WorkflowEngine(dry_run=True, check_types=True) as engine:
        assert await engine.function_task(fit, example="a")([1.0]) == "a"


@pytest.mark.parametrize(
    ("annotation", "value", "fits"),
    [
        (int, numpy.int64(3), True),
        (float, numpy.float32(1.5), True),
        (float, numpy.int64(3), True),
        (bool, numpy.bool_(True), True),
        (str, numpy.str_("a"), True),
        (list[float], [numpy.float32(1.5), 2.0], True),
        (dict[str, tuple[int, ...]], {"a": (numpy.int64(1), 2)}, True),
        (set[int], {numpy.int64(1)}, True),
        (int, numpy.float64(1.5), False),
        (list[int], [1, numpy.float32(1.5)], False),
        (str, numpy.int64(3), False),
        (int, numpy.ones(1, dtype=int), False),
        (list[str], ["a", 3], False),
    ],
)
async def test_numbers_of_numpy_do_for_pythons(annotation: Any, value: Any, fits: bool) -> None:
    def give() -> Any:
        return value

    give.__annotations__["return"] = annotation
    async with WorkflowEngine(check_types=True) as engine:
        future = engine.function_task(give)()
        if fits:
            assert await future is value
        else:
            with pytest.raises(TypeMismatch, match=type(value).__name__ if annotation is int else "str|item"):
                await future
