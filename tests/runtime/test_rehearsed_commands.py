"""Executable tasks where nothing runs: their functions are asked for the command, which is there to be looked at."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from asyncflow import InputFile, OutputFile, WorkflowEngine


class Model:
    def __init__(self) -> None:
        self.name = "m"


async def test_the_command_is_there_in_a_dry_run_and_nothing_ran(tmp_path: Path) -> None:
    given = tmp_path / "two words.txt"
    given.write_text("a\n")
    async with WorkflowEngine(dry_run=True, work_dir=tmp_path / "work") as engine:

        @engine.executable_task
        def copy(file: Any, out: OutputFile = OutputFile("out.txt")) -> str:
            return f"cp {file} {out}"

        @engine.executable_task
        async def listed(times: int, files: list[Path]) -> list[Any]:
            return ["wc", "-c", times, *files]

        @engine.executable_task
        def labelled(label: Any) -> list[str]:
            return ["echo", label]

        @engine.function_task
        def unknown(): ...  # type: ignore[no-untyped-def]

        @engine.function_task
        def count() -> int: ...  # type: ignore[empty-body]

        made = copy(InputFile(given))
        after = copy(InputFile(made.outputs["out.txt"]))
        many = listed(count(), [InputFile(given, name="b"), made.outputs["out.txt"]])
        opaque = labelled(unknown())
        for each in (made, after, many, opaque):
            await each
        assert made.command == "cp 'two words.txt' out.txt"
        assert after.command == "cp out.txt out.txt"
        assert many.command == ["wc", "-c", "1", "b", "out.txt"]
        assert opaque.command is not None and str(opaque.command[1]).startswith("<stand-in for unknown#")
    assert sorted(each.name for each in tmp_path.iterdir() if each.is_file()) == ["two words.txt"]


Command = Callable[..., Any]


def a_number() -> Any:
    return 3


def an_argument_that_is_none() -> Any:
    return ["ls", None]


def nothing_in_it() -> Any:
    return "  "


def an_unknown_name() -> Any:
    return f"ls {nowhere}"  # type: ignore[name-defined]  # noqa: F821


def a_misspelt_method() -> Any:
    return ["ls", "a".uper()]  # type: ignore[attr-defined]


def a_number_in_a_text() -> Any:
    return "head -n " + 3  # type: ignore[operator]


def a_null_character() -> Any:
    return "ls \0"


@pytest.mark.parametrize(
    ("command", "what"),
    [
        (a_number, "returned 3, a int"),
        (an_argument_that_is_none, "returned None"),
        (nothing_in_it, "no command in it"),
        (an_unknown_name, "NameError: name 'nowhere'"),
        (a_misspelt_method, "'str' object has no attribute 'uper'"),
        (a_number_in_a_text, "TypeError: can only concatenate"),
        (a_null_character, "null character"),
    ],
)
async def test_a_command_that_cannot_work_is_a_finding_and_fails_a_dry_run(
    command: Command, what: str
) -> None:
    engine = WorkflowEngine("thread")
    task = engine.executable_task(command)

    @engine.block
    async def flow() -> Any:
        return await task()

    (finding,) = (await engine.plan(flow)).findings
    assert what in finding.what
    assert command.__name__ in " ".join(finding.ends)
    async with WorkflowEngine(dry_run=True) as dry:
        with pytest.raises((TypeError, ValueError, NameError, AttributeError)):
            await dry.executable_task(command)()


async def test_what_a_command_makes_of_a_result_is_a_finding_only_if_no_value_could_mend_it() -> None:
    engine = WorkflowEngine("thread")

    @engine.function_task
    def fit() -> Model: ...  # type: ignore[empty-body]

    @engine.function_task
    def text() -> str: ...  # type: ignore[empty-body]

    @engine.function_task
    def anything(): ...  # type: ignore[no-untyped-def]

    @engine.executable_task
    def misspelt(model: Model) -> list[str]:
        return ["echo", model.nmae]  # type: ignore[attr-defined]

    @engine.executable_task
    def split(given: str, more: Any) -> Any:
        return ["echo", given.split(",")[2], more.name]

    @engine.executable_task
    def maybe(given: str, more: Any) -> Any:
        return {"1": None}[given]

    @engine.executable_task
    def opened(file: Path) -> str:
        return file.read_text()

    @engine.executable_task
    def decides(given: str) -> str:
        raise ValueError(given)

    @engine.block
    async def right() -> None:
        await split(text(), anything())
        await maybe(await text(), await anything())
        await opened(InputFile(__file__))
        await decides("a")

    @engine.block
    async def wrong() -> Any:
        return await misspelt(fit())

    assert (await engine.plan(right)).findings == ()
    (finding,) = (await engine.plan(wrong)).findings
    assert "no attribute 'nmae'" in finding.what
