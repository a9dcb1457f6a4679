"""What a call does at once: it checks the arguments, and gives back a future."""

from __future__ import annotations

import asyncio
import inspect
import operator
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from asyncflow import State, TaskFuture, WorkflowEngine
from asyncflow._core.task import FIELDS
from asyncflow.testing import ManualBackend

from .kit import never_called, turns


async def test_call_gives_a_future_and_runs_nothing_yet(engine: WorkflowEngine) -> None:
    future = engine.function_task(never_called)()
    assert isinstance(future, TaskFuture)
    assert isinstance(future, asyncio.Future)
    assert not future.done()


async def test_call_has_all_that_a_task_has_from_the_beginning(engine: WorkflowEngine) -> None:
    call = engine.function_task(never_called)()
    task = TaskFuture(loop=asyncio.get_running_loop())
    task.set_up(call.id, call.site, (), call.kwargs, call.snapshot)
    task.story = call.story  # which has gone on
    assert {name: getattr(call, name) for name in FIELDS} == {name: getattr(task, name) for name in FIELDS}


async def test_awaiting_a_call_gives_what_the_function_returns(threads: WorkflowEngine) -> None:
    assert await threads.function_task(lambda: "value")() == "value"


async def test_exceptions_are_values_like_any_other_when_returned(threads: WorkflowEngine) -> None:
    assert isinstance(await threads.function_task(lambda: ValueError("returned"))(), ValueError)


@pytest.mark.parametrize(
    ("args", "kwargs", "said"),
    [
        ((), {}, "missing a required argument: 'left'"),
        ((1,), {}, "missing a required argument: 'right'"),
        ((1, 2, 3), {}, "too many positional arguments"),
        ((1, 2), {"speed": 3}, "unexpected keyword argument 'speed'"),
        ((1, 2), {"left": 3}, "multiple values for argument 'left'"),
    ],
)
@pytest.mark.parametrize("kind", ["function_task", "block"])
@pytest.mark.parametrize("is_async", [False, True])
async def test_wrong_arguments_are_a_type_error_at_the_call_and_schedule_nothing(
    hands: ManualBackend, args: Any, kwargs: Any, said: str, kind: str, is_async: bool
) -> None:
    engine = WorkflowEngine(hands)  # not started: a call that is refused does not even start it

    def plain(left: int, right: int) -> None:
        never_called(left, right)

    async def coroutine(left: int, right: int) -> None:
        never_called(left, right)

    task = getattr(engine, kind)(coroutine if is_async else plain, name="join")
    with pytest.raises(TypeError, match=said) as caught:
        task(*args, **kwargs)
    assert str(caught.value).startswith("join()")
    assert "(left: " in str(caught.value)  # the parameters that it does have
    await turns()
    assert hands.starts == 0
    assert hands.batches == []


async def test_wrong_arguments_do_not_use_up_a_number(engine: WorkflowEngine) -> None:
    task = engine.function_task(lambda only: None)
    with pytest.raises(TypeError):
        task()
    assert task(1).id == 1


async def test_wrong_arguments_of_a_class_of_any_nesting_name_the_task(engine: WorkflowEngine) -> None:
    class Model:
        @engine.function_task
        def fit(self, rows: list[int]) -> int:
            return len(rows)

    with pytest.raises(TypeError, match=r"fit\(\) missing a required argument: 'rows'"):
        Model().fit()


async def test_defaults_are_used(threads: WorkflowEngine) -> None:
    @threads.function_task
    def scaled(value: int, by: int = 10) -> int:
        return value * by

    assert await scaled(2) == 20
    assert await scaled(2, 3) == 6
    assert await scaled(2, by=4) == 8


async def test_keyword_only_and_positional_only_parameters_are_kept(threads: WorkflowEngine) -> None:
    @threads.function_task
    def area(width: int, /, *, height: int, unit: str = "m") -> str:
        return f"{width * height} {unit}²"

    assert await area(2, height=3) == "6 m²"
    assert await area(2, height=3, unit="km") == "6 km²"
    with pytest.raises(TypeError, match="'height'"):
        area(2)
    with pytest.raises(TypeError, match="'width'"):
        area(width=2, height=3)
    with pytest.raises(TypeError, match="too many positional"):
        area(2, 3)


