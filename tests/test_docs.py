"""Every code block of the README and of the pages in docs/ does what its page says: tests/pages_kit.py tells how."""

from __future__ import annotations

import inspect
import json
import os
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from pages_kit import PAGES, ROOT, Block, blocks, differs, examples, pictures, same

from asyncflow import Plan, Report, TaskFuture, WorkflowEngine

SESSION = Path(__file__).with_name("pages_session.py")
OUTPUTS = ("prints", "raises")
CODE = ("python", "console", "sh", "bash", "shell")
EACH_PAGE = [pytest.param(page, id=str(page.relative_to(ROOT))) for page in PAGES]
OTHER_PAGES = [
    pytest.param(ROOT / name, id=name)
    for name in ("CHANGELOG.md", "backends/README.md", "benchmarks/README.md")
]


class Page:
    """A page whose blocks are being run, in a directory of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.session: subprocess.Popen[str] | None = None
        (directory / "examples").symlink_to(ROOT / "examples")
        self.complaints = directory.with_name("complaints").open("w+")
        surroundings = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONWARNINGS": "error",
            "PYTHONIOENCODING": "utf-8",
            # pytest-asyncio warns of its default, also where no test is asynchronous
            "PYTEST_ADDOPTS": "-o asyncio_default_fixture_loop_scope=function",
        }
        self.settings: dict[str, Any] = {
            "cwd": directory,
            "env": {**os.environ, **surroundings},
            "encoding": "utf-8",
        }

    def __enter__(self) -> Page:
        return self

    def __exit__(self, *exc: object) -> None:
        if self.session is not None:
            with self.session:  # its input ends, and it is waited for
                pass
        self.complaints.close()

    def run(self, block: Block, output: Block | None) -> None:
        """Run a block and compare what it prints with what its page shows."""
        if block.verb == "example":
            said, error = self.script(block)
        elif block.language == "console":
            return self.console(block)
        else:
            said, error = self.cell(block.text)
        raises = output is not None and output.verb == "raises"
        assert bool(error) is raises, f"{block}: {error or 'raises nothing'}"
        shown = "" if output is None else output.text
        got = (error if raises else said).replace(f"{self.directory}/", "")
        if raises and block.verb == "example":
            got = got[-len(shown) :]
        assert same(got, shown, output is not None and output.numbers_differ), f"{block} prints:\n{got}"

    def script(self, block: Block) -> tuple[str, str]:
        command = [sys.executable, block.write(self.directory)]
        done = subprocess.run(
            command,
            **self.settings,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=120,
            check=False,
        )
        assert bool(done.stderr) is bool(done.returncode), f"{block}:\n{done.stderr}"
        return done.stdout, done.stderr

    def cell(self, source: str) -> tuple[str, str]:
        if self.session is None:
            pipe = subprocess.PIPE
            self.session = subprocess.Popen(
                [sys.executable, SESSION], **self.settings, stdin=pipe, stdout=pipe, stderr=self.complaints
            )
        assert self.session.stdin is not None and self.session.stdout is not None
        print(json.dumps(source), file=self.session.stdin, flush=True)
        reply = json.loads(self.session.stdout.readline())
        return reply["said"], reply["error"]

    def console(self, block: Block) -> None:
        before, *steps = re.split(r"^\$ ", block.text, flags=re.M)
        assert not before and steps, f"{block} begins with no command"
        for step in steps:
            command = re.match(r"(?:.*\\\n)*.*\n", step)
            assert command is not None
            done = subprocess.run(
                ["bash", "-c", command[0]],
                **self.settings,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=120,
                check=False,
            )
            said = done.stdout.replace(f"{self.directory}/", "")
            shown = step[command.end() :]
            assert same(said, shown, block.numbers_differ), f"{block}: $ {command[0]}prints:\n{said}"

    def end(self) -> None:
        """End the session of the page's cells, if it has any: nothing may be left to complain of."""
        if self.session is None:
            return
        self.session.communicate(timeout=60)
        self.complaints.seek(0)
        complained = self.complaints.read()
        assert self.session.returncode == 0 and complained == "", complained


def run_page(page: Path, directory: Path) -> None:
    """Run all blocks of a page, in order, and compare what they print with what it shows."""
    with Page(directory) as running:
        for block, after in pairwise([*blocks(page), None]):
            assert block is not None
            if block.verb == "file":
                block.write(directory)
            elif block.verb in ("not run", "command"):
                assert block.name, f"{block} says no reason"
            elif block.verb == "example" or block.language in CODE:
                assert block.language in ("python", "console"), f"{block} is neither run nor says why not"
                running.run(block, after if after is not None and after.verb in OUTPUTS else None)
            else:
                assert block.verb in (*OUTPUTS, ""), f"{block}: nobody knows what {block.mark!r} means"
        running.end()
    wrong = [differs(shown, directory / shown.name) for shown in pictures(page)]
    assert not any(wrong), wrong


