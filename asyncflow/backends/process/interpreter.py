"""Which Python a worker runs, and how it is told what this one was told."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

from ..._worker.marks import WORKER_OF


def interpreter() -> str:
    """The path of the interpreter that runs this program.

    Raises:
        RuntimeError: there is none: started once more, the program would start itself, without end.
    """
    engine = os.environ.get(WORKER_OF)
    if engine is not None:
        raise RuntimeError(
            f"this process was started as a worker of process {engine}, but {sys.executable!r} runs a program of its "
            f"own. {_MEND}"
        )
    spawn: Any = sys.modules.get("multiprocessing.spawn")  # where a program may have named one
    named = os.fsdecode(spawn.get_executable() or "") if spawn is not None else ""
    if named and named != sys.executable:
        return named
    if not sys.executable:
        raise RuntimeError(f"backend='process' found no Python interpreter: sys.executable is empty. {_MEND}")
    if getattr(sys, "frozen", False):
        raise RuntimeError(
            f"backend='process' found no Python interpreter: this program was frozen into {sys.executable!r}, which "
            f"would run the whole program in each worker. {_MEND}"
        )
    return sys.executable


_MEND = (
    "\n  Name one that has what the tasks import:  ProcessBackend(python='/usr/bin/python3')"
    "\n  Or use threads:  backend='thread'"
)


def flags() -> list[str]:
    """The arguments of the interpreter, ``-O``, ``-W``, ``-X`` and the like, as this one was started with."""
    standard: list[str] = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
    options: dict[str, object] = sys._xoptions  # of which those are only some
    return standard + [
        f"-X{name}" if value is True else f"-X{name}={value}" for name, value in options.items()
    ]
