"""Names of files that a shell would run: in whatever way they come into a command, none of them runs."""

from __future__ import annotations

import asyncio
import json
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from asyncflow import CommandFailed, InputFile, OutputFile, WorkflowEngine, sh

HOSTILE = [
    "a b.txt",
    "$(touch pwned).txt",
    "`touch pwned`.txt",
    "a;touch pwned;b.txt",
    "a'; touch pwned; 'b.txt",
    'a"; touch pwned; "b.txt',
    "a\ntouch pwned\nb.txt",
    "x'\"$(touch pwned)\"'y.txt",
    "a\\'|touch pwned&#.txt",
]
HARMLESS = ["plain.txt", "x-1_2.tar.gz", "été.csv", "a#1~.txt"]
WAYS: dict[str, Callable[[Path], Any]] = {
    "formatted": lambda p: f"cat {p}",
    "in single quotes": lambda p: f"cat '{p}'",
    "in double quotes": lambda p: f'cat "{p}"',
    "as text": lambda p: f"cat {p!s}",
    "as text, quoted": lambda p: f"cat '{p!s}'",
    "as text, in double quotes": lambda p: f'cat "{p!s}"',
    "joined": lambda p: " ".join(["cat", str(p)]),
    "by percent": lambda p: "cat %s" % p,  # noqa: UP031
    "as shown": lambda p: f'echo "{p!r}"',
    "its name": lambda p: f"cat {p.name}",
    "its name, quoted": lambda p: f"cat '{p.name}'",
    "its name, in double quotes": lambda p: f'cat "{p.name}"',
    "its stem": lambda p: f"ls | cat; echo {p.stem}",
    "for another shell": lambda p: f'sh -c "cat {p}"',
    "its name for another shell": lambda p: f"sh -c 'cat {p.name}'",
    "quoted once for two shells": lambda p: "sh -c " + shlex.quote(f"cat {p.name}"),
    "in a heredoc": lambda p: f"cat <<EOF\n{p}\nEOF",
    "its name in a heredoc": lambda p: f"cat <<EOF\n{p.name}\nEOF",
    "a heredoc that is run": lambda p: f"sh <<'EOF'\ncat {p.name}\nEOF\n",
    "in an awk program": lambda p: f"awk 'BEGIN {{ while ((getline l < \"{p!s}\") > 0) print l }}'",
    "what awk runs": lambda p: f"awk 'BEGIN {{ system(\"cat {p}\") }}'",
    "in backticks": lambda p: f"echo `cat {p}`",
    "its name in a substitution": lambda p: f'echo "$(cat {p.name})"',
    "as JSON": lambda p: f"echo '{json.dumps(p.name)}'",
    "in a comment": lambda p: f"cat {p} # of {p.name}",
    "evaluated": lambda p: f"eval cat {p}",
    "in Python": lambda p: f"{sys.executable} -c 'print(open(\"{p!s}\").read())'",
    "a list for a shell": lambda p: ["sh", "-c", f"cat {p.name}"],
    "a list for Python": lambda p: [sys.executable, "-c", f"print(open('{p!s}').read())"],
    "a list for awk": lambda p: ["awk", f'BEGIN {{ while ((getline l < "{p!s}") > 0) print l }}'],
    "behind a backslash": lambda p: f"cat \\{p.name}",
    "in an expansion": lambda p: f"echo ${{X:-{p.name}}}",
    "redirected": lambda p: f"cat < {p.name}",
}
RIGHT: dict[str, Callable[[Path], Any]] = {
    "formatted": lambda p: f"cat {p}",
    "a value of a variable": lambda p: f'v={p}; cat "$v"',
    "in a substitution": lambda p: f'echo "$(cat {p})"',
    "by sh": lambda p: sh("cat {}", p.name),
    "by shlex": lambda p: f"cat {shlex.quote(str(p))}",
    "what is made of it": lambda p: f"cp {p} {p.with_suffix('.out')}; cat {p.parent / p.name}",
    "an argument of a script": lambda p: sh("sh -c 'cat \"$1\"' sh {}", p),
    "a list": lambda p: ["cat", p],
    "a list of text": lambda p: ["cat", str(p)],
    "a list for a shell": lambda p: ["sh", "-c", f"cat {p}"],
}


