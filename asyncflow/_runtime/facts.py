"""What is known of a call besides its value, if it runs a command or declares files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .._core.files import Left, OutputFile, Stamp


@dataclass(slots=True, eq=False)
class Facts:
    """Of one call; its future shows them.

    Args:
        label: of the task, for messages: "'split' (#3)".
        is_command: whether it is an executable task.
        upstreams: of the tasks that it depends on, until its inputs have been brought.
        declares: the outputs that it declares.
        is_dry: whether files are neither brought nor looked for.
    """

    label: str
    is_command: bool
    upstreams: Sequence[Facts] = ()
    declares: Sequence[OutputFile] = ()
    is_dry: bool = False
    sandbox: Path | None = None
    outputs: Mapping[str, Any] = field(default_factory=dict)
    brought: dict[str, tuple[Stamp, Left | None]] = field(default_factory=dict)
    left: dict[str, Left] | None = None  # worked out when somebody wants to know
    command: str | list[str | bytes] | None = None
    returncode: int | None = None
    stderr: str | None = None
