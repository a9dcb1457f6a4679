"""What the decorators make of a function, and what they refuse."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import inspect
from collections.abc import AsyncIterator, Iterator
from enum import Enum
from functools import partial
from typing import Any, Protocol

import pytest

from asyncflow import UnknownBackend, WorkflowEngine

from .kit import never_called

DECORATORS = pytest.mark.parametrize("kind", ["function_task", "block"])


@DECORATORS
def test_decorated_function_keeps_name_docstring_and_signature(kind: str) -> None:
    def documented(path: str, *, deep: bool = False) -> list[str]:
        """Does a thing."""
        return [path] * deep

    documented.version = 3  # type: ignore[attr-defined]
    task = getattr(WorkflowEngine(), kind)(documented)
    assert task.__name__ == "documented"
    assert task.__qualname__ == documented.__qualname__
    assert task.__module__ == __name__
    assert task.__doc__ == "Does a thing."
    assert task.__wrapped__ is documented
    assert task.version == 3
    assert inspect.signature(task) == inspect.signature(documented)
    assert callable(task)


def test_signature_of_a_bound_method_leaves_self_out() -> None:
    engine = WorkflowEngine()

    class Model:
        @engine.function_task
        def fit(self, rows: int) -> int:
            return rows

    assert list(inspect.signature(Model().fit).parameters) == ["rows"]
    assert list(inspect.signature(Model.fit).parameters) == ["self", "rows"]


@DECORATORS
def test_decorators_work_bare_and_with_options(kind: str) -> None:
    decorator = getattr(WorkflowEngine(), kind)

    @decorator
    def bare() -> None: ...

    @decorator()
    def empty() -> None: ...

    @decorator(name="renamed", timeout=3)
    def optioned() -> None: ...

    assert repr(bare) == f"<{kind} bare>"
    assert repr(empty) == f"<{kind} empty>"
    assert repr(optioned) == f"<{kind} renamed: timeout=3>"
    assert optioned.__name__ == "optioned"


@DECORATORS
async def test_decorating_what_was_called_already_says_to_decorate_first(
    engine: WorkflowEngine, kind: str
) -> None:
    future = engine.function_task(never_called, name="fit")(1)
    with pytest.raises(TypeError) as caught:
        getattr(engine, kind)(future)
    assert str(caught.value) == (
        f"@engine.{kind} got <TaskFuture fit#1 READY>, which is a result, not a function.\n"
        f"  Decorate first, call after:  fit = engine.{kind}(fit); fit(...)"
    )


@DECORATORS
@pytest.mark.parametrize("what", [3, None.__class__, "name", int, object()])
def test_what_is_no_function_is_refused(kind: str, what: Any) -> None:
    with pytest.raises(TypeError, match="not a function"):
        getattr(WorkflowEngine(), kind)(what)


@DECORATORS
def test_decorating_twice_is_refused(kind: str) -> None:
    engine = WorkflowEngine()
    task = engine.function_task(never_called)
    with pytest.raises(TypeError, match=r"decorated already; its plain function is .fn"):
        getattr(engine, kind)(task)


def test_a_command_that_is_yielded_is_refused_with_the_mend() -> None:
    def numbers() -> Iterator[int]:
        yield 1

    async def slow_numbers() -> AsyncIterator[int]:
        yield 1

    for generator in (numbers, slow_numbers, partial(numbers)):
        with pytest.raises(TypeError, match=r"'(slow_)?numbers', which yields") as caught:
            WorkflowEngine().executable_task(generator)  # type: ignore[call-overload]
        assert "Return a list instead" in str(caught.value)


@DECORATORS
@pytest.mark.parametrize("timeout", [0, -1, float("nan")])
def test_timeout_has_to_be_more_than_nothing(kind: str, timeout: float) -> None:
    with pytest.raises(ValueError, match="more than 0"):
        getattr(WorkflowEngine(), kind)(timeout=timeout)(never_called)


def test_backend_that_the_engine_lacks_is_refused_where_it_is_named() -> None:
    engine = WorkflowEngine(backends={"io": "thread", "cpu": "thread"})
    with pytest.raises(UnknownBackend) as caught:
        engine.function_task(backend="gpu")(never_called)
    assert str(caught.value).startswith(
        "'never_called' asks for backend 'gpu', which this engine lacks. It has: cpu, io."
    )
    with pytest.raises(UnknownBackend, match="'gpu'"):
        engine.function_task(never_called).with_options(backend="gpu")


async def test_redecorating_a_name_as_a_notebook_does_just_works(threads: WorkflowEngine) -> None:
    results = []
    for version in range(3):

        @threads.function_task
        def cell(version: int = version) -> int:
            return version

        results.append(await cell())
    assert results == [0, 1, 2]


async def test_one_function_can_be_a_task_of_two_engines() -> None:
    def double(value: int) -> int:
        return value * 2

    async with WorkflowEngine("sequential") as one, WorkflowEngine("sequential") as two:
        assert await one.function_task(double)(1) == 2
        assert await two.function_task(double)(2) == 4


async def test_other_decorators_may_stand_below_and_change_the_parameters(threads: WorkflowEngine) -> None:
    def with_greeting(fn: Any) -> Any:
        @functools.wraps(fn)
        def wrapper(name: str) -> Any:
            return fn("hello", name)

        return wrapper

    @threads.function_task
    @with_greeting
    def greet(greeting: str, name: str) -> str:
        return f"{greeting} {name}"

    assert await greet("you") == "hello you"
    assert greet.__name__ == "greet"
    with pytest.raises(TypeError, match="greet"):
        greet("hello", "you")


async def test_cached_function_is_a_task_and_a_method(threads: WorkflowEngine) -> None:
    class Squares:
        @threads.function_task
        @functools.lru_cache  # noqa: B019 - the cache is what is tried here
        def of(self, value: int) -> int:
            return value * value

    squares = Squares()
    assert await asyncio.gather(squares.of(3), squares.of(3)) == [9, 9]
    assert Squares.of.fn.cache_info().currsize == 1


def test_docstring_of_a_method_task_is_the_functions() -> None:
    engine = WorkflowEngine()

    class Model:
        @engine.function_task
        def fit(self) -> None:
            """Fits."""

    assert Model.fit.__doc__ == "Fits."
    assert Model().fit.__doc__ == "Fits."
    assert Model().fit.__name__ == "fit"


@pytest.mark.parametrize("backend", ["sequential", "thread", "process"])
async def test_a_task_under_classmethod_has_all_members_of_a_task_and_they_know_the_class(
    backend: str,
) -> None:
    async with WorkflowEngine(backend) as engine:

        class Measure:
            unit = "K"

            @classmethod
            @engine.function_task
            def of(cls, day: int) -> str:
                return f"{day} {cls.unit}"

            @classmethod
            @engine.block(timeout=60)
            async def both(cls, day: int) -> list[str]:
                return await asyncio.gather(*cls.of.map([day, day + 1]))

            @classmethod
            @engine.executable_task
            def told(cls, day: int) -> list[str]:
                return ["printf", f"{day} {cls.unit}"]

        class Fahrenheit(Measure):
            unit = "F"

        for cls in (Measure, Fahrenheit, Fahrenheit()):
            assert isinstance(cls.of, type(engine.function_task(never_called)))
            assert await asyncio.gather(*cls.of.map([1, 2])) == [f"1 {cls.unit}", f"2 {cls.unit}"]
            assert await cls.of.with_options(name="other", label="a")(3) == f"3 {cls.unit}"
            assert await cls.of.on(engine)(day=4) == f"4 {cls.unit}"
            assert await cls.both(5) == [f"5 {cls.unit}", f"6 {cls.unit}"]
            assert await cls.told.with_options(name="other")(7) == f"7 {cls.unit}"
            assert await engine.submit(cls.of, 8) == f"8 {cls.unit}"
            assert cls.of.fn(9) == f"9 {cls.unit}"
            assert list(inspect.signature(cls.of).parameters) == ["day"]
        assert not [name for name in vars(Measure) if "asyncflow" in name]


@pytest.mark.parametrize("make", ["enum", "dataclass", "slots", "protocol"])
def test_classes_of_all_kinds_hold_tasks_under_classmethod(make: str) -> None:
    engine = WorkflowEngine("sequential")
    bases: dict[str, Any] = {"enum": Enum, "protocol": Protocol}

    made: dict[str, Any] = {}
    exec(SOURCE, {"engine": engine, "Kind": bases.get(make, object), "made": made})
    cls = made["cls"]
    if make in ("dataclass", "slots"):
        cls = dataclasses.dataclass(slots=make == "slots")(cls)

    async def flow() -> list[str]:
        return list(await asyncio.gather(*cls.of.map([1, 2])))

    assert engine.run(flow) == ["1 Cls", "2 Cls"]
    assert not [name for name in vars(cls) if "asyncflow" in name]


SOURCE = """
class Cls(Kind):
    @classmethod
    @engine.function_task
    def of(cls, day):
        return f"{day} {cls.__name__}"

made["cls"] = Cls
"""


@pytest.mark.parametrize("kind", ["function_task", "block", "executable_task"])
def test_a_decorator_of_the_class_asks_for_an_engine(kind: str) -> None:
    decorator: Any = getattr(WorkflowEngine, kind)
    with pytest.raises(TypeError, match=f"WorkflowEngine.{kind} belongs to an engine"):
        decorator(never_called)
