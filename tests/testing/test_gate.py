"""A gate holds tasks in any thread or process until it is opened."""

from __future__ import annotations

import asyncio
import os
import pickle
import subprocess
import sys

import pytest

from asyncflow.testing import Door, Gate, no_leaks


async def test_who_comes_is_counted_and_held() -> None:
    with Gate() as gate:
        held = [asyncio.create_task(asyncio.to_thread(gate.door.pass_through)) for _ in range(3)]
        await gate.reached(3)
        assert not any(each.done() for each in held)
        gate.open(2)
        await asyncio.wait(held, return_when=asyncio.FIRST_COMPLETED)
        gate.open()
        await asyncio.gather(*held)


async def test_a_gate_may_be_opened_in_advance() -> None:
    with Gate() as gate:
        gate.open(2)
        await asyncio.to_thread(gate.door.pass_through)
        await asyncio.to_thread(gate.door.pass_through)
        await gate.reached(2)


async def test_closing_lets_everybody_go_on() -> None:
    gate = Gate()
    held = [asyncio.create_task(asyncio.to_thread(gate.door.pass_through)) for _ in range(3)]
    await gate.reached(3)
    gate.close()
    gate.close()
    await asyncio.gather(*held)


def test_a_gate_that_is_gone_holds_nobody() -> None:
    with Gate() as gate:
        pass
    gate.door.pass_through()
    Door("/nowhere/came", "/nowhere/let").pass_through()


def test_a_gate_that_goes_while_somebody_comes_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    gate, write = Gate(), os.write

    def too_late(descriptor: int, data: bytes) -> int:
        gate.close()
        return write(descriptor, data)

    with no_leaks(), monkeypatch.context() as patched:
        patched.setattr(os, "write", too_late)
        gate.door.pass_through()


async def test_the_door_works_in_another_process() -> None:
    with Gate() as gate:
        code = f"import pickle; pickle.loads({pickle.dumps(gate.door)!r}).pass_through()"
        process = subprocess.Popen([sys.executable, "-c", code])
        await gate.reached()
        assert process.poll() is None
        gate.open()
        assert await asyncio.to_thread(process.wait) == 0


@pytest.mark.fake_clock
async def test_a_gate_works_on_a_fake_clock() -> None:
    with Gate() as gate:
        held = asyncio.create_task(asyncio.to_thread(gate.door.pass_through))
        await gate.reached()
        gate.open()
        await held
