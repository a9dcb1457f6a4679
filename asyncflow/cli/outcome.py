"""How what was called has ended, and what the shell is told of it."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Final

import click

from .._engine.commanded import Misdirected
from .._tracebacks import shows_all, trim
from ..errors import WiringError
from .exits import DONE, FAILED, INTERRUPTED, WIRING, Refused

_HERE: Final = os.path.dirname(__file__) + os.sep


def code_of(error: BaseException | None) -> int:
    """The exit code for how something has ended.

    Args:
        error: that it has raised; None if it has returned.
    """
    if error is None:
        return DONE
    if isinstance(error, WiringError):
        return WIRING
    if isinstance(error, SystemExit):  # of Ctrl-C and signals, too
        return error.code if isinstance(error.code, int) else DONE if error.code is None else FAILED
    return INTERRUPTED if isinstance(error, KeyboardInterrupt) else FAILED


def show(error: BaseException) -> None:
    """Print an error of the user's code as Python does, without what is around it here."""
    if isinstance(error, SystemExit):
        if error.code is not None and not isinstance(error.code, int):
            print(error.code, file=sys.stderr)
        return
    if isinstance(error, KeyboardInterrupt):
        return
    if isinstance(error, WiringError):
        print(error, file=sys.stderr)
        return
    if not shows_all():
        trim(error)
        error.with_traceback(_from_the_user(error.__traceback__))
    traceback.print_exception(error)


def _from_the_user(found: TracebackType | None) -> TracebackType | None:
    """A traceback from where the user's code begins: what loads and calls it is of no interest."""
    entry = found
    while entry is not None:
        file = entry.tb_frame.f_code.co_filename
        if not file.startswith((_HERE, "<frozen importlib")):
            return entry
        entry = entry.tb_next
    return found


@contextmanager
def users_code() -> Iterator[None]:
    """Code of the user's: what it raises is printed as Python would, and ends the program with its exit code."""
    try:
        yield
    except (click.ClickException, click.exceptions.Exit):
        raise
    except Misdirected as error:
        raise Refused(str(error)) from None
    except BaseException as error:
        show(error)
        raise SystemExit(code_of(error)) from None


@contextmanager
def nothing_on_stdout() -> Iterator[None]:
    """Let what the program and its processes print go to the standard error, until this is left: the standard output is
    for JSON alone."""
    if sys.stdout is not None:  # which it is if it was closed before the program began
        sys.stdout.flush()
    try:
        ours = os.dup(1)
    except OSError:  # closed
        yield
        return
    stream = sys.stdout
    try:
        os.dup2(2, 1)
        sys.stdout = sys.stderr
        yield
    finally:
        sys.stdout = stream
        if sys.stderr is not None:
            sys.stderr.flush()
        os.dup2(ours, 1)
        os.close(ours)
