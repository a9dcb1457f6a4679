"""What tasks may declare of files, and which file an input means."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import pytest

from asyncflow._core.files import (
    InputFile,
    Left,
    OutputFile,
    all_left,
    declared,
    hides,
    left_behind,
    made_upstream,
    name_in_sandbox,
    with_paths,
)


@dataclass
class Made:
    label: str
    outputs: dict[str, Any]


@dataclass
class Holder:
    file: Any


@pytest.mark.parametrize("name", ["", ".", "./", "/etc/passwd", "..", "a/../../b", "a\0b"])
def test_a_name_that_leads_out_of_the_sandbox_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="its name has to be a relative path inside the sandbox"):
        OutputFile(name)
    with pytest.raises(ValueError, match="the name has to be a relative path inside the sandbox"):
        InputFile("/x", name=name)


@pytest.mark.parametrize("sha256", ["", "abc", "g" * 64, "0" * 65])
def test_a_checksum_that_is_none_is_refused(sha256: str) -> None:
    with pytest.raises(ValueError, match="64 hexadecimal digits are needed"):
        InputFile("/x", sha256=sha256)


def test_a_name_that_is_no_text_is_refused() -> None:
    with pytest.raises(TypeError, match="its name is text"):
        OutputFile(PurePosixPath("a"))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["part-*.csv", "a?", "[ab]"])
def test_several_files_cannot_go_to_one_place(name: str) -> None:
    assert OutputFile(name).is_glob
    with pytest.raises(ValueError, match="several files cannot go to one place"):
        OutputFile(name, to="/x")


def test_files_are_found_and_replaced_wherever_they_are() -> None:
    one, two, three = InputFile("a"), OutputFile("b"), InputFile("c")
    args, kwargs = ([one, {"x": (two, [three]), "y": 3}, "text"], one), {"more": [Holder(two)]}
    files = declared(args, kwargs)
    assert set(files.inputs) == {one, three}
    assert files.outputs == {"b": two}
    paths = {id(one): "A", id(two): "B", id(three): "C"}
    filled = with_paths(args, kwargs, files, lambda each: paths[id(each)])
    assert filled == (
        (["A", {"x": ("B", ["C"]), "y": 3}, "text"], "A"),
        {"more": [Holder("B")]},
    )
    assert args == ([one, {"x": (two, [three]), "y": 3}, "text"], one)


def test_a_call_without_files_declares_nothing() -> None:
    circle: list[Any] = []
    circle.append(circle)
    assert not declared((1, [2, {"3": "four"}], circle), {"five": {6}})


def test_two_outputs_of_one_name_are_an_error_naming_both() -> None:
    with pytest.raises(ValueError, match=r"to='/x'.* and OutputFile\(name='a', to=None\) would be one file"):
        declared((OutputFile("a"), [OutputFile("a", to="/x")]), {})
    assert len(declared((OutputFile("a"), [OutputFile("a")]), {}).outputs) == 1


def test_a_name_means_the_output_of_a_task_that_is_depended_on() -> None:
    upstreams = [Made("'one' (#1)", {"a": "/1/a"}), Made("'two' (#2)", {"b": "/2/b"})]
    assert made_upstream("b", upstreams) == "/2/b"
    assert made_upstream("c", upstreams) is None
    assert made_upstream(PurePosixPath("b"), upstreams) is None


def test_a_name_that_two_tasks_made_is_an_error_naming_both() -> None:
    upstreams = [Made("'one' (#1)", {"a": "/1/a"}), Made("'two' (#2)", {"a": "/2/a"})]
    with pytest.raises(ValueError, match=r"could be an output of 'one' \(#1\) and 'two' \(#2\)"):
        made_upstream("a", upstreams)
    assert made_upstream("a", [upstreams[0], upstreams[0]]) == "/1/a"


def test_two_inputs_of_one_name_are_an_error_naming_both() -> None:
    taken: dict[str, Any] = {}
    assert name_in_sandbox("a.txt", 1, "/x/a.txt", taken) == "a.txt"
    assert name_in_sandbox("a.txt", 1, "a.txt", taken) == "a.txt"
    assert name_in_sandbox("b.txt", 2, "/y/a.txt", taken) == "b.txt"
    with pytest.raises(
        ValueError, match=r"two inputs would be called 'a.txt' in the sandbox: '/x/a.txt' and '/y/a.txt'"
    ):
        name_in_sandbox("a.txt", 2, "/y/a.txt", taken)


@pytest.mark.parametrize("name", ["./one", "one/", ".//one", "one/."])
def test_names_of_one_file_are_one_name(name: str) -> None:
    assert OutputFile(name) == OutputFile("one")
    assert InputFile("x", name=name) == InputFile("x", name="one")
    assert list(declared((OutputFile("one"), OutputFile(name)), {}).outputs) == ["one"]
    assert made_upstream(name, [Made("'one' (#1)", {"one": "/1/one"})]) == "/1/one"


@pytest.mark.parametrize(
    ("to", "target"),
    [
        ("results/", "results/x.txt"),
        ("file:///a%20b/", "file:///a%20b/x.txt"),
        ("results", "results"),
        ("s3://a/results/", "s3://a/results/x.txt"),
        ("http://a/b//", "http://a/b//x.txt"),
        ("http://a/b?c=/", "http://a/b?c=/"),
        ("zip://b/::file:///a.zip", "zip://b/::file:///a.zip"),
        (PurePosixPath("results/"), PurePosixPath("results")),
        (None, None),
    ],
)
def test_a_slash_at_the_end_means_a_directory_to_publish_in(to: Any, target: Any) -> None:
    assert OutputFile("sub/x.txt", to=to).target == target


# -- files that nobody has declared -----------------------------------------------------------------------

OLD, NEW = (1, 10), (2, 10)


def NOTHING(name: str) -> bool:
    return False


BY_ONE = Left("/1/x", "'one' (#1)")


def test_what_a_command_made_and_did_not_declare_is_left() -> None:
    there = {"x": ("/1/x", OLD), "out": ("/1/out", OLD), "in": ("/1/in", NEW)}
    assert left_behind("'one' (#1)", there, {"in": (OLD, None)}, {"/1/out"}) == {"x": BY_ONE}


def test_what_it_was_given_is_its_own_only_if_it_has_changed_it() -> None:
    brought = {"x": (OLD, BY_ONE)}
    assert left_behind("'two' (#2)", {"x": ("/2/x", OLD)}, brought, ()) == {"x": BY_ONE}
    assert left_behind("'two' (#2)", {"x": ("/2/x", NEW)}, brought, ()) == {"x": Left("/2/x", "'two' (#2)")}
    assert left_behind("'two' (#2)", {}, brought, ()) == {}


def test_two_that_left_files_of_one_name_are_an_error_naming_both() -> None:
    two = {"x": Left("/2/x", "'two' (#2)")}
    with pytest.raises(ValueError, match=r"'one' \(#1\) and 'two' \(#2\) have both left a file 'x'"):
        all_left([{"x": BY_ONE}, two], NOTHING)
    assert all_left([{"x": BY_ONE}, two], {"x"}.__contains__) == {}
    assert all_left([{"x": BY_ONE}, {"x": BY_ONE}, {"y": BY_ONE}], NOTHING) == {"x": BY_ONE, "y": BY_ONE}


@pytest.mark.parametrize(
    ("declared_name", "hidden", "visible"),
    [
        ("a", ["a", "a/b", "a/b/c"], ["ab", "b", "b/a"]),
        ("a/b", ["a", "a/b", "a/b/c"], ["a/c", "b"]),
        ("a/", ["a", "a/b"], ["b"]),
        ("*.csv", ["x.csv", "y/x.csv"], ["x.txt"]),
        ("part-[0-9]", ["part-1"], ["part-x"]),
    ],
)
def test_what_a_task_declares_hides_what_was_left_there(
    declared_name: str, hidden: list[str], visible: list[str]
) -> None:
    assert all(hides(["other", declared_name], name) for name in hidden)
    assert not any(hides(["other", declared_name], name) for name in visible)


def test_what_would_mean_a_whole_directory_is_refused() -> None:
    with pytest.raises(ValueError, match="a path, a URL or the name of an output is needed"):
        InputFile("")
    with pytest.raises(ValueError, match="a path or a URL is needed"):
        OutputFile("a", to="")


def test_a_pattern_that_nobody_can_follow_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\*\* stands for any number of directories, by itself"):
        OutputFile("**.csv")
    assert OutputFile("**/a.csv").is_glob
