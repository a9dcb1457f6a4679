"""What worker processes do before their first call, and how many threads numerical libraries use in them."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Final

from ..._causes import brief
from ..._worker import surroundings
from ..._worker.by_value.known import HOME
from ..._worker.by_value.pickler import dumps

_MATH_THREADS: Final = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


def math_variables(number: int) -> dict[str, str]:
    """The variables of the environment that give numerical libraries so many threads."""
    return dict.fromkeys(_MATH_THREADS, str(number))


def checked(initializer: Callable[..., object] | None) -> Callable[..., object] | None:
    """An initializer as the user has given it.

    Raises:
        TypeError: it cannot be called.
    """
    if initializer is not None and not callable(initializer):
        raise TypeError(
            f"initializer={initializer!r} is nothing that can be called; pass the function itself"
        )
    return initializer


def start_with(initializer: Callable[..., object] | None, initargs: tuple[object, ...]) -> bytes:
    """As for `wire.START`: what this program has set for its process, and the initializer.

    Args:
        initializer: called in each process; None for none.
        initargs: what it is called with.

    Raises:
        TypeError: it cannot be sent.
    """
    return pickle.dumps((HOME.name, surroundings.seen(), _packed(initializer, initargs)))


def _packed(initializer: Callable[..., object] | None, initargs: tuple[object, ...]) -> bytes | None:
    if initializer is None:
        return None
    try:
        return dumps((initializer, initargs))
    except Exception as error:
        name = getattr(initializer, "__name__", repr(initializer))
        raise TypeError(
            f"initializer={name} and its arguments cannot be sent to worker processes: {brief(error)}\n"
            "  Something that they use cannot be pickled; make that inside the initializer."
        ) from error
