"""Decides what an executable task runs: its options, and what its function's answer means. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from .futures_in_text import refuse
from .options import flag, mapping

SHELLS: Final = ("sh", "bash", "dash", "ksh", "zsh")
"""Shells that quote as `quoting` does; a path to one of them will do, too."""


@dataclass(frozen=True, slots=True)
class CommandOptions:
    """How the commands of one executable task are run.

    Args:
        env: variables, added to the parent's environment.
        clean_env: whether they are all that the command gets.
        cwd: where it runs; None for the task's own sandbox.
        stdin: text, bytes or a path; None for nothing.
        ok_codes: exit codes that are no failure.
        capture_stdio: whether the value is the path of the output instead of its text.
        text: whether the value is text; otherwise it is bytes.
        shell: that runs a command given as text: a program, or with its arguments up to the one before the text.
    """

    env: Mapping[str, str] | None = None
    clean_env: bool = False
    cwd: Any = None
    stdin: Any = None
    ok_codes: frozenset[int] = frozenset({0})
    capture_stdio: bool = False
    text: bool = True
    shell: str | tuple[str, ...] = "/bin/sh"

    def changed(self, **options: Any) -> CommandOptions:
        """The same with some options set; those that are None stay as they are.

        Raises:
            TypeError: an option is of the wrong type, or has the text of a future in it.
            ValueError: a shell that does not quote as POSIX has it.
        """
        given = {name: value for name, value in options.items() if value is not None}
        for name, value in given.items():
            for text in value.values() if isinstance(value, Mapping) else (value,):
                refuse(text, f"{name}=")
        if "ok_codes" in given:
            given["ok_codes"] = _codes(given["ok_codes"])
        if "env" in given:
            given["env"] = _variables(given["env"])
        if "shell" in given:
            given["shell"] = checked_shell("shell", given["shell"])
        for name in ("clean_env", "capture_stdio", "text"):
            if name in given:
                flag(name, given[name])
        cwd = given.get("cwd", "")
        if not isinstance(cwd, str) and not hasattr(cwd, "__fspath__"):
            raise TypeError(f"cwd={cwd!r}: a path is needed, as text or a pathlib.Path")
        stdin = given.get("stdin", "")
        if not isinstance(stdin, (str, bytes)) and not hasattr(stdin, "__fspath__"):
            raise TypeError(f"stdin={stdin!r}: text, bytes or a path (pathlib.Path) is needed")
        return replace(self, **given)

    def environment(self, parents: Mapping[str, str]) -> dict[str, str]:
        """What the command sees.

        Args:
            parents: environment of this process.
        """
        return {**({} if self.clean_env else parents), **(self.env or {})}


def checked_shell(option: str, given: Any) -> str | tuple[str, ...]:
    """A shell as it was given, if a command can be run by it.

    Args:
        option: its name.
        given: a program, or a list of it and its arguments, as ``["bash", "-o", "pipefail", "-c"]``.

    Raises:
        TypeError: it is neither.
        ValueError: it does not quote as POSIX has it, or would not take the command.
    """
    words = (given,) if isinstance(given, str) else given
    if not isinstance(words, (list, tuple)) or not all(isinstance(word, str) for word in words):
        raise TypeError(
            f"{option}={given!r}: a program is needed, or a list as ['bash', '-o', 'pipefail', '-c']"
        )
    if not words or words[0].rpartition("/")[2] not in SHELLS:
        raise ValueError(
            f"{option}={given!r}: paths could not be quoted for it; it can be one of {', '.join(SHELLS)}"
        )
    if isinstance(given, str):
        return given
    if not (words[-1].startswith("-") and words[-1].endswith("c")) or len(words) == 1:
        raise ValueError(
            f"{option}={given!r}: the last argument has to be '-c', after which the command follows"
        )
    return tuple(words)


def script_of(argv: list[str | bytes], options: CommandOptions, cwd: bytes) -> bytes:
    """A script that runs a command once more, for a person. Values of variables are left out: they may be secrets.

    Args:
        argv: that was run.
        options: of its task.
        cwd: where it ran.
    """
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


def argv_of(given: Any, options: CommandOptions, name: str) -> list[str | bytes]:
    """What to execute.

    Args:
        given: what the task's function returned: text for a shell, or a list of arguments.
        options: of the task.
        name: of the task, for the error.

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


def _argument(item: Any, name: str) -> str | bytes:
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


def _codes(given: Any) -> frozenset[int]:
    codes = frozenset(given if isinstance(given, Iterable) else [given])
    if not all(isinstance(code, int) and not isinstance(code, bool) for code in codes):
        raise TypeError(f"ok_codes={given!r}: whole numbers are needed, as (0, 1)")
    return codes


def _variables(given: Mapping[Any, Any]) -> dict[str, str]:
    for key, value in mapping("env", given).items():
        is_fine = isinstance(value, (str, int, float)) and not isinstance(value, bool)
        if not isinstance(key, str) or not (is_fine or hasattr(value, "__fspath__")):
            raise TypeError(
                f"env={{{key!r}: {value!r}}}: names are text, and values are text, numbers or paths"
            )
    return {key: _value(value) for key, value in given.items()}


def _value(given: Any) -> str:
    path = given.__fspath__() if hasattr(given, "__fspath__") else given
    return path.decode(errors="surrogateescape") if isinstance(path, bytes) else str(path)
