"""What the command line says to the script that has started it: its exit code."""

from __future__ import annotations

from typing import Final

import click

DONE: Final = 0
FAILED: Final = 1
"""What was to be run has failed."""
USAGE: Final = 2
"""Nothing was run: the command line asks for what there is not."""
WIRING: Final = 3
"""Something is wrong with the wiring of the workflow."""
INTERRUPTED: Final = 130

MEANING: Final = {
    DONE: "done",
    FAILED: "tasks have failed",
    USAGE: "the command line is wrong; nothing has begun",
    WIRING: "the wiring of the workflow is wrong",
    INTERRUPTED: "interrupted by Ctrl-C; 143 by SIGTERM, 129 by SIGHUP",
}


class Refused(click.ClickException):
    """What the command line asks for cannot be had; the message names what was given, and the mend."""

    exit_code = USAGE

    def __init__(self, message: str, mend: str = "") -> None:
        super().__init__(f"{message}\n  {mend}" if mend else message)
