"""Of many calls of one function, which one it was: by its arguments, wherever a failure is told."""

from __future__ import annotations

from typing import Any

import pytest

from asyncflow import Secret, WorkflowEngine

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
