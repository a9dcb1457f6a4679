"""What newcomers get wrong, subcommand by subcommand: each is told the mend, and nothing runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from .kit import Here

FLOW = """
from asyncflow import WorkflowEngine

engine = WorkflowEngine(workers=2)

@engine.function_task
def fit(x: int) -> int:
    return x

@engine.function_task
def rows(n: int):
    yield from range(n)

@engine.block
async def pipeline(n: int = 3) -> list[int]:
    return [await fit(number) for number in range(n)]
"""

MISTAKES = [
    # run
    ("run flow.py pipeline", "did you mean:  asyncflow run flow.py:pipeline"),
    ("run flow.pipeline", "did you mean 'flow.py:pipeline'?"),
    ("run flow:pipeline", "did you mean 'flow.py:pipeline'?"),
    ("run flow.py:pipeline n=3", "did you mean:  --n 3"),
    ("run flow.py:pipeline --reprot out.html", "did you mean --report?"),
    ("run flow.py:pipeline -o out.html", "asyncflow run --help"),
    ("run flow.py:rows 3", "name a block that reads them:  return [each async for each in rows(...)]"),
    # before a run
    ("check flow.py:rows", "name a block that reads them"),
    ("check flow.py:pipeline x", "'x' is no whole number"),
    ("check flow.py:pipelin", "did you mean 'pipeline'?"),
    ("plan flow.py:rows 3", "name a block that reads them"),
    ("plan flow.py:pipeline --workers two", "numbers of workers are needed, as 1,2,4,8"),
    ("plan flow.py:pipeline --durations no.jsonl", "asyncflow run FILE --journal run.jsonl"),
    ("graph flow.py:pipeline graph.svg", "did you mean:  -o graph.svg"),
    ("graph flow.py:pipeline -o graph.pdf", "asyncflow: -o graph.pdf: the end of the name says the format"),
    ("graph flow.py:pipeline -o no/graph.mmd", "mkdir -p no"),
    # after a run
    ("watch flow.py:pipeline", "asyncflow run flow.py:pipeline --journal run.jsonl"),
    ("watch no.jsonl", "asyncflow run FILE --journal run.jsonl"),
    ("watch run.jsonl --run abc", "there is no run 'abc'; there is: "),
    ("report run.jsonl out.html", "to write it there:  -o out.html"),
    ("report run.jsonl --html", "to write it to a file:  -o report.html"),
    ("report run.jsonl -o no/out.html", "mkdir -p no"),
    ("timeline run.jsonl out.svg", "to write it there:  -o out.svg"),
    ("timeline run.jsonl --svg", "to write it to a file:  -o timeline.html"),
    ("timeline flow.py", "asyncflow run flow.py    runs it"),
    ("explain 4 run.jsonl", "did you mean:  asyncflow explain run.jsonl 4"),
    ("explain run.jsonl pipelin", "did you mean 'pipeline'?"),
    ("explain run.jsonl 99", "the last one is #4"),
    ("explain run.jsonl fit(1)", "this run has no task 'fit(1)'"),
    ("explain run.jsonl sample4", "this run has no task 'sample4'"),
    ("replay run.jsonl", "asyncflow report run.jsonl"),
    ("replay run.jsonl --scale 0", "a number above 0 is needed"),
    ("replay run.jsonl --workers 1,2", "a whole number is needed, 1 or more"),
    # services and this machine
    ("serve flow.py:rows", "name a block that reads them"),
    ("serve flow.py:pipeline --port http", "a whole number is needed, 0 to 65535"),
    ("serve flow.py:pipeline --keep soon", "a number of seconds is needed, 0 or more"),
    ("serve flow.py:pipeline --host 0.0.0.0", "give --cert and --key; or say --insecure"),
    ("serve flow.py:pipeline --token abc", "ASYNCFLOW_TOKEN=... asyncflow serve ...  or  --token-file PATH"),
    ("backend", "did you mean:  asyncflow backends"),
    ("doctor --fix", "asyncflow doctor --help"),
    ("clean --work-dir no", "Directory 'no' does not exist"),
    ("clean --dryrun", "Did you mean '--dry-run'?"),
    ("demo no", "Directory 'no' does not exist"),
    ("completion powershell", "is not one of 'bash', 'zsh', 'fish'"),
    ("flow.py:pipeline", "did you mean:  asyncflow run flow.py:pipeline"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("newcomer")
    (made / "flow.py").write_text(FLOW)
    return made


@pytest.fixture
def there(here: Here, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Here:
    monkeypatch.chdir(folder)
    if not (folder / "run.jsonl").exists():
        assert here("run", "flow.py:pipeline", "--journal", "run.jsonl", "-q").code == 0
    return here


@pytest.mark.parametrize("typed, mend", MISTAKES)
def test_a_mistake_is_told_the_mend(there: Here, typed: str, mend: str) -> None:
    said = there(*typed.split())
    assert (said.code, said.out) == (2, "")
    assert mend in said.err
    assert "Traceback" not in said.err


@pytest.mark.parametrize("typed", ["fit (#2)", "fit#2", "#2", "2"])
def test_a_task_is_known_by_its_number_however_it_was_shown(there: Here, typed: str) -> None:
    said = there("explain", "run.jsonl", typed)
    assert said.code == 0 and said.out.startswith("fit (#2) SUCCEEDED")


@pytest.mark.parametrize(
    "typed, usage", [("help", "asyncflow [OPTIONS]"), ("help run", "asyncflow run [OPTIONS]")]
)
def test_help_is_had_as_a_subcommand_too(here: Here, typed: str, usage: str) -> None:
    said = here(*typed.split())
    assert said.code == 0 and said.out.startswith(f"Usage: {usage}")


def test_without_a_subcommand_the_help_is_shown(here: Here) -> None:
    said = here()
    assert said.code == 2 and said.err.startswith("Usage: asyncflow [OPTIONS]")
