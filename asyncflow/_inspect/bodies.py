"""Reads from the code of a function whether it ever returns something.

The compiled code is read, not the source: it is there for lambdas and notebook cells as well, and it is the code that
runs. What cannot be told from it counts as returning something.
"""

from __future__ import annotations

import dis
from collections.abc import Iterator
from types import CodeType
from typing import Any, Final

from .resolve import function_in

_IDLE: Final = frozenset(
    (
        *(
            "CALL_INTRINSIC_1",
            "COPY_FREE_VARS",
            "LOAD_CONST",
            "MAKE_CELL",
            "NOP",
            "POP_TOP",
            "RERAISE",
            "RESUME",
        ),
        *("RETURN_CONST", "RETURN_GENERATOR", "RETURN_VALUE"),
    )
)
"""What there is in a body that does nothing, as ``...`` or a docstring alone, on one Python version or another."""


def code_of(fn: object) -> CodeType | None:
    """The code of a plain function or method; None of anything else."""
    code = getattr(function_in(fn), "__code__", None)
    return code if isinstance(code, CodeType) else None


def returns(code: CodeType) -> Iterator[bool]:
    """Of each place where code returns, whether it gives something."""
    before: Any = None
    for each in dis.get_instructions(code):
        if each.opname == "RETURN_CONST":
            yield each.argval is not None
        elif each.opname == "RETURN_VALUE":  # which may be jumped to with another value, as by ``x or None``
            is_none = before is not None and before.opname == "LOAD_CONST" and before.argval is None
            yield each.is_jump_target or not is_none
        before = each


def forgets_to_return(code: CodeType) -> bool:
    """Whether a body does something, comes to an end and never returns anything but None."""
    ways_out = list(returns(code))
    does_something = any(each.opname not in _IDLE for each in dis.get_instructions(code))
    return bool(ways_out) and not any(ways_out) and does_something
