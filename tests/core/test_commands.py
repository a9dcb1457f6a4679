"""What an executable task runs, as its function's answer and its options have it."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from asyncflow._core.commands import argv_of, script_of
from asyncflow._core.options import CommandOptions
from asyncflow._core.quoting import quoted, sh

PLAIN = CommandOptions()


# -- what is run ------------------------------------------------------------------------------------------


def test_text_goes_to_the_shell_as_it_is() -> None:
    assert argv_of("ls | wc -l", PLAIN, "count") == ["/bin/sh", "-c", "ls | wc -l"]
    assert argv_of("ls", PLAIN.changed(shell="bash"), "count") == ["bash", "-c", "ls"]


def test_a_shell_may_have_arguments_of_its_own() -> None:
    options = PLAIN.changed(shell=["bash", "-o", "pipefail", "-ec"])
    assert argv_of("ls", options, "count") == ["bash", "-o", "pipefail", "-ec", "ls"]
    assert options.changed(shell="dash").shell == "dash"


def test_a_path_does_as_a_variables_value() -> None:
    given = {"A": PurePosixPath("/a b"), "B": 3, "C": "c"}
    assert PLAIN.changed(env=given).env == {"A": "/a b", "B": "3", "C": "c"}


def test_a_script_for_a_person_runs_the_same_and_holds_no_variables_value() -> None:
    options = PLAIN.changed(env={"TOKEN": "hush"}, stdin="in")
    script = script_of(["echo", "it's", b"\xff $x"], options, b"/a b").decode(errors="surrogateescape")
    assert script.splitlines()[0] == "#!/bin/sh"
    assert script.splitlines()[-2:] == ["cd '/a b' || exit", "'echo' 'it'\\''s' '\udcff $x'"]
    assert "TOKEN" in script and "hush" not in script


def test_a_list_is_run_as_it_is_and_paths_and_numbers_become_text() -> None:
    given = ["head", "-n", 3, 0.5, PurePosixPath("/a b/$c"), b"\xff", "; rm"]
    assert argv_of(given, PLAIN, "head") == ["head", "-n", "3", "0.5", "/a b/$c", b"\xff", "; rm"]
    assert argv_of(("true",), PLAIN, "ok") == ["true"]


@pytest.mark.parametrize("given", [None, 3, {"a": 1}, b"ls", PurePosixPath("ls")])
def test_anything_else_is_refused_with_the_tasks_name(given: Any) -> None:
    with pytest.raises(TypeError, match=r"^'render' returned .*, as its command.\n  Return text"):
        argv_of(given, PLAIN, "render")


@pytest.mark.parametrize("item", [None, True, ["nested"], object()])
def test_so_is_an_argument_that_is_none(item: Any) -> None:
    with pytest.raises(TypeError, match=r"^'render' returned .*, among the arguments of its command."):
        argv_of(["echo", item], PLAIN, "render")


@pytest.mark.parametrize("given", ["", "  \n", [], [""]])
def test_nothing_to_run_is_an_error(given: Any) -> None:
    with pytest.raises(ValueError, match="there is no command in it"):
        argv_of(given, PLAIN, "render")


@pytest.mark.parametrize("given", ["a\0b", ["a", "b\0"], ["a", b"\0"]])
def test_a_null_character_is_an_error(given: Any) -> None:
    with pytest.raises(ValueError, match=r"'render': .* holds a null character"):
        argv_of(given, PLAIN, "render")


# -- options ----------------------------------------------------------------------------------------------


def test_options_that_are_not_given_stay_as_they_are() -> None:
    options = PLAIN.changed(env={"A": 1}, ok_codes=[0, 3], capture_stdio=True)
    changed = options.changed(env=None, clean_env=True, ok_codes=2)
    assert (changed.env, changed.clean_env, changed.ok_codes) == ({"A": "1"}, True, {2})
    assert changed.capture_stdio is True
    assert (options.clean_env, options.ok_codes) == (False, {0, 3})


@pytest.mark.parametrize(
    ("clean", "expected"), [(False, {"HOME": "/", "A": "2", "B": "3"}), (True, {"B": "3", "A": "2"})]
)
def test_the_environment_is_added_to_the_parents_or_is_all(clean: bool, expected: dict[str, str]) -> None:
    options = PLAIN.changed(env={"A": "2", "B": "3"}, clean_env=clean)
    assert options.environment({"HOME": "/", "A": "1"}) == expected


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"shell": "fish"}, ValueError, "shell='fish': paths could not be quoted for it"),
        ({"shell": ["fish", "-c"]}, ValueError, "shell=['fish', '-c']: paths could not be quoted for it"),
        ({"shell": []}, ValueError, "shell=[]: paths could not be quoted for it"),
        ({"shell": ["bash", "-e"]}, ValueError, "shell=['bash', '-e']: the last argument has to be '-c'"),
        ({"shell": ["bash"]}, ValueError, "shell=['bash']: the last argument has to be '-c'"),
        ({"shell": ["bash", 3]}, TypeError, "shell=['bash', 3]: a program is needed, or a list"),
        ({"shell": 3}, TypeError, "shell=3: a program is needed, or a list"),
        ({"text": "utf-8"}, TypeError, "text='utf-8'"),
        ({"shell": "/usr/bin/python3"}, ValueError, "it can be one of sh, bash"),
        ({"stdin": 3}, TypeError, "stdin=3: text, bytes or a path"),
        ({"env": {"A": None}}, TypeError, "env={'A': None}: names are text"),
        ({"env": {1: "a"}}, TypeError, "names are text"),
        ({"ok_codes": ["0"]}, TypeError, "ok_codes=['0']: whole numbers"),
    ],
)
def test_an_option_of_the_wrong_kind_is_told(options: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=re.escape(words)):
        PLAIN.changed(**options)


def test_a_shell_may_be_given_by_its_path() -> None:
    assert PLAIN.changed(shell="/usr/local/bin/bash").shell == "/usr/local/bin/bash"


# -- quoting ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("plain", "plain"),
        ("", "''"),
        ("it's", "'it'\"'\"'s'"),
        ("$HOME `x` *", "'$HOME `x` *'"),
        ("two\nlines", "'two\nlines'"),
        (3, "3"),
        (Path("/a b"), "'/a b'"),
        (["a b", "-x", 1], "'a b' -x 1"),
        ((), ""),
    ],
)
def test_a_value_becomes_one_word_and_a_list_one_for_each(value: Any, expected: str) -> None:
    assert quoted(value) == expected


def test_the_template_is_the_shells_and_what_is_put_in_is_not() -> None:
    assert sh("grep {} {path} | wc -l", "a b", path="c;d") == "grep 'a b' 'c;d' | wc -l"
    assert sh("head -n {1:>4} {0}", "f", 7) == "head -n '   7' f"
    assert sh("awk '{{print $1}}' {}", "f") == "awk '{print $1}' f"


@pytest.mark.parametrize("template", [["cat"], ("cat", "a"), b"cat", None, PurePosixPath("cat")])
def test_sh_takes_text(template: Any) -> None:
    with pytest.raises(TypeError, match=r"^sh\(.*\): the command is needed as text") as caught:
        sh(template)
    assert ("needs no sh" in str(caught.value)) == isinstance(template, (list, tuple))


def test_bytes_and_null_characters_cannot_be_put_in() -> None:
    with pytest.raises(TypeError, match="is bytes; decode it first"):
        sh("cat {}", b"x")
    with pytest.raises(ValueError, match="null character"):
        sh("cat {}", "a\0b")
    with pytest.raises(IndexError):
        sh("cat {} {}", "a")


@pytest.mark.parametrize(
    ("template", "kind", "told"),
    [
        ("cat {path}", KeyError, "nothing was given for {path}"),
        ("cat {} {}", IndexError, "nothing was given for {}, place 2"),
        ("cat {2}", IndexError, "nothing was given for {2}"),
        ("awk {print $1} {}", KeyError, "nothing was given for {print $1}"),
        ("awk '{print $1}' {}", ValueError, "{print $1} stands inside quotes"),
        ("cat ${HOME}/{}", ValueError, "{HOME} stands inside ${...}"),
    ],
)
def test_sh_says_for_what_nothing_was_given_and_that_braces_of_the_command_are_doubled(
    template: str, kind: type[Exception], told: str
) -> None:
    with pytest.raises(kind) as caught:
        sh(template, "a b")
    first, second, *_ = str(caught.value).split("\n")
    assert first.startswith(f"sh({template!r}): {told}")
    assert second.endswith("braces of the command itself are doubled: {{ }}")
