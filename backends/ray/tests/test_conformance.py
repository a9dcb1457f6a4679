"""The conformance suite, on a cluster of two nodes."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from asyncflow_ray import RayBackend

sys.path.append(str(Path(__file__).parent))  # programs that cases start load this file alone
from conftest import ADDRESS, TestCluster, wait_until_no_agent_is_left

from asyncflow.testing.conformance import BackendConformance


@pytest.fixture(scope="session", autouse=True)
def _connected(cluster: TestCluster) -> None:
    """Before what a case leaves behind is counted."""


class TestRay(BackendConformance):
    """Two agents, one on each node."""

    patience = 120.0  # a program that starts Ray, or joins it, takes seconds to do so

    def make_backend(self) -> RayBackend:
        return RayBackend(os.environ.get(ADDRESS), slots=self.workers)

    def put_away(self) -> None:
        wait_until_no_agent_is_left()

    def is_spared(self, found: str) -> bool:
        return ": socket:[" in found  # Ray's connections to nodes and actors, which it keeps a while
