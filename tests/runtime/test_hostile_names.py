"""Whatever is in names, in output and in errors: what is shown of it can do nothing to a terminal."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest

from asyncflow import CommandFailed, UpstreamFailed, WorkflowEngine
from asyncflow.testing import ManualBackend

ESCAPE = "\x1b[31m\x9b2J\u202e\a"


def harmless(text: str) -> bool:
    return all(each.isprintable() or each in "\n\t" for each in text) and "31m" in text


def failing(value: Any = None) -> None:
    raise ValueError(f"bad {ESCAPE}")


async def test_a_future_and_what_it_explains_are_harmless() -> None:
    hands = ManualBackend()
    async with WorkflowEngine(hands) as engine:
        waits = engine.function_task(failing, name=ESCAPE)
        first = waits()
        second = waits(first)
        assert harmless(repr(first)) and harmless(repr(waits))
        assert harmless(first.explain()) and harmless(second.explain())
        with pytest.raises(asyncio.InvalidStateError) as caught:
            first.result()
        assert harmless(str(caught.value))
        await hands.received(ESCAPE)
        hands.fail(ESCAPE, ValueError(ESCAPE))
        with pytest.raises(UpstreamFailed) as failed:
            await second
        assert harmless(str(failed.value)) and harmless(repr(failed.value))
        assert harmless(first.explain()) and harmless(second.explain())
        assert first.name == ESCAPE and str(first.exception()) == ESCAPE  # what is not shown is as it was


@pytest.mark.parametrize("backend", ["thread", "process", "sequential"])
async def test_who_fails_because_of_whom_is_told_harmlessly(backend: str) -> None:
    async with WorkflowEngine(backend) as engine:
        task = engine.function_task(failing, name=ESCAPE)
        after = task(task())
        with pytest.raises(UpstreamFailed) as caught:
            await after
    assert harmless(str(caught.value)) and harmless(repr(caught.value))
    assert harmless(str(caught.value.root_causes[0]))


async def test_a_command_that_fails_is_told_harmlessly() -> None:
    async with WorkflowEngine("thread", keep="none") as engine:

        @engine.executable_task
        def loud() -> list[str]:
            return [
                sys.executable,
                "-c",
                f"import sys; sys.stderr.write({ESCAPE!r} + '\\nlast'); sys.exit(3) # {ESCAPE}",
            ]

        with pytest.raises(CommandFailed) as caught:
            await loud()
        assert harmless(str(caught.value)) and "\n    last" in str(caught.value)
        assert ESCAPE in caught.value.stderr and ESCAPE in caught.value.command[2]

        @engine.executable_task
        def in_a_shell() -> str:
            return f"echo '{ESCAPE}' >&2\nexit 3"

        with pytest.raises(CommandFailed) as caught:
            await in_a_shell()
        assert harmless(str(caught.value)) and "\nexit 3" in str(caught.value)


async def test_a_call_that_does_not_fit_is_refused_harmlessly() -> None:
    async with WorkflowEngine("thread") as engine:
        task: Any = engine.function_task(failing, name=ESCAPE)
        for call in (lambda: task(1, 2), lambda: task(**{ESCAPE: 1}), lambda: task(each for each in "a")):
            with pytest.raises(TypeError) as caught:
                call()
            assert harmless(str(caught.value))
        with pytest.raises(TypeError) as caught:
            engine.function_task(task())
        assert harmless(str(caught.value))
