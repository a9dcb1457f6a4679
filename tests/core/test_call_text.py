"""How a call is shown: by what tells it from others, in little time and room, and without what may be secret."""

from __future__ import annotations

import dataclasses
import enum
import pickle
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import pytest

from asyncflow import InputFile, OutputFile, Secret
from asyncflow._core.call_text import call_shown

from .kit import Bench, definition


def shown(*args: Any, fn: Any = None, **kwargs: Any) -> str:
    def trim(sample: Any = None, reads: Any = None, *more: Any, **others: Any) -> None: ...

    task = Bench().call(name="trim")
    task.definition = definition("trim")
    task.definition.fn = fn or trim
    task.args, task.kwargs = args, kwargs
    return call_shown(task)


class Colour(enum.Enum):
    RED = 1


class Point(NamedTuple):
    x: int
    y: int


@dataclasses.dataclass
class Login:
    user: str
    pin: str = dataclasses.field(repr=False)


@dataclasses.dataclass
class Own:
    pin: str

    def __repr__(self) -> str:
        raise AssertionError("no code of a user's is run")


class Loud:
    def __repr__(self) -> str:
        raise AssertionError("no code of a user's is run")


class Text(str):
    def __repr__(self) -> str:
        raise AssertionError("no code of a user's is run")


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("S17", "'S17'"),
        (3, "3"),
        (2.5, "2.5"),
        (None, "None"),
        (True, "True"),
        (b"ab", "b'ab'"),
        (Path("a/b.txt"), "PosixPath('a/b.txt')"),
        (Colour.RED, "Colour.RED"),
        (date(2026, 1, 2), "datetime.date(2026, 1, 2)"),
        (UUID(int=5), "UUID('00000000-0000-0000-0000-000000000005')"),
        ([1, 2], "[1, 2]"),
        ((1,), "(1,)"),
        (set(), "set()"),
        ({"a": 1}, "{'a': 1}"),
        ([], "[]"),
        ({1}, "{1}"),
        (Point(1, 2), "Point(x=1, y=2)"),
        (InputFile("a.csv"), "InputFile(source='a.csv')"),
        (InputFile("a.csv", name="b"), "InputFile(source='a.csv', name='b')"),
        (OutputFile("c"), "OutputFile(name='c')"),
        ([[[[1]]]], "[[[...]]]"),
        (range(10), "<range>"),
        (Login("ann", "1234"), "Login(user='ann')"),
        (Own("1234"), "<Own>"),
        (Loud(), "<Loud>"),
        (Text("a"), "<Text>"),
        (Secret("1234"), "<Secret>"),
        (len, "<len>"),
        (Colour, "<Colour>"),
        ("a\x1b[2J", r"'a\x1b[2J'"),
        ("https://ann:1234@host/x", "'https://...@host/x'"),
    ],
    ids=lambda each: type(each).__name__,
)
def test_a_value_is_shown_by_what_tells_it_from_others(value: Any, told: str) -> None:
    assert shown(value) == f"trim(sample={told})"


def test_the_name_of_each_parameter_is_shown() -> None:
    assert shown("S17", [1], 5, depth=2) == "trim(sample='S17', reads=[1], 5, depth=2)"
    assert shown(reads=[1], sample="S17") == "trim(reads=[1], sample='S17')"
    assert shown() == ""
    assert shown(2, fn=abs) == "trim(x=2)"


@pytest.mark.parametrize(
    "name",
    ["password", "db_passwd", "API_KEY", "apikey", "token", "secret", "access_key", "auth", "credentials",
     "authToken", "accesstoken", "x_auth", "oauth", "Authorization", "clientSecret", "private_keys", "PASSWORD2"],
)  # fmt: skip
def test_what_is_named_like_a_secret_is_not_shown(name: str) -> None:
    assert shown(**{name: "1234"}) == f"trim({name}=<hidden>)"
    assert shown({name: "1234"}) == f"trim(sample={{{name!r}: <hidden>}})"


@pytest.mark.parametrize(
    "name", ["author", "authors", "tokenizer", "secretary", "key", "keyboard", "compass", "api"]
)
def test_what_only_begins_like_a_secret_is_shown(name: str) -> None:
    assert shown(**{name: "1234"}) == f"trim({name}='1234')"


def test_the_parameters_of_a_method_are_those_of_its_call() -> None:
    class Client:
        def login(self, user: str, password: str) -> None: ...

        @classmethod
        def made(cls, password: str) -> None: ...

    assert shown("me", "hunter2", fn=Client().login) == "trim(user='me', password=<hidden>)"
    assert shown("hunter2", fn=Client.made) == "trim(password=<hidden>)"


def test_what_a_library_made_is_shown_as_it_shows_it() -> None:
    attrs = pytest.importorskip("attrs")
    pydantic = pytest.importorskip("pydantic")

    @attrs.define
    class Job:
        name: str
        pin: str = attrs.field(repr=False)

    class Model(pydantic.BaseModel):  # type: ignore[misc, name-defined]
        name: str
        pin: str = pydantic.Field(repr=False)
        key_of_it: pydantic.SecretStr  # type: ignore[name-defined]

    assert shown(Job("a", "1234")) == "trim(sample=Job(name='a'))"
    told = shown(Model(name="a", pin="1234", key_of_it="5678"))
    assert told == "trim(sample=Model(name='a', key_of_it=<SecretStr>))"


def test_an_array_is_shown_by_its_shape() -> None:
    numpy = pytest.importorskip("numpy")
    assert shown(numpy.zeros((1000, 3))) == "trim(sample=<ndarray of 1000x3>)"
    assert shown(numpy.float32(2.5)) == "trim(sample=2.5)"


@pytest.mark.parametrize(
    "value",
    [
        "x" * 10**7,
        list(range(10**6)),
        {n: n for n in range(10**5)},
        b"x" * 10**7,
        1 << 10**7,
        [["x" * 1000] * 9] * 9,
    ],
    ids=lambda each: type(each).__name__,
)
def test_a_call_is_shown_in_few_letters(value: Any) -> None:
    assert len(shown(value, [value, value], *[value] * 100, a=value, b=value)) < 500


def test_a_task_is_shown_by_name_and_number() -> None:
    bench = Bench()
    assert (
        shown(bench.call(name="load"), [bench.call(name="load")])
        == "trim(sample=<load #1>, reads=[<load #2>])"
    )


def test_what_cannot_be_shown_hides_nothing_else() -> None:
    class Liar:
        @property  # type: ignore[misc]
        def __class__(self) -> type:
            raise RuntimeError

    assert shown("S17", Liar()).startswith("trim(sample='S17', ")


def test_a_secret_hands_on_its_value_and_shows_none() -> None:
    secret = Secret("1234")
    assert secret.value == "1234"
    assert "1234" not in repr(secret) + str(secret)
    assert pickle.loads(pickle.dumps(secret)).value == "1234"


def test_a_file_is_shown_by_its_name() -> None:
    assert shown(InputFile("a.txt")).startswith("trim(sample=InputFile(source='a.txt'")
