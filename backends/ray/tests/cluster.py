"""A Ray cluster of two nodes on this machine, apart from the process tree of whoever starts it, which ends with its
standard input. What it starts carries the mark of its environment."""

from __future__ import annotations

import logging
import os
import sys
from typing import Any

CPUS = 2  # of each node


def main() -> None:
    """Start it, say where it is, take orders, a line each: "add" a node, "remove" the last one, at once."""
    if os.fork():
        os._exit(0)
    os.setsid()
    from ray.cluster_utils import Cluster

    logging.disable(logging.CRITICAL)
    cluster: Any = Cluster(initialize_head=True, head_node_args=_node())
    cluster.add_node(**_node())
    print(cluster.address, flush=True)
    added: list[Any] = []
    for line in sys.stdin:
        match line.split():
            case ["add", cpus, gpus]:
                much = {"num_cpus": int(cpus), "num_gpus": int(gpus)}
                added.append(cluster.add_node(**_node() | much))
            case ["remove"]:
                cluster.remove_node(added.pop(), allow_graceful=False)
        print("done", flush=True)
    cluster.shutdown()


def _node() -> dict[str, object]:
    return {"num_cpus": CPUS, "include_dashboard": False, "object_store_memory": 150_000_000}


if __name__ == "__main__":
    main()
