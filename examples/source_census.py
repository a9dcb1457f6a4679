"""A census of Python source: parse every file of a folder, measure it, add up by package, rank, print.

    python examples/source_census.py                        # the standard library of this Python
    python examples/source_census.py some/folder --workers 4

The first half is ordinary functions; `census_of` makes a workflow of them. A file that cannot be read or does not
parse is a task that failed. No task catches anything: the others go on, and the last table says why.
"""

from __future__ import annotations

import argparse
import ast
import asyncio
import importlib.util
import os
import stat
import sys
import sysconfig
import time
import warnings
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass

from asyncflow import UpstreamFailed, WorkflowEngine

SKIPPED = {"__pycache__", "site-packages", "dist-packages", "node_modules"}
SHOWN = 12  # rows of each table


@dataclass(frozen=True)
class Function:
    name: str
    lines: int
    path: str


@dataclass(frozen=True)
class Measured:
    """What a file holds, or a package in sum."""

    files: int
    lines: int
    code: int
    classes: int
    functions: int
    depth: int
    longest: list[Function]


@dataclass(frozen=True)
class Package:
    name: str
    total: Measured
    refused: dict[str, str]  # path -> why it could not be measured


def find(root: str) -> dict[str, list[str]]:
    """The Python files below a folder, by top-level package or module. Links to folders are not followed."""
    packages: dict[str, list[str]] = {}
    for folder, subfolders, names in os.walk(root, onerror=lambda e: print(f"skipped: {e}", file=sys.stderr)):
        subfolders[:] = sorted(name for name in subfolders if name not in SKIPPED and name[0] != ".")
        for name in sorted(names):
            if name.endswith(".py"):
                path = os.path.relpath(os.path.join(folder, name), root)
                packages.setdefault(path.split(os.sep)[0].removesuffix(".py"), []).append(path)
    return packages


def read(root: str, path: str) -> str:
    """The text of a file, in the encoding that it declares."""
    path = os.path.join(root, path)
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise OSError("not a regular file")  # to open a pipe would be to wait for its writer
    with open(path, "rb") as file:
        return importlib.util.decode_source(file.read())


def measure(source: str, path: str) -> Measured:
    """Count what a file holds."""
    lines = (
        source.removesuffix("\n").split("\n") if source else []
    )  # splitlines() would split at form feeds, too
    depth, classes, functions = 0, 0, []
    for node, level, name in statements(ast.parse(source, os.path.basename(path))):
        depth = max(depth, level)
        classes += isinstance(node, ast.ClassDef)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            functions.append(Function(name, (node.end_lineno or node.lineno) - node.lineno + 1, path))
    code = sum(1 for line in lines if line.strip() and not line.lstrip().startswith("#"))
    return Measured(1, len(lines), code, classes, len(functions), depth, longest(functions))


def statements(module: ast.Module) -> Iterator[tuple[ast.AST, int, str]]:
    """All statements, with their level of nesting and the dotted name of the function or class around them."""
    stack: list[tuple[ast.AST, int, str]] = [(node, 0, "") for node in module.body]
    while stack:  # and not recursion: source may nest as deep as it likes
        node, level, name = stack.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            name = f"{name}.{node.name}".lstrip(".")
        yield node, level, name
        for block in ("body", "orelse", "finalbody", "handlers", "cases"):
            for child in getattr(node, block, ()):
                # an `elif`, an `except` and a `case` stand as deep as what they belong to
                aside = isinstance(child, ast.ExceptHandler | ast.match_case) or (
                    isinstance(node, ast.If) and isinstance(child, ast.If) and is_elif(node, child)
                )
                stack.append((child, level if aside else level + 1, name))


def is_elif(above: ast.If, below: ast.If) -> bool:
    return below in above.orelse and below.col_offset == above.col_offset


def longest(functions: list[Function]) -> list[Function]:
    return sorted(functions, key=lambda function: -function.lines)[:SHOWN]


def summarize(name: str, outcomes: dict[str, Measured | BaseException]) -> Package:
    """One package: the sum of what was measured, and why the rest was not."""
    return Package(
        name,
        add_up([outcome for outcome in outcomes.values() if isinstance(outcome, Measured)]),
        {path: why(outcome) for path, outcome in outcomes.items() if isinstance(outcome, BaseException)},
    )


def add_up(parts: list[Measured]) -> Measured:
    return Measured(
        files=sum(part.files for part in parts),
        lines=sum(part.lines for part in parts),
        code=sum(part.code for part in parts),
        classes=sum(part.classes for part in parts),
        functions=sum(part.functions for part in parts),
        depth=max((part.depth for part in parts), default=0),
        longest=longest([function for part in parts for function in part.longest]),
    )


