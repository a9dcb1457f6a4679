"""Says why a command could not be started: what the system answers names neither the cause nor a way out."""

from __future__ import annotations

import errno
import os
import shlex
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from .._core.task import Task
from ..errors import CommandNotFound, CommandNotStarted
from .streams import NO_ROOM

_NOT_FOUND: Final = 127  # the exit code by which shells tell of what they could not run
_FIRST_LINE: Final = 256  # bytes of a script that the system looks at
_WORDS: Final = 1 << 16  # characters of a line that are looked at


def not_started(
    task: Task, error: OSError, argv: Sequence[str | bytes], env: Mapping[str, str], cwd: Path
) -> OSError:
    """The error for a command that could not be started, with the likely reason for what the system said."""
    if isinstance(error, FileNotFoundError | NotADirectoryError) and not cwd.is_dir():
        return FileNotFoundError(f"{task.name!r} (#{task.id}): cwd {str(cwd)!r} is not there")
    program = os.fsdecode(argv[0])
    path = _path_of(program, env, cwd)
    if path is None and isinstance(error, FileNotFoundError):
        return CommandNotFound(task.id, task.name, program, _searched(program, env))
    return CommandNotStarted(task.id, task.name, _why(error, program, path, argv, env), error.errno)


def _why(
    error: OSError, program: str, path: Path | None, argv: Sequence[str | bytes], env: Mapping[str, str]
) -> str:
    if error.errno == errno.E2BIG:
        sizes = [len(os.fsencode(word)) for word in argv]
        variables = sum(len(os.fsencode(name + value)) for name, value in env.items())
        return (
            f"its arguments are too long ({sum(sizes):,} bytes, {max(sizes):,} in one of them, "
            f"beside {variables:,} bytes of variables).\n"
            "  Give them in a file (InputFile) or as stdin=, from which xargs, say, passes on as many as it can."
        )
    if error.errno in NO_ROOM:
        return (
            f"{os.strerror(error.errno or 0)}, and no other command runs whose end could be waited for.\n"
            "  Raise the limit (ulimit -n, ulimit -u), or run fewer things at once."
        )
    wrong = None if path is None else wrong_start(path)
    if wrong is not None:
        return wrong
    if error.errno == errno.ENOEXEC:
        return f"{program!r} is no program of this machine; a script has to begin with a line as #!/bin/sh"
    if error.errno == errno.EACCES:
        return f"{program!r} may not be executed.\n  Make it a program:  chmod +x {shlex.quote(program)}"
    return f"{program!r}: {error.strerror}"


def wrong_start(path: Path) -> str | None:
    """What is wrong with the first line of a script, which names the program that reads it; None if nothing is."""
    try:
        with path.open("rb") as file:
            first = file.read(_FIRST_LINE).partition(b"\n")[0]
    except OSError:
        return None
    if not first.startswith(b"#!"):
        return None
    if first.endswith(b"\r"):
        return (
            f"the lines of {str(path)!r} end as on Windows (CR LF), so that its interpreter is not found.\n"
            f"  Convert it:  sed -i 's/\\r$//' {shlex.quote(str(path))}"
        )
    words = first[2:].split()
    if words and not os.path.exists(words[0]):
        return f"the interpreter of {str(path)!r}, {os.fsdecode(words[0])!r}, is not there"
    return None


def note_of(returncode: int, given: str | list[str | bytes], env: Mapping[str, str], cwd: Path) -> str | None:
    """A note for a script that exists and was still "not found", by a shell or by ``/usr/bin/env`` in its first line;
    None for another failure. ``given`` is the shell's line or the list of arguments."""
    if returncode != _NOT_FOUND:
        return None
    words = _words_of(given) if isinstance(given, str) else _words_of(given[:1])
    paths = (_path_of(word, env, cwd) for word in words)
    return next((wrong for path in paths if path is not None and (wrong := wrong_start(path))), None)


def left_outside(given: str | list[str | bytes], complaints: str, cwd: Path) -> str | None:
    """What it means if a command complains of a file that is where the program runs: commands run elsewhere.

    Args:
        given: a line for a shell, or a list of arguments.
        complaints: the last that it wrote to its standard error.
        cwd: where it ran.
    """
    for word in _words_of(given):
        name = word.lstrip("<")
        if not name or name not in complaints or name.startswith(("/", "-")):
            continue
        with suppress(OSError, ValueError):  # a name that is too long, or none at all
            if not (cwd / name).exists() and Path(name).is_file():
                return (
                    f"{name!r} is in {os.getcwd()}, where the program runs, and not in the sandbox, where the command "
                    f"does; pass it to the task as InputFile({name!r})"
                )
    return None


def _words_of(given: str | list[str | bytes]) -> list[str]:
    if not isinstance(given, str):
        return [os.fsdecode(word) for word in given]
    with suppress(ValueError):  # a quote that is not closed
        return shlex.split(given[:_WORDS])
    return []


def _path_of(program: str, env: Mapping[str, str], cwd: Path) -> Path | None:
    if "/" in program:
        path = cwd / program
        return path if path.exists() else None
    found = shutil.which(program, path=os.pathsep.join(os.get_exec_path(env)))
    return None if found is None else Path(found)


def _searched(program: str, env: Mapping[str, str]) -> str:
    if "/" in program:
        return "at that path"
    return "in PATH=" + os.pathsep.join(os.get_exec_path(env))
