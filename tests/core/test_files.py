"""What tasks may declare of files, and which file an input means."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import pytest

from asyncflow._core.files import InputFile, OutputFile, declared, made_upstream, name_in_sandbox, with_paths


@dataclass
class Made:
    label: str
    outputs: dict[str, Any]


@pytest.mark.parametrize("name", ["", "/etc/passwd", "..", "a/../../b", "a\0b"])
def test_a_name_that_leads_out_of_the_sandbox_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="its name has to be a relative path inside the sandbox"):
        OutputFile(name)


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
    value = [one, {"x": (two, [three]), "y": 3}, "text"]
    assert list(declared(value)) == [one, two, three]
    paths = {id(one): "A", id(two): "B", id(three): "C"}
    assert with_paths(value, lambda each: paths[id(each)]) == ["A", {"x": ("B", ["C"]), "y": 3}, "text"]


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
    assert name_in_sandbox("/x/a.txt", {}) == "a.txt"
    assert name_in_sandbox("/x/a/", {}) == "a"
    assert name_in_sandbox("/x/a.txt", {"a.txt": "/x/a.txt"}) == "a.txt"
    with pytest.raises(
        ValueError, match=r"two inputs would be called 'a.txt' in the sandbox: '/y/a.txt' and"
    ):
        name_in_sandbox("/x/a.txt", {"a.txt": "/y/a.txt"})
