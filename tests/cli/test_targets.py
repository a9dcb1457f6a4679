"""What ``FILE[:target]`` means, and what is said where it means nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from .kit import Here, shell

TASKS = """
from asyncflow import WorkflowEngine
engine = WorkflowEngine()

@engine.function_task
def count(text: str) -> int:
    return len(text)

@engine.block
async def pipeline(texts: list[str]) -> int:
    return sum([await count(text) for text in texts])
"""


@pytest.fixture
def flow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "flow.py"
    path.write_text(TASKS)
    return path


def test_a_target_is_called_with_what_is_typed(flow: Path, here: Here) -> None:
    assert here("run", "flow.py:pipeline", "ab", "cde").out == "5\n"
    assert here("run", "flow.py:count", "--text", "ab").out == "2\n"


def test_the_only_block_of_a_file_need_not_be_named(flow: Path, here: Here) -> None:
    assert here("run", "flow.py", "ab").out == "2\n"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("flwo.py", "no file 'flwo.py'; did you mean 'flow.py'?"),
        ("flow", "did you mean 'flow.py'?"),
        ("flow.py:pipelin", "flow.py has no 'pipelin'; did you mean 'pipeline'?"),
        ("flow.py:engine", "is the engine"),
        ("flow.py:__name__", "which cannot be called"),
        (".", "is a folder, and a file of Python is needed; there are flow.py"),
        ("nowhere/flow.py", "there is no folder 'nowhere' either"),
    ],
)
def test_what_there_is_not_is_told_with_what_may_be_meant(
    given: str, said: str, flow: Path, here: Here
) -> None:
    told = here("run", given)
    assert told.code == 2 and said in told.err and "Traceback" not in told.err


def test_of_several_targets_one_is_to_be_named(flow: Path, here: Here) -> None:
    flow.write_text(TASKS.replace("@engine.block", "@engine.function_task"))
    told = here("check", "flow.py")
    assert told.code == 2
    assert "2 targets" in told.err and "flow.py:count" in told.err and "flow.py:pipeline" in told.err


def test_a_main_guard_is_respected_where_a_target_is_named(flow: Path, here: Here) -> None:
    flow.write_text(
        TASKS + "\nif __name__ == '__main__':\n    print('as a script', engine.run(count, 'abc'))\n"
    )
    assert here("run", "flow.py:count", "x").out == "1\n"
    assert here("run", "flow.py").out == "as a script 3\n"


def test_an_option_behind_the_file_is_the_scripts_if_the_script_has_it(flow: Path, here: Here) -> None:
    flow.write_text("import sys\nif __name__ == '__main__':\n    print(sys.argv, __file__, '--workers')\n")
    told = here("run", "flow.py", "--workers", "3", "-h", "--quiet", "--", "--quiet")
    assert told.out == "['flow.py', '--workers', '3', '-h', '--', '--quiet'] flow.py --workers\n"


def test_an_option_behind_the_file_is_the_targets_if_it_has_such_a_parameter(flow: Path, here: Here) -> None:
    flow.write_text(
        TASKS.replace("text: str", "text: str, workers: str = ''").replace("len(text)", "workers")
    )
    assert here("run", "--workers", "1", "flow.py:count", "x", "--workers", "many").out == "many\n"
    assert here("run", "flow.py:pipeline", "x", "--workers", "many").code == 2


def test_worker_processes_find_what_a_file_defines_whatever_it_is_called(flow: Path, here: Here) -> None:
    for name in ("flow.py", "pytest.py", "01-flow of mine.py", "a.b.py", "no_suffix"):
        flow.with_name(name).write_text(TASKS)
        told = here("run", "--backend", "process", "--workers", "1", f"{name}:pipeline", "ab", "c")
        assert (told.code, told.out) == (0, "3\n"), told.err


def test_a_file_in_a_package_has_its_relative_imports(flow: Path, here: Here) -> None:
    package = flow.parent / "pack" / "inner"
    package.mkdir(parents=True)
    for folder in (package, package.parent):
        (folder / "__init__.py").touch()
    (package.parent / "beside.py").write_text("LENGTH = 7\n")
    (package / "flow.py").write_text("from ..beside import LENGTH\n" + TASKS.replace("len(text)", "LENGTH"))
    told = here("run", "--backend", "process", "--workers", "1", "pack/inner/flow.py:count", "x")
    assert (told.code, told.out) == (0, "7\n"), told.err


def test_the_command_line_wins_over_the_code(flow: Path, here: Here) -> None:
    flow.write_text(
        TASKS.replace("WorkflowEngine()", "WorkflowEngine(backend='thread', workers=1)")
        + "\n@engine.function_task\ndef where() -> int:\n    import os; return os.getpid()\n"
    )
    assert int(here("run", "flow.py:where").out) == os.getpid()
    assert int(here("run", "--backend", "process", "flow.py:where").out) != os.getpid()
    assert here("run", "--backend", "process", "--workers", "0", "flow.py:where").code == 2


def test_of_several_backends_one_is_said_by_its_name(flow: Path, here: Here) -> None:
    flow.write_text(
        TASKS.replace(
            "WorkflowEngine()", "WorkflowEngine(backends={'io': 'thread', 'cpu': 'process'})"
        ).replace("function_task", "function_task(backend='cpu')")
        + "\nother = WorkflowEngine()\n"
    )
    assert here("run", "-q", "--backend", "cpu=sequential", "flow.py:count", "ab").out == "2\n"
    for given, said in (
        ("thread", "say which one is to be another:  --backend io=thread"),
        ("gpu=thread", "io, cpu"),
    ):
        told = here("run", "--backend", given, "flow.py:count", "ab")
        assert told.code == 2 and said in told.err and "Traceback" not in told.err
    flow.write_text(TASKS)
    assert "has a backend called 'io'" in here("run", "--backend", "io=thread", "flow.py:count", "ab").err


def test_workers_of_a_backend_that_the_code_makes_are_not_changed_unseen(flow: Path, here: Here) -> None:
    made = "from asyncflow.backends.thread import ThreadBackend\n"
    flow.write_text(made + TASKS.replace("WorkflowEngine()", "WorkflowEngine(ThreadBackend(2))"))
    told = here("run", "--workers", "4", "flow.py:count", "ab")
    assert told.code == 2 and "--backend thread --workers 4" in told.err
    assert here("run", "-q", "--workers", "4", "--backend", "thread", "flow.py:count", "ab").out == "2\n"


def test_a_command_is_a_target_whose_files_are_typed(flow: Path, here: Here) -> None:
    flow.write_text(
        "from asyncflow import InputFile, OutputFile\n" + TASKS + "\n@engine.executable_task\n"
        "def upper(source: InputFile, to: OutputFile = OutputFile('out.txt', to='./')):\n"
        "    return f'tr a-z A-Z < {source} > {to}'\n"
    )
    (flow.parent / "in.txt").write_text("ab")
    assert here("run", "-q", "flow.py:upper", "in.txt").code == 0
    assert (flow.parent / "out.txt").read_text() == "AB"
    assert here("run", "-q", "flow.py:upper", "nowhere.txt").code == 1


def test_an_error_says_that_the_command_line_has_made_the_call(flow: Path, here: Here) -> None:
    flow.write_text(TASKS.replace("len(text)", "1 / 0"))
    told = here("run", "flow.py:count", "ab")
    assert told.code == 1 and "ZeroDivisionError" in told.err
    assert "called at <command line>:1" in told.err and "asyncflow/cli" not in told.err


def test_what_the_file_itself_raises_is_shown_as_python_shows_it(flow: Path) -> None:
    flow.write_text("def broken():\n    return 1 / 0\nbroken()\n")
    told = shell("check", "flow.py", cwd=flow.parent)
    assert told.code == 1
    assert told.err.splitlines()[-1] == "ZeroDivisionError: division by zero"
    assert "asyncflow/" not in told.err and "click" not in told.err and "flow.py" in told.err
