"""The examples, run as a reader runs them."""

from __future__ import annotations

import gzip
import json
import os
import re
import runpy
import subprocess
import sys
import sysconfig
from pathlib import Path

import httpx
import pytest

from asyncflow import Report

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"


def run(example: str | Path, *args: str | Path, code: int = 0, cwd: Path | None = None) -> str:
    """What it prints. Warnings are errors, and nothing may be said on the side."""
    command = [sys.executable, "-W", "error", EXAMPLES / example, *args]
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=120,
        env=environment,
        cwd=cwd,
        check=False,
    )
    said, complained = done.stdout.decode(), done.stderr.decode()
    assert done.returncode == code, complained
    if code:
        return complained
    assert complained == ""
    return said


def rows(text: str, title: str) -> dict[str, list[str]]:
    """The rows of one table, by first cell."""
    _, _, rest = text.partition(f"\n{title}\n")
    body = rest.partition("\n\n")[0].splitlines()[1:]
    return {cells[0]: cells[1:] for cells in map(str.split, body)}


@pytest.fixture
def rough(tmp_path: Path) -> Path:
    """A folder with all that a disk may hold beside good source."""
    package = tmp_path / "rough"
    package.mkdir()
    (package / "good.py").write_text(
        "# a comment\nclass A:\n    def f(self):\n        if self:\n            return 1\n"
    )
    (package / "declared.py").write_bytes("# coding: latin-1\nname = 'é'\n".encode("latin-1"))
    (package / "broken.py").write_text("x = 1\ndef f(:\n")
    (package / "undeclared.py").write_bytes(b"name = '\xe9'\n")
    (package / "unreadable.py").symlink_to("unreadable.py")  # stops root, too, whom a file's mode does not
    (package / "nul.py").write_bytes(b"x = '\0'\n")
    (package / "loop").symlink_to(tmp_path, target_is_directory=True)
    (package / "folder.py").mkdir()
    os.mkfifo(package / "pipe.py")
    (tmp_path / os.fsdecode(b"odd\xff.py")).write_text("x = 1\n")
    return tmp_path


def test_quickstart_counts_its_words() -> None:
    assert run("quickstart.py") == "9 words\n"


def test_census_measures_every_file_of_a_package_of_the_standard_library() -> None:
    package = Path(sysconfig.get_path("stdlib"), "email")
    files = [path for path in package.rglob("*.py") if "__pycache__" not in path.parts]
    lines = sum(len(path.read_bytes().splitlines()) for path in files)
    said = run("source_census.py", package, "--workers", "2")
    assert f"{len(files)} files, {lines:,} lines, " in said
    assert "; 0 files could not be measured\n" in said
    assert "Not measured" not in said
    assert "message" in rows(said, "Largest packages")
    assert "on the thread backend\n" in said


@pytest.mark.parametrize("backend", ["thread", "sequential"])
def test_census_says_why_a_file_was_not_measured_and_goes_on(rough: Path, backend: str) -> None:
    said = run("source_census.py", rough, "--backend", backend)
    assert rows(said, "Largest packages") == {
        "rough": ["2", "7", "5", "1", "1", "3"],
        r"odd\udcff": ["1", "1", "1", "0", "0", "0"],
    }
    assert rows(said, "Longest functions") == {"A.f": ["3", "rough/good.py"]}
    reasons = {path: " ".join(why) for path, why in rows(said, "Not measured").items()}
    assert set(reasons) == {
        f"rough/{name}.py" for name in ("broken", "undeclared", "unreadable", "nul", "pipe")
    }
    assert reasons["rough/broken.py"].startswith("SyntaxError: line 2: ")
    assert reasons["rough/undeclared.py"] == "SyntaxError: invalid or missing encoding declaration"
    assert reasons["rough/unreadable.py"] == "OSError: Too many levels of symbolic links"
    assert "null bytes" in reasons["rough/nul.py"]
    assert reasons["rough/pipe.py"] == "OSError: not a regular file"
    assert "\n3 files, 8 lines, 1 functions; 5 files could not be measured\n" in said
    assert "\n19 tasks in 3 blocks, " in said


