"""Of many calls of one function, which one it was: by its arguments and its label, wherever a failure is told."""

from __future__ import annotations

import asyncio
import logging
import pickle
from typing import Any

import pytest

from asyncflow import Secret, UpstreamFailed, WorkflowEngine
from asyncflow.testing import ManualBackend

from .kit import never_called

BACKENDS = ["thread", "sequential", "process"]


def trim(sample: str, reads: list[int], token: Any = None) -> int:
    raise ValueError("need 2 rows")


async def atrim(sample: str, reads: list[int], token: Any = None) -> int:
    raise ValueError("need 2 rows")


def note_of(error: BaseException) -> str:
    return "\n".join(error.__notes__)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("body", [trim, atrim])
async def test_a_failure_tells_the_call_with_its_arguments(backend: str, body: Any) -> None:
    async with WorkflowEngine(backend) as engine:
        task = engine.function_task(body, name="trim")
        load = engine.submit(list, "ab")
        failed = task("S17", load, token=Secret("1234"))
        with pytest.raises(ValueError, match="need 2 rows") as caught:
            await failed
    call = "trim(sample='S17', reads=['a', 'b'], token=<hidden>)"
    assert f", as {call}" in note_of(caught.value)
    assert f", as {call}" in failed.explain()


@pytest.mark.parametrize("backend", BACKENDS)
async def test_what_did_not_run_tells_the_call_that_failed(backend: str) -> None:
    async with WorkflowEngine(backend) as engine:
        task = engine.function_task(trim)
        with pytest.raises(UpstreamFailed) as caught:
            await engine.function_task(never_called, name="plot")(task.with_options(label="S17")("S17", []))
        with pytest.raises(ValueError, match="need 2 rows"):
            await task("S18", [])
    lines = str(caught.value).splitlines()
    assert lines[0] == "'plot' (#2) did not run: 'trim[S17]' (#1) failed, ValueError: need 2 rows."
    assert lines[1] == "  trim(sample='S17', reads=[]) (#1) -> plot (#2)"
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
    assert caught.value.root_causes[0].name == "trim"


async def test_a_task_that_waits_or_runs_tells_its_arguments(
    engine: WorkflowEngine, hands: ManualBackend
) -> None:
    load = engine.function_task(never_called, name="load")()
    waits = engine.function_task(trim).with_options(label="S17")("S17", load)
    assert (
        waits.explain().splitlines()[0] == "'trim[S17]' (#2) waits for 1 of 1 dependencies: load (#1, READY)"
    )
    assert ", as trim(sample='S17', reads=<load #1>)" in waits.explain()
    assert repr(waits) == "<TaskFuture trim[S17]#2 PENDING>"
    hands.on_cancel = "stop"
    await engine.shutdown(wait=False)


@pytest.mark.parametrize(
    "label",
    [["a", "b"], iter(["a", "b", "c"]), lambda sample, reads: sample.lower()],
    ids=["list", "iterator", "function"],
)
async def test_each_call_of_a_map_has_its_label(threads: WorkflowEngine, label: Any) -> None:
    futures = threads.function_task(trim).map(["A", "B"], [[], []], label=label)
    await asyncio.wait(futures)
    for future, own in zip(futures, "ab", strict=True):
        error = future.exception()
        assert error is not None
        assert f"in task 'trim[{own}]' (#{future.id}), called at " in note_of(error)
        assert "test_each_call_of_a_map_has_its_label" in note_of(error)
    assert futures[0].name == "trim"


async def test_labels_split_neither_report_nor_plan(threads: WorkflowEngine) -> None:
    task = threads.function_task(len)
    await asyncio.gather(*task.map(["a", "b"], label=["one", "two"]), task.with_options(label="three")("c"))
    assert {name: each.count for name, each in threads.report().functions.items()} == {"len": 3}

    def target() -> None:
        task.map(["a", "b"], label=["one", "two"])
        task.with_options(label="three")("c")

    assert {each.name for each in (await threads.plan(target)).tasks} == {"len"}


@pytest.mark.parametrize("label", ["S17", [1, 2], ["a", 2], 5, lambda *_: None])
async def test_what_is_no_label_for_each_call_is_refused(threads: WorkflowEngine, label: Any) -> None:
    with pytest.raises(TypeError, match=r"'trim': label=.*(: text is needed|: map takes one for each call)"):
        threads.function_task(trim).map(["A", "B"], [[], []], label=label)
    assert not threads.report().tasks, "a call was made before the labels were looked at"


async def test_fewer_labels_than_calls_are_refused(threads: WorkflowEngine) -> None:
    with pytest.raises(ValueError, match="'trim': label= has 1 for map, which makes 2 calls"):
        threads.function_task(trim).map(["A", "B"], [[], []], label=["a"])
    assert not threads.report().tasks, "a call was made before the labels were looked at"


def test_a_label_is_text() -> None:
    with pytest.raises(TypeError, match="'trim': label=5: text is needed"):
        WorkflowEngine().function_task(trim).with_options(label=5)  # type: ignore[arg-type]


async def test_commands_and_blocks_have_labels_too() -> None:
    async with WorkflowEngine(keep="none") as engine:

        @engine.executable_task
        def count(name: str) -> list[str]:
            return ["false", name]

        @engine.block
        async def both(name: str) -> Any:
            return await count.with_options(label=name)(name)

        with pytest.raises(Exception, match="ended with exit code 1") as caught:
            await both.with_options(label="outer")("S17")
    assert "in task 'count[S17]' (#2), called at " in note_of(caught.value)
    assert ", as count(name='S17')" in note_of(caught.value)
    assert "in block 'both[outer]' (#1), called at " in note_of(caught.value)


async def test_the_log_tells_which_one(caplog: pytest.LogCaptureFixture) -> None:
    async with WorkflowEngine("sequential") as engine:
        held = engine.function_task(trim).with_options(label="S17")("S17", [])
        await asyncio.wait([held])
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert (
        "'trim[S17]' (#1): ValueError: need 2 rows; called as trim(sample='S17', reads=[])"
        in record.getMessage()
    )
