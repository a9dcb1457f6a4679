"""A resource is set up once on each worker that needs it, given to tasks that ask for it, and torn down in the end."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import pytest

from asyncflow import WorkerDied, WorkflowEngine, current
from asyncflow.backends.process import ProcessBackend

from .kit import Bell, script
from .test_current import POOLS
from .test_current import engine as engine  # noqa: PLC0414 - a fixture

PLACES = ["thread", "process", "sequential", *POOLS]


class Diary:
    """Lines that whoever has it adds to a file, from any process."""

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "diary")

    def add(self, line: str) -> None:
        with open(self.path, "a") as file:
            file.write(line + "\n")

    @property
    def lines(self) -> list[str]:
        return Path(self.path).read_text().split("\n")[:-1] if os.path.exists(self.path) else []


@pytest.fixture
def diary(tmp_path: Path) -> Diary:
    return Diary(tmp_path)


def model_of(engine: WorkflowEngine, diary: Diary) -> list[int]:
    """A resource: a list, whose type it has for checkers."""

    @engine.resource
    def model() -> Iterator[list[int]]:
        diary.add("up")
        yield []
        diary.add("down")

    return model


def added_to(model: list[int]) -> Any:
    def add(item: int, model: list[int] = model) -> int:
        model.append(item)
        return len(model)

    return add


def added_later(model: list[int]) -> Any:
    async def add(item: int, model: list[int] = model) -> int:
        await asyncio.sleep(0)
        model.append(item)
        return len(model)

    return add


# -- on every worker ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [added_to, added_later])
@pytest.mark.parametrize("place", PLACES)
async def test_it_is_set_up_on_first_use_kept_and_torn_down_with_the_worker(
    place: str, make: Any, diary: Diary
) -> None:
    if place in POOLS:
        with POOLS[place](1) as pool:
            engine = WorkflowEngine(pool)
            async with engine:
                await _use_three_times(engine, make, diary)
    else:
        engine = WorkflowEngine(place, workers=1)
        async with engine:
            await _use_three_times(engine, make, diary)
    assert diary.lines == ["up", "down"]


async def _use_three_times(engine: WorkflowEngine, make: Any, diary: Diary) -> None:
    add = engine.function_task(make(model_of(engine, diary)))
    assert diary.lines == []
    assert [await add(item) for item in range(3)] == [1, 2, 3]
    assert diary.lines == ["up"]


async def test_each_thread_has_its_own(diary: Diary) -> None:
    barrier = threading.Barrier(2)
    async with WorkflowEngine("thread", workers=2) as engine:
        model = model_of(engine, diary)

        @engine.function_task
        def which(model: list[int] = model) -> int:
            barrier.wait()
            return id(model)

        assert len({*await asyncio.gather(which(), which())}) == 2
    assert diary.lines == ["up", "up", "down", "down"]


async def test_a_value_in_the_call_goes_first_and_nothing_is_set_up(
    engine: WorkflowEngine, diary: Diary
) -> None:
    model = model_of(engine, diary)
    add = engine.function_task(added_to(model))
    later = engine.function_task(added_later(model))
    assert [await add(1, [7]), await add(1, model=[]), await later(1, [7]), await later(1, model=[])] == [
        2,
        1,
        2,
        1,
    ]
    assert added_to(model)(1, [1, 2]) == 3
    assert diary.lines == []


async def test_a_future_may_be_that_value(engine: WorkflowEngine, diary: Diary) -> None:
    add = engine.function_task(added_to(model_of(engine, diary)))
    assert await add(1, engine.submit(list, (1, 2, 3))) == 4


async def test_an_annotation_asks_for_it_too(engine: WorkflowEngine, diary: Diary) -> None:
    model = model_of(engine, diary)

    @engine.function_task
    def add(item: int, model: Annotated[list[int], model]) -> int:
        model.append(item)
        return len(model)

    @engine.function_task
    def by_name(item: int, *, model: Annotated[list[int], "words", model]) -> int:
        return len(model) + item

    first: Any = await add(1)  # type: ignore[call-overload]  # a default tells checkers that it need not be given
    assert first == 1
    assert await add(2, [1, 2]) == 3
    assert await by_name(1, model=[]) == 1


async def test_a_resource_may_ask_for_others_and_ends_before_them(
    engine: WorkflowEngine, diary: Diary
) -> None:
    model = model_of(engine, diary)

    @engine.resource
    def table(model: list[int] = model) -> Iterator[dict[str, list[int]]]:
        diary.add("table up")
        yield {"rows": model}
        diary.add("table down")

    @engine.function_task
    def use(table: dict[str, list[int]] = table, model: list[int] = model) -> bool:
        return table["rows"] is model

    assert await use()
    await engine.shutdown()
    if "executor" not in str(engine):
        assert diary.lines in (["up", "table up", "table down", "down"], ["up", "table up"])


@pytest.mark.parametrize("place", ["thread", "process", "sequential"])
async def test_those_set_up_last_are_torn_down_first(place: str, diary: Diary) -> None:
    async with WorkflowEngine(place, workers=1) as engine:

        def named(name: str, needs: Any) -> Any:
            def made(needs: Any = needs) -> Iterator[str]:
                diary.add(f"{name} up")
                yield name
                diary.add(f"{name} down")

            return engine.resource(made)

        first = named("first", None)
        second = named("second", first)

        @engine.function_task
        def use(second: Any = second, first: Any = first) -> list[str]:
            return [first, second]

        assert await use() == ["first", "second"]
    assert diary.lines == ["first up", "second up", "second down", "first down"]


@pytest.mark.parametrize("place", ["thread", "process", "sequential"])
async def test_methods_chains_and_labels_go_on_as_ever(place: str, diary: Diary) -> None:
    async with WorkflowEngine(place, workers=1) as engine:
        model = model_of(engine, diary)

        class Steps:
            @engine.function_task(label="m")
            def step(self, before: int, model: list[int] = model) -> int:
                model.append(before)
                return before + len(model)

        steps = Steps()
        future = steps.step(0)
        for _ in range(3):
            future = steps.step(future)
        assert await future == 1 + 2 + 3 + 4


# -- what goes wrong ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [added_to, added_later])
async def test_a_setup_that_fails_fails_the_task_which_is_tried_again(
    engine: WorkflowEngine, make: Any, diary: Diary
) -> None:
    @engine.resource
    def model() -> Iterator[list[int]]:
        diary.add("tried")
        if len(diary.lines) < 3:
            raise ConnectionError("refused")
        yield []

    add = engine.function_task(make(model))
    failed = add(1)
    with pytest.raises(ConnectionError, match="refused") as caught:
        await failed
    assert "while resource 'model' was set up" in caught.value.__notes__
    assert any(f"'add' (#{failed.id})" in note for note in caught.value.__notes__)
    tried = add.with_options(retries=2, retry_delay=0)(1)
    assert await tried == 1
    assert (tried.attempts, len(diary.lines)) == (2, 3)


async def test_a_function_that_yields_nothing_is_told(engine: WorkflowEngine) -> None:
    @engine.resource
    def model() -> Iterator[list[int]]:
        if os.getpid() < 0:
            yield []

    with pytest.raises(RuntimeError, match="'model' has given no value: its function ended without a yield"):
        await engine.function_task(added_to(model))(1)


@pytest.mark.parametrize("place", ["thread", "sequential"])
async def test_what_goes_wrong_at_the_end_is_logged_and_the_rest_is_torn_down(
    place: str, diary: Diary, caplog: pytest.LogCaptureFixture
) -> None:
    async with WorkflowEngine(place, workers=1) as engine:
        model = model_of(engine, diary)

        @engine.resource
        def bad(model: list[int] = model) -> Iterator[int]:
            yield 1
            raise OSError("no route")

        @engine.resource
        def twice() -> Iterator[int]:
            yield 1
            yield 2

        @engine.function_task
        def use(bad: int = bad, twice: int = twice) -> int:
            return bad + twice

        assert await use() == 2
    assert diary.lines == ["up", "down"]
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert told == [
        "resource 'twice' was not torn down cleanly: its function has yielded twice",
        "resource 'bad' was not torn down cleanly: its function has raised an error",
    ]
    assert caplog.records[-1].exc_info or "no route" in caplog.text


async def test_in_a_worker_process_that_goes_to_the_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    async with WorkflowEngine("process", workers=1) as engine:

        @engine.resource
        def bad() -> Iterator[int]:
            yield 1
            raise OSError("no route")

        @engine.function_task
        def use(bad: int = bad) -> int:
            return bad

        assert await use() == 1
    assert "OSError: no route" in capfd.readouterr().err


async def test_a_task_that_fails_leaves_it_as_it_is(engine: WorkflowEngine, diary: Diary) -> None:
    model = model_of(engine, diary)

    @engine.function_task
    def fail(model: list[int] = model) -> None:
        model.append(1)
        raise ValueError("mine")

    for _ in range(2):
        with pytest.raises(ValueError, match="mine"):
            await fail()
    assert diary.lines == ["up"]


# -- worker processes come and go ---------------------------------------------------------------------------------


async def test_a_process_that_is_recycled_tears_down_and_the_next_sets_up(diary: Diary) -> None:
    async with WorkflowEngine(ProcessBackend(1, recycle_after=2)) as engine:
        add = engine.function_task(added_to(model_of(engine, diary)))
        assert [await add(item) for item in range(4)] == [1, 2, 1, 2]
    assert diary.lines.count("up") == diary.lines.count("down") == 2


async def test_a_killed_process_tears_down_nothing_and_the_next_sets_up(diary: Diary) -> None:
    async with WorkflowEngine("process", workers=1) as engine:
        add = engine.function_task(added_to(model_of(engine, diary)))
        assert [await add(1), await add(1)] == [1, 2]
        pid = await engine.submit(os.getpid)
        with pytest.raises(WorkerDied):
            await engine.submit(os.kill, pid, signal.SIGKILL)
        assert await add(1) == 1
    assert diary.lines == ["up", "up", "down"]


async def test_a_setup_that_is_cancelled_is_stopped_and_cleans_up_after_itself(
    diary: Diary, tmp_path: Path
) -> None:
    with closing(Bell(tmp_path)) as bell:
        async with WorkflowEngine("process", workers=1) as engine:
            pid, path = await engine.submit(os.getpid), bell.path

            @engine.resource
            def model() -> Iterator[list[int]]:
                try:
                    path.write_text("up\n")
                    threading.Event().wait(60)
                    yield []
                finally:
                    diary.add("stopped")

            future = engine.function_task(added_to(model))(1)
            await bell.rung()
            future.cancel()
            await engine.settled(future)
            assert await engine.submit(os.getpid) == pid
    assert diary.lines == ["stopped"]


async def test_what_a_setup_sets_in_the_process_stays() -> None:
    async with WorkflowEngine("process", workers=1) as engine:

        @engine.resource
        def token() -> Iterator[str]:
            import wave  # loaded by nobody yet: what it sets while it is imported is no other matter

            os.environ["TOKEN"] = wave.__name__
            yield "token"

        @engine.function_task
        def use(token: str = token) -> str:
            os.environ["MINE"] = token
            return token

        def look() -> tuple[str | None, str | None]:
            return os.environ.get("TOKEN"), os.environ.get("MINE")

        assert await use() == "token"
        assert await engine.submit(look) == ("wave", None)


async def test_a_child_that_a_task_forks_tears_down_nothing(diary: Diary) -> None:
    for place in ("thread", "process", "sequential"):
        async with WorkflowEngine(place, workers=1) as engine:
            model = model_of(engine, diary)

            @engine.function_task
            def fork(model: list[int] = model) -> int:
                if (pid := os.fork()) == 0:
                    return 0
                return os.waitpid(pid, 0)[1]

            assert await fork() == 0
    assert diary.lines == ["up", "down"] * 3


# -- by coroutines ------------------------------------------------------------------------------------------------


def client_of(engine: WorkflowEngine, diary: Diary) -> Any:
    @engine.resource
    async def client() -> AsyncIterator[list[int]]:
        diary.add("up")
        await asyncio.sleep(0)
        async with asyncio.timeout(None):  # has to be left by the asyncio task that has entered it
            yield []
        await asyncio.sleep(0)
        diary.add("down")

    return client


@pytest.mark.parametrize("place", ["thread", "process"])
async def test_coroutine_tasks_have_async_ones(place: str, diary: Diary) -> None:
    async with WorkflowEngine(place, workers=1) as engine:
        add = engine.function_task(added_later(client_of(engine, diary)))
        assert sorted(await asyncio.gather(*(add(item) for item in range(5)))) == [1, 2, 3, 4, 5]
    assert diary.lines == ["up", "down"]


async def test_who_is_cancelled_while_it_waits_takes_it_from_nobody(diary: Diary) -> None:
    began, gate = asyncio.Event(), asyncio.Event()
    async with WorkflowEngine() as engine:

        @engine.resource
        async def slow() -> AsyncIterator[list[int]]:
            diary.add("up")
            began.set()
            await gate.wait()
            yield []

        add = engine.function_task(added_later(slow))
        first, second = add(1), add(2)
        await began.wait()
        first.cancel()
        await engine.settled(first)
        gate.set()
        assert await second == 1
    assert diary.lines == ["up"]


async def test_an_async_setup_that_fails_fails_all_who_wait_for_it_and_is_tried_again(diary: Diary) -> None:
    async with WorkflowEngine() as engine:

        @engine.resource
        async def client() -> AsyncIterator[list[int]]:
            await asyncio.sleep(0)
            diary.add("tried")
            if len(diary.lines) == 1:
                raise ConnectionError("refused")
            yield []

        add = engine.function_task(added_later(client), retries=1, retry_delay=0)
        assert sorted(await asyncio.gather(add(1), add(2))) == [1, 2]
    assert diary.lines == ["tried", "tried"]


async def test_a_shutdown_ends_a_setup_that_is_under_way(diary: Diary) -> None:
    engine, began = WorkflowEngine(), asyncio.Event()
    await engine.start()

    @engine.resource
    async def never() -> AsyncIterator[int]:
        try:
            began.set()
            await asyncio.Event().wait()
            yield 1
        finally:
            diary.add("ended")

    async def use(never: int = never) -> int:
        return never

    future = engine.submit(use)
    await began.wait()
    await engine.shutdown(wait=False)
    assert future.cancelled()
    assert diary.lines == ["ended"]


async def test_an_end_that_takes_too_long_is_left_behind_and_told(caplog: pytest.LogCaptureFixture) -> None:
    async with WorkflowEngine(grace=0.01) as engine:

        @engine.resource
        async def stubborn() -> AsyncIterator[int]:
            yield 1
            await asyncio.Event().wait()

        async def use(stubborn: int = stubborn) -> int:
            return stubborn

        assert await engine.submit(use) == 1
    assert "resource 'stubborn' is not torn down after 0.01 s; left behind" in caplog.text
    for _ in range(3):
        await asyncio.sleep(0)


async def test_one_that_ends_by_itself_is_set_up_anew(diary: Diary, caplog: pytest.LogCaptureFixture) -> None:
    async with WorkflowEngine() as engine:
        broken, gone = asyncio.Event(), asyncio.Event()

        async def breaks() -> None:
            await broken.wait()
            raise ConnectionError("lost")

        @engine.resource
        async def connection() -> AsyncIterator[list[int]]:
            diary.add("up")
            try:
                async with asyncio.TaskGroup() as group:
                    if len(diary.lines) == 1:
                        group.create_task(breaks())
                    yield []
            finally:
                gone.set()

        add = engine.function_task(added_later(connection))
        assert [await add(1), await add(2)] == [1, 2]
        broken.set()
        await gone.wait()
        assert await add(3) == 1
        assert "resource 'connection' was not torn down cleanly" in caplog.text
    assert diary.lines == ["up", "up"]


# -- blocks, commands, plans --------------------------------------------------------------------------------------


async def test_blocks_and_functions_of_commands_have_them_of_the_event_loop(diary: Diary) -> None:
    async with WorkflowEngine() as engine:
        model, client = model_of(engine, diary), client_of(engine, diary)

        @engine.executable_task
        def command(model: list[int] = model) -> list[str]:
            return ["echo", "-n", str(len(model))]

        @engine.block
        async def main(model: list[int] = model, client: list[int] = client) -> str:
            model.append(1)
            client.append(1)
            return await command()

        @engine.block
        def plain(model: list[int] = model) -> int:
            return len(model)

        assert (await main(), await plain()) == ("1", 1)


@pytest.mark.parametrize("dry_run", [False, True])
async def test_a_plan_and_a_dry_run_set_nothing_up_and_miss_nothing(dry_run: bool, diary: Diary) -> None:
    engine = WorkflowEngine(dry_run=dry_run)
    model = model_of(engine, diary)
    seen: list[object] = []

    @engine.function_task
    def use(item: int, model: list[int] = model) -> int:
        return item

    @engine.function_task
    def asks(item: int, model: Annotated[list[int], model]) -> int:
        return item

    @engine.executable_task
    def command(model: list[int] = model) -> list[str]:
        seen.append(model)
        return ["echo", str(model[0])]

    @engine.block
    async def main(model: list[int] = model) -> None:
        seen.append(model)
        await asyncio.gather(use(1), asks.with_options()(2), command())  # type: ignore[call-overload]

    if dry_run:
        async with engine:
            await main()
    else:
        (await engine.plan(main)).check()
    assert seen == [[1], [1]]
    assert diary.lines == []


# -- refused ------------------------------------------------------------------------------------------------------


def test_what_cannot_be_is_told_where_it_is_written(diary: Diary) -> None:
    engine = WorkflowEngine()
    client = client_of(engine, diary)
    model = model_of(engine, diary)
    with pytest.raises(TypeError, match=r"a function is needed that yields its value once"):
        engine.resource(len)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match=r"parameter 'path' that nobody gives a value"):

        @engine.resource
        def needy(path: str) -> Iterator[str]:
            yield path

    with pytest.raises(TypeError, match=r"'both' is a def and needs 'client', which is an async generator"):

        @engine.resource
        def both(client: list[int] = client) -> Iterator[int]:
            yield 1

    with pytest.raises(TypeError, match=r"'add' is a def, and its resource 'client' is an async generator"):
        engine.function_task(added_to(client))
    with pytest.raises(TypeError, match=r"asks for <resource model>, and can be given it only by its name"):

        @engine.function_task
        def by_place(model: list[int] = model, /) -> None: ...

    with pytest.raises(
        TypeError, match=r"parameters that are given resources stand behind those that calls have"
    ):

        @engine.function_task
        def early(model: Annotated[list[int], model], item: int) -> None: ...

    with pytest.raises(TypeError, match=r"resource 'model' was called; tasks ask for it"):
        model()  # type: ignore[operator]


async def test_an_async_one_where_no_loop_stays_is_an_error_at_the_call_and_in_a_plan(diary: Diary) -> None:
    async with WorkflowEngine("thread") as engine:
        add = engine.function_task(added_later(client_of(engine, diary)), backend="thread")
        with pytest.raises(TypeError, match=r"'client' is an async generator, which needs one that stays"):
            add(1)

        @engine.block
        async def main() -> None:
            await add(1)

        plan = await engine.plan(main)
        assert "leave backend='thread' away" in str(plan.findings[0])


def test_scripts_and_the_modules_that_they_import_may_define_them(tmp_path: Path) -> None:
    (tmp_path / "lib_of_resources.py").write_text(
        "from collections.abc import Iterator\n"
        "from asyncflow import WorkflowEngine\n"
        "engine = WorkflowEngine('process', workers=1)\n"
        "@engine.resource\n"
        "def there() -> Iterator[list[int]]:\n"
        "    print('there up')\n"
        "    yield []\n"
        "    print('there down')\n"
        "@engine.function_task\n"
        "def add(item, there=there):\n"
        "    there.append(item)\n"
        "    return len(there)\n"
    )
    ran = script(
        f"""
        import sys
        sys.path.insert(0, {str(tmp_path)!r})
        from lib_of_resources import add, engine, there

        @engine.resource
        def here(there=there):
            print("here up")
            yield {{"there": there}}
            print("here down")

        @engine.function_task
        def use(item, here=here):
            here["there"].append(item)
            return len(here["there"])

        async def main():
            return await add(1), await use(2), await add(3), await use(4)

        print(engine.run(main))
        """
    )
    assert ran.stderr == ""
    assert sorted(ran.stdout.split("\n")[:-1]) == sorted(
        ["there up", "here up", "(1, 2, 3, 4)", "here down", "there down"]
    )


def test_a_loop_that_is_closed_before_the_shutdown_ends_what_coroutines_have_set_up() -> None:
    ran = script(
        """
        import asyncio
        from asyncflow import WorkflowEngine

        engine = WorkflowEngine()

        @engine.resource
        async def client():
            yield 1
            await asyncio.sleep(0)
            print("down")

        @engine.function_task
        async def use(client=client):
            return client

        async def main():
            print(await use())

        asyncio.run(main())
        """
    )
    assert (ran.stdout, ran.stderr) == ("1\ndown\n", "")


async def test_services_have_them_and_end_before_them(diary: Diary) -> None:
    async with WorkflowEngine() as engine:
        model, client = model_of(engine, diary), client_of(engine, diary)

        @engine.service
        async def later(model: list[int] = model, client: list[int] = client) -> AsyncIterator[str]:
            yield f"{current().name} {model} {client}"
            diary.add("later over")

        @engine.service
        def plain(model: list[int] = model) -> Iterator[str]:
            yield f"{current().name} {model}"
            diary.add("plain over")

        @engine.function_task
        def use(one: str, other: str) -> list[str]:
            return [one, other]

        assert await use(later(), plain()) == ["later [] []", "plain []"]
        with pytest.raises(
            TypeError, match=r"'bad' is a def, and its resource 'client' is an async generator"
        ):

            @engine.service
            def bad(client: list[int] = client) -> Iterator[int]:
                yield 1

    assert sorted(diary.lines[2:4]) == ["later over", "plain over"]
    assert diary.lines[4:] == ["down", "down"]