def test_census_of_an_empty_folder_is_empty(tmp_path: Path) -> None:
    assert "\n0 files, 0 lines, 0 functions; 0 files could not be measured\n" in run(
        "source_census.py", tmp_path
    )


def test_census_of_no_folder_says_so(tmp_path: Path) -> None:
    assert "no such folder" in run("source_census.py", tmp_path / "none", code=2)


def test_census_on_a_cluster_is_the_same_as_here_and_says_which_machine_did_what(rough: Path) -> None:
    here = run("cluster.py", rough)
    assert rows(here, "Not measured") == rows(run("source_census.py", rough), "Not measured")
    machine, workers, tasks, _ = next(iter(here.partition("\nMachines\n")[2].splitlines()[1:])).rsplit(
        maxsplit=3
    )
    assert (machine.strip(), int(workers) >= 1, int(tasks)) == ("this one", True, 16)
    planned = run("cluster.py", rough, "--plan")
    assert planned.startswith("Plan: 19 tasks in 3 blocks, ")
    assert run("cluster.py", rough, "--plan", "--on", "carried") == planned


def test_before_and_after_plans_runs_and_reports(tmp_path: Path) -> None:
    journal, trace = tmp_path / "run.jsonl", tmp_path / "trace.json"
    said = run("before_and_after.py", "--backend", "thread", "--journal", journal, "--trace", trace)
    assert said.startswith("Plan: 9 tasks in 1 block, 11 edges (11 data)\n")
    assert "\nA polynomial of degree 3 is off by 0.014\n" in said
    assert "\nWhere the time went:\n" in said
    assert "\nOn 4 workers it would take " in said
    report = Report.from_journal(journal)
    assert report.counts == {"SUCCEEDED": 10}
    assert {event["ph"] for event in json.loads(trace.read_text())["traceEvents"]} >= {"X", "M"}


@pytest.mark.parametrize("kinds", [3, 40])
def test_package_files_counts_endings_and_packs_a_long_table(tmp_path: Path, kinds: int) -> None:
    folder = tmp_path / "lists of files"
    folder.mkdir()
    for number in range(60):
        endings = [f"/usr/share/file.{'txt' if kind == 0 else f'e{kind}'}" for kind in range(kinds)]
        (folder / f"-list {number}").write_text(
            "\n".join([*endings, "/a.TXT", "/usr/no-ending", "/usr/dot."]) + "\n"
        )
    table = tmp_path / "table.gz"
    said = run("package_files.py", folder, table)
    assert said.startswith("        120  .txt\n")
    assert f"{kinds} kinds of endings in 60 files, counted by 2 commands\n" in said
    assert ("The table is long" in said) is table.exists() is (kinds > 20)
    if table.exists():
        assert b"120 txt\n" in gzip.decompress(table.read_bytes())
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        [folder.name, *(["table.gz"] * (kinds > 20))]
    )


@pytest.mark.parametrize(("pages", "rate"), [(40, 200), (20, 50)])
def test_a_flaky_service_is_asked_no_oftener_than_needed_and_no_faster_than_it_allows(
    pages: int, rate: int, capsys: pytest.CaptureFixture[str]
) -> None:
    module = runpy.run_path(str(EXAMPLES / "flaky_service.py"))
    log = module["main"](pages, rate).log
    statuses = [status for _, _, status in log]
    failed = statuses.count(503)
    assert statuses.count(200) == pages == len({path for _, path, status in log if status == 200})
    assert len(log) == pages + 1 + failed  # the one more is of a page that is not there
    assert failed >= len(log) // module["EVERY"] - 1
    times = [time for time, _, _ in log]
    for first, begin in enumerate(times):
        for last in range(first, len(times)):
            assert last - first + 1 <= module["BURST"] + (times[last] - begin) * rate + 1e-6
    assert f"sum of {pages} pages: {sum(range(pages))}\n" in capsys.readouterr().out


