"""Large values hold memory, and nothing else, for as long as somebody needs them."""

from __future__ import annotations

import asyncio
import gc
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from asyncflow import State, WorkflowEngine
from asyncflow._worker.maps import mapped
from asyncflow._worker.wire import write_file
from asyncflow.backends.process import ProcessBackend
from asyncflow.backends.process.packing import Packed

_MIB = 1 << 20


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def ones() -> Any:
    return np.ones(150_000)


def held(value: Any, gate: str) -> int:
    """Wait until the gate is opened."""
    with open(gate) as file:
        file.read()
    return len(value)


async def test_arrays_that_are_kept_keep_no_descriptor() -> None:
    async with WorkflowEngine(ProcessBackend(workers=1)) as engine:
        await engine.submit(ones)
        before = descriptors()
        arrays = await asyncio.gather(*[engine.submit(ones) for _ in range(50)])
        assert descriptors() < before + 10
    assert all(array.sum() == 150_000 for array in arrays)


def test_mapped_memory_goes_with_the_last_who_looks_at_it() -> None:
    def maps() -> int:
        return Path("/proc/self/maps").read_text().count("memfd:asyncflow")

    before = maps()
    file = write_file(bytes(_MIB))
    array = np.frombuffer(mapped(file, _MIB, 0), dtype=np.uint8)
    os.close(file)
    part = array[10:20]
    del array
    gc.collect()
    assert maps() == before + 1
    part[:] = 7
    assert part.tolist() == [7] * 10
    del part
    gc.collect()
    assert maps() == before


async def test_only_few_of_many_large_arguments_are_written_before_they_are_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = str(tmp_path / "gate")
    os.mkfifo(gate)
    written = 0
    write = Packed.write

    def counting(self: Packed) -> None:
        nonlocal written
        written += self.parts is not None and self.file < 0
        write(self)

    monkeypatch.setattr(Packed, "write", counting)
    value = np.zeros(2 * _MIB)
    async with WorkflowEngine(ProcessBackend(workers=1)) as engine:
        assert await engine.submit(len, value) == len(value)
        futures = [engine.submit(held, value, gate) for _ in range(12)]
        light = engine.submit(int)
        await asyncio.sleep(0)  # they are submitted
        cancelled = futures.pop(5)
        cancelled.cancel()
        for over, ended in enumerate(asyncio.as_completed(futures)):
            with await asyncio.to_thread(open, gate, "w"):
                assert written <= over + 7
            assert await ended == len(value)
        assert await light == 0
        assert cancelled.state is State.CANCELLED