@pytest.mark.parametrize("page", EACH_PAGE)
def test_the_blocks_of_a_page_print_what_it_shows(page: Path, tmp_path: Path) -> None:
    run_page(page, tmp_path)


CELL = "```python\n{}\n```\n"
SHOWN = "<!-- {} -->\n```\n{}\n```\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(CELL.format("1 + 1") + SHOWN.format("prints", "3"), "prints: 2", id="other output"),
        pytest.param(CELL.format("print(2)"), "prints: 2", id="output that is not shown"),
        pytest.param(CELL.format("1 / 0"), "ZeroDivisionError", id="an error that is not shown"),
        pytest.param(CELL.format("1") + SHOWN.format("raises", "E"), "raises nothing", id="no error"),
        pytest.param(CELL.format("open('f', 'w')\n_ = None"), "unclosed file", id="a complaint"),
        pytest.param("<!-- example: a.py -->\n" + CELL.format("print(2)"), "prints: 2", id="a script"),
        pytest.param("```console\n$ echo a\nb\n```\n", "prints: a", id="a command"),
        pytest.param("```sh\nls\n```\n", "neither run", id="a language that is not run"),
        pytest.param("<!-- not run -->\n```sh\nls\n```\n", "says no reason", id="no reason"),
        pytest.param("<!-- pritns -->\n```\n3\n```\n", "nobody knows what 'pritns'", id="a wrong mark"),
    ],
)
def test_a_page_that_is_wrong_is_found(text: str, said: str, tmp_path: Path) -> None:
    page, directory = tmp_path / "page.md", tmp_path / "directory"
    directory.mkdir()
    page.write_text(text)
    with pytest.raises(AssertionError) as caught:
        run_page(page, directory)
    assert said in " ".join(str(caught.value).split())


@pytest.mark.parametrize(
    ("said", "shown", "numbers_differ"),
    [
        ("a\nb\nc\n", "a\n[...]\nc\n", False),
        ("a\nc\n", "a\n[...]\nc\n", False),
        ("a b c\n", "a [...]c\n", False),
        ("run   1.5 ms   3 %\n", "run  22.25 s  0.5 %\n", True),
        ("fit (#2)\n", "fit (#2)\n", True),
    ],
)
def test_what_a_page_leaves_open_may_differ(said: str, shown: str, numbers_differ: bool) -> None:
    assert same(said, shown, numbers_differ)
    assert not same(said + "more\n", shown, numbers_differ)


def test_of_numbers_that_differ_no_names_of_tasks_are() -> None:
    assert not same("fit (#2)\n", "fit (#3)\n", True)
    assert not same("1.5 ms\n", "1.6 ms\n", False)


MEMBERS = {"engine": WorkflowEngine, "plan": Plan, "report": Report, "future": TaskFuture}


@pytest.mark.parametrize("page", EACH_PAGE)
def test_what_a_page_names_exists(page: Path) -> None:
    for name, member in re.findall(r"`(?:await )?(engine|plan|report|future)\.([a-z]\w+)", page.read_text()):
        assert hasattr(MEMBERS[name], member), f"{page.name}: {name}.{member}"
    options = inspect.signature(WorkflowEngine).parameters
    for option in re.findall(r"`WorkflowEngine\((\w+)=", page.read_text()):
        assert option in options, f"{page.name}: WorkflowEngine({option}=)"


def headings(page: Path) -> set[str]:
    """The anchors of a page's headings, as repository viewers and the docs site make them."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.M | re.S)
    titles = re.findall(r"^#+ (.+)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", [*EACH_PAGE, *OTHER_PAGES])
def test_the_links_of_a_page_lead_somewhere(page: Path) -> None:
    prose = re.sub(r"^```.*?^```$|`[^`\n]*`(?!\]\()", "", page.read_text(), flags=re.M | re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        if re.match(r"\w+:", target):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), f"{page.name}: {target}"
        assert not anchor or anchor in headings(there), f"{page.name}: {target}"


def test_the_typed_example_is_the_one_that_the_type_checkers_see() -> None:
    assert examples()["typed.py"].text == (ROOT / "tests" / "typing" / "typed.py").read_text()


def test_the_readme_is_one_page_long() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150
