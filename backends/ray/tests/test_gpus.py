"""GPUs, as Ray has them: it hands out numbers, whether the devices are there or not."""

from __future__ import annotations

import asyncio
import os

import pytest
from asyncflow_ray import RayBackend
from conftest import TestCluster

from asyncflow import WorkflowEngine
from asyncflow.testing import Gate
from asyncflow.testing.gate import Door


def sees(door: Door) -> str | None:
    door.pass_through()
    return os.environ.get("CUDA_VISIBLE_DEVICES")


async def test_tasks_that_run_at_once_see_gpus_of_their_own(cluster: TestCluster) -> None:
    cluster.order("add", 2, 2)
    try:
        async with WorkflowEngine(RayBackend(slots=2, resources={"GPU": 1})) as engine:
            task = engine.function_task(sees, gpus=1)
            with Gate() as gate:
                futures = [task(gate.door) for _ in range(3)]
                await gate.reached(2)
                gate.close()
                found = await asyncio.gather(*futures)
            assert {*found} == {"0", "1"}
            with pytest.raises(ValueError, match="'sees' asks for gpus=2, and a slot on Ray has 1"):
                await engine.function_task(sees, gpus=2)(gate.door)
        async with WorkflowEngine(RayBackend(slots=1, cores=2, resources={"GPU": 2})) as engine:
            with Gate() as gate:
                one, both = (engine.function_task(sees, gpus=number) for number in (1, 2))
                futures = [one(gate.door), one(gate.door)]
                await gate.reached(2)
                gate.close()
                assert {*await asyncio.gather(*futures)} == {"0", "1"}
                assert await both(gate.door) == "0,1"
    finally:
        cluster.order("remove")
