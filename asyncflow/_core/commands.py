"""Decides what an executable task runs: what its function's answer means. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from .futures_in_text import refuse
from .options import CommandOptions


@dataclass(slots=True)
class CommandOutcome:
    """What is known of a command besides its value; the future of its task shows it."""

    command: str | list[str | bytes] | None = None
    returncode: int | None = None
    stderr: str | None = None


@dataclass(frozen=True, slots=True)
class CommandDone:
    """What comes back of a command that has run elsewhere, if it has not failed.

    Args:
        value: of its task.
        outcome: what else is known of it.
    """

    value: object
    outcome: CommandOutcome


def script_of(argv: list[str | bytes], options: CommandOptions, cwd: bytes) -> bytes:
    """A shell script with which a person can run a command again. The values of its variables are left out: they may
    be secrets."""
    lines = [b"#!/bin/sh", b"cd " + _word(cwd) + b" || exit"]
    if options.env:
        lines.insert(1, b"# It had variables of its own: " + _coded(", ".join(options.env)))
    if options.stdin is not None:
        lines.insert(1, b"# It had a standard input of its own.")
    return b"\n".join([*lines, b" ".join(_word(_coded(word)) for word in argv), b""])


def _coded(word: str | bytes) -> bytes:
    return word.encode(errors="surrogateescape") if isinstance(word, str) else word


def _word(word: bytes) -> bytes:
    return b"'" + word.replace(b"'", b"'\\''") + b"'"


def argv_of(given: object, options: CommandOptions, name: str) -> list[str | bytes]:
    """The program and arguments to execute for what a task's function returned: text for a shell, or a list of
    arguments.

    Raises:
        TypeError: it is neither, or an argument is none that a command can be given.
        ValueError: nothing to run, or a null character.
    """
    if isinstance(given, str):
        shell = [options.shell, "-c"] if isinstance(options.shell, str) else options.shell
        argv: list[str | bytes] = [*shell, given]
    elif isinstance(given, (list, tuple)):
        argv = [_argument(item, name) for item in given]
    else:
        raise TypeError(
            f"{name!r} returned {given!r}, a {type(given).__name__}, as its command.\n"
            "  Return text, which a shell runs, or a list of arguments, which is run as it is."
        )
    if not argv or not argv[0] or (isinstance(given, str) and not given.strip()):
        raise ValueError(f"{name!r} returned {given!r}: there is no command in it")
    for item in argv:
        refuse(item, f"the command of {name!r}")
        if (b"\0" if isinstance(item, bytes) else "\0") in item:  # type: ignore[operator]
            raise ValueError(f"{name!r}: {item!r} holds a null character, which no command can be given")
    return argv


def _argument(item: object, name: str) -> str | bytes:
    if isinstance(item, (str, bytes)):
        return item
    if hasattr(item, "__fspath__"):
        path: str | bytes = type(item).__fspath__(item)
        return path
    if isinstance(item, (int, float)) and not isinstance(item, bool):
        return str(item)
    raise TypeError(
        f"{name!r} returned {item!r}, a {type(item).__name__}, among the arguments of its command.\n"
        "  Arguments are text, bytes, paths or numbers; make one of these of it."
    )
