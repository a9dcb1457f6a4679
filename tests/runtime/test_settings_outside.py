"""Settings that are given in the environment and in `pyproject.toml`."""

from __future__ import annotations

import inspect
import os
import re
from pathlib import Path
from typing import Any

import pytest

import asyncflow
from asyncflow import UnknownBackend, WorkflowEngine
from asyncflow._engine.outside import _OWN
from asyncflow._engine.settings import OUTSIDE, PREFIX
from asyncflow._tracebacks import shows_all

from .kit import script

GIVEN: dict[str, tuple[str, Any]] = {
    "dry_run": ("yes", True),
    "max_coroutines": ("7", 7),
    "executables": ("3", 3),
    "implicit_data": ("off", False),
    "keep": ("all", "all"),
    "grace": ("0.5", 0.5),
    "report_limit": ("0", 0),
    "max_tasks": ("12", 12),
    "check_types": ("1", True),
    "contain_commands": ("true", True),
    "shell": ("bash -o pipefail -c", ("bash", "-o", "pipefail", "-c")),
}


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, of which nothing is set."""
    for variable in os.environ:
        if variable.startswith(PREFIX):
            monkeypatch.delenv(variable)
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'mine'\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def setting_of(engine: WorkflowEngine, name: str) -> Any:
    settings = engine._settings
    return getattr(settings.defaults["executable"] if name == "shell" else settings, name)


def in_file(project: Path, lines: str) -> None:
    (project / "pyproject.toml").write_text(f"[tool.asyncflow]\n{lines}\n")


def backend_of(engine: WorkflowEngine) -> Any:
    (backend,) = engine._backends.values()
    return backend


# -- which one wins -----------------------------------------------------------------------------------------


def test_code_wins_over_the_environment_and_that_over_the_file(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert WorkflowEngine()._settings.grace == 5
    in_file(project, "grace = 1")
    assert WorkflowEngine()._settings.grace == 1
    monkeypatch.setenv("ASYNCFLOW_GRACE", "2")
    assert WorkflowEngine()._settings.grace == 2
    assert WorkflowEngine(grace=3)._settings.grace == 3


@pytest.mark.parametrize(("name", "text", "value"), [(name, *given) for name, given in GIVEN.items()])
def test_a_variable_sets_what_an_argument_does(
    name: str, text: str, value: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PREFIX + name.upper(), text)
    assert setting_of(WorkflowEngine(), name) == value


@pytest.mark.parametrize(("name", "value"), [(name, given) for name, (_, given) in GIVEN.items()])
def test_a_line_of_the_file_sets_what_an_argument_does(name: str, value: Any, project: Path) -> None:
    written = (
        str(value).lower() if isinstance(value, bool) else repr(list(value) if name == "shell" else value)
    )
    in_file(project, f"{name} = {written}")
    assert setting_of(WorkflowEngine(), name) == value


def test_backend_and_workers_are_set_outside(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_file(project, "backend = 'process'\nworkers = 3")
    engine = WorkflowEngine()
    assert (backend_of(engine).name, backend_of(engine).workers) == ("process", 3)
    monkeypatch.setenv("ASYNCFLOW_BACKEND", "sequential")
    assert backend_of(WorkflowEngine()).name == "sequential"
    assert backend_of(WorkflowEngine(None)).name == "sequential"
    assert backend_of(WorkflowEngine("thread")).name == "thread"
    assert backend_of(WorkflowEngine(backend="thread")).name == "thread"
    assert list(WorkflowEngine(backends={"io": "thread"})._backends) == ["io"]


def test_an_argument_of_none_leaves_it_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASYNCFLOW_WORKERS", "3")
    assert backend_of(WorkflowEngine(workers=None)).workers == 3
    assert WorkflowEngine(workers=None)._settings.executables == 3


def test_an_empty_variable_sets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASYNCFLOW_GRACE", "")
    assert WorkflowEngine()._settings.grace == 5


def test_an_engine_that_records_nothing_needs_no_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASYNCFLOW_JOURNAL", "run.jsonl")
    assert WorkflowEngine(report_limit=0)._settings.journal is None


# -- which file ---------------------------------------------------------------------------------------------


def test_the_nearest_file_is_read(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_file(project, "grace = 1")
    (project / "src" / "inner").mkdir(parents=True)
    monkeypatch.chdir(project / "src" / "inner")
    assert WorkflowEngine()._settings.grace == 1
    (project / "src" / "pyproject.toml").write_text("[project]\n")
    assert WorkflowEngine()._settings.grace == 5


def test_paths_in_the_file_are_seen_from_the_file_and_variables_from_here(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_file(project, "work_dir = 'scratch'\njournal = '~/run.jsonl'")
    (project / "src").mkdir()
    monkeypatch.chdir(project / "src")
    monkeypatch.setenv("HOME", "/home/me")
    assert WorkflowEngine()._settings.work_dir == project / "scratch"
    assert WorkflowEngine()._settings.journal == Path("/home/me/run.jsonl")
    monkeypatch.setenv("ASYNCFLOW_WORK_DIR", "scratch")
    assert WorkflowEngine()._settings.work_dir == project / "src" / "scratch"


@pytest.mark.parametrize(
    "written",
    ["[tool]\nasyncflow.grace = 1", "[tool]\nasyncflow = {grace = 1}", '[ tool . "asyncflow" ]\ngrace = 1'],
)
def test_however_the_table_is_written(written: str, project: Path) -> None:
    (project / "pyproject.toml").write_text(written)
    assert WorkflowEngine()._settings.grace == 1


def test_a_working_directory_that_is_gone_has_no_file(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = project / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert WorkflowEngine(work_dir="/tmp")._settings.grace == 5


# -- what is wrong ------------------------------------------------------------------------------------------

WRONG = [
    ("workers", "many", "a whole number is needed, 1 or more"),
    ("workers", "0", "at least one is needed"),
    ("workers", "1.5", "a whole number is needed, 1 or more"),
    ("dry_run", "maybe", "it can be "),
    ("keep", "fialed", "it can be one of 'failed', 'all', 'none'. Did you mean 'failed'?"),
    ("grace", "5m", "it takes seconds as a number"),
    ("grace", "-1", "it takes seconds, 0 or more"),
    ("report_limit", "-1", "a whole number is needed, 0 or more"),
    ("shell", "python", "it can be one of "),
]


@pytest.mark.parametrize(("name", "text", "allowed"), WRONG)
def test_a_wrong_value_names_its_variable_and_what_is_allowed(
    name: str, text: str, allowed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    variable = PREFIX + name.upper()
    monkeypatch.setenv(variable, text)
    with pytest.raises(ValueError, match=re.escape(allowed)) as caught:
        WorkflowEngine()
    assert str(caught.value).startswith(f"{variable}=")
    assert text in str(caught.value)
    right: Any = {name: {"dry_run": True, "keep": "all", "shell": "/bin/sh"}.get(name, 1)}
    WorkflowEngine(**right)  # what is not used stops nobody


@pytest.mark.parametrize(("name", "text", "allowed"), WRONG)
def test_a_wrong_value_names_its_file_and_line_and_what_is_allowed(
    name: str, text: str, allowed: str, project: Path
) -> None:
    is_number = re.fullmatch(r"-?[0-9.]+", text)
    in_file(project, f"{name} = {text if is_number else repr(text)}")
    with pytest.raises(ValueError, match=re.escape(allowed)) as caught:
        WorkflowEngine()
    assert str(caught.value).startswith(f"{project}/pyproject.toml: [tool.asyncflow] {name}=")


def test_an_unknown_backend_names_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASYNCFLOW_BACKEND", "threads")
    with pytest.raises(UnknownBackend, match=r"^ASYNCFLOW_BACKEND='threads': .*Did you mean 'thread'\?$"):
        WorkflowEngine()


def test_a_name_that_is_nearly_one_is_an_error(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASYNCFLOW_WORKER", "3")
    with pytest.raises(ValueError, match=r"^ASYNCFLOW_WORKER='3': .* Did you mean 'ASYNCFLOW_WORKERS'\?$"):
        WorkflowEngine(workers=3)
    monkeypatch.delenv("ASYNCFLOW_WORKER")
    in_file(project, "worker = 3")
    with pytest.raises(
        ValueError, match=r"\[tool.asyncflow\] worker = 3: .* Did you mean 'workers'\?\n  There are: "
    ):
        WorkflowEngine(workers=3)


def test_variables_of_others_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASYNCFLOW_HOME", "/opt/asyncflow")
    for own in _OWN:
        monkeypatch.setenv(own, "5")
    WorkflowEngine()


def test_a_file_that_is_no_toml_is_told_with_its_line(project: Path) -> None:
    in_file(project, "workers =")
    with pytest.raises(ValueError, match=r"pyproject.toml: Invalid value \(at line 2"):
        WorkflowEngine()
    (project / "pyproject.toml").write_text("[tool]\nasyncflow = 5")
    with pytest.raises(ValueError, match=r"pyproject.toml: tool.asyncflow = 5: a table is needed"):
        WorkflowEngine()


# -- the table ----------------------------------------------------------------------------------------------


def test_every_argument_of_an_engine_but_one_may_be_set_outside() -> None:
    arguments = set(inspect.signature(WorkflowEngine).parameters)
    assert set(OUTSIDE) - {"full_traceback"} == arguments - {"backends", "amounts", "defaults"}


def test_every_variable_that_the_code_reads_is_in_the_table() -> None:
    folder = Path(asyncflow.__file__).parent
    named = {
        found
        for file in folder.rglob("*.py")
        if "testing" not in file.parts  # what stands in for users' code
        for found in re.findall(rf"[\"'`]({PREFIX}[A-Z_]+)", file.read_text())
    }
    known = {PREFIX + name.upper() for name in OUTSIDE} | _OWN
    assert named - known == set()


@pytest.mark.parametrize(
    ("text", "shown"), [("1", True), ("yes", True), ("0", False), ("off", False), ("", False)]
)
def test_tracebacks_are_shown_in_full_as_the_variable_says(
    text: str, shown: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASYNCFLOW_FULL_TRACEBACK", text)
    assert shows_all() == shown
    WorkflowEngine()


def test_nothing_is_parsed_where_nothing_is_set(project: Path) -> None:
    (project / "pyproject.toml").write_text("[project.entry-points.pytest11]\nasyncflow = 'asyncflow.mine'\n")
    done = script(
        """
        import sys
        import asyncflow
        assert "asyncflow._engine.outside" not in sys.modules
        asyncflow.WorkflowEngine()
        assert "tomllib" not in sys.modules
        """
    )
    assert done.returncode == 0, done.stderr
