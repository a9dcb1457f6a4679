"""A census of Python source: how much code there is in each package of a folder, and which functions are longest."""

from __future__ import annotations

import ast
import os
import sysconfig
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from asyncflow import Outcome, WorkflowEngine, outcome

LEFT_OUT = {"__pycache__", "site-packages", "node_modules", "test", "tests", "idle_test"}

engine = WorkflowEngine(backend="process")


@dataclass
class Sum:
    """What some files have in them."""

    name: str
    files: int = 0
    lines: int = 0
    functions: int = 0
    longest: tuple[int, str] = (0, "none")
    refused: int = 0


@engine.function_task
def measure(path: str) -> Sum:
    """Count what a file has in it."""
    source = Path(path).read_bytes()
    found = Sum(os.path.basename(path), 1, source.count(b"\n"))
    with warnings.catch_warnings(action="ignore"):  # of the source
        tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            found.functions += 1
            found.longest = max(found.longest, (length, f"{node.name} in {found.name}"))
    return found


@engine.function_task
def add_up(name: str, parts: Sequence[Outcome[Sum]]) -> Sum:
    """The sum of the files of a package, or of all packages."""
    total = Sum(name, refused=sum(part.value is None for part in parts))
    for part in parts:
        if part.value is not None:
            total.files += part.value.files
            total.lines += part.value.lines
            total.functions += part.value.functions
            total.refused += part.value.refused
            total.longest = max(total.longest, part.value.longest)
    return total


@engine.function_task
def table(total: Sum, packages: Sequence[Sum], most: int) -> str:
    """The largest packages, a line each."""
    rows = sorted(packages, key=lambda each: -each.lines)[:most]
    lines = [f"{'package':20}{'files':>7}{'lines':>10}{'functions':>11}  longest function"]
    for each in [*rows, total]:
        numbers = f"{each.files:>7,}{each.lines:>10,}{each.functions:>11,}"
        lines.append(f"{each.name[:19]:20}{numbers}  {each.longest[1]} ({each.longest[0]:,} lines)")
    return "\n".join([*lines, f"{total.refused:,} files could not be measured."])


@engine.block
async def census(folder: Path | None = None, most: int = 10) -> str:
    """Measure the Python files of a folder, package by package. One that cannot be parsed is a task that fails; the
    others go on.

    Args:
        folder: which; the standard library if not given.
        most: how many packages are shown, the largest.
    """
    packages = python_files(folder or Path(sysconfig.get_path("stdlib")))
    sums = [
        add_up(name, [outcome(measure(path)) for path in paths])  # nothing is awaited: all run as they can
        for name, paths in packages.items()
    ]
    return await table(add_up("all", [outcome(each) for each in sums]), sums, most)


def python_files(folder: Path) -> dict[str, list[str]]:
    """The paths of the Python files below a folder, by package."""
    packages: dict[str, list[str]] = {}
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in LEFT_OUT and name[0] != ".")
        for name in sorted(names):
            if name.endswith(".py"):
                path = os.path.join(place, name)
                package = os.path.relpath(path, folder).split(os.sep)[0]
                packages.setdefault(package.removesuffix(".py"), []).append(path)
    return packages
