"""Loads a file as a module, or runs it as Python runs a script, in such a way that worker processes find what it
defines."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec, SourceFileLoader
from types import ModuleType

from .outcome import users_code


@contextmanager
def loaded(path: str) -> Iterator[ModuleType]:
    """Load a file as a module: its ``__name__`` is not "__main__".

    Its folder comes first on `sys.path`, as for a script. In a package it is loaded as a part of that, so that also
    its relative imports work.

    Args:
        path: of the file.

    Raises:
        SystemExit: its code has raised something, which is told already.
    """
    path = os.path.abspath(path)
    packages, root = _packages(path)
    with _surroundings([path], [os.path.dirname(path), *([root] if root else [])]):
        with users_code():  # of its packages
            spec = _spec(packages, path)
        if isinstance(spec.loader, SourceFileLoader):
            # As of a script, no compiled file is left beside it.
            spec.loader.set_data = _nothing  # type: ignore[method-assign]
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        try:
            assert spec.loader is not None
            with users_code():
                spec.loader.exec_module(module)
            yield module
        finally:
            if sys.modules.get(spec.name) is module:
                del sys.modules[spec.name]


def _nothing(*_: object, **__: object) -> None: ...


@contextmanager
def script(path: str, arguments: Sequence[str]) -> Iterator[ModuleType]:
    """Be the script of a file until this is left: its module is there as "__main__", and is still to be run by
    `run_script`.

    Args:
        path: of the file.
        arguments: what `sys.argv` has after the name of the file.
    """
    main = ModuleType("__main__")
    main.__dict__.update(__file__=path, __builtins__=__builtins__)
    before = sys.modules["__main__"]
    with _surroundings([path, *arguments], [os.path.dirname(os.path.abspath(path))]):
        sys.modules["__main__"] = main
        try:
            yield main
        finally:
            sys.modules["__main__"] = before


def run_script(main: ModuleType) -> None:
    """Run the module of a script."""
    path = str(main.__file__)
    with open(path, "rb") as file:
        code = compile(file.read(), path, "exec", dont_inherit=True)
    exec(code, main.__dict__)


def _packages(path: str) -> tuple[list[str], str]:
    """The names of the packages that a file is in, and the folder of the outermost; that is "" if it is in none."""
    folder, names = os.path.dirname(path), list[str]()
    while os.path.isfile(os.path.join(folder, "__init__.py")) and os.path.basename(folder).isidentifier():
        folder, package = os.path.split(folder)
        names.insert(0, package)
    return names, folder if names else ""


def _spec(packages: Sequence[str], path: str) -> ModuleSpec:
    """How a module is loaded: as a fresh interpreter with this path would load it by its name, if it can; else under a
    name that nothing else has, and what it defines then travels to worker processes by value."""
    stem = os.path.splitext(os.path.basename(path))[0]
    name = ".".join([*packages, stem])
    if "." not in stem and name not in sys.modules:
        parent = ".".join(packages)
        folders = importlib.import_module(parent).__path__ if parent else None
        for finder in sys.meta_path:
            spec = finder.find_spec(name, folders)
            if spec is not None:
                if spec.origin == path:
                    return spec
                break
    name = f"{stem.replace('.', '_')}_"
    while name in sys.modules:
        name += "_"
    spec = importlib.util.spec_from_loader(name, SourceFileLoader(name, path), origin=path)
    assert spec is not None
    spec.has_location = True
    return spec


@contextmanager
def _surroundings(argv: list[str], folders: list[str]) -> Iterator[None]:
    """What a program sees of where it is."""
    path, before = list(sys.path), list(sys.argv)
    sys.path[:0] = folders
    sys.argv[:] = argv
    try:
        yield
    finally:
        sys.path[:] = path
        sys.argv[:] = before
