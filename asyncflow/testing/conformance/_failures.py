"""Tasks that raise what is awkward to carry, and tasks that return what is no value."""

from __future__ import annotations

import asyncio
import threading
import traceback
from pathlib import Path
from typing import Any

import pytest

from ... import InputFile, OutputFile, State, TaskCrashed, TaskSkipped, WorkflowEngine, optional, outcome
from ...errors import RemoteError, StagingError
from .. import bad_tasks as bad
from .. import failing_tasks
from ._base import Conformance, Engine, PeakMemory, applies, asynchronous, failure_of, own_engine, told

_MUCH = 1_000_000  # characters; nobody wants more told beside an exception


@applies(executes=True)
@asynchronous
class Failures(Conformance):
    """The error arrives on the right future, under the user's name."""

    @pytest.mark.parametrize("kind", failing_tasks.ERRORS)
    async def test_an_error_arrives_as_itself_or_in_an_envelope(self, engine: Engine, kind: str) -> None:
        future = engine.submit(failing_tasks.fail, kind)
        error = await failure_of(future)
        raised = type(failing_tasks.ERRORS[kind]())
        assert future.state is State.FAILED
        if self.backend.needs_pickle:
            self.check_travelled(error, raised)
        else:
            assert type(error).__qualname__ == raised.__qualname__
        if kind != "takes no notes":
            assert "'fail'" in "\n".join(error.__notes__)
            assert __file__ in "\n".join(error.__notes__)
        self.check_shows_where(error)

    def check_travelled(self, error: BaseException, raised: type[BaseException]) -> None:
        """Check what has come from another process: the class or an envelope, with no more told than can be read."""
        if type(error).__name__ != raised.__name__:
            assert isinstance(error, RemoteError)
            assert error.kind.rpartition(".")[2] == raised.__name__
        with_notes = "\n".join(getattr(error, "__notes__", ()))
        assert len(with_notes) < _MUCH

    def check_shows_where(self, error: BaseException) -> None:
        """Check that the traceback, of here or of there, names the function."""
        frames = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
        there = [*getattr(error, "__notes__", ()), getattr(error, "traceback", "")]
        assert "fail" in frames or any(" in fail\n" in text for text in there)

    async def test_a_skip_is_no_failure_and_goes_on_to_what_depends_on_it(self, engine: Engine) -> None:
        first = engine.submit(failing_tasks.skip, "no rows")
        last = engine.submit(bad.same, engine.submit(bad.same, first))
        for future in (first, last):
            error = await failure_of(future)
            assert isinstance(error, TaskSkipped) and error.reason == "no rows"
            assert future.state is State.SKIPPED

    async def test_how_a_task_ended_arrives_at_another(self, engine: Engine) -> None:
        ends = [
            engine.submit(failing_tasks.skip, "no rows"),
            engine.submit(failing_tasks.fail, "plain"),
            engine.submit(bad.same, 3),
        ]
        arrived = await engine.submit(bad.same, [optional(ends[0]), *map(outcome, ends)])
        assert arrived[0] is None
        assert [(each.state, each.value) for each in arrived[1:]] == [
            (State.SKIPPED, None),
            (State.FAILED, None),
            (State.SUCCEEDED, 3),
        ]
        assert isinstance(arrived[1].error, TaskSkipped) and arrived[1].error.reason == "no rows"

    @pytest.mark.parametrize("kind", failing_tasks.DEEP)
    async def test_an_error_arrives_as_it_was_all_the_way_down(self, engine: Engine, kind: str) -> None:
        there = self.seen(failing_tasks.DEEP[kind]())
        failed, returned = (
            engine.submit(failing_tasks.fail_deep, kind),
            engine.submit(failing_tasks.deep, kind),
        )
        assert self.seen(await failure_of(failed)) == there
        assert self.seen(await returned) == there
        assert self.seen(await engine.submit(bad.same, failing_tasks.DEEP[kind]())) == there

    def seen(self, error: object) -> Any:
        """What an error is, and what is in it."""
        if isinstance(error, (list, tuple)):
            return [self.seen(each) for each in error]
        if not isinstance(error, BaseException):
            return error
        within = [
            getattr(error, "held", None),
            error.__cause__,
            *getattr(error, "exceptions", ()),
            error.args,
        ]
        return type(error).__name__, str(error), self.seen(within)

    @pytest.mark.parametrize("kind", failing_tasks.ERRORS)
    async def test_a_coroutines_error_arrives_as_itself(self, engine: Engine, kind: str) -> None:
        error = await failure_of(engine.submit(failing_tasks.fail_later, kind))
        raised = type(failing_tasks.ERRORS[kind]())
        assert type(error).__name__ == raised.__name__ or isinstance(error, RemoteError)

    @pytest.mark.parametrize("kind", failing_tasks.ENDS)
    @pytest.mark.parametrize(
        "body", [failing_tasks.fail, failing_tasks.fail_at_once, failing_tasks.fail_later]
    )
    async def test_what_would_end_a_program_is_a_crash_of_that_task_alone(
        self, engine: Engine, body: object, kind: str
    ) -> None:
        await self.check_crash(engine, engine.submit(body, kind), kind)

    @applies(takes_coroutines=True)
    @pytest.mark.parametrize("kind", failing_tasks.ENDS)
    @pytest.mark.parametrize("body", [failing_tasks.fail_at_once, failing_tasks.fail_later])
    async def test_what_would_end_a_program_is_a_crash_in_a_coroutine_on_the_backend(
        self, body: Any, kind: str
    ) -> None:
        async with WorkflowEngine(backends={"it": self.backend}, grace=self.grace) as engine:
            await self.check_crash(engine, engine.function_task(backend="it")(body)(kind), kind)
            await self.check_next_tasks(engine)

    @pytest.mark.parametrize("kind", [kind for kind in failing_tasks.ENDS if kind != "CancelledError"])
    @pytest.mark.parametrize(
        "body", [failing_tasks.fail, failing_tasks.fail_at_once, failing_tasks.fail_later]
    )
    async def test_what_would_end_a_program_is_a_crash_of_a_block(
        self, engine: Engine, body: object, kind: str
    ) -> None:
        await self.check_crash(engine, engine.block(body)(kind), kind)

    async def check_crash(self, engine: Engine, future: Any, kind: str) -> None:
        """Check that a task has failed by `TaskCrashed` and that others go on."""
        neighbour = engine.submit(bad.add, 1, 2)
        error = await failure_of(future)
        assert future.state is State.FAILED
        assert isinstance(error, TaskCrashed)
        assert (error.name, error.task_id) == (future.name, future.id)
        raised = type(failing_tasks.ENDS[kind]())
        assert type(error.__cause__) is raised or isinstance(error.__cause__, RemoteError)
        assert raised.__name__ in str(error)
        assert await neighbour == 3
        task = asyncio.current_task()
        assert task is not None
        assert not task.cancelling()

    async def test_recursion_without_end_is_an_error(self, engine: Engine) -> None:
        assert isinstance(await failure_of(engine.submit(failing_tasks.recurse)), RecursionError)

    async def test_memory_that_is_not_there_is_an_error(self, engine: Engine) -> None:
        error = await failure_of(engine.submit(failing_tasks.take_all_memory))
        assert isinstance(error, (MemoryError, OverflowError))

    @pytest.mark.parametrize("kind", ["plain", "SystemExit"])
    async def test_a_failure_reaches_every_awaiter_each_time(self, engine: Engine, kind: str) -> None:
        future = engine.submit(failing_tasks.fail, kind)
        first = await asyncio.gather(future, return_exceptions=True)
        second = await asyncio.gather(future, return_exceptions=True)
        assert first[0] is second[0] is future.exception()

    async def test_failures_of_many_reach_each_its_own_future(self, engine: Engine) -> None:
        futures = [
            engine.submit(failing_tasks.fail if number % 3 else bad.same, "plain") for number in range(300)
        ]
        results = await asyncio.gather(*futures, return_exceptions=True)
        assert [isinstance(result, ValueError) for result in results] == [
            bool(number % 3) for number in range(300)
        ]

    @own_engine  # its directory stays as long as it runs
    @applies(executes=True, stages_files=True, carries_files=True)
    async def test_files_come_to_where_a_task_runs_and_back(self, engine: Engine, tmp_path: Path) -> None:
        (tmp_path / "a.txt").write_text("one")
        for content in ("one", "two"):
            (tmp_path / "a.txt").write_text(content)
            future = engine.submit(bad.reversed_file, InputFile(tmp_path / "a.txt"), OutputFile("b.txt"))
            assert await future == content
            assert (await future.outputs["b.txt"]).read_text() == content[::-1]

    @applies(stages_files=True, shares_filesystem=False, carries_files=False)
    async def test_files_are_refused_in_words_where_those_of_this_machine_are_not(
        self, engine: Engine, tmp_path: Path
    ) -> None:
        (tmp_path / "a.txt").write_text("one")
        with pytest.raises(StagingError, match=r"^'same' \(#1\) declares files, .* does not share the files"):
            engine.submit(bad.same, InputFile(tmp_path / "a.txt"))
        assert await engine.submit(bad.same, "what is in it") == "what is in it"


