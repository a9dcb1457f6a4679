"""The census on a cluster: the same as here, and the report shows which machine did what."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from kit import commanded

CENSUS = Path(__file__).parents[3] / "examples" / "cluster.py"
ADAPTIVE = Path(__file__).parents[1] / "examples" / "adaptive.py"


def said(*command: str | Path) -> str:
    """What a program prints. Nothing may be said on the side."""
    done = subprocess.run(
        [sys.executable, "-W", "error", *command],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def census(*arguments: str | Path) -> str:
    """What the census prints."""
    return said(CENSUS, *arguments)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder with ten packages, one of which does not parse."""
    for number in range(10):
        package = tmp_path / "tree" / f"package{number}"
        package.mkdir(parents=True)
        for part in range(20):
            (package / f"part{part}.py").write_text("def f(x):\n    return x\n" * (part + 1))
    (tmp_path / "tree" / "package3" / "broken.py").write_text("x = \n")
    return tmp_path / "tree"


def test_it_is_the_same_on_two_machines_as_on_one_and_so_is_its_plan(tree: Path, tmp_path: Path) -> None:
    here, _, _ = census(tree).partition("\nMachines\n")
    with commanded(tmp_path, 0) as cluster:
        can_be_others = (
            os.geteuid() == 0
            and not subprocess.run(
                ["unshare", "--uts", "hostname", "node-0"], capture_output=True, check=False
            ).returncode
        )
        for number in range(2):
            # A namespace with a host name of its own: to the engine, another machine.
            node = ["unshare", "--uts", "sh", "-c", f'hostname node-{number}; exec "$0" "$@"']
            cluster.start_worker("--name", f"node-{number}", before=node if can_be_others else [])
        there, _, machines = census(tree, "--on", f"dask={cluster.address}").partition("\nMachines\n")
        assert there == here
        rows = [line.split() for line in machines.splitlines()[1:]]
        assert sum(int(tasks) for _, _, tasks, _ in rows) == 201 + 200 + 10 + 1 + 1
        if can_be_others:
            assert [machine for machine, *_ in rows] == ["node-0", "node-1"]
        else:
            assert [workers for _, workers, *_ in rows] == ["2"]
        planned = census(tree, "--plan")
        assert planned.startswith("Plan: 413 tasks")
        assert census(tree, "--plan", "--on", f"dask={cluster.address}") == planned


def test_the_example_of_an_adaptive_cluster_counts_its_words() -> None:
    assert said(ADAPTIVE) == "{'brown': 1, 'dog': 1, 'end': 1, 'fox': 1, 'jumps': 1, 'lazy': 1, 'quick': 1}\n"
