"""What code asks of results."""

import asyncio
import datetime
import functools
import json
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple, Optional

import numpy as np
import pandas as pd
import pydantic

from asyncflow import WorkflowEngine

from .kit import right, wrong


class Model:
    version = 3

    def __init__(self) -> None:
        self.error = 0.5
        self.weights: list[float] = []

    def predict(self, row: list[float]) -> float:
        return 0.0


class Quick:
    __slots__ = ("speed",)


class Dynamic:
    def __getattr__(self, name: str) -> int:
        return 1


class Loaded:
    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)


class Late:
    pass


class Better(Model):
    def __init__(self) -> None:
        super().__init__()
        self.margin = 1


class Pair(NamedTuple):
    left: int
    right: int


@dataclass
class Result:
    score: float
    names: list[str] = field(default_factory=list)


def late() -> Late:
    made = Late()
    made.extra = 1  # type: ignore[attr-defined]
    return made


@wrong("'fit' gives a Model, which has no attribute 'eror'", "fit", mend="did you mean 'error'?")
def a_misspelt_attribute(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def fit() -> Model: ...

    @engine.block
    async def flow() -> float:
        model = await fit()
        return model.eror  # type: ignore[attr-defined,no-any-return]  # here

    return flow


@wrong("'fit' gives a Model, which has no attribute 'predcit'", "fit", mend="did you mean 'predict'?")
def a_misspelt_method(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def fit() -> Model: ...

    async def flow() -> float:
        return (await fit()).predcit([1.0])  # type: ignore[attr-defined,no-any-return]  # here

    return flow


@wrong("'race' gives a Quick, which has no attribute 'weight'", "race")
def an_attribute_that_is_in_no_slot(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def race() -> Quick: ...

    async def flow() -> Any:
        return (await race()).weight  # type: ignore[attr-defined]  # here

    return flow


@wrong("'fit' gives a Model, which cannot be indexed", "fit")
def an_index_of_what_has_no_items(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def fit() -> Model: ...

    async def flow() -> Any:
        return (await fit())["error"]  # type: ignore[index]  # here

    return flow


@wrong("'fit' gives a Model, which cannot be gone over", "fit")
def a_loop_over_one_thing(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def fit() -> Model: ...

    async def flow() -> Any:
        for each in await fit():  # type: ignore[attr-defined]  # here
            print(each)

    return flow


@wrong("'fit' gives a Model, which cannot be called", "fit")
def a_call_of_what_is_no_function(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def fit() -> Model: ...

    async def flow() -> Any:
        return (await fit())([1.0])  # type: ignore[operator]  # here

    return flow


@wrong("no attribute 'scoer'", mend="")
def a_misspelt_field_of_a_dataclass(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def evaluate() -> Result: ...

    async def flow() -> Any:
        result = await evaluate()
        return result.scoer  # type: ignore[attr-defined]  # here

    return flow


@wrong("no attribute 'up'")
def a_misspelt_field_of_a_named_tuple(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def pair() -> Pair: ...

    async def flow() -> Any:
        return (await pair()).up  # type: ignore[attr-defined]  # here

    return flow


@wrong("no attribute 'appendd'")
def a_misspelt_method_of_a_list(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def load() -> list[int]: ...

    async def flow() -> Any:
        rows = await load()
        rows.appendd(3)  # type: ignore[attr-defined]  # here
        return rows

    return flow


@wrong("'int' object is not subscriptable")
def an_index_of_a_number(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def count() -> int: ...

    async def flow() -> Any:
        return (await count())[0]  # type: ignore[index]  # here

    return flow


@right
def what_classes_have(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def fit() -> Model: ...

    @engine.function_task
    def race() -> Quick: ...

    @engine.function_task
    def evaluate() -> Result: ...

    async def flow() -> Any:
        model = await fit()
        if model.error > 0.1 and model.version and model.weights:
            model.predict([1.0])
        model.tag = 3  # type: ignore[attr-defined]
        result = await evaluate()
        return (await race()).speed, result.score, result.names[0], model.tag  # type: ignore[attr-defined]

    return flow


@right
def what_classes_may_have(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def dynamic() -> Dynamic: ...

    @engine.function_task
    def loaded() -> Loaded: ...

    make = engine.function_task(late)

    @engine.function_task
    def fit() -> Model: ...

    async def flow() -> Any:
        one, two, three, four = await dynamic(), await loaded(), await make(), await fit()
        return one.anything, two.field, three.extra, four.margin  # type: ignore[attr-defined]

    return flow


@right
def code_that_asks_first(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def fit() -> Model: ...

    async def flow() -> Any:
        model = await fit()
        if hasattr(model, "tune"):
            model.tune()
        score = getattr(model, "score", None)
        try:
            model.retrain()  # type: ignore[attr-defined]
        except AttributeError:
            pass
        return score

    return flow


@right
def what_nothing_is_known_of(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def fit():  # type: ignore[no-untyped-def]
        return Model()

    async def flow() -> Any:
        model = await fit()
        for part in model.parts[0]:
            part.weight += model(part)
        return model.eror

    return flow


@right
def paths(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def where() -> Path: ...

    async def flow() -> Any:
        path = await where()
        return path.parent / path.stem, path.suffix, path.exists()

    return flow


# -- what stands in is not what comes ---------------------------------------------------------------------


@dataclass
class Node:
    name: str
    parent: Optional["Node"] = None
    model: Model | Quick | None = None


class AttrDict(dict[str, Any]):
    __getattr__ = dict.__getitem__


class Kind(Enum):
    GOOD = 1


class Sample(pydantic.BaseModel):
    size: int = 1


class Extra(pydantic.BaseModel):
    model_config = {"extra": "allow"}
    size: int = 1


Parse = Callable[[Any], Any]
PARSES: dict[str, Parse] = {
    "json": lambda text: json.loads(text)["items"],
    "json of a name": lambda text: (found := json.loads(text)) and found["items"][0].name,
    "a search": lambda text: re.search(r"v(\d+)", text).group(1),  # type: ignore[union-attr]
    "a match": lambda text: [match.group(1) for match in [re.match("x", text)]],  # type: ignore[union-attr]
    "a date": lambda text: datetime.date.fromisoformat(text).year,
    "bytes": lambda text: struct.unpack("<d", bytes.fromhex(text)),
    "pieces": lambda text: text.split(",")[3],
    "unpacked": lambda text: [int(b) for a, b in [each.split(":") for each in text.split(",")]],
    "a table": lambda text: {"v12": 3}[text] + 1,
    "a partition": lambda text: text.partition(",")[2][0],
    "a format": lambda text: text % 3,
    "of a map": lambda text: dict([pair.split("=") for pair in text.split(";")]),
}


def _parsing(parse: Parse) -> Any:
    def workflow(engine: WorkflowEngine) -> Any:
        @engine.function_task
        def fetch(url: str) -> str: ...

        @engine.function_task
        def count() -> int: ...

        @engine.block
        async def flow() -> Any:
            _ = await count()  # whose value is the same 1 that json makes of "1"
            text = await fetch("a")
            return parse(text)

        return flow

    workflow.__name__ = f"parses_{parse.__code__.co_firstlineno}"
    return right(workflow)


for _parse in PARSES.values():
    _parsing(_parse)


@right
def parts_that_may_be_none_or_another(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def node() -> Node: ...

    @engine.function_task
    def either() -> Model | Quick: ...

    @engine.function_task
    def number() -> int | str: ...

    @engine.block
    async def of_none() -> Any:
        return (await node()).parent.name  # type: ignore[union-attr]

    @engine.block
    async def flow() -> Any:
        model = await either()
        one, two = await asyncio.gather(number(), number())
        return of_none(), model.speed, (await node()).model.speed, one.upper(), two[0]  # type: ignore[union-attr, index]

    return flow


@right
def attributes_that_no_class_tells(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def settings() -> AttrDict: ...

    @engine.function_task
    def extra() -> Extra: ...

    @engine.function_task
    def crash() -> Exception: ...

    @engine.block
    async def of_a_dict() -> Any:
        return (await settings()).depth

    @engine.block
    async def of_a_model() -> Any:
        return (await extra()).other  # type: ignore[attr-defined]

    async def flow() -> Any:
        _ = of_a_dict(), of_a_model()
        return (await crash()).response  # type: ignore[attr-defined]

    return flow


@right
def arrays_and_tables(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def matrix() -> np.ndarray: ...

    @engine.function_task
    def sales() -> pd.DataFrame: ...

    @engine.function_task
    def names() -> pd.Series: ...  # type: ignore[type-arg]

    async def rows() -> Any:
        rows, columns = (await matrix()).shape
        return rows * columns

    async def nested() -> Any:
        return (await matrix()).tolist()[0][0]

    async def column() -> Any:
        return (await sales()).price.mean()

    async def tuples() -> Any:
        return [row.price for row in (await sales()).itertuples()]

    async def query() -> Any:
        return (await sales()).query("price > 1")

    async def resampled() -> Any:
        return (await sales()).resample("D").sum()

    async def text() -> Any:
        return (await names()).str.upper()

    async def flow() -> None:
        for each in (rows, nested, column, tuples, query, resampled, text):
            await engine.block(each)()

    return flow


def measured(fn: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(fn)
    def call(*args: Any, **kwargs: Any) -> Any:
        return Loaded(value=fn(*args, **kwargs))

    return call


@right
def a_wrapper_that_gives_something_else(engine: WorkflowEngine) -> Any:
    @engine.function_task
    @measured
    def fit() -> Model: ...

    @engine.function_task
    @measured
    def count() -> int: ...

    async def flow() -> Any:
        _ = (await fit()).seconds
        return (await count()).seconds

    return flow


@wrong("'Kind' object has no attribute 'nmae'", "kind", "flow", mend="did you mean 'name'?")
def a_misspelt_attribute_of_an_enumeration(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def kind() -> Kind: ...

    async def flow() -> Any:
        return (await kind()).nmae  # type: ignore[attr-defined]  # here

    return flow


@wrong("'Sample' object has no attribute 'siez'", "sample", "flow", mend="did you mean 'size'?")
def a_misspelt_field_of_a_model(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def sample() -> Sample: ...

    async def flow() -> Any:
        return [each.siez for each in await asyncio.gather(sample(), sample())]  # type: ignore[attr-defined]  # here

    return flow


@wrong("'int' object has no attribute 'upper'", "count", "flow")
def an_attribute_of_one_of_many(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def count(row: int) -> int: ...

    async def flow() -> Any:
        found = await asyncio.gather(*[count(row) for row in range(3)])
        return [each.upper() for each in found]  # type: ignore[attr-defined]  # here

    return flow


@wrong("'int' object is not iterable", "count", "flow")
def a_loop_over_a_number(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def count() -> int: ...

    async def flow() -> Any:
        number = await count()
        for each in number:  # type: ignore[attr-defined]  # here
            print(each)

    return flow


@wrong("cannot unpack non-iterable int object", "count", "flow")
def a_number_for_two_names(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def count() -> int: ...

    async def flow() -> Any:
        one, two = await count()  # type: ignore[misc]  # here
        return one + two

    return flow


@wrong("object of type 'int' has no len()", "count", "flow")
def the_length_of_a_number(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def count() -> int: ...

    async def flow() -> Any:
        return len(await count())  # type: ignore[arg-type]  # here

    return flow


@wrong("list indices must be integers or slices, not str", "load", "flow")
def a_name_for_an_index(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def load() -> list[int]: ...

    async def flow() -> Any:
        return (await load())["first"]  # type: ignore[call-overload]  # here

    return flow


@wrong("takes 1 positional argument but 2 were given", "flow")
def a_function_that_takes_less(engine: WorkflowEngine) -> Any:
    def half(number: int) -> float:
        return number / 2

    @engine.function_task
    def count() -> int: ...

    async def flow() -> Any:
        return half(await count(), 2)  # type: ignore[call-arg]  # here

    return flow
