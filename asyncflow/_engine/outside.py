"""Reads settings that are given outside of the code: in the environment, and in the nearest ``pyproject.toml``.

What the command line says wins over what is given in code, that over the environment, the environment over the file,
the file over what is built in. Only what takes effect is checked, so that a setting which the code overrides cannot
stop it; a name that means nothing always is.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from functools import wraps
from pathlib import Path
from typing import Any, Final, TypeVar

from .._core.near import meant
from .._tracebacks import trim
from .._worker import command, marks, paths, watch
from .commanded import Misdirected, commanded
from .settings import OUTSIDE, PREFIX
from .settings import path as absolute

F = TypeVar("F", bound=Callable[..., object])
# Variables with which processes are told apart, and by which they find sandboxes; and what `asyncflow serve` goes by.
_OWN: Final = {command.MARK, watch.WATCHER, marks.WORKER_OF, paths.SANDBOXES, paths.GRACE, f"{PREFIX}TOKEN"}
_IN_FILE: Final = tuple(name for name, setting in OUTSIDE.items() if setting.in_file)
# What a file has, without its spaces, that may have our table: the parser takes a while.
_TABLES: Final = (b"tool.asyncflow", b'tool."asyncflow"', b"tool.'asyncflow'", b"[tool]")


def filled_in(init: F) -> F:
    """Give an ``__init__`` of engines what was left open and is given outside of the code.

    Args:
        init: takes ``backend`` by position, too, and all the others by name.
    """

    @wraps(init)
    def filled(self: object, *args: object, **options: object) -> None:
        by = commanded()
        try:
            if by is not None:
                args, options = args[1:], by.over({**options, "backend": args[0]} if args else options)
            given = {name for name, value in options.items() if value is not None}
            if (args and args[0] is not None) or "backends" in given:
                given.add("backend")
            if options.get("report_limit") == 0:
                given |= {"journal", "progress"}  # there is nothing for them
            found = _found(given)
            if args and "backend" in found:
                args = (found.pop("backend"), *args[1:])
            init(self, *args, **options | found)
            if by is not None:
                by.engines.append(self)
        except Exception as error:
            if by is not None and by.settings and not isinstance(error, Misdirected):
                error.add_note(by.noted())
            trim(error)
            raise

    return filled  # type: ignore[return-value]


def _found(given: Collection[str]) -> dict[str, object]:
    """What is set outside, and not given in code, by the names of settings."""
    checked = {}
    for name, (where, value, is_text) in (_of_file() | _of_environment()).items():
        if name in given:
            continue
        setting = OUTSIDE[name]
        try:
            checked[name] = setting.check(where, setting.from_text(where, value) if is_text else value)
        except TypeError as error:  # for the code of the program nothing is of the wrong type
            raise ValueError(*error.args) from None
    checked.pop("full_traceback", None)  # is read where tracebacks are
    return checked


# Both give, by the name of the setting: where it is set, to what, and whether that is the text of a variable.


def _of_environment() -> dict[str, tuple[str, Any, bool]]:
    found = {}
    for variable in sorted(os.environ):
        if not variable.startswith(PREFIX) or variable in _OWN:
            continue
        name, text = variable.removeprefix(PREFIX).lower(), os.environ[variable]
        if name in OUTSIDE and variable.isupper():
            if text:
                found[name] = variable, text, True
        elif near := meant(name, map(str.upper, OUTSIDE)):  # others may have variables that begin so
            near = near.replace("'", f"'{PREFIX}", 1)
            raise ValueError(f"{variable}={text!r}: there is no such setting.{near}")
    return found


def _of_file() -> dict[str, tuple[str, Any, bool]]:
    file, table = _nearest()
    if not isinstance(table, dict):
        raise ValueError(f"{file}: tool.asyncflow = {table!r}: a table is needed:  [tool.asyncflow]")
    found = {}
    for name, value in table.items():
        where = f"{file}: [tool.asyncflow] {name}"
        if name not in _IN_FILE:
            raise ValueError(
                f"{where} = {value!r}: there is no such setting.{meant(name, _IN_FILE)}\n"
                f"  There are: {', '.join(_IN_FILE)}."
            )
        if OUTSIDE[name].check is absolute and isinstance(value, str):
            found[name] = where, file.parent / Path(value).expanduser(), False
        else:
            found[name] = where, value, False
    return found


def _nearest() -> tuple[Path, object]:
    """The nearest ``pyproject.toml``, upwards from the working directory, and what is in its table."""
    try:
        folder = os.getcwd()
    except OSError:  # it is gone
        return Path(), {}
    while True:
        try:
            with open(os.path.join(folder, "pyproject.toml"), "rb", buffering=0) as file:
                content = file.readall()
            break
        except OSError:
            above = os.path.dirname(folder)
            if above == folder:
                return Path(), {}
            folder = above
    squeezed = content.replace(b" ", b"")
    if b"asyncflow" not in content or not any(each in squeezed for each in _TABLES):
        return Path(), {}
    import tomllib

    path = Path(folder, "pyproject.toml")
    try:
        return path, tomllib.loads(content.decode()).get("tool", {}).get("asyncflow", {})
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
