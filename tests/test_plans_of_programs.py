"""The plan of any program equals the graph of its run on threads: random blocks, calls, awaits and files."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graphs_kit import recorded
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from profiles import examples

from asyncflow import InputFile, OutputFile, Plan, WorkflowEngine


@dataclass(frozen=True)
class Step:
    """One statement of a block.

    Args:
        what: "call", "coroutine", "block", "reader", "maker", "await", "gather", "submit", "foreign".
        picks: which of the futures at hand it takes, by number modulo how many there are.
        shape: how they are passed.
        after: which it waits for besides.
        inner: the body of a block.
    """

    what: str
    picks: tuple[int, ...] = ()
    shape: str = "plain"
    after: tuple[int, ...] = ()
    inner: tuple[Step, ...] = ()


PICKS = st.lists(st.integers(0, 30), max_size=3).map(tuple)


def steps(inner: st.SearchStrategy[tuple[Step, ...]] | None) -> st.SearchStrategy[tuple[Step, ...]]:
    what = ["call", "coroutine", "reader", "maker", "await", "gather", "submit", "foreign"]
    return st.lists(
        st.builds(
            Step,
            st.sampled_from(what if inner is None else [*what, "block", "block", "def block"]),
            PICKS,
            st.sampled_from(["plain", "list", "dict", "keyword"]),
            st.one_of(st.just(()), PICKS),
            st.just(()) if inner is None else inner,
        ),
        max_size=6,
    ).map(tuple)


PROGRAMS = steps(steps(steps(None)))


class Program:
    """The steps as a workflow on an engine."""

    def __init__(self, engine: WorkflowEngine) -> None:
        self.call = engine.function_task(total, name="call")
        self.coroutine = engine.function_task(atotal, name="coroutine")
        self.maker = engine.function_task(make, name="maker")
        self.reader = engine.function_task(read, name="reader")
        self.block = engine.block(self.body)
        self.def_block = engine.block(self.plain_body)
        self.submit = engine.submit

    async def body(self, steps: Sequence[Step], given: list[Any]) -> Any:
        futures: list[Any] = []
        for step in steps:
            if step.what == "await" and futures:
                await futures[(*step.picks, 0)[0] % len(futures)]
            elif step.what == "gather":
                await asyncio.gather(*self.picked(step.picks, futures))
            else:
                self.one(step, futures)
        return futures[-2:]

    def plain_body(self, steps: Sequence[Step], given: list[Any]) -> Any:
        futures: list[Any] = []
        for step in steps:
            self.one(step, futures)
        return {"all": futures}

    def one(self, step: Step, futures: list[Any]) -> None:
        picked = self.picked(step.picks, futures)
        after = self.picked(step.after, futures)
        if step.what in ("block", "def block"):
            block = self.block if step.what == "block" else self.def_block
            futures.append(block.with_options(after=after)(step.inner, picked))
        elif step.what == "maker":
            futures.append(self.maker(OutputFile("made.txt")))
        elif step.what == "reader":
            made = [each for each in futures if each.name == "maker"]
            if made:
                one = made[(*step.picks, 0)[0] % len(made)]
                file = "made.txt" if step.after else one.outputs["made.txt"]
                reader = self.reader.with_options(after=one) if step.after else self.reader
                futures.append(reader(InputFile(file, name="in.txt")))
        elif step.what == "foreign":
            done: Future[int] = Future()
            done.set_result(3)
            futures.append(self.call(waited(picked), done))
        elif step.what == "submit":
            futures.append(self.submit(total, *picked))
        elif step.what in ("call", "coroutine"):
            task: Any = self.call if step.what == "call" else self.coroutine
            futures.append(passed(task.with_options(after=after), picked, step.shape))

    def picked(self, picks: Sequence[int], futures: list[Any]) -> list[Any]:
        return [futures[pick % len(futures)] for pick in picks] if futures else []


def passed(task: Any, picked: list[Any], shape: str) -> Any:
    if shape == "plain":
        return task(*picked)
    if shape == "keyword":
        return task(1, more=picked[0] if picked else 2)
    return task(picked if shape == "list" else {"a": [picked], "b": 1})


def total(*parts: Any, more: Any = 0) -> int:
    return len(parts)


async def atotal(*parts: Any, more: Any = 0) -> int:
    await asyncio.sleep(0)
    return len(parts)


async def waited(futures: list[Any]) -> list[Any]:
    return [await future for future in futures]


def make(out: Path) -> int:
    out.write_text("made")
    return 1


def read(path: Path) -> int:
    assert path.name == "in.txt"
    return len(path.read_text())


@given(PROGRAMS)
@settings(examples(60), phases=set(Phase) - {Phase.explain})
def test_a_plan_of_any_program_equals_its_run(program: tuple[Step, ...]) -> None:
    async def compared() -> None:
        engine = WorkflowEngine("thread", workers=2)
        target = Program(engine)
        plan = await engine.plan(target.block, program, [])
        assert plan.findings == () and plan.decisions == ()
        with recorded() as recorder:
            async with engine:  # which ends what the program has left behind
                await plan.run()
        real = recorder.plan()
        diff = plan.diff(real)
        assert not diff, str(diff)
        assert len(plan.tasks) == len(real.tasks) and len(plan.edges) == len(real.edges)
        dry = WorkflowEngine("thread", workers=2, dry_run=True)
        async with dry:
            again = Program(dry)
            await (await dry.plan(again.block, program, [])).run()
        so_far = Plan((await dry.plan()).tasks, plan.edges, checkpoints=plan.checkpoints)
        assert [task.name for task in so_far.tasks] == [task.name for task in plan.tasks]
        assert (await dry.plan()).edges == plan.edges

    asyncio.run(compared())
