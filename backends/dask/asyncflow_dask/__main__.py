"""``python -m asyncflow_dask SLOTS [RESOURCE=AMOUNT ...]``: a Dask cluster, until the standard input is closed."""

from __future__ import annotations

import argparse
import base64
import logging
import os
import pickle
import sys
import tempfile
from importlib.util import find_spec

from distributed import LocalCluster, Security


def main() -> None:
    """Be the cluster."""
    parser = argparse.ArgumentParser()
    parser.add_argument("slots", type=int)
    parser.add_argument("resources", nargs="*")
    options = parser.parse_args()
    resources = {
        name: float(amount) for name, _, amount in (each.partition("=") for each in options.resources)
    }
    said = os.dup(1)
    os.dup2(2, 1)  # whatever is printed from here on is not to be taken for the address
    # With certificates of its own nobody else on this machine can have the scheduler run something.
    security = Security.temporary() if find_spec("cryptography") else None
    with (
        tempfile.TemporaryDirectory(prefix="asyncflow-dask-", ignore_cleanup_errors=True) as folder,
        LocalCluster(
            n_workers=1,  # it only supervises the agents: one has room for all leases
            threads_per_worker=options.slots,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            silence_logs=logging.ERROR,
            security=security,
            resources=resources,
            local_directory=folder,
        ) as cluster,
    ):
        with open(said, "wb") as stream:
            stream.write(base64.b64encode(pickle.dumps((cluster.scheduler_address, security))) + b"\n")
        sys.stdin.buffer.read()  # until it is closed: by whoever has started this, or because that is gone


if __name__ == "__main__":
    main()