def why(error: BaseException) -> str:
    """What went wrong with a file, in one line."""
    if isinstance(error, UpstreamFailed) and error.__cause__:
        error = error.__cause__  # it was not measured because it could not be read
    text = str(error)
    if isinstance(error, OSError):
        text = error.strerror or text  # without the path, which stands beside it
    elif isinstance(error, SyntaxError):
        text = f"line {error.lineno}: {error.msg}" if error.lineno else error.msg
    return f"{type(error).__name__}: {text}".partition("\n")[0][:100]


def rank(packages: list[Package]) -> list[Package]:
    """The largest first."""
    return sorted(packages, key=lambda package: -package.total.lines)


def take_census(engine: WorkflowEngine, root: str, found: dict[str, list[str]]) -> list[Package]:
    """Run the workflow."""
    return engine.run(census_of(engine, root, found))


def census_of(
    engine: WorkflowEngine, root: str, found: dict[str, list[str]]
) -> Callable[[], Coroutine[object, object, list[Package]]]:
    """The functions above as a workflow: four kinds of task, a block for each package, one around all."""
    read_file = engine.function_task(read)
    measure_file = engine.function_task(measure)
    summarize_package = engine.function_task(summarize)
    rank_packages = engine.function_task(rank)

    @engine.block
    async def package(name: str, paths: list[str]) -> Package:
        measured = [measure_file(read_file(root, path), path) for path in paths]
        # Futures handed on as they are would fail the next task with the first bad file; outcomes are data.
        outcomes = await asyncio.gather(*measured, return_exceptions=True)
        return await summarize_package(name, dict(zip(paths, outcomes, strict=True)))

    @engine.block
    async def census() -> list[Package]:
        return await rank_packages([package(name, paths) for name, paths in found.items()])

    async def main() -> list[Package]:
        return await census()

    return main


def show(packages: list[Package]) -> None:
    total = add_up([package.total for package in packages])
    refused = {path: reason for package in packages for path, reason in package.refused.items()}
    largest: list[tuple[str | int, ...]] = [
        (name, t.files, t.lines, t.code, t.classes, t.functions, t.depth)
        for name, t in [(package.name, package.total) for package in packages]
    ]
    table("Largest packages", "package files lines code classes functions depth", largest)
    table("Longest functions", "function lines file", [(f.name, f.lines, f.path) for f in total.longest])
    table("Not measured", "file why", list(refused.items()))
    print(f"\n{total.files:,} files, {total.lines:,} lines, {total.functions:,} functions;", end=" ")
    print(f"{len(refused):,} files could not be measured")


def table(title: str, header: str, rows: Sequence[tuple[str | int, ...]]) -> None:
    """Aligned columns, numbers to the right, at most SHOWN rows."""
    if not rows:
        return
    shown = [tuple(header.split()), *rows[:SHOWN]]
    texts = [[f"{cell:,}" if isinstance(cell, int) else cell for cell in row] for row in shown]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    print(f"\n{title}")
    for text in texts:
        cells = zip(text, widths, rows[0], strict=True)
        line = "  ".join(t.rjust(w) if isinstance(cell, int) else t.ljust(w) for t, w, cell in cells)
        print(f"  {line}".rstrip())
    if len(rows) > SHOWN:
        print(f"  ... and {len(rows) - SHOWN:,} more")


def main() -> None:
    parser = argparse.ArgumentParser(description="A census of the Python source in a folder.")
    parser.add_argument(
        "folder", nargs="?", default=sysconfig.get_path("stdlib"), help="default: the standard library"
    )
    parser.add_argument("--backend", default="thread", help="where the work is done (default: %(default)s)")
    parser.add_argument("--workers", type=int, help="default: one for each CPU")
    options = parser.parse_args()
    if not os.path.isdir(options.folder):
        parser.error(f"no such folder: {options.folder}")
    warnings.simplefilter("ignore")  # about odd escapes in the files that are read
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # file names may be any bytes

    began = time.perf_counter()
    engine = WorkflowEngine(backend=options.backend, workers=options.workers)
    found = find(options.folder)
    packages = take_census(engine, options.folder, found)
    show(packages)
    tasks = 2 * sum(map(len, found.values())) + len(found) + 1
    print(f"{tasks:,} tasks in {len(found) + 1:,} blocks, {time.perf_counter() - began:.1f} s", end=" ")
    print(f"on the {options.backend} backend")


if __name__ == "__main__":
    main()
