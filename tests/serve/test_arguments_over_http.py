"""Arguments over HTTP: whatever a task's parameters are, they are read by them, or refused with what is wrong."""

from __future__ import annotations

import enum
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Generic, Literal, NamedTuple, Required, TypedDict, TypeVar

import httpx
import pytest
from pydantic import BaseModel, Field

from asyncflow import WorkflowEngine
from asyncflow.serve.http import asgi

if TYPE_CHECKING:
    from somewhere import Nowhere

T = TypeVar("T")


class Colour(enum.Enum):
    RED = "red"


class Size(TypedDict, total=False):
    width: Required[int]
    height: int


class Tree(TypedDict):
    size: Size
    below: list[Tree]


class Pair(NamedTuple):
    left: int
    right: str = "x"


@dataclass
class Picky:
    number: int

    def __post_init__(self) -> None:
        if self.number < 0:
            raise KeyError("below 0")


@dataclass
class Unfinished:
    of: Nowhere


class Model(BaseModel):
    of: Annotated[int, Field(gt=0)]


class Job(BaseModel):
    """As one of the document's own."""

    of: Model


class Box(BaseModel, Generic[T]):
    of: T


class Opaque:
    pass


def by_place(a: int = 1, b: int = 2, /, c: int = 3) -> list[int]:
    return [a, b, c]


def others(first: int, **more: int) -> dict[str, int]:
    return {"first": first, **more}


def typed_dict(size: Size, sizes: dict[str, Size | None] | None = None, tree: Tree | None = None) -> object:
    return [size, sizes, tree]


def shapes(
    pair: Pair | None = None,
    model: Model | None = None,
    job: Job | None = None,
    box: Box[Pair] | None = None,
    which: Literal["a", 1] = 1,
    ratio: float = 0.5,
    when: Annotated[int, Field(ge=3)] = 3,
    colour: Colour = Colour.RED,
) -> str:
    return repr((pair, model, job, box, which, ratio, when))


def picky(it: Picky) -> int:
    return it.number


def unfinished(it: Unfinished, that: Nowhere | None = None, x: Opaque | int = 3) -> object:
    return [it, that, x]


def odd(  # type: ignore[no-untyped-def]
    x: 3,  # type: ignore[valid-type]
    y: [int] = 3,  # type: ignore[valid-type]
    call: Callable[[int], int] | None = None,
    kind: type[int] = int,
    items: Iterator[int] | None = None,
    made: object = object(),
    no_number: float = float("nan"),
    *rest: int,
    plain=None,
):
    return [x, y, plain]


def generic(x: T) -> T:
    return x


TASKS = (by_place, others, typed_dict, shapes, picky, unfinished, odd, generic)


async def answered(name: str, body: str) -> tuple[int, Any]:
    """The status of a submission, and what came of the job, or was said instead."""
    async with WorkflowEngine() as engine, client_of(engine) as client:
        told = await client.post(
            f"/{name}", content=body.encode(), headers={"content-type": "application/json"}
        )
        if told.status_code != 202:
            return told.status_code, told.json()["error"]
        over = (await client.get(told.headers["location"] + "/result?wait=30")).json()
        return 202, over.get("value", over.get("error"))


def client_of(engine: WorkflowEngine) -> httpx.AsyncClient:
    app = asgi(*(engine.serve(engine.function_task(each)) for each in TASKS), token=None)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost")


