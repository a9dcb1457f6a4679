"""How Ray's references travel as arguments: the value is fetched where the task runs, and never by the engine.

A worker process is none of Ray's. It connects to Ray when the first reference comes, which takes half a second and two
dozen threads, and from then on reads values out of the object store of its node, arrays without a copy. The actor
beside it could fetch values, too, but would copy them twice, and would have to unpickle what is the user's.
"""

from __future__ import annotations

import logging
import pickle
from collections.abc import Callable
from typing import Any

import ray


def reduced(reference: Any) -> tuple[Callable[..., object], tuple[object, ...]]:
    """What pickle puts in the place of a reference.

    Args:
        reference: a ``ray.ObjectRef``.
    """
    untyped: Any = ray
    packed = untyped.cloudpickle.dumps(reference)
    # Outside of Ray's own calls it is then kept for as long as the program runs. The engine holds the reference itself
    # until the task is over.
    untyped._private.worker.global_worker.core_worker.remove_object_ref_reference(reference)
    return fetched, (packed, ray.get_runtime_context().gcs_address)


def fetched(packed: bytes, address: str) -> object:
    """The value of a reference, in a worker process.

    Args:
        packed: as `reduced` has it.
        address: of the cluster.
    """
    if not ray.is_initialized():
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    return ray.get(pickle.loads(packed))
