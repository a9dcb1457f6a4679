"""Context: what the call site had set reaches the body, and `workflow_scope` tags what is called inside it."""

from __future__ import annotations

import asyncio
from contextvars import Context, ContextVar
from typing import Any

import pytest

from asyncflow import TaskFuture, WorkflowEngine

from .kit import script, turns

COLOUR: ContextVar[str] = ContextVar("COLOUR", default="none")


async def test_context_variables_of_the_call_reach_every_kind_of_body(threads: WorkflowEngine) -> None:
    def plain() -> str:
        return COLOUR.get()

    async def coroutine() -> str:
        await turns(1)
        return COLOUR.get()

    kinds = [
        threads.function_task(plain),
        threads.function_task(coroutine),
        threads.function_task(backend="thread")(coroutine),
        threads.block(plain),
        threads.block(coroutine),
    ]
    futures = []
    for colour in ("red", "green"):
        COLOUR.set(colour)
        futures += [kind() for kind in kinds]
    COLOUR.set("blue")
    assert await asyncio.gather(*futures) == ["red"] * 5 + ["green"] * 5


async def test_what_a_body_sets_stays_inside_it(threads: WorkflowEngine) -> None:
    def plain() -> None:
        COLOUR.set("thread's")

    async def coroutine() -> None:
        COLOUR.set("coroutine's")
        await turns(1)

    COLOUR.set("mine")
    kinds = threads.function_task(plain), threads.function_task(coroutine), threads.block(plain)
    await asyncio.gather(*[kind() for kind in kinds])
    assert COLOUR.get() == "mine"
    assert await threads.submit(COLOUR.get) == "mine"


def test_what_one_body_of_a_burst_sets_no_other_sees() -> None:
    def plain() -> str:
        seen = COLOUR.get()
        COLOUR.set("red")
        return seen

    async def coroutine() -> str:
        seen = plain()
        await turns(1)
        return seen if COLOUR.get() == "red" else "lost"

    async def calls(engine: WorkflowEngine) -> list[str]:
        kinds = [
            engine.function_task(plain),
            engine.function_task(coroutine),
            engine.function_task(backend="inline")(plain),
            engine.block(plain),
            engine.block(coroutine),
        ]
        futures = [kind() for _ in range(3) for kind in kinds]
        assert len({id(future.snapshot) for future in futures}) == 1  # else this would show nothing
        return await asyncio.gather(*futures)

    async def main() -> list[str]:
        async with WorkflowEngine(backends={"thread": "thread", "inline": "sequential"}) as engine:
            return await calls(engine) + await engine.block(calls)(engine)

    assert Context().run(asyncio.run, main()) == ["none"] * 30


@pytest.mark.parametrize("name", ["thread", "process", "sequential", "noop"])
def test_an_engine_sets_no_context_variable_but_its_own(name: str) -> None:
    told = script(
        f"""
        import asyncio
        from contextvars import copy_context
        from decimal import Decimal
        from asyncflow import WorkflowEngine

        def cost(of: int) -> Decimal: ...

        def others() -> list[str]:
            return [each.name for each in copy_context() if not each.name.startswith('asyncflow')]

        async def main():
            engine = WorkflowEngine({name!r}, dry_run=True)
            await engine.plan(engine.function_task(cost), 1)
            async with engine:
                await engine.submit(cost, 1)
            print(others())

        print(others())
        asyncio.run(main())
        """
    )
    assert (told.stdout, told.stderr) == ("[]\n[]\n", "")


async def test_context_reaches_through_a_block_into_its_tasks(threads: WorkflowEngine) -> None:
    @threads.block
    async def block() -> Any:
        COLOUR.set("block's")
        return [threads.submit(COLOUR.get), await threads.submit(COLOUR.get)]

    COLOUR.set("caller's")
    assert await block() == ["block's", "block's"]
    assert COLOUR.get() == "caller's"


async def test_context_of_the_first_caller_does_not_stay_with_the_engine() -> None:
    engine = WorkflowEngine("thread", workers=1)
    COLOUR.set("first")
    assert await engine.submit(COLOUR.get) == "first"  # the call that starts the engine and its thread

    async def later() -> Any:
        return await engine.submit(COLOUR.get)

    COLOUR.set("second")
    assert await asyncio.create_task(later()) == "second"
    await engine.shutdown()


async def test_calls_carry_the_tag_of_the_scope_they_are_made_in(engine: WorkflowEngine) -> None:
    task = engine.function_task(lambda: None)
    before = task()
    with engine.workflow_scope("nightly") as tag:
        inside = task()
    after = task()
    assert tag == "nightly"
    assert (before.workflow, inside.workflow, after.workflow) == (None, "nightly", None)