@pytest.mark.parametrize(
    ("name", "arguments", "value"),
    [
        ("by_place", {"b": 5}, [1, 5, 3]),
        ("by_place", {"b": 5, "c": 6}, [1, 5, 6]),
        ("by_place", {"c": 6}, [1, 2, 6]),
        ("others", {"first": 1, "second": 2}, {"first": 1, "second": 2}),
        ("typed_dict", {"size": {"width": 1}, "sizes": {"a": None}}, [{"width": 1}, {"a": None}, None]),
        ("shapes", {"pair": [1], "which": "a"}, "(Pair(left=1, right='x'), None, None, None, 'a', 0.5, 3)"),
        ("picky", {"it": {"number": 3}}, 3),
        ("unfinished", {"it": {"of": 1}, "that": 2}, [{"of": 1}, 2, 3]),
        ("odd", {"x": "a", "y": [1], "plain": {"b": None}}, ["a", [1], {"b": None}]),
        ("generic", {"x": [1.5]}, [1.5]),
    ],
)
async def test_arguments_are_given_as_the_task_takes_them(
    name: str, arguments: dict[str, Any], value: object
) -> None:
    assert await answered(name, json.dumps(arguments)) == (202, value)


@pytest.mark.parametrize(
    ("name", "body", "told"),
    [
        ("others", '{"first": 1, "second": "2"}', "argument 'second' of others: Input should be a valid int"),
        ("others", '{"first": 1, "first": 2}', "the name 'first' stands twice in one object"),
        ("generic", '{"x": {"a": 1, "a": 1}}', "the name 'a' stands twice in one object"),
        ("generic", '{"x": 1e999}', "1e999 is more than a number can be"),
        ("generic", '{"x": "\\u00e9', "the body is no JSON: "),
        ("generic", '{"x": ' + "[" * 50_000, "the body is no JSON: it is nested too deeply"),
        ("shapes", '{"ratio": 1' + "0" * 400 + "}", "argument 'ratio' of shapes: Input should be a "),
        ("shapes", '{"when": 2}', "argument 'when' of shapes: Input should be greater than or equal to 3"),
        ("typed_dict", '{"size": {"height": 1}}', "argument 'size' of typed_dict['width']: Field required"),
        ("typed_dict", '{"size": {"width": 1}, "sizes": {"a": {}}}', "argument 'sizes' of typed_dict['a']"),
        ("typed_dict", '{"size": {"width": 1}, "tree": {"size": {}, "below": []}}', "['size']['width']"),
        ("picky", '{"it": {"number": -1}}', "argument 'it' of picky: KeyError: 'below 0'"),
    ],
)
async def test_what_is_not_as_the_task_takes_it_is_refused_by_name(name: str, body: str, told: str) -> None:
    status, error = await answered(name, body)
    assert status == 400 and told in error


async def test_all_that_the_description_refers_to_is_in_it() -> None:
    async with WorkflowEngine() as engine, client_of(engine) as client:
        document = (await client.get("/openapi.json")).json()
    refs = set(references(document))
    assert {"#/components/schemas/Job", "#/components/schemas/argument.Job"} <= refs
    for ref in refs:
        place = document
        for part in ref.removeprefix("#/").split("/"):
            place = place[part]
    own = {name: schema_of(document, name) for name in document["paths"] if "{id}" not in name}
    assert set(own) == {f"/{each.__name__}" for each in TASKS}
    assert own["/others"]["additionalProperties"] == {"type": "integer"}
    assert own["/shapes"]["properties"]["colour"]["default"] == "red"
    assert own["/odd"]["properties"]["no_number"] == {"type": "number"}


def references(told: object) -> Iterator[str]:
    if isinstance(told, Mapping):
        if isinstance(told.get("$ref"), str):
            yield told["$ref"]
        for each in told.values():
            yield from references(each)
    elif isinstance(told, list):
        for each in told:
            yield from references(each)


def schema_of(document: dict[str, Any], path: str) -> dict[str, Any]:
    body: dict[str, Any] = document["paths"][path]["post"]["requestBody"]
    schema: dict[str, Any] = body["content"]["application/json"]["schema"]
    return schema


async def test_a_name_with_anything_in_it_is_described_as_the_path_that_it_has() -> None:
    async with WorkflowEngine() as engine:
        service = engine.serve(engine.function_task(name="a b/{x}")(generic))
        transport = httpx.ASGITransport(asgi(service, token=None))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            (path, *_) = (await client.get("/openapi.json")).json()["paths"]
            assert (await client.post(path, json={"x": 1})).status_code == 202