async def test_any_number_of_arguments_passes_through(threads: WorkflowEngine) -> None:
    @threads.function_task
    def everything(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        return args, kwargs

    assert await everything(1, 2, name=3, backend=4, timeout=5, self=6) == (
        (1, 2),
        {"name": 3, "backend": 4, "timeout": 5, "self": 6},
    )


async def test_options_never_travel_in_the_users_keywords(threads: WorkflowEngine) -> None:
    @threads.function_task(name="shown", timeout=60)
    def call_me(name: str, timeout: int, after: int) -> tuple[str, int, int]:
        return name, timeout, after

    assert await call_me(name="Ishmael", timeout=1, after=2) == ("Ishmael", 1, 2)


async def test_a_container_among_the_arguments_is_looked_into_once(threads: WorkflowEngine) -> None:
    class Counted(list[int]):
        looks = 0

        def __iter__(self) -> Iterator[int]:
            Counted.looks += 1
            return super().__iter__()

    numbers = Counted([1, 2])
    length = threads.function_task(len)(numbers)
    assert Counted.looks == 1
    assert await length == 2


async def test_methods_are_tasks_of_their_instance(threads: WorkflowEngine) -> None:
    class Counter:
        def __init__(self, start: int) -> None:
            self.start = start

        @threads.function_task
        def plus(self, more: int) -> int:
            return self.start + more

        @threads.function_task
        async def minus(self, less: int) -> int:
            return self.start - less

        @threads.block
        async def both(self, change: int) -> tuple[int, int]:
            return await self.plus(change), await self.minus(change)

        @classmethod
        @threads.function_task
        def named(cls) -> str:
            return cls.__name__

        @staticmethod
        @threads.function_task
        def one() -> int:
            return 1

    ten, twenty = Counter(10), Counter(20)
    assert await asyncio.gather(ten.plus(1), twenty.plus(1)) == [11, 21]
    assert await ten.minus(1) == 9
    assert await twenty.both(5) == (25, 15)
    assert await Counter.plus(ten, 2) == 12
    assert await Counter.named() == "Counter"
    assert await ten.one() == 1


async def test_decorator_may_stand_on_top_of_staticmethod(threads: WorkflowEngine) -> None:
    class Tools:
        @threads.function_task
        @staticmethod
        def double(value: int) -> int:
            return value * 2

    assert await Tools.double(2) == 4
    assert await Tools().double(3) == 6


async def test_task_that_is_an_attribute_of_a_class_binds_only_what_a_function_would(
    threads: WorkflowEngine,
) -> None:
    class Tools:
        largest = threads.function_task(max)
        power = threads.function_task(partial(pow, 2))

    assert await Tools().largest(1, 3, 2) == 3
    assert await Tools().power(5) == 32


async def test_bound_method_can_be_decorated_itself(threads: WorkflowEngine) -> None:
    seen: list[int] = []
    await threads.function_task(seen.append)(7)
    assert seen == [7]


async def test_callable_objects_are_tasks(threads: WorkflowEngine) -> None:
    class Scale:
        def __init__(self, factor: int) -> None:
            self.factor = factor

        def __call__(self, value: int) -> int:
            return self.factor * value

    task = threads.function_task(Scale(3))
    assert await task(4) == 12
    assert task(4).name == "Scale"
    with pytest.raises(TypeError, match="value"):
        task()


async def test_callable_object_with_attributes_named_like_ours_works(threads: WorkflowEngine) -> None:
    class Awkward:
        def __init__(self) -> None:
            self._run = self._lane = self._engine = self._definition = "mine"
            self._parameters = self._leading = self._after = ("mine",)

        def __call__(self) -> str:
            return self._run

    assert await threads.function_task(Awkward())() == "mine"


async def test_callable_object_with_an_async_call_runs_on_the_loop(engine: WorkflowEngine) -> None:
    class Waits:
        async def __call__(self) -> asyncio.AbstractEventLoop:
            return asyncio.get_running_loop()

    assert await engine.function_task(Waits())() is asyncio.get_running_loop()


async def test_partials_are_tasks_and_know_what_is_left_to_give(threads: WorkflowEngine) -> None:
    def power(base: int, exponent: int) -> int:
        return base**exponent

    square = threads.function_task(partial(power, exponent=2))
    assert await square(5) == 25
    assert square(5).name == "power"
    with pytest.raises(TypeError, match="base"):
        square()


async def test_partial_of_a_coroutine_function_runs_on_the_loop(engine: WorkflowEngine) -> None:
    async def loop_of(_: int) -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    assert await engine.function_task(partial(loop_of, 1))() is asyncio.get_running_loop()


async def test_lambdas_and_builtins_are_tasks(threads: WorkflowEngine) -> None:
    assert await threads.function_task(lambda left, right: left + right)(1, 2) == 3
    assert await threads.function_task(len)([1, 2, 3]) == 3
    assert await threads.function_task(operator.itemgetter(1))("ab") == "b"


async def test_each_future_knows_its_number_name_and_attempts(
    engine: WorkflowEngine, hands: ManualBackend
) -> None:
    task = engine.function_task(lambda: None, name="thing")
    first, second = task(), task()
    assert (first.id, second.id) == (1, 2)
    assert first.name == "thing"
    assert first.attempts == 0
    await hands.received(1)
    assert first.attempts == 1
    assert repr(first) == "<TaskFuture thing#1 SUBMITTED>"
    hands.begin(1)
    assert first.state == "RUNNING"
    assert first.state is State.RUNNING
    assert repr(first) == "<TaskFuture thing#1 RUNNING>"


async def test_burst_of_calls_reaches_the_backend_as_one_batch(
    engine: WorkflowEngine, hands: ManualBackend
) -> None:
    task = engine.function_task(lambda _: None, name="one")
    task.map(range(100))
    await hands.received(100)
    assert hands.batches == [["one"] * 100]


async def test_result_before_the_end_says_to_await_it(engine: WorkflowEngine) -> None:
    future = engine.function_task(never_called, name="slow")()
    with pytest.raises(asyncio.InvalidStateError, match=r"has no result yet; say:  await slow\("):
        future.result()


async def test_result_after_the_end_is_the_value(engine: WorkflowEngine, hands: ManualBackend) -> None:
    future = engine.function_task(lambda: None)()
    await hands.received(1)
    hands.succeed(1, "value")
    await future
    assert future.result() == "value"
    assert future.exception() is None


async def test_submit_runs_what_is_not_decorated(threads: WorkflowEngine) -> None:
    async def coroutine(value: int) -> int:
        return value + 1

    assert await threads.submit(lambda value: value * 2, 4) == 8
    assert await threads.submit(coroutine, 4) == 5
    assert await threads.submit(threads.function_task(lambda: "decorated")) == "decorated"


async def test_submit_passes_futures_and_keywords(threads: WorkflowEngine) -> None:
    def join(*parts: str, by: str) -> str:
        return by.join(parts)

    first = threads.submit(str.upper, "a")
    assert await threads.submit(join, first, "b", by=threads.submit(str, b"-", "ascii")) == "A-b"


async def test_submit_takes_classes_as_executors_do(threads: WorkflowEngine) -> None:
    assert await threads.submit(int, "12") == 12
    assert await threads.submit(dict, a=1) == {"a": 1}


async def test_submit_takes_callables_that_cannot_be_hashed(threads: WorkflowEngine) -> None:
    class Unhashable:
        __hash__ = None  # type: ignore[assignment]

        def __call__(self) -> str:
            return "called"

    assert await threads.submit(Unhashable()) == "called"


async def test_submit_of_equal_callables_calls_each_itself(threads: WorkflowEngine) -> None:
    class Same:
        def __init__(self, value: int) -> None:
            self.value = value

        def __eq__(self, other: object) -> bool:
            return True

        def __hash__(self) -> int:
            return 1

        def __call__(self) -> int:
            return self.value

    assert await asyncio.gather(threads.submit(Same(1)), threads.submit(Same(2))) == [1, 2]


async def test_submit_does_not_remember_functions_without_end(threads: WorkflowEngine) -> None:
    await asyncio.gather(*[threads.submit(lambda value=value: value) for value in range(1_000)])
    assert len(threads._submitted) < 1_000


async def test_map_calls_once_for_each_item_and_stops_with_the_shortest(threads: WorkflowEngine) -> None:
    add = threads.function_task(lambda left, right=0: left + right)
    assert await asyncio.gather(*add.map(range(5))) == [0, 1, 2, 3, 4]
    assert await asyncio.gather(*add.map([1, 2, 3], iter([10, 20]))) == [11, 22]
    assert add.map([]) == []


async def test_calls_of_a_map_share_what_they_have_in_common(engine: WorkflowEngine) -> None:
    first, second = engine.function_task(never_called).map([1, 2])
    assert first.site is second.site
    assert "in test_calls_of_a_map_share_what_they_have_in_common" in first.explain()


async def test_map_takes_futures_as_items(threads: WorkflowEngine) -> None:
    add = threads.function_task(lambda left, right: left + right)
    first = add.map([1, 2], [3, 4])
    assert await asyncio.gather(*add.map(first, first)) == [8, 12]


async def test_map_of_wrong_arguments_is_a_type_error_at_the_call(engine: WorkflowEngine) -> None:
    with pytest.raises(TypeError, match="too many positional"):
        engine.function_task(lambda only: only).map([1], [2])


async def test_plain_function_is_at_hand_for_unit_tests() -> None:
    engine = WorkflowEngine()

    def add(left: int, right: int) -> int:
        return left + right

    class Adder:
        @engine.function_task
        def add(self, left: int, right: int) -> int:
            return left + right

    assert engine.function_task(add).fn is add
    assert Adder().add.fn(1, 2) == 3
    assert inspect.isfunction(Adder.add.fn)


async def test_generator_coroutine_or_future_as_a_result_is_a_type_error_that_says_what_to_do(
    threads: WorkflowEngine,
) -> None:
    async def coroutine() -> None:
        never_called()

    async def numbers() -> Any:
        yield 1

    other = threads.submit(lambda: 1)
    for give, mend in [
        (lambda: (number for number in range(3)), r"return list\(\.\.\.\) of it"),
        (lambda: coroutine(), "async def"),
        (lambda: numbers(), "return a list"),
        (lambda: other, "@engine.block"),
    ]:
        with pytest.raises(TypeError, match=mend) as caught:
            await threads.function_task(give, name="give")()
        assert "'give' (#" in str(caught.value)
    await other
