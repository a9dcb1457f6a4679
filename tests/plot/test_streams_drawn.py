"""Streams in pictures: a box for all items, however many there will be."""

from __future__ import annotations

import pytest

from asyncflow import WorkflowEngine
from asyncflow.plan import Plan, PlannedStream, PlannedTask


def test_a_plan_has_one_box_for_all_items_of_a_stream() -> None:
    tasks = [PlannedTask(number, "index") for number in range(1, 4)]
    known = Plan(tasks, streams=[PlannedStream("index", items=(1, 2, 3), total=5_000)])
    assert '  n0[/"index × 5,000"/]' in known.draw().to_mermaid().splitlines()
    unknown = Plan(tasks, streams=[PlannedStream("index", items=(1, 2, 3))])
    assert '  n0[/"index × N"/]' in unknown.draw().to_mermaid().splitlines()
    assert (
        len([line for line in unknown.draw(fold=False).to_mermaid().splitlines() if '"index"' in line]) == 3
    )


async def test_a_report_has_the_items_that_there_were() -> None:
    engine = WorkflowEngine("thread")

    @engine.function_task
    def square(number: int) -> int:
        return number * number

    async with engine:
        assert [each async for each in square.stream(range(60), ordered=True)] == [n * n for n in range(60)]
    assert '[/"✓ square × 60"/]' in engine.report().draw().to_mermaid()


async def test_a_stream_draws_itself_as_it_is_now() -> None:
    async with WorkflowEngine("thread") as engine:

        @engine.function_task
        def half(number: int) -> float:
            if number == 3:
                raise ValueError(number)
            return number / 2

        stream = half.stream(range(8), window=2, ordered=True, errors="collect")
        assert '[/"○ half × 8"/]' in stream.draw().to_mermaid()
        with pytest.raises(ExceptionGroup):
            async for _ in stream:
                pass
        assert '[/"half × 8<br/>✓ 7  ✗ 1"/]' in stream.draw().to_mermaid()
        assert "<svg " in stream.draw().to_svg()
        assert "half" in stream.draw().to_html()


async def test_a_stream_of_unknown_length_says_so() -> None:
    async with WorkflowEngine("thread") as engine:

        @engine.function_task
        def half(number: int) -> float:
            return number / 2

        stream = half.stream(iter([1, 2, 3]))
        assert '[/"half × N"/]' in stream.draw().to_mermaid()
        assert [each async for each in stream]
        assert '[/"✓ half × N"/]' in stream.draw().to_mermaid()