@applies(executes=True)
@asynchronous
class Values(Conformance):
    """Results and arguments of every kind."""

    @pytest.mark.parametrize("body", [bad.generator, bad.coroutine, bad.async_generator])
    async def test_what_runs_only_where_it_is_read_is_no_result(self, engine: Engine, body: Any) -> None:
        future = engine.submit(body)
        error = await failure_of(future)
        assert isinstance(error, TypeError)
        assert body.__name__.replace("_", " ") in str(error).replace("_", " ")
        assert repr(future.name) in told(error)

    @pytest.mark.parametrize("body", [bad.generator, bad.coroutine, bad.async_generator])
    async def test_neither_is_it_one_of_a_coroutine_task(self, engine: Engine, body: Any) -> None:
        async def later() -> Any:
            return body()

        assert isinstance(await failure_of(engine.submit(later)), TypeError)

    @applies(in_process=False)
    @pytest.mark.parametrize(("body", "kind"), [(bad.open_file, "an open file"), (bad.lock, "lock")])
    async def test_what_cannot_be_sent_is_no_result(self, engine: Engine, body: object, kind: str) -> None:
        future = engine.submit(body)
        error = await failure_of(future)
        assert isinstance(error, TypeError)
        assert kind in str(error)
        assert repr(future.name) in told(error)

    @applies(in_process=True)
    async def test_in_this_process_any_object_is_a_result(self, engine: Engine) -> None:
        lock = await engine.submit(bad.lock)
        assert type(lock) is type(threading.Lock())
        with await engine.submit(bad.open_file) as file:
            assert not file.closed

    async def test_a_list_nested_ten_thousand_deep_arrives_or_is_an_error(self, engine: Engine) -> None:
        future = engine.submit(bad.nested, 10_000)
        await asyncio.wait([future])
        if self.backend.needs_pickle and future.exception() is not None:
            assert not isinstance(future.exception(), TaskCrashed)
        else:
            assert bad.depth_of(future.result()) == 10_000

    @applies(in_process=False)
    @pytest.mark.parametrize("by_keyword", [False, True])
    async def test_an_argument_that_cannot_be_sent_is_named(self, engine: Engine, by_keyword: bool) -> None:
        lock = threading.Lock()
        future = engine.submit(bad.add, 1, b=lock) if by_keyword else engine.submit(bad.add, 1, lock)
        error = await failure_of(future)
        assert isinstance(error, TypeError)
        assert "'b'" in str(error)
        assert "lock" in str(error)
        assert "'add'" in told(error)

    @applies(in_process=False)
    async def test_an_argument_that_cannot_be_sent_harms_no_other_of_its_batch(self, engine: Engine) -> None:
        unsendable = [number % 7 == 3 for number in range(50)]
        futures = [engine.submit(bad.same, threading.Lock() if each else 1) for each in unsendable]
        results = await asyncio.gather(*futures, return_exceptions=True)
        assert [isinstance(result, TypeError) for result in results] == unsendable

    @pytest.mark.parametrize(
        "size",
        [
            pytest.param(0, id="nothing"),
            pytest.param(1 << 16, id="64 KiB, as much as a pipe holds"),
            pytest.param(20_000_000, id="20 MB"),
            pytest.param(200_000_000, id="200 MB", marks=pytest.mark.soak),
            pytest.param(2 << 30, id="2 GiB", marks=pytest.mark.soak),
        ],
    )
    async def test_a_result_of_any_size_arrives(self, engine: Engine, size: int) -> None:
        future = engine.submit(bad.zeros, size)
        small = [engine.submit(bad.add, number, 1) for number in range(50)]
        assert await asyncio.gather(*small) == list(range(1, 51))
        assert len(await future) == size

    async def test_a_large_result_costs_about_one_copy_here(self, engine: Engine) -> None:
        size = 50_000_000
        await engine.submit(bad.add, 1, 2)
        memory = PeakMemory()
        result = await engine.submit(bad.noise, size)
        assert len(result) == size
        assert memory.growth < 1.5 * size

    @pytest.mark.soak
    async def test_an_array_of_four_gibibytes_arrives(self, engine: Engine) -> None:
        pytest.importorskip("numpy")
        assert (await engine.submit(bad.array, 4 << 30)).nbytes == 4 << 30

    async def test_a_large_argument_arrives(self, engine: Engine) -> None:
        assert len(await engine.submit(bad.same, bytes(50_000_000))) == 50_000_000