def test_a_flaky_service_says_how_often_it_was_asked() -> None:
    said = run("flaky_service.py", "5", "1000")
    assert re.fullmatch(r"\d requests: [012] failed, 0 came too fast", said.splitlines()[-1])


def test_an_election_night_has_a_result_though_votes_are_missing() -> None:
    assert run("election_night.py", "14").splitlines() == [
        "precinct 3: SKIPPED, 'counted' (#9) was skipped: 'ballots' (#8) was skipped, nobody voted.",
        "precinct 5: UPSTREAM_FAILED, 'counted' (#15) did not run: 'ballots' (#14) failed, "
        "FileNotFoundError: the box is lost.",
        "precinct 10: SKIPPED, 'counted' (#30) was skipped: 'ballots' (#29) was skipped, nobody voted.",
        "precinct 12: UPSTREAM_FAILED, 'counted' (#36) did not run: 'ballots' (#35) failed, "
        "FileNotFoundError: the box is lost.",
        "team 1: 1167 votes",
        "team 3: 1167 votes",
        "Owls 608, Herons 300, Larks 259",
        "town hall: Owls",
        "market: Owls",
        "station: Owls",
    ]


def test_a_server_beside_the_tasks_is_asked_and_stopped() -> None:
    assert run("service_beside.py", "5") == (
        "10 words in 5 pages\nsite: stopped, used by 1\nserver: stopped, used by 5\n"
    )


def test_warm_workers_read_their_folder_once_each() -> None:
    module = runpy.run_path(str(EXAMPLES / "warm_workers.py"))
    corrected = module["engine"].run(module["main"], module["WORDS"] * 5)
    assert [each.word for each in corrected[:3]] == ["address", "character", "header"]
    assert {each.reads for each in corrected} == {1}
    assert len({each.by.partition(" in ")[2] for each in corrected}) <= 2


def test_warm_workers_let_go_of_what_they_keep_before_the_last_word() -> None:
    *said, before, last = run("warm_workers.py", "retrun", "x" * 20).splitlines()
    assert said[0].startswith("retrun -> return  (correct[retrun] in process ")
    assert said[1].startswith(f"{'x' * 20} -> {'x' * 20}  (correct[")
    assert before.endswith("lets go of its words")
    assert last == "2 words corrected"


def test_a_folder_goes_through_a_stream(rough: Path) -> None:
    said = run("stream_folder.py", rough, "--window", "2")
    assert "running 0, done 0" in said and "failed 0" in said
    assert re.search(r"^comment +1$", said, re.M)


def test_a_replay_takes_about_as_long_as_its_plan() -> None:
    said = run("replay.py", "--workers", "4")
    assert said.startswith("22 steps in 3 stages, on 4 workers") and "22 SUCCEEDED" in said


def test_a_service_says_how_to_start_it_without_what_it_needs() -> None:
    code = (
        "import runpy, sys\nsys.modules['starlette'] = sys.modules['uvicorn'] = None\n"
        f"sys.argv = ['service.py', '--help']\nrunpy.run_path({str(EXAMPLES / 'service.py')!r}, run_name='__main__')"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "A service that takes jobs over HTTP" in said


def test_a_service_takes_jobs_and_shows_them() -> None:
    command = [sys.executable, "-W", "error", EXAMPLES / "service.py", "--port", "0", "--seconds", "30"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
        try:
            assert program.stdout is not None
            page, _, fragment = program.stdout.readline().split()[5].partition("#")
            token = program.stdout.readline().split()[-1]
            assert fragment == f"token={token}"
            headers = {"Authorization": f"Bearer {token}"}
            with httpx.Client(base_url=page, headers=headers) as client:
                place = client.post("/analyse", json={"text": "one of three"}).headers["location"]
                told = client.get(f"{place}/result?wait=30").json()
                assert told["value"] == {"words": 3, "longest": "three"}
                shown = client.get("/", headers={"Authorization": ""})
                assert 'data-name="analyse"' in shown.text and told["id"] not in shown.text
                assert client.get("/analyse", headers={"Authorization": ""}).status_code == 401
        finally:
            program.kill()
