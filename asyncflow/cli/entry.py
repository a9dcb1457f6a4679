"""Where the program begins: it says how to get what is missing, and makes exit codes of how it ends."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from typing import Final

_MEND: Final = 'asyncflow: the command line needs click; get it with:  pip install "asyncflow-engine[cli]"'
_INTERRUPTED: Final = 130  # `exits.INTERRUPTED`, which may be what was not loaded yet


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: those after the name of the program; None for this process's own.

    Returns:
        The exit code; `asyncflow.cli.exits` has their meaning.
    """
    try:
        if importlib.util.find_spec("click") is None:
            print(_MEND, file=sys.stderr)
            return 2
        from .app import run
    except KeyboardInterrupt:  # nothing of the user's has begun
        return _INTERRUPTED

    return run(sys.argv[1:] if arguments is None else list(arguments))
