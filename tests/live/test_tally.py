"""What is counted bit by bit is what a report of everything counts."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asyncflow import Skip, WorkflowEngine
from asyncflow._core.states import STATES
from asyncflow._record import record as records
from asyncflow._record.lines import events_in
from asyncflow._record.tally import Tally
from asyncflow.events import RunBegan
from asyncflow.live.counts import CountsOfRun
from asyncflow.live.followed import CountsOfEvents
from asyncflow.report import Report


def counted(tally: Tally) -> dict[str, tuple[int, dict[str, int]]]:
    """By name: how many were called, and how many have ended how."""
    return {
        each.name: (
            each.called,
            {STATES[state - 1].value: many for state, many in each.ended.items() if many},
        )
        for each in tally.functions
        if each.called
    }


def reported(report: Report) -> dict[str, tuple[int, dict[str, int]]]:
    states: dict[str, Counter[str]] = {}
    for task in report.tasks:
        states.setdefault(task.name, Counter())[task.state.value] += 1
    return {
        name: (many.total(), {state: n for state, n in many.items() if STATES[0].__class__(state).terminal})
        for name, many in states.items()
    }


steps = st.lists(
    st.tuples(
        st.sampled_from(["ok", "bad", "slow", "skip", "retry", "loop", "block", "cancel"]), st.integers(0, 5)
    ),
    max_size=25,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps, reads=st.lists(st.booleans(), min_size=25, max_size=25))
def test_counts_add_up_whatever_happens_in_which_order(
    monkeypatch: pytest.MonkeyPatch, steps: list[tuple[str, int]], reads: list[bool]
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(records, "_SMALLEST", 4)  # so that segments are left all the time
        asyncio.run(_run(steps, reads))


async def _run(steps: list[tuple[str, int]], reads: list[bool]) -> None:
    engine = WorkflowEngine(backend="thread", workers=2)

    @engine.function_task
    def ok(*given: object) -> int:
        return 1

    @engine.function_task
    def bad(*given: object) -> int:
        raise ValueError("no")

    @engine.function_task
    def skip(*given: object) -> int:
        raise Skip("not this one")

    tried: set[int] = set()

    @engine.function_task(retries=1)
    def retry(number: int, *given: object) -> int:
        if number not in tried:
            tried.add(number)
            raise OSError("again")
        return number

    @engine.function_task
    async def loop(*given: object) -> int:
        return 1

    @engine.function_task
    async def slow(*given: object) -> int:
        await asyncio.sleep(0)
        return 1

    @engine.block
    async def block(*given: object) -> list[int]:
        return [ok(*given), await loop()]

    async with engine:
        run = engine._run
        assert run is not None
        assert run.teller is not None
        tally = run.teller.tally()
        futures = []
        for place, ((kind, back), reads_now) in enumerate(zip(steps, reads, strict=False)):
            before = futures[-back:] if back else []
            tasks = {
                "ok": ok,
                "bad": bad,
                "slow": slow,
                "skip": skip,
                "loop": loop,
                "block": block,
                "cancel": ok,
            }
            future = retry(place, *before) if kind == "retry" else tasks[kind](*before)
            futures.append(future)
            if kind == "cancel":
                future.cancel()
            if reads_now:
                await asyncio.sleep(0)
                run.teller.count(tally)
                assert counted(tally) == reported(engine.report())
        late = run.teller.tally()  # that comes when much has happened
        await asyncio.gather(*futures, return_exceptions=True)
    run.teller.count(tally)
    run.teller.count(late)
    assert counted(tally) == counted(late) == reported(engine.report())
    failed = sum(ended.get("FAILED", 0) for _, ended in counted(tally).values())
    assert tally.errors == ({"ValueError": failed} if failed else {})


async def test_what_was_given_up_is_counted_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """A display that comes late to a long run counts what reports only have sums of."""
    monkeypatch.setattr(records, "_SMALLEST", 4)
    engine = WorkflowEngine(backend="thread", workers=2, report_limit=8)

    @engine.function_task
    def ok(number: int) -> int:
        if number % 5 == 0:
            raise ValueError(number)
        return number

    async with engine:
        run = engine._run
        assert run is not None
        assert run.teller is not None
        early = run.teller.tally()
        for number in range(60):
            await asyncio.gather(ok(number), return_exceptions=True)
        run.teller.count(early)
        late = run.teller.tally()
        assert engine.report().dropped
        expected = {"ok": (60, {"SUCCEEDED": 48, "FAILED": 12})}
        assert counted(early) == counted(late) == expected
        assert early.errors == {"ValueError": 12}


async def test_steps_of_a_generator_are_work_though_a_block_of_their_name_came_first(tmp_path: Path) -> None:
    journal = tmp_path / "run.jsonl"
    engine = WorkflowEngine(backend="thread", workers=1, journal=str(journal))

    @engine.function_task
    def numbers(many: int) -> Iterator[int]:
        yield from range(many)

    async with engine:
        run = engine._run
        assert run is not None
        counts = CountsOfRun(run, engine._expected)
        assert [each async for each in numbers(3)] == [0, 1, 2]
        sums = counts.take().sums
    told = events_in(journal.read_bytes().splitlines(keepends=True))
    (_, began), *events = told
    assert isinstance(began, RunBegan)
    followed = CountsOfEvents(began)
    for _, event in events:
        followed.tell(event)
    for seen in (sums, followed.take(began.time).sums):
        assert seen.called == seen.done == len(engine.report().tasks)
