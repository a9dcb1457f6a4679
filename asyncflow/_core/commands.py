"""Decides what an executable task runs: its options, and what its function's answer means. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

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
        shell: that runs a command given as text.
    """

    env: Mapping[str, str] | None = None
    clean_env: bool = False
    cwd: Any = None
    stdin: Any = None
    ok_codes: frozenset[int] = frozenset({0})
    capture_stdio: bool = False
    shell: str = "/bin/sh"

    def changed(self, **options: Any) -> CommandOptions:
        """The same with some options set; those that are None stay as they are.

        Raises:
            TypeError: an option is of the wrong type.
            ValueError: a shell that does not quote as POSIX has it.
        """
        given = {name: value for name, value in options.items() if value is not None}
        if "ok_codes" in given:
            given["ok_codes"] = _codes(given["ok_codes"])
        if "env" in given:
            given["env"] = _variables(given["env"])
        if "shell" in given and given["shell"].rpartition("/")[2] not in SHELLS:
            raise ValueError(
                f"shell={given['shell']!r}: paths could not be quoted for it; it can be one of {', '.join(SHELLS)}"
            )
        for name in ("clean_env", "capture_stdio"):
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
        argv: list[str | bytes] = [options.shell, "-c", given]
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
        if not isinstance(key, str) or not isinstance(value, (str, int, float)) or isinstance(value, bool):
            raise TypeError(f"env={{{key!r}: {value!r}}}: names are text, and values are text or numbers")
    return {key: str(value) for key, value in given.items()}
