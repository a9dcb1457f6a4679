"""What is installed with the extra ``plot``, or one line that says how to get it."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType


def needs(module: str, what: str) -> ModuleType:
    """A module of the extra ``plot``.

    Args:
        module: its name.
        what: cannot be made without it.

    Raises:
        ImportError: it is not installed.
    """
    try:
        return import_module(module)
    except ImportError:
        name = module.replace("_", "-")
        mend = 'pip install "asyncflow-engine[plot]"'
        raise ImportError(
            f"a picture as {what} needs {name}:  {mend}\n  Mermaid and DOT need nothing: to_mermaid(), to_dot()",
            name=module,
        ) from None
