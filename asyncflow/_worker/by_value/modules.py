"""Tells which modules a fresh interpreter with the same search path finds: what those define goes by its name."""

from __future__ import annotations

import os
import sys
from functools import reduce
from types import ModuleType
from typing import Any, Final

_OURS: Final = __name__.partition(".")[0] + "."
_BUILT_IN: Final = ("built-in", "frozen")
_JUDGED: Final[dict[str, tuple[object, list[str] | None, bool]]] = {}
"""Of modules: the spec, the search path if it was not found there, and whether it was."""
_HERE_ALONE: Final[list[str]] = []
"""Folders whose modules are not everywhere where functions go."""


def only_here(folder: str) -> None:
    """Let what the modules in a folder define travel by value from now on: a machine that work goes to has no such
    folder."""
    prefix = os.path.join(folder, "")
    if prefix not in _HERE_ALONE:
        _HERE_ALONE.append(prefix)
        _JUDGED.clear()


def found_anew(name: str) -> bool:
    """Whether a fresh interpreter finds a module of this program."""
    if name.startswith(_OURS):
        return True
    module = sys.modules.get(name)
    if module is None or name == "__main__":
        return False
    spec = getattr(module, "__spec__", None)
    judged = _JUDGED.get(name)
    if judged is not None and judged[0] is spec and judged[1] in (None, sys.path):
        return judged[2]
    found = _found_anew(name, spec)
    _JUDGED[name] = (spec, None if found else list(sys.path), found)
    return found


def _found_anew(name: str, spec: Any) -> bool:
    parent = name.rpartition(".")[0]
    # What a package has made of its own, as `six.moves`, or an extension.
    if spec is None or spec.name != name:
        return _has_package(parent)
    if spec.origin in _BUILT_IN:
        return True
    if _HERE_ALONE and spec.has_location and os.path.abspath(spec.origin).startswith(tuple(_HERE_ALONE)):
        return False
    path = None
    if parent:
        if not found_anew(parent):
            return False
        path = getattr(sys.modules[parent], "__path__", None)
    for finder in sys.meta_path:
        try:
            found = finder.find_spec(name, path, None)
        except Exception:  # others' code
            continue
        if found is not None:
            return bool(found.origin == spec.origin)
    return not spec.has_location and _has_package(parent)


def _has_package(name: str) -> bool:
    while name:
        if name in sys.modules and found_anew(name):
            return True
        name = name.rpartition(".")[0]
    return False


def importable(thing: object) -> tuple[str, str] | None:
    """The module and the name by which a worker can import a function or a class; None if it cannot. The plain
    function of a decorated task is found under the task's name."""
    module, path = getattr(thing, "__module__", None), getattr(thing, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(path, str) or "<" in path or not found_anew(module):
        return None
    found = named(module, path)
    return (module, path) if found is thing or getattr(found, "fn", None) is thing else None


def named(module: str, path: str) -> object:
    """The object of this name in a module that is loaded; None if there is none."""
    try:
        return reduce(getattr, path.split("."), sys.modules[module])
    except (AttributeError, KeyError):
        return None


def module_of(space: dict[str, object]) -> ModuleType | None:
    """The module that has a function's globals as its names; None for a dict that is no module's."""
    name = space.get("__name__")
    module = sys.modules.get(name) if isinstance(name, str) else None
    return module if isinstance(module, ModuleType) and module.__dict__ is space else None