async def _ends(
    tmp_path: Path, shell: str, ways: dict[str, Callable[[Path], Any]], names: list[str]
) -> dict[tuple[str, str], Any]:
    """How each way went with each name: its output or its error. None of the names may have run."""
    (tmp_path / "in").mkdir()
    for name in names:
        (tmp_path / "in" / name).write_text("content\n")
    async with WorkflowEngine(work_dir=tmp_path / "work", keep="all") as engine:
        futures = {
            (way, name): engine.executable_task(command, shell=shell)(InputFile(tmp_path / "in" / name))
            for way, command in ways.items()
            for name in names
        }
        ends = await asyncio.gather(*futures.values(), return_exceptions=True)
    assert not [path for path in tmp_path.rglob("pwned*") if path.parent != tmp_path / "in"]
    return dict(zip(futures, ends, strict=True))


@pytest.mark.parametrize("shell", ["sh", "bash"])
async def test_no_name_runs_in_whatever_way_it_comes_into_a_command(tmp_path: Path, shell: str) -> None:
    ends = await _ends(tmp_path, shell, WAYS, HOSTILE)
    for (way, name), end in ends.items():
        if isinstance(end, ValueError):
            assert repr(name) in str(end) and "sh(" in str(end)
        else:
            assert isinstance(end, str), (way, name, end)
    assert sum(isinstance(end, ValueError) for end in ends.values()) > 200


@pytest.mark.parametrize("shell", ["sh", "bash"])
async def test_every_harmless_name_works_in_each_way(tmp_path: Path, shell: str) -> None:
    ends = await _ends(tmp_path, shell, WAYS, HARMLESS)
    assert not [(way, name, end) for (way, name), end in ends.items() if not isinstance(end, str)]


async def test_every_name_works_in_each_right_way(tmp_path: Path) -> None:
    ends = await _ends(tmp_path, "sh", RIGHT, HOSTILE + HARMLESS + ["#1.txt", "~$a.doc", "~b", "{1,2}"])
    assert {end for end in ends.values()} == {"content\n"}


async def test_every_name_that_brings_no_end_along_works_in_backticks(tmp_path: Path) -> None:
    names = ["a b.txt", "(1).csv", "#1.txt", "~b", "a;touch pwned;b.txt", "$(touch pwned).txt"]
    ends = await _ends(tmp_path, "sh", {"in backticks": lambda p: f"echo `cat {p}`"}, names)
    assert {end for end in ends.values()} == {"content\n"}


async def test_names_of_outputs_and_of_plain_paths_are_looked_at_too(tmp_path: Path) -> None:
    async with WorkflowEngine(work_dir=tmp_path) as engine:

        @engine.executable_task
        def make(out: OutputFile) -> str:
            return f"echo 1 > {out}"

        @engine.executable_task
        def wrong(out: Any) -> str:
            return f"cat {out.name}; ls {out.parent!s}"

        for argument in [OutputFile("a;b"), make(OutputFile("a;b")).outputs["a;b"]]:
            with pytest.raises(
                ValueError, match=r"'wrong' \(#\d+\): the name 'a;b' of a file stands in its command"
            ):
                await wrong(argument)


async def test_a_pattern_among_the_outputs_may_stand_in_the_command(tmp_path: Path) -> None:
    async with WorkflowEngine(work_dir=tmp_path) as engine:

        @engine.executable_task
        def split(parts: OutputFile) -> str:
            return "touch part-1 part-2; ls part-*"

        assert await split(OutputFile("part-*")) == "part-1\npart-2\n"


async def test_a_work_dir_with_a_space_is_quoted_like_a_name(tmp_path: Path) -> None:
    (tmp_path / "in").write_text("1\n")
    async with WorkflowEngine(work_dir=tmp_path / "my work") as engine:
        assert await engine.executable_task(lambda p: f"cat {p}")(InputFile(tmp_path / "in")) == "1\n"
        with pytest.raises((ValueError, CommandFailed), match="my work"):
            await engine.executable_task(lambda p: f"cat {p!s}")(InputFile(tmp_path / "in"))
