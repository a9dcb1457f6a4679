"""Imports run downwards only, and the core stays pure."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import asyncflow
from asyncflow.backends.carried import CarriedBackend

ROOT = Path(__file__).parent.parent


def test_imports_run_downwards_only() -> None:
    pytest.importorskip("importlinter", reason="import-linter is not installed here; see tox -e layers")
    program = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports())"
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout


@pytest.mark.parametrize("name", ["asyncio", "multiprocessing", "logging", "cloudpickle", "typeguard"])
def test_importing_the_package_and_its_core_loads_no(name: str) -> None:
    program = f"import asyncflow, asyncflow._core.scheduler, sys; print({name!r} in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout == "False\n"


def test_the_engine_is_there_without_what_only_few_runs_need() -> None:
    """Each costs milliseconds at the start of every program."""
    few = {"difflib", "hashlib", "platform", "secrets", "uuid", "tomllib", "cloudpickle"}
    few |= {
        "asyncflow.cli",
        "asyncflow.live",
        "asyncflow.plot",
        "asyncflow.serve",
        "click",
        "rich",
        "pydantic",
    }
    program = (
        "import asyncio, concurrent.futures.process, sys; before = set(sys.modules)\n"
        "import asyncflow; asyncflow.WorkflowEngine; print(*(set(sys.modules) - before))"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not few & set(ran.stdout.split())


def test_only_what_makes_starts_and_ends_a_run_knows_it() -> None:
    """Its parts are given what they need of it."""
    graph = pytest.importorskip("grimp").build_graph("asyncflow", cache_dir=None)
    assert graph.find_modules_that_directly_import("asyncflow._runtime.run") == {
        "asyncflow._engine.base",
        "asyncflow._rehearsal.dry_run",
        "asyncflow._rehearsal.rehearsal",
        "asyncflow._runtime.checked_run",
        "asyncflow._runtime.holders",
        "asyncflow._runtime.lifecycle",
    }


@pytest.mark.parametrize("path", sorted((ROOT / "backends").glob("*/**/*.py")), ids=str)
def test_plugins_for_clusters_import_what_is_public_alone(path: Path) -> None:
    """The rooms that are made for them; in their tests and examples also what users have."""
    imported = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            imported |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            imported |= {f"{node.module}.{each.name}" for each in node.names}
    ours = {name for name in imported if name.split(".")[0] == "asyncflow"}
    public = ["backend", "errors", "testing", "backends.carried"]
    rooms = {name for name in ours if any(f"{name}.".startswith(f"asyncflow.{room}.") for room in public)}
    is_package = path.relative_to(ROOT / "backends").parts[1].startswith("asyncflow_")
    exported = {f"asyncflow.{name}" for name in asyncflow.__all__}
    assert ours - rooms <= (set() if is_package else exported)
    assert not any(part.startswith("_") for name in ours for part in name.split("."))
    assert not [
        name for name in rooms if name.startswith("asyncflow.backends.carried.") and name.count(".") > 3
    ]


@pytest.mark.parametrize("path", sorted((ROOT / "backends").glob("*/asyncflow_*/*.py")), ids=str)
def test_plugins_for_clusters_take_no_name_that_is_private_to_what_they_build_on(path: Path) -> None:
    """The carried backend would call theirs."""
    private = {name for name in _names(CarriedBackend) if name.startswith("_") and not name.startswith("__")}
    for node in ast.walk(ast.parse(path.read_text())):
        bases = [ast.unparse(base) for base in node.bases] if isinstance(node, ast.ClassDef) else []
        if "CarriedBackend" in bases:
            assert isinstance(node, ast.ClassDef)
            own = {
                each.name for each in node.body if isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef))
            }
            own |= {
                target.attr
                for each in ast.walk(node)
                for target in (
                    each.targets if isinstance(each, ast.Assign) else [getattr(each, "target", None)]
                )
                if isinstance(target, ast.Attribute) and ast.unparse(target.value) == "self"
            }
            assert not own & private


def _names(cls: type) -> set[str]:
    """Methods of a class and of what it is built on, and all that they assign to ``self``."""
    names = set(dir(cls))
    for each in cls.__mro__[:-1]:
        for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(each)))):
            if (
                isinstance(node, ast.Attribute)
                and isinstance(node.ctx, ast.Store)
                and ast.unparse(node.value) == "self"
            ):
                names.add(node.attr)
    return names
