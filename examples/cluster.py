"""The census of `source_census.py` over a larger tree: here, or on a Dask or Ray cluster, by one option.

    python examples/cluster.py                                   # worker processes on this machine
    python examples/cluster.py --on dask                         # a Dask cluster on this machine
    python examples/cluster.py --on dask=tcp://10.0.0.1:8786     # one that there is
    python examples/cluster.py --on ray=10.0.0.1:6379            # a Ray cluster
    python examples/cluster.py some/folder --plan                # what would be done, wherever it runs

The tree has to be at the same path on all machines, as on a file system that they share; the code travels by itself.
The last table tells which machine did how much.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import sysconfig
import warnings
from collections import defaultdict

from source_census import census_of, find, show, table

from asyncflow import Report, WorkflowEngine
from asyncflow.backend import ExecutionBackend


def backend_of(on: str) -> str | ExecutionBackend:
    """What runs the tasks: the name of a backend, or a cluster with its address."""
    name, _, address = on.partition("=")
    if address and name == "dask":
        from asyncflow_dask import DaskBackend

        dask: ExecutionBackend = DaskBackend(address)
        return dask
    if address and name == "ray":
        from asyncflow_ray import RayBackend

        ray: ExecutionBackend = RayBackend(address)
        return ray
    return on


def show_machines(report: Report) -> None:
    """Which machine did how much."""
    machines: dict[str, list[tuple[str, float]]] = defaultdict(list)
    for task in report.tasks:
        if task.kind == "function" and task.started is not None and task.finished is not None:
            worker, _, machine = task.worker.partition(" on ")
            machines[machine or "this one"].append((worker, task.finished - task.started))
    rows = [
        (machine, len({worker for worker, _ in done}), len(done), f"{sum(took for _, took in done):.1f}")
        for machine, done in sorted(machines.items())
    ]
    table("Machines", "machine workers tasks seconds", rows)


def main() -> None:
    parser = argparse.ArgumentParser(description="A census of the Python source in a folder, on a cluster.")
    parser.add_argument(
        "folder", nargs="?", default=sysconfig.get_path("purelib"), help="default: all that is installed here"
    )
    parser.add_argument("--on", default="process", help="a backend, or dask=ADDRESS, ray=ADDRESS")
    parser.add_argument("--plan", action="store_true", help="only say what would be done")
    options = parser.parse_args()
    if not os.path.isdir(options.folder):
        parser.error(f"no such folder: {options.folder}")
    warnings.simplefilter("ignore")  # about odd escapes in the files that are read
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # file names may be any bytes

    engine = WorkflowEngine(backend=backend_of(options.on))
    census = census_of(engine, options.folder, find(options.folder))
    if options.plan:
        print(asyncio.run(engine.plan(census)))
        return
    show(engine.run(census))
    show_machines(engine.report())


if __name__ == "__main__":
    main()