async def test_tag_reaches_through_blocks_coroutines_gather_and_create_task(engine: WorkflowEngine) -> None:
    seen: dict[str, TaskFuture[Any]] = {}

    @engine.function_task
    async def leaf(name: str) -> None:
        seen[name] = task = grain()
        await task

    @engine.function_task
    async def grain() -> None: ...

    @engine.block
    async def inner(name: str) -> None:
        await leaf(name)

    @engine.block
    async def outer() -> None:
        await asyncio.gather(inner("gathered"), leaf("gathered task"))
        await asyncio.create_task(detached())

    async def detached() -> None:
        await leaf("created")

    with engine.workflow_scope("deep"):
        future = outer()
        created = asyncio.create_task(detached())
    await asyncio.gather(future, created)
    assert {name: task.workflow for name, task in seen.items()} == {
        "gathered": "deep",
        "gathered task": "deep",
        "created": "deep",
    }


async def test_scopes_nest_and_end_where_they_began(engine: WorkflowEngine) -> None:
    task = engine.function_task(lambda: None)
    with engine.workflow_scope("outer"):
        with engine.workflow_scope("inner"):
            inner = task()
        outer = task()
    assert (inner.workflow, outer.workflow) == ("inner", "outer")


async def test_scopes_of_concurrent_coroutines_do_not_mix(engine: WorkflowEngine) -> None:
    task = engine.function_task(lambda: None)

    async def one(tag: str) -> list[str | None]:
        with engine.workflow_scope(tag):
            first = task()
            await turns(3)
            return [first.workflow, task().workflow]

    assert await asyncio.gather(one("a"), one("b")) == [["a", "a"], ["b", "b"]]


async def test_scope_inside_a_block_does_not_cut_it_from_the_block(engine: WorkflowEngine) -> None:
    inside = []

    @engine.block
    async def block() -> None:
        with engine.workflow_scope("tagged"):
            inside.append(engine.function_task(asyncio.Event().wait)())
            await turns(2)
            raise ValueError("left")

    future = block()
    await asyncio.wait([future])
    assert isinstance(future.exception(), ValueError)
    assert inside[0].workflow == "tagged"
    assert inside[0].cancelled()  # it belonged to the block


async def test_calls_after_a_block_is_over_belong_to_nobody(engine: WorkflowEngine) -> None:
    begun, go_on, late = asyncio.Event(), asyncio.Event(), []

    async def left_behind() -> None:
        begun.set()
        await go_on.wait()
        late.append(engine.function_task(turns)())

    @engine.block
    async def block() -> Any:
        task = asyncio.create_task(left_behind())
        await begun.wait()
        raise ValueError(task)

    future = block()
    await asyncio.wait([future])
    error = future.exception()
    assert error is not None
    go_on.set()
    await error.args[0]
    assert await late[0] is None  # not cancelled with a block that is long over


async def test_tasks_of_one_engine_do_not_belong_to_a_block_of_another() -> None:
    async with WorkflowEngine("sequential") as one, WorkflowEngine("sequential") as two:
        go_on, inside = asyncio.Event(), []
        held = two.submit(go_on.wait)  # its number is 1, as is that of the block in its own engine

        @one.block
        async def block() -> None:
            inside.append(two.submit(go_on.wait))
            raise ValueError("left")

        future = block()
        assert (held.id, future.id) == (1, 1)
        await asyncio.wait([future])
        assert isinstance(future.exception(), ValueError)
        go_on.set()
        assert await inside[0] is True
        assert await held is True


class Unequal:
    """As an array or a data frame."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        raise ValueError("the truth value is ambiguous")


@pytest.mark.parametrize("values", [([1], [1]), (1, True, 1.0), (Unequal(), Unequal())])
async def test_contexts_with_equal_values_are_not_taken_for_one(threads: WorkflowEngine, values: Any) -> None:
    variable: ContextVar[Any] = ContextVar("variable")
    futures = []
    for value in values:
        variable.set(value)
        futures.append(threads.submit(lambda: id(variable.get())))
    assert await asyncio.gather(*futures) == [id(value) for value in values]


async def test_a_scope_tags_the_tasks_of_its_own_engine_alone() -> None:
    async with WorkflowEngine("sequential") as one, WorkflowEngine("sequential") as two:

        @two.block
        async def inside() -> list[Any]:
            return [two.submit(len, "a").workflow, one.submit(len, "a").workflow]

        with one.workflow_scope("of one"):
            assert one.submit(len, "a").workflow == "of one" and two.submit(len, "a").workflow is None
            with two.workflow_scope("of two"):
                assert one.submit(len, "a").workflow == "of one" and two.submit(len, "a").workflow == "of two"
                with one.workflow_scope("inner"):
                    assert one.submit(len, "a").workflow == "inner"
                assert await inside() == ["of two", "of one"]
                task = one.submit(lambda a, b: [a, b], turns(1), 2)
                assert [each.workflow for each in one._run.scheduler.live.values()][-2:] == ["of one"] * 2  # type: ignore[union-attr]
                await task
            assert two.submit(len, "a").workflow is None
