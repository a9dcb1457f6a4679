"""The conformance suite finds what is wrong with a backend. A suite that everybody passes would be worth nothing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

HEAD = """
import asyncio, copy, os, threading
from asyncflow.backend import *
from asyncflow.backends.thread import ThreadBackend
from asyncflow.testing import leaks
from asyncflow.testing.conformance import BackendConformance

leaks._PATIENCE = 0.3
"""

SUITE = """
class Test{number}(BackendConformance):
    patience = {patience}
    grace = 1.0

    def make_backend(self, Broken=Broken):
        return Broken(workers=self.workers)
"""

BROKEN = {
    "reports an end twice": (
        """
        class Broken(ThreadBackend):
            async def start(self, report):
                def twice(events):
                    report(events)
                    report([event for event in events if event[0] != STARTED])
                await super().start(twice)
        """,
        "test_each_piece_of_a_batch_is_over_exactly_once[100]",
    ),
    "loses a report": (
        """
        class Broken(ThreadBackend):
            async def start(self, report):
                count = 0
                def lossy(events):
                    nonlocal count
                    count += events[0][0] == SUCCEEDED
                    if events[0][0] == STARTED or count % 29:
                        report(events)
                await super().start(lossy)
        """,
        "test_each_piece_of_a_batch_is_over_exactly_once[100]",
    ),
    "says that it can be cancelled and cannot": (
        """
        class Broken(ThreadBackend):
            async def cancel(self, task_id):
                await super().cancel(task_id)
                return True
        """,
        "test_what_cannot_be_stopped_is_reported_when_it_ends_by_itself",
    ),
    "cancels nothing": (
        """
        class Broken(ThreadBackend):
            async def cancel(self, task_id):
                return False
        """,
        "test_work_that_waits_behind_others_is_taken_back_and_never_begins",
    ),
    "tells starts late and does not say so": (
        """
        class Broken(ThreadBackend):
            async def start(self, report):
                loop = asyncio.get_running_loop()
                def late(events):
                    starts = [event for event in events if event[0] == STARTED]
                    if starts:
                        loop.call_soon_threadsafe(loop.call_later, 0.1, report, starts)
                    report([event for event in events if event[0] != STARTED])
                await super().start(late)
        """,
        "test_running_task_is_told_of_as_running",
    ),
    "reports a start after the end": (
        """
        class Broken(ThreadBackend):
            async def start(self, report):
                def late(events):
                    if events[0][0] != STARTED:
                        report(events)
                        report([(STARTED, events[0][1], None)])
                await super().start(late)
        """,
        "test_the_start_of_a_piece_is_reported_once_at_most_and_before_its_end",
    ),
    "leaves a thread behind": (
        """
        class Broken(ThreadBackend):
            async def shutdown(self, *, grace):
                threading.Thread(target=threading.Event().wait, args=(10,), daemon=True, name="forgotten").start()
                return await super().shutdown(grace=grace)
        """,
        "test_shutdown_without_work_leaves_nothing[5.0]",
    ),
    "leaves a descriptor behind": (
        """
        class Broken(ThreadBackend):
            async def start(self, report):
                os.open("/", os.O_RDONLY)
                await super().start(report)
        """,
        "test_shutdown_without_work_leaves_nothing[5.0]",
    ),
    "waits for ever at a shutdown": (
        """
        class Broken(ThreadBackend):
            async def shutdown(self, *, grace):
                return await super().shutdown(grace=1000)
        """,
        "test_shutdown_does_not_wait_longer_than_the_grace_time",
    ),
    "can be started only once": (
        """
        class Broken(ThreadBackend):
            async def start(self, report):
                if not hasattr(self, "begun"):
                    await super().start(report)
                self.begun = True
        """,
        "test_can_be_started_again_after_a_shutdown",
    ),
    "does not abandon": (
        """
        class Broken(ThreadBackend):
            def abandon(self):
                pass
        """,
        "test_abandon_releases_everything_without_a_loop",
    ),
    "forgets the context": (
        """
        class Broken(ThreadBackend):
            def submit(self, batch):
                super().submit([forgetful(work) for work in batch])

        def forgetful(work):
            work = copy.copy(work)
            work.context = None
            return work
        """,
        "test_work_sees_its_own_context_variables_and_changes_nobody_elses",
    ),
    "keeps what is over": (
        """
        KEPT = []

        class Broken(ThreadBackend):
            def submit(self, batch):
                KEPT.extend(batch)
                super().submit(batch)
        """,
        "test_nothing_is_kept_of_work_that_is_over",
    ),
    "takes no exit for an answer": (
        """
        class Broken(ThreadBackend):
            async def start(self, report):
                def blind(events):
                    report([event for event in events if not isinstance(event[2], SystemExit)])
                await super().start(blind)
        """,
        "test_any_exception_is_reported_as_a_failure[SystemExit]",
    ),
    "runs one at a time": (
        """
        class Broken(ThreadBackend):
            def __init__(self, workers):
                super().__init__(1)
        """,
        "test_as_much_runs_at_once_as_there_are_workers",
    ),
    "works inside of submit": (
        """
        class Broken(ThreadBackend):
            async def start(self, report):
                self.report = report
            def submit(self, batch):
                for work in batch:
                    self.report([(SUCCEEDED, work.id, work.fn(*work.args, **work.kwargs))])
        """,
        "test_submit_does_not_wait_for_the_work",
    ),
}


# Those whose case hangs, and so takes all of its patience. The others need none, and have so much that the machine may
# be busy: a deadline that comes while pytest writes its report of a case ends the whole run.
HANG = {
    "loses a report",
    "waits for ever at a shutdown",
    "takes no exit for an answer",
    "runs one at a time",
    "works inside of submit",
}


def suite_of(number: int, fault: str = "") -> str:
    return SUITE.format(number=number, patience=2.0 if fault in HANG else 30.0)


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What pytest says of the case for each fault, all in one run."""
    suite = tmp_path_factory.mktemp("broken") / "test_broken.py"
    suites = [
        textwrap.dedent(code) + suite_of(number, fault)
        for number, (fault, (code, _)) in enumerate(BROKEN.items())
    ]
    suite.write_text(HEAD + "".join(suites))
    return run(*(f"{suite}::Test{number}::{case}" for number, (_, case) in enumerate(BROKEN.values()))).stdout


