"""One cluster for all tests, which is no part of the tests' own tree of processes."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray

HERE = Path(__file__).parent
MARK = f"ASYNCFLOW_TEST_CLUSTER={uuid.uuid4().hex}"
ADDRESS = "ASYNCFLOW_TEST_RAY"
_PATIENCE = 10.0  # seconds in which agents that were told to end have to be gone


class TestCluster:
    """The cluster, as tests use it."""

    __test__ = False

    def __init__(self, folder: Path) -> None:
        name, _, value = MARK.partition("=")
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "cluster.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, name: value, "TMPDIR": str(folder)},
        )
        self._process.wait()
        self.address = self._line()

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def order(self, *words: object) -> None:
        """Have it do something.

        Args:
            words: as `cluster.main` knows them.
        """
        assert self._process.stdin is not None
        print(*words, file=self._process.stdin, flush=True)
        assert self._line() == "done"

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.read()
        self._process.stdout.close()


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestCluster]:
    """Two nodes, to which this program is connected."""
    # Not a folder of pytest's, whose path is too long for Ray's sockets.
    found = TestCluster(Path(os.environ.get("TMPDIR", "/tmp")))
    ray.init(address=found.address, log_to_driver=False, logging_level=logging.ERROR)
    os.environ[ADDRESS] = found.address  # for programs that tests start
    yield found
    del os.environ[ADDRESS]
    ray.shutdown()
    found.close()


def processes(*words: str) -> list[int]:
    """Process ids of what the cluster has started, and what that has started, by words of their command lines."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdecimal():
            continue
        try:
            command = (folder / "cmdline").read_bytes().decode(errors="replace")
            if all(word in command for word in words) and MARK.encode() in (folder / "environ").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def agents() -> list[int]:
    """Process ids of agents and of their workers, on the cluster."""
    return [*processes("asyncflow.agent"), *processes("asyncflow._worker")]


def wait_until_no_agent_is_left() -> None:
    """Agents and workers end with the engine.

    Raises:
        AssertionError: they did not.
    """
    end = time.monotonic() + _PATIENCE
    while left := agents():
        assert time.monotonic() < end, f"agents or workers that were left: {left}"
        time.sleep(0.05)


EVERYDAY = ("Contract", "Chains", "Processes", "Lives", "Scripts", "Amounts", "Generators")
"""Themes of the conformance suite for every day: those in which a backend that Ray carries may differ from one over
plain TCP, for which the core's own tests run all of it. The others take ``--whole``."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Have that option."""
    parser.addoption("--whole", action="store_true", help="all of the conformance suite (half an hour)")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the others out."""
    others = [] if config.getoption("--whole") else [item for item in items if not _is_for_every_day(item)]
    if others:
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if _is_for_every_day(item)]


def _is_for_every_day(item: pytest.Item) -> bool:
    if not isinstance(item, pytest.Function) or item.cls is None:
        return True
    themes = [base.__name__ for base in item.cls.__mro__ if item.originalname in vars(base)]
    return themes[-1] in EVERYDAY