@pytest.mark.parametrize("fault", BROKEN)
def test_a_backend_that_is_broken_fails_the_case_that_names_its_fault(fault: str, said: str) -> None:
    case = f"Test{list(BROKEN).index(fault)}::{BROKEN[fault][1]}"
    assert re.search(rf"^(FAILED|ERROR) .*{re.escape(case)}", said, re.MULTILINE), said


def run(*cases: str) -> subprocess.CompletedProcess[str]:
    suite = Path(cases[0].partition("::")[0])
    # The other plugins would take most of the time.
    plugins = ["-p", "pytest_asyncio.plugin", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", "-q", "-rfEs", *plugins, *cases]
    aside = ["-c", ROOT / "pyproject.toml", "--basetemp", suite.parent / "inner"]
    environ = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return subprocess.run(
        [*command, *aside], capture_output=True, text=True, check=False, timeout=150, env=environ
    )


def test_a_case_that_is_excused_says_why_and_one_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    suite, case = tmp_path / "test_it.py", "test_shutdown_twice_is_the_same_as_once"
    body = HEAD + "Broken = ThreadBackend\n" + suite_of(0) + f"    excused = {{{case!r}: 'it says so'}}\n"
    suite.write_text(body)
    ended = run(f"{suite}::Test0::{case}")
    assert "it says so" in ended.stdout
    assert ended.returncode == 0
    suite.write_text(body.replace("test_shutdown_twice", "test_shutdown_thrice"))
    ended = run(str(suite))
    wrong = "Test0.excused names cases that are not there: test_shutdown_thrice_is_the_same_as_once"
    assert wrong in ended.stdout
    assert ended.returncode == 2


OF_KINDS = """
class Plain(ThreadBackend):
    takes_chains = False

class TestPlain(BackendConformance):
    def make_backend(self):
        return Plain(workers=self.workers)

class TestChaining(TestPlain):  # what its parent has no use for concerns it
    def make_backend(self):
        return ThreadBackend(workers=self.workers)

class TestLate(TestPlain):  # which cases are for it is seen when it can be made
    def make_backend(self):
        return Plain(workers=self.given_by_a_fixture)
"""


def test_a_case_about_backends_of_another_kind_is_not_collected(tmp_path: Path) -> None:
    suite, case = tmp_path / "test_it.py", "test_a_chain_runs_link_after_link"
    suite.write_text(HEAD + OF_KINDS)
    collected = run("--collect-only", str(suite)).stdout
    found = [theme for theme in ("TestPlain", "TestChaining", "TestLate") if f"{theme}::{case}" in collected]
    assert found == ["TestChaining", "TestLate"]


def test_a_backend_that_shares_no_files_is_asked_to_have_them_refused(tmp_path: Path) -> None:
    suite, case = (
        tmp_path / "test_it.py",
        "test_files_are_refused_in_words_where_those_of_this_machine_are_not",
    )
    elsewhere = "class Broken(ThreadBackend):\n    shares_filesystem = False\n"
    suite.write_text(HEAD + elsewhere + suite_of(0))
    assert "1 passed" in run(f"{suite}::Test0::{case}").stdout
    suite.write_text(HEAD + elsewhere.replace("False", "True") + suite_of(0))
    assert case not in run("--collect-only", str(suite)).stdout


def test_only_the_suite_itself_needs_pytest() -> None:
    code = "import sys, asyncflow.testing, asyncflow.testing.bad_tasks; sys.exit('pytest' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)


def test_a_failed_assertion_of_the_suite_shows_its_values(said: str) -> None:
    assert re.search(r"E  +(AssertionError: )?assert \[2, 2", said), said
